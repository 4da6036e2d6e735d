/* What may stand behind each directive. One function each, in table order. */

#include "settings/check.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "settings/authority.h"
#include "settings/ca.h"
#include "settings/name.h"
#include "settings/nearest.h"

enum { DELAY_MAX_S = 600 };

static bool
refuse(struct acme_error *err, const char *value, const char *allowed)
{
    char shown[128];

    return acme_fail(err, ACME_MISCONFIG, "invalid value \"%s\", allowed is "
        "%s", acme_log_escape(shown, sizeof(shown), acme_bytes_of(value)),
        allowed);
}

static bool
check_path(size_t argc, const char *const *argv, struct acme_error *err)
{
    (void) argc;
    return (argv[0][0] == '/' && strlen(argv[0]) < 3000)
        || refuse(err, argv[0], "an absolute path");
}

/* One of a few words, which `compare` takes for equal. */
static bool
check_word(const char *value, int (*compare)(const char *, const char *),
    const char *const *words, size_t count, const char *allowed,
    struct acme_error *err)
{
    char shown[128], advice[96];

    for (size_t i = 0; i < count; i++) {
        if (compare(value, words[i]) == 0) {
            return true;
        }
    }
    return acme_fail(err, ACME_MISCONFIG, "invalid value \"%s\", allowed are "
        "%s%s", acme_log_escape(shown, sizeof(shown), acme_bytes_of(value)),
        allowed, acme_nearest(value, words, count, advice, sizeof(advice)));
}

/* ---- acme_domain */

static bool
check_domain(size_t argc, const char *const *argv, struct acme_error *err)
{
    char lower[ACME_NAME_MAX + 1];

    for (size_t i = 0; i < argc; i++) {
        if (!acme_name_check(argv[i], lower, err)) {
            return false;
        }
    }
    return true;
}

/* ---- acme_ca */

static bool
check_ca(size_t argc, const char *const *argv, struct acme_error *err)
{
    const char *urls[ACME_CHOICES_MAX];

    for (size_t i = 0; i < argc; i++) {
        urls[i] = acme_ca_url(argv[i], err);
        if (urls[i] == NULL) {
            return false;
        }
        for (size_t k = 0; k < i; k++) {
            if (strcmp(urls[i], urls[k]) == 0) {
                return refuse(err, argv[i], "each CA once");
            }
        }
        if (acme_ca_is_staging(urls[i]) != acme_ca_is_staging(urls[0])) {
            return refuse(err, argv[acme_ca_is_staging(urls[i]) ? i : 0],
                "a staging directory among its own kind: nobody trusts what "
                "it issues, and that would be served");
        }
    }
    return true;
}

/* ---- acme_eab: CA kid file [algorithm] */

static bool
check_eab(size_t argc, const char *const *argv, struct acme_error *err)
{
    static const char *const algorithms[] = { "HS256", "HS384", "HS512" };

    if (acme_ca_url(argv[0], err) == NULL) {
        return false;
    }
    if (argv[1][0] == '\0' || strlen(argv[1]) > 512) {
        return refuse(err, argv[1], "the key identifier that the CA gave you");
    }
    for (const char *at = argv[1]; *at != '\0'; at++) {
        if (*at <= 0x20 || *at >= 0x7f) {
            return refuse(err, argv[1],
                "the key identifier that the CA gave you");
        }
    }
    return check_path(1, argv + 2, err) && (argc == 3 || check_word(argv[3],
        strcmp, algorithms, 3, "HS256, HS384, HS512", err));
}

/* ---- acme_accept_terms: "On" is as good, as with the servers' own flags */

static bool
check_flag(size_t argc, const char *const *argv, struct acme_error *err)
{
    static const char *const words[] = { "on", "off" };

    (void) argc;
    return check_word(argv[0], strcasecmp, words, 2, "on, off", err);
}

bool
acme_value_flag(const char *argument)
{
    return strcasecmp(argument, "on") == 0;
}

/* ---- acme_contact: a mail address, with or without mailto: */

