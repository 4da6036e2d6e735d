/* Whose fault it was that an order failed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "protocol/blame.h"

static const struct {
    const char *what;
    struct acme_authorization authorization;
    bool deserved;
} rows[] = {
    { "pending", { .status = ACME_AUTHORIZATION_PENDING }, false },
    { "pending with a pending challenge", {
        .status = ACME_AUTHORIZATION_PENDING, .challenges[ACME_HTTP_01] = {
        .offered = true, .status = ACME_CHALLENGE_PENDING } }, false },
    { "pending with a failed challenge", {
        .status = ACME_AUTHORIZATION_PENDING, .challenges[ACME_TLS_ALPN_01]
        = { .offered = true, .status = ACME_CHALLENGE_INVALID } }, true },
    { "valid", { .status = ACME_AUTHORIZATION_VALID }, false },
    { "valid in spite of a failed challenge", {
        .status = ACME_AUTHORIZATION_VALID, .challenges[ACME_HTTP_01] = {
        .offered = true, .status = ACME_CHALLENGE_INVALID } }, false },
    { "invalid", { .status = ACME_AUTHORIZATION_INVALID }, true },
    { "deactivated", { .status = ACME_AUTHORIZATION_DEACTIVATED }, true },
    { "expired", { .status = ACME_AUTHORIZATION_EXPIRED }, true },
    { "revoked", { .status = ACME_AUTHORIZATION_REVOKED }, true },
};

static void
those_that_cannot_become_valid_deserve_it(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (acme_blame_deserved(&rows[i].authorization)
            != rows[i].deserved) {
            fail_msg("%s", rows[i].what);
        }
    }
}

static void
add(struct acme_blame *blame, const char *name, const char *words)
{
    struct acme_authorization authorization = {
        .status = ACME_AUTHORIZATION_INVALID };

    snprintf(authorization.name, sizeof(authorization.name), "%s", name);
    if (words != NULL) {
        acme_fail(&authorization.problem, ACME_RETRY, "%s", words);
        strcpy(authorization.problem.problem, "dns");
        authorization.has_problem = true;
        authorization.problem_type = ACME_TLS_ALPN_01;
    }
    acme_blame_add(blame, &authorization);
}

static void
the_first_words_count_and_all_are_named(void **state)
{
    struct acme_blame blame = { 0 };
    struct acme_error err;

    (void) state;
    add(&blame, "a.test", "dns: NXDOMAIN");
    add(&blame, "b.test", "dns: SERVFAIL");
    assert_false(acme_blame_error(&blame, &err));
    assert_string_equal(err.text,
        "validation of a.test, b.test failed: tls-alpn-01: dns: NXDOMAIN");
    assert_string_equal(err.name, "a.test");
    assert_string_equal(err.problem, "dns");
    assert_int_equal(err.verdict, ACME_RETRY);
    assert_int_equal(blame.type, ACME_TLS_ALPN_01);
}

static void
one_without_a_reason_says_so(void **state)
{
    struct acme_blame blame = { 0 };
    struct acme_error err;

    (void) state;
    add(&blame, "a.test", NULL);
    assert_false(acme_blame_error(&blame, &err));
    assert_string_equal(err.text, "validation of a.test failed: the CA says "
        "the authorization is invalid and gives no reason");
    assert_int_equal(err.verdict, ACME_REFUSED);
    assert_string_equal(err.problem, "");
}

static void
those_that_do_not_fit_are_counted(void **state)
{
    struct acme_blame blame = { 0 };
    struct acme_error err;
    char name[64];

    (void) state;
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "name-%03d.example.test", i);
        add(&blame, name, "dns: NXDOMAIN");
    }
    assert_false(acme_blame_error(&blame, &err));
    assert_non_null(strstr(err.text, "name-000.example.test, name-001"));
    assert_non_null(strstr(err.text, " and 89 more failed: tls-alpn-01: dns: "));
}

static void
the_longest_name_is_shown(void **state)
{
    struct acme_blame blame = { 0 };
    struct acme_error err;
    char name[254];

    (void) state;
    snprintf(name, sizeof(name), "%0253d", 7);
    add(&blame, name, "dns: NXDOMAIN");
    assert_false(acme_blame_error(&blame, &err));
    assert_non_null(strstr(err.text, name));
    assert_non_null(strstr(err.text, "7 failed: tls-alpn-01: dns: NXDOMAIN"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_that_cannot_become_valid_deserve_it),
        cmocka_unit_test(the_first_words_count_and_all_are_named),
        cmocka_unit_test(one_without_a_reason_says_so),
        cmocka_unit_test(those_that_do_not_fit_are_counted),
        cmocka_unit_test(the_longest_name_is_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
