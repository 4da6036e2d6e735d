/* HMAC by OpenSSL. */

#include "crypto/hmac.h"

#include <openssl/evp.h>
#include <string.h>

#include "crypto/internal.h"

static const struct kind {
    enum acme_hmac algorithm;
    const char *name, *digest;
} kinds[] = {
    { ACME_HS256, "HS256", "SHA256" },
    { ACME_HS384, "HS384", "SHA384" },
    { ACME_HS512, "HS512", "SHA512" },
};

enum { KINDS = sizeof(kinds) / sizeof(*kinds) };

enum acme_hmac
acme_hmac_of(const char *name)
{
    for (size_t i = 0; i < KINDS; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return kinds[i].algorithm;
        }
    }
    return ACME_HMAC_NONE;
}

static const struct kind *
kind_of(enum acme_hmac algorithm)
{
    for (size_t i = 0; i < KINDS; i++) {
        if (kinds[i].algorithm == algorithm) {
            return &kinds[i];
        }
    }
    return NULL;
}

const char *
acme_hmac_name(enum acme_hmac algorithm)
{
    const struct kind *kind = kind_of(algorithm);

    return kind != NULL ? kind->name : NULL;
}

bool
acme_hmac(enum acme_hmac algorithm, struct acme_bytes key,
    struct acme_bytes data, uint8_t code[ACME_HMAC_BYTES_MAX],
    size_t *len_out, struct acme_error *err)
{
    const struct kind *kind = kind_of(algorithm);

    if (kind == NULL) {
        return acme_fail(err, ACME_LOCAL, "unknown HMAC algorithm");
    }
    return EVP_Q_mac(NULL, "HMAC", NULL, kind->digest, NULL, key.at, key.len,
            data.at, data.len, code, ACME_HMAC_BYTES_MAX, len_out) != NULL
        || acme_crypto_fail(err, "HMAC");
}
