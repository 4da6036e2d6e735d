/* From CA to CA in one attempt, and practice on a staging directory. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "keeper/choice.h"
#include "keeper/quota.h"
#include "keeper/renewal.h"
#include "keeper/ways.h"
#include "scene.h"

#define FOLDER "pending/example.test"
#define ORDER_FILE FOLDER "/order.json"
#define SECOND "https://second.test/dir"
#define STAGING "https://staging.test/dir"

enum { FIRST_CA, SECOND_CA, STAGING_CA, CAS };

static struct acme_settings_ca cas[CAS];
static struct account accounts[CAS];
static struct acme_settings_choice fallback;

/* Two CAs, the first with a staging directory. */
static int
make(void **state)
{
    struct scene *scene;

    scene_make(state);
    scene = *state;
    cas[FIRST_CA] = scene->ca;
    cas[FIRST_CA].staging = STAGING_CA + 1;
    cas[SECOND_CA] = (struct acme_settings_ca) {
        .name = (char *) "second.test", .url = (char *) SECOND };
    cas[STAGING_CA] = (struct acme_settings_ca) {
        .name = (char *) "staging.test", .url = (char *) STAGING };
    fallback = (struct acme_settings_choice) { .ca = SECOND_CA };
    scene->settings.cas = cas;
    scene->settings.ca_count = CAS;
    scene->cert.fallbacks = &fallback;
    scene->cert.fallback_count = 1;
    scene->keeper.accounts = accounts;
    for (uint32_t i = 0; i < CAS; i++) {
        memset(&accounts[i], 0, sizeof(accounts[i]));
        account_init(&accounts[i], &cas[i], i + 1, &scene->keeper.log);
    }
    return 0;
}

static int
clear(void **state)
{
    for (size_t i = 0; i < CAS; i++) {
        account_free(&accounts[i]);
    }
    return scene_remove(state);
}

static void
begin(struct scene *scene)
{
    assert_true(choice_begin(&scene->job, &scene->keeper));
    attempt_start(&scene->job, &scene->keeper);
}

/* The agent works on an order, which has this URL. */
static void
order(struct scene *scene, const char *url)
{
    struct acme_error err;

    attempt_order(&scene->job, &scene->keeper);
    assert_int_equal(scene->job.state, JOB_ORDERING);
    assert_true(attempt_save_order(&scene->job, &scene->keeper, url, 0,
        &err));
}

static void
fail_with(struct scene *scene, const char *problem, int64_t retry_at,
    enum acme_challenge_type type)
{
    struct acme_error err;

    acme_fail(&err, ACME_RETRY, "%s of %s", problem,
        scene->job.account->ca->name);
    snprintf(err.problem, sizeof(err.problem), "%s", problem);
    err.retry_at = retry_at;
    ways_refused(&scene->job, &scene->keeper, &err,
        type != ACME_CHALLENGE_NONE ? "validation" : "newOrder", type);
}

static void
restart(struct scene *scene)
{
    attempt_free(&scene->job);
    memset(&scene->job, 0, sizeof(scene->job));
    scene->keeper.active_count = 0;
    attempt_init(&scene->job, &scene->keeper, &scene->cert);
}

/* ---- the next CA */

static void
trouble_of_a_ca_is_the_next_ones_turn(void **state)
{
    struct scene *scene = *state;
    uint32_t id;

    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    begin(scene);
    order(scene, BASE "/order/1");
    id = scene->job.id;
    fail_with(scene, "serverInternal", 0, ACME_CHALLENGE_NONE);
    assert_ptr_equal(scene->job.account, &accounts[SECOND_CA]);
    assert_int_equal(scene->job.state, JOB_READY);
    assert_int_not_equal(scene->job.id, id);
    assert_null(scene->job.order_url);
    assert_int_equal(scene->job.plan.failures, 0);
    assert_true(logged(scene, "ca.test: newOrder: serverInternal of ca.test; "
        "hint: the CA has trouble of its own: nothing to do here; trying "
        "second.test, the next one of acme_ca"));
    assert_non_null(strstr(content_of(scene, ORDER_FILE), SECOND));
    assert_null(strstr(content_of(scene, ORDER_FILE), "/order/1"));
    order(scene, "https://second.test/order/1");
    assert_true(logged(scene, "second.test: ordering a certificate"));
}

