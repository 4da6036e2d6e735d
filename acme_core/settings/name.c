/*
 * Names for certificates: LDH host names and IP addresses (RFC 8555 7.1.4,
 * RFC 5890 2.3.1, RFC 6761). Unicode becomes ASCII first; resolves nothing.
 */

#include "settings/name.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "settings/idn.h"

/* Names that no CA, public or private, has business with. */
static const char *const private_suffixes[] = { "localhost", "local",
    "localdomain", "invalid", "onion", "internal", "home.arpa" };

bool
acme_name_is_ip(const char *name)
{
    unsigned char address[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, name, address) == 1
        || inet_pton(AF_INET6, name, address) == 1;
}

/* Ranges of addresses; those of IPv4 as IPv6 maps them. */
struct range {
    const char *first;
    unsigned bits;
};

/* No host has one of these. */
static const struct range unusable_ranges[] = {
    { "::ffff:0.0.0.0", 96 + 8 }, { "::ffff:224.0.0.0", 96 + 3 },
    { "::", 128 }, { "ff00::", 8 }
};

/* Many hosts have one of these, each in a network of its own (RFC 6890). */
static const struct range private_ranges[] = {
    { "::ffff:10.0.0.0", 96 + 8 }, { "::ffff:100.64.0.0", 96 + 10 },
    { "::ffff:127.0.0.0", 96 + 8 }, { "::ffff:169.254.0.0", 96 + 16 },
    { "::ffff:172.16.0.0", 96 + 12 }, { "::ffff:192.168.0.0", 96 + 16 },
    { "::1", 128 }, { "fc00::", 7 }, { "fe80::", 10 }
};

static bool
is_in(const struct range *range, const struct in6_addr *address)
{
    struct in6_addr first;
    unsigned whole = range->bits / 8, rest = range->bits % 8;

    return inet_pton(AF_INET6, range->first, &first) == 1
        && memcmp(&first, address, whole) == 0
        && (rest == 0 || ((first.s6_addr[whole] ^ address->s6_addr[whole])
            >> (8 - rest)) == 0);
}

static bool
is_in_any(const char *ip, const struct range *ranges, size_t count)
{
    char mapped[INET6_ADDRSTRLEN + 8];
    struct in6_addr address;

    snprintf(mapped, sizeof(mapped), "%s%s",
        strchr(ip, ':') != NULL ? "" : "::ffff:", ip);
    for (size_t i = 0; inet_pton(AF_INET6, mapped, &address) == 1
         && i < count; i++) {
        if (is_in(&ranges[i], &address)) {
            return true;
        }
    }
    return false;
}

bool
acme_name_is_private_ip(const char *name)
{
    return is_in_any(name, private_ranges,
        sizeof(private_ranges) / sizeof(*private_ranges));
}

/*
 * An IPv6 address in the one spelling that an order may use (RFC 8738 3):
 * shortened, and without the brackets that Host and nginx's server_name have.
 */
static void
shorten_ip(char lower[ACME_NAME_MAX + 1])
{
    unsigned char address[sizeof(struct in6_addr)];
    size_t len = strlen(lower);
    bool brackets = len > 2 && lower[0] == '[' && lower[len - 1] == ']';
    char bare[INET6_ADDRSTRLEN];

    len -= brackets ? 2 : 0;
    snprintf(bare, sizeof(bare), "%.*s", len < sizeof(bare) ? (int) len : 0,
        lower + brackets);
    if (inet_pton(AF_INET6, bare, address) == 1) {
        inet_ntop(AF_INET6, address, lower, ACME_NAME_MAX + 1);
    }
}

static bool
refuse(struct acme_error *err, const char *name, const char *why)
{
    char shown[128];

    return acme_fail(err, ACME_MISCONFIG,
        "\"%s\" cannot be in a certificate: %s",
        acme_log_escape(shown, sizeof(shown), acme_bytes_of(name)), why);
}