static bool
check_contact(size_t argc, const char *const *argv, struct acme_error *err)
{
    for (size_t i = 0; i < argc; i++) {
        const char *mail = strncmp(argv[i], "mailto:", 7) == 0 ? argv[i] + 7
                                                              : argv[i];
        const char *at = strchr(mail, '@');
        size_t len = strlen(mail);
        bool ok = at != NULL && at != mail && at[1] != '\0'
            && strchr(at + 1, '@') == NULL && strchr(at, '.') != NULL
            && len <= 254;

        /* "?" would begin mail headers, "," further addresses (RFC 8555 7.3) */
        for (size_t j = 0; ok && j < len; j++) {
            ok = mail[j] > 0x20 && mail[j] < 0x7f
                && strchr(",?#:<>\"\\", mail[j]) == NULL;
        }
        if (!ok) {
            return refuse(err, argv[i], "a mail address such as "
                "admin@example.com, or mailto: and a mail address");
        }
    }
    return true;
}

char *
acme_value_contact(const char *argument)
{
    char *url;

    if (strncmp(argument, "mailto:", 7) == 0) {
        return strdup(argument);
    }
    return asprintf(&url, "mailto:%s", argument) >= 0 ? url : NULL;
}

/* ---- acme_challenge: types, the preferred one first */

static bool
check_challenge(size_t argc, const char *const *argv, struct acme_error *err)
{
    static const char *const words[] = { "http-01", "tls-alpn-01" };

    for (size_t i = 0; i < argc; i++) {
        if (strncmp(argv[i], "dns-", 4) == 0) {
            return refuse(err, argv[i], "http-01, tls-alpn-01: this version "
                "cannot answer challenges by DNS");
        }
        if (!check_word(argv[i], strcmp, words, 2, "http-01, tls-alpn-01",
                err)) {
            return false;
        }
    }
    return argc == 1 || strcmp(argv[0], argv[1]) != 0
        || refuse(err, argv[1], "each type once");
}

/* ---- acme_profile: name [require] */

static bool
check_profile(size_t argc, const char *const *argv, struct acme_error *err)
{
    static const char *const words[] = { "require" };
    size_t len = strlen(argv[0]);
    bool ok = len > 0 && len <= ACME_PROFILE_MAX;

    for (size_t i = 0; ok && i < len; i++) {
        ok = argv[0][i] > 0x20 && argv[0][i] < 0x7f
            && strchr("\"\\,", argv[0][i]) == NULL;
    }
    if (!ok) {
        return refuse(err, argv[0], "the name of a profile, as the CA's "
            "directory lists it");
    }
    return argc == 1 || check_word(argv[1], strcmp, words, 1, "require", err);
}

/* ---- acme_preferred_chain: a common name */

static bool
check_chain(size_t argc, const char *const *argv, struct acme_error *err)
{
    size_t len = strlen(argv[0]);
    bool ok = len > 0 && len <= ACME_CHAIN_ISSUER_MAX;

    (void) argc;
    for (size_t i = 0; ok && i < len; i++) {
        ok = (unsigned char) argv[0][i] >= 0x20 && argv[0][i] != 0x7f;
    }
    return ok || refuse(err, argv[0], "the common name of an issuer, such as "
        "\"ISRG Root X1\"");
}

/* ---- acme_proxy */

enum { PROXY_MAX = 1000 };

/* Behind the scheme: [user[:password]@]host:port[/], nothing else. */
static bool
is_proxy_place(const char *place)
{
    const char *user_end = strrchr(place, '@');
    const char *host = user_end != NULL ? user_end + 1 : place;
    const char *port = host + acme_authority_host(host);
    const char *end = acme_authority_skip_port(port);

    return (user_end == NULL || (user_end > place
            && strcspn(place, "@/?") == (size_t) (user_end - place)))
        && port > host && *port == ':' && end != NULL
        && (*end == '\0' || strcmp(end, "/") == 0);
}

/* The value may hold a password: no message shows it. */
static bool
check_proxy(size_t argc, const char *const *argv, struct acme_error *err)
{
    static const char *const schemes[] = { "http://", "https://",
        "socks5h://" };

    (void) argc;
    if (strcasecmp(argv[0], "off") == 0) {
        return true;
    }
    for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++) {
        size_t len = strlen(schemes[i]);

        if (strncmp(argv[0], schemes[i], len) == 0
            && strlen(argv[0]) <= PROXY_MAX && acme_authority_plain(argv[0])
            && is_proxy_place(argv[0] + len)) {
            return true;
        }
    }
    return acme_fail(err, ACME_MISCONFIG, "invalid value, allowed are off, "
        "http://host:port, https://host:port, socks5h://host:port, each with "
        "user:password@ in front of the host where the proxy wants it, its "
        "special characters as %%XX");
}