static void
an_order_is_resumed_where_it_is(void **state)
{
    struct scene *scene = *state;

    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    begin(scene);
    fail_with(scene, "serverInternal", 0, ACME_CHALLENGE_NONE);
    restart(scene);     /* before anything was sent there */
    begin(scene);
    assert_ptr_equal(scene->job.account, &accounts[SECOND_CA]);
    order(scene, "https://second.test/order/1");
    restart(scene);
    begin(scene);
    assert_ptr_equal(scene->job.account, &accounts[SECOND_CA]);
    assert_string_equal(scene->job.order_url, "https://second.test/order/1");
    attempt_order(&scene->job, &scene->keeper);
    assert_true(logged(scene, "second.test: order resumed"));
}

static void
an_order_at_a_ca_that_is_left_out_is_dropped(void **state)
{
    struct scene *scene = *state;

    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    begin(scene);
    fail_with(scene, "serverInternal", 0, ACME_CHALLENGE_NONE);
    order(scene, "https://second.test/order/1");
    scene->cert.fallback_count = 0;
    restart(scene);
    assert_true(logged(scene, "the order left by an earlier run is dropped"));
    assert_ptr_equal(scene->job.account, &accounts[FIRST_CA]);
    assert_null(scene->job.order_url);
    assert_null(scene->job.key);
    assert_false(is_there(scene, ORDER_FILE));
}

static void
when_all_have_failed_the_attempt_has(void **state)
{
    struct scene *scene = *state;
    const struct acme_plan *plan = &scene->job.plan;

    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    begin(scene);
    fail_with(scene, "serverInternal", NOW + 7200, ACME_CHALLENGE_NONE);
    order(scene, "https://second.test/order/1");
    fail_with(scene, "caa", 0, ACME_CHALLENGE_NONE);
    assert_int_equal(scene->job.state, JOB_IDLE);
    assert_int_equal(plan->failures, 1);
    assert_string_equal(plan->problem, "serverInternal");
    assert_string_equal(plan->text, "serverInternal of ca.test");
    assert_string_equal(plan->last_text, "second.test: caa of second.test");
    /* the second may be asked before the first */
    assert_true(plan->next_attempt < NOW + 100);
    assert_true(logged(scene, "second.test: newOrder: caa of second.test"));
    assert_false(is_there(scene, ORDER_FILE));
    /* it begins anew, but not with whom wants to be left alone */
    restart(scene);
    begin(scene);
    assert_ptr_equal(scene->job.account, &accounts[SECOND_CA]);
    fail_with(scene, "caa", 0, ACME_CHALLENGE_NONE);
    scene->keeper.now = NOW + 7200;
    begin(scene);
    assert_ptr_equal(scene->job.account, &accounts[FIRST_CA]);
}

static void
nobody_is_asked_before_one_is_free(void **state)
{
    struct scene *scene = *state;

    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    begin(scene);
    fail_with(scene, "rateLimited", NOW + 9000, ACME_CHALLENGE_NONE);
    fail_with(scene, "rateLimited", NOW + 7200, ACME_CHALLENGE_NONE);
    assert_int_equal(scene->job.plan.next_attempt, NOW + 7200);
    assert_false(choice_begin(&scene->job, &scene->keeper));
    assert_int_equal(scene->job.next_at, NOW + 7205);
    assert_true(logged(scene, "the order waits until"));
}

/* Nothing was ordered with it, so it may go to whoever is free first. */
static void
a_key_alone_does_not_wait_for_one_ca(void **state)
{
    struct scene *scene = *state;

    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    begin(scene);
    fail_with(scene, "malformed", NOW + 7 * DAY, ACME_CHALLENGE_NONE);
    assert_int_equal(scene->job.state, JOB_IDLE);
    assert_non_null(scene->job.key);
    assert_true(scene->job.next_at < NOW + 100);
    scene->keeper.now = NOW + 100;
    begin(scene);
    assert_ptr_equal(scene->job.account, &accounts[SECOND_CA]);
    assert_int_equal(scene->job.state, JOB_READY);
    assert_non_null(strstr(content_of(scene, ORDER_FILE), SECOND));
    order(scene, "https://second.test/order/1");
}

/* Both want to be left alone; the first one's order is not gone back to. */
static void
an_order_is_left_with_its_ca_though_no_other_is_free(void **state)
{
    struct scene *scene = *state;

    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    begin(scene);
    fail_with(scene, "serverInternal", 0, ACME_CHALLENGE_NONE);
    fail_with(scene, "rateLimited", NOW + 600, ACME_CHALLENGE_NONE);
    begin(scene);
    order(scene, BASE "/order/1");
    fail_with(scene, "serverInternal", NOW + 7200, ACME_CHALLENGE_NONE);
    assert_int_equal(scene->job.state, JOB_IDLE);
    assert_true(scene->job.next_at < NOW + 700);
    scene->keeper.now = NOW + 700;
    begin(scene);
    assert_ptr_equal(scene->job.account, &accounts[SECOND_CA]);
    assert_null(scene->job.order_url);
}

