/* What an attempt does when one way of ordering has failed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "crypto/alpn_cert.h"
#include "keeper/quota.h"
#include "keeper/ways.h"
#include "scene.h"

#define ORDER_FILE "pending/example.test/order.json"

/* A job that the agent works on, with a saved order. */
static void
begin(struct scene *scene)
{
    struct acme_error err;

    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    attempt_start(&scene->job, &scene->keeper);
    attempt_order(&scene->job, &scene->keeper);
    assert_int_equal(scene->job.state, JOB_ORDERING);
    assert_true(attempt_save_order(&scene->job, &scene->keeper,
        BASE "/order/1", 0, &err));
}

static void
refuse(struct scene *scene, const char *problem, int64_t retry_at,
    enum acme_challenge_type type)
{
    struct acme_error err;

    acme_fail(&err, ACME_RETRY, "the CA's words");
    snprintf(err.problem, sizeof(err.problem), "%s", problem);
    err.retry_at = retry_at;
    ways_refused(&scene->job, &scene->keeper, &err, "validation", type);
}

static void
restart(struct scene *scene)
{
    attempt_free(&scene->job);
    memset(&scene->job, 0, sizeof(scene->job));
    scene->keeper.active_count = 0;
    attempt_init(&scene->job, &scene->keeper, &scene->cert);
}

static bool
publish(struct scene *scene, enum acme_challenge_type type,
    const char *token, const char *url)
{
    struct acme_error err;

    return attempt_publish(&scene->job, &scene->keeper, type, "example.test",
        token, url, &err);
}

/* ---- challenges */

static void
the_next_type_is_tried_in_a_new_order(void **state)
{
    struct scene *scene = *state;
    uint32_t id;

    begin(scene);
    assert_true(publish(scene, ACME_HTTP_01, "one", BASE "/chal/1"));
    id = scene->job.id;
    refuse(scene, "connection", 0, ACME_HTTP_01);
    assert_int_equal(scene->job.state, JOB_READY);
    assert_int_not_equal(scene->job.id, id);
    assert_null(scene->job.order_url);
    assert_false(acme_page_has_proofs(scene->keeper.page));
    assert_int_equal(scene->job.plan.failures, 0);
    assert_true(logged(scene, "trying tls-alpn-01 in place of http-01"));
    assert_int_equal(scene->job.wish.count, 1);
    assert_int_equal(scene->job.wish.types[0], ACME_TLS_ALPN_01);

    attempt_order(&scene->job, &scene->keeper);
    refuse(scene, "tls", 0, ACME_TLS_ALPN_01);
    assert_int_equal(scene->job.state, JOB_IDLE);
    assert_int_equal(scene->job.plan.failures, 1);
}

static const struct {
    const char *problem;
    enum acme_challenge_type type;
} reasons[] = {
    { "dns", ACME_HTTP_01 },
    { "caa", ACME_HTTP_01 },
    { "rateLimited", ACME_CHALLENGE_NONE },
    { "connection", ACME_CHALLENGE_NONE },
    { "unauthorized", ACME_CHALLENGE_NONE },
};

static void
another_type_does_not_help_where_it_is_not_the_reason(void **state)
{
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        begin(scene);
        refuse(scene, reasons[i].problem, 0, reasons[i].type);
        if (scene->job.state != JOB_IDLE) {
            fail_msg("%s", reasons[i].problem);
        }
        attempt_free(&scene->job);
        memset(&scene->job, 0, sizeof(scene->job));
    }
    begin(scene);
}

static void
the_types_that_are_left_survive_a_restart(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    begin(scene);
    refuse(scene, "unauthorized", 0, ACME_HTTP_01);
    attempt_order(&scene->job, &scene->keeper);
    assert_true(attempt_save_order(&scene->job, &scene->keeper,
        BASE "/order/2", 0, &err));
    restart(scene);
    attempt_start(&scene->job, &scene->keeper);
    assert_string_equal(scene->job.order_url, BASE "/order/2");
    assert_int_equal(scene->job.wish.count, 1);
    assert_int_equal(scene->job.wish.types[0], ACME_TLS_ALPN_01);
}

/* An attempt of which every challenge fails, as late as it may. */
static unsigned
fail_all_types(struct scene *scene, unsigned attempt)
{
    struct acme_error err;
    unsigned failures = 0;
    char url[64];

    scene->keeper.now = scene->job.next_at;
    attempt_start(&scene->job, &scene->keeper);
    attempt_order(&scene->job, &scene->keeper);
    if (scene->job.resumed) {   /* the CA calls that order invalid */
        refuse(scene, "orderGone", 0, ACME_CHALLENGE_NONE);
        attempt_order(&scene->job, &scene->keeper);
    }
    while (scene->job.state == JOB_ORDERING) {
        snprintf(url, sizeof(url), BASE "/order/%u-%u", attempt, failures++);
        assert_true(attempt_save_order(&scene->job, &scene->keeper, url,
            0, &err));
        refuse(scene, "connection", 0, scene->job.wish.types[0]);
        if (scene->job.state == JOB_READY) {
            attempt_order(&scene->job, &scene->keeper);
        }
    }
    return failures;
}

