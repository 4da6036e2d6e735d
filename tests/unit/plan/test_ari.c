/* The CA's wishes over the life of certificates, in simulated time. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "plan/ari.h"
#include "plan/plan.h"

#define NOW INT64_C(1700000000)

enum { MINUTE = 60, HOUR = 3600, DAY = 86400 };

static struct acme_ari
fresh(void)
{
    struct acme_ari ari;

    memset(&ari, 0, sizeof(ari));
    acme_ari_about(&ari, "a.b", NOW);
    return ari;
}

static struct acme_ari_window
window(int64_t start, int64_t length, const char *explanation)
{
    struct acme_ari_window window;

    memset(&window, 0, sizeof(window));
    window.start = start;
    window.end = start + length;
    strcpy(window.explanation, explanation);
    return window;
}

/* For a certificate of 90 days, obtained now. */
static int64_t
renew_at(const struct acme_ari *ari)
{
    return acme_ari_renew_at(ari, NOW, NOW + 90 * DAY,
        acme_plan_renew_at(NOW, NOW + 90 * DAY));
}

/* ---- the moment */

static void
without_an_answer_the_usual_rule_holds(void **state)
{
    struct acme_ari ari = fresh();

    (void) state;
    assert_int_equal(renew_at(&ari), NOW + 60 * DAY);
    acme_ari_failed(&ari, 0, 0, NOW);
    assert_int_equal(renew_at(&ari), NOW + 60 * DAY);
    acme_ari_not_offered(&ari, NOW);
    assert_int_equal(renew_at(&ari), NOW + 60 * DAY);
}

static void
the_moment_may_be_any_of_the_window_and_no_other(void **state)
{
    struct acme_ari_window two_days = window(NOW + 50 * DAY, 2 * DAY, "");
    static const uint64_t randoms[] = { 0, 1, DAY, 2 * DAY - 1, 2 * DAY,
        UINT32_MAX, UINT64_MAX, UINT64_C(0x8000000000000000) };
    int64_t first = INT64_MAX, last = 0;

    (void) state;
    for (size_t i = 0; i < sizeof(randoms) / sizeof(randoms[0]); i++) {
        struct acme_ari ari = fresh();

        assert_int_equal(acme_ari_take(&ari, &two_days, 0, randoms[i], NOW),
            ACME_ARI_FIRST);
        assert_in_range(ari.chosen, NOW + 50 * DAY, NOW + 52 * DAY - 1);
        assert_int_equal(renew_at(&ari), ari.chosen);
        first = ari.chosen < first ? ari.chosen : first;
        last = ari.chosen > last ? ari.chosen : last;
    }
    assert_int_equal(first, NOW + 50 * DAY);
    assert_int_equal(last, NOW + 52 * DAY - 1);
}

static void
it_is_drawn_once_for_a_window(void **state)
{
    struct acme_ari_window early = window(NOW + 50 * DAY, 2 * DAY, "");
    struct acme_ari_window late = window(NOW + 51 * DAY, 2 * DAY, "");
    struct acme_ari ari = fresh();
    int64_t chosen;

    (void) state;
    acme_ari_take(&ari, &early, 0, 12345, NOW);
    chosen = ari.chosen;
    for (unsigned i = 1; i < 100; i++) {
        assert_int_equal(acme_ari_take(&ari, &early, 0, i * 977, NOW + i),
            ACME_ARI_SAME);
        assert_int_equal(ari.chosen, chosen);
    }
    assert_int_equal(acme_ari_take(&ari, &late, 0, 0, NOW + DAY),
        ACME_ARI_MOVED);
    assert_int_equal(ari.chosen, NOW + 51 * DAY);
}

/* It comes from the network's side. */
static void
a_retry_after_from_before_time_is_none(void **state)
{
    struct acme_ari_window early = window(NOW + 50 * DAY, 2 * DAY, "");
    struct acme_ari ari = fresh();

    (void) state;
    acme_ari_take(&ari, &early, INT64_MIN, 0, NOW);
    assert_int_equal(ari.poll_at, NOW + 6 * HOUR);
    acme_ari_failed(&ari, INT64_MIN, 500, NOW);
    assert_int_equal(ari.poll_at, NOW + 10 * MINUTE);
}