static void
what_only_the_operator_can_mend_here_does_not_slow_the_other_down(
    void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    begin(scene);
    acme_fail(&err, ACME_MISCONFIG, "a binding");
    strcpy(err.problem, "externalAccountRequired");
    ways_refused(&scene->job, &scene->keeper, &err, "newAccount",
        ACME_CHALLENGE_NONE);
    assert_ptr_equal(scene->job.account, &accounts[SECOND_CA]);
    fail_with(scene, "serverInternal", 0, ACME_CHALLENGE_NONE);
    assert_false(scene->job.plan.misconfigured);
    assert_true(scene->job.plan.next_attempt < NOW + 100);
}

static void
what_another_ca_would_say_too_is_the_end(void **state)
{
    struct scene *scene = *state;

    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    begin(scene);
    fail_with(scene, "malformed", 0, ACME_CHALLENGE_NONE);
    assert_int_equal(scene->job.state, JOB_IDLE);
    assert_int_equal(scene->job.plan.failures, 1);
    assert_ptr_equal(scene->job.account, &accounts[FIRST_CA]);
}

static void
an_account_that_cannot_be_had_is_the_next_ones_turn(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;
    char name[600];

    assert_true(account_load(&accounts[FIRST_CA], scene->keeper.store, &err));
    snprintf(name, sizeof(name), "accounts/%s/default/account.key",
        accounts[FIRST_CA].folder);
    account_free(&accounts[FIRST_CA]);
    scribble(scene, name, "no key");
    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    begin(scene);
    assert_ptr_equal(scene->job.account, &accounts[SECOND_CA]);
    assert_non_null(scene->job.key);
    order(scene, "https://second.test/order/1");
}

static void
a_ca_that_the_agent_cannot_be_told_of_is_passed_over(void **state)
{
    struct scene *scene = *state;

    cas[FIRST_CA].trust_file = (char *) "/nowhere/ca.pem";
    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    begin(scene);
    order(scene, "https://second.test/order/1");
    assert_ptr_equal(scene->job.account, &accounts[SECOND_CA]);
    assert_true(logged(scene, "acme_ca_certificate /nowhere/ca.pem"));
}

static void
an_agent_that_is_gone_is_no_trouble_of_a_ca(void **state)
{
    struct scene *scene = *state;

    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    begin(scene);
    acme_channel_free(scene->agent);
    scene->agent = NULL;
    attempt_order(&scene->job, &scene->keeper);
    assert_int_equal(scene->job.state, JOB_READY);
    assert_ptr_equal(scene->job.account, &accounts[FIRST_CA]);
    assert_int_equal(scene->job.plan.failures, 0);
}

/* ---- who has issued it */

static void
install(struct scene *scene)
{
    struct acme_buffer chain = { 0 }, key = { 0 };
    struct acme_error err;

    make_pair(&chain, &key, NOW);
    acme_key_free(scene->job.key);
    scene->job.key = acme_key_read(acme_buffer_bytes(&key), &err);
    assert_non_null(scene->job.key);
    attempt_installed(&scene->job, &scene->keeper,
        acme_buffer_bytes(&chain));
    acme_buffer_free(&chain);
    acme_buffer_wipe(&key);
}

static void
a_certificate_of_any_ca_in_the_list_is_as_ordered(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    begin(scene);
    fail_with(scene, "rateLimited", NOW + 1800, ACME_CHALLENGE_NONE);
    order(scene, "https://second.test/order/1");
    install(scene);
    assert_true(scene->job.fits);
    assert_ptr_equal(scene->job.issuer, &accounts[SECOND_CA]);
    assert_ptr_equal(scene->job.account, &accounts[FIRST_CA]);
    assert_false(quota_allows(&scene->job, &accounts[FIRST_CA],
        &scene->keeper, &err));
    assert_int_equal(err.retry_at, NOW + 1800);
    restart(scene);
    assert_true(scene->job.fits);
    assert_ptr_equal(service_issuer(&scene->job), &accounts[SECOND_CA]);
    assert_true(scene->job.next_at > NOW + DAY);
    scene->cert.fallback_count = 0;
    restart(scene);
    assert_false(scene->job.fits);
    assert_true(logged(scene, "acme_ca is now ca.test"));
    assert_int_equal(scene->job.next_at, NOW);
}

