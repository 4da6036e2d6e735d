/* The life of an attempt, without an agent: keys, ends, and what comes next. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "../chain_of.h"
#include "scene.h"

#define LIVE "live/example.test"
#define PENDING "pending/example.test"
#define PLAN "plan/example.test.json"

static void
begin(struct scene *scene)
{
    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    attempt_start(&scene->job, &scene->keeper);
}

/* A JOB_ORDERING job whose key is that of the chain, which began at `from`. */
static void
begin_with_pair_of(struct scene *scene, struct acme_buffer *chain,
    int64_t from)
{
    struct acme_buffer key = { 0 };
    struct acme_error err;

    begin(scene);
    make_pair(chain, &key, from);
    acme_key_free(scene->job.key);
    scene->job.key = acme_key_read(acme_buffer_bytes(&key), &err);
    assert_non_null(scene->job.key);
    acme_buffer_wipe(&key);
    attempt_order(&scene->job, &scene->keeper);
    assert_int_equal(scene->job.state, JOB_ORDERING);
}

static void
begin_with_pair(struct scene *scene, struct acme_buffer *chain)
{
    begin_with_pair_of(scene, chain, NOW);
}

/* As a keeper that starts later. */
static void
restart(struct scene *scene, int64_t now)
{
    attempt_free(&scene->job);
    memset(&scene->job, 0, sizeof(scene->job));
    scene->keeper.active_count = 0;
    scene->keeper.now = now;
    scene->line_count = 0;
    attempt_init(&scene->job, &scene->keeper, &scene->cert);
}

static void
fail_with(struct scene *scene, enum acme_verdict verdict, const char *type,
    const char *text)
{
    struct acme_error err;

    acme_fail(&err, verdict, "%s", text);
    snprintf(err.problem, sizeof(err.problem), "%s", type);
    attempt_failed(&scene->job, &scene->keeper, &err, "authorization");
}

/* ---- keys */

static void
key_and_entry_are_on_disk_before_the_order(void **state)
{
    struct scene *scene = *state;

    begin(scene);
    assert_int_equal(scene->job.state, JOB_READY);
    assert_int_equal(scene->keeper.active_count, 1);
    assert_true(is_there(scene, PENDING "/privkey.pem"));
    assert_true(is_there(scene, PENDING "/order.json"));
    assert_true(is_there(scene, "certs/example.test/entry"));
    assert_ptr_equal(attempt_find(&scene->keeper, scene->job.id),
        &scene->job);
    assert_null(attempt_find(&scene->keeper, scene->job.id + 1));
    assert_null(attempt_find(&scene->keeper, 1));
}

/* An attempt that has asked for an RSA key; our end of its line. */
static int
begin_keygen(struct scene *scene)
{
    char request[64] = "";
    int pair[2];

    scene->cert.key_types[0] = ACME_KEY_RSA_2048;
    begin(scene);
    assert_int_equal(scene->job.state, JOB_KEYGEN);
    assert_null(scene->job.key);
    assert_int_equal(recv(scene->supervisor_fd, request, sizeof(request) - 1,
        MSG_DONTWAIT), 9);
    assert_string_equal(request, "krsa:2048");
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    attempt_watch_keygen(&scene->job, pair[0]);
    return pair[1];
}

static void
a_long_key_comes_from_a_key_maker(void **state)
{
    struct acme_buffer pem = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct scene *scene = *state;
    int fd = begin_keygen(scene);
    struct acme_error err;
    struct acme_key *key = acme_key_new(ACME_KEY_RSA_2048, &err);

    attempt_take_key(&scene->job, &scene->keeper);
    assert_int_equal(scene->job.state, JOB_KEYGEN);
    assert_true(acme_key_write(key, &pem, &err));
    assert_int_equal(send(fd, pem.at, pem.len, 0), pem.len);
    attempt_take_key(&scene->job, &scene->keeper);
    assert_int_equal(scene->job.state, JOB_READY);
    assert_int_equal(scene->job.keygen_fd, -1);
    assert_string_equal(content_of(scene, PENDING "/privkey.pem"),
        acme_buffer_text(&pem));
    acme_buffer_wipe(&pem);
    acme_key_free(key);
    close(fd);
}

