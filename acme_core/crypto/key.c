/*
 * Private keys by OpenSSL's EVP interface. Also linked into a web server,
 * which logs whatever stays in OpenSSL's error queue: each failure clears it.
 */

#include "crypto/key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/internal.h"
#include "format/base64url.h"

static const struct key_kind {
    enum acme_key_type type;
    const char *name;
    const char *curve;      /* NULL: RSA */
    unsigned bits;
} kinds[] = {
    { ACME_KEY_ECDSA_256, "ecdsa:256", "P-256", 256 },
    { ACME_KEY_ECDSA_384, "ecdsa:384", "P-384", 384 },
    { ACME_KEY_RSA_2048, "rsa:2048", NULL, 2048 },
    { ACME_KEY_RSA_3072, "rsa:3072", NULL, 3072 },
    { ACME_KEY_RSA_4096, "rsa:4096", NULL, 4096 },
};

enum { KIND_COUNT = sizeof(kinds) / sizeof(*kinds) };

bool
acme_crypto_fail(struct acme_error *err, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    acme_fail(err, ACME_LOCAL, "%s: %s", what,
        reason != NULL ? reason : "OpenSSL gives no reason");
    ERR_clear_error();
    return false;
}

enum acme_key_type
acme_key_type_of(const char *name)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return kinds[i].type;
        }
    }
    return ACME_KEY_NONE;
}

static const struct key_kind *
kind_of(enum acme_key_type type)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (kinds[i].type == type) {
            return &kinds[i];
        }
    }
    return NULL;
}

bool
acme_key_is_rsa(enum acme_key_type type)
{
    const struct key_kind *kind = kind_of(type);

    return kind != NULL && kind->curve == NULL;
}

const char *
acme_key_type_name(enum acme_key_type type)
{
    const struct key_kind *kind = kind_of(type);

    return kind != NULL ? kind->name : NULL;
}

struct acme_key *
acme_key_wrap(EVP_PKEY *pkey, struct acme_error *err)
{
    struct acme_key *key = malloc(sizeof(*key));

    if (key == NULL) {
        EVP_PKEY_free(pkey);
        acme_fail_memory(err);
        return NULL;
    }
    key->pkey = pkey;
    return key;
}

struct acme_key *
acme_key_new(enum acme_key_type type, struct acme_error *err)
{
    const struct key_kind *kind = kind_of(type);
    EVP_PKEY *pkey;

    if (kind == NULL) {
        acme_fail(err, ACME_LOCAL, "no such type of key");
        return NULL;
    }
    pkey = kind->curve != NULL
        ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", kind->curve)
        : EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t) kind->bits);
    if (pkey == NULL) {
        acme_crypto_fail(err, "making a key");
        return NULL;
    }
    return acme_key_wrap(pkey, err);
}

int
acme_no_pass_phrase(char *out, int size, int writing, void *ctx)
{
    (void) out;
    (void) size;
    (void) writing;
    (void) ctx;
    return -1;
}

struct acme_key *
acme_key_read(struct acme_bytes pem, struct acme_error *err)
{
    BIO *bio = BIO_new_mem_buf(pem.at, (int) pem.len);
    EVP_PKEY *pkey = NULL;

    if (bio != NULL) {
        pkey = PEM_read_bio_PrivateKey(bio, NULL, acme_no_pass_phrase, NULL);
    }
    BIO_free(bio);
    if (pkey == NULL) {
        acme_crypto_fail(err, "not a private key in PEM");
        return NULL;
    }
    ERR_clear_error();
    return acme_key_wrap(pkey, err);
}

bool
acme_key_write(const struct acme_key *key, struct acme_buffer *pem,
    struct acme_error *err)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    char *data;
    long len;
    bool ok = false;

    if (bio == NULL || PEM_write_bio_PrivateKey(bio, key->pkey, NULL, NULL, 0,
            NULL, NULL) != 1) {
        acme_crypto_fail(err, "writing a key");
        goto out;
    }
    len = BIO_get_mem_data(bio, &data);
    ok = acme_buffer_add(pem, data, (size_t) len) || acme_fail_memory(err);

