/* A certificate with two key types: two jobs, one generation, one decision. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../chain_of.h"
#include "keeper/ways.h"
#include "scene.h"

#define LIVE "live/example.test"
#define PENDING "pending/example.test"

enum { LIFE = 90 * DAY };

struct halves {
    struct scene *scene;
    struct keeper *keeper;
    struct job jobs[ACME_KEYS_MAX];
    struct acme_key *keys[ACME_KEYS_MAX];   /* of what is obtained */
    struct acme_buffer chains[ACME_KEYS_MAX];
};

/* As a keeper that starts at this time. */
static void
start(struct halves *halves, int64_t now)
{
    const struct acme_settings_cert *cert = &halves->scene->cert;
    size_t count = acme_settings_key_count(cert);

    for (size_t i = 0; i < halves->keeper->job_count; i++) {
        attempt_free(&halves->jobs[i]);
    }
    memset(halves->jobs, 0, sizeof(halves->jobs));
    halves->keeper->active_count = 0;
    halves->keeper->keygen_asked_count = 0;
    halves->keeper->deploy = (struct deploy) { .check_fd = -1 };
    halves->keeper->job_count = count;
    halves->keeper->now = now;
    halves->scene->line_count = 0;
    for (size_t i = 0; i < count; i++) {
        halves->jobs[i].half = i;
        halves->jobs[i].other = count == 2 ? &halves->jobs[1 - i] : NULL;
        attempt_init(&halves->jobs[i], halves->keeper, cert);
    }
}

static int
setup(void **state)
{
    struct halves *halves = calloc(1, sizeof(*halves));
    struct acme_error err;
    void *scene;

    scene_make(&scene);
    halves->scene = scene;
    halves->keeper = &halves->scene->keeper;
    halves->keeper->jobs = halves->jobs;
    halves->keeper->job_count = 0;
    halves->scene->cert.key_types[1] = ACME_KEY_RSA_2048;
    halves->keys[0] = acme_key_new(ACME_KEY_ECDSA_256, &err);
    halves->keys[1] = acme_key_new(ACME_KEY_RSA_2048, &err);
    start(halves, NOW);
    *state = halves;
    return 0;
}

static int
teardown(void **state)
{
    struct halves *halves = *state;
    void *scene = halves->scene;

    for (size_t i = 0; i < ACME_KEYS_MAX; i++) {
        acme_key_free(halves->keys[i]);
        acme_buffer_free(&halves->chains[i]);
    }
    for (size_t i = 0; i < halves->keeper->job_count; i++) {
        attempt_free(&halves->jobs[i]);
    }
    scene_remove(&scene);
    free(halves);
    return 0;
}

/* The job gets the key from a key maker, and its order is under way. */
static void
order_with(struct halves *halves, size_t i, const struct acme_key *key)
{
    struct acme_buffer pem = pem_of(key);
    char request[64];
    int pair[2];

    attempt_start(&halves->jobs[i], halves->keeper);
    while (recv(halves->scene->supervisor_fd, request, sizeof(request),
            MSG_DONTWAIT) > 0) {
    }
    halves->keeper->keygen_asked_count = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    assert_int_equal(send(pair[1], pem.at, pem.len, 0), pem.len);
    attempt_watch_keygen(&halves->jobs[i], pair[0]);
    attempt_take_key(&halves->jobs[i], halves->keeper);
    close(pair[1]);
    attempt_order(&halves->jobs[i], halves->keeper);
    assert_int_equal(halves->jobs[i].state, JOB_ORDERING);
    acme_buffer_wipe(&pem);
}

/* The CA gives the half whose order is under way a certificate. */
static void
deliver(struct halves *halves, size_t i, int64_t from)
{
    acme_buffer_free(&halves->chains[i]);
    halves->chains[i] = chain_of(halves->jobs[i].key, "example.test", from,
        from + LIFE);
    attempt_installed(&halves->jobs[i], halves->keeper,
        acme_buffer_bytes(&halves->chains[i]));
    assert_int_equal(halves->jobs[i].state, JOB_IDLE);
    assert_int_equal(halves->jobs[i].plan.failures, 0);
}