const char *
acme_value_proxy(const char *argument)
{
    return strcasecmp(argument, "off") == 0 ? NULL : argument;
}

/* ---- acme_key */

static bool
check_key(size_t argc, const char *const *argv, struct acme_error *err)
{
    static const char *const words[] = { "ecdsa:256", "ecdsa:384",
        "rsa:2048", "rsa:3072", "rsa:4096" };
    enum acme_key_type types[ACME_KEYS_MAX];

    for (size_t i = 0; i < argc; i++) {
        if (!check_word(argv[i], strcmp, words, 5,
                "ecdsa:256, ecdsa:384, rsa:2048, rsa:3072, rsa:4096", err)) {
            return false;
        }
    }
    acme_value_keys(argc, argv, types);
    return argc == 1
        || acme_key_is_rsa(types[0]) != acme_key_is_rsa(types[1])
        || acme_fail(err, ACME_MISCONFIG, "invalid value \"%s\" beside "
            "\"%s\", allowed are one type, or one of ecdsa and one of rsa",
            argv[1], argv[0]);
}

void
acme_value_keys(size_t argc, const char *const *argv,
    enum acme_key_type types[ACME_KEYS_MAX])
{
    types[0] = acme_key_type_of(argv[0]);
    types[1] = argc > 1 ? acme_key_type_of(argv[1]) : ACME_KEY_NONE;
    if (argc > 1 && acme_key_is_rsa(types[0])) {
        enum acme_key_type rsa = types[0];

        types[0] = types[1];
        types[1] = rsa;
    }
}

/* ---- acme_key_policy */

static bool
check_key_policy(size_t argc, const char *const *argv, struct acme_error *err)
{
    static const char *const words[] = { "rotate", "reuse" };

    (void) argc;
    return check_word(argv[0], strcasecmp, words, 2, "rotate, reuse", err);
}

/* ---- acme_renew: auto, a share of the life, or days */

enum { RENEW_PERCENT_MAX = 50, RENEW_DAYS_MAX = 365 };

/* "30%" with the unit '%' -> 30; 0 for what is not of this form. */
static unsigned
read_unit(const char *text, char unit, unsigned max)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long value;

    if (digits == 0 || digits > 3 || text[digits] != unit
        || text[digits + 1] != '\0') {
        return 0;
    }
    value = strtoul(text, NULL, 10);
    return value <= max ? (unsigned) value : 0;
}

void
acme_value_renew(const char *argument, unsigned *percent, unsigned *days)
{
    *percent = read_unit(argument, '%', RENEW_PERCENT_MAX);
    *days = read_unit(argument, 'd', RENEW_DAYS_MAX);
}

static bool
check_renew(size_t argc, const char *const *argv, struct acme_error *err)
{
    static const char *const words[] = { "auto" };
    unsigned percent, days;

    (void) argc;
    acme_value_renew(argv[0], &percent, &days);
    return percent > 0 || days > 0 || check_word(argv[0], strcasecmp, words,
        1, "auto, 1% to 50% of the certificate's life, 1d to 365d", err);
}

/* ---- acme_reload */

/* "10s", "2m", "10" -> seconds, or -1. */
static long
read_seconds(const char *text)
{
    char *end;
    long value;

    if (!isdigit((unsigned char) text[0]) || strlen(text) > 8) {
        return -1;
    }
    value = strtol(text, &end, 10);
    if (strcmp(end, "m") == 0) {
        return value * 60;
    }
    return *end == '\0' || strcmp(end, "s") == 0 ? value : -1;
}

static bool
check_reload(size_t argc, const char *const *argv, struct acme_error *err)
{
    static const char *const words[] = { "graceful", "off" };
    long delay;

    if (!check_word(argv[0], strcasecmp, words, 2,
            "graceful [delay=10s], off", err)) {
        return false;
    }
    if (argc == 1) {
        return true;
    }
    delay = strncmp(argv[1], "delay=", 6) == 0 ? read_seconds(argv[1] + 6)
                                               : -1;
    if (strcasecmp(argv[0], "off") == 0 || delay < 0 || delay > DELAY_MAX_S) {
        return refuse(err, argv[1], "\"graceful delay=\" and a time from 0s "
            "to 10m");
    }
    return true;
}

