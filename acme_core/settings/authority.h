/* "host[:port]" in URLs of the configuration (RFC 3986 3.2). */

#ifndef ACME_SETTINGS_AUTHORITY_H
#define ACME_SETTINGS_AUTHORITY_H

#include <stdbool.h>
#include <stddef.h>

/* Has the text nothing but bytes that a URL may have, and no fragment? */
bool acme_authority_plain(const char *url);

/*
 * The length of the host that the text begins with, an address in brackets or
 * name characters; 0 = none.
 */
size_t acme_authority_host(const char *text);

/* What is behind ":port" or, without one, the text; NULL = no port number. */
const char *acme_authority_skip_port(const char *text);

#endif
