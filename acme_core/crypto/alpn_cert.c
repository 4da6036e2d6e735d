/* The certificate of the tls-alpn-01 challenge (RFC 8737 3). */

#include "crypto/alpn_cert.h"

#include <arpa/inet.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "crypto/internal.h"

#define ORGANIZATION "ACME challenge"
#define ACME_IDENTIFIER "1.3.6.1.5.5.7.1.31"

enum { MONTH_S = 30 * 24 * 3600, DIGEST_BYTES = 32 };

/* ---- the name by which it is asked for */

static void
reverse_ipv6(const unsigned char address[16], char *name, size_t size)
{
    size_t len = 0;

    for (int i = 15; i >= 0; i--) {
        len += (size_t) snprintf(name + len, size - len, "%x.%x.",
            address[i] & 15, address[i] >> 4);
    }
    snprintf(name + len, size - len, "ip6.arpa");
}

bool
acme_server_name_of(const char *identifier,
    char name[ACME_SERVER_NAME_MAX + 1])
{
    unsigned char address[16];
    size_t len = strlen(identifier);

    if (inet_pton(AF_INET, identifier, address) == 1) {
        snprintf(name, ACME_SERVER_NAME_MAX + 1, "%d.%d.%d.%d.in-addr.arpa",
            address[3], address[2], address[1], address[0]);
        return true;
    }
    if (inet_pton(AF_INET6, identifier, address) == 1) {
        reverse_ipv6(address, name, ACME_SERVER_NAME_MAX + 1);
        return true;
    }
    if (len == 0 || len > ACME_SERVER_NAME_MAX) {
        return false;
    }
    for (size_t i = 0; i <= len; i++) {
        char c = identifier[i];

        name[i] = c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
    }
    return true;
}

/* ---- the certificate */

/* Critical, an OCTET STRING of the digest; NULL when something fails. */
static X509_EXTENSION *
acme_identifier(const uint8_t digest[DIGEST_BYTES])
{
    unsigned char der[2 + DIGEST_BYTES] = { V_ASN1_OCTET_STRING,
        DIGEST_BYTES };
    ASN1_OBJECT *type = OBJ_txt2obj(ACME_IDENTIFIER, 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *extension = NULL;

    memcpy(der + 2, digest, DIGEST_BYTES);
    if (type != NULL && value != NULL
        && ASN1_OCTET_STRING_set(value, der, sizeof(der)) == 1) {
        extension = X509_EXTENSION_create_by_OBJ(NULL, type, 1, value);
    }
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(type);
    return extension;
}

static bool
add_cert(struct acme_buffer *out, X509 *cert)
{
    unsigned char *der = NULL;
    int len = i2d_X509(cert, &der);
    bool ok = len > 0 && acme_buffer_add(out, der, (size_t) len);

    OPENSSL_free(der);
    return ok;
}

static bool
add_key(struct acme_buffer *out, const struct acme_key *key)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key->pkey);
    unsigned char *der = NULL;
    int len = info != NULL ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : 0;
    bool ok = len > 0 && acme_buffer_add(out, der, (size_t) len);

    if (der != NULL) {
        OPENSSL_clear_free(der, (size_t) len);
    }
    PKCS8_PRIV_KEY_INFO_free(info);
    return ok;
}

bool
acme_alpn_cert_write(const char *identifier, struct acme_bytes key_auth,
    int64_t now, struct acme_buffer *cert_der, struct acme_buffer *key_der,
    struct acme_error *err)
{
    struct acme_key *key = acme_key_new(ACME_KEY_ECDSA_256, err);
    uint8_t digest[DIGEST_BYTES];
    X509_EXTENSION *extension = NULL;
    X509 *cert = NULL;
    bool ok = false;

    if (key == NULL || !acme_sha256(key_auth, digest, err)) {
        goto out;
    }
    extension = acme_identifier(digest);
    if (extension != NULL) {
        cert = acme_self_signed(key, ORGANIZATION, identifier, now, MONTH_S,
            extension);
    }
    ok = cert != NULL && add_cert(cert_der, cert) && add_key(key_der, key);
    if (!ok) {
        acme_crypto_fail(err, "making the certificate of a challenge");
    }

out:
    X509_free(cert);
    X509_EXTENSION_free(extension);
    acme_key_free(key);
    return ok;
}
