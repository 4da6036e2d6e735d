/*
 * Certificate requests and chains (RFC 2986, RFC 5280, RFC 8738, RFC 9773).
 * Also linked into a web server: leaves OpenSSL's error queue empty.
 */

#include "crypto/x509.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/log.h"
#include "crypto/internal.h"
#include "crypto/san.h"
#include "format/base64url.h"

enum {
    CHAIN_BYTES_MAX = 64 * 1024,
    CHAIN_CERTS_MAX = 10,
    LEAF_NAMES_MAX = 1000,
    CLOCK_TOLERANCE_S = 3600
};

/* ---- requests */

bool
acme_csr_write(const struct acme_key *key, const char *const *names,
    size_t name_count, struct acme_buffer *der, struct acme_error *err)
{
    STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
    X509_EXTENSION *san = acme_san_new(names, name_count);
    X509_REQ *request = X509_REQ_new();
    unsigned char *bytes = NULL;
    bool ok = false;
    int len;

    if (extensions == NULL || san == NULL || request == NULL
        || sk_X509_EXTENSION_push(extensions, san) <= 0) {
        X509_EXTENSION_free(san);
        acme_crypto_fail(err, "making a certificate request");
        goto out;
    }
    if (X509_REQ_set_version(request, X509_REQ_VERSION_1) != 1
        || X509_REQ_set_pubkey(request, key->pkey) != 1
        || X509_REQ_add_extensions(request, extensions) != 1
        || X509_REQ_sign(request, key->pkey, EVP_sha256()) <= 0) {
        acme_crypto_fail(err, "making a certificate request");
        goto out;
    }
    len = i2d_X509_REQ(request, &bytes);
    if (len <= 0) {
        acme_crypto_fail(err, "making a certificate request");
        goto out;
    }
    ok = acme_buffer_add(der, bytes, (size_t) len) || acme_fail_memory(err);

out:
    OPENSSL_free(bytes);
    X509_REQ_free(request);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    return ok;
}

/* ---- reading a chain */

static void
free_chain(STACK_OF(X509) *chain)
{
    sk_X509_pop_free(chain, X509_free);
}

/* How many PEM blocks begin in the text, of whatever kind. */
static int
count_blocks(struct acme_bytes pem)
{
    static const char begin[] = "-----BEGIN ";
    const uint8_t *end = pem.at + pem.len;
    const uint8_t *at = pem.at;
    int count = 0;

    while ((at = memmem(at, (size_t) (end - at), begin, sizeof(begin) - 1))
            != NULL) {
        at += sizeof(begin) - 1;
        count++;
    }
    return count;
}

/*
 * All certificates of the PEM text, in order; none may be malformed, and
 * there may be no other PEM block (RFC 8555 7.4.2).
 */
static STACK_OF(X509) *
read_chain(struct acme_bytes pem, struct acme_error *err)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    BIO *bio = NULL;
    X509 *cert;

    if (chain == NULL) {
        acme_fail_memory(err);
        return NULL;
    }
    if (pem.len == 0 || pem.len > CHAIN_BYTES_MAX) {
        acme_fail(err, ACME_PEER_BROKE, "a chain of %zu bytes", pem.len);
        goto failed;
    }
    bio = BIO_new_mem_buf(pem.at, (int) pem.len);
    if (bio == NULL) {
        acme_fail_memory(err);
        goto failed;
    }
    while ((cert = PEM_read_bio_X509(bio, NULL, acme_no_pass_phrase, NULL))
            != NULL) {
        if (sk_X509_num(chain) == CHAIN_CERTS_MAX) {
            X509_free(cert);
            acme_fail(err, ACME_PEER_BROKE, "more than %d certificates",
                CHAIN_CERTS_MAX);
            goto failed;
        }
        if (sk_X509_push(chain, cert) <= 0) {
            X509_free(cert);
            acme_fail_memory(err);
            goto failed;
        }
    }
    if (sk_X509_num(chain) == 0
        || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
        acme_fail(err, ACME_PEER_BROKE, "not a chain of PEM certificates");
        goto failed;
    }
    if (count_blocks(pem) != sk_X509_num(chain)) {
        acme_fail(err, ACME_PEER_BROKE, "a chain with something else in it "
            "than certificates");
        goto failed;
    }
    ERR_clear_error();
    BIO_free(bio);
    return chain;

failed:
    ERR_clear_error();
    BIO_free(bio);
    free_chain(chain);
    return NULL;
}

