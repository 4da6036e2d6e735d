/* When a certificate is renewed, and when a failed attempt is repeated. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "plan/plan.h"

#define NOW INT64_C(1700000000)

enum { MINUTE = 60, DAY = 86400 };

static struct acme_error
failure(int64_t retry_at)
{
    struct acme_error err;

    acme_fail(&err, ACME_RETRY, "connection: refused");
    strcpy(err.problem, "connection");
    err.retry_at = retry_at;
    return err;
}

/* ---- due */

static const struct {
    const char *what;
    int64_t life, left;        /* seconds; left when it is due */
} lives[] = {
    { "90 days", 90 * DAY, 30 * DAY },
    { "47 days", 47 * DAY, 47 * DAY / 3 },
    { "just over 10 days", 10 * DAY + 3, (10 * DAY + 3) / 3 },
    { "10 days", 10 * DAY, 5 * DAY },
    { "6 days", 6 * DAY, 3 * DAY },
    { "a second", 1, 0 },
    { "nothing", 0, 0 },
};

static void
renewal_is_due_at_a_third_or_half_of_life(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
        int64_t end = NOW + lives[i].life;

        if (end - acme_plan_renew_at(NOW, end) != lives[i].left) {
            fail_msg("%s", lives[i].what);
        }
    }
    /* dates the wrong way round: no arithmetic helps */
    assert_int_equal(acme_plan_renew_at(NOW, NOW - 5), NOW - 5);
}

static void
a_certificate_that_came_late_is_renewed_after_a_while(void **state)
{
    (void) state;
    /* as always, when it came in time, or nobody knows when it came */
    assert_int_equal(acme_plan_renew_again_at(NOW, NOW + 90 * DAY,
        NOW + 10), NOW + 60 * DAY);
    assert_int_equal(acme_plan_renew_again_at(NOW, NOW + 90 * DAY, 0),
        NOW + 60 * DAY);
    /* it had a month, then six days, then a second left */
    assert_int_equal(acme_plan_renew_again_at(NOW - 60 * DAY, NOW + 30 * DAY,
        NOW), NOW + 20 * DAY);
    assert_int_equal(acme_plan_renew_again_at(NOW - 60 * DAY, NOW + 6 * DAY,
        NOW), NOW + 3 * DAY);
    assert_int_equal(acme_plan_renew_again_at(NOW - 60 * DAY, NOW + 1, NOW),
        NOW + 60);
}

static void
renewals_of_one_day_are_spread_over_a_thirtieth_of_life(void **state)
{
    int64_t end = NOW + 90 * DAY, due = NOW + 60 * DAY;
    unsigned days[3] = { 0, 0, 0 };
    char folder[32];

    (void) state;
    for (unsigned i = 0; i < 3000; i++) {
        int64_t at;

        snprintf(folder, sizeof(folder), "%u.example.test", i);
        at = acme_plan_spread(due, NOW, end, NOW, folder);
        assert_in_range(at, due - 3 * DAY, due);
        days[at == due ? 2 : (at - (due - 3 * DAY)) / DAY]++;
        assert_int_equal(at, acme_plan_spread(due, NOW, end, NOW, folder));
    }
    for (unsigned i = 0; i < 3; i++) {
        assert_in_range(days[i], 900, 1100);
    }
    /* not before it is there, and nowhere when its dates are no dates */
    assert_int_equal(acme_plan_spread(NOW + 61, NOW - 60 * DAY, NOW + 30 * DAY,
        NOW, "7.example.test"), NOW + 61);
    assert_int_equal(acme_plan_spread(NOW, NOW, NOW - 5, 0, "a.test"), NOW);
}

static void
the_next_attempt_is_when_it_is_due_and_no_pause_holds_it(void **state)
{
    struct acme_plan plan = { .next_attempt = NOW + 50 };

    (void) state;
    assert_int_equal(acme_plan_next(&plan, NOW + 10, NOW), NOW + 10);
    assert_int_equal(acme_plan_next(&plan, NOW - 10, NOW), NOW);
    plan.failures = 1;
    assert_int_equal(acme_plan_next(&plan, NOW - 10, NOW), NOW + 50);
    assert_int_equal(acme_plan_next(&plan, NOW + 60, NOW), NOW + 60);
}

/* ---- backoff */

