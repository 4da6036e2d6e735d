/* Requests, and the distrust in what comes back for them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/x509.h"
#include "make_cert.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { NOW = 1800000000, FROM = NOW - DAY, UNTIL = NOW + 90 * DAY };

static const char *const names[] = { "a.test", "www.a.test" };

/* One root, one intermediate, one leaf, made once. */
static struct {
    struct acme_key *root_key, *middle_key, *key, *other_key;
    X509 *root, *middle, *leaf;
} ca;

static int
make_ca(void **state)
{
    (void) state;
    ca.root_key = new_key();
    ca.middle_key = new_key();
    ca.key = new_key();
    ca.other_key = new_key();
    ca.root = make_cert(&(struct wish) { .subject = "Root", .issuer = "Root",
        .key = ca.root_key, .from = FROM, .until = UNTIL });
    ca.middle = make_cert(&(struct wish) { .subject = "Middle",
        .issuer = "Root", .key = ca.middle_key, .signer = ca.root_key,
        .from = FROM, .until = UNTIL });
    ca.leaf = make_cert(&(struct wish) { .issuer = "Middle", .key = ca.key,
        .signer = ca.middle_key, .names = names, .name_count = 2,
        .from = FROM, .until = UNTIL });
    return 0;
}

static int
free_ca(void **state)
{
    (void) state;
    X509_free(ca.root);
    X509_free(ca.middle);
    X509_free(ca.leaf);
    acme_key_free(ca.root_key);
    acme_key_free(ca.middle_key);
    acme_key_free(ca.key);
    acme_key_free(ca.other_key);
    return 0;
}

static bool
read_leaf(const struct acme_buffer *pem, struct acme_leaf *leaf,
    struct acme_error *err)
{
    bool ok = acme_leaf_read(acme_buffer_bytes(pem), leaf, err);

    assert_int_equal(ERR_peek_error(), 0);
    if (!ok) {
        assert_int_equal(err->verdict, ACME_PEER_BROKE);
        assert_null(leaf->names);
    }
    return ok;
}

/* ---- requests */

static X509_REQ *
read_request(const struct acme_buffer *der)
{
    const unsigned char *at = der->at;
    X509_REQ *request = d2i_X509_REQ(NULL, &at, (long) der->len);

    assert_non_null(request);
    assert_ptr_equal(at, der->at + der->len);
    return request;
}

static void
a_request_holds_the_names_and_nothing_else(void **state)
{
    static const enum acme_key_type types[] = { ACME_KEY_ECDSA_256,
        ACME_KEY_ECDSA_384, ACME_KEY_RSA_2048 };
    static const char *const wanted[] = { "b.test", "192.0.2.1", "a.test",
        "2001:db8::1" };

    (void) state;
    for (unsigned i = 0; i < COUNT(types); i++) {
        struct acme_buffer der = ACME_BUFFER(8192);
        struct acme_error err;
        struct acme_key *key = acme_key_new(types[i], &err);
        STACK_OF(X509_EXTENSION) *extensions;
        X509_EXTENSION *expected = acme_san_new(wanted, 4);
        X509_REQ *request;

        assert_true(acme_csr_write(key, wanted, 4, &der, &err));
        assert_int_equal(ERR_peek_error(), 0);
        request = read_request(&der);
        assert_int_equal(X509_REQ_get_version(request), X509_REQ_VERSION_1);
        assert_int_equal(X509_REQ_verify(request, key->pkey), 1);
        assert_int_equal(EVP_PKEY_eq(X509_REQ_get0_pubkey(request),
            key->pkey), 1);
        assert_int_equal(X509_NAME_entry_count(
            X509_REQ_get_subject_name(request)), 0);
        assert_int_equal(X509_REQ_get_attr_count(request), 1);
        extensions = X509_REQ_get_extensions(request);
        assert_int_equal(sk_X509_EXTENSION_num(extensions), 1);
        assert_int_equal(ASN1_OCTET_STRING_cmp(X509_EXTENSION_get_data(
            sk_X509_EXTENSION_value(extensions, 0)),
            X509_EXTENSION_get_data(expected)), 0);
        sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
        X509_EXTENSION_free(expected);
        X509_REQ_free(request);
        acme_key_free(key);
        acme_buffer_free(&der);
    }
}

static void
a_full_buffer_takes_no_request(void **state)
{
    struct acme_buffer der = ACME_BUFFER(100);
    struct acme_error err;

    (void) state;
    assert_false(acme_csr_write(ca.key, names, 2, &der, &err));
    assert_int_equal(err.verdict, ACME_LOCAL);
    assert_int_equal(der.len, 0);
}

/* ---- reading a leaf */

static void
push_name(GENERAL_NAMES *list, int type, int asn1_type, const void *data,
    int len)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *value = ASN1_STRING_type_new(asn1_type);

    assert_int_equal(ASN1_STRING_set(value, data, len), 1);
    GENERAL_NAME_set0_value(name, type, value);
    assert_true(sk_GENERAL_NAME_push(list, name) > 0);
}

