/* The certificate that stands in until the CA's arrives. */

#include "crypto/placeholder.h"

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "crypto/internal.h"

#define ORGANIZATION "ACME placeholder"

enum { YEAR_S = 365 * 24 * 3600 };

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
    cert = acme_self_signed(key, ORGANIZATION, name, now, YEAR_S, NULL);
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
