/* The signed request body (RFC 8555 6.2, RFC 7515 flattened JSON, ES256). */

#ifndef ACME_PROTOCOL_JWS_H
#define ACME_PROTOCOL_JWS_H

#include "base/buffer.h"
#include "base/error.h"
#include "crypto/hmac.h"
#include "crypto/key.h"

struct acme_jws {
    const char *url;
    const char *nonce;             /* a valid token; NULL: none, in the inner
                                      one of a key change (7.3.5) */
    const char *kid;               /* account URL; NULL: the jwk goes in */
    struct acme_bytes payload;     /* JSON, or empty for POST-as-GET (6.3) */
};

/* Append {"protected":..,"payload":..,"signature":..}. */
bool acme_jws_write(const struct acme_jws *jws, const struct acme_key *key,
    struct acme_buffer *body, struct acme_error *err);

/*
 * Append the externalAccountBinding of a new account (RFC 8555 7.3.4): the
 * account's public key, signed by what the CA gave out with `kid`.
 *   url   the newAccount URL
 */
bool acme_jws_bind(const struct acme_key *account_key, const char *url,
    const char *kid, enum acme_hmac algorithm, struct acme_bytes mac_key,
    struct acme_buffer *json, struct acme_error *err);

/* Append the base64url thumbprint of the key (RFC 7638): 43 characters. */
bool acme_jws_thumbprint(const struct acme_key *key, struct acme_buffer *out,
    struct acme_error *err);

/* Append token "." thumbprint (RFC 8555 8.1). */
bool acme_key_authorization(const struct acme_key *key, const char *token,
    struct acme_buffer *out, struct acme_error *err);

#endif