static void
push_dns(GENERAL_NAMES *list, const void *data, int len)
{
    push_name(list, GEN_DNS, V_ASN1_IA5STRING, data, len);
}

static void
what_a_leaf_says_is_read(void **state)
{
    struct acme_buffer pem = ACME_BUFFER(CHAIN_MAX);
    GENERAL_NAMES *san = sk_GENERAL_NAME_new_null();
    struct acme_leaf leaf;
    struct acme_error err;

    (void) state;
    push_dns(san, "WWW.A.test", 10);
    push_name(san, GEN_EMAIL, V_ASN1_IA5STRING, "a@a.test", 8);
    push_name(san, GEN_IPADD, V_ASN1_OCTET_STRING, "\xc0\0\2\1", 4);
    push_name(san, GEN_URI, V_ASN1_IA5STRING, "https://a.test", 14);
    push_name(san, GEN_IPADD, V_ASN1_OCTET_STRING,
        "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
    push_dns(san, "*.a.test", 8);
    give_pem(&pem, make_cert(&(struct wish) { .subject = "subject",
        .issuer = "E\"7\n\xc3\xa9", .key = ca.key, .san = san,
        .from = 0, .until = 4102444800 }));
    assert_true(read_leaf(&pem, &leaf, &err));
    assert_true(leaf.not_before == 0);
    assert_true(leaf.not_after == 4102444800);
    assert_string_equal(leaf.issuer, "E\\x227\\x0a\\xc3\\xa9");
    assert_string_equal(leaf.serial, "01af");
    assert_int_equal(leaf.name_count, 4);
    assert_string_equal(leaf.names[0], "www.a.test");
    assert_string_equal(leaf.names[1], "192.0.2.1");
    assert_string_equal(leaf.names[2], "2001:db8::1");
    assert_string_equal(leaf.names[3], "*.a.test");
    acme_leaf_free(&leaf);
    acme_leaf_free(&leaf);
    acme_buffer_free(&pem);
}

static void
a_leaf_without_names_has_none(void **state)
{
    struct acme_buffer pem = ACME_BUFFER(CHAIN_MAX);
    struct acme_leaf leaf;
    struct acme_error err;

    (void) state;
    add_pem(&pem, ca.root);
    assert_true(read_leaf(&pem, &leaf, &err));
    assert_int_equal(leaf.name_count, 0);
    acme_leaf_free(&leaf);
    acme_buffer_free(&pem);
}

static const struct {
    const char *what;
    int type, asn1_type;
    const char *data;
    int len;
} bad_names[] = {
    { "a NUL", GEN_DNS, V_ASN1_IA5STRING, "a.test\0.evil.test", 17 },
    { "an empty name", GEN_DNS, V_ASN1_IA5STRING, "", 0 },
    { "a space", GEN_DNS, V_ASN1_IA5STRING, "a .test", 7 },
    { "a new line", GEN_DNS, V_ASN1_IA5STRING, "a.test\n", 7 },
    { "delete", GEN_DNS, V_ASN1_IA5STRING, "a.test\x7f", 7 },
    { "UTF-8", GEN_DNS, V_ASN1_IA5STRING, "\xc3\xa9.test", 7 },
    { "no address", GEN_IPADD, V_ASN1_OCTET_STRING, "", 0 },
    { "three bytes of address", GEN_IPADD, V_ASN1_OCTET_STRING, "abc", 3 },
    { "five bytes of address", GEN_IPADD, V_ASN1_OCTET_STRING, "abcde", 5 },
    { "address and mask", GEN_IPADD, V_ASN1_OCTET_STRING, "abcdefgh", 8 },
};

static void
a_leaf_with_a_malformed_name_is_refused(void **state)
{
    (void) state;
    for (unsigned i = 0; i < COUNT(bad_names); i++) {
        struct acme_buffer pem = ACME_BUFFER(CHAIN_MAX);
        GENERAL_NAMES *san = sk_GENERAL_NAME_new_null();
        struct acme_leaf leaf;
        struct acme_error err;

        push_dns(san, "good.test", 9);
        push_name(san, bad_names[i].type, bad_names[i].asn1_type,
            bad_names[i].data, bad_names[i].len);
        give_pem(&pem, make_cert(&(struct wish) { .key = ca.key, .san = san,
            .from = FROM, .until = UNTIL }));
        if (read_leaf(&pem, &leaf, &err)) {
            fail_msg("%s was taken", bad_names[i].what);
        }
        assert_non_null(strstr(err.text, "name"));
        acme_buffer_free(&pem);
    }
}

static void
names_of_253_bytes_are_the_longest(void **state)
{
    char text[254];

    (void) state;
    memset(text, 'x', sizeof(text));
    for (int len = 253; len <= 254; len++) {
        struct acme_buffer pem = ACME_BUFFER(CHAIN_MAX);
        GENERAL_NAMES *san = sk_GENERAL_NAME_new_null();
        struct acme_leaf leaf;
        struct acme_error err;

        push_dns(san, text, len);
        give_pem(&pem, make_cert(&(struct wish) { .key = ca.key, .san = san,
            .from = FROM, .until = UNTIL }));
        assert_int_equal(read_leaf(&pem, &leaf, &err), len == 253);
        acme_leaf_free(&leaf);
        acme_buffer_free(&pem);
    }
}

static void
a_thousand_names_are_the_most(void **state)
{
    (void) state;
    for (unsigned count = 1000; count <= 1001; count++) {
        struct acme_buffer pem = ACME_BUFFER(CHAIN_MAX);
        GENERAL_NAMES *san = sk_GENERAL_NAME_new_null();
        struct acme_leaf leaf;
        struct acme_error err;

        for (unsigned i = 0; i < count; i++) {
            push_dns(san, "a.test", 6);
        }
        give_pem(&pem, make_cert(&(struct wish) { .key = ca.key, .san = san,
            .from = FROM, .until = UNTIL }));
        assert_int_equal(read_leaf(&pem, &leaf, &err), count == 1000);
        acme_leaf_free(&leaf);
        acme_buffer_free(&pem);
    }
}

/* The leaf with the serial number of `len` bytes 0x7f, and its sign. */
static bool
read_serial(int len, bool negative, struct acme_leaf *leaf)
{
    struct acme_buffer pem = ACME_BUFFER(CHAIN_MAX);
    X509 *cert = X509_dup(ca.leaf);
    unsigned char bytes[40];
    BIGNUM *number;
    struct acme_error err;
    bool ok;

    memset(bytes, 0x7f, sizeof(bytes));
    number = BN_bin2bn(bytes, len, NULL);
    BN_set_negative(number, negative);
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
    BN_free(number);
    sign_again(cert, ca.middle_key);
    give_pem(&pem, cert);
    ok = read_leaf(&pem, leaf, &err);
    acme_buffer_free(&pem);
    return ok;
}

static void
serial_numbers_have_bounds(void **state)
{
    struct acme_leaf leaf;

    (void) state;
    assert_true(read_serial(20, false, &leaf));
    assert_string_equal(leaf.serial,
        "7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f");
    acme_leaf_free(&leaf);
    assert_true(read_serial(2, true, &leaf));
    assert_string_equal(leaf.serial, "-7f7f");
    acme_leaf_free(&leaf);
    assert_false(read_serial(40, false, &leaf));
}

/* ---- identifiers for renewal information */

/* RFC 9773, appendix A, and what section 4.1 says of it. */
static const char rfc_9773[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt\n"
    "cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS\n"
    "BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu\n"
    "7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf\n"
    "qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B\n"
    "yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb\n"
    "+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK\n"
    "-----END CERTIFICATE-----\n";

static void
the_example_of_rfc_9773_has_the_identifier_of_rfc_9773(void **state)
{
    struct acme_leaf leaf;
    struct acme_error err;

    (void) state;
    assert_true(acme_leaf_read(acme_bytes_of(rfc_9773), &leaf, &err));
    assert_string_equal(leaf.cert_id, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
    acme_leaf_free(&leaf);
}

/* The leaf with an issuer's key identifier of so many bytes 0xff, and with
 * the low or high serial number; -1: the extension names no key. */
static void
read_with_key_id(int key_id_len, bool high, struct acme_leaf *leaf)
{
    static const unsigned char ones[200] = { [0 ... 199] = 0xff };
    struct acme_buffer pem = ACME_BUFFER(CHAIN_MAX);
    AUTHORITY_KEYID *issuer = AUTHORITY_KEYID_new();
    X509 *cert = X509_dup(ca.leaf);
    struct acme_error err;

    if (key_id_len >= 0) {
        issuer->keyid = ASN1_OCTET_STRING_new();
        assert_int_equal(ASN1_OCTET_STRING_set(issuer->keyid, ones,
            key_id_len), 1);
    }
    assert_int_equal(X509_add1_ext_i2d(cert, NID_authority_key_identifier,
        issuer, 0, X509V3_ADD_DEFAULT), 1);
    AUTHORITY_KEYID_free(issuer);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert),
        high ? 0x8000 : 0x7fff);
    sign_again(cert, ca.middle_key);
    give_pem(&pem, cert);
    assert_true(read_leaf(&pem, leaf, &err));
    acme_leaf_free(leaf);
    acme_buffer_free(&pem);
}

static void
an_identifier_keeps_the_bytes_of_the_serial_number(void **state)
{
    struct acme_leaf leaf;

    (void) state;
    read_with_key_id(2, false, &leaf);
    assert_string_equal(leaf.cert_id, "__8.f_8");
    read_with_key_id(2, true, &leaf);
    assert_string_equal(leaf.cert_id, "__8.AIAA");
    read_with_key_id(64, true, &leaf);
    assert_int_equal(strlen(leaf.cert_id), 86 + 1 + 4);
}

static void
without_a_key_of_the_issuer_there_is_no_identifier(void **state)
{
    struct acme_buffer pem = ACME_BUFFER(CHAIN_MAX);
    struct acme_leaf leaf;
    struct acme_error err;

    (void) state;
    add_pem(&pem, ca.leaf);
    assert_true(read_leaf(&pem, &leaf, &err));
    assert_string_equal(leaf.cert_id, "");
    acme_leaf_free(&leaf);
    acme_buffer_free(&pem);
    read_with_key_id(-1, false, &leaf);
    assert_string_equal(leaf.cert_id, "");
    read_with_key_id(0, false, &leaf);
    assert_string_equal(leaf.cert_id, "");
    read_with_key_id(200, false, &leaf);
    assert_string_equal(leaf.cert_id, "");
}

static void
malformed_dates_are_refused(void **state)
{
    static const char *const dates[] = { "", "x", "20261123", "271301000000Z",
        "271123000000" };

    (void) state;
    for (unsigned i = 0; i < 2 * COUNT(dates); i++) {
        struct acme_buffer pem = ACME_BUFFER(CHAIN_MAX);
        X509 *cert = X509_dup(ca.leaf);
        struct acme_leaf leaf;
        struct acme_error err;

        ASN1_STRING_set(i % 2 == 0 ? X509_getm_notBefore(cert)
            : X509_getm_notAfter(cert), dates[i / 2], -1);
        sign_again(cert, ca.middle_key);
        give_pem(&pem, cert);
        if (read_leaf(&pem, &leaf, &err)) {
            fail_msg("\"%s\" was taken", dates[i / 2]);
        }
        acme_buffer_free(&pem);
    }
}

/* ---- reading PEM */

static void
comments_and_crlf_are_no_matter(void **state)
{
    struct acme_buffer pem = ACME_BUFFER(CHAIN_MAX);
    struct acme_buffer crlf = ACME_BUFFER(CHAIN_MAX);
    struct acme_leaf leaf;
    struct acme_error err;

    (void) state;
    assert_true(acme_buffer_add_text(&pem, "subject=leaf\n"));
    add_pem(&pem, ca.leaf);
    assert_true(acme_buffer_add_text(&pem, "\n\nissuer\n"));
    add_pem(&pem, ca.middle);
    assert_true(acme_buffer_add_text(&pem, "\nthe end"));
    for (size_t i = 0; i < pem.len; i++) {
        assert_true(acme_buffer_add(&crlf, pem.at[i] == '\n' ? "\r\n"
            : (char *) pem.at + i, pem.at[i] == '\n' ? 2 : 1));
    }
    assert_true(read_leaf(&pem, &leaf, &err));
    acme_leaf_free(&leaf);
    assert_true(read_leaf(&crlf, &leaf, &err));
    assert_string_equal(leaf.issuer, "Middle");
    acme_leaf_free(&leaf);
    acme_buffer_free(&pem);
    acme_buffer_free(&crlf);
}

/* The same certificates, whatever came before, between and behind them. */
static void
a_tidy_chain_is_pem_and_nothing_else(void **state)
{
    static const struct {
        const char *what, *before, *between, *behind;
        bool crlf, cut;
    } forms[] = {
        { "plain", "", "", "", false, false },
        { "CRLF", "", "", "", true, false },
        { "no last newline", "", "", "", false, true },
        { "blank lines", "\n\n", "\n\n\n", "\n\n", false, false },
        { "CRLF, blank lines, no last newline", "\n", "\n", "", true, true },
        { "comments", "subject=leaf\n", "\nissuer\n", "end", false, false },
        { "spaces", "", "  \t\n", " ", false, false },
    };
    struct acme_buffer wanted = ACME_BUFFER(CHAIN_MAX);

    (void) state;
    add_pem(&wanted, ca.leaf);
    add_pem(&wanted, ca.middle);
    for (unsigned i = 0; i < COUNT(forms); i++) {
        struct acme_buffer pem = ACME_BUFFER(CHAIN_MAX);
        struct acme_buffer sent = ACME_BUFFER(CHAIN_MAX);
        struct acme_buffer tidy = ACME_BUFFER(CHAIN_MAX);
        struct acme_error err;

        assert_true(acme_buffer_add_text(&pem, forms[i].before));
        add_pem(&pem, ca.leaf);
        assert_true(acme_buffer_add_text(&pem, forms[i].between));
        add_pem(&pem, ca.middle);
        assert_true(acme_buffer_add_text(&pem, forms[i].behind));
        pem.len -= forms[i].cut;
        for (size_t at = 0; at < pem.len; at++) {
            assert_true((pem.at[at] != '\n' || !forms[i].crlf
                    || acme_buffer_add_text(&sent, "\r"))
                && acme_buffer_add(&sent, pem.at + at, 1));
        }
        assert_true(acme_chain_tidy(acme_buffer_bytes(&sent), &tidy, &err));
        assert_int_equal(ERR_peek_error(), 0);
        if (!acme_bytes_equal(acme_buffer_bytes(&tidy),
            acme_buffer_bytes(&wanted))) {
            fail_msg("%s: %s", forms[i].what, acme_buffer_text(&tidy));
        }
        acme_buffer_free(&pem);
        acme_buffer_free(&sent);
        acme_buffer_free(&tidy);
    }
    acme_buffer_free(&wanted);
}

static void
what_is_no_chain_or_does_not_fit_is_not_tidied(void **state)
{
    struct acme_buffer pem = ACME_BUFFER(CHAIN_MAX);
    struct acme_buffer small = ACME_BUFFER(100);
    struct acme_error err;

    (void) state;
    assert_false(acme_chain_tidy(acme_bytes_of("hello"), &pem, &err));
    assert_int_equal(err.verdict, ACME_PEER_BROKE);
    add_pem(&pem, ca.leaf);
    assert_false(acme_chain_tidy(acme_buffer_bytes(&pem), &small, &err));
    assert_int_equal(err.verdict, ACME_LOCAL);
    assert_int_equal(small.len, 0);
    assert_int_equal(ERR_peek_error(), 0);
    acme_buffer_free(&pem);
}

static const struct {
    const char *what, *text;
} no_chains[] = {
    { "nothing", "" },
    { "text", "hello" },
    { "HTML", "<html></html>" },
    { "a beginning", "-----BEGIN CERTIFICATE-----\n" },
    { "an empty certificate", "-----BEGIN CERTIFICATE-----\n"
        "-----END CERTIFICATE-----\n" },
    { "no base64", "-----BEGIN CERTIFICATE-----\n!!!!\n"
        "-----END CERTIFICATE-----\n" },
    { "no DER", "-----BEGIN CERTIFICATE-----\nZm9v\n"
        "-----END CERTIFICATE-----\n" },
    { "another end", "-----BEGIN CERTIFICATE-----\nZm9v\n"
        "-----END PRIVATE KEY-----\n" },
    { "a key", "-----BEGIN PRIVATE KEY-----\nZm9v\n"
        "-----END PRIVATE KEY-----\n" },
};

static void
what_is_no_chain_is_refused_first_and_second(void **state)
{
    (void) state;
    for (unsigned i = 0; i < COUNT(no_chains); i++) {
        struct acme_buffer pem = ACME_BUFFER(CHAIN_MAX);
        struct acme_leaf leaf;
        struct acme_error err;

        assert_true(acme_buffer_add_text(&pem, no_chains[i].text));
        if (read_leaf(&pem, &leaf, &err)) {
            fail_msg("%s was taken", no_chains[i].what);
        }
        acme_buffer_clear(&pem);
        add_pem(&pem, ca.leaf);
        assert_true(acme_buffer_add_text(&pem, no_chains[i].text));
        if (strstr(no_chains[i].text, "BEGIN ") != NULL
            && read_leaf(&pem, &leaf, &err)) {
            fail_msg("%s was taken as the second", no_chains[i].what);
        }
        acme_buffer_free(&pem);
    }
}

static void
a_certificate_cut_short_is_refused(void **state)
{
    struct acme_buffer pem = ACME_BUFFER(CHAIN_MAX);
    struct acme_leaf leaf;
    struct acme_error err;
    size_t first;

    (void) state;
    add_pem(&pem, ca.leaf);
    first = pem.len;
    add_pem(&pem, ca.middle);
    /* the last new line and hyphens are no part of a certificate */
    for (size_t len = 0; len < pem.len - 6; len++) {
        uint8_t *part = malloc(len > 0 ? len : 1);
        bool ok;

        memcpy(part, pem.at, len);
        ok = acme_leaf_read((struct acme_bytes) { part, len }, &leaf, &err);
        /* half a first line of the second begins no certificate */
        if (ok && (len < first - 6 || len > first + 26)) {
            fail_msg("%zu of %zu bytes were taken", len, pem.len);
        }
        acme_leaf_free(&leaf);
        free(part);
    }
    acme_buffer_free(&pem);
}

static void
ten_certificates_are_the_most(void **state)
{
    struct acme_buffer pem = ACME_BUFFER(CHAIN_MAX);
    struct acme_leaf leaf;
    struct acme_error err;

    (void) state;
    for (int i = 0; i < 10; i++) {
        add_pem(&pem, ca.leaf);
    }
    assert_true(read_leaf(&pem, &leaf, &err));
    acme_leaf_free(&leaf);
    add_pem(&pem, ca.leaf);
    assert_false(read_leaf(&pem, &leaf, &err));
    assert_non_null(strstr(err.text, "10 certificates"));
    acme_buffer_free(&pem);
}

static void
sixty_four_kibibytes_are_the_most(void **state)
{
    struct acme_buffer pem = ACME_BUFFER(CHAIN_MAX + 1);
    struct acme_leaf leaf;
    struct acme_error err;

    (void) state;
    add_pem(&pem, ca.leaf);
    while (pem.len < CHAIN_MAX) {
        assert_true(acme_buffer_add_text(&pem, "\n"));
    }
    assert_true(read_leaf(&pem, &leaf, &err));
    acme_leaf_free(&leaf);
    assert_true(acme_buffer_add_text(&pem, "\n"));
    assert_false(read_leaf(&pem, &leaf, &err));
    acme_buffer_free(&pem);
}

/* OpenSSL would decrypt a certificate, and ask whoever sits there how. */
static void
an_encrypted_certificate_is_refused_and_nobody_is_asked(void **state)
{
    struct acme_buffer pem = ACME_BUFFER(CHAIN_MAX);
    BIO *bio = BIO_new(BIO_s_mem());
    int fds[2], status, left;
    char *data;
    long len;
    pid_t pid;

    (void) state;
    assert_int_equal(PEM_ASN1_write_bio((i2d_of_void *) i2d_X509,
        PEM_STRING_X509, bio, ca.leaf, EVP_aes_128_cbc(),
        (unsigned char *) "secret", 6, NULL, NULL), 1);
    len = BIO_get_mem_data(bio, &data);
    assert_true(acme_buffer_add(&pem, data, (size_t) len));
    BIO_free(bio);

    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "secret\n", 7), 7);
    pid = fork();
    if (pid == 0) {
        struct acme_leaf leaf;
        struct acme_error err;

        setsid();
        dup2(fds[0], 0);
        alarm(60);
        _exit(acme_leaf_read(acme_buffer_bytes(&pem), &leaf, &err));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(ioctl(fds[0], FIONREAD, &left), 0);
    assert_int_equal(left, 7);
    close(fds[0]);
    close(fds[1]);
    acme_buffer_free(&pem);
}