/* Public CAs allow 5 failed validations of a name in an hour. */
static void
failed_validations_stay_within_the_limit_of_cas(void **state)
{
    struct scene *scene = *state;
    int64_t at[32];
    unsigned count = 0;

    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    for (unsigned attempt = 0; attempt < 6; attempt++) {
        unsigned failures = fail_all_types(scene, attempt);

        for (unsigned i = 0; i < failures; i++) {
            at[count++] = scene->keeper.now;
        }
    }
    for (unsigned i = 0; i + 5 < count; i++) {
        assert_true(at[i + 5] - at[i] > 3600);
    }
    assert_int_equal(count, 2 + 1 + 1 + 2 + 2 + 2);
}

static void
a_type_that_the_limits_leave_no_room_for_is_not_tried(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    scene->ca.url = (char *) "https://acme-v02.api.letsencrypt.org/directory";
    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    attempt_start(&scene->job, &scene->keeper);
    attempt_order(&scene->job, &scene->keeper);
    assert_true(attempt_save_order(&scene->job, &scene->keeper,
        BASE "/order/1", 0, &err));
    for (int i = 0; i < 5; i++) {
        quota_responding(&scene->job, &scene->keeper, "example.test");
    }
    refuse(scene, "connection", 0, ACME_HTTP_01);
    assert_int_equal(scene->job.state, JOB_IDLE);
    assert_int_equal(scene->keeper.active_count, 0);
    assert_int_equal(scene->job.plan.failures, 1);
    assert_string_equal(scene->job.plan.problem, "connection");
}

static void
types_take_turns_after_a_failure(void **state)
{
    struct scene *scene = *state;

    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    assert_int_equal(fail_all_types(scene, 0), 2);
    for (unsigned i = 0; i < 2; i++) {
        scene->keeper.now = scene->job.next_at;
        attempt_start(&scene->job, &scene->keeper);
        attempt_order(&scene->job, &scene->keeper);
        refuse(scene, "orderGone", 0, ACME_CHALLENGE_NONE);
        assert_int_equal(scene->job.wish.count, 1);
        assert_int_equal(scene->job.wish.types[0],
            i == 0 ? ACME_TLS_ALPN_01 : ACME_HTTP_01);
        attempt_order(&scene->job, &scene->keeper);
        refuse(scene, "unauthorized", 0, scene->job.wish.types[0]);
    }

    /* what the operator may have mended is not known: all are tried */
    attempt_encourage(&scene->job, &scene->keeper);
    assert_int_equal(scene->job.next_at, scene->keeper.now);
    assert_int_equal(fail_all_types(scene, 3), 2);
}

static void
other_failures_leave_all_types(void **state)
{
    struct scene *scene = *state;

    begin(scene);
    refuse(scene, "rateLimited", 0, ACME_CHALLENGE_NONE);
    scene->keeper.now = scene->job.next_at;
    attempt_start(&scene->job, &scene->keeper);
    assert_int_equal(scene->job.wish.count, 2);
    assert_int_equal(scene->job.wish.types[0], ACME_HTTP_01);
}

static void
what_worked_last_time_is_tried_first(void **state)
{
    struct scene *scene = *state;

    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    scene->job.proven_by = ACME_TLS_ALPN_01;
    attempt_start(&scene->job, &scene->keeper);
    assert_int_equal(scene->job.wish.count, 2);
    assert_int_equal(scene->job.wish.types[0], ACME_TLS_ALPN_01);
    assert_int_equal(scene->job.wish.types[1], ACME_HTTP_01);
}

static void
a_type_without_a_listener_is_tried_last(void **state)
{
    struct scene *scene = *state;

    scene->settings.listens_http = false;
    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    scene->job.proven_by = ACME_HTTP_01;
    attempt_start(&scene->job, &scene->keeper);
    assert_int_equal(scene->job.wish.count, 2);
    assert_int_equal(scene->job.wish.types[0], ACME_TLS_ALPN_01);
    assert_int_equal(scene->job.wish.types[1], ACME_HTTP_01);
}

