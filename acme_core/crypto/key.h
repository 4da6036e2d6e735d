/*
 * Private keys: account keys (ES256) and certificate keys. With x509.h and
 * placeholder.h the only code that knows OpenSSL.
 */

#ifndef ACME_CRYPTO_KEY_H
#define ACME_CRYPTO_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

enum acme_key_type {
    ACME_KEY_NONE = 0,
    ACME_KEY_ECDSA_256,
    ACME_KEY_ECDSA_384,
    ACME_KEY_RSA_2048,
    ACME_KEY_RSA_3072,
    ACME_KEY_RSA_4096
};

/* "ecdsa:256" and so on <-> the type; ACME_KEY_NONE / NULL when unknown. */
enum acme_key_type acme_key_type_of(const char *name);
const char *acme_key_type_name(enum acme_key_type type);

/* Of the two kinds of key, is it RSA (and not ECDSA, and not NONE)? */
bool acme_key_is_rsa(enum acme_key_type type);

struct acme_key;  /* opaque; the EVP_PKEY inside belongs to it */

/* Make a key; an RSA-4096 takes seconds. NULL with ACME_LOCAL in err. */
struct acme_key *acme_key_new(enum acme_key_type type, struct acme_error *err);

/*
 * Read an unencrypted PEM private key (PKCS#8, or the traditional forms).
 * NULL with ACME_LOCAL in err; the text never quotes the PEM.
 */
struct acme_key *acme_key_read(struct acme_bytes pem, struct acme_error *err);

/* Append the key as PKCS#8 PEM. Wipe that buffer after use. */
bool acme_key_write(const struct acme_key *key, struct acme_buffer *pem,
    struct acme_error *err);

/* Wipes and frees; NULL does nothing. */
void acme_key_free(struct acme_key *key);

/* ACME_KEY_NONE for keys of other kinds or sizes. */
enum acme_key_type acme_key_type_of_key(const struct acme_key *key);

/*
 * The public key as a JWK with the members of RFC 7638 3.2 only, in
 * lexicographic order, without white space: what a thumbprint hashes and what
 * newAccount sends. ECDSA P-256 only.
 */
bool acme_key_jwk(const struct acme_key *key, struct acme_buffer *jwk,
    struct acme_error *err);

/* ES256: the 64 bytes r || s of RFC 7518 3.4. ECDSA P-256 only. */
bool acme_key_sign(const struct acme_key *key, struct acme_bytes data,
    uint8_t signature[64], struct acme_error *err);

/* SHA-256. */
bool acme_sha256(struct acme_bytes data, uint8_t digest[32],
    struct acme_error *err);

#endif
