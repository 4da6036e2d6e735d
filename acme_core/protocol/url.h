/* URLs that a CA may send us to (RFC 8555 6.1; nothing but https). */

#ifndef ACME_PROTOCOL_URL_H
#define ACME_PROTOCOL_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/*
 * Write the origin ("https://host:port", lower case, default port 443 written
 * out) of an absolute https URL of at most ACME_URL_MAX bytes without
 * userinfo, fragment, white space or control bytes. IPv6 addresses in brackets
 * are fine, in any spelling. ACME_PEER_BROKE otherwise.
 */
bool acme_url_origin(const char *url, char *origin, size_t size,
    struct acme_error *err);

/*
 * Is the URL's origin that of one of these URLs? Errors name both.
 */
bool acme_url_allowed(const char *url, const char *const *known,
    size_t known_count, struct acme_error *err);

#endif
