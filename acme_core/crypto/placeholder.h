/*
 * The self-signed certificate that a server shows until the CA's is there.
 * It lives in memory only and is made anew at each start.
 */

#ifndef ACME_CRYPTO_PLACEHOLDER_H
#define ACME_CRYPTO_PLACEHOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

/*
 * Append an ECDSA P-256 certificate for `name` (subject O = "ACME placeholder",
 * CN and SAN = the name; CN is left out when longer than 64 bytes) and its
 * key, both PEM.
 *   now   unix seconds; valid from an hour before it for a year
 */
bool acme_placeholder_write(const char *name, int64_t now,
    struct acme_buffer *chain_pem, struct acme_buffer *key_pem,
    struct acme_error *err);

#endif
