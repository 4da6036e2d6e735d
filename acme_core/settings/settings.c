/*
 * From scopes to the model: which certificates from which CAs. Reads no file
 * but in acme_settings_check, and writes none.
 */

#include "settings/settings.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "settings/ca.h"
#include "settings/check.h"
#include "settings/idn.h"
#include "settings/name.h"
#include "settings/program.h"
#include "settings/scope.h"

#define DEFAULT_STATE_PATH "/var/lib/acme"
#define DEFAULT_CA "letsencrypt"

enum { DEFAULT_DELAY_S = 10 };

/* The first argument of a directive, or what stands in for it. */
static const char *
text_of(const struct acme_scope *server, const struct acme_scope *global,
    enum acme_directive directive, const char *otherwise)
{
    const struct acme_scope_value *value = acme_scope_value(server, global,
        directive);

    return value != NULL ? value->argv[0] : otherwise;
}

/* ---- new and free */

static bool
set_contacts(struct acme_settings *settings, const struct acme_scope *global)
{
    const struct acme_scope_value *value = acme_scope_value(NULL, global,
        ACME_DIRECTIVE_CONTACT);

    if (value == NULL) {
        return true;
    }
    settings->contacts = calloc(value->argc, sizeof(*settings->contacts));
    if (settings->contacts == NULL) {
        return false;
    }
    for (size_t i = 0; i < value->argc; i++) {
        settings->contacts[i] = acme_value_contact(value->argv[i]);
        if (settings->contacts[i] == NULL) {
            return false;
        }
        settings->contact_count++;
    }
    return true;
}

static bool
set_proxy(struct acme_settings *settings, const struct acme_scope *global)
{
    const char *proxy = acme_value_proxy(text_of(NULL, global,
        ACME_DIRECTIVE_PROXY, "off"));

    settings->proxy = proxy != NULL ? strdup(proxy) : NULL;
    return proxy == NULL || settings->proxy != NULL;
}

static bool
set_event(struct acme_settings *settings, const struct acme_scope *global)
{
    const struct acme_scope_value *value = acme_scope_value(NULL, global,
        ACME_DIRECTIVE_EVENT);
    const char *user;

    if (value == NULL) {
        return true;
    }
    user = acme_value_event_user(value->argc,
        (const char *const *) value->argv);
    settings->event = strdup(value->argv[0]);
    settings->event_user = strdup(user != NULL ? user : settings->user);
    return settings->event != NULL && settings->event_user != NULL;
}

static void
set_numbers(struct acme_settings *settings, const struct acme_scope *global)
{
    const struct acme_scope_value *value;

    settings->accept_terms = acme_value_flag(text_of(NULL, global,
        ACME_DIRECTIVE_ACCEPT_TERMS, "off"));
    settings->reload = strcasecmp(text_of(NULL, global, ACME_DIRECTIVE_RELOAD,
        "graceful"), "off") != 0;
    settings->reload_delay_s = DEFAULT_DELAY_S;
    value = acme_scope_value(NULL, global, ACME_DIRECTIVE_RELOAD);
    if (value != NULL) {
        settings->reload_delay_s = acme_value_delay(value->argc,
            (const char *const *) value->argv, DEFAULT_DELAY_S);
    }
    settings->port_http = 80;
    settings->port_https = 443;
    settings->listens_http = settings->listens_https = true;
    value = acme_scope_value(NULL, global, ACME_DIRECTIVE_PORT_MAP);
    if (value != NULL) {
        acme_value_ports(value->argc, (const char *const *) value->argv,
            &settings->port_http, &settings->port_https);
    }
}

void
acme_settings_set_listeners(struct acme_settings *settings, bool http,
    bool https, acme_settings_warn warn, void *warn_ctx)
{
    char text[256];

    settings->listens_http = http;
    settings->listens_https = https;
    if (!http && !https) {
        snprintf(text, sizeof(text), "no server listens on port %u, or on %u "
            "with TLS (another port that gets their traffic belongs into "
            "acme_port_map): no CA can validate the names of acme_domain",
            settings->port_http, settings->port_https);
        warn(warn_ctx, text);
    }
}