static const struct {
    enum acme_class class;
    unsigned failures;         /* before */
    int64_t pause;
} steps[] = {
    { ACME_SOON, 0, MINUTE }, { ACME_SOON, 1, 10 * MINUTE },
    { ACME_SOON, 2, 100 * MINUTE }, { ACME_SOON, 3, DAY },
    { ACME_SOON, 4, DAY }, { ACME_SOON, 99, DAY }, { ACME_SOON, 1000000, DAY },
    { ACME_NOW, 0, MINUTE }, { ACME_NOW, 3, DAY },
    { ACME_SLOW, 0, 10 * MINUTE }, { ACME_SLOW, 1, 100 * MINUTE },
    { ACME_SLOW, 2, DAY }, { ACME_SLOW, 99, DAY },
    { ACME_NEVER, 0, DAY }, { ACME_NEVER, 99, DAY },
    { ACME_AT, 0, MINUTE }, { ACME_AT, 3, DAY },  /* no time was named */
};

static void
pauses_grow_to_a_day_within_ten_percent(void **state)
{
    static const uint32_t randoms[] = { 0, 1, 499, 500, 999, 1000, 123456789,
        UINT32_MAX };

    (void) state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        for (size_t j = 0; j < sizeof(randoms) / sizeof(randoms[0]); j++) {
            struct acme_plan plan = { .failures = steps[i].failures };
            struct acme_error err = failure(0);
            int64_t pause = steps[i].pause;

            acme_plan_failed(&plan, &err, steps[i].class, 0, randoms[j], NOW);
            assert_in_range(plan.next_attempt - NOW, pause * 9 / 10,
                pause * 11 / 10);
        }
    }
}

static const struct {
    const char *what;
    unsigned failures;
    int64_t retry_after, least, most;
} named[] = {
    { "the time, at once", 0, 720, 720, 720 },
    { "the time, after many failures", 9, 34 * 3600, 34 * 3600, 34 * 3600 },
    { "no sooner than a minute", 0, 1, 54, 66 },
    { "no sooner than ten minutes", 7, 36, 540, 660 },
    { "no later than 8 days", 0, 365 * DAY, 8 * DAY, 8 * DAY },
};

static void
a_time_that_the_ca_names_is_the_time(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
        struct acme_plan plan = { .failures = named[i].failures };
        struct acme_error err = failure(NOW + named[i].retry_after);
        int64_t pause;

        acme_plan_failed(&plan, &err, ACME_AT, NOW + 60 * DAY, 7, NOW);
        pause = plan.next_attempt - NOW;
        if (pause < named[i].least || pause > named[i].most) {
            fail_msg("%s: %lld s", named[i].what, (long long) pause);
        }
    }
}

static const struct {
    unsigned failures;
    int64_t life_left;
    int64_t least, most;
} misconfigurations[] = {
    { 0, 0, DAY * 9 / 10, DAY * 11 / 10 },
    { 7, 0, DAY * 9 / 10, DAY * 11 / 10 },
    { 0, 60 * DAY, DAY * 9 / 10, DAY * 11 / 10 },
    { 0, 5 * DAY, DAY / 2, DAY / 2 },
    { 0, 5 * 3600, 3600, 3600 },
    { 0, 60, 3600, 3600 },
};

static void
what_only_the_operator_can_mend_waits_a_day(void **state)
{
    (void) state;
    for (size_t i = 0;
         i < sizeof(misconfigurations) / sizeof(misconfigurations[0]); i++) {
        struct acme_plan plan = { .failures = misconfigurations[i].failures };
        int64_t left = misconfigurations[i].life_left;
        struct acme_error err = failure(0);

        acme_plan_failed(&plan, &err, ACME_NEVER,
            left > 0 ? NOW + left : 0, 7, NOW);
        assert_in_range(plan.next_attempt - NOW, misconfigurations[i].least,
            misconfigurations[i].most);
        assert_true(plan.misconfigured);
        assert_true(acme_plan_encourage(&plan, NOW + 1));
        acme_plan_failed(&plan, &err, ACME_SOON, 0, 7, NOW);
        assert_false(plan.misconfigured);
    }
}

