/*
 * What is told apart and put into a log line of a stranger's certificate. It
 * is read more leniently than a CA's: it may be anything that works for TLS.
 */

#include "crypto/shown.h"

#include <ctype.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "crypto/internal.h"

enum { PEM_MAX = 256 * 1024 };

static bool
read_fingerprint(X509 *cert, char fingerprint[ACME_FINGERPRINT_SIZE])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int len;

    if (X509_digest(cert, EVP_sha256(), digest, &len) != 1) {
        return false;
    }
    for (unsigned int i = 0; i < len; i++) {
        sprintf(fingerprint + 2 * i, "%02x", digest[i]);
    }
    return true;
}

/* "CN = a.test, O = Example"; what does not fit is cut. */
static void
read_name(const X509_NAME *name, char text[ACME_SHOWN_NAME_MAX])
{
    BIO *bio = BIO_new(BIO_s_mem());
    struct acme_bytes bytes = { NULL, 0 };
    char *data;
    long len;

    if (bio != NULL && X509_NAME_print_ex(bio, name, 0, XN_FLAG_ONELINE) >= 0
        && (len = BIO_get_mem_data(bio, &data)) > 0) {
        bytes = (struct acme_bytes) { (uint8_t *) data, (size_t) len };
    }
    acme_log_escape(text, ACME_SHOWN_NAME_MAX, bytes);
    BIO_free(bio);
}

static void
read_serial(const X509 *cert, char serial[64])
{
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
    char *hex = number != NULL ? BN_bn2hex(number) : NULL;

    snprintf(serial, 64, "%.63s", hex != NULL ? hex : "");
    for (char *at = serial; *at != '\0'; at++) {
        *at = (char) tolower((unsigned char) *at);
    }
    OPENSSL_free(hex);
    BN_free(number);
}

static int64_t
read_end(const X509 *cert)
{
    struct tm tm;

    return ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) == 1
        ? (int64_t) timegm(&tm) : 0;
}

bool
acme_shown_read(struct acme_bytes pem, struct acme_shown *shown,
    struct acme_error *err)
{
    BIO *bio = pem.len <= PEM_MAX ? BIO_new_mem_buf(pem.at, (int) pem.len)
                                  : NULL;
    X509 *cert = bio != NULL ? PEM_read_bio_X509(bio, NULL,
        acme_no_pass_phrase, NULL) : NULL;
    bool ok;

    memset(shown, 0, sizeof(*shown));
    ok = cert != NULL && read_fingerprint(cert, shown->fingerprint);
    if (ok) {
        read_name(X509_get_subject_name(cert), shown->subject);
        read_name(X509_get_issuer_name(cert), shown->issuer);
        read_serial(cert, shown->serial);
        shown->not_after = read_end(cert);
    }
    X509_free(cert);
    BIO_free(bio);
    ERR_clear_error();
    return ok || acme_fail(err, ACME_PEER_BROKE, "not a certificate");
}
