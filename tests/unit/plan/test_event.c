/* When an end is told, and when a program that has failed is run again. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "plan/event.h"
#include "plan/plan.h"

#define NOW INT64_C(1700000000)

enum { MINUTE = 60, HOUR = 3600, DAY = 86400 };

/* ---- what is about to expire */

/* From its birth to a day after its end, hour by hour; days told, in order. */
static size_t
live(int64_t life, int64_t renew_at, unsigned days[8])
{
    struct acme_told told = { .days = 0 };
    int64_t end = NOW + life;
    size_t count = 0;

    for (int64_t now = NOW; now <= end + DAY; now += HOUR) {
        unsigned told_now = acme_event_expiring(&told, "1a", end, renew_at,
            now);
        int64_t next = acme_event_expiring_at(&told, "1a", end, renew_at,
            now);

        assert_true(told_now != 0 ? next == now : next > now);
        if (told_now != 0 && count < 8) {
            assert_in_range(end - now, (told_now - 1) * DAY,
                told_now * DAY);
            days[count++] = told_now;
            told.days = told_now;
            strcpy(told.serial, "1a");
        }
    }
    return count;
}

static void
a_certificate_that_is_not_renewed_is_told_of_twice(void **state)
{
    unsigned days[8];

    (void) state;
    assert_int_equal(live(90 * DAY, NOW + 60 * DAY, days), 2);
    assert_int_equal(days[0], 14);
    assert_int_equal(days[1], 3);
    assert_int_equal(live(47 * DAY, NOW + 47 * DAY * 2 / 3, days), 2);
}

static void
a_short_life_is_no_alarm(void **state)
{
    unsigned days[8];

    (void) state;
    /* of six days, half of it for the renewal: 3 days are its plan */
    assert_int_equal(live(6 * DAY, NOW + 3 * DAY, days), 0);
    assert_int_equal(live(2 * DAY, NOW + DAY, days), 0);
    assert_int_equal(live(160 * HOUR, NOW + 80 * HOUR, days), 1);
    assert_int_equal(days[0], 3);
    /* a month, renewed with ten days left */
    assert_int_equal(live(30 * DAY, NOW + 20 * DAY, days), 1);
    assert_int_equal(days[0], 3);
}

static void
a_renewal_that_is_planned_late_is_no_alarm(void **state)
{
    unsigned days[8];

    (void) state;
    assert_int_equal(live(90 * DAY, NOW + 80 * DAY, days), 1);
    assert_int_equal(days[0], 3);
    assert_int_equal(live(90 * DAY, NOW + 88 * DAY, days), 0);
}

static void
after_a_pause_the_last_threshold_is_told_only(void **state)
{
    struct acme_told told = { .days = 0 };

    (void) state;
    assert_int_equal(acme_event_expiring(&told, "1a", NOW + 2 * DAY,
        NOW - 20 * DAY, NOW), 3);
    assert_int_equal(acme_event_expiring(&told, "1a", NOW - 20 * DAY,
        NOW - 40 * DAY, NOW), 3);
    told = (struct acme_told) { .days = 3, .serial = "1a" };
    assert_int_equal(acme_event_expiring(&told, "1a", NOW + 2 * DAY,
        NOW - 20 * DAY, NOW), 0);
    assert_int_equal(acme_event_expiring_at(&told, "1a", NOW + 2 * DAY,
        NOW - 20 * DAY, NOW), INT64_MAX);
}

static void
another_certificate_is_another_matter(void **state)
{
    struct acme_told told = { .days = 3, .serial = "1a" };

    (void) state;
    assert_int_equal(acme_event_expiring(&told, "1b", NOW + 10 * DAY,
        NOW - 20 * DAY, NOW), 14);
    told = (struct acme_told) { .days = 14, .serial = "1b" };
    assert_int_equal(acme_event_expiring(&told, "1b", NOW + 10 * DAY,
        NOW - 20 * DAY, NOW), 0);
    assert_int_equal(acme_event_expiring_at(&told, "1b", NOW + 10 * DAY,
        NOW - 20 * DAY, NOW), NOW + 7 * DAY);
}