unsigned
acme_value_delay(size_t argc, const char *const *argv, unsigned otherwise)
{
    return argc == 2 ? (unsigned) read_seconds(argv[1] + 6) : otherwise;
}

/* ---- acme_port_map */

/* "80:5002" -> outside and inside port. */
static bool
read_ports(const char *text, unsigned *outside, unsigned *inside)
{
    char extra;

    return strlen(text) <= 11
        && strspn(text, "0123456789:") == strlen(text)
        && sscanf(text, "%u:%u%c", outside, inside, &extra) == 2
        && (*outside == 80 || *outside == 443) && *inside >= 1
        && *inside <= 65535;
}

static bool
check_port_map(size_t argc, const char *const *argv, struct acme_error *err)
{
    unsigned outside, inside, first = 0;

    for (size_t i = 0; i < argc; i++) {
        if (!read_ports(argv[i], &outside, &inside) || outside == first) {
            return refuse(err, argv[i], "80:port, 443:port, or both, such as "
                "80:8080 443:8443");
        }
        first = outside;
    }
    return true;
}

void
acme_value_ports(size_t argc, const char *const *argv, unsigned *http,
    unsigned *https)
{
    unsigned outside, inside;

    for (size_t i = 0; i < argc; i++) {
        if (read_ports(argv[i], &outside, &inside)) {
            *(outside == 80 ? http : https) = inside;
        }
    }
}

/* ---- acme_user */

static bool
is_user_name(const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char) name[i])
            && strchr("_-.$", name[i]) == NULL) {
            return false;
        }
    }
    return len > 0 && len <= 64;
}

static bool
check_user(size_t argc, const char *const *argv, struct acme_error *err)
{
    (void) argc;
    if (strcmp(argv[0], "root") == 0) {
        return refuse(err, argv[0], "an unprivileged user: the process that "
            "talks to the CA must not be root");
    }
    return is_user_name(argv[0]) || refuse(err, argv[0],
        "the name of a user");
}

/* ---- acme_event: program [user=NAME] */

static bool
check_event(size_t argc, const char *const *argv, struct acme_error *err)
{
    return check_path(1, argv, err) && (argc == 1
        || (strncmp(argv[1], "user=", 5) == 0 && is_user_name(argv[1] + 5))
        || refuse(err, argv[1], "user= and the name of a user"));
}

const char *
acme_value_event_user(size_t argc, const char *const *argv)
{
    return argc == 2 ? argv[1] + 5 : NULL;
}

/* ---- the table */

typedef bool (*checker)(size_t argc, const char *const *argv,
    struct acme_error *err);

static const checker checkers[ACME_DIRECTIVE_COUNT] = {
    [ACME_DIRECTIVE_DOMAIN] = check_domain,
    [ACME_DIRECTIVE_CA] = check_ca,
    [ACME_DIRECTIVE_EAB] = check_eab,
    [ACME_DIRECTIVE_ACCEPT_TERMS] = check_flag,
    [ACME_DIRECTIVE_CONTACT] = check_contact,
    [ACME_DIRECTIVE_CA_CERTIFICATE] = check_path,
    [ACME_DIRECTIVE_CHALLENGE] = check_challenge,
    [ACME_DIRECTIVE_PROFILE] = check_profile,
    [ACME_DIRECTIVE_PREFERRED_CHAIN] = check_chain,
    [ACME_DIRECTIVE_PROXY] = check_proxy,
    [ACME_DIRECTIVE_KEY] = check_key,
    [ACME_DIRECTIVE_KEY_POLICY] = check_key_policy,
    [ACME_DIRECTIVE_RENEW] = check_renew,
    [ACME_DIRECTIVE_RELOAD] = check_reload,
    [ACME_DIRECTIVE_PORT_MAP] = check_port_map,
    [ACME_DIRECTIVE_STATE_PATH] = check_path,
    [ACME_DIRECTIVE_USER] = check_user,
    [ACME_DIRECTIVE_EVENT] = check_event,
    [ACME_DIRECTIVE_HELPER] = check_path,
};

bool
acme_check_arguments(enum acme_directive directive, size_t argc,
    const char *const *argv, struct acme_error *err)
{
    return checkers[directive](argc, argv, err);
}