static void
what_is_to_be_replaced_survives_failures_until_it_is(void **state)
{
    struct acme_plan plan = { .revoked = "0a1b", .misconfigured = true,
        .installed = 7 }, got;
    struct acme_buffer json = ACME_BUFFER(64 * 1024);
    struct acme_error err = failure(0);

    (void) state;
    acme_plan_failed(&plan, &err, ACME_SOON, 0, 7, NOW);
    assert_true(acme_plan_write(&plan, &json));
    assert_true(acme_plan_read(acme_buffer_bytes(&json), &got));
    assert_string_equal(got.revoked, "0a1b");
    assert_int_equal(got.installed, 7);
    assert_false(got.misconfigured);
    acme_plan_succeeded(&got);
    assert_string_equal(got.revoked, "");
    acme_buffer_free(&json);
}

static void
chance_reaches_both_ends(void **state)
{
    struct acme_plan low = { .failures = 9 }, high = { .failures = 9 };
    struct acme_error err = failure(0);

    (void) state;
    acme_plan_failed(&low, &err, ACME_SOON, 0, 0, NOW);
    acme_plan_failed(&high, &err, ACME_SOON, 0, 999, NOW);
    assert_int_equal(low.next_attempt, NOW + DAY * 9 / 10);
    assert_true(high.next_attempt > NOW + DAY * 109 / 100);
}

static const struct {
    const char *what;
    unsigned failures;
    int64_t life_left;         /* 0: nothing is served */
    int64_t retry_after;
    int64_t least, most;       /* seconds until the next attempt */
} rows[] = {
    { "Retry-After is a floor", 0, 0, 3600, 3600, 3600 },
    { "Retry-After in the past", 0, 0, -3600, 54, 66 },
    { "Retry-After before the pause", 3, 0, 60, DAY * 9 / 10, DAY * 11 / 10 },
    { "a tenth of 5 days", 3, 5 * DAY, 0, DAY / 2, DAY / 2 },
    { "a tenth of an hour", 3, 3600, 0, 360, 360 },
    { "a tenth of 5 minutes is a minute", 3, 300, 0, MINUTE, MINUTE },
    { "a long life", 3, 60 * DAY, 0, DAY * 9 / 10, DAY * 11 / 10 },
    { "expired", 3, -5, 0, DAY * 9 / 10, DAY * 11 / 10 },
    { "no pause is made longer by it", 0, 5 * DAY, 0, 54, 66 },
    { "Retry-After with a short life", 0, 3600, 1800, 1800, 1800 },
};

static void
retry_after_and_the_life_left_bound_the_pause(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct acme_plan plan = { .failures = rows[i].failures };
        struct acme_error err = failure(rows[i].retry_after == 0 ? 0
            : NOW + rows[i].retry_after);
        int64_t pause;

        acme_plan_failed(&plan, &err, ACME_SOON, rows[i].life_left == 0 ? 0
            : NOW + rows[i].life_left, 500, NOW);
        pause = plan.next_attempt - NOW;
        if (pause < rows[i].least || pause > rows[i].most) {
            fail_msg("%s: %lld s", rows[i].what, (long long) pause);
        }
    }
}

static void
a_failure_is_remembered_with_its_words(void **state)
{
    struct acme_plan plan = { .failures = 1 };
    struct acme_error err = failure(0);

    (void) state;
    acme_plan_failed(&plan, &err, ACME_SOON, 0, 0, NOW);
    assert_int_equal(plan.failures, 2);
    assert_int_equal(plan.failed_at, NOW);
    assert_string_equal(plan.problem, "connection");
    assert_string_equal(plan.text, "connection: refused");
}

static void
the_count_of_failures_has_an_end(void **state)
{
    struct acme_plan plan = { .failures = 1000000 }, again;
    struct acme_buffer json = ACME_BUFFER(4096);
    struct acme_error err = failure(0);

    (void) state;
    acme_plan_failed(&plan, &err, ACME_SOON, 0, 0, NOW);
    assert_true(acme_plan_write(&plan, &json));
    assert_true(acme_plan_read(acme_buffer_bytes(&json), &again));
    assert_int_equal(again.failures, 1000000);
    acme_buffer_free(&json);
}