static void
a_false_alarm_of_a_wrong_clock_silences_no_true_one(void **state)
{
    struct acme_told told = { .days = 3, .serial = "1a" };

    (void) state;
    /* the clock was a year ahead, and is right now */
    assert_int_equal(acme_event_expiring(&told, "1a", NOW + 60 * DAY,
        NOW + 30 * DAY, NOW), 0);
    assert_int_equal(acme_event_expiring_at(&told, "1a", NOW + 60 * DAY,
        NOW + 30 * DAY, NOW), NOW + 46 * DAY);
    assert_int_equal(acme_event_expiring(&told, "1a", NOW + 60 * DAY,
        NOW + 30 * DAY, NOW + 46 * DAY), 14);
}

static void
begun_days_are_days(void **state)
{
    (void) state;
    assert_int_equal(acme_event_days_left(NOW + 14 * DAY, NOW), 14);
    assert_int_equal(acme_event_days_left(NOW + 14 * DAY, NOW + 1), 14);
    assert_int_equal(acme_event_days_left(NOW + 1, NOW), 1);
    assert_int_equal(acme_event_days_left(NOW, NOW), 0);
    assert_int_equal(acme_event_days_left(NOW - DAY, NOW), 0);
}

/* ---- a program that fails */

static void
a_program_that_fails_is_tried_for_a_week(void **state)
{
    static const int64_t pauses[] = { MINUTE, 10 * MINUTE, 100 * MINUTE, DAY,
        DAY, DAY };
    unsigned failures = 0;
    int64_t now = NOW;

    (void) state;
    for (;;) {
        int64_t at = acme_event_retry_at(++failures, NOW, 500, now);

        if (at == 0) {
            break;
        }
        if (failures <= sizeof(pauses) / sizeof(pauses[0])) {
            assert_int_equal(at - now, pauses[failures - 1]);
        }
        now = at;
    }
    assert_in_range(now, NOW + 6 * DAY, NOW + 7 * DAY);
    assert_in_range(failures, 8, 12);
}

static void
pauses_are_not_all_alike(void **state)
{
    (void) state;
    assert_int_equal(acme_event_retry_at(2, NOW, 0, NOW), NOW + 9 * MINUTE);
    assert_in_range(acme_event_retry_at(2, NOW, 999, NOW), NOW + 10 * MINUTE,
        NOW + 11 * MINUTE);
}

/* ---- the file */

static void
what_was_told_survives_a_restart_and_a_success(void **state)
{
    struct acme_plan plan = { .failures = 2, .failed_at = NOW, .told = {
        .generation = 4000000000u, .failed_at = NOW, .days = 14,
        .serial = "1a2b" } };
    struct acme_buffer json = ACME_BUFFER(4096);
    struct acme_plan again;

    (void) state;
    assert_true(acme_plan_write(&plan, &json));
    assert_true(acme_plan_read(acme_buffer_bytes(&json), &again));
    assert_memory_equal(&plan, &again, sizeof(plan));
    acme_plan_succeeded(&again);
    assert_int_equal(again.failures, 0);
    assert_memory_equal(&plan.told, &again.told, sizeof(plan.told));
    acme_buffer_free(&json);
}

#define TEST(name) cmocka_unit_test(name)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_certificate_that_is_not_renewed_is_told_of_twice),
        TEST(a_short_life_is_no_alarm),
        TEST(a_renewal_that_is_planned_late_is_no_alarm),
        TEST(after_a_pause_the_last_threshold_is_told_only),
        TEST(another_certificate_is_another_matter),
        TEST(a_false_alarm_of_a_wrong_clock_silences_no_true_one),
        TEST(begun_days_are_days),
        TEST(a_program_that_fails_is_tried_for_a_week),
        TEST(pauses_are_not_all_alike),
        TEST(what_was_told_survives_a_restart_and_a_success),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