static void
another_explanation_is_news_but_no_other_moment(void **state)
{
    struct acme_ari_window plain = window(NOW + 50 * DAY, DAY, "");
    struct acme_ari_window why = window(NOW + 50 * DAY, DAY,
        "https://ca.test/why");
    struct acme_ari ari = fresh();

    (void) state;
    acme_ari_take(&ari, &plain, 0, 17, NOW);
    assert_int_equal(acme_ari_take(&ari, &why, 0, 18, NOW), ACME_ARI_MOVED);
    assert_int_equal(ari.chosen, NOW + 50 * DAY + 17);
    assert_string_equal(ari.window.explanation, "https://ca.test/why");
    assert_int_equal(acme_ari_take(&ari, &why, 0, 19, NOW), ACME_ARI_SAME);
}

static void
a_window_in_the_past_renews_at_once(void **state)
{
    struct acme_ari_window past = window(NOW - HOUR, MINUTE, "");
    struct acme_ari_window ancient = window(0, 1, "");
    struct acme_ari ari = fresh();

    (void) state;
    acme_ari_take(&ari, &past, 0, 5, NOW + MINUTE);
    assert_int_equal(renew_at(&ari), NOW + MINUTE);
    /* what is due is not put off by another wish of this kind */
    acme_ari_take(&ari, &ancient, 0, 5, NOW + HOUR);
    assert_int_equal(renew_at(&ari), NOW + MINUTE);
    acme_ari_take(&ari, &ancient, 0, 5, NOW + DAY);
    assert_int_equal(renew_at(&ari), NOW + MINUTE);
}

static void
the_ca_may_delay_a_renewal_until_a_twentieth_of_life(void **state)
{
    struct acme_ari_window later = window(NOW + 70 * DAY, 1, "");
    struct acme_ari_window too_late = window(NOW + 88 * DAY, DAY, "");
    struct acme_ari_window never = window(NOW + 4000 * DAY, DAY, "");
    struct acme_ari ari = fresh();

    (void) state;
    acme_ari_take(&ari, &later, 0, 0, NOW);
    assert_int_equal(renew_at(&ari), NOW + 70 * DAY);
    acme_ari_take(&ari, &too_late, 0, 0, NOW);
    assert_int_equal(renew_at(&ari), NOW + 90 * DAY - 90 * DAY / 20);
    acme_ari_take(&ari, &never, 0, 0, NOW);
    assert_int_equal(renew_at(&ari), NOW + 90 * DAY - 90 * DAY / 20);
    /* one that came late in its life has its own rule, at least */
    assert_int_equal(acme_ari_renew_at(&ari, NOW - 89 * DAY, NOW + DAY,
        NOW + DAY / 2), NOW + DAY / 2);
    /* dates the wrong way round */
    assert_int_equal(acme_ari_renew_at(&ari, NOW, NOW, NOW), NOW);
}

/* 1/20 of 40 seconds is not enough for an order and a reload. */
static void
the_ca_may_not_delay_a_renewal_into_the_last_minutes(void **state)
{
    struct acme_ari_window tomorrow = window(NOW + DAY, DAY, "");
    struct acme_ari_window past = window(NOW - DAY, DAY, "");
    struct acme_ari ari = fresh();

    (void) state;
    acme_ari_take(&ari, &tomorrow, 0, 0, NOW);
    assert_int_equal(acme_ari_renew_at(&ari, NOW, NOW + 40, NOW + 20),
        NOW + 20);
    assert_int_equal(acme_ari_renew_at(&ari, NOW, NOW + HOUR, NOW + HOUR / 2),
        NOW + 50 * MINUTE);
    /* nor does the pause after hasty renewals */
    acme_ari_take(&ari, &past, 0, 0, NOW);
    ari.hasty = 2;
    assert_int_equal(acme_ari_renew_at(&ari, NOW, NOW + 40, NOW + 20),
        NOW + 20);
}