static void
obtain(struct halves *halves, size_t i, int64_t from)
{
    order_with(halves, i, halves->keys[i]);
    deliver(halves, i, from);
}

/* The CA refuses the order of this half. */
static void
refuse(struct halves *halves, size_t i)
{
    struct acme_error err;

    order_with(halves, i, halves->keys[i]);
    acme_fail(&err, ACME_REFUSED, "not this one");
    attempt_failed(&halves->jobs[i], halves->keeper, &err, "finalize");
}

static void
serves(const struct halves *halves, const char *file,
    const struct acme_buffer *chain)
{
    assert_string_equal(content_of(halves->scene, file),
        acme_buffer_text(chain));
}

static bool
has(const struct halves *halves, const char *name)
{
    return is_there(halves->scene, name);
}

/* ---- at first */

static void
both_halves_are_one_generation(void **state)
{
    struct halves *halves = *state;

    assert_int_equal(halves->jobs[0].next_at, NOW);
    assert_int_equal(halves->jobs[1].next_at, NOW);
    attempt_start(&halves->jobs[0], halves->keeper);
    assert_true(attempt_must_wait(&halves->jobs[1], halves->keeper));
    start(halves, NOW);

    halves->jobs[1].next_at = NOW + 1;   /* it waits for the first one */
    obtain(halves, 0, NOW);
    serves(halves, LIVE "/fullchain.pem", &halves->chains[0]);
    assert_false(has(halves, LIVE "/fullchain.rsa.pem"));
    /* before the reload is thought of, the second one begins */
    assert_int_equal(halves->jobs[1].next_at, NOW);
    assert_true(halves->jobs[1].served);

    obtain(halves, 1, NOW);
    serves(halves, LIVE "/fullchain.pem", &halves->chains[0]);
    serves(halves, LIVE "/fullchain.rsa.pem", &halves->chains[1]);
    assert_true(has(halves, LIVE "/meta.json"));
    assert_true(has(halves, LIVE "/meta.rsa.json"));
    assert_false(has(halves, PENDING));
    assert_int_equal(halves->keeper->deploy.landed, 2);
    assert_true(logged(halves->scene,
        "example.test: ecdsa:256: ca.test: certificate obtained"));
    assert_true(logged(halves->scene,
        "example.test: rsa:2048: ca.test: certificate obtained"));
    start(halves, NOW + DAY);
    assert_true(halves->jobs[0].fits && halves->jobs[1].fits);
    assert_int_equal(halves->jobs[0].next_at, halves->jobs[1].next_at);
    assert_true(halves->jobs[0].next_at > NOW + 50 * DAY);
    assert_int_equal(halves->scene->line_count, 0);
}

static void
each_half_has_an_order_and_a_plan_of_its_own(void **state)
{
    struct halves *halves = *state;
    struct acme_error err;

    order_with(halves, 0, halves->keys[0]);
    order_with(halves, 1, halves->keys[1]);
    assert_true(attempt_save_order(&halves->jobs[0], halves->keeper,
        BASE "/order/1", 0, &err));
    /* a CA may give identical orders one URL: one of the two has it */
    assert_false(attempt_save_order(&halves->jobs[1], halves->keeper,
        BASE "/order/1", 0, &err));
    assert_true(attempt_save_order(&halves->jobs[1], halves->keeper,
        BASE "/order/2", 0, &err));
    assert_true(has(halves, PENDING "/order.json"));
    assert_true(has(halves, PENDING "/order.rsa.json"));

    start(halves, NOW + 5);
    assert_string_equal(halves->jobs[0].order_url, BASE "/order/1");
    assert_string_equal(halves->jobs[1].order_url, BASE "/order/2");
    assert_int_equal(acme_key_type_of_key(halves->jobs[0].key),
        ACME_KEY_ECDSA_256);
    assert_int_equal(acme_key_type_of_key(halves->jobs[1].key),
        ACME_KEY_RSA_2048);

    refuse(halves, 1);
    assert_true(has(halves, PENDING "/order.json"));
    assert_false(has(halves, PENDING "/order.rsa.json"));
    assert_false(has(halves, PENDING "/privkey.rsa.pem"));
    assert_true(has(halves, "plan/example.test+rsa.json"));
    assert_false(has(halves, "plan/example.test.json"));
    start(halves, NOW + 6);
    assert_int_equal(halves->jobs[0].plan.failures, 0);
    assert_int_equal(halves->jobs[1].plan.failures, 1);
}