static void
a_key_maker_that_dies_is_a_failed_attempt(void **state)
{
    struct scene *scene = *state;

    close(begin_keygen(scene));
    attempt_take_key(&scene->job, &scene->keeper);
    assert_int_equal(scene->job.state, JOB_IDLE);
    assert_int_equal(scene->job.keygen_fd, -1);
    assert_int_equal(scene->keeper.active_count, 0);
    assert_int_equal(scene->job.plan.failures, 1);
    assert_true(logged(scene, "making the key: the key maker ended"));
}

static void
a_key_of_garbage_is_a_failed_attempt_and_not_quoted(void **state)
{
    struct scene *scene = *state;
    int fd = begin_keygen(scene);

    assert_int_equal(send(fd, "SECRET", 6, 0), 6);
    attempt_take_key(&scene->job, &scene->keeper);
    assert_int_equal(scene->job.state, JOB_IDLE);
    assert_true(logged(scene, "making the key"));
    assert_false(logged(scene, "SECRET"));
    assert_false(is_there(scene, PENDING "/privkey.pem"));
    close(fd);
}

static void
a_store_that_cannot_be_written_is_a_failed_attempt(void **state)
{
    struct scene *scene = *state;

    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    assert_int_equal(unlinkat(scene->dir_fd, "pending", AT_REMOVEDIR), 0);
    scribble(scene, "pending", "in the way");
    attempt_start(&scene->job, &scene->keeper);
    assert_int_equal(scene->job.state, JOB_IDLE);
    assert_int_equal(scene->keeper.active_count, 0);
    assert_true(logged(scene, "preparing the order"));
    assert_in_range(scene->job.next_at, NOW + 50, NOW + 70);
}

/* Else the next attempt would order with a key that a crash loses. */
static void
a_key_that_could_not_be_written_is_not_ordered_with(void **state)
{
    struct scene *scene = *state;

    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    assert_int_equal(unlinkat(scene->dir_fd, "pending", AT_REMOVEDIR), 0);
    scribble(scene, "pending", "in the way");
    attempt_start(&scene->job, &scene->keeper);
    assert_int_equal(scene->job.state, JOB_IDLE);

    assert_int_equal(unlinkat(scene->dir_fd, "pending", 0), 0);
    assert_int_equal(mkdirat(scene->dir_fd, "pending", 0700), 0);
    attempt_start(&scene->job, &scene->keeper);
    assert_int_equal(scene->job.state, JOB_READY);
    assert_true(is_there(scene, PENDING "/privkey.pem"));
    assert_true(is_there(scene, PENDING "/order.json"));
}

/* ---- orders */

static void
the_order_of_another_job_is_not_taken(void **state)
{
    struct scene *scene = *state;
    struct job other = { .cert = &scene->cert,
        .order_url = (char *) BASE "/order/1" };
    struct acme_error err;

    begin(scene);
    scene->keeper.jobs = &other;  /* it may be active, or pause */
    assert_false(attempt_save_order(&scene->job, &scene->keeper,
        BASE "/order/1", 0, &err));
    assert_int_equal(err.verdict, ACME_RETRY);
    assert_null(scene->job.order_url);
    assert_true(attempt_save_order(&scene->job, &scene->keeper,
        BASE "/order/2", 0, &err));
}

static void
a_new_order_takes_back_the_proofs_of_the_old_one(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    begin(scene);
    assert_true(attempt_save_order(&scene->job, &scene->keeper,
        BASE "/order/1", 0, &err));
    assert_true(attempt_publish(&scene->job, &scene->keeper, ACME_HTTP_01,
        "example.test", "one", BASE "/chal/1", &err));
    /* the same again keeps them */
    assert_true(attempt_save_order(&scene->job, &scene->keeper,
        BASE "/order/1", 0, &err));
    assert_true(acme_page_has_proofs(scene->keeper.page));
    assert_true(attempt_save_order(&scene->job, &scene->keeper,
        BASE "/order/2", 0, &err));
    assert_false(acme_page_has_proofs(scene->keeper.page));
    assert_null(strstr(content_of(scene, PENDING "/order.json"), "\"one\""));
}

