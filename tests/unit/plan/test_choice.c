/* Which CA is next, whether for practice, and whose trouble a failure is. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "plan/choice.h"

#define NOW INT64_C(1700000000)

enum { DAY = 86400, LIFE = 90 * DAY };

static struct acme_place
place_of(const struct acme_plan *plan, const struct acme_choice *choices,
    size_t count)
{
    struct acme_place place;

    assert_true(acme_choice_place(plan, choices, count, 0, 0, NOW, &place));
    return place;
}

static void
the_first_that_is_free_is_chosen(void **state)
{
    struct acme_choice choices[3] = { { .name = "a" }, { .name = "b" },
        { .name = "c" } };
    struct acme_plan plan = { 0 };
    struct acme_place place;

    (void) state;
    assert_int_equal(place_of(&plan, choices, 3).number, 0);
    choices[0].failed = true;
    assert_int_equal(place_of(&plan, choices, 3).number, 1);
    choices[1].free_at = NOW + 1;
    assert_int_equal(place_of(&plan, choices, 3).number, 2);
    choices[1].free_at = NOW;
    assert_int_equal(place_of(&plan, choices, 3).number, 1);
    choices[1].free_at = NOW + 100;
    choices[2].free_at = NOW + 50;
    assert_false(acme_choice_place(&plan, choices, 3, 0, 0, NOW, &place));
    assert_int_equal(place.free_at, NOW + 50);
    choices[1].failed = choices[2].failed = true;
    assert_false(acme_choice_place(&plan, choices, 3, 0, 0, NOW, &place));
    assert_int_equal(place.free_at, 0);
}

static void
a_validation_is_practised_where_it_failed(void **state)
{
    struct acme_choice choices[2] = { { .name = "a", .has_staging = true },
        { .name = "b", .has_staging = true } };
    struct acme_plan plan = { 0 };

    (void) state;
    assert_false(place_of(&plan, choices, 2).staging);
    acme_plan_invalid(&plan, "a");
    assert_true(place_of(&plan, choices, 2).staging);
    choices[0].failed = true;
    assert_false(place_of(&plan, choices, 2).staging);
    acme_plan_invalid(&plan, "b");
    assert_true(place_of(&plan, choices, 2).staging);
    choices[1].has_staging = false;   /* a binding came into the settings */
    assert_false(place_of(&plan, choices, 2).staging);
    acme_plan_invalid(&plan, NULL);
    choices[0].failed = false;
    assert_false(place_of(&plan, choices, 2).staging);
}

static void
three_failures_there_are_enough(void **state)
{
    const struct acme_choice choice = { .name = "a", .has_staging = true };
    struct acme_plan plan = { 0 };

    (void) state;
    acme_plan_invalid(&plan, "a");
    for (int i = 0; i < 3; i++) {
        assert_true(place_of(&plan, &choice, 1).staging);
        acme_plan_invalid_on_staging(&plan);
    }
    assert_false(place_of(&plan, &choice, 1).staging);
    assert_int_equal(place_of(&plan, &choice, 1).why_not,
        ACME_STAGING_IN_VAIN);
    acme_plan_invalid(&plan, "a");    /* for good, in vain: all anew */
    assert_true(place_of(&plan, &choice, 1).staging);
}

static void
there_is_no_time_to_practise_near_the_end(void **state)
{
    static const struct { int64_t left; bool staging; } rows[] = {
        { LIFE, true }, { LIFE / 5 + 1, true }, { LIFE / 5, true },
        { LIFE / 5 - 1, false }, { 1, false }, { 0, false }, { -DAY, false },
    };
    const struct acme_choice choice = { .name = "a", .has_staging = true };
    struct acme_plan plan = { 0 };
    struct acme_place place;

    (void) state;
    acme_plan_invalid(&plan, "a");
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        int64_t end = NOW + rows[i].left;

        assert_true(acme_choice_place(&plan, &choice, 1, end - LIFE, end, NOW,
            &place));
        assert_int_equal(place.staging, rows[i].staging);
        assert_int_equal(place.why_not, rows[i].staging
            ? ACME_STAGING_NO_MATTER : ACME_STAGING_TOO_LATE);
    }
}

static void
a_staging_directory_is_not_waited_for(void **state)
{
    struct acme_choice choices[2] = { { .name = "a", .has_staging = true,
        .staging_free_at = NOW + DAY }, { .name = "b" } };
    struct acme_plan plan = { 0 };
    struct acme_place place;

    (void) state;
    acme_plan_invalid(&plan, "a");
    place = place_of(&plan, choices, 2);
    assert_int_equal(place.number, 0);
    assert_false(place.staging);
    assert_int_equal(place.why_not, ACME_STAGING_NOT_NOW);
    choices[0].free_at = NOW + 100;
    assert_int_equal(place_of(&plan, choices, 2).number, 1);
    assert_false(acme_choice_place(&plan, choices, 1, 0, 0, NOW, &place));
    assert_int_equal(place.free_at, NOW + 100);
}

