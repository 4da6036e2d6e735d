/* What is read of a stranger's certificate. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/err.h>
#include <string.h>

#include "crypto/placeholder.h"
#include "crypto/shown.h"
#include "make_cert.h"

#define NOW INT64_C(1700000000)

static bool
read_it(const struct acme_buffer *pem, struct acme_shown *shown)
{
    struct acme_error err;
    bool ok = acme_shown_read(acme_buffer_bytes(pem), shown, &err);

    assert_true(ok || err.verdict == ACME_PEER_BROKE);
    assert_int_equal(ERR_peek_error(), 0);
    return ok;
}

static void
the_first_certificate_is_told_apart(void **state)
{
    struct acme_buffer pem = ACME_BUFFER(CHAIN_MAX);
    struct acme_key *key = new_key();
    struct acme_shown shown, again;

    (void) state;
    give_pem(&pem, make_cert(&(struct wish) { .subject = "a.test",
        .issuer = "A \"CA\"\n", .key = key, .from = NOW,
        .until = NOW + DAY }));
    assert_true(read_it(&pem, &shown));
    assert_string_equal(shown.subject, "CN = a.test");
    assert_null(strpbrk(shown.issuer, "\"\n"));
    assert_string_equal(shown.serial, "01af");
    assert_int_equal(shown.not_after, NOW + DAY);
    assert_int_equal(strspn(shown.fingerprint, "0123456789abcdef"), 64);

    give_pem(&pem, make_cert(&(struct wish) { .subject = "CA", .key = key,
        .from = NOW, .until = NOW + DAY }));
    assert_true(read_it(&pem, &again));
    assert_string_equal(again.fingerprint, shown.fingerprint);
    acme_buffer_clear(&pem);
    give_pem(&pem, make_cert(&(struct wish) { .subject = "a.test",
        .key = key, .from = NOW, .until = NOW + DAY + 1 }));
    assert_true(read_it(&pem, &again));
    assert_string_not_equal(again.fingerprint, shown.fingerprint);
    acme_buffer_free(&pem);
    acme_key_free(key);
}

static void
the_placeholder_says_what_it_is(void **state)
{
    struct acme_buffer pem = ACME_BUFFER(CHAIN_MAX);
    struct acme_buffer key = ACME_BUFFER(CHAIN_MAX);
    struct acme_shown shown;
    struct acme_error err;

    (void) state;
    assert_true(acme_placeholder_write("a.test", NOW, &pem, &key, &err));
    assert_true(read_it(&pem, &shown));
    assert_string_equal(shown.subject, "O = ACME placeholder, CN = a.test");
    assert_string_equal(shown.issuer, shown.subject);
    acme_buffer_free(&pem);
    acme_buffer_wipe(&key);
}

/* Where a CA's certificate would be refused. */
static void
malformed_names_and_a_long_serial_are_no_hindrance(void **state)
{
    struct acme_buffer pem = ACME_BUFFER(CHAIN_MAX);
    struct acme_key *key = new_key();
    X509 *cert = make_cert(&(struct wish) { .key = key, .from = NOW,
        .until = NOW + DAY, .names = (const char *[]) { "a b" },
        .name_count = 1 });
    ASN1_INTEGER *serial = X509_get_serialNumber(cert);
    unsigned char long_serial[60];
    struct acme_shown shown;

    (void) state;
    memset(long_serial, 0x55, sizeof(long_serial));
    assert_int_equal(ASN1_STRING_set(serial, long_serial,
        sizeof(long_serial)), 1);
    sign_again(cert, key);
    give_pem(&pem, cert);
    assert_true(read_it(&pem, &shown));
    assert_string_equal(shown.subject, "");
    assert_int_equal(strlen(shown.serial), 63);
    acme_buffer_free(&pem);
    acme_key_free(key);
}

static void
what_is_no_certificate_is_refused(void **state)
{
    static const char *const texts[] = { "", "hello",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" };
    struct acme_shown shown;
    struct acme_error err;

    (void) state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        assert_false(acme_shown_read(acme_bytes_of(texts[i]), &shown, &err));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_certificate_is_told_apart),
        cmocka_unit_test(the_placeholder_says_what_it_is),
        cmocka_unit_test(malformed_names_and_a_long_serial_are_no_hindrance),
        cmocka_unit_test(what_is_no_certificate_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