static void
types_without_a_listener_have_no_turn(void **state)
{
    struct scene *scene = *state;

    scene->settings.listens_https = false;
    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    assert_int_equal(fail_all_types(scene, 0), 2);
    scene->keeper.now = scene->job.next_at;
    attempt_start(&scene->job, &scene->keeper);
    attempt_order(&scene->job, &scene->keeper);
    refuse(scene, "orderGone", 0, ACME_CHALLENGE_NONE);
    assert_int_equal(scene->job.wish.count, 1);
    assert_int_equal(scene->job.wish.types[0], ACME_HTTP_01);
}

static void
types_without_a_listener_keep_their_order(void **state)
{
    struct scene *scene = *state;

    scene->settings.listens_http = scene->settings.listens_https = false;
    begin(scene);
    assert_int_equal(scene->job.wish.count, 2);
    assert_int_equal(scene->job.wish.types[0], ACME_HTTP_01);
    assert_int_equal(scene->job.wish.types[1], ACME_TLS_ALPN_01);
}

static void
only_types_that_are_wanted_are_published(void **state)
{
    struct scene *scene = *state;

    scene->cert.challenge_count = 1;
    begin(scene);
    assert_false(publish(scene, ACME_TLS_ALPN_01, "one", BASE "/chal/1"));
    assert_false(acme_page_has_alpn(scene->keeper.page));
    assert_true(publish(scene, ACME_HTTP_01, "one", BASE "/chal/1"));
}

/* ---- tls-alpn-01 */

static bool
shows_certificate(const struct scene *scene, struct acme_page_alpn *alpn)
{
    return acme_page_find_alpn(scene->keeper.page,
        acme_bytes_of("example.test"), alpn);
}

static void
a_certificate_is_put_up_and_comes_back_after_a_restart(void **state)
{
    struct scene *scene = *state;
    struct acme_page_alpn alpn;

    begin(scene);
    assert_true(publish(scene, ACME_TLS_ALPN_01, "one", BASE "/chal/1"));
    assert_true(shows_certificate(scene, &alpn));
    assert_true(alpn.cert_len > 100 && alpn.key_len > 50);
    acme_page_withdraw_alpn(scene->keeper.page, acme_bytes_of("example.test"),
        acme_bytes_of("one"));
    restart(scene);
    assert_true(shows_certificate(scene, &alpn));
    pending_withdraw(&scene->job, &scene->keeper);
    assert_false(acme_page_has_alpn(scene->keeper.page));
}

/* Of two accounts, say; the page has one place for a name. */
static void
what_another_job_shows_for_the_name_comes_back(void **state)
{
    struct proof proof = { .type = ACME_TLS_ALPN_01,
        .name = (char *) "example.test", .token = (char *) "other",
        .challenge_url = (char *) BASE "/chal/9" };
    struct scene *scene = *state;
    struct job other = { .proofs = &proof, .proof_count = 1,
        .account = &scene->account };
    struct acme_page_alpn ours, theirs;

    begin(scene);
    scene->keeper.jobs = &other;
    assert_true(publish(scene, ACME_TLS_ALPN_01, "one", BASE "/chal/1"));
    assert_true(shows_certificate(scene, &ours));
    pending_withdraw(&scene->job, &scene->keeper);
    assert_true(shows_certificate(scene, &theirs));
    assert_memory_not_equal(ours.cert, theirs.cert, ours.cert_len);
    acme_page_withdraw_alpn(scene->keeper.page, acme_bytes_of("example.test"),
        acme_bytes_of("other"));
    assert_false(acme_page_has_alpn(scene->keeper.page));
    scene->keeper.jobs = &scene->job;
}

/* ---- a CA that takes its time */

static void
an_order_in_processing_waits_without_a_place(void **state)
{
    struct scene *scene = *state;

    begin(scene);
    refuse(scene, "orderProcessing", 0, ACME_CHALLENGE_NONE);
    assert_int_equal(scene->job.state, JOB_IDLE);
    assert_int_equal(scene->keeper.active_count, 0);
    assert_int_equal(scene->job.next_at, NOW + 10 * 60);
    assert_int_equal(scene->job.plan.failures, 0);
    assert_true(logged(scene, "the CA is still at work on it"));

    attempt_start(&scene->job, &scene->keeper);
    attempt_order(&scene->job, &scene->keeper);
    assert_true(scene->job.resumed);
    assert_string_equal(scene->job.order_url, BASE "/order/1");
    refuse(scene, "orderProcessing", NOW + 7200, ACME_CHALLENGE_NONE);
    assert_int_equal(scene->job.next_at, NOW + 7200);

    restart(scene);
    assert_string_equal(scene->job.order_url, BASE "/order/1");
    attempt_start(&scene->job, &scene->keeper);
    attempt_order(&scene->job, &scene->keeper);
    refuse(scene, "orderProcessing", NOW + 400 * DAY, ACME_CHALLENGE_NONE);
    assert_int_equal(scene->job.next_at, NOW + DAY);
}

