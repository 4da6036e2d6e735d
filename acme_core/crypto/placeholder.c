/* The certificate that stands in until the CA's arrives. */

#include "crypto/placeholder.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "crypto/internal.h"
#include "crypto/san.h"

#define ORGANIZATION "ACME placeholder"

enum { HOUR_S = 3600, YEAR_S = 365 * 24 * HOUR_S, COMMON_NAME_MAX = 64 };

static bool
set_subject(X509 *cert, const char *name)
{
    X509_NAME *subject = X509_NAME_new();
    bool ok;

    ok = subject != NULL
        && X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC,
            (const unsigned char *) ORGANIZATION, -1, -1, 0) == 1
        && (strlen(name) > COMMON_NAME_MAX
            || X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                (const unsigned char *) name, -1, -1, 0) == 1)
        && X509_set_subject_name(cert, subject) == 1
        && X509_set_issuer_name(cert, subject) == 1;
    X509_NAME_free(subject);
    return ok;
}

static bool
set_serial(X509 *cert)
{
    uint64_t serial;

    return RAND_bytes((unsigned char *) &serial, sizeof(serial)) == 1
        && ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert),
            serial >> 1 | 1) == 1;
}

static bool
set_names(X509 *cert, const char *name)
{
    X509_EXTENSION *san = acme_san_new(&name, 1);
    bool ok = san != NULL && X509_add_ext(cert, san, -1) == 1;

    X509_EXTENSION_free(san);
    return ok;
}

static X509 *
make_cert(const struct acme_key *key, const char *name, int64_t now)
{
    X509 *cert = X509_new();

    if (cert != NULL && X509_set_version(cert, X509_VERSION_3) == 1
        && set_serial(cert) && set_subject(cert, name)
        && set_names(cert, name)
        && ASN1_TIME_set(X509_getm_notBefore(cert), (time_t) now - HOUR_S)
            != NULL
        && ASN1_TIME_set(X509_getm_notAfter(cert), (time_t) now + YEAR_S)
            != NULL
        && X509_set_pubkey(cert, key->pkey) == 1
        && X509_sign(cert, key->pkey, EVP_sha256()) > 0) {
        return cert;
    }
    X509_free(cert);
    return NULL;
}

bool
acme_placeholder_write(const char *name, int64_t now,
    struct acme_buffer *chain_pem, struct acme_buffer *key_pem,
    struct acme_error *err)
{
    struct acme_key *key = acme_key_new(ACME_KEY_ECDSA_256, err);
    BIO *bio = BIO_new(BIO_s_mem());
    X509 *cert = NULL;
    bool ok = false;
    char *data;
    long len;

    if (key == NULL) {
        goto out;
    }
    cert = make_cert(key, name, now);
    if (cert == NULL || bio == NULL || PEM_write_bio_X509(bio, cert) != 1) {
        acme_crypto_fail(err, "making a placeholder certificate");
        goto out;
    }
    len = BIO_get_mem_data(bio, &data);
    ok = acme_buffer_add(chain_pem, data, (size_t) len)
        || acme_fail_memory(err);
    ok = ok && acme_key_write(key, key_pem, err);

out:
    X509_free(cert);
    BIO_free(bio);
    acme_key_free(key);
    return ok;
}