/* ---- the questions */

static const struct {
    const char *what;
    int64_t retry_after;       /* -1: none */
    int64_t pause;
} questions[] = {
    { "none", -1, 6 * HOUR },
    { "as it says", 21600 + 4000, 21600 + 4000 },
    { "a second", 1, MINUTE },
    { "a minute", MINUTE, MINUTE },
    { "a day", DAY, DAY },
    { "a year", 365 * DAY, DAY },
    { "in the past", -3600, MINUTE },
};

static void
the_ca_is_asked_when_it_says_within_reason(void **state)
{
    struct acme_ari_window some = window(NOW + 50 * DAY, DAY, "");

    (void) state;
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        struct acme_ari ari = fresh();

        assert_int_equal(ari.poll_at, 0);
        acme_ari_take(&ari, &some, questions[i].retry_after == -1 ? 0
            : NOW + questions[i].retry_after, 0, NOW);
        if (ari.poll_at - NOW != questions[i].pause) {
            fail_msg("%s: %lld", questions[i].what,
                (long long) (ari.poll_at - NOW));
        }
    }
}

static void
a_question_without_an_answer_is_asked_again(void **state)
{
    static const int64_t pauses[] = { 10 * MINUTE, HOUR, 6 * HOUR, 6 * HOUR };
    struct acme_ari_window some = window(NOW + 50 * DAY, DAY, "");
    struct acme_ari ari = fresh();

    (void) state;
    acme_ari_take(&ari, &some, 0, 7, NOW);
    for (unsigned i = 0; i < 4; i++) {
        acme_ari_failed(&ari, 0, i * 333, NOW);
        assert_int_equal(ari.failures, i + 1);
        assert_in_range(ari.poll_at - NOW, pauses[i] * 9 / 10,
            pauses[i] * 11 / 10);
        assert_int_equal(renew_at(&ari), NOW + 50 * DAY + 7);
    }
    acme_ari_failed(&ari, NOW + 12 * HOUR, 0, NOW);
    assert_int_equal(ari.poll_at, NOW + 12 * HOUR);
    acme_ari_failed(&ari, NOW + 48 * HOUR, 0, NOW);
    assert_int_equal(ari.poll_at, NOW + DAY);
    acme_ari_take(&ari, &some, 0, 8, NOW);
    assert_int_equal(ari.failures, 0);
    assert_int_equal(ari.chosen, NOW + 50 * DAY + 7);
}

static void
a_ca_that_does_not_offer_it_is_asked_again_in_a_day(void **state)
{
    struct acme_ari_window some = window(NOW + 50 * DAY, DAY, "");
    struct acme_ari ari = fresh();

    (void) state;
    acme_ari_take(&ari, &some, 0, 0, NOW);
    acme_ari_not_offered(&ari, NOW);
    assert_int_equal(ari.poll_at, NOW + DAY);
    assert_false(acme_ari_has_window(&ari));
    assert_int_equal(renew_at(&ari), NOW + 60 * DAY);
    assert_int_equal(acme_ari_take(&ari, &some, 0, 0, NOW), ACME_ARI_FIRST);
}

/* ---- certificates come and go */

static void
another_certificate_begins_anew(void **state)
{
    struct acme_ari_window some = window(NOW + 50 * DAY, DAY, "");
    struct acme_ari ari = fresh();

    (void) state;
    acme_ari_take(&ari, &some, 0, 0, NOW);
    acme_ari_about(&ari, "a.b", NOW + DAY);
    assert_true(acme_ari_has_window(&ari));
    assert_int_equal(ari.since, NOW);
    acme_ari_about(&ari, "a.c", NOW + 50 * DAY);
    assert_false(acme_ari_has_window(&ari));
    assert_string_equal(ari.cert_id, "a.c");
    assert_int_equal(ari.since, NOW + 50 * DAY);
    assert_int_equal(ari.poll_at, 0);
    assert_int_equal(ari.hasty, 0);
}