/* CAs may give two orders of an account one authorization of a name. */
static void
a_proof_that_another_job_needs_stays(void **state)
{
    struct proof proof = { .type = ACME_HTTP_01, .name = (char *) "example.test",
        .token = (char *) "one", .challenge_url = (char *) BASE "/chal/1" };
    struct scene *scene = *state;
    struct job other = { .proofs = &proof, .proof_count = 1,
        .account = &scene->account };
    struct acme_error err;

    begin(scene);
    scene->keeper.jobs = &other;
    assert_true(attempt_publish(&scene->job, &scene->keeper, ACME_HTTP_01,
        "example.test", "one", BASE "/chal/1", &err));
    pending_withdraw(&scene->job, &scene->keeper);
    assert_true(acme_page_has_proofs(scene->keeper.page));
    other.proof_count = 0;
    assert_true(attempt_publish(&scene->job, &scene->keeper, ACME_HTTP_01,
        "example.test", "one", BASE "/chal/1", &err));
    pending_withdraw(&scene->job, &scene->keeper);
    assert_false(acme_page_has_proofs(scene->keeper.page));
}

static void
an_agent_that_is_lost_gives_its_orders_back(void **state)
{
    struct scene *scene = *state;

    begin(scene);
    attempt_agent_lost(&scene->job, &scene->keeper);
    assert_int_equal(scene->job.state, JOB_READY);
    attempt_order(&scene->job, &scene->keeper);
    assert_int_equal(scene->job.state, JOB_ORDERING);
    attempt_agent_lost(&scene->job, &scene->keeper);
    assert_int_equal(scene->job.state, JOB_READY);
    assert_int_equal(scene->job.plan.failures, 0);
}

/* What ends every agent must not take all other orders along for ever. */
static void
an_order_that_outlives_five_agents_has_failed(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    begin(scene);
    for (int i = 1; i <= 5; i++) {
        attempt_order(&scene->job, &scene->keeper);
        if (i == 1) {
            assert_true(attempt_save_order(&scene->job, &scene->keeper,
                BASE "/order/1", 0, &err));
        }
        assert_int_equal(scene->job.state, JOB_ORDERING);
        attempt_agent_lost(&scene->job, &scene->keeper);
    }
    assert_int_equal(scene->job.state, JOB_IDLE);
    assert_int_equal(scene->keeper.active_count, 0);
    assert_int_equal(scene->job.plan.failures, 1);
    assert_string_equal(scene->job.order_url, BASE "/order/1");
    assert_true(logged(scene, "5 agents"));

    attempt_start(&scene->job, &scene->keeper);
    attempt_order(&scene->job, &scene->keeper);
    attempt_agent_lost(&scene->job, &scene->keeper);
    assert_int_equal(scene->job.state, JOB_READY);
}

/* ---- the end */

static void
a_chain_that_fits_goes_live(void **state)
{
    struct acme_buffer chain = { 0 };
    struct scene *scene = *state;
    struct acme_error err;

    begin_with_pair(scene, &chain);
    assert_true(attempt_publish(&scene->job, &scene->keeper, ACME_HTTP_01,
        "example.test", "one", BASE "/chal/1", &err));
    scene->job.plan.failures = 3;
    attempt_installed(&scene->job, &scene->keeper,
        acme_buffer_bytes(&chain));
    assert_int_equal(scene->job.state, JOB_IDLE);
    assert_int_equal(scene->keeper.active_count, 0);
    assert_string_equal(content_of(scene, LIVE "/fullchain.pem"),
        acme_buffer_text(&chain));
    assert_false(is_there(scene, PENDING));
    assert_false(acme_page_has_proofs(scene->keeper.page));
    assert_int_equal(scene->job.plan.failures, 0);
    assert_int_equal(scene->keeper.deploy.state, DEPLOY_GATHERING);
    assert_true(logged(scene, "certificate obtained: 1 name,"));
    assert_int_equal(scene->job.next_at, acme_plan_spread(
        acme_plan_renew_at(scene->job.not_before, scene->job.not_after),
        scene->job.not_before, scene->job.not_after, NOW, "example.test"));
    acme_buffer_free(&chain);
}

