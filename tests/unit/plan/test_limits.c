/* Counting what a CA counts: what is allowed, from when on, and its file. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "plan/limits.h"

#define NOW INT64_C(1700000000)

enum { MINUTE = 60, HOUR = 3600, DAY = 86400, WEEK = 7 * DAY };

static const struct acme_bucket set_bucket = { .ca = "ca.test",
    .limit = ACME_LIMIT_SET, .of = "00ff", .rate = { 5, WEEK } };
static const struct acme_bucket domain_bucket = { .ca = "ca.test",
    .limit = ACME_LIMIT_DOMAIN, .of = "example.test", .rate = { 50, WEEK } };
static const struct acme_bucket orders_bucket = { .ca = "ca.test",
    .limit = ACME_LIMIT_ORDERS, .of = "", .rate = { 300, 3 * HOUR } };
static const struct acme_bucket failures_bucket = { .ca = "ca.test",
    .limit = ACME_LIMIT_FAILURES, .of = "a.test", .rate = { 5, HOUR } };
static const struct acme_bucket held_bucket = { .ca = "ca.test",
    .limit = ACME_LIMIT_CA, .of = "" };

static bool
allowed(struct acme_limits *limits, const struct acme_bucket *bucket,
    int64_t now)
{
    struct acme_error err;

    return acme_limits_allow(limits, bucket, now, &err);
}

/* Take out what there is; how much that was. */
static unsigned
drain(struct acme_limits *limits, const struct acme_bucket *bucket,
    int64_t now)
{
    unsigned count = 0;

    for (; allowed(limits, bucket, now); count++) {
        acme_limits_count(limits, bucket, now);
    }
    return count;
}

static const struct {
    const struct acme_bucket *bucket;
    unsigned at_once;
    int64_t each_s;             /* one comes back */
    const char *words;
} rows[] = {
    { &set_bucket, 5, WEEK / 5, "rateLimited: too many certificates (5) "
        "already issued for this exact set of identifiers in the last "
        "168h0m0s, retry after 2023-11-16T07:49:20Z; counted here, the CA was "
        "not asked" },
    { &domain_bucket, 50, WEEK / 50, "rateLimited: too many certificates (50) "
        "already issued for \"example.test\" in the last 168h0m0s, retry "
        "after " },
    { &orders_bucket, 300, 36, "rateLimited: too many new orders (300) from "
        "this account in the last 3h0m0s, retry after " },
    { &failures_bucket, 5, 12 * MINUTE, "rateLimited: too many failed "
        "authorizations (5) for \"a.test\" in the last 1h0m0s, retry after " },
};

static void
what_was_used_comes_back_evenly(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct acme_bucket *bucket = rows[i].bucket;
        struct acme_limits limits = { 0 };
        struct acme_error err;
        int64_t next = NOW + rows[i].each_s;

        assert_int_equal(drain(&limits, bucket, NOW), rows[i].at_once);
        assert_false(acme_limits_allow(&limits, bucket, NOW, &err));
        assert_int_equal(err.retry_at, next);
        assert_int_equal(err.verdict, ACME_RETRY);
        assert_string_equal(err.problem, "rateLimited");
        if (strncmp(err.text, rows[i].words, strlen(rows[i].words)) != 0) {
            fail_msg("%s", err.text);
        }
        assert_false(allowed(&limits, bucket, next - 1));
        assert_int_equal(drain(&limits, bucket, next), 1);
        assert_int_equal(drain(&limits, bucket, next
            + bucket->rate.within_s), rows[i].at_once);
        acme_limits_free(&limits);
    }
}

static void
buckets_do_not_know_each_other(void **state)
{
    struct acme_bucket other_name = failures_bucket;
    struct acme_bucket other_ca = failures_bucket;
    struct acme_limits limits = { 0 };

    (void) state;
    other_name.of = "b.test";
    other_ca.ca = "ca.test-2";
    drain(&limits, &failures_bucket, NOW);
    assert_int_equal(drain(&limits, &other_name, NOW), 5);
    assert_int_equal(drain(&limits, &other_ca, NOW), 5);
    assert_true(allowed(&limits, &set_bucket, NOW));
    acme_limits_free(&limits);
}

static void
what_was_not_used_is_given_back(void **state)
{
    struct acme_limits limits = { 0 };

    (void) state;
    drain(&limits, &failures_bucket, NOW);
    acme_limits_give_back(&limits, &failures_bucket, NOW);
    assert_int_equal(drain(&limits, &failures_bucket, NOW), 1);
    /* more than there is room for is nothing */
    for (int i = 0; i < 20; i++) {
        acme_limits_give_back(&limits, &failures_bucket, NOW);
    }
    acme_limits_give_back(&limits, &set_bucket, NOW);
    assert_int_equal(drain(&limits, &failures_bucket, NOW), 5);
    assert_int_equal(drain(&limits, &set_bucket, NOW), 5);
    acme_limits_free(&limits);
}