static void
its_profile_is_that_of_its_ca(void **state)
{
    struct scene *scene = *state;

    fallback.profile = (char *) "short";
    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    begin(scene);
    fail_with(scene, "serverInternal", 0, ACME_CHALLENGE_NONE);
    assert_string_equal(ways_profile(&scene->job), "short");
    order(scene, "https://second.test/order/1");
    install(scene);
    restart(scene);
    assert_true(scene->job.fits);
    fallback.profile = (char *) "long";
    restart(scene);
    assert_false(scene->job.fits);
}

/* ---- practice */

/* The validation fails by both types. */
static void
fail_validation(struct scene *scene)
{
    fail_with(scene, "unauthorized", 0, ACME_HTTP_01);
    if (scene->job.state == JOB_READY) {
        attempt_order(&scene->job, &scene->keeper);
        fail_with(scene, "tls", 0, ACME_TLS_ALPN_01);
    }
    assert_int_equal(scene->job.state, JOB_IDLE);
}

static void
a_failed_validation_is_practised_first(void **state)
{
    struct scene *scene = *state;

    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    begin(scene);
    order(scene, BASE "/order/1");
    fail_validation(scene);
    assert_false(is_there(scene, ORDER_FILE));
    assert_null(accounts[STAGING_CA].key);
    restart(scene);
    begin(scene);
    assert_ptr_equal(scene->job.account, &accounts[STAGING_CA]);
    assert_int_equal(scene->job.wish.count, 2);
    order(scene, "https://staging.test/order/1");
    assert_true(logged(scene, "staging.test: ordering a certificate, 1 name, "
        "on the CA's staging directory"));
    fail_validation(scene);
    assert_true(logged(scene, "attempt 2 failed on the CA's staging "
        "directory, the next is at "));
    assert_int_equal(scene->job.plan.staging_failures, 1);
    begin(scene);
    order(scene, "https://staging.test/order/2");
    install(scene);
    assert_false(is_there(scene, "live/example.test"));
    assert_ptr_equal(scene->job.account, &accounts[FIRST_CA]);
    assert_int_equal(scene->job.state, JOB_READY);
    assert_false(scene->job.staging);
    assert_string_equal(scene->job.plan.staging, "");
    assert_null(strstr(content_of(scene, ORDER_FILE), STAGING));
    order(scene, BASE "/order/2");
    install(scene);
    assert_true(is_there(scene, "live/example.test"));
    assert_int_equal(scene->job.plan.failures, 0);
}

static void
practice_goes_on_after_a_restart_while_it_is_wanted(void **state)
{
    struct scene *scene = *state;

    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    begin(scene);
    order(scene, BASE "/order/1");
    fail_validation(scene);
    begin(scene);
    order(scene, "https://staging.test/order/1");
    restart(scene);
    begin(scene);
    assert_ptr_equal(scene->job.account, &accounts[STAGING_CA]);
    assert_true(scene->job.staging);
    assert_string_equal(scene->job.order_url, "https://staging.test/order/1");
    acme_plan_staging_done(&scene->job.plan, true);
    attempt_save_plan(&scene->job, &scene->keeper);
    restart(scene);
    assert_ptr_equal(scene->job.account, &accounts[FIRST_CA]);
    assert_null(scene->job.order_url);
    assert_false(is_there(scene, ORDER_FILE));
}

static void
practice_that_is_in_trouble_is_over(void **state)
{
    struct scene *scene = *state;

    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    begin(scene);
    order(scene, BASE "/order/1");
    fail_validation(scene);
    begin(scene);
    order(scene, "https://staging.test/order/1");
    fail_with(scene, "caa", 0, ACME_CHALLENGE_NONE);
    assert_ptr_equal(scene->job.account, &accounts[FIRST_CA]);
    assert_int_equal(scene->job.state, JOB_READY);
    assert_int_equal(scene->job.plan.failures, 1);
    assert_true(logged(scene, "staging.test: newOrder: caa of staging.test; "
        "the CA's staging directory is of no help: ordering at ca.test "
        "itself"));
    order(scene, BASE "/order/2");
}

static void
nobody_waits_for_a_staging_directory(void **state)
{
    struct scene *scene = *state;

    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    begin(scene);
    order(scene, BASE "/order/1");
    fail_validation(scene);
    begin(scene);
    assert_ptr_equal(scene->job.account, &accounts[STAGING_CA]);
    fail_with(scene, "rateLimited", NOW + 7 * DAY, ACME_CHALLENGE_NONE);
    assert_ptr_equal(scene->job.account, &accounts[FIRST_CA]);
    order(scene, BASE "/order/2");
    fail_validation(scene);
    assert_string_equal(scene->job.plan.staging, "ca.test");
    scene->line_count = 0;
    scene->cert.fallback_count = 0;
    begin(scene);
    assert_ptr_equal(scene->job.account, &accounts[FIRST_CA]);
    assert_false(scene->job.staging);
    assert_true(logged(scene, "the CA's staging directory does not take "
        "orders now: ordering at ca.test itself"));
    order(scene, BASE "/order/3");
}

