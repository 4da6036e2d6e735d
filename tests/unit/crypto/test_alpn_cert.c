/* What tls-alpn-01 shows, read back as a CA reads it (RFC 8737 3). */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "crypto/alpn_cert.h"
#include "crypto/key.h"

#define KEY_AUTH "token-1_A.dGhlIHRodW1icHJpbnQgb2YgYW4gYWNjb3VudCBrZXk"

enum { NOW = 1800000000, DER_MAX = 896, KEY_DER_MAX = 192 };

struct made {
    struct acme_buffer cert_der, key_der;
    X509 *cert;
    EVP_PKEY *key;
};

static struct made
make(const char *identifier)
{
    struct made made = { ACME_BUFFER(DER_MAX), ACME_BUFFER(KEY_DER_MAX),
        NULL, NULL };
    const unsigned char *at;
    struct acme_error err;

    if (!acme_alpn_cert_write(identifier, acme_bytes_of(KEY_AUTH), NOW,
            &made.cert_der, &made.key_der, &err)) {
        fail_msg("%s", err.text);
    }
    at = made.cert_der.at;
    made.cert = d2i_X509(NULL, &at, (long) made.cert_der.len);
    assert_non_null(made.cert);
    assert_ptr_equal(at, made.cert_der.at + made.cert_der.len);
    at = made.key_der.at;
    made.key = d2i_AutoPrivateKey(NULL, &at, (long) made.key_der.len);
    assert_non_null(made.key);
    assert_ptr_equal(at, made.key_der.at + made.key_der.len);
    assert_int_equal(ERR_peek_error(), 0);
    return made;
}

static void
unmake(struct made *made)
{
    X509_free(made->cert);
    EVP_PKEY_free(made->key);
    acme_buffer_free(&made->cert_der);
    acme_buffer_wipe(&made->key_der);
}

/* The one name in the certificate; GEN_DNS or GEN_IPADD in *type. */
static struct acme_bytes
only_name(const struct made *made, int *type)
{
    static uint8_t text[256];
    GENERAL_NAMES *names = X509_get_ext_d2i(made->cert, NID_subject_alt_name,
        NULL, NULL);
    ASN1_STRING *value;
    struct acme_bytes name = { text, 0 };

    assert_non_null(names);
    assert_int_equal(sk_GENERAL_NAME_num(names), 1);
    value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, 0), type);
    name.len = (size_t) ASN1_STRING_length(value);
    assert_true(name.len <= sizeof(text));
    memcpy(text, ASN1_STRING_get0_data(value), name.len);
    GENERAL_NAMES_free(names);
    return name;
}

static void
it_holds_the_digest_in_a_critical_extension(void **state)
{
    struct made made = make("example.test");
    ASN1_OBJECT *type = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
    int at = X509_get_ext_by_OBJ(made.cert, type, -1);
    X509_EXTENSION *extension = X509_get_ext(made.cert, at);
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(extension);
    struct acme_error err;
    uint8_t expected[34] = { 0x04, 0x20 };

    (void) state;
    assert_true(at >= 0);
    assert_int_equal(X509_EXTENSION_get_critical(extension), 1);
    assert_true(acme_sha256(acme_bytes_of(KEY_AUTH), expected + 2, &err));
    assert_int_equal(ASN1_STRING_length(value), 34);
    assert_memory_equal(ASN1_STRING_get0_data(value), expected, 34);
    assert_int_equal(X509_get_ext_by_OBJ(made.cert, type, at), -1);
    ASN1_OBJECT_free(type);
    unmake(&made);
}

static void
it_is_signed_by_its_own_key_of_p256(void **state)
{
    struct made made = make("example.test");
    char curve[32] = "";
    size_t len;

    (void) state;
    assert_int_equal(X509_verify(made.cert, made.key), 1);
    assert_int_equal(X509_check_private_key(made.cert, made.key), 1);
    assert_int_equal(EVP_PKEY_get_group_name(made.key, curve, sizeof(curve),
        &len), 1);
    assert_string_equal(curve, "prime256v1");
    assert_int_equal(X509_get_version(made.cert), X509_VERSION_3);
    unmake(&made);
}