static void
a_half_that_is_refused_leaves_the_other_one_alone(void **state)
{
    struct halves *halves = *state;

    obtain(halves, 0, NOW);
    refuse(halves, 1);
    assert_true(logged(halves->scene,
        "the present certificate stays in service"));
    start(halves, NOW + 10);
    assert_true(halves->jobs[0].next_at > NOW + 50 * DAY);
    assert_true(halves->jobs[1].next_at < NOW + 1000);
    obtain(halves, 1, NOW);
    serves(halves, LIVE "/fullchain.pem", &halves->chains[0]);
    serves(halves, LIVE "/fullchain.rsa.pem", &halves->chains[1]);
}

/* CAs count failed validations of a name, whatever key was to follow. */
static void
what_fails_for_a_name_is_not_tried_for_the_other_half(void **state)
{
    struct halves *halves = *state;
    struct acme_error err;

    acme_fail(&err, ACME_RETRY, "nobody answers");
    strcpy(err.problem, "dns");
    strcpy(err.name, "example.test");
    for (int i = 0; i < 2; i++) {
        halves->keeper->now = halves->jobs[0].next_at;
        halves->jobs[1].next_at = halves->keeper->now + 1;   /* it waits */
        order_with(halves, 0, halves->keys[0]);
        attempt_failed(&halves->jobs[0], halves->keeper, &err, "validation");
        assert_true(halves->jobs[0].next_at > halves->keeper->now + 50);
        assert_int_equal(halves->jobs[1].next_at, halves->jobs[0].next_at);
    }

    /* but an order of its own goes on, and so does all that is of the key */
    order_with(halves, 1, halves->keys[1]);
    assert_true(attempt_save_order(&halves->jobs[1], halves->keeper,
        BASE "/order/1", 0, &err));
    strcpy(err.problem, "orderProcessing");
    ways_refused(&halves->jobs[1], halves->keeper, &err, "issuance",
        ACME_CHALLENGE_NONE);
    halves->keeper->now = halves->jobs[0].next_at;
    halves->jobs[1].next_at = halves->keeper->now + 1;
    order_with(halves, 0, halves->keys[0]);
    strcpy(err.problem, "dns");
    attempt_failed(&halves->jobs[0], halves->keeper, &err, "validation");
    assert_int_equal(halves->jobs[1].next_at, halves->keeper->now + 1);
}

/* A CA that says when it wants to be asked again is asked then. */
static void
a_half_that_waits_for_the_ca_is_not_hurried(void **state)
{
    struct halves *halves = *state;
    struct acme_error err;

    order_with(halves, 1, halves->keys[1]);
    assert_true(attempt_save_order(&halves->jobs[1], halves->keeper,
        BASE "/order/1", 0, &err));
    acme_fail(&err, ACME_RETRY, "still processing");
    strcpy(err.problem, "orderProcessing");
    err.retry_at = NOW + 7200;
    ways_refused(&halves->jobs[1], halves->keeper, &err, "issuance",
        ACME_CHALLENGE_NONE);
    obtain(halves, 0, NOW);
    assert_int_equal(halves->jobs[1].next_at, NOW + 7200);
}