bool
acme_settings_listens(const struct acme_settings *settings,
    enum acme_challenge_type type)
{
    return type == ACME_HTTP_01 ? settings->listens_http
        : type != ACME_TLS_ALPN_01 || settings->listens_https;
}

/*
 * acme_user, or the first of these that exists. Never the user of the
 * server's workers: agent and worker could look into each other.
 */
static const char *
choose_user(const struct acme_scope *global, const char *server_user,
    struct acme_error *err)
{
    static const char *const users[] = { "_acme", "nobody", "daemon" };
    const struct acme_scope_value *value = acme_scope_value(NULL, global,
        ACME_DIRECTIVE_USER);

    if (value != NULL && geteuid() == 0
        && strcmp(value->argv[0], server_user) == 0) {
        acme_fail(err, ACME_MISCONFIG, "acme_user \"%s\" is the user of the "
            "server's own workers: name another one, in %s", server_user,
            value->where);
        return NULL;
    }
    if (value != NULL) {
        return value->argv[0];
    }
    for (size_t i = 0; i < sizeof(users) / sizeof(*users); i++) {
        if (strcmp(users[i], server_user) != 0
            && getpwnam(users[i]) != NULL) {
            return users[i];
        }
    }
    return users[0];  /* acme_settings_check says that it is missing */
}

struct acme_settings *
acme_settings_new(const struct acme_scope *global, const char *default_helper,
    const char *server_user, struct acme_error *err)
{
    const char *user = choose_user(global, server_user, err);
    struct acme_settings *settings;

    if (user == NULL) {
        return NULL;
    }
    settings = calloc(1, sizeof(*settings));
    if (settings == NULL) {
        acme_fail_memory(err);
        return NULL;
    }
    set_numbers(settings, global);
    settings->state_path = strdup(text_of(NULL, global,
        ACME_DIRECTIVE_STATE_PATH, DEFAULT_STATE_PATH));
    settings->helper = strdup(text_of(NULL, global, ACME_DIRECTIVE_HELPER,
        default_helper));
    settings->user = strdup(user);
    if (settings->state_path == NULL || settings->helper == NULL
        || settings->user == NULL || !set_contacts(settings, global)
        || !set_proxy(settings, global) || !set_event(settings, global)) {
        acme_settings_free(settings);
        acme_fail_memory(err);
        return NULL;
    }
    return settings;
}

static void
free_texts(char **texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(texts[i]);
    }
    free(texts);
}

static void
free_cert(struct acme_settings_cert *cert)
{
    free_texts(cert->names, cert->name_count);
    free(cert->folder);
    free(cert->where);
    free(cert->profile);
    free(cert->chain);
    free(cert->listener.name);
    free(cert->listener.address);
    for (size_t i = 0; i < cert->fallback_count; i++) {
        free(cert->fallbacks[i].profile);
        free(cert->fallbacks[i].chain);
    }
    free(cert->fallbacks);
}

void
acme_settings_free(struct acme_settings *settings)
{
    if (settings == NULL) {
        return;
    }
    for (size_t i = 0; i < settings->ca_count; i++) {
        free(settings->cas[i].name);
        free(settings->cas[i].url);
        free(settings->cas[i].trust_file);
        free(settings->cas[i].eab_kid);
        free(settings->cas[i].eab_file);
    }
    for (size_t i = 0; i < settings->cert_count; i++) {
        free_cert(&settings->certs[i]);
    }
    free_texts(settings->contacts, settings->contact_count);
    free(settings->cas);
    free(settings->certs);
    free(settings->state_path);
    free(settings->user);
    free(settings->event);
    free(settings->event_user);
    free(settings->helper);
    free(settings->proxy);
    free(settings->server);
    free(settings->log_path);
    free(settings);
}

/* ---- CAs */

