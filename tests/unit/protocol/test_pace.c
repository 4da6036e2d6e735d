/* How often a CA is asked whether it is ready. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "protocol/pace.h"

enum { NOW = 1000000, MINUTE = 60 * 1000 };

static void
steps_grow_to_ten_seconds(void **state)
{
    static const int64_t steps[] = { 100, 200, 500, 1000, 2000, 3000, 5000,
        8000, 10000, 10000, 10000 };
    struct acme_pace pace;
    int64_t now = NOW;

    (void) state;
    acme_pace_restart(&pace);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        int64_t wake = acme_pace_wake_at(&pace, now, 0);

        assert_int_equal(wake - now, steps[i]);
        now = wake;
        assert_true(acme_pace_polled(&pace, now));
    }
}

static void
asking_again_does_not_put_it_off(void **state)
{
    struct acme_pace pace;
    int64_t wake;

    (void) state;
    acme_pace_restart(&pace);
    wake = acme_pace_wake_at(&pace, NOW, 0);
    assert_int_equal(acme_pace_wake_at(&pace, NOW + 50, 0), wake);
    assert_int_equal(acme_pace_wake_at(&pace, NOW + 50, 999999), wake);
}

static const struct {
    const char *what;
    int64_t retry_at;          /* seconds */
    int64_t wake;              /* milliseconds after NOW */
} rows[] = {
    { "none", 0, 100 },
    { "past", NOW / 1000 - 60, 100 },
    { "negative", INT64_MIN, 100 },
    { "this second", NOW / 1000, 100 },
    { "a floor", NOW / 1000 + 7, 7000 },
    { "a minute", NOW / 1000 + 60, MINUTE },
    { "the deadline", NOW / 1000 + 900, 15 * MINUTE },
    { "beyond the deadline", NOW / 1000 + 901, 15 * MINUTE },
    { "a year", NOW / 1000 + 366 * 86400, 15 * MINUTE },
    { "so large that milliseconds overflow", INT64_MAX, 15 * MINUTE },
};

static void
retry_after_is_obeyed_up_to_the_deadline(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct acme_pace pace;
        int64_t wake;

        acme_pace_restart(&pace);
        wake = acme_pace_wake_at(&pace, NOW, rows[i].retry_at);
        if (wake - NOW != rows[i].wake) {
            fail_msg("%s: %lld ms", rows[i].what, (long long) (wake - NOW));
        }
    }
}

static void
patience_ends_after_fifteen_minutes(void **state)
{
    struct acme_pace pace;

    (void) state;
    acme_pace_restart(&pace);
    acme_pace_wake_at(&pace, NOW, 0);
    assert_true(acme_pace_polled(&pace, NOW + 15 * MINUTE - 1));
    acme_pace_wake_at(&pace, NOW + 15 * MINUTE - 1, 0);
    assert_false(acme_pace_polled(&pace, NOW + 15 * MINUTE));
}

static void
the_last_poll_is_not_after_the_deadline(void **state)
{
    struct acme_pace pace;

    (void) state;
    acme_pace_restart(&pace);
    acme_pace_wake_at(&pace, NOW, 0);
    acme_pace_polled(&pace, NOW + 1);
    assert_int_equal(acme_pace_wake_at(&pace, NOW + 15 * MINUTE - 10, 0),
        NOW + 15 * MINUTE);
}

static void
progress_gives_patience_but_keeps_the_steps(void **state)
{
    struct acme_pace pace;
    int64_t now = NOW;

    (void) state;
    acme_pace_restart(&pace);
    for (int i = 0; i < 20; i++) {
        now = acme_pace_wake_at(&pace, now, 0);
        acme_pace_polled(&pace, now);
    }
    acme_pace_progress(&pace);
    now += 15 * MINUTE;
    assert_int_equal(acme_pace_wake_at(&pace, now, 0), now + 10000);
    assert_true(acme_pace_polled(&pace, now + 15 * MINUTE - 1));
}

static void
a_restart_begins_small_again(void **state)
{
    struct acme_pace pace;

    (void) state;
    acme_pace_restart(&pace);
    acme_pace_wake_at(&pace, NOW, 0);
    acme_pace_polled(&pace, NOW);
    acme_pace_restart(&pace);
    assert_int_equal(acme_pace_wake_at(&pace, NOW, 0), NOW + 100);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_grow_to_ten_seconds),
        cmocka_unit_test(asking_again_does_not_put_it_off),
        cmocka_unit_test(retry_after_is_obeyed_up_to_the_deadline),
        cmocka_unit_test(patience_ends_after_fifteen_minutes),
        cmocka_unit_test(the_last_poll_is_not_after_the_deadline),
        cmocka_unit_test(progress_gives_patience_but_keeps_the_steps),
        cmocka_unit_test(a_restart_begins_small_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