/* ---- which names a leaf covers */

static const struct {
    const char *in_leaf, *name;
    bool covered;
} coverage[] = {
    { "a.test", "a.test", true },
    { "a.test", "A.Test", true },
    { "a.test", "www.a.test", false },
    { "a.test", "b.a.test", false },
    { "www.a.test", "a.test", false },
    { "a.test", "a.test.evil.test", false },
    { "a.test", "a.tes", false },
    { "*.a.test", "www.a.test", true },
    { "*.a.test", "WWW.A.TEST", true },
    { "*.A.test", "www.a.test", true },
    { "*.a.test", "a.test", false },
    { "*.a.test", "b.www.a.test", false },
    { "*.a.test", ".a.test", false },
    { "*.a.test", "*.a.test", true },
    { "*.a.test", "*.b.a.test", false },
    { "*.test", "*.a.test", false },
    { "*.test", "a.test", true },
    { "*.*.test", "a.b.test", false },
    { "w*.a.test", "www.a.test", false },
    { "*", "test", false },
    { "www.a.test", "*.a.test", false },
    { "192.0.2.1", "192.0.2.1", true },
    { "192.0.2.1", "192.0.2.2", false },
    { "*.0.2.1", "192.0.2.1", false },
    { "2001:db8::1", "2001:DB8:0:0::1", true },
    { "2001:db8::1", "2001:db8::2", false },
    { "::ffff:192.0.2.1", "::ffff:c000:201", true },
    { "192.0.2.1", "::ffff:192.0.2.1", false },
};