static void
a_validation_has_failed_whatever_came_after_it(void **state)
{
    struct scene *scene = *state;

    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    begin(scene);
    order(scene, BASE "/order/1");
    fail_with(scene, "unauthorized", 0, ACME_HTTP_01);
    attempt_order(&scene->job, &scene->keeper);
    fail_with(scene, "", 0, ACME_CHALLENGE_NONE);
    assert_int_equal(scene->job.state, JOB_IDLE);
    assert_string_equal(scene->job.plan.staging, "ca.test");
}

static void
an_account_whose_key_is_being_changed_is_waited_for(void **state)
{
    struct scene *scene = *state;

    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    begin(scene);
    order(scene, BASE "/order/1");
    fail_validation(scene);
    begin(scene);
    order(scene, "https://staging.test/order/1");
    scene->keeper.task = (struct task) { .kind = ACME_KIND_KEY_CHANGE,
        .account = &accounts[FIRST_CA] };
    install(scene);
    assert_int_equal(scene->job.state, JOB_IDLE);
    assert_int_equal(scene->job.next_at, NOW);
    assert_false(is_there(scene, ORDER_FILE));
    assert_true(choice_begin(&scene->job, &scene->keeper));
    assert_ptr_equal(scene->job.account, &accounts[FIRST_CA]);
    assert_true(attempt_must_wait(&scene->job, &scene->keeper));
    scene->keeper.task = (struct task) { .kind = 0 };
    begin(scene);
    order(scene, BASE "/order/2");
}

/* acme_ca was changed since: an order is gone back to as always. */
static void
practice_for_another_ca_is_nothing(void **state)
{
    struct scene *scene = *state;

    scene->cert.fallback_count = 0;
    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    acme_plan_invalid(&scene->job.plan, "gone.test");
    begin(scene);
    assert_false(scene->job.staging);
    order(scene, BASE "/order/1");
    fail_with(scene, "serverInternal", 0, ACME_CHALLENGE_NONE);
    assert_int_equal(scene->job.state, JOB_IDLE);
    assert_string_equal(scene->job.order_url, BASE "/order/1");
    assert_true(is_there(scene, ORDER_FILE));
}

static void
without_a_staging_directory_there_is_no_practice(void **state)
{
    struct scene *scene = *state;

    cas[FIRST_CA].staging = 0;
    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    begin(scene);
    order(scene, BASE "/order/1");
    fail_validation(scene);
    begin(scene);
    assert_ptr_equal(scene->job.account, &accounts[FIRST_CA]);
    assert_false(scene->job.staging);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, clear)
    const struct CMUnitTest tests[] = {
        TEST(trouble_of_a_ca_is_the_next_ones_turn),
        TEST(an_order_is_resumed_where_it_is),
        TEST(an_order_at_a_ca_that_is_left_out_is_dropped),
        TEST(when_all_have_failed_the_attempt_has),
        TEST(nobody_is_asked_before_one_is_free),
        TEST(a_key_alone_does_not_wait_for_one_ca),
        TEST(an_order_is_left_with_its_ca_though_no_other_is_free),
        TEST(
            what_only_the_operator_can_mend_here_does_not_slow_the_other_down),
        TEST(what_another_ca_would_say_too_is_the_end),
        TEST(an_account_that_cannot_be_had_is_the_next_ones_turn),
        TEST(a_ca_that_the_agent_cannot_be_told_of_is_passed_over),
        TEST(an_agent_that_is_gone_is_no_trouble_of_a_ca),
        TEST(a_certificate_of_any_ca_in_the_list_is_as_ordered),
        TEST(its_profile_is_that_of_its_ca),
        TEST(a_failed_validation_is_practised_first),
        TEST(practice_goes_on_after_a_restart_while_it_is_wanted),
        TEST(practice_that_is_in_trouble_is_over),
        TEST(nobody_waits_for_a_staging_directory),
        TEST(a_validation_has_failed_whatever_came_after_it),
        TEST(an_account_whose_key_is_being_changed_is_waited_for),
        TEST(practice_for_another_ca_is_nothing),
        TEST(without_a_staging_directory_there_is_no_practice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
