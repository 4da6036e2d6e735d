/* HMAC, by the vectors of RFC 4231. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "crypto/hmac.h"

/* 4.3, test case 2. */
static const struct {
    const char *name, *code;
} rows[] = {
    { "HS256", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
    { "HS384", "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
        "8e2240ca5e69e2c78b3239ecfab21649" },
    { "HS512", "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
        "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737" },
};

static void
codes_are_those_of_the_rfc(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint8_t code[ACME_HMAC_BYTES_MAX];
        char text[2 * ACME_HMAC_BYTES_MAX + 1] = "";
        struct acme_error err;
        size_t len;

        assert_true(acme_hmac(acme_hmac_of(rows[i].name),
            acme_bytes_of("Jefe"),
            acme_bytes_of("what do ya want for nothing?"), code, &len, &err));
        for (size_t j = 0; j < len; j++) {
            snprintf(text + 2 * j, 3, "%02x", code[j]);
        }
        assert_string_equal(text, rows[i].code);
    }
}

static void
names_and_algorithms_go_both_ways(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        assert_string_equal(acme_hmac_name(acme_hmac_of(rows[i].name)),
            rows[i].name);
    }
    assert_int_equal(acme_hmac_of("hs256"), ACME_HMAC_NONE);
    assert_int_equal(acme_hmac_of(""), ACME_HMAC_NONE);
    assert_null(acme_hmac_name(ACME_HMAC_NONE));
}

static void
no_algorithm_is_an_error(void **state)
{
    uint8_t code[ACME_HMAC_BYTES_MAX];
    struct acme_error err;
    size_t len;

    (void) state;
    assert_false(acme_hmac(ACME_HMAC_NONE, acme_bytes_of("x"),
        acme_bytes_of("x"), code, &len, &err));
    assert_int_equal(err.verdict, ACME_LOCAL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_those_of_the_rfc),
        cmocka_unit_test(names_and_algorithms_go_both_ways),
        cmocka_unit_test(no_algorithm_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