static void
a_wildcard_stands_for_one_label_of_a_host_name(void **state)
{
    (void) state;
    for (unsigned i = 0; i < COUNT(coverage); i++) {
        char *in_leaf = (char *) coverage[i].in_leaf;
        struct acme_leaf leaf = { .names = &in_leaf, .name_count = 1 };
        const char *missing = "";

        if (acme_leaf_covers(&leaf, &coverage[i].name, 1, &missing)
            != coverage[i].covered) {
            fail_msg("%s and %s", coverage[i].in_leaf, coverage[i].name);
        }
        assert_string_equal(missing, coverage[i].covered ? ""
            : coverage[i].name);
    }
}

static void
the_first_name_that_is_missing_is_told(void **state)
{
    char *in_leaf[] = { "more.test", "*.a.test", "a.test" };
    struct acme_leaf leaf = { .names = in_leaf, .name_count = 3 }, none = { 0 };
    const char *const all[] = { "a.test", "www.a.test" };
    const char *const some[] = { "a.test", "c.test", "b.test" };
    const char *missing;

    (void) state;
    assert_true(acme_leaf_covers(&leaf, all, 2, &missing));
    assert_true(acme_leaf_covers(&leaf, NULL, 0, &missing));
    assert_false(acme_leaf_covers(&leaf, some, 3, &missing));
    assert_string_equal(missing, "c.test");
    assert_false(acme_leaf_covers(&none, all, 1, &missing));
    assert_string_equal(missing, "a.test");
}