static void
a_restart_with_a_certificate_orders_none(void **state)
{
    struct acme_buffer chain = { 0 };
    struct scene *scene = *state;
    int64_t due;

    begin_with_pair(scene, &chain);
    attempt_installed(&scene->job, &scene->keeper,
        acme_buffer_bytes(&chain));
    acme_buffer_free(&chain);
    due = scene->job.next_at;
    restart(scene, NOW + DAY);
    assert_int_equal(scene->job.next_at, due);
    assert_int_equal(scene->line_count, 0);
    restart(scene, due + 5);
    assert_int_equal(scene->job.next_at, due + 5);
}

static void
a_renewal_says_how_long_its_reload_can_wait(void **state)
{
    struct acme_buffer chain = { 0 }, renewed;
    struct scene *scene = *state;
    const struct deploy *deploy = &scene->keeper.deploy;
    int64_t due, life;

    begin_with_pair(scene, &chain);
    attempt_installed(&scene->job, &scene->keeper,
        acme_buffer_bytes(&chain));
    acme_buffer_free(&chain);
    assert_true(deploy->urgent);
    assert_true(deploy->latest == 0);
    due = scene->job.next_at;
    life = scene->job.not_after - scene->job.not_before;

    restart(scene, due);
    scene->keeper.deploy = (struct deploy) { .check_fd = -1 };
    attempt_start(&scene->job, &scene->keeper);
    attempt_order(&scene->job, &scene->keeper);
    renewed = chain_of(scene->job.key, "example.test", due, due + life);
    attempt_installed(&scene->job, &scene->keeper,
        acme_buffer_bytes(&renewed));
    acme_buffer_free(&renewed);
    assert_int_equal(deploy->state, DEPLOY_GATHERING);
    assert_false(deploy->urgent);
    assert_true(deploy->latest == due + life / 10);

    /* what has expired waits for others, as a placeholder does */
    due = scene->job.not_after + DAY;
    restart(scene, due);
    scene->keeper.deploy = (struct deploy) { .check_fd = -1 };
    attempt_start(&scene->job, &scene->keeper);
    attempt_order(&scene->job, &scene->keeper);
    renewed = chain_of(scene->job.key, "example.test", due, due + life);
    attempt_installed(&scene->job, &scene->keeper,
        acme_buffer_bytes(&renewed));
    acme_buffer_free(&renewed);
    assert_true(deploy->urgent);
    assert_true(deploy->latest == 0);
}

/* One that is due when it comes, by its dates, is not ordered in a circle. */
static void
a_certificate_that_comes_late_in_its_life_is_kept_for_a_while(void **state)
{
    struct acme_buffer chain = { 0 };
    struct scene *scene = *state;

    begin_with_pair_of(scene, &chain, NOW - 300 * DAY);
    attempt_installed(&scene->job, &scene->keeper,
        acme_buffer_bytes(&chain));
    acme_buffer_free(&chain);
    assert_true(scene->job.not_after < NOW + 70 * DAY);
    assert_true(scene->job.next_at > NOW + 30 * DAY);
    restart(scene, NOW + 5);
    assert_true(scene->job.next_at > NOW + 30 * DAY);
    restart(scene, NOW + 60 * DAY);
    assert_int_equal(scene->job.next_at, NOW + 60 * DAY);
}

static void
a_chain_of_another_key_stays_out_and_says_what_is_served(void **state)
{
    struct acme_buffer chain = { 0 }, other = { 0 }, key = { 0 };
    struct scene *scene = *state;

    make_pair(&other, &key, NOW);
    begin_with_pair(scene, &chain);
    attempt_installed(&scene->job, &scene->keeper,
        acme_buffer_bytes(&other));
    assert_false(is_there(scene, LIVE));
    assert_true(logged(scene, "storing the certificate"));
    assert_true(logged(scene, "a placeholder certificate is served"));
    assert_int_equal(scene->keeper.deploy.state, DEPLOY_IDLE);
    acme_buffer_free(&chain);
    acme_buffer_free(&other);
    acme_buffer_wipe(&key);
}