static bool
read_time(const ASN1_TIME *time, int64_t *at_out)
{
    struct tm tm;

    if (ASN1_TIME_to_tm(time, &tm) != 1) {
        return false;
    }
    *at_out = (int64_t) timegm(&tm);
    return true;
}

static void
read_issuer(X509 *cert, char issuer[128])
{
    char name[256];
    int len = X509_NAME_get_text_by_NID(X509_get_issuer_name(cert),
        NID_commonName, name, sizeof(name));
    struct acme_bytes text = { (uint8_t *) name, len > 0 ? (size_t) len : 0 };

    acme_log_escape(issuer, 128, text);
}

bool
acme_chain_issuer(struct acme_bytes chain_pem, char issuer[128],
    struct acme_error *err)
{
    STACK_OF(X509) *chain = read_chain(chain_pem, err);

    if (chain == NULL) {
        return false;
    }
    read_issuer(sk_X509_value(chain, sk_X509_num(chain) - 1), issuer);
    free_chain(chain);
    return true;
}

static bool
read_serial(X509 *cert, struct acme_leaf *leaf)
{
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
    char *hex = number != NULL ? BN_bn2hex(number) : NULL;
    bool ok = hex != NULL && strlen(hex) < sizeof(leaf->serial);

    if (ok) {
        for (size_t i = 0; i <= strlen(hex); i++) {
            leaf->serial[i] = (char) tolower((unsigned char) hex[i]);
        }
    }
    OPENSSL_free(hex);
    BN_free(number);
    return ok;
}

/*
 * base64url(keyIdentifier) "." base64url(serial), the serial's bytes as DER
 * has them: a leading zero in front of a high bit is part of them.
 */
static void
read_cert_id(X509 *cert, struct acme_leaf *leaf)
{
    const ASN1_OCTET_STRING *issuer = X509_get0_authority_key_id(cert);
    struct acme_buffer text = ACME_BUFFER(ACME_CERT_ID_MAX);
    unsigned char der[2 + 64], *end = der;
    struct acme_bytes key_id, serial = { der + 2, 0 };
    int len = i2d_ASN1_INTEGER(X509_get0_serialNumber(cert), NULL);

    if (issuer != NULL && len > 2 && len <= (int) sizeof(der)) {
        i2d_ASN1_INTEGER(X509_get0_serialNumber(cert), &end);
        serial.len = (size_t) len - 2;
        key_id.at = ASN1_STRING_get0_data(issuer);
        key_id.len = (size_t) ASN1_STRING_length(issuer);
        if (key_id.len > 0 && acme_base64url_add(&text, key_id)
            && acme_buffer_add_text(&text, ".")
            && acme_base64url_add(&text, serial)) {
            memcpy(leaf->cert_id, text.at, text.len);
        }
    }
    acme_buffer_free(&text);
}

/* One subjectAltName as text; other kinds than dNSName and iPAddress: "". */
static bool
name_text(const GENERAL_NAME *name, char out[256])
{
    const ASN1_STRING *value;
    const unsigned char *data;
    int len;

    out[0] = '\0';
    if (name->type != GEN_DNS && name->type != GEN_IPADD) {
        return true;
    }
    value = name->type == GEN_DNS ? name->d.dNSName : name->d.iPAddress;
    data = ASN1_STRING_get0_data(value);
    len = ASN1_STRING_length(value);
    if (name->type == GEN_IPADD) {
        return (len == 4 || len == 16) && inet_ntop(len == 4 ? AF_INET
            : AF_INET6, data, out, 256) != NULL;
    }
    if (len <= 0 || len > 253) {
        return false;
    }
    for (int i = 0; i < len; i++) {
        if (data[i] <= 0x20 || data[i] >= 0x7f) {
            return false;
        }
        out[i] = (char) tolower(data[i]);
    }
    out[len] = '\0';
    return true;
}

static bool
read_names(X509 *cert, struct acme_leaf *leaf, struct acme_error *err)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL,
        NULL);
    int count = names != NULL ? sk_GENERAL_NAME_num(names) : 0;
    char text[256];
    bool ok = count <= LEAF_NAMES_MAX
        || acme_fail(err, ACME_PEER_BROKE, "%d names", count);

    if (ok) {
        leaf->names = calloc((size_t) count + 1, sizeof(*leaf->names));
        ok = leaf->names != NULL || acme_fail_memory(err);
    }
    for (int i = 0; ok && i < count; i++) {
        if (!name_text(sk_GENERAL_NAME_value(names, i), text)) {
            ok = acme_fail(err, ACME_PEER_BROKE, "a malformed name");
        } else if (text[0] != '\0') {
            char *copy = strdup(text);

            ok = copy != NULL || acme_fail_memory(err);
            if (ok) {
                leaf->names[leaf->name_count++] = copy;
            }
        }
    }
    GENERAL_NAMES_free(names);
    return ok;
}