/*
 * Renew as often as a CA asks for whose windows are always in the past;
 * returns how many certificates there are after so many days.
 */
static unsigned
renew_in_haste(struct acme_ari *ari, int64_t life, int64_t days)
{
    struct acme_ari_window past = window(NOW - DAY, 1, "");
    int64_t now = NOW;
    unsigned count = 0;
    char id[] = "a.a";

    while (now < NOW + days * DAY) {
        id[2] = (char) ('a' + ++count % 26);
        acme_ari_about(ari, id, now);
        acme_ari_take(ari, &past, 0, 0, now);
        now = acme_ari_renew_at(ari, now, now + life,
            acme_plan_renew_at(now, now + life));
    }
    return count;
}

static void
a_ca_whose_windows_are_always_past_gets_one_order_a_day(void **state)
{
    struct acme_ari ari;

    (void) state;
    memset(&ari, 0, sizeof(ari));
    assert_in_range(renew_in_haste(&ari, 90 * DAY, 7), 3, 9);
    memset(&ari, 0, sizeof(ari));
    assert_in_range(renew_in_haste(&ari, 6 * DAY, 7), 3, 12);
    /* it ends with the first certificate that stays for a while */
    ari = fresh();
    ari.hasty = 2;
    acme_ari_about(&ari, "new", NOW + 30 * DAY);
    assert_int_equal(ari.hasty, 0);
}

static void
names_that_change_are_no_haste(void **state)
{
    struct acme_ari_window some = window(NOW + 50 * DAY, DAY, "");
    struct acme_ari ari = fresh();

    (void) state;
    acme_ari_take(&ari, &some, 0, 0, NOW);
    acme_ari_about(&ari, "a.c", NOW + MINUTE);
    assert_int_equal(ari.hasty, 0);
}

static void
a_clock_that_is_set_back_silences_no_question(void **state)
{
    struct acme_ari_window some = window(NOW + 50 * DAY, DAY, "");
    struct acme_ari ari = fresh();

    (void) state;
    acme_ari_take(&ari, &some, 0, 0, NOW);
    acme_ari_set_clock_back(&ari, NOW - HOUR);
    assert_int_equal(ari.poll_at, NOW + 6 * HOUR);
    acme_ari_set_clock_back(&ari, NOW - 4000 * DAY);
    assert_int_equal(ari.poll_at, NOW - 4000 * DAY);
    assert_int_equal(ari.since, NOW - 4000 * DAY);
    assert_int_equal(ari.chosen, NOW + 50 * DAY);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_an_answer_the_usual_rule_holds),
        cmocka_unit_test(the_moment_may_be_any_of_the_window_and_no_other),
        cmocka_unit_test(it_is_drawn_once_for_a_window),
        cmocka_unit_test(a_retry_after_from_before_time_is_none),
        cmocka_unit_test(another_explanation_is_news_but_no_other_moment),
        cmocka_unit_test(a_window_in_the_past_renews_at_once),
        cmocka_unit_test(the_ca_may_delay_a_renewal_until_a_twentieth_of_life),
        cmocka_unit_test(the_ca_may_not_delay_a_renewal_into_the_last_minutes),
        cmocka_unit_test(the_ca_is_asked_when_it_says_within_reason),
        cmocka_unit_test(a_question_without_an_answer_is_asked_again),
        cmocka_unit_test(a_ca_that_does_not_offer_it_is_asked_again_in_a_day),
        cmocka_unit_test(another_certificate_begins_anew),
        cmocka_unit_test(
            a_ca_whose_windows_are_always_past_gets_one_order_a_day),
        cmocka_unit_test(names_that_change_are_no_haste),
        cmocka_unit_test(a_clock_that_is_set_back_silences_no_question),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