out:
    BIO_free(bio);
    return ok;
}

void
acme_key_free(struct acme_key *key)
{
    if (key != NULL) {
        EVP_PKEY_free(key->pkey);
        free(key);
    }
}

enum acme_key_type
acme_key_type_of_key(const struct acme_key *key)
{
    unsigned bits = (unsigned) EVP_PKEY_get_bits(key->pkey);
    bool is_ec = EVP_PKEY_is_a(key->pkey, "EC");
    char group[64] = "";

    if (!is_ec && !EVP_PKEY_is_a(key->pkey, "RSA")) {
        return ACME_KEY_NONE;
    }
    if (is_ec) {
        EVP_PKEY_get_group_name(key->pkey, group, sizeof(group), NULL);
    }
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (kinds[i].bits != bits || (kinds[i].curve != NULL) != is_ec) {
            continue;
        }
        /* 256 bits alone might be secp256k1 */
        if (!is_ec || strcmp(group, bits == 256 ? "prime256v1"
                : "secp384r1") == 0) {
            return kinds[i].type;
        }
    }
    return ACME_KEY_NONE;
}

/* One coordinate of the public point, 32 bytes, base64url. */
static bool
add_coordinate(const struct acme_key *key, const char *which,
    struct acme_buffer *out)
{
    BIGNUM *number = NULL;
    uint8_t raw[32];
    struct acme_bytes bytes = { raw, sizeof(raw) };
    bool ok;

    ok = EVP_PKEY_get_bn_param(key->pkey, which, &number) == 1
        && BN_bn2binpad(number, raw, sizeof(raw)) == sizeof(raw)
        && acme_base64url_add(out, bytes);
    BN_free(number);
    return ok;
}

bool
acme_key_jwk(const struct acme_key *key, struct acme_buffer *jwk,
    struct acme_error *err)
{
    if (acme_key_type_of_key(key) != ACME_KEY_ECDSA_256) {
        return acme_fail(err, ACME_LOCAL, "an account key is ECDSA P-256");
    }
    if (!acme_buffer_add_text(jwk, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"")
        || !add_coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X, jwk)
        || !acme_buffer_add_text(jwk, "\",\"y\":\"")
        || !add_coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y, jwk)
        || !acme_buffer_add_text(jwk, "\"}")) {
        return acme_crypto_fail(err, "reading a public key");
    }
    return true;
}

/* OpenSSL's DER signature into r || s. */
static bool
split_signature(const uint8_t *der, size_t len, uint8_t signature[64])
{
    ECDSA_SIG *parts = d2i_ECDSA_SIG(NULL, &der, (long) len);
    bool ok;

    ok = parts != NULL
        && BN_bn2binpad(ECDSA_SIG_get0_r(parts), signature, 32) == 32
        && BN_bn2binpad(ECDSA_SIG_get0_s(parts), signature + 32, 32) == 32;
    ECDSA_SIG_free(parts);
    return ok;
}

bool
acme_key_sign(const struct acme_key *key, struct acme_bytes data,
    uint8_t signature[64], struct acme_error *err)
{
    uint8_t der[128];
    size_t len = sizeof(der);
    EVP_MD_CTX *ctx;
    bool ok;

    if (acme_key_type_of_key(key) != ACME_KEY_ECDSA_256) {
        return acme_fail(err, ACME_LOCAL, "an account key is ECDSA P-256");
    }
    ctx = EVP_MD_CTX_new();
    ok = ctx != NULL
        && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key->pkey) == 1
        && EVP_DigestSign(ctx, der, &len, data.at, data.len) == 1
        && split_signature(der, len, signature);
    EVP_MD_CTX_free(ctx);
    return ok || acme_crypto_fail(err, "signing");
}

bool
acme_sha256(struct acme_bytes data, uint8_t digest[32],
    struct acme_error *err)
{
    return EVP_Digest(data.at, data.len, digest, NULL, EVP_sha256(), NULL) == 1
        || acme_crypto_fail(err, "SHA-256");
}