static bool
read_leaf(X509 *cert, struct acme_leaf *leaf, struct acme_error *err)
{
    memset(leaf, 0, sizeof(*leaf));
    read_issuer(cert, leaf->issuer);
    read_cert_id(cert, leaf);
    if (!read_time(X509_get0_notBefore(cert), &leaf->not_before)
        || !read_time(X509_get0_notAfter(cert), &leaf->not_after)
        || !read_serial(cert, leaf)) {
        return acme_fail(err, ACME_PEER_BROKE,
            "malformed dates or serial number");
    }
    return read_names(cert, leaf, err);
}

bool
acme_leaf_der(struct acme_bytes chain_pem, struct acme_buffer *der,
    struct acme_error *err)
{
    STACK_OF(X509) *chain = read_chain(chain_pem, err);
    unsigned char *bytes = NULL;
    bool ok;
    int len;

    if (chain == NULL) {
        return false;
    }
    len = i2d_X509(sk_X509_value(chain, 0), &bytes);
    ok = len > 0 ? acme_buffer_add(der, bytes, (size_t) len)
            || acme_fail_memory(err)
        : acme_crypto_fail(err, "certificate");
    OPENSSL_free(bytes);
    free_chain(chain);
    return ok;
}

bool
acme_leaf_read(struct acme_bytes chain_pem, struct acme_leaf *leaf,
    struct acme_error *err)
{
    STACK_OF(X509) *chain;
    bool ok;

    memset(leaf, 0, sizeof(*leaf));
    chain = read_chain(chain_pem, err);
    if (chain == NULL) {
        return false;
    }
    ok = read_leaf(sk_X509_value(chain, 0), leaf, err);
    free_chain(chain);
    ERR_clear_error();
    if (!ok) {
        acme_leaf_free(leaf);
    }
    return ok;
}

void
acme_leaf_free(struct acme_leaf *leaf)
{
    for (size_t i = 0; i < leaf->name_count; i++) {
        free(leaf->names[i]);
    }
    free(leaf->names);
    leaf->names = NULL;
    leaf->name_count = 0;
}

/* ---- checks */

static bool
same_address(const char *a, const char *b)
{
    unsigned char left[16], right[16];

    return (inet_pton(AF_INET, a, left) == 1
            && inet_pton(AF_INET, b, right) == 1
            && memcmp(left, right, 4) == 0)
        || (inet_pton(AF_INET6, a, left) == 1
            && inet_pton(AF_INET6, b, right) == 1
            && memcmp(left, right, 16) == 0);
}

static bool
name_covers(const char *in_leaf, const char *name)
{
    const char *dot = strchr(name, '.');

    if (strcasecmp(in_leaf, name) == 0 || same_address(in_leaf, name)) {
        return true;
    }
    /* an address has no labels that a wildcard could stand for */
    return !same_address(name, name) && strncmp(in_leaf, "*.", 2) == 0
        && dot != NULL && dot != name && name[0] != '*'
        && strcasecmp(in_leaf + 1, dot) == 0;
}

bool
acme_leaf_covers(const struct acme_leaf *leaf, const char *const *names,
    size_t name_count, const char **missing_out)
{
    for (size_t i = 0; i < name_count; i++) {
        bool found = false;

        for (size_t j = 0; !found && j < leaf->name_count; j++) {
            found = name_covers(leaf->names[j], names[i]);
        }
        if (!found) {
            *missing_out = names[i];
            return false;
        }
    }
    return true;
}

static bool
check_dates(const struct acme_leaf *leaf, int64_t now, struct acme_error *err)
{
    if (leaf->not_after <= now) {
        return acme_fail(err, ACME_PEER_BROKE, "it has expired (if not, "
            "this machine's clock is wrong)");
    }
    if (leaf->not_before > now + CLOCK_TOLERANCE_S) {
        return acme_fail(err, ACME_PEER_BROKE, "it is not valid yet (if it "
            "is, this machine's clock is wrong)");
    }
    return true;
}