/* ---- the check of a chain */

struct chain_case {
    X509 *certs[4];
    const struct acme_key *key;
    const char *const *names;
    size_t name_count;
    int64_t now;
    const char *words;   /* of the refusal; NULL: it passes */
};

static void
check_case(const char *what, const struct chain_case *chain)
{
    struct acme_buffer pem = ACME_BUFFER(CHAIN_MAX);
    struct acme_leaf leaf;
    struct acme_error err = { 0 };
    bool ok;

    for (unsigned i = 0; chain->certs[i] != NULL; i++) {
        add_pem(&pem, chain->certs[i]);
    }
    memset(&leaf, 'x', sizeof(leaf));
    ok = acme_chain_check(acme_buffer_bytes(&pem), chain->key, chain->names,
        chain->name_count, chain->now, &leaf, &err);
    if (ok != (chain->words == NULL)) {
        fail_msg("%s: %s", what, ok ? "passes" : err.text);
    }
    assert_int_equal(acme_chain_check(acme_buffer_bytes(&pem), chain->key,
        chain->names, chain->name_count, chain->now, NULL, &err), ok);
    assert_int_equal(ERR_peek_error(), 0);
    if (!ok) {
        assert_int_equal(err.verdict, ACME_PEER_BROKE);
        assert_null(leaf.names);
        if (strstr(err.text, chain->words) == NULL) {
            fail_msg("%s: \"%s\"", what, err.text);
        }
    }
    acme_leaf_free(&leaf);
    acme_buffer_free(&pem);
}

