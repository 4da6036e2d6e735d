/*
 * Where a CA may send us: absolute https URLs, compared by origin
 * (RFC 8555 6.1, RFC 6454 4). Resolves no names.
 */

#include "protocol/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "protocol/request.h"

#define SCHEME "https://"

/* The URL as it may stand in a log line. */
static const char *
shown(const char *url, char out[200])
{
    return acme_log_escape(out, 200, acme_bytes_of(url));
}

static bool
has_only_url_bytes(const char *url)
{
    for (const char *at = url; *at != '\0'; at++) {
        unsigned char c = (unsigned char) *at;

        if (c <= 0x20 || c >= 0x7f || strchr("\"<>\\^`{|}#", c) != NULL) {
            return false;
        }
    }
    return true;
}

/* The host, in brackets or of name characters; its length, 0 = malformed. */
static size_t
host_length(const char *host)
{
    size_t len;

    if (*host == '[') {
        len = strspn(host + 1, "0123456789abcdefABCDEF:.");
        return len > 1 && host[len + 1] == ']' ? len + 2 : 0;
    }
    for (len = 0; isalnum((unsigned char) host[len]) || host[len] == '-'
         || host[len] == '.' || host[len] == '_'; len++) {
    }
    return len <= 253 ? len : 0;
}

/*
 * An address in brackets as RFC 5952 spells it, since libcurl and the CA may
 * spell it otherwise than the operator; any other host as it is.
 */
static bool
write_host(const char *host, size_t len, char out[256])
{
    unsigned char address[sizeof(struct in6_addr)];
    char text[INET6_ADDRSTRLEN];

    if (host[0] != '[') {
        snprintf(out, 256, "%.*s", (int) len, host);
        return true;
    }
    if (len - 2 >= sizeof(text)) {
        return false;
    }
    snprintf(text, sizeof(text), "%.*s", (int) len - 2, host + 1);
    if (inet_pton(AF_INET6, text, address) != 1) {
        return false;
    }
    inet_ntop(AF_INET6, address, text, sizeof(text));
    snprintf(out, 256, "[%s]", text);
    return true;
}

/* ":port" or nothing, up to the path; false for anything else. */
static bool
read_port(const char *at, unsigned *port)
{
    *port = 443;
    if (*at == ':') {
        *port = 0;
        for (at++; isdigit((unsigned char) *at) && *port < 100000; at++) {
            *port = *port * 10 + (unsigned) (*at - '0');
        }
        if (*port == 0 || *port > 65535) {
            return false;
        }
    }
    return *at == '\0' || *at == '/' || *at == '?';
}

bool
acme_url_origin(const char *url, char *origin, size_t size,
    struct acme_error *err)
{
    const char *host = url + strlen(SCHEME);
    char text[200], name[256];
    unsigned port;
    size_t len;
    int written;

    if (strlen(url) > ACME_URL_MAX || !has_only_url_bytes(url)) {
        return acme_fail(err, ACME_PEER_BROKE, "malformed URL \"%s\"",
            shown(url, text));
    }
    if (strncasecmp(url, SCHEME, strlen(SCHEME)) != 0) {
        return acme_fail(err, ACME_PEER_BROKE, "\"%s\" is no https URL",
            shown(url, text));
    }
    len = host_length(host);
    if (len == 0 || !read_port(host + len, &port)
        || !write_host(host, len, name)) {
        return acme_fail(err, ACME_PEER_BROKE, "malformed URL \"%s\"",
            shown(url, text));
    }
    written = snprintf(origin, size, SCHEME "%s:%u", name, port);
    if (written < 0 || (size_t) written >= size) {
        return acme_fail(err, ACME_PEER_BROKE, "host of \"%s\" is too long",
            shown(url, text));
    }
    for (char *at = origin; *at != '\0'; at++) {
        *at = (char) tolower((unsigned char) *at);
    }
    return true;
}

bool
acme_url_allowed(const char *url, const char *const *known,
    size_t known_count, struct acme_error *err)
{
    char origin[300], other[300], text[200];

    if (!acme_url_origin(url, origin, sizeof(origin), err)) {
        return false;
    }
    for (size_t i = 0; i < known_count; i++) {
        if (acme_url_origin(known[i], other, sizeof(other), err)
            && strcmp(origin, other) == 0) {
            return true;
        }
    }
    return acme_fail(err, ACME_PEER_BROKE, "\"%s\" is at %s, which is not in "
        "the CA's directory (%s)", shown(url, text), origin,
        known_count > 0 ? known[0] : "none was read");
}