static bool
check_links(STACK_OF(X509) *chain, struct acme_error *err)
{
    for (int i = 0; i + 1 < sk_X509_num(chain); i++) {
        X509 *issuer = sk_X509_value(chain, i + 1);
        EVP_PKEY *issuer_key = X509_get0_pubkey(issuer);

        if (X509_check_issued(issuer, sk_X509_value(chain, i)) != X509_V_OK
            || issuer_key == NULL
            || X509_verify(sk_X509_value(chain, i), issuer_key) != 1) {
            return acme_fail(err, ACME_PEER_BROKE, "certificate %d is not "
                "issued by the one behind it", i + 1);
        }
    }
    return true;
}

static bool
check_key(X509 *cert, const struct acme_key *key, struct acme_error *err)
{
    EVP_PKEY *public_key = X509_get0_pubkey(cert);

    return (public_key != NULL && EVP_PKEY_eq(public_key, key->pkey) == 1)
        || acme_fail(err, ACME_PEER_BROKE, "it is for another key");
}

bool
acme_chain_check(struct acme_bytes chain_pem, const struct acme_key *key,
    const char *const *names, size_t name_count, int64_t now,
    struct acme_leaf *leaf_out, struct acme_error *err)
{
    STACK_OF(X509) *chain = read_chain(chain_pem, err);
    struct acme_leaf leaf = { 0 };
    const char *missing;
    bool ok = false;

    if (leaf_out != NULL) {
        memset(leaf_out, 0, sizeof(*leaf_out));
    }
    if (chain == NULL) {
        return false;
    }
    if (!read_leaf(sk_X509_value(chain, 0), &leaf, err)
        || !check_key(sk_X509_value(chain, 0), key, err)
        || !check_dates(&leaf, now, err) || !check_links(chain, err)) {
        goto out;
    }
    if (!acme_leaf_covers(&leaf, names, name_count, &missing)) {
        acme_fail(err, ACME_PEER_BROKE, "%s is not in it", missing);
        goto out;
    }
    ok = true;
    if (leaf_out != NULL) {
        *leaf_out = leaf;
        memset(&leaf, 0, sizeof(leaf));
    }

out:
    acme_leaf_free(&leaf);
    free_chain(chain);
    ERR_clear_error();
    return ok;
}

bool
acme_chain_tidy(struct acme_bytes chain_pem, struct acme_buffer *pem,
    struct acme_error *err)
{
    STACK_OF(X509) *chain = read_chain(chain_pem, err);
    BIO *bio = BIO_new(BIO_s_mem());
    bool ok = chain != NULL;
    char *text;
    long len;

    if (ok && bio == NULL) {
        ok = acme_fail_memory(err);
    }
    for (int i = 0; ok && i < sk_X509_num(chain); i++) {
        ok = PEM_write_bio_X509(bio, sk_X509_value(chain, i)) == 1
            || acme_crypto_fail(err, "writing a chain");
    }
    if (ok) {
        len = BIO_get_mem_data(bio, &text);
        ok = acme_buffer_add(pem, text, (size_t) len)
            || acme_fail_memory(err);
    }
    BIO_free(bio);
    free_chain(chain);
    ERR_clear_error();
    return ok;
}

static void
describe(X509 *cert, const struct acme_key *key, struct acme_pair_facts *facts)
{
    struct acme_error ignored;
    struct acme_leaf leaf;

    facts->key_type = acme_key_type_of_key(key);
    facts->not_after = read_leaf(cert, &leaf, &ignored) ? leaf.not_after : 0;
    acme_leaf_free(&leaf);
}

bool
acme_pair_read(struct acme_bytes chain_pem, struct acme_bytes key_pem,
    struct acme_pair_facts *facts, struct acme_error *err)
{
    struct acme_key *key = acme_key_read(key_pem, err);
    STACK_OF(X509) *chain = NULL;
    bool ok = false;

    if (key != NULL) {
        chain = read_chain(chain_pem, err);
    }
    if (chain != NULL) {
        ok = check_key(sk_X509_value(chain, 0), key, err);
    }
    if (ok) {
        describe(sk_X509_value(chain, 0), key, facts);
    }
    free_chain(chain);
    acme_key_free(key);
    ERR_clear_error();
    return ok;
}

bool
acme_pair_matches(struct acme_bytes chain_pem, struct acme_bytes key_pem,
    struct acme_error *err)
{
    struct acme_pair_facts ignored;

    return acme_pair_read(chain_pem, key_pem, &ignored, err);
}