/* What is no name at all, by its first look. */
static const char *
why_no_name(const char *name)
{
    if (name[0] == '\0' || strcmp(name, "_") == 0) {
        return "it is not a name";
    }
    if (name[0] == '~') {
        return "it is a regular expression";
    }
    if (strchr(name, '*') != NULL) {
        return "a wildcard needs the dns-01 challenge, which this version "
            "cannot do; write the names one by one";
    }
    return NULL;
}

static const char *
why_not_ldh(const char *name)
{
    size_t label = 0;

    for (const char *at = name; ; at++) {
        unsigned char c = (unsigned char) *at;

        if (c == '.' || c == '\0') {
            if (label == 0 || at[-1] == '-') {
                return label == 0 ? "it has an empty label"
                                  : "a label ends with a hyphen";
            }
            if (c == '\0') {
                return NULL;
            }
            label = 0;
        } else if (!isalnum(c) && c != '-') {
            return "only letters, digits, hyphens and dots are allowed";
        } else if (c == '-' && label == 0) {
            return "a label begins with a hyphen";
        } else if (++label > 63) {
            return "a label is longer than 63 bytes";
        }
    }
}

static const char *
why_not_certified(const char *lower)
{
    const char *last = strrchr(lower, '.');
    size_t len = strlen(lower);

    for (size_t i = 0; i < sizeof(private_suffixes)
            / sizeof(*private_suffixes); i++) {
        size_t suffix = strlen(private_suffixes[i]);

        if (len >= suffix
            && strcmp(lower + len - suffix, private_suffixes[i]) == 0
            && (len == suffix || lower[len - suffix - 1] == '.')) {
            return "it is for private use, and no CA can check it";
        }
    }
    if (last == NULL) {
        return "it has no dot: write the full name";
    }
    return last[1 + strspn(last + 1, "0123456789")] == '\0'
        ? "it is neither a host name nor an IP address" : NULL;
}

static bool
check_ascii(const char *name, char lower[ACME_NAME_MAX + 1],
    struct acme_error *err)
{
    const char *why = why_no_name(name);
    size_t len = strlen(name);

    if (why == NULL && name[0] == '.') {
        char shown[128];

        return acme_fail(err, ACME_MISCONFIG, "\"%s\" stands for many names, "
            "which needs the dns-01 challenge, which this version cannot do; "
            "write \"acme_domain %s\" for the one",
            acme_log_escape(shown, sizeof(shown), acme_bytes_of(name)),
            shown + 1);
    }
    if (why != NULL) {
        return refuse(err, name, why);
    }
    if (len > 1 && name[len - 1] == '.') {
        len--;
    }
    if (len > ACME_NAME_MAX) {
        return refuse(err, name, "it is longer than 253 bytes");
    }
    for (size_t i = 0; i < len; i++) {
        lower[i] = (char) tolower((unsigned char) name[i]);
    }
    lower[len] = '\0';
    shorten_ip(lower);
    if (acme_name_is_ip(lower)) {
        return !is_in_any(lower, unusable_ranges,
                sizeof(unusable_ranges) / sizeof(*unusable_ranges))
            || refuse(err, name, "it is the address of no host");
    }
    why = why_not_ldh(lower);
    if (why == NULL) {
        why = why_not_certified(lower);
    }
    return why == NULL || refuse(err, name, why);
}

bool
acme_name_check(const char *name, char lower[ACME_NAME_MAX + 1],
    struct acme_error *err)
{
    char ascii[ACME_NAME_MAX + 2], shown[128];
    const char *why;

    if (name[0] == '~' || !acme_idn_is(name)) {
        return check_ascii(name, lower, err);
    }
    if (!acme_idn_to_ascii(name, ascii, &why)) {
        return refuse(err, name, why);
    }
    return check_ascii(ascii, lower, err) || acme_while(err, "\"%s\"",
        acme_log_escape(shown, sizeof(shown), acme_bytes_of(name)));
}