static void
chains_in_order_for_our_key_pass(void **state)
{
    struct chain_case whole = { { ca.leaf, ca.middle, ca.root }, ca.key,
        names, 2, NOW, NULL };
    struct chain_case usual = { { ca.leaf, ca.middle }, ca.key, names, 2,
        NOW, NULL };
    struct chain_case alone = { { ca.leaf }, ca.key, names, 2, NOW, NULL };
    struct chain_case fewer = { { ca.leaf, ca.middle }, ca.key, names, 1,
        NOW, NULL };
    struct chain_case unnamed = { { ca.leaf, ca.middle }, ca.key, NULL, 0,
        NOW, NULL };

    (void) state;
    check_case("with the root", &whole);
    check_case("without the root", &usual);
    check_case("the leaf alone", &alone);
    check_case("more names than asked for", &fewer);
    check_case("names unchecked", &unnamed);
}

static void
a_chain_for_another_key_is_refused(void **state)
{
    struct acme_key *rsa;
    struct acme_error err;
    struct chain_case other = { { ca.leaf, ca.middle }, ca.other_key, names,
        2, NOW, "another key" };

    (void) state;
    check_case("another key", &other);
    other.key = ca.middle_key;
    check_case("the issuer's key", &other);
    rsa = acme_key_new(ACME_KEY_RSA_2048, &err);
    other.key = rsa;
    check_case("another kind of key", &other);
    acme_key_free(rsa);
}