static void
a_success_forgets_the_failures(void **state)
{
    struct acme_plan plan = { .failures = 3 }, none = { 0 };
    struct acme_error err = failure(0);

    (void) state;
    acme_plan_failed(&plan, &err, ACME_SOON, 0, 0, NOW);
    acme_plan_succeeded(&plan);
    assert_memory_equal(&plan, &none, sizeof(plan));
}

static void
what_the_ca_says_of_a_certificate_is_kept(void **state)
{
    static const struct acme_ari_window window = { .start = NOW,
        .end = NOW + DAY, .explanation = "https://ca.test/why" };
    struct acme_buffer json = ACME_BUFFER(4096);
    struct acme_plan plan = { .failures = 3 }, again;

    (void) state;
    acme_ari_about(&plan.ari, "aYhb.AIdl", NOW - 7);
    acme_ari_take(&plan.ari, &window, 0, 4711, NOW - 7);
    plan.ari.hasty = 1;
    assert_true(acme_plan_write(&plan, &json));
    assert_true(acme_plan_read(acme_buffer_bytes(&json), &again));
    assert_memory_equal(&plan, &again, sizeof(plan));
    acme_plan_succeeded(&plan);
    assert_memory_equal(&plan.ari, &again.ari, sizeof(plan.ari));
    acme_buffer_free(&json);
}

static const char *const senseless[] = {
    "{\"failures\":2,\"ari\":7}",
    "{\"failures\":2,\"ari\":{\"poll_at\":\"2023-11-15T00:00:00Z\"}}",
    "{\"failures\":2,\"ari\":{\"cert_id\":\"a.b\","
        "\"start\":\"2023-11-15T00:00:00Z\"}}",
    "{\"failures\":2,\"ari\":{\"cert_id\":\"a.b\","
        "\"start\":\"2023-11-15T00:00:00Z\",\"end\":\"2023-11-14T00:00:00Z\","
        "\"chosen\":\"2023-11-14T12:00:00Z\"}}",
    "{\"failures\":2,\"ari\":{\"cert_id\":\"a.b\","
        "\"start\":\"2023-11-14T00:00:00Z\",\"end\":\"2023-11-15T00:00:00Z\"}}",
    "{\"failures\":2,\"ari\":{\"cert_id\":\"a.b\","
        "\"start\":\"2023-11-14T00:00:00Z\",\"end\":\"2023-11-15T00:00:00Z\","
        "\"chosen\":\"2023-11-15T00:00:00Z\"}}",
};

static void
a_window_without_a_moment_in_it_is_forgotten(void **state)
{
    static const struct acme_ari none;

    (void) state;
    for (size_t i = 0; i < sizeof(senseless) / sizeof(senseless[0]); i++) {
        struct acme_plan plan;

        assert_true(acme_plan_read(acme_bytes_of(senseless[i]), &plan));
        assert_int_equal(plan.failures, 2);
        if (memcmp(&plan.ari, &none, sizeof(none)) != 0) {
            fail_msg("%s", senseless[i]);
        }
    }
}

static void
a_reload_grants_an_early_attempt_every_ten_minutes(void **state)
{
    struct acme_error err = failure(0);
    struct acme_plan plan = { 0 };

    (void) state;
    assert_false(acme_plan_encourage(&plan, NOW));
    plan.failures = 3;
    acme_plan_failed(&plan, &err, ACME_SOON, 0, 0, NOW);
    assert_true(acme_plan_encourage(&plan, NOW + 1));
    assert_int_equal(plan.next_attempt, NOW + 1);
    acme_plan_failed(&plan, &err, ACME_SOON, 0, 0, NOW + 2);
    assert_false(acme_plan_encourage(&plan, NOW + 600));
    assert_true(plan.next_attempt > NOW + DAY / 2);
    assert_true(acme_plan_encourage(&plan, NOW + 601));
    /* the clock was set back */
    assert_true(acme_plan_encourage(&plan, NOW));
}

static void
a_reload_is_no_reason_to_ignore_retry_after(void **state)
{
    struct acme_error err = failure(NOW + 7200);
    struct acme_plan plan = { 0 };

    (void) state;
    acme_plan_failed(&plan, &err, ACME_SOON, 0, 0, NOW);
    assert_false(acme_plan_encourage(&plan, NOW + 7199));
    assert_int_equal(plan.next_attempt, NOW + 7200);
    err = failure(0);
    acme_plan_failed(&plan, &err, ACME_SOON, 0, 0, NOW + 7200);
    assert_true(acme_plan_encourage(&plan, NOW + 7201));
}