static void
what_has_passed_there_is_forgotten(void **state)
{
    const struct acme_choice choice = { .name = "a", .has_staging = true };
    struct acme_plan plan = { .problem = "unauthorized", .text = "words",
        .failures = 2 };

    (void) state;
    acme_plan_invalid(&plan, "a");
    acme_plan_staging_done(&plan, false);
    assert_false(place_of(&plan, &choice, 1).staging);
    assert_string_equal(plan.problem, "unauthorized");
    acme_plan_invalid(&plan, "a");
    acme_plan_staging_done(&plan, true);
    assert_false(place_of(&plan, &choice, 1).staging);
    assert_string_equal(plan.problem, "");
    assert_int_equal(plan.failures, 2);
}

/* ---- failures */

static const struct {
    const char *what;
    bool trouble;
    enum acme_verdict verdict;
    int status;
    const char *problem, *text, *step;
} failures[] = {
    { "no connection", true, ACME_RETRY, 0, "",
        "the CA could not be reached: no route", "newOrder" },
    { "no connection for the directory", true, ACME_RETRY, 0, "",
        "directory: the CA could not be reached: no route", "directory" },
    { "a page of 503", true, ACME_RETRY, 503, "", "", "newOrder" },
    { "a page of 404", true, ACME_REFUSED, 404, "", "", "finalize" },
    { "an error of its own", true, ACME_RETRY, 500, "serverInternal", "",
        "finalize" },
    { "another problem with 500", true, ACME_RETRY, 500, "strange", "",
        "order" },
    { "a limit", true, ACME_RETRY, 429, "rateLimited", "", "newOrder" },
    { "a limit without a type", true, ACME_RETRY, 429, "x", "", "newOrder" },
    { "a name that it refuses", true, ACME_REFUSED, 403,
        "rejectedIdentifier", "", "newOrder" },
    { "a kind of name that it refuses", true, ACME_REFUSED, 400,
        "unsupportedIdentifier", "", "newOrder" },
    { "CAA", true, ACME_RETRY, 403, "caa", "", "validation" },
    { "an answer that is none", true, ACME_PEER_BROKE, 200, "", "",
        "newOrder" },
    { "no binding", true, ACME_MISCONFIG, 0, "externalAccountRequired", "",
        "newAccount" },
    { "terms that have changed", true, ACME_MISCONFIG, 403,
        "userActionRequired", "", "newOrder" },
    { "an account that was closed", true, ACME_MISCONFIG, 403,
        "unauthorized", "deactivated", "newOrder" },
    { "an account that it does not find", true, ACME_RETRY, 400,
        "accountDoesNotExist", "", "newOrder" },
    { "an account that it refuses", true, ACME_REFUSED, 400, "malformed", "",
        "newAccount" },
    { "a key that cannot be read", true, ACME_LOCAL, 0, "", "",
        "preparing the account" },
    { "a validation", false, ACME_RETRY, 403, "connection", "",
        "validation" },
    { "a validation by another page", false, ACME_REFUSED, 403,
        "unauthorized", "", "validation" },
    { "a name that nobody would certify", false, ACME_REFUSED, 400,
        "malformed", "public suffix", "newOrder" },
    { "an order that takes long", false, ACME_RETRY, 0, "",
        "the order is still pending after 5 minutes", "validation" },
    { "a profile that it does not have", false, ACME_MISCONFIG, 0, "",
        "the CA does not offer acme_profile x", "newOrder" },
    { "a full disk", false, ACME_LOCAL, 0, "", "no space left", "newOrder" },
    { "a request that cannot be signed", false, ACME_MISCONFIG, 0, "", "",
        "finalize" },
};

static void
trouble_of_a_ca_is_told_from_other_trouble(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(failures) / sizeof(*failures); i++) {
        struct acme_error err = { .verdict = failures[i].verdict,
            .http_status = failures[i].status };

        strcpy(err.problem, failures[i].problem);
        strcpy(err.text, failures[i].text);
        if (acme_choice_is_trouble(&err, failures[i].step)
            != failures[i].trouble) {
            fail_msg("%s", failures[i].what);
        }
    }
}

static void
failed_validations_are_known(void **state)
{
    (void) state;
    assert_true(acme_choice_is_validation("connection"));
    assert_true(acme_choice_is_validation("dns"));
    assert_true(acme_choice_is_validation("tls"));
    assert_true(acme_choice_is_validation("unauthorized"));
    assert_true(acme_choice_is_validation("incorrectResponse"));
    assert_false(acme_choice_is_validation("caa"));
    assert_false(acme_choice_is_validation("serverInternal"));
    assert_false(acme_choice_is_validation(""));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_that_is_free_is_chosen),
        cmocka_unit_test(a_validation_is_practised_where_it_failed),
        cmocka_unit_test(three_failures_there_are_enough),
        cmocka_unit_test(there_is_no_time_to_practise_near_the_end),
        cmocka_unit_test(a_staging_directory_is_not_waited_for),
        cmocka_unit_test(what_has_passed_there_is_forgotten),
        cmocka_unit_test(trouble_of_a_ca_is_told_from_other_trouble),
        cmocka_unit_test(failed_validations_are_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