/* ---- profiles */

static void
a_profile_is_dropped_once_unless_it_is_required(void **state)
{
    struct scene *scene = *state;

    scene->cert.profile = (char *) "shortlived";
    snprintf(scene->account.profiles, sizeof(scene->account.profiles),
        "classic, shortlived");
    begin(scene);
    assert_string_equal(ways_profile(&scene->job), "shortlived");
    refuse(scene, "invalidProfile", 0, ACME_CHALLENGE_NONE);
    assert_int_equal(scene->job.state, JOB_READY);
    assert_null(ways_profile(&scene->job));
    assert_true(logged(scene, "it offers: classic, shortlived"));
    attempt_order(&scene->job, &scene->keeper);
    refuse(scene, "invalidProfile", 0, ACME_CHALLENGE_NONE);
    assert_int_equal(scene->job.state, JOB_IDLE);

    scene->cert.profile_required = true;
    attempt_start(&scene->job, &scene->keeper);
    assert_string_equal(ways_profile(&scene->job), "shortlived");
    attempt_order(&scene->job, &scene->keeper);
    refuse(scene, "invalidProfile", 0, ACME_CHALLENGE_NONE);
    assert_int_equal(scene->job.state, JOB_IDLE);
    assert_int_equal(scene->job.plan.failures, 2);
}

static void
profiles_are_found_by_their_whole_name(void **state)
{
    struct scene *scene = *state;

    account_set_profiles(&scene->account,
        acme_bytes_of("classic, tlsserver, shortlived"));
    assert_true(account_has_profile(&scene->account, "classic"));
    assert_true(account_has_profile(&scene->account, "tlsserver"));
    assert_true(account_has_profile(&scene->account, "shortlived"));
    assert_false(account_has_profile(&scene->account, "short"));
    assert_false(account_has_profile(&scene->account, "lived"));
    account_set_profiles(&scene->account, acme_bytes_of(""));
    assert_false(account_has_profile(&scene->account, "classic"));
    attempt_init(&scene->job, &scene->keeper, &scene->cert);
}

/* ---- other settings */

static void
an_order_for_another_profile_is_dropped(void **state)
{
    struct scene *scene = *state;

    scene->cert.profile = (char *) "classic";
    begin(scene);
    restart(scene);
    assert_string_equal(scene->job.order_url, BASE "/order/1");
    scene->cert.profile = (char *) "shortlived";
    restart(scene);
    assert_null(scene->job.order_url);
    assert_false(is_there(scene, ORDER_FILE));
    attempt_start(&scene->job, &scene->keeper);
    scene->cert.profile = NULL;
    restart(scene);
    assert_null(scene->job.key);
}

static void
a_type_that_is_no_longer_wanted_is_not_tried(void **state)
{
    struct scene *scene = *state;

    begin(scene);
    scene->cert.challenges[0] = ACME_TLS_ALPN_01;
    scene->cert.challenge_count = 1;
    restart(scene);
    attempt_start(&scene->job, &scene->keeper);
    assert_string_equal(scene->job.order_url, BASE "/order/1");
    assert_int_equal(scene->job.wish.count, 1);
    assert_int_equal(scene->job.wish.types[0], ACME_TLS_ALPN_01);

    /* and when it was the only one that was left */
    scene->cert.challenges[0] = ACME_HTTP_01;
    restart(scene);
    attempt_start(&scene->job, &scene->keeper);
    assert_int_equal(scene->job.wish.count, 1);
    assert_int_equal(scene->job.wish.types[0], ACME_HTTP_01);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, scene_make, scene_remove)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_next_type_is_tried_in_a_new_order),
        TEST(another_type_does_not_help_where_it_is_not_the_reason),
        TEST(the_types_that_are_left_survive_a_restart),
        TEST(failed_validations_stay_within_the_limit_of_cas),
        TEST(a_type_that_the_limits_leave_no_room_for_is_not_tried),
        TEST(types_take_turns_after_a_failure),
        TEST(other_failures_leave_all_types),
        TEST(what_worked_last_time_is_tried_first),
        TEST(a_type_without_a_listener_is_tried_last),
        TEST(types_without_a_listener_have_no_turn),
        TEST(types_without_a_listener_keep_their_order),
        TEST(only_types_that_are_wanted_are_published),
        TEST(a_certificate_is_put_up_and_comes_back_after_a_restart),
        TEST(what_another_job_shows_for_the_name_comes_back),
        TEST(an_order_in_processing_waits_without_a_place),
        TEST(a_profile_is_dropped_once_unless_it_is_required),
        TEST(profiles_are_found_by_their_whole_name),
        TEST(an_order_for_another_profile_is_dropped),
        TEST(a_type_that_is_no_longer_wanted_is_not_tried),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