/* ---- file form */

static void
a_plan_survives_its_file(void **state)
{
    struct acme_plan plan = { .failures = 7, .failed_at = NOW,
        .next_attempt = NOW + 99, .retry_at = NOW + 98,
        .encouraged_at = NOW - 5, .problem = "rateLimited",
        .last_text = "ca.test: words", .staging = "letsencrypt",
        .staging_failures = 2 }, again;
    struct acme_buffer json = ACME_BUFFER(8192);

    (void) state;
    memset(plan.text, '"', sizeof(plan.text) - 1);
    assert_true(acme_plan_write(&plan, &json));
    assert_true(acme_plan_read(acme_buffer_bytes(&json), &again));
    assert_memory_equal(&again, &plan, sizeof(plan));
    acme_buffer_free(&json);
}

static void
staging_at_no_ca_is_not_read(void **state)
{
    struct acme_plan plan;

    (void) state;
    assert_true(acme_plan_read(acme_bytes_of("{\"failures\":0,\"staging\":"
        "{\"ca\":7,\"failures\":2}}"), &plan));
    assert_string_equal(plan.staging, "");
    assert_int_equal(plan.staging_failures, 0);
}

static void
an_empty_plan_survives_its_file(void **state)
{
    struct acme_plan plan = { 0 }, again;
    struct acme_buffer json = ACME_BUFFER(4096);

    (void) state;
    assert_true(acme_plan_write(&plan, &json));
    assert_true(acme_plan_read(acme_buffer_bytes(&json), &again));
    assert_memory_equal(&again, &plan, sizeof(plan));
    acme_buffer_free(&json);
}

static void
a_plan_that_does_not_fit_is_not_written(void **state)
{
    struct acme_plan plan = { .failures = 7 };
    struct acme_buffer json = ACME_BUFFER(10);

    (void) state;
    assert_false(acme_plan_write(&plan, &json));
    assert_int_equal(json.len, 0);
    acme_buffer_free(&json);
}

static const struct {
    const char *what;
    const char *json;
} broken[] = {
    { "empty", "" },
    { "cut off", "{\"failures\":3,\"next_att" },
    { "a list", "[]" },
    { "no failures", "{}" },
    { "failures below zero", "{\"failures\":-1}" },
    { "failures of half", "{\"failures\":0.5}" },
    { "failures beyond reason", "{\"failures\":1000001}" },
    { "failures as text", "{\"failures\":\"3\"}" },
    { "zeros", "\0\0\0\0" },
};

static void
a_broken_file_is_an_empty_plan(void **state)
{
    struct acme_plan none = { 0 };

    (void) state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct acme_plan plan;

        memset(&plan, 0xee, sizeof(plan));
        if (acme_plan_read(acme_bytes_of(broken[i].json), &plan)) {
            fail_msg("%s was taken", broken[i].what);
        }
        assert_memory_equal(&plan, &none, sizeof(plan));
    }
}

static void
broken_members_are_left_out(void **state)
{
    struct acme_plan plan;

    (void) state;
    assert_true(acme_plan_read(acme_bytes_of("{\"failures\":2,"
        "\"next_attempt\":\"yesterday\",\"failed_at\":17,"
        "\"problem\":\"a problem type of so many more bytes than there is room "
        "for in a plan\",\"text\":\"two\\nlines\"}"), &plan));
    assert_int_equal(plan.failures, 2);
    assert_int_equal(plan.next_attempt, 0);
    assert_int_equal(plan.failed_at, 0);
    assert_string_equal(plan.problem, "");
    assert_string_equal(plan.text, "");
}

static const char *const beyond[] = {
    "9999-12-31T23:59:59-00:01", "9999-12-31T23:59:60Z",
    "10000-01-01T00:00:00Z", "1969-12-31T23:59:59Z",
    "1970-01-01T00:00:00+00:01",
};

