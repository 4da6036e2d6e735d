/* What the files of crypto/ share; no other folder includes it. */

#ifndef ACME_CRYPTO_INTERNAL_H
#define ACME_CRYPTO_INTERNAL_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdint.h>

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

/*
 * A self-signed certificate, or NULL when OpenSSL or memory fails. Subject and
 * issuer are O = organization, CN = name (without CN when that is longer than
 * 64 bytes); the one name in it is a dNSName or an iPAddress.
 *   now, life_s   valid from an hour before `now` to `life_s` after it
 *   more          one more extension, or NULL; stays the caller's
 */
X509 *acme_self_signed(const struct acme_key *key, const char *organization,
    const char *name, int64_t now, int64_t life_s, X509_EXTENSION *more);

/* ACME_LOCAL with OpenSSL's own reason; empties its error queue. */
bool acme_crypto_fail(struct acme_error *err, const char *what);

#endif