static void
a_ca_without_known_limits_has_none(void **state)
{
    struct acme_bucket bucket = set_bucket;
    struct acme_limits limits = { 0 };

    (void) state;
    bucket.rate = (struct acme_ca_rate) { 0, 0 };
    for (int i = 0; i < 1000; i++) {
        assert_true(allowed(&limits, &bucket, NOW));
        acme_limits_count(&limits, &bucket, NOW);
        acme_limits_give_back(&limits, &bucket, NOW);
    }
    assert_int_equal(limits.count, 0);
}

/* ---- what the CA says */

static void
a_time_that_the_ca_names_binds_that_bucket_only(void **state)
{
    struct acme_limits limits = { 0 };
    struct acme_error err;

    (void) state;
    acme_limits_hold(&limits, &set_bucket, NOW + DAY, NOW);
    assert_false(acme_limits_allow(&limits, &set_bucket, NOW + DAY - 1,
        &err));
    assert_int_equal(err.retry_at, NOW + DAY);
    assert_non_null(strstr(err.text, "the CA has said so before"));
    assert_true(allowed(&limits, &set_bucket, NOW + DAY));
    assert_true(allowed(&limits, &domain_bucket, NOW));
    assert_true(allowed(&limits, &held_bucket, NOW));
    acme_limits_free(&limits);
}

static const struct {
    const struct acme_bucket *bucket;
    int64_t until, held;
} holds[] = {
    { &set_bucket, 7 * DAY, 7 * DAY }, { &set_bucket, 365 * DAY, 8 * DAY },
    { &set_bucket, 0, 0 }, { &set_bucket, -DAY, 0 },
    { &held_bucket, 30, 30 }, { &held_bucket, 7 * DAY, 10 * MINUTE },
};

static void
no_time_binds_beyond_reason(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(holds) / sizeof(holds[0]); i++) {
        const struct acme_bucket *bucket = holds[i].bucket;
        struct acme_limits limits = { 0 };

        acme_limits_hold(&limits, bucket, NOW + holds[i].until, NOW);
        assert_int_equal(allowed(&limits, bucket, NOW), holds[i].held == 0);
        if (holds[i].held > 0) {
            assert_false(allowed(&limits, bucket, NOW + holds[i].held - 1));
        }
        assert_true(allowed(&limits, bucket, NOW + holds[i].held));
        acme_limits_free(&limits);
    }
}

/* ---- the clock */

static void
a_clock_that_is_set_back_blocks_nothing_for_long(void **state)
{
    struct acme_limits limits = { 0 };

    (void) state;
    drain(&limits, &set_bucket, NOW + 365 * DAY);
    acme_limits_hold(&limits, &held_bucket, NOW + 365 * DAY + 60,
        NOW + 365 * DAY);
    assert_false(allowed(&limits, &set_bucket, NOW));
    assert_int_equal(drain(&limits, &set_bucket, NOW + WEEK / 5), 1);
    acme_limits_free(&limits);

    acme_limits_hold(&limits, &held_bucket, NOW + 365 * DAY + 60,
        NOW + 365 * DAY);
    assert_false(allowed(&limits, &held_bucket, NOW));
    assert_true(allowed(&limits, &held_bucket, NOW + 60));
    acme_limits_free(&limits);
}

/* ---- file form */

static void
the_state_survives_its_file(void **state)
{
    struct acme_buffer json = ACME_BUFFER(64 * 1024);
    struct acme_limits limits = { 0 }, again;
    struct acme_bucket other_ca = set_bucket;

    (void) state;
    other_ca.ca = "another.test";
    drain(&limits, &set_bucket, NOW);
    drain(&limits, &orders_bucket, NOW);
    acme_limits_count(&limits, &failures_bucket, NOW);
    acme_limits_count(&limits, &other_ca, NOW);
    acme_limits_hold(&limits, &domain_bucket, NOW + DAY, NOW);
    acme_limits_hold(&limits, &held_bucket, NOW + 20, NOW);
    assert_true(acme_limits_write(&limits, NOW + 5, &json));
    assert_true(acme_limits_read(acme_buffer_bytes(&json), &again));
    assert_int_equal(again.count, limits.count);
    assert_int_equal(again.seen, NOW + 5);
    assert_int_equal(again.size, limits.size);
    for (size_t i = 0; i < limits.count; i++) {
        assert_string_equal(again.entries[i].key, limits.entries[i].key);
        assert_int_equal(again.entries[i].at_ms, limits.entries[i].at_ms);
    }
    assert_false(allowed(&again, &domain_bucket, NOW + 5));
    assert_int_equal(drain(&again, &failures_bucket, NOW + 5), 4);
    acme_limits_free(&again);
    acme_limits_free(&limits);
    acme_buffer_free(&json);
}