static void
times_that_could_not_be_written_again_are_left_out(void **state)
{
    struct acme_plan plan;
    char json[100];

    (void) state;
    for (size_t i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
        snprintf(json, sizeof(json), "{\"failures\":2,\"failed_at\":"
            "\"%s\"}", beyond[i]);
        assert_true(acme_plan_read(acme_bytes_of(json), &plan));
        if (plan.failed_at != 0) {
            fail_msg("%s", beyond[i]);
        }
    }
    assert_true(acme_plan_read(acme_bytes_of("{\"failures\":2,"
        "\"failed_at\":\"9999-12-31T23:59:59Z\"}"), &plan));
    assert_int_equal(plan.failed_at, INT64_C(253402300799));
}

static void
a_failure_from_the_future_counts_from_now(void **state)
{
    struct acme_plan plan = { .failures = 2, .failed_at = NOW + 365 * DAY,
        .next_attempt = NOW + 365 * DAY + 600,
        .retry_at = NOW + 365 * DAY + 30 };

    (void) state;
    acme_plan_set_clock_back(&plan, NOW);
    assert_int_equal(plan.failures, 2);
    assert_int_equal(plan.failed_at, NOW);
    assert_int_equal(plan.next_attempt, NOW + 600);
    assert_int_equal(plan.retry_at, NOW + 30);
    /* one from the past stays */
    acme_plan_set_clock_back(&plan, NOW + 5);
    assert_int_equal(plan.next_attempt, NOW + 600);
    plan = (struct acme_plan) { .failures = 1, .failed_at = NOW + DAY };
    acme_plan_set_clock_back(&plan, NOW);
    assert_int_equal(plan.retry_at, 0);
    assert_int_equal(plan.next_attempt, 0);
}

/* A limit was waited for while the clock was ahead; or the file is damaged. */
static void
nothing_is_waited_for_that_is_too_far_away(void **state)
{
    struct acme_plan plan = { .failures = 1, .failed_at = NOW - 600,
        .next_attempt = NOW + 365 * DAY, .retry_at = NOW + 365 * DAY };

    (void) state;
    acme_plan_set_clock_back(&plan, NOW);
    assert_int_equal(acme_plan_next(&plan, NOW, NOW), NOW);
    assert_true(acme_plan_encourage(&plan, NOW));
    /* a limit is waited for a little longer than it is */
    plan.next_attempt = NOW + 8 * DAY + 5;
    acme_plan_set_clock_back(&plan, NOW);
    assert_int_equal(plan.next_attempt, NOW + 8 * DAY + 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_from_the_future_counts_from_now),
        cmocka_unit_test(nothing_is_waited_for_that_is_too_far_away),
        cmocka_unit_test(renewal_is_due_at_a_third_or_half_of_life),
        cmocka_unit_test(
            a_certificate_that_came_late_is_renewed_after_a_while),
        cmocka_unit_test(
            renewals_of_one_day_are_spread_over_a_thirtieth_of_life),
        cmocka_unit_test(
            the_next_attempt_is_when_it_is_due_and_no_pause_holds_it),
        cmocka_unit_test(pauses_grow_to_a_day_within_ten_percent),
        cmocka_unit_test(a_time_that_the_ca_names_is_the_time),
        cmocka_unit_test(what_only_the_operator_can_mend_waits_a_day),
        cmocka_unit_test(what_is_to_be_replaced_survives_failures_until_it_is),
        cmocka_unit_test(chance_reaches_both_ends),
        cmocka_unit_test(retry_after_and_the_life_left_bound_the_pause),
        cmocka_unit_test(a_failure_is_remembered_with_its_words),
        cmocka_unit_test(the_count_of_failures_has_an_end),
        cmocka_unit_test(a_success_forgets_the_failures),
        cmocka_unit_test(what_the_ca_says_of_a_certificate_is_kept),
        cmocka_unit_test(a_window_without_a_moment_in_it_is_forgotten),
        cmocka_unit_test(a_reload_grants_an_early_attempt_every_ten_minutes),
        cmocka_unit_test(a_reload_is_no_reason_to_ignore_retry_after),
        cmocka_unit_test(a_plan_survives_its_file),
        cmocka_unit_test(staging_at_no_ca_is_not_read),
        cmocka_unit_test(an_empty_plan_survives_its_file),
        cmocka_unit_test(a_plan_that_does_not_fit_is_not_written),
        cmocka_unit_test(a_broken_file_is_an_empty_plan),
        cmocka_unit_test(broken_members_are_left_out),
        cmocka_unit_test(times_that_could_not_be_written_again_are_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
