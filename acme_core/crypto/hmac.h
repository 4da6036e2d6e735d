/* HMAC, for the external account binding (RFC 8555 7.3.4, RFC 7518 3.2). */

#ifndef ACME_CRYPTO_HMAC_H
#define ACME_CRYPTO_HMAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

enum acme_hmac { ACME_HMAC_NONE, ACME_HS256, ACME_HS384, ACME_HS512 };

enum { ACME_HMAC_BYTES_MAX = 64 };

/* "HS256" and so on <-> the algorithm; ACME_HMAC_NONE / NULL when unknown. */
enum acme_hmac acme_hmac_of(const char *name);
const char *acme_hmac_name(enum acme_hmac algorithm);

/* The code of `data`; *len_out bytes of it. */
bool acme_hmac(enum acme_hmac algorithm, struct acme_bytes key,
    struct acme_bytes data, uint8_t code[ACME_HMAC_BYTES_MAX],
    size_t *len_out, struct acme_error *err);

#endif