static void
it_has_the_identifier_as_its_only_name(void **state)
{
    static const uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 0x2a };
    struct made made = make("example.test");
    struct acme_bytes name;
    int type;

    (void) state;
    name = only_name(&made, &type);
    assert_int_equal(type, GEN_DNS);
    assert_true(acme_bytes_equal(name, acme_bytes_of("example.test")));
    unmake(&made);

    made = make("192.0.2.1");
    name = only_name(&made, &type);
    assert_int_equal(type, GEN_IPADD);
    assert_int_equal(name.len, 4);
    assert_memory_equal(name.at, "\xc0\x00\x02\x01", 4);
    unmake(&made);

    made = make("2001:db8::2a");
    name = only_name(&made, &type);
    assert_int_equal(type, GEN_IPADD);
    assert_int_equal(name.len, 16);
    assert_memory_equal(name.at, v6, 16);
    unmake(&made);
}

/* What a page has room for, and the make() above. */
static void
the_longest_name_fits_into_896_bytes(void **state)
{
    char name[254];
    struct made made;

    (void) state;
    memset(name, 'a', 253);
    name[63] = name[127] = name[191] = '.';
    name[253] = '\0';
    made = make(name);
    assert_true(made.cert_der.len < DER_MAX - 128);
    unmake(&made);
}

static void
no_key_is_made_twice(void **state)
{
    struct made one = make("example.test"), two = make("example.test");

    (void) state;
    assert_int_not_equal(EVP_PKEY_eq(one.key, two.key), 1);
    unmake(&one);
    unmake(&two);
}

static void
a_full_buffer_fails(void **state)
{
    struct acme_buffer small = ACME_BUFFER(100), large = ACME_BUFFER(DER_MAX);
    struct acme_error err;

    (void) state;
    assert_false(acme_alpn_cert_write("a.test", acme_bytes_of(KEY_AUTH), NOW,
        &small, &large, &err));
    assert_int_equal(err.verdict, ACME_LOCAL);
    assert_false(acme_alpn_cert_write("a.test", acme_bytes_of(KEY_AUTH), NOW,
        &large, &small, &err));
    assert_int_equal(small.len, 0);
    acme_buffer_free(&large);
}

static const struct {
    const char *identifier;
    const char *name;
} server_names[] = {
    { "example.test", "example.test" },
    { "EXAMPLE.Test", "example.test" },
    { "192.0.2.1", "1.2.0.192.in-addr.arpa" },
    { "255.255.255.255", "255.255.255.255.in-addr.arpa" },
    { "2001:db8::1", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
        "0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa" },
    { "::", "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
        "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa" },
    { "", NULL },
};

static void
it_is_asked_for_by_a_name_that_sni_allows(void **state)
{
    char name[ACME_SERVER_NAME_MAX + 1], longest[ACME_SERVER_NAME_MAX + 2];

    (void) state;
    for (size_t i = 0; i < sizeof(server_names) / sizeof(*server_names);
         i++) {
        bool ok = acme_server_name_of(server_names[i].identifier, name);

        assert_int_equal(ok, server_names[i].name != NULL);
        if (ok) {
            assert_string_equal(name, server_names[i].name);
        }
    }
    memset(longest, 'a', sizeof(longest));
    longest[ACME_SERVER_NAME_MAX + 1] = '\0';
    assert_false(acme_server_name_of(longest, name));
    longest[ACME_SERVER_NAME_MAX] = '\0';
    assert_true(acme_server_name_of(longest, name));
    assert_string_equal(name, longest);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_holds_the_digest_in_a_critical_extension),
        cmocka_unit_test(it_is_signed_by_its_own_key_of_p256),
        cmocka_unit_test(it_has_the_identifier_as_its_only_name),
        cmocka_unit_test(the_longest_name_fits_into_896_bytes),
        cmocka_unit_test(no_key_is_made_twice),
        cmocka_unit_test(a_full_buffer_fails),
        cmocka_unit_test(it_is_asked_for_by_a_name_that_sni_allows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