static void
what_is_full_again_is_not_in_the_file(void **state)
{
    struct acme_buffer json = ACME_BUFFER(4096);
    struct acme_limits limits = { 0 };

    (void) state;
    acme_limits_count(&limits, &failures_bucket, NOW);
    acme_limits_hold(&limits, &held_bucket, NOW + 20, NOW);
    assert_true(acme_limits_write(&limits, NOW + HOUR, &json));
    assert_string_equal(acme_buffer_text(&json),
        "{\"seen\":\"2023-11-14T23:13:20Z\",\"cas\":{}}");
    assert_int_equal(limits.count, 0);
    assert_int_equal(limits.size, 0);
    acme_limits_free(&limits);
    acme_buffer_free(&json);
}

static void
the_file_has_a_bound_and_forgets_what_is_over_soonest(void **state)
{
    struct acme_buffer json = ACME_BUFFER(256 * 1024);
    struct acme_limits limits = { 0 };
    struct acme_bucket bucket = set_bucket;
    char of[24];

    (void) state;
    bucket.of = of;
    for (int i = 0; i < 20000; i++) {
        snprintf(of, sizeof(of), "%016x", i);
        acme_limits_count(&limits, &bucket, NOW + i);
        assert_true(limits.size <= ACME_LIMITS_JSON_MAX);
    }
    assert_true(limits.count > 3400);  /* of 300 orders in 3 h for WEEK / 5 */
    assert_true(acme_limits_write(&limits, NOW + 20000, &json));
    assert_true(json.len < 220 * 1024);
    assert_int_equal(drain(&limits, &bucket, NOW + 20000), 4);
    snprintf(of, sizeof(of), "%016x", 1);
    assert_int_equal(drain(&limits, &bucket, NOW + 20000), 5);
    acme_buffer_free(&json);

    /* where there is less room, less is written */
    json = (struct acme_buffer) ACME_BUFFER(1000);
    assert_true(acme_limits_write(&limits, NOW + 20000, &json));
    assert_true(limits.count > 0);
    acme_limits_free(&limits);
    acme_buffer_free(&json);
}

static const char *const broken[] = { "", "[]", "{}", "{\"cas\":[]}",
    "{\"cas\":{\"a\":[[7]]}}", "{\"cas\":{\"a\":{\"novelty\":{\"b\":1}}}}",
    "{\"cas\":{\"a b\":{\"sets\":{\"b\":1}}}}",
    "{\"cas\":{\"a\":{\"sets\":{\"b\":\"1\"}}}}",
    "{\"cas\":{\"a\":{\"sets\":{\"b\":-1}}}}",
    "{\"cas\":{\"a\":{\"sets\":{\"b\":1e300}}}}",
    "{\"cas\":{\"a\":{\"sets\":{\"b\\n\":1}}}}",
    "{\"cas\":{\"a\":{\"\":{\"b\":1}}}}",
    "{\"seen\":\"2023-11-14T23:13:20Z\",\"cas\":{\"a\":{\"sets\":{\"b\"" };

static void
a_broken_file_is_no_bucket(void **state)
{
    struct acme_limits limits, none = { 0 };

    (void) state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        memset(&limits, 0xee, sizeof(limits));
        if (acme_limits_read(acme_bytes_of(broken[i]), &limits)) {
            fail_msg("%s was taken", broken[i]);
        }
        assert_memory_equal(&limits, &none, sizeof(none));
    }
}

static void
a_time_that_nobody_can_have_written_is_cut(void **state)
{
    struct acme_limits limits;

    (void) state;
    assert_true(acme_limits_read(acme_bytes_of("{\"seen\":"
        "\"2023-11-14T22:13:20Z\",\"cas\":{\"ca.test\":{\"ca-held\":"
        "{\"\":9007199254740992},\"sets\":{\"00ff\":9007199254740992}}}}"),
        &limits));
    assert_false(allowed(&limits, &set_bucket, NOW));
    assert_true(allowed(&limits, &held_bucket, NOW + 8 * DAY));
    assert_int_equal(drain(&limits, &set_bucket, NOW + 16 * DAY), 5);
    acme_limits_free(&limits);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_used_comes_back_evenly),
        cmocka_unit_test(buckets_do_not_know_each_other),
        cmocka_unit_test(what_was_not_used_is_given_back),
        cmocka_unit_test(a_ca_without_known_limits_has_none),
        cmocka_unit_test(a_time_that_the_ca_names_binds_that_bucket_only),
        cmocka_unit_test(no_time_binds_beyond_reason),
        cmocka_unit_test(a_clock_that_is_set_back_blocks_nothing_for_long),
        cmocka_unit_test(the_state_survives_its_file),
        cmocka_unit_test(what_is_full_again_is_not_in_the_file),
        cmocka_unit_test(the_file_has_a_bound_and_forgets_what_is_over_soonest),
        cmocka_unit_test(a_broken_file_is_no_bucket),
        cmocka_unit_test(a_time_that_nobody_can_have_written_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