/* Else it would be resumed, and end like this, day by day. */
static void
an_order_that_ends_badly_twice_is_dropped(void **state)
{
    struct acme_buffer other = { 0 }, key = { 0 };
    struct scene *scene = *state;
    struct acme_error err;

    make_pair(&other, &key, NOW);
    begin(scene);
    attempt_order(&scene->job, &scene->keeper);
    assert_true(attempt_save_order(&scene->job, &scene->keeper,
        BASE "/order/1", 0, &err));
    attempt_installed(&scene->job, &scene->keeper,
        acme_buffer_bytes(&other));
    assert_string_equal(scene->job.order_url, BASE "/order/1");

    attempt_start(&scene->job, &scene->keeper);
    attempt_order(&scene->job, &scene->keeper);
    assert_true(scene->job.resumed);
    attempt_installed(&scene->job, &scene->keeper,
        acme_buffer_bytes(&other));
    assert_int_equal(scene->job.plan.failures, 2);
    assert_null(scene->job.order_url);
    assert_false(is_there(scene, PENDING));
    acme_buffer_free(&other);
    acme_buffer_wipe(&key);
}

static void
a_failed_renewal_leaves_the_certificate_in_service(void **state)
{
    struct acme_buffer chain = { 0 };
    struct scene *scene = *state;
    char target[64] = "";

    begin_with_pair(scene, &chain);
    attempt_installed(&scene->job, &scene->keeper,
        acme_buffer_bytes(&chain));
    acme_buffer_free(&chain);
    restart(scene, scene->job.next_at);
    attempt_start(&scene->job, &scene->keeper);
    attempt_order(&scene->job, &scene->keeper);
    fail_with(scene, ACME_REFUSED, "rejectedIdentifier", "no");
    assert_true(logged(scene, "the present certificate stays in service"));
    assert_true(readlinkat(scene->dir_fd, LIVE, target, 63) > 0);
    assert_string_equal(target, "../certs/example.test/1");
}

static const struct {
    enum acme_verdict verdict;
    bool kept;                 /* key and order, for the next attempt */
} verdicts[] = {
    { ACME_RETRY, true }, { ACME_PEER_BROKE, true }, { ACME_LOCAL, true },
    { ACME_REFUSED, false }, { ACME_MISCONFIG, false },
};

static void
an_order_that_may_still_succeed_is_kept(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
        if (i > 0) {
            restart(scene, NOW);
            attempt_start(&scene->job, &scene->keeper);
        } else {
            begin(scene);
        }
        assert_true(attempt_save_order(&scene->job, &scene->keeper,
            BASE "/order/1", 0, &err));
        assert_true(attempt_publish(&scene->job, &scene->keeper,
            ACME_HTTP_01, "example.test", "one", BASE "/chal/1", &err));
        fail_with(scene, verdicts[i].verdict, "", "no");
        assert_int_equal(is_there(scene, PENDING "/privkey.pem"),
            verdicts[i].kept);
        assert_false(acme_page_has_proofs(scene->keeper.page));
        restart(scene, NOW);
        assert_int_equal(scene->job.order_url != NULL, verdicts[i].kept);
        assert_int_equal(scene->job.proof_count, 0);
    }
}

static void
a_failure_is_told_with_its_hint(void **state)
{
    struct scene *scene = *state;

    begin(scene);
    fail_with(scene, ACME_RETRY, "connection",
        "connection: Timeout during connect (likely firewall problem)");
    assert_true(logged(scene, "acme: example.test: ca.test: authorization: "));
    assert_true(logged(scene, "hint: open inbound port 80"));
    assert_true(logged(scene, "attempt 1 failed, the next is at 2023-11-14T"));
}

/* ---- what comes next */

