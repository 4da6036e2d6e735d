/* Certificates made to order, good and bad, for the tests of crypto/. */

#ifndef TEST_MAKE_CERT_H
#define TEST_MAKE_CERT_H

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "crypto/internal.h"
#include "crypto/san.h"

enum { CHAIN_MAX = 64 * 1024, DAY = 24 * 3600 };

/* What is wanted; fields left out get the value in brackets. */
struct wish {
    const char *subject;            /* CN [none] */
    const char *issuer;             /* CN [none] */
    const struct acme_key *key;     /* public key of it */
    const struct acme_key *signer;  /* [key] */
    const char *const *names;       /* [no subjectAltName] */
    size_t name_count;
    GENERAL_NAMES *san;             /* instead of names; taken over */
    int64_t from, until;            /* unix seconds */
};

static struct acme_key *
new_key(void)
{
    struct acme_error err;
    struct acme_key *key = acme_key_new(ACME_KEY_ECDSA_256, &err);

    assert_non_null(key);
    return key;
}

static void
set_common_name(X509_NAME *name, const char *text)
{
    if (text != NULL) {
        assert_int_equal(X509_NAME_add_entry_by_NID(name, NID_commonName,
            MBSTRING_UTF8, (const unsigned char *) text, -1, -1, 0), 1);
    }
}

static void
sign_again(X509 *cert, const struct acme_key *signer)
{
    assert_true(X509_sign(cert, signer->pkey, EVP_sha256()) > 0);
}

static X509 *
make_cert(const struct wish *wish)
{
    X509 *cert = X509_new();
    X509_EXTENSION *san = NULL;

    assert_int_equal(X509_set_version(cert, X509_VERSION_3), 1);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), 0x1aF);
    ASN1_TIME_set(X509_getm_notBefore(cert), (time_t) wish->from);
    ASN1_TIME_set(X509_getm_notAfter(cert), (time_t) wish->until);
    set_common_name(X509_get_subject_name(cert), wish->subject);
    set_common_name(X509_get_issuer_name(cert), wish->issuer);
    assert_int_equal(X509_set_pubkey(cert, wish->key->pkey), 1);
    if (wish->san != NULL) {
        san = X509V3_EXT_i2d(NID_subject_alt_name, 0, wish->san);
        GENERAL_NAMES_free(wish->san);
        assert_non_null(san);
    } else if (wish->names != NULL) {
        san = acme_san_new(wish->names, wish->name_count);
        assert_non_null(san);
    }
    if (san != NULL) {
        assert_int_equal(X509_add_ext(cert, san, -1), 1);
        X509_EXTENSION_free(san);
    }
    sign_again(cert, wish->signer != NULL ? wish->signer : wish->key);
    return cert;
}

/* Append the certificate as PEM. */
static void
add_pem(struct acme_buffer *pem, X509 *cert)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;
    long len;

    assert_int_equal(PEM_write_bio_X509(bio, cert), 1);
    len = BIO_get_mem_data(bio, &data);
    assert_true(acme_buffer_add(pem, data, (size_t) len));
    BIO_free(bio);
}

/* Append the certificate as PEM, and free it. */
static void
give_pem(struct acme_buffer *pem, X509 *cert)
{
    add_pem(pem, cert);
    X509_free(cert);
}

#endif