/* ---- renewal */

static void
one_decision_renews_both(void **state)
{
    struct halves *halves = *state;
    int64_t due;

    obtain(halves, 0, NOW - 5 * DAY);
    obtain(halves, 1, NOW);
    due = halves->jobs[0].next_at;
    assert_true(due < NOW + 56 * DAY);
    assert_int_equal(halves->jobs[1].next_at, due);
    start(halves, due - 1);
    assert_int_equal(halves->jobs[1].next_at, due);

    start(halves, due);
    halves->jobs[1].next_at = due + 1;   /* it waits for the first one */
    obtain(halves, 0, due);
    assert_int_equal(halves->jobs[1].next_at, due);
    assert_false(halves->keeper->deploy.urgent);
    obtain(halves, 1, due);
    assert_true(halves->jobs[0].next_at > due + 50 * DAY);
    assert_int_equal(halves->jobs[0].next_at, halves->jobs[1].next_at);
}

static void
a_half_that_fails_does_not_have_the_other_ordered_again(void **state)
{
    struct acme_buffer old;
    struct halves *halves = *state;
    int64_t due, next;

    obtain(halves, 0, NOW);
    obtain(halves, 1, NOW);
    old = halves->chains[1];
    halves->chains[1] = (struct acme_buffer) { 0 };
    due = halves->jobs[0].next_at;
    start(halves, due);
    obtain(halves, 0, due);
    serves(halves, LIVE "/fullchain.pem", &halves->chains[0]);
    serves(halves, LIVE "/fullchain.rsa.pem", &old);
    next = halves->jobs[0].next_at;
    assert_true(next > due + 50 * DAY);
    for (int i = 1; i <= 4; i++) {
        refuse(halves, 1);
        start(halves, due + i * DAY);
        assert_int_equal(halves->jobs[0].next_at, next);
    }

    /* when it succeeds at last, the next decision is one again */
    obtain(halves, 1, due + 4 * DAY);
    assert_int_equal(halves->jobs[0].next_at, next);
    assert_int_equal(halves->jobs[1].next_at, next);
    acme_buffer_free(&old);
}

static void
a_damaged_half_is_left_out_and_obtained_anew(void **state)
{
    struct halves *halves = *state;

    obtain(halves, 0, NOW);
    obtain(halves, 1, NOW);
    scribble(halves->scene, LIVE "/privkey.rsa.pem", "garbage");
    obtain(halves, 0, NOW);
    serves(halves, LIVE "/fullchain.pem", &halves->chains[0]);
    assert_false(has(halves, LIVE "/fullchain.rsa.pem"));
    assert_int_equal(halves->jobs[1].next_at, NOW);

    obtain(halves, 1, NOW);
    scribble(halves->scene, LIVE "/fullchain.pem", "garbage");
    start(halves, NOW + DAY);
    assert_int_equal(halves->jobs[0].next_at, NOW + DAY);
    assert_true(halves->jobs[0].served);
    assert_true(halves->jobs[1].next_at > NOW + 50 * DAY);
    assert_true(logged(halves->scene, "fullchain.pem: "));
    attempt_encourage(&halves->jobs[1], halves->keeper);
    assert_true(halves->jobs[1].next_at > NOW + 50 * DAY);
    scribble(halves->scene, LIVE "/privkey.rsa.pem", "garbage");
    attempt_encourage(&halves->jobs[1], halves->keeper);
    assert_int_equal(halves->jobs[1].next_at, NOW + DAY);
}

/* ---- changed types */