static bool
append_ca(struct acme_settings *settings, const char *argument,
    const char *url, const char *trust_file, struct acme_error *err)
{
    struct acme_settings_ca *cas, *ca;
    char name[256];

    if (!acme_ca_name(argument, name, sizeof(name))) {
        return acme_fail(err, ACME_MISCONFIG, "acme_ca: the host is too long");
    }
    cas = reallocarray(settings->cas, settings->ca_count + 1, sizeof(*cas));
    if (cas == NULL) {
        return acme_fail_memory(err);
    }
    settings->cas = cas;
    ca = &cas[settings->ca_count++];
    memset(ca, 0, sizeof(*ca));
    ca->name = strdup(name);
    ca->url = strdup(url);
    ca->trust_file = trust_file != NULL ? strdup(trust_file) : NULL;
    return (ca->name != NULL && ca->url != NULL
        && (trust_file == NULL || ca->trust_file != NULL))
        || acme_fail_memory(err);
}

/* The acme_eab of this CA, the last one where there are several. */
static bool
set_eab(struct acme_settings_ca *ca, const struct acme_scope *global)
{
    const struct acme_scope_value *value = acme_scope_value(NULL, global,
        ACME_DIRECTIVE_EAB);
    const struct acme_scope_value *mine = NULL;
    struct acme_error ignored;

    for (; value != NULL; value = value->next) {
        if (strcmp(acme_ca_url(value->argv[0], &ignored), ca->url) == 0) {
            mine = value;
        }
    }
    if (mine == NULL) {
        return true;
    }
    ca->eab_kid = strdup(mine->argv[1]);
    ca->eab_file = strdup(mine->argv[2]);
    ca->eab_algorithm = mine->argc == 4 ? acme_hmac_of(mine->argv[3])
        : ACME_HS256;
    return ca->eab_kid != NULL && ca->eab_file != NULL;
}

/* What a directive of scope PER_CA says for this CA, or NULL. */
static const char *
text_for(const struct acme_scope *server, const struct acme_scope *global,
    enum acme_directive directive, const char *url)
{
    const struct acme_scope_value *value = acme_scope_value_for(server,
        global, directive, url);

    return value != NULL ? value->argv[0] : NULL;
}

static size_t
find_url(const struct acme_settings *settings, const char *url)
{
    size_t at = 0;

    while (at < settings->ca_count
        && strcmp(settings->cas[at].url, url) != 0) {
        at++;
    }
    return at;
}

/*
 * The staging directory of a CA. It is among the CAs when nobody names it,
 * but does not vie with one that somebody does. A binding is for one
 * directory: there is no staging where one is needed.
 */
static bool
set_staging(struct acme_settings *settings, size_t index,
    const struct acme_scope *global, const struct acme_scope *server,
    struct acme_error *err)
{
    const char *name = acme_ca_staging(settings->cas[index].url);
    const char *url = name != NULL ? acme_ca_url(name, err) : NULL;
    size_t at;

    if (url == NULL || settings->cas[index].eab_kid != NULL) {
        return true;
    }
    at = find_url(settings, url);
    if (at == settings->ca_count) {
        if (!append_ca(settings, name, url, text_for(server, global,
                ACME_DIRECTIVE_CA_CERTIFICATE, url), err)) {
            return false;
        }
        settings->cas[at].implied = true;
    }
    settings->cas[index].staging = at + 1;
    return true;
}

/* It was only some other one's staging directory so far. */
static bool
take_implied(struct acme_settings_ca *ca, const struct acme_scope *global,
    const char *trust_file, struct acme_error *err)
{
    ca->implied = false;
    free(ca->trust_file);
    ca->trust_file = trust_file != NULL ? strdup(trust_file) : NULL;
    return ((trust_file == NULL || ca->trust_file != NULL)
        && set_eab(ca, global)) || acme_fail_memory(err);
}

