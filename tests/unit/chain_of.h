/* A certificate that a key has signed for itself, for tests of key types. */

#ifndef ACME_TESTS_CHAIN_OF_H
#define ACME_TESTS_CHAIN_OF_H

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "crypto/internal.h"
#include "crypto/san.h"
#include "store/store.h"

/* PEM for this name, with another serial each time. */
static inline struct acme_buffer
chain_of(const struct acme_key *key, const char *name, int64_t from,
    int64_t until)
{
    static uint64_t serial = 1000;
    struct acme_buffer pem = ACME_BUFFER(ACME_STORE_FILE_MAX);
    X509_EXTENSION *san = acme_san_new(&name, 1);
    BIO *bio = BIO_new(BIO_s_mem());
    X509 *cert = X509_new();
    char *data;
    long len;

    ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial++);
    ASN1_TIME_set(X509_getm_notBefore(cert), (time_t) from);
    ASN1_TIME_set(X509_getm_notAfter(cert), (time_t) until);
    assert_int_equal(X509_set_version(cert, X509_VERSION_3), 1);
    assert_int_equal(X509_set_pubkey(cert, key->pkey), 1);
    assert_int_equal(X509_add_ext(cert, san, -1), 1);
    assert_true(X509_sign(cert, key->pkey, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_bio_X509(bio, cert), 1);
    len = BIO_get_mem_data(bio, &data);
    assert_true(acme_buffer_add(&pem, data, (size_t) len));
    X509_EXTENSION_free(san);
    X509_free(cert);
    BIO_free(bio);
    return pem;
}

static inline struct acme_buffer
pem_of(const struct acme_key *key)
{
    struct acme_buffer pem = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct acme_error err;

    assert_true(acme_key_write(key, &pem, &err));
    return pem;
}

#endif