static void
a_chain_without_a_name_of_ours_is_refused(void **state)
{
    static const char *const more[] = { "a.test", "www.a.test", "b.test" };
    struct chain_case missing = { { ca.leaf, ca.middle }, ca.key, more, 3,
        NOW, "b.test is not in it" };

    (void) state;
    check_case("a name too few", &missing);
}

static void
a_chain_in_another_order_is_refused(void **state)
{
    struct chain_case skipped = { { ca.leaf, ca.root }, ca.key, names, 2,
        NOW, "certificate 1 is not issued" };
    struct chain_case swapped = { { ca.leaf, ca.root, ca.middle }, ca.key,
        names, 2, NOW, "certificate 1 is not issued" };
    struct chain_case twice = { { ca.leaf, ca.leaf }, ca.key, names, 2, NOW,
        "certificate 1 is not issued" };
    struct chain_case behind = { { ca.leaf, ca.middle, ca.leaf }, ca.key,
        names, 2, NOW, "certificate 2 is not issued" };
    struct chain_case leaf_last = { { ca.middle, ca.leaf }, ca.key, names, 2,
        NOW, "another key" };

    (void) state;
    check_case("a gap", &skipped);
    check_case("root before intermediate", &swapped);
    check_case("the leaf twice", &twice);
    check_case("the leaf at the end", &behind);
    check_case("the leaf behind its issuer", &leaf_last);
}

static void
an_issuer_in_name_only_is_refused(void **state)
{
    X509 *impostor = make_cert(&(struct wish) { .subject = "Middle",
        .issuer = "Root", .key = ca.other_key, .signer = ca.root_key,
        .from = FROM, .until = UNTIL });
    struct chain_case chain = { { ca.leaf, impostor }, ca.key, names, 2, NOW,
        "certificate 1 is not issued" };

    (void) state;
    check_case("an impostor", &chain);
    X509_free(impostor);
}

static const struct {
    const char *what;
    int64_t now;
    const char *words;
} moments[] = {
    { "an hour before it begins", FROM - 3600, NULL },
    { "more than an hour before it begins", FROM - 3601, "not valid yet" },
    { "when it begins", FROM, NULL },
    { "in its last second", UNTIL - 1, NULL },
    { "when it ends", UNTIL, "expired" },
    { "long after its end", UNTIL + 365 * DAY, "expired" },
    { "at the beginning of time", 0, "not valid yet" },
};

static void
a_leaf_is_in_date_within_an_hour_of_clock_difference(void **state)
{
    (void) state;
    for (unsigned i = 0; i < COUNT(moments); i++) {
        struct chain_case chain = { { ca.leaf, ca.middle }, ca.key, names, 2,
            moments[i].now, moments[i].words };

        check_case(moments[i].what, &chain);
    }
}