/* One account a directory: two trust files for the same URL are a mistake. */
static bool
find_ca(struct acme_settings *settings, const struct acme_scope *global,
    const struct acme_scope *server, const char *argument, size_t *index,
    struct acme_error *err)
{
    const char *url = acme_ca_url(argument, err);
    const char *trust_file;

    if (url == NULL) {
        return acme_while(err, "acme_ca");
    }
    trust_file = text_for(server, global, ACME_DIRECTIVE_CA_CERTIFICATE, url);
    *index = find_url(settings, url);
    if (*index == settings->ca_count) {
        return append_ca(settings, argument, url, trust_file, err)
            && (set_eab(&settings->cas[*index], global)
                || acme_fail_memory(err))
            && set_staging(settings, *index, global, server, err);
    }
    if (settings->cas[*index].implied) {
        return take_implied(&settings->cas[*index], global, trust_file, err);
    }
    return acme_same_text(settings->cas[*index].trust_file, trust_file)
        || acme_fail(err, ACME_MISCONFIG, "acme_ca_certificate differs from "
            "that of another server with acme_ca %s", argument);
}

/* ---- the CAs of a certificate */

size_t
acme_settings_choice_count(const struct acme_settings_cert *cert)
{
    return 1 + cert->fallback_count;
}

struct acme_settings_choice
acme_settings_choice(const struct acme_settings_cert *cert, size_t number)
{
    return number > 0 ? cert->fallbacks[number - 1]
        : (struct acme_settings_choice) { cert->ca, cert->profile,
            cert->profile_required, cert->chain };
}

bool
acme_settings_share_ca(const struct acme_settings_cert *a,
    const struct acme_settings_cert *b)
{
    for (size_t i = 0; i < acme_settings_choice_count(a); i++) {
        for (size_t k = 0; k < acme_settings_choice_count(b); k++) {
            if (acme_settings_choice(a, i).ca
                == acme_settings_choice(b, k).ca) {
                return true;
            }
        }
    }
    return false;
}

/* How it is ordered at this CA. */
static bool
set_choice(struct acme_settings_choice *choice,
    const struct acme_scope *global, const struct acme_scope *server,
    const char *url)
{
    const struct acme_scope_value *profile = acme_scope_value_for(server,
        global, ACME_DIRECTIVE_PROFILE, url);
    const char *chain = text_for(server, global,
        ACME_DIRECTIVE_PREFERRED_CHAIN, url);

    choice->profile_required = profile != NULL && profile->argc == 2;
    choice->profile = profile != NULL ? strdup(profile->argv[0]) : NULL;
    choice->chain = chain != NULL ? strdup(chain) : NULL;
    return (profile == NULL || choice->profile != NULL)
        && (chain == NULL || choice->chain != NULL);
}

/* The next CA of the list: the first, or one more fallback. */
static bool
add_choice(struct acme_settings *settings, struct acme_settings_cert *cert,
    size_t number, const struct acme_scope *global,
    const struct acme_scope *server, const char *argument,
    struct acme_error *err)
{
    struct acme_settings_choice choice = { 0 };
    bool ok;

    if (!find_ca(settings, global, server, argument, &choice.ca, err)) {
        return false;
    }
    ok = set_choice(&choice, global, server, settings->cas[choice.ca].url);
    if (number > 0) {
        cert->fallbacks[cert->fallback_count++] = choice;
    } else {
        cert->ca = choice.ca;
        cert->profile = choice.profile;
        cert->profile_required = choice.profile_required;
        cert->chain = choice.chain;
    }
    return ok || acme_fail_memory(err);
}

static bool
has_choice(const struct acme_settings *settings,
    const struct acme_settings_cert *cert, const char *url)
{
    for (size_t i = 0; i < acme_settings_choice_count(cert); i++) {
        const struct acme_settings_ca *ca
            = &settings->cas[acme_settings_choice(cert, i).ca];

        if (strcmp(ca->url, url) == 0 || (ca->staging > 0
                && strcmp(settings->cas[ca->staging - 1].url, url) == 0)) {
            return true;
        }
    }
    return false;
}

