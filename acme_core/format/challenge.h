/* The types of challenges that we can answer (RFC 8555 8, RFC 8737). */

#ifndef ACME_FORMAT_CHALLENGE_H
#define ACME_FORMAT_CHALLENGE_H

enum acme_challenge_type {
    ACME_CHALLENGE_NONE,
    ACME_HTTP_01,
    ACME_TLS_ALPN_01,
    ACME_CHALLENGE_TYPES
};

/* "http-01" and so on; "" for none. */
const char *acme_challenge_type_name(enum acme_challenge_type type);

/* ACME_CHALLENGE_NONE for other words, or NULL. */
enum acme_challenge_type acme_challenge_type_of(const char *name);

#endif