static void
a_chain_that_does_not_parse_is_refused(void **state)
{
    struct acme_leaf leaf;
    struct acme_error err;

    (void) state;
    memset(&leaf, 'x', sizeof(leaf));
    assert_false(acme_chain_check(acme_bytes_of("hello"), ca.key, names, 2,
        NOW, &leaf, &err));
    assert_int_equal(err.verdict, ACME_PEER_BROKE);
    assert_null(leaf.names);
    assert_int_equal(leaf.name_count, 0);
}

/* ---- pairs */

static void
a_pair_is_a_chain_and_its_key_whatever_the_date(void **state)
{
    struct acme_buffer pem = ACME_BUFFER(CHAIN_MAX);
    struct acme_buffer key = ACME_BUFFER(8192), other = ACME_BUFFER(8192);
    struct acme_bytes none = acme_bytes_of("hello");
    struct acme_pair_facts facts;
    struct acme_leaf leaf;
    struct acme_error err;

    (void) state;
    give_pem(&pem, make_cert(&(struct wish) { .key = ca.key, .from = 0,
        .until = 1 }));
    add_pem(&pem, ca.root);
    assert_true(acme_key_write(ca.key, &key, &err));
    assert_true(acme_key_write(ca.root_key, &other, &err));
    assert_true(acme_pair_matches(acme_buffer_bytes(&pem),
        acme_buffer_bytes(&key), &err));
    assert_true(acme_pair_read(acme_buffer_bytes(&pem),
        acme_buffer_bytes(&key), &facts, &err));
    assert_true(acme_leaf_read(acme_buffer_bytes(&pem), &leaf, &err));
    assert_int_equal(facts.key_type, acme_key_type_of_key(ca.key));
    assert_int_equal(facts.not_after, leaf.not_after);
    acme_leaf_free(&leaf);
    assert_false(acme_pair_matches(acme_buffer_bytes(&pem),
        acme_buffer_bytes(&other), &err));
    assert_non_null(strstr(err.text, "another key"));
    assert_false(acme_pair_matches(acme_buffer_bytes(&pem), none, &err));
    assert_non_null(strstr(err.text, "private key"));
    assert_false(acme_pair_matches(none, acme_buffer_bytes(&key), &err));
    assert_non_null(strstr(err.text, "chain"));
    assert_int_equal(ERR_peek_error(), 0);
    acme_buffer_free(&pem);
    acme_buffer_wipe(&key);
    acme_buffer_wipe(&other);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_holds_the_names_and_nothing_else),
        cmocka_unit_test(a_full_buffer_takes_no_request),
        cmocka_unit_test(what_a_leaf_says_is_read),
        cmocka_unit_test(a_leaf_without_names_has_none),
        cmocka_unit_test(a_leaf_with_a_malformed_name_is_refused),
        cmocka_unit_test(names_of_253_bytes_are_the_longest),
        cmocka_unit_test(a_thousand_names_are_the_most),
        cmocka_unit_test(serial_numbers_have_bounds),
        cmocka_unit_test(
            the_example_of_rfc_9773_has_the_identifier_of_rfc_9773),
        cmocka_unit_test(an_identifier_keeps_the_bytes_of_the_serial_number),
        cmocka_unit_test(without_a_key_of_the_issuer_there_is_no_identifier),
        cmocka_unit_test(malformed_dates_are_refused),
        cmocka_unit_test(comments_and_crlf_are_no_matter),
        cmocka_unit_test(a_tidy_chain_is_pem_and_nothing_else),
        cmocka_unit_test(what_is_no_chain_or_does_not_fit_is_not_tidied),
        cmocka_unit_test(what_is_no_chain_is_refused_first_and_second),
        cmocka_unit_test(a_certificate_cut_short_is_refused),
        cmocka_unit_test(ten_certificates_are_the_most),
        cmocka_unit_test(sixty_four_kibibytes_are_the_most),
        cmocka_unit_test(
            an_encrypted_certificate_is_refused_and_nobody_is_asked),
        cmocka_unit_test(a_wildcard_stands_for_one_label_of_a_host_name),
        cmocka_unit_test(the_first_name_that_is_missing_is_told),
        cmocka_unit_test(chains_in_order_for_our_key_pass),
        cmocka_unit_test(a_chain_for_another_key_is_refused),
        cmocka_unit_test(a_chain_without_a_name_of_ours_is_refused),
        cmocka_unit_test(a_chain_in_another_order_is_refused),
        cmocka_unit_test(an_issuer_in_name_only_is_refused),
        cmocka_unit_test(
            a_leaf_is_in_date_within_an_hour_of_clock_difference),
        cmocka_unit_test(a_chain_that_does_not_parse_is_refused),
        cmocka_unit_test(a_pair_is_a_chain_and_its_key_whatever_the_date),
    };

    return cmocka_run_group_tests(tests, make_ca, free_ca);
}
