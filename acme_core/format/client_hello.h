/*
 * What the hello of a TLS client asks for: a server by name, and application
 * protocols. Enough of it to know a CA that validates by tls-alpn-01.
 */

#ifndef ACME_FORMAT_CLIENT_HELLO_H
#define ACME_FORMAT_CLIENT_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/* Bodies of two extensions, borrowed from the message; empty when absent. */
struct acme_hello {
    struct acme_bytes server_name;   /* RFC 6066 3 */
    struct acme_bytes alpn;          /* RFC 7301 3.1 */
};

enum { ACME_SERVER_NAME_MAX = 253 };   /* bytes of a name in SNI */

/*
 * Read a handshake message, from its type on (RFC 8446 4, 4.1.2). False when
 * it is no whole ClientHello, or has one of the two extensions twice.
 */
bool acme_hello_read(struct acme_bytes message, struct acme_hello *hello);

/* Is "acme-tls/1" the only protocol that is offered (RFC 8737 3)? */
bool acme_hello_is_challenge(const struct acme_hello *hello);

/*
 * The one host name that is asked for, in lower case; *len_out bytes and a
 * NUL. False when there is none, or one that no certificate can have.
 */
bool acme_hello_name(const struct acme_hello *hello,
    char name[ACME_SERVER_NAME_MAX + 1], size_t *len_out);

#endif