static void
the_pause_after_failures_survives_a_restart(void **state)
{
    struct scene *scene = *state;
    int64_t next;

    begin(scene);
    fail_with(scene, ACME_REFUSED, "", "no");
    next = scene->job.next_at;
    restart(scene, NOW + 10);
    assert_int_equal(scene->job.plan.failures, 1);
    assert_int_equal(scene->job.next_at, next);
    attempt_start(&scene->job, &scene->keeper);
    fail_with(scene, ACME_REFUSED, "", "no");
    assert_in_range(scene->job.next_at, NOW + 10 + 5400, NOW + 10 + 6600);
}

/* acme_renew was changed, and the CA has been asked already. */
static void
an_order_under_way_is_gone_on_with_though_it_is_not_due_yet(void **state)
{
    struct acme_buffer chain = { 0 };
    struct scene *scene = *state;
    struct acme_error err;

    begin_with_pair(scene, &chain);
    attempt_installed(&scene->job, &scene->keeper,
        acme_buffer_bytes(&chain));
    acme_buffer_free(&chain);
    scene->keeper.now = NOW + 300 * DAY;
    attempt_start(&scene->job, &scene->keeper);
    attempt_order(&scene->job, &scene->keeper);
    assert_true(attempt_save_order(&scene->job, &scene->keeper,
        BASE "/order/2", 0, &err));
    scene->cert.renew_days = 10;
    restart(scene, NOW + 300 * DAY);
    assert_true(scene->job.fits);
    assert_int_equal(scene->job.next_at, NOW + 300 * DAY);
    attempt_start(&scene->job, &scene->keeper);
    attempt_order(&scene->job, &scene->keeper);
    assert_true(logged(scene, "order resumed"));
}

/* A machine that comes up with a clock of 2038 fails, and learns the time. */
static void
a_clock_that_is_set_back_holds_no_attempt_back(void **state)
{
    struct scene *scene = *state;

    scene->keeper.now = NOW + 4000 * DAY;
    begin(scene);
    fail_with(scene, ACME_RETRY, "", "no");
    restart(scene, NOW);
    assert_in_range(scene->job.next_at, NOW, NOW + 70);

    scene->keeper.now = NOW + 4000 * DAY;
    attempt_start(&scene->job, &scene->keeper);
    fail_with(scene, ACME_RETRY, "", "no");
    scene->keeper.now = NOW;
    attempt_reschedule(&scene->job, &scene->keeper);
    assert_in_range(scene->job.next_at, NOW + 500, NOW + 700);

    /* of two with the same names, the one that waits for the other */
    scene->job.plan.failures = 0;
    scene->job.next_at = NOW + 4000 * DAY;
    attempt_reschedule(&scene->job, &scene->keeper);
    assert_int_equal(scene->job.next_at, NOW);
}

static void
that_all_orders_wait_is_told_once_an_hour_by_any_clock(void **state)
{
    static const struct { int64_t at; bool told; } rows[] = {
        { NOW + 4000 * DAY, true }, { NOW + 4000 * DAY + 3599, false },
        { NOW, true }, { NOW + 3599, false }, { NOW + 3600, true } };
    struct scene *scene = *state;
    struct acme_error err;

    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        scene->keeper.now = rows[i].at;
        scene->line_count = 0;
        acme_fail(&err, ACME_RETRY, "rateLimited: too many requests");
        err.retry_at = rows[i].at + 60;
        attempt_wait(&scene->job, &scene->keeper, &err);
        assert_int_equal(logged(scene, "new orders wait until"),
            rows[i].told);
    }
}

static void
a_damaged_plan_is_a_warning_and_no_pause(void **state)
{
    struct scene *scene = *state;

    begin(scene);
    fail_with(scene, ACME_REFUSED, "", "no");
    scribble(scene, PLAN, "{\"failures\":");
    restart(scene, NOW + 10);
    assert_int_equal(scene->job.plan.failures, 0);
    assert_int_equal(scene->job.next_at, NOW + 10);
    assert_true(logged(scene, "plan/example.test.json is damaged"));
}

