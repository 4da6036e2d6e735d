/* An error says what happened, outermost first, and never overruns. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/error.h"

static void
a_failure_forgets_the_one_before(void **state)
{
    struct acme_error err;

    (void) state;
    memset(&err, 'x', sizeof(err));
    assert_false(acme_fail(&err, ACME_REFUSED, "%s said %d", "the CA", 403));
    assert_int_equal(err.verdict, ACME_REFUSED);
    assert_string_equal(err.text, "the CA said 403");
    assert_int_equal(err.sys, 0);
    assert_int_equal(err.http_status, 0);
    assert_true(err.retry_at == 0);
    assert_string_equal(err.problem, "");
    assert_string_equal(err.name, "");
}

static void
a_failed_call_names_its_errno(void **state)
{
    struct acme_error err;
    char expected[256] = "opening /x: ";

    (void) state;
    strcat(expected, strerror(ENOSPC));
    errno = ENOSPC;
    assert_false(acme_fail_sys(&err, "opening %s", "/x"));
    assert_int_equal(err.verdict, ACME_LOCAL);
    assert_int_equal(err.sys, ENOSPC);
    assert_string_equal(err.text, expected);
}

static void
no_memory_is_a_local_failure(void **state)
{
    struct acme_error err;

    (void) state;
    assert_false(acme_fail_memory(&err));
    assert_int_equal(err.verdict, ACME_LOCAL);
    assert_string_equal(err.text, "out of memory");
}

static void
context_stands_in_front_and_keeps_the_rest(void **state)
{
    struct acme_error err;

    (void) state;
    acme_fail(&err, ACME_RETRY, "connection refused");
    err.http_status = 503;
    err.retry_at = 1234567890123;
    strcpy(err.problem, "rateLimited");
    strcpy(err.name, "a.test");
    assert_false(acme_while(&err, "new%s", "Order"));
    assert_false(acme_while(&err, "%s", "a.test"));
    assert_string_equal(err.text, "a.test: newOrder: connection refused");
    assert_int_equal(err.verdict, ACME_RETRY);
    assert_int_equal(err.http_status, 503);
    assert_true(err.retry_at == 1234567890123);
    assert_string_equal(err.problem, "rateLimited");
    assert_string_equal(err.name, "a.test");
}

static void
texts_that_are_too_long_are_cut(void **state)
{
    struct acme_error err;
    char longest[2 * sizeof(err.text)];

    (void) state;
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    acme_fail(&err, ACME_LOCAL, "%s", longest);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    errno = EIO;
    acme_fail_sys(&err, "%s", longest);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_int_equal(err.sys, EIO);
    acme_while(&err, "outside");
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_memory_equal(err.text, "outside: xxx", 12);
    acme_while(&err, "%s", longest);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_forgets_the_one_before),
        cmocka_unit_test(a_failed_call_names_its_errno),
        cmocka_unit_test(no_memory_is_a_local_failure),
        cmocka_unit_test(context_stands_in_front_and_keeps_the_rest),
        cmocka_unit_test(texts_that_are_too_long_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
