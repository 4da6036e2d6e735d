/* The operator's wish and the CA's: when a certificate is renewed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "plan/plan.h"
#include "plan/renew.h"

#define NOW INT64_C(1700000000)

/* Of a folder whose renewals are not spread. */
static int64_t
renew_at(const struct acme_renew *renew, const struct acme_ari *ari,
    int64_t not_before, int64_t not_after, int64_t obtained_at)
{
    return acme_renew_at(renew, ari, not_before, not_after, obtained_at,
        "a2755.test");
}

enum { HOUR = 3600, DAY = 86400 };

static const struct acme_ari silent;

static const struct {
    const char *what;
    struct acme_renew renew;
    int64_t life, at;
    bool too_early;
} rows[] = {
    { "auto", { 0, 0 }, 90 * DAY, 60 * DAY, false },
    { "auto, a short life", { 0, 0 }, 6 * DAY, 3 * DAY, false },
    { "a quarter", { 25, 0 }, 80 * DAY, 60 * DAY, false },
    { "one percent", { 1, 0 }, 100 * DAY, 99 * DAY, false },
    { "half", { 50, 0 }, 6 * DAY, 3 * DAY, false },
    { "thirty days", { 0, 30 }, 90 * DAY, 60 * DAY, false },
    { "thirty of sixty days", { 0, 30 }, 60 * DAY, 30 * DAY, false },
    { "thirty of forty-five days", { 0, 30 }, 45 * DAY, 45 * DAY / 2, true },
    { "thirty of six days", { 0, 30 }, 6 * DAY, 3 * DAY, true },
    { "a year of 160 hours", { 0, 365 }, 160 * HOUR, 80 * HOUR, true },
};

static void
the_operators_wish_counts_from_the_end(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        int64_t end = NOW + rows[i].life;

        if (renew_at(&rows[i].renew, &silent, NOW, end, NOW)
                != NOW + rows[i].at
            || acme_renew_is_too_early(&rows[i].renew, NOW, end)
                != rows[i].too_early) {
            fail_msg("%s", rows[i].what);
        }
    }
}

static struct acme_ari
ari_of(int64_t start, int64_t end, int64_t known_at)
{
    struct acme_ari_window window = { .start = start, .end = end };
    struct acme_ari ari = { .cert_id = "a.b", .since = NOW };

    acme_ari_take(&ari, &window, 0, 0, known_at);
    return ari;
}

static void
a_window_of_the_cas_counts_without_one_only(void **state)
{
    const struct acme_renew days = { 0, 10 }, automatic = { 0, 0 };
    int64_t end = NOW + 90 * DAY;
    struct acme_ari early = ari_of(NOW + 20 * DAY, NOW + 22 * DAY, NOW);
    struct acme_ari late = ari_of(NOW + 84 * DAY, NOW + 85 * DAY, NOW);

    (void) state;
    assert_int_equal(renew_at(&automatic, &early, NOW, end, NOW),
        NOW + 20 * DAY);
    assert_int_equal(renew_at(&automatic, &late, NOW, end, NOW),
        NOW + 84 * DAY);
    assert_int_equal(renew_at(&days, &early, NOW, end, NOW),
        NOW + 80 * DAY);
    assert_int_equal(renew_at(&days, &late, NOW, end, NOW),
        NOW + 80 * DAY);
}

static void
a_window_that_had_ended_counts_in_any_case(void **state)
{
    const struct acme_renew days = { 0, 10 };
    int64_t end = NOW + 90 * DAY, then = NOW + 30 * DAY;
    struct acme_ari ended = ari_of(NOW + DAY, NOW + 2 * DAY, then);
    struct acme_ari late = ari_of(NOW + 84 * DAY, NOW + 85 * DAY,
        NOW + 86 * DAY);

    (void) state;
    assert_true(ended.ended);
    assert_int_equal(renew_at(&days, &ended, NOW, end, NOW), then);
    /* it never delays */
    assert_int_equal(renew_at(&days, &late, NOW, end, NOW),
        NOW + 80 * DAY);
    /* an open one in its place counts no more */
    acme_ari_take(&ended, &(struct acme_ari_window) { .start = then - DAY,
        .end = then + DAY }, 0, 0, then);
    assert_false(ended.ended);
    assert_int_equal(renew_at(&days, &ended, NOW, end, NOW),
        NOW + 80 * DAY);
}

static void
a_certificate_that_came_late_is_not_renewed_at_once(void **state)
{
    const struct acme_renew half = { 50, 0 }, days = { 0, 30 };
    int64_t end = NOW + 90 * DAY;

    (void) state;
    /* dated back by 50 days */
    assert_int_equal(renew_at(&half, &silent, NOW, end, NOW + 50 * DAY),
        NOW + 70 * DAY);
    assert_int_equal(renew_at(&days, &silent, NOW, end, NOW + 70 * DAY),
        NOW + 80 * DAY);
    /* and by all of its life */
    assert_int_equal(renew_at(&days, &silent, NOW, end, end - 10),
        end - 10 + 60);
    assert_int_equal(renew_at(&days, &silent, NOW, NOW, 0), NOW);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_operators_wish_counts_from_the_end),
        cmocka_unit_test(a_window_of_the_cas_counts_without_one_only),
        cmocka_unit_test(a_window_that_had_ended_counts_in_any_case),
        cmocka_unit_test(a_certificate_that_came_late_is_not_renewed_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