static void
an_older_half_in_place_of_a_damaged_one_is_kept(void **state)
{
    struct halves *halves = *state;

    obtain(halves, 0, NOW);
    obtain(halves, 1, NOW);
    obtain(halves, 0, NOW);
    scribble(halves->scene, LIVE "/fullchain.rsa.pem", "garbage");
    start(halves, NOW + DAY);
    assert_true(halves->jobs[0].fits && halves->jobs[1].served);
    assert_false(halves->jobs[1].fits);
    assert_int_equal(halves->jobs[1].next_at, NOW + DAY);
    assert_true(halves->jobs[0].next_at > NOW + 50 * DAY);
    assert_true(logged(halves->scene,
        "/2/fullchain.rsa.pem is served in its place"));

    /* the other one comes first */
    obtain(halves, 0, NOW + DAY);
    serves(halves, LIVE "/fullchain.pem", &halves->chains[0]);
    serves(halves, LIVE "/fullchain.rsa.pem", &halves->chains[1]);
    obtain(halves, 1, NOW + DAY);
    serves(halves, LIVE "/fullchain.rsa.pem", &halves->chains[1]);
}

static void
a_type_that_is_added_is_ordered_alone(void **state)
{
    struct halves *halves = *state;
    struct acme_settings_cert *cert = &halves->scene->cert;
    struct acme_buffer rsa;

    /* an RSA certificate alone has the first place */
    cert->key_types[0] = ACME_KEY_RSA_2048;
    cert->key_types[1] = ACME_KEY_NONE;
    start(halves, NOW);
    order_with(halves, 0, halves->keys[1]);
    deliver(halves, 0, NOW);
    rsa = halves->chains[0];
    halves->chains[0] = (struct acme_buffer) { 0 };
    serves(halves, LIVE "/fullchain.pem", &rsa);

    cert->key_types[0] = ACME_KEY_ECDSA_256;
    cert->key_types[1] = ACME_KEY_RSA_2048;
    start(halves, NOW + DAY);
    assert_int_equal(halves->scene->line_count, 0);
    assert_int_equal(halves->jobs[0].next_at, NOW + DAY);
    assert_true(halves->jobs[1].next_at > NOW + 50 * DAY);
    obtain(halves, 0, NOW + DAY);
    serves(halves, LIVE "/fullchain.pem", &halves->chains[0]);
    serves(halves, LIVE "/fullchain.rsa.pem", &rsa);
    acme_buffer_free(&rsa);
}

static void
a_type_that_is_taken_away_is_not_in_the_next_generation(void **state)
{
    struct halves *halves = *state;

    obtain(halves, 0, NOW);
    obtain(halves, 1, NOW);
    order_with(halves, 1, halves->keys[1]);
    assert_true(has(halves, PENDING "/privkey.rsa.pem"));
    start(halves, NOW);
    halves->scene->cert.key_types[1] = ACME_KEY_NONE;
    start(halves, NOW);
    assert_true(halves->jobs[0].next_at > NOW + 50 * DAY);
    assert_false(has(halves, PENDING));
    assert_true(has(halves, LIVE "/fullchain.rsa.pem"));
    obtain(halves, 0, NOW);
    assert_false(has(halves, LIVE "/fullchain.rsa.pem"));
}

static void
a_changed_size_is_served_until_its_successor_is_there(void **state)
{
    struct halves *halves = *state;

    obtain(halves, 0, NOW);
    obtain(halves, 1, NOW);
    halves->scene->cert.key_types[1] = ACME_KEY_RSA_3072;
    start(halves, NOW + DAY);
    assert_true(halves->jobs[0].next_at > NOW + 50 * DAY);
    assert_int_equal(halves->jobs[1].next_at, NOW + DAY);
    assert_true(logged(halves->scene, "acme_key is now rsa:3072"));
    obtain(halves, 0, NOW + DAY);
    serves(halves, LIVE "/fullchain.rsa.pem", &halves->chains[1]);
}

/* ---- acme_key_policy */

static bool
is_key(const struct acme_key *a, const struct acme_key *b)
{
    struct acme_buffer one = pem_of(a), other = pem_of(b);
    bool same = acme_bytes_equal(acme_buffer_bytes(&one),
        acme_buffer_bytes(&other));

    acme_buffer_wipe(&one);
    acme_buffer_wipe(&other);
    return same;
}

