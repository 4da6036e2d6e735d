/* What the files of crypto/ share; no other folder includes it. */

#ifndef ACME_CRYPTO_INTERNAL_H
#define ACME_CRYPTO_INTERNAL_H

#include <openssl/evp.h>

#include "crypto/key.h"

struct acme_key {
    EVP_PKEY *pkey;
};

/* Takes the EVP_PKEY over, also on failure. */
struct acme_key *acme_key_wrap(EVP_PKEY *pkey, struct acme_error *err);

/*
 * A pem_password_cb that has none: OpenSSL's own would ask at the terminal,
 * for a server's master or for a certificate that a CA sent encrypted.
 */
int acme_no_pass_phrase(char *out, int size, int writing, void *ctx);

/* ACME_LOCAL with OpenSSL's own reason; empties its error queue. */
bool acme_crypto_fail(struct acme_error *err, const char *what);

#endif
