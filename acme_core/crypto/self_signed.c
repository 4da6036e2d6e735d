/* Certificates that vouch for themselves: the placeholder, tls-alpn-01. */

#include <openssl/rand.h>
#include <openssl/x509.h>
#include <string.h>

#include "crypto/internal.h"
#include "crypto/san.h"

enum { HOUR_S = 3600, COMMON_NAME_MAX = 64 };

static bool
set_subject(X509 *cert, const char *organization, const char *name)
{
    X509_NAME *subject = X509_NAME_new();
    bool ok;

    ok = subject != NULL
        && X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC,
            (const unsigned char *) organization, -1, -1, 0) == 1
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

X509 *
acme_self_signed(const struct acme_key *key, const char *organization,
    const char *name, int64_t now, int64_t life_s, X509_EXTENSION *more)
{
    X509 *cert = X509_new();

    if (cert != NULL && X509_set_version(cert, X509_VERSION_3) == 1
        && set_serial(cert) && set_subject(cert, organization, name)
        && set_names(cert, name)
        && (more == NULL || X509_add_ext(cert, more, -1) == 1)
        && ASN1_TIME_set(X509_getm_notBefore(cert), (time_t) now - HOUR_S)
            != NULL
        && ASN1_TIME_set(X509_getm_notAfter(cert), (time_t) (now + life_s))
            != NULL
        && X509_set_pubkey(cert, key->pkey) == 1
        && X509_sign(cert, key->pkey, EVP_sha256()) > 0) {
        return cert;
    }
    X509_free(cert);
    return NULL;
}