/* A for= that this very server gives is of one of its CAs. */
static bool
check_for(const struct acme_settings *settings,
    const struct acme_settings_cert *cert, const struct acme_scope *server,
    enum acme_directive directive, struct acme_error *err)
{
    const struct acme_scope_value *value = acme_scope_value(server, NULL,
        directive);
    char allowed[512] = "";
    struct acme_error ignored;

    for (; value != NULL; value = value->next) {
        if (value->for_ca == NULL || has_choice(settings, cert,
                acme_ca_url(value->for_ca, &ignored))) {
            continue;
        }
        for (size_t i = 0; i < acme_settings_choice_count(cert); i++) {
            size_t len = strlen(allowed);

            snprintf(allowed + len, sizeof(allowed) - len, "%s%s",
                i > 0 ? ", " : "",
                settings->cas[acme_settings_choice(cert, i).ca].name);
        }
        return acme_fail(err, ACME_MISCONFIG, "%s: for=%.200s is none of "
            "acme_ca of this server, allowed are %s, in %s",
            acme_directive_infos[directive].name, value->for_ca, allowed,
            value->where);
    }
    return true;
}

static bool
set_choices(struct acme_settings *settings, struct acme_settings_cert *cert,
    const struct acme_scope *global, const struct acme_scope *server,
    struct acme_error *err)
{
    static const char *const otherwise[] = { DEFAULT_CA };
    const struct acme_scope_value *value = acme_scope_value(server, global,
        ACME_DIRECTIVE_CA);
    const char *const *names = value == NULL ? otherwise
        : (const char *const *) value->argv;
    size_t count = value == NULL ? 1 : value->argc;

    cert->fallbacks = calloc(count, sizeof(*cert->fallbacks));
    if (cert->fallbacks == NULL) {
        return acme_fail_memory(err);
    }
    for (size_t i = 0; i < count; i++) {
        if (!add_choice(settings, cert, i, global, server, names[i], err)) {
            return false;
        }
    }
    return server == global || (
        check_for(settings, cert, server, ACME_DIRECTIVE_PROFILE, err)
        && check_for(settings, cert, server, ACME_DIRECTIVE_PREFERRED_CHAIN,
            err)
        && check_for(settings, cert, server, ACME_DIRECTIVE_CA_CERTIFICATE,
            err));
}

/* ---- names */

