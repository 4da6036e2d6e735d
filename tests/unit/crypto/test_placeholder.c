/* The placeholder is a certificate that a server can load and show. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#include "crypto/placeholder.h"
#include "crypto/x509.h"

enum { NOW = 1800000000, PEM_MAX = 16 * 1024 };

struct made {
    struct acme_buffer chain, key;
};

static struct made
make(const char *name)
{
    struct made made = { ACME_BUFFER(PEM_MAX), ACME_BUFFER(PEM_MAX) };
    struct acme_error err;

    if (!acme_placeholder_write(name, NOW, &made.chain, &made.key, &err)) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(ERR_peek_error(), 0);
    return made;
}

static void
unmake(struct made *made)
{
    acme_buffer_free(&made->chain);
    acme_buffer_wipe(&made->key);
}

/* Subject or issuer field as text; "" when it is not there. */
static void
read_field(const struct made *made, int nid, char out[256])
{
    BIO *bio = BIO_new_mem_buf(made->chain.at, (int) made->chain.len);
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    assert_non_null(cert);
    assert_int_equal(X509_NAME_cmp(X509_get_subject_name(cert),
        X509_get_issuer_name(cert)), 0);
    assert_int_equal(X509_get_version(cert), X509_VERSION_3);
    out[0] = '\0';
    X509_NAME_get_text_by_NID(X509_get_subject_name(cert), nid, out, 256);
    X509_free(cert);
    BIO_free(bio);
}

static void
it_passes_the_check_of_chains_for_a_year(void **state)
{
    static const char *const names[] = { "a.test" };
    struct made made = make("a.test");
    struct acme_bytes chain = acme_buffer_bytes(&made.chain);
    struct acme_leaf leaf;
    struct acme_error err;
    struct acme_key *key = acme_key_read(acme_buffer_bytes(&made.key), &err);

    (void) state;
    assert_non_null(key);
    assert_int_equal(acme_key_type_of_key(key), ACME_KEY_ECDSA_256);
    assert_true(acme_pair_matches(chain, acme_buffer_bytes(&made.key),
        &err));
    assert_true(acme_chain_check(chain, key, names, 1, NOW, &leaf, &err));
    assert_true(leaf.not_before == NOW - 3600);
    assert_true(leaf.not_after == NOW + 365 * 24 * 3600);
    assert_int_equal(leaf.name_count, 1);
    assert_string_equal(leaf.issuer, "a.test");
    acme_leaf_free(&leaf);
    acme_key_free(key);
    unmake(&made);
}

static void
it_says_what_it_is(void **state)
{
    struct made made = make("a.test");
    char field[256];

    (void) state;
    read_field(&made, NID_organizationName, field);
    assert_string_equal(field, "ACME placeholder");
    read_field(&made, NID_commonName, field);
    assert_string_equal(field, "a.test");
    unmake(&made);
}

static void
a_long_name_is_not_the_common_name(void **state)
{
    char name[254];
    const char *names[] = { name };

    (void) state;
    memset(name, 'x', sizeof(name) - 1);
    for (size_t len = 64; len <= 253; len += 189) {
        struct made made;
        struct acme_leaf leaf;
        struct acme_error err;
        const char *missing;
        char field[256];

        name[len] = '\0';
        made = make(name);
        read_field(&made, NID_commonName, field);
        assert_string_equal(field, len == 64 ? name : "");
        assert_true(acme_leaf_read(acme_buffer_bytes(&made.chain), &leaf,
            &err));
        assert_true(acme_leaf_covers(&leaf, names, 1, &missing));
        acme_leaf_free(&leaf);
        unmake(&made);
        name[len] = 'x';
    }
}

static void
ip_addresses_are_ip_addresses_in_it(void **state)
{
    static const char *const names[] = { "192.0.2.1", "2001:db8::1" };

    (void) state;
    for (unsigned i = 0; i < 2; i++) {
        struct made made = make(names[i]);
        struct acme_leaf leaf;
        struct acme_error err;

        assert_true(acme_leaf_read(acme_buffer_bytes(&made.chain), &leaf,
            &err));
        assert_int_equal(leaf.name_count, 1);
        assert_string_equal(leaf.names[0], names[i]);
        acme_leaf_free(&leaf);
        unmake(&made);
    }
}

static void
no_two_are_the_same(void **state)
{
    struct made one = make("a.test"), two = make("a.test");
    struct acme_leaf first, second;
    struct acme_error err;

    (void) state;
    assert_true(acme_leaf_read(acme_buffer_bytes(&one.chain), &first, &err));
    assert_true(acme_leaf_read(acme_buffer_bytes(&two.chain), &second, &err));
    assert_string_not_equal(first.serial, second.serial);
    assert_false(acme_pair_matches(acme_buffer_bytes(&one.chain),
        acme_buffer_bytes(&two.key), &err));
    acme_leaf_free(&first);
    acme_leaf_free(&second);
    unmake(&one);
    unmake(&two);
}

static void
a_full_buffer_fails(void **state)
{
    struct acme_buffer small = ACME_BUFFER(100), large = ACME_BUFFER(PEM_MAX);
    struct acme_error err;

    (void) state;
    assert_false(acme_placeholder_write("a.test", NOW, &small, &large, &err));
    assert_int_equal(err.verdict, ACME_LOCAL);
    assert_int_equal(small.len, 0);
    assert_int_equal(large.len, 0);
    assert_false(acme_placeholder_write("a.test", NOW, &large, &small, &err));
    assert_int_equal(small.len, 0);
    acme_buffer_free(&large);
}

static void
a_time_that_no_certificate_can_have_fails(void **state)
{
    struct acme_buffer chain = ACME_BUFFER(PEM_MAX);
    struct acme_buffer key = ACME_BUFFER(PEM_MAX);
    struct acme_error err;

    (void) state;
    assert_false(acme_placeholder_write("a.test", INT64_C(1) << 60, &chain,
        &key, &err));
    assert_int_equal(chain.len, 0);
    assert_int_equal(key.len, 0);
    assert_int_equal(ERR_peek_error(), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_passes_the_check_of_chains_for_a_year),
        cmocka_unit_test(it_says_what_it_is),
        cmocka_unit_test(a_long_name_is_not_the_common_name),
        cmocka_unit_test(ip_addresses_are_ip_addresses_in_it),
        cmocka_unit_test(no_two_are_the_same),
        cmocka_unit_test(a_full_buffer_fails),
        cmocka_unit_test(a_time_that_no_certificate_can_have_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