static void
by_reuse_a_renewal_takes_the_key_in_service(void **state)
{
    struct halves *halves = *state;

    halves->scene->cert.reuse_key = true;
    obtain(halves, 0, NOW);
    obtain(halves, 1, NOW);
    for (size_t i = 0; i < 2; i++) {
        attempt_start(&halves->jobs[i], halves->keeper);
        assert_int_equal(halves->jobs[i].state, JOB_READY);
        assert_true(is_key(halves->jobs[i].key, halves->keys[i]));
    }
    start(halves, NOW);
    halves->scene->cert.key_types[0] = ACME_KEY_ECDSA_384;
    start(halves, NOW);
    attempt_start(&halves->jobs[0], halves->keeper);
    assert_int_equal(acme_key_type_of_key(halves->jobs[0].key),
        ACME_KEY_ECDSA_384);
}

static void
by_rotate_it_makes_another_one(void **state)
{
    struct halves *halves = *state;

    obtain(halves, 0, NOW);
    obtain(halves, 1, NOW);
    attempt_start(&halves->jobs[0], halves->keeper);
    assert_false(is_key(halves->jobs[0].key, halves->keys[0]));
    attempt_start(&halves->jobs[1], halves->keeper);
    assert_int_equal(halves->jobs[1].state, JOB_KEYGEN);
}

/* The key in service alone does not say that an order has come to its end. */
static void
by_reuse_an_order_survives_a_restart(void **state)
{
    struct halves *halves = *state;
    struct acme_buffer order = ACME_BUFFER(8192);
    struct acme_error err;
    int64_t due;

    halves->scene->cert.reuse_key = true;
    obtain(halves, 0, NOW);
    obtain(halves, 1, NOW);
    due = halves->jobs[0].next_at;
    start(halves, due);
    attempt_start(&halves->jobs[0], halves->keeper);
    assert_true(attempt_save_order(&halves->jobs[0], halves->keeper,
        BASE "/order/2", 0, &err));
    start(halves, due);
    assert_string_equal(halves->jobs[0].order_url, BASE "/order/2");

    /* as if the keeper had ended when it had installed the certificate */
    assert_true(acme_buffer_add_text(&order,
        content_of(halves->scene, PENDING "/order.json")));
    attempt_start(&halves->jobs[0], halves->keeper);
    attempt_order(&halves->jobs[0], halves->keeper);
    deliver(halves, 0, due);
    assert_int_equal(mkdirat(halves->scene->dir_fd, PENDING, 0700), 0);
    scribble(halves->scene, PENDING "/order.json", acme_buffer_text(&order));
    scribble(halves->scene, PENDING "/privkey.pem",
        content_of(halves->scene, LIVE "/privkey.pem"));
    start(halves, due + 1);
    assert_null(halves->jobs[0].order_url);
    assert_false(has(halves, PENDING));
    acme_buffer_free(&order);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_halves_are_one_generation),
        TEST(each_half_has_an_order_and_a_plan_of_its_own),
        TEST(a_half_that_is_refused_leaves_the_other_one_alone),
        TEST(what_fails_for_a_name_is_not_tried_for_the_other_half),
        TEST(a_half_that_waits_for_the_ca_is_not_hurried),
        TEST(one_decision_renews_both),
        TEST(a_half_that_fails_does_not_have_the_other_ordered_again),
        TEST(a_damaged_half_is_left_out_and_obtained_anew),
        TEST(an_older_half_in_place_of_a_damaged_one_is_kept),
        TEST(a_type_that_is_added_is_ordered_alone),
        TEST(a_type_that_is_taken_away_is_not_in_the_next_generation),
        TEST(a_changed_size_is_served_until_its_successor_is_there),
        TEST(by_reuse_a_renewal_takes_the_key_in_service),
        TEST(by_rotate_it_makes_another_one),
        TEST(by_reuse_an_order_survives_a_restart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