bool
acme_settings_has_name(const struct acme_settings_cert *cert, const char *name)
{
    for (size_t i = 0; i < cert->name_count; i++) {
        if (strcmp(cert->names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool
add_name(struct acme_settings_cert *cert, const char *lower,
    struct acme_error *err)
{
    if (acme_settings_has_name(cert, lower)) {
        return true;
    }
    if (cert->name_count == ACME_NAMES_MAX) {
        return acme_fail(err, ACME_MISCONFIG, "more than %d names in one "
            "certificate: split them into several servers", ACME_NAMES_MAX);
    }
    cert->names[cert->name_count] = strdup(lower);
    if (cert->names[cert->name_count] == NULL) {
        return acme_fail_memory(err);
    }
    cert->name_count++;
    return true;
}

/* The names of the server, those that cannot be certified left out. */
static bool
add_server_names(struct acme_settings_cert *cert, const char *const *names,
    size_t name_count, acme_settings_warn warn, void *warn_ctx,
    struct acme_error *err)
{
    char lower[ACME_NAME_MAX + 1];

    for (size_t i = 0; i < name_count; i++) {
        struct acme_error why;

        if (!acme_name_check(names[i], lower, &why)) {
            /* an empty name is what a server without names has */
            if (names[i][0] != '\0' || name_count > 1) {
                acme_while(&why, "acme_domain leaves out a name of the "
                    "server");
                warn(warn_ctx, why.text);
            }
            continue;
        }
        if (!add_name(cert, lower, err)) {
            return false;
        }
    }
    return true;
}

/* Is this ASCII form itself among the names of the server? */
static bool
server_has(const char *const *names, size_t name_count, const char *ascii)
{
    char lower[ACME_NAME_MAX + 1];
    struct acme_error ignored;

    for (size_t i = 0; i < name_count; i++) {
        if (!acme_idn_is(names[i])
            && acme_name_check(names[i], lower, &ignored)
            && strcmp(lower, ascii) == 0) {
            return true;
        }
    }
    return false;
}

/*
 * Clients send the ASCII form, in SNI and Host: a server that knows only the
 * other one is never chosen by it. What passed the check has no control
 * bytes.
 */
static void
warn_of_unicode(const char *const *names, size_t name_count,
    acme_settings_warn warn, void *warn_ctx)
{
    char lower[ACME_NAME_MAX + 1], text[768];
    struct acme_error ignored;

    for (size_t i = 0; i < name_count; i++) {
        if (acme_idn_is(names[i])
            && acme_name_check(names[i], lower, &ignored)
            && !server_has(names, name_count, lower)) {
            snprintf(text, sizeof(text), "clients ask for \"%.300s\" as %s: "
                "write that, too, among the names of the server that has "
                "acme_domain", names[i], lower);
            warn(warn_ctx, text);
        }
    }
}

static bool
add_argument_names(struct acme_settings_cert *cert,
    const struct acme_scope_value *value, struct acme_error *err)
{
    char lower[ACME_NAME_MAX + 1];

    for (size_t i = 0; i < value->argc; i++) {
        if (!acme_name_check(value->argv[i], lower, err)
            || !add_name(cert, lower, err)) {
            return false;
        }
    }
    return true;
}

/*
 * An address of a private network is nothing to a public CA, which would
 * refuse the whole order: left out with a warning, or an error where there is
 * no `warn`, because acme_domain names it.
 */
static bool
leave_out_private(struct acme_settings_cert *cert,
    const struct acme_settings_ca *ca, acme_settings_warn warn,
    void *warn_ctx, struct acme_error *err)
{
    size_t count = acme_ca_is_public(ca->url) ? cert->name_count : 0;
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (!acme_name_is_private_ip(cert->names[i])) {
            cert->names[kept++] = cert->names[i];
            continue;
        }
        acme_fail(err, ACME_MISCONFIG, "\"%s\" cannot be in a certificate of "
            "%s: it is for private networks, and no public CA can check it",
            cert->names[i], ca->name);
        if (warn == NULL) {
            return false;
        }
        acme_while(err, "acme_domain leaves out a name of the server");
        warn(warn_ctx, err->text);
        free(cert->names[i]);
    }
    cert->name_count = count > 0 ? kept : cert->name_count;
    return cert->name_count > 0 || acme_fail(err, ACME_MISCONFIG,
        "acme_domain finds no name for the certificate: give the server a "
        "name, or write the names behind acme_domain");
}

/* ---- certificates */

size_t
acme_settings_key_count(const struct acme_settings_cert *cert)
{
    return cert->key_types[1] == ACME_KEY_NONE ? 1 : 2;
}

bool
acme_settings_same_names(const struct acme_settings_cert *a,
    const struct acme_settings_cert *b)
{
    if (a->name_count != b->name_count) {
        return false;
    }
    for (size_t i = 0; i < a->name_count; i++) {
        if (!acme_settings_has_name(a, b->names[i])) {
            return false;
        }
    }
    return true;
}

static bool
same_cert(const struct acme_settings_cert *a,
    const struct acme_settings_cert *b)
{
    return a->ca == b->ca
        && memcmp(a->key_types, b->key_types, sizeof(a->key_types)) == 0
        && acme_settings_same_names(a, b);
}

/* How the certificate is ordered, wherever that is. */
static void
set_manner(struct acme_settings_cert *cert, const struct acme_scope *global,
    const struct acme_scope *server)
{
    const struct acme_scope_value *value = acme_scope_value(server, global,
        ACME_DIRECTIVE_CHALLENGE);

    cert->challenges[cert->challenge_count++] = ACME_HTTP_01;
    cert->challenges[cert->challenge_count++] = ACME_TLS_ALPN_01;
    if (value != NULL) {
        cert->challenge_count = value->argc;
        for (size_t i = 0; i < value->argc; i++) {
            cert->challenges[i] = acme_challenge_type_of(value->argv[i]);
        }
    }
    acme_value_renew(text_of(server, global, ACME_DIRECTIVE_RENEW, "auto"),
        &cert->renew_percent, &cert->renew_days);
}

/* Which of two certificates of the same first CA is ordered otherwise? */
static const char *
differing_choice(const struct acme_settings_cert *a,
    const struct acme_settings_cert *b)
{
    if (a->fallback_count != b->fallback_count) {
        return "acme_ca";
    }
    for (size_t i = 0; i < acme_settings_choice_count(a); i++) {
        struct acme_settings_choice one = acme_settings_choice(a, i);
        struct acme_settings_choice other = acme_settings_choice(b, i);

        if (one.ca != other.ca) {
            return "acme_ca";
        }
        if (!acme_same_text(one.profile, other.profile)
            || one.profile_required != other.profile_required) {
            return "acme_profile";
        }
        if (!acme_same_text(one.chain, other.chain)) {
            return "acme_preferred_chain";
        }
    }
    return NULL;
}

/* Servers that share a certificate must agree on how it is ordered. */
static bool
check_manner(const struct acme_settings_cert *a,
    const struct acme_settings_cert *b, struct acme_error *err)
{
    const char *what = differing_choice(a, b);

    if (a->challenge_count != b->challenge_count
        || a->challenges[0] != b->challenges[0]) {
        what = "acme_challenge";
    } else if (a->reuse_key != b->reuse_key) {
        what = "acme_key_policy";
    } else if (a->renew_percent != b->renew_percent
        || a->renew_days != b->renew_days) {
        what = "acme_renew";
    }
    return what == NULL || acme_fail(err, ACME_MISCONFIG, "%s differs from "
        "that of another server with the same certificate, in %s", what,
        a->where);
}

/* Take the certificate over, or find the one that is the same. */
static bool
place_cert(struct acme_settings *settings, struct acme_settings_cert *cert,
    size_t *cert_out, struct acme_error *err)
{
    struct acme_settings_cert *certs;

    for (size_t i = 0; i < settings->cert_count; i++) {
        if (same_cert(&settings->certs[i], cert)) {
            bool ok = check_manner(&settings->certs[i], cert, err);

            *cert_out = i;
            free_cert(cert);
            return ok;
        }
    }
    certs = reallocarray(settings->certs, settings->cert_count + 1,
        sizeof(*certs));
    if (certs == NULL) {
        free_cert(cert);
        return acme_fail_memory(err);
    }
    settings->certs = certs;
    *cert_out = settings->cert_count;
    certs[settings->cert_count++] = *cert;
    return true;
}

static void
set_keys(struct acme_settings_cert *cert, const struct acme_scope *global,
    const struct acme_scope *server)
{
    const struct acme_scope_value *value = acme_scope_value(server, global,
        ACME_DIRECTIVE_KEY);

    cert->key_types[0] = ACME_KEY_ECDSA_256;
    if (value != NULL) {
        acme_value_keys(value->argc, (const char *const *) value->argv,
            cert->key_types);
    }
    cert->reuse_key = strcasecmp(text_of(server, global,
        ACME_DIRECTIVE_KEY_POLICY, "rotate"), "reuse") == 0;
}

bool
acme_settings_add_server(struct acme_settings *settings,
    const struct acme_scope *global, const struct acme_scope *server,
    const char *const *names, size_t name_count, acme_settings_warn warn,
    void *warn_ctx, size_t *cert_out, struct acme_error *err)
{
    const struct acme_scope_value *domain = acme_scope_value(server, NULL,
        ACME_DIRECTIVE_DOMAIN);
    struct acme_settings_cert cert = { 0 };
    bool given = domain->argc > 0;
    bool ok;

    set_keys(&cert, global, server);
    set_manner(&cert, global, server);
    cert.names = calloc(ACME_NAMES_MAX, sizeof(*cert.names));
    cert.where = strdup(domain->where);
    if (cert.names == NULL || cert.where == NULL) {
        free_cert(&cert);
        return acme_fail_memory(err);
    }
    warn_of_unicode(names, name_count, warn, warn_ctx);
    ok = given ? add_argument_names(&cert, domain, err)
        : add_server_names(&cert, names, name_count, warn, warn_ctx, err);
    ok = ok && set_choices(settings, &cert, global, server, err)
        && leave_out_private(&cert, &settings->cas[cert.ca],
            given ? NULL : warn, warn_ctx, err);
    if (!ok) {
        free_cert(&cert);
        return false;
    }
    return place_cert(settings, &cert, cert_out, err);
}

/* ---- the check of the whole */

static bool
check_terms(const struct acme_settings *settings, struct acme_error *err)
{
    return settings->accept_terms || acme_fail(err, ACME_MISCONFIG,
        "acme_domain needs \"acme_accept_terms on;\" at the top level: by "
        "that line you agree to the terms of service of the CA (%s), which "
        "its directory %s links to", settings->cas[0].name,
        settings->cas[0].url);
}

static bool
check_helper(const struct acme_settings *settings, struct acme_error *err)
{
    struct stat info;

    if (stat(settings->helper, &info) != 0) {
        return acme_fail_sys(err, "acme_helper \"%s\"", settings->helper);
    }
    if (!S_ISREG(info.st_mode) || access(settings->helper, X_OK) != 0) {
        return acme_fail(err, ACME_MISCONFIG,
            "acme_helper \"%s\" is not an executable file", settings->helper);
    }
    return true;
}

static bool
check_user(const struct acme_settings *settings, struct acme_error *err)
{
    const struct passwd *entry;

    if (geteuid() != 0) {
        return true;
    }
    entry = getpwnam(settings->user);
    if (entry == NULL) {
        return acme_fail(err, ACME_MISCONFIG, "acme_user: there is no user "
            "\"%s\" on this machine", settings->user);
    }
    return entry->pw_uid != 0 || acme_fail(err, ACME_MISCONFIG,
        "acme_user: \"%s\" is root; name an unprivileged user",
        settings->user);
}

static bool
check_event(const struct acme_settings *settings, struct acme_error *err)
{
    return settings->event == NULL
        || acme_program_check(settings->event, settings->event_user, err)
        || acme_while(err, "acme_event");
}

static bool
check_trust_file(const char *path, struct acme_error *err)
{
    char text[64 * 1024];
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ssize_t len;

    if (fd < 0) {
        return acme_fail_sys(err, "acme_ca_certificate \"%s\"", path);
    }
    len = read(fd, text, sizeof(text) - 1);
    if (len < 0) {
        acme_fail_sys(err, "acme_ca_certificate \"%s\"", path);
        close(fd);
        return false;
    }
    close(fd);
    text[len] = '\0';
    /* with or without TRUSTED in front, but neither a request nor a key */
    return strstr(text, "CERTIFICATE-----") != NULL || acme_fail(err,
        ACME_MISCONFIG, "acme_ca_certificate \"%s\" holds no certificate in "
        "PEM form", path);
}

bool
acme_settings_check(const struct acme_settings *settings,
    struct acme_error *err)
{
    if (settings->cert_count == 0) {
        return true;
    }
    if (!check_terms(settings, err) || !check_helper(settings, err)
        || !check_user(settings, err) || !check_event(settings, err)) {
        return false;
    }
    for (size_t i = 0; i < settings->ca_count; i++) {
        const char *path = settings->cas[i].trust_file;

        if (path != NULL && !check_trust_file(path, err)) {
            return false;
        }
    }
    return true;
}