static void
a_reload_lets_a_failing_job_try_early_every_ten_minutes(void **state)
{
    struct scene *scene = *state;

    begin(scene);
    scene->job.plan.failures = 3;
    fail_with(scene, ACME_REFUSED, "", "no");
    assert_true(scene->job.next_at > NOW + DAY / 2);

    attempt_encourage(&scene->job, &scene->keeper);
    assert_int_equal(scene->job.next_at, NOW);
    attempt_start(&scene->job, &scene->keeper);
    fail_with(scene, ACME_REFUSED, "", "no");
    scene->keeper.now = NOW + 599;
    attempt_encourage(&scene->job, &scene->keeper);
    assert_true(scene->job.next_at > NOW + DAY / 2);
    scene->keeper.now = NOW + 600;
    attempt_encourage(&scene->job, &scene->keeper);
    assert_int_equal(scene->job.next_at, NOW + 600);
}

static void
a_reload_notices_a_certificate_that_was_removed(void **state)
{
    struct acme_buffer chain = { 0 };
    struct scene *scene = *state;

    begin_with_pair(scene, &chain);
    attempt_installed(&scene->job, &scene->keeper,
        acme_buffer_bytes(&chain));
    acme_buffer_free(&chain);
    assert_int_equal(unlinkat(scene->dir_fd, LIVE, 0), 0);
    scene->keeper.now = NOW + DAY;
    attempt_encourage(&scene->job, &scene->keeper);
    assert_int_equal(scene->job.next_at, NOW + DAY);
}

static void
a_reload_does_not_hasten_what_is_not_due(void **state)
{
    struct acme_buffer chain = { 0 };
    struct scene *scene = *state;
    int64_t due;

    begin_with_pair(scene, &chain);
    attempt_installed(&scene->job, &scene->keeper,
        acme_buffer_bytes(&chain));
    acme_buffer_free(&chain);
    due = scene->job.next_at;
    scene->keeper.now = NOW + DAY;
    attempt_encourage(&scene->job, &scene->keeper);
    assert_int_equal(scene->job.next_at, due);
    scene->job.plan.failures = 1;
    attempt_encourage(&scene->job, &scene->keeper);
    assert_int_equal(scene->job.next_at, due);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, scene_make, scene_remove)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(key_and_entry_are_on_disk_before_the_order),
        TEST(a_long_key_comes_from_a_key_maker),
        TEST(a_key_maker_that_dies_is_a_failed_attempt),
        TEST(a_key_of_garbage_is_a_failed_attempt_and_not_quoted),
        TEST(a_store_that_cannot_be_written_is_a_failed_attempt),
        TEST(a_key_that_could_not_be_written_is_not_ordered_with),
        TEST(the_order_of_another_job_is_not_taken),
        TEST(a_new_order_takes_back_the_proofs_of_the_old_one),
        TEST(a_proof_that_another_job_needs_stays),
        TEST(an_agent_that_is_lost_gives_its_orders_back),
        TEST(an_order_that_outlives_five_agents_has_failed),
        TEST(a_chain_that_fits_goes_live),
        TEST(a_restart_with_a_certificate_orders_none),
        TEST(a_renewal_says_how_long_its_reload_can_wait),
        TEST(a_certificate_that_comes_late_in_its_life_is_kept_for_a_while),
        TEST(a_chain_of_another_key_stays_out_and_says_what_is_served),
        TEST(an_order_that_ends_badly_twice_is_dropped),
        TEST(a_failed_renewal_leaves_the_certificate_in_service),
        TEST(an_order_that_may_still_succeed_is_kept),
        TEST(a_failure_is_told_with_its_hint),
        TEST(the_pause_after_failures_survives_a_restart),
        TEST(an_order_under_way_is_gone_on_with_though_it_is_not_due_yet),
        TEST(a_clock_that_is_set_back_holds_no_attempt_back),
        TEST(that_all_orders_wait_is_told_once_an_hour_by_any_clock),
        TEST(a_damaged_plan_is_a_warning_and_no_pause),
        TEST(a_reload_lets_a_failing_job_try_early_every_ten_minutes),
        TEST(a_reload_notices_a_certificate_that_was_removed),
        TEST(a_reload_does_not_hasten_what_is_not_due),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
