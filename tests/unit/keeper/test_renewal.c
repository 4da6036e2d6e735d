/* What CAs are asked about renewals, and what an order says it replaces. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "crypto/internal.h"
#include "format/time_text.h"
#include "keeper/renewal.h"
#include "keeper/ways.h"
#include "scene.h"

#define PLAN "plan/example.test.json"
#define WHY "https://ca.test/why"

enum { MINUTE = 60, HOUR = 3600, YEAR = 365 * DAY, JOBS = 40 };

/* ---- certificates */

/* The certificate, as one of a CA whose key has an identifier. */
static void
name_issuer(struct acme_buffer *chain, const struct acme_key *key)
{
    AUTHORITY_KEYID *issuer = AUTHORITY_KEYID_new();
    BIO *in = BIO_new_mem_buf(chain->at, (int) chain->len);
    BIO *out = BIO_new(BIO_s_mem());
    X509 *cert = PEM_read_bio_X509(in, NULL, NULL, NULL);
    char *pem;
    long len;

    issuer->keyid = ASN1_OCTET_STRING_new();
    assert_int_equal(ASN1_OCTET_STRING_set(issuer->keyid,
        (const unsigned char *) "abc", 3), 1);
    assert_int_equal(X509_add1_ext_i2d(cert, NID_authority_key_identifier,
        issuer, 0, X509V3_ADD_DEFAULT), 1);
    assert_true(X509_sign(cert, key->pkey, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_bio_X509(out, cert), 1);
    len = BIO_get_mem_data(out, &pem);
    acme_buffer_clear(chain);
    assert_true(acme_buffer_add(chain, pem, (size_t) len));
    AUTHORITY_KEYID_free(issuer);
    X509_free(cert);
    BIO_free(in);
    BIO_free(out);
}

static struct acme_buffer
make_chain(struct acme_key **key_out)
{
    struct acme_buffer chain = { 0 }, pem = { 0 };
    struct acme_error err;
    struct acme_key *key;

    make_pair(&chain, &pem, NOW);
    key = acme_key_read(acme_buffer_bytes(&pem), &err);
    assert_non_null(key);
    acme_buffer_wipe(&pem);
    name_issuer(&chain, key);
    *key_out = key;
    return chain;
}

/* An order that ends with a certificate of a year, obtained now. */
static void
obtain(struct scene *scene)
{
    struct acme_key *key;
    struct acme_buffer chain = make_chain(&key);

    attempt_start(&scene->job, &scene->keeper);
    acme_key_free(scene->job.key);
    scene->job.key = key;
    attempt_order(&scene->job, &scene->keeper);
    attempt_installed(&scene->job, &scene->keeper, acme_buffer_bytes(&chain));
    assert_true(scene->job.fits);
    acme_buffer_free(&chain);
}

static int
setup(void **state)
{
    struct scene *scene;
    struct acme_error err;

    scene_make(state);
    scene = *state;
    assert_true(account_load(&scene->account, scene->keeper.store, &err));
    assert_true(account_save_url(&scene->account, &scene->keeper,
        BASE "/my-account/1", &err));
    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    obtain(scene);
    scene->account.renewal_info = true;
    scene->line_count = 0;
    return 0;
}

/* ---- the agent's side */

/* How many questions have come; *last is the last one's id. */
static unsigned
questions(struct scene *scene, uint32_t *last)
{
    struct acme_message message;
    struct acme_error err;
    unsigned count = 0;
    bool got = true;

    while (acme_channel_next(scene->agent, &message, &got, &err) && got) {
        if (message.type == ACME_MESSAGE_RENEWAL_INFO) {
            *last = message.id;
            count++;
        }
    }
    return count;
}

static bool
answer(struct scene *scene, enum acme_message_type type, uint32_t id,
    const char *first, const char *second, int64_t at)
{
    struct acme_message message = { .type = type, .id = id, .fd = -1,
        .at = at, .text = { acme_bytes_of(first), acme_bytes_of(second),
        acme_bytes_of(WHY) } };
    struct acme_error err = { 0 };
    bool ok = renewal_take_answer(&scene->keeper, &message, &err);

    assert_true(ok || err.verdict == ACME_PEER_BROKE);
    return ok;
}

static bool
answer_window(struct scene *scene, uint32_t id, int64_t start, int64_t end,
    int64_t retry_at)
{
    char from[ACME_TIME_TEXT_SIZE], until[ACME_TIME_TEXT_SIZE];

    return answer(scene, ACME_MESSAGE_RENEWAL_WINDOW, id,
        acme_time_write(from, start), acme_time_write(until, end), retry_at);
}

/* Ask, and have it answered by this window. */
static void
learn(struct scene *scene, int64_t start, int64_t end)
{
    uint32_t id = 0;

    renewal_ask(&scene->keeper);
    assert_int_equal(questions(scene, &id), 1);
    assert_true(answer_window(scene, id, start, end, 0));
    renewal_ask(&scene->keeper);
}

static void
at(struct scene *scene, int64_t now)
{
    scene->keeper.now = now;
    scene->line_count = 0;
}

static void
restart(struct scene *scene)
{
    attempt_free(&scene->job);
    memset(&scene->job, 0, sizeof(scene->job));
    memset(&scene->keeper.renewal, 0, sizeof(scene->keeper.renewal));
    attempt_init(&scene->job, &scene->keeper, &scene->cert);
}

/* ---- questions */

static void
a_new_certificate_is_asked_about_at_once(void **state)
{
    struct scene *scene = *state;
    const struct acme_ari *ari = &scene->job.plan.ari;
    uint32_t id = 0;

    assert_int_equal(strncmp(ari->cert_id, "YWJj.", 5), 0);
    assert_true(renewal_wake_at(&scene->keeper) <= NOW);
    renewal_ask(&scene->keeper);
    assert_true(renewal_waits_for_agent(&scene->keeper));
    assert_int_equal(renewal_wake_at(&scene->keeper), INT64_MAX);
    assert_int_equal(questions(scene, &id), 1);
    renewal_ask(&scene->keeper);
    assert_int_equal(questions(scene, &id), 0);

    assert_true(answer_window(scene, id, NOW + 200 * DAY, NOW + 201 * DAY,
        NOW + 5 * HOUR));
    assert_in_range(scene->job.next_at, NOW + 200 * DAY, NOW + 201 * DAY);
    assert_int_equal(scene->job.next_at, ari->chosen);
    assert_true(logged(scene, "the CA asks for renewal between 2024-06-01"));
    assert_true(logged(scene, ", for the reason given at " WHY "; it is due"));
    assert_non_null(strstr(content_of(scene, PLAN), ari->cert_id));
    renewal_ask(&scene->keeper);
    assert_false(renewal_wants_agent(&scene->keeper));
    assert_int_equal(renewal_wake_at(&scene->keeper), NOW + 5 * HOUR);
}

static void
a_restart_asks_nothing_and_keeps_the_moment(void **state)
{
    struct scene *scene = *state;
    uint32_t id;

    learn(scene, NOW + 200 * DAY, NOW + 201 * DAY);
    for (int i = 1; i < 5; i++) {
        int64_t next_at = scene->job.next_at;

        at(scene, NOW + i * HOUR);
        restart(scene);
        assert_int_equal(scene->job.next_at, next_at);
        renewal_ask(&scene->keeper);
        assert_int_equal(questions(scene, &id), 0);
        assert_false(renewal_wants_agent(&scene->keeper));
    }
    at(scene, NOW + 6 * HOUR);
    learn(scene, NOW + 200 * DAY, NOW + 201 * DAY);
    assert_int_equal(scene->line_count, 0);
}

static void
a_window_in_the_past_is_due_now_and_says_why(void **state)
{
    struct scene *scene = *state;

    learn(scene, NOW + 200 * DAY, NOW + 201 * DAY);
    at(scene, NOW + 6 * HOUR);
    learn(scene, NOW - HOUR, NOW - MINUTE);
    assert_true(scene->job.next_at <= NOW + 6 * HOUR);
    assert_true(logged(scene, "the CA now asks for renewal between"));
    at(scene, NOW + 6 * HOUR + 1);
    attempt_start(&scene->job, &scene->keeper);
    assert_true(logged(scene, "the CA asks for this renewal between 2023-11-14"));
    assert_true(logged(scene, WHY));
    /* the pause after a failure is not shortened by it */
    scene->job.plan.failures = 0;
    attempt_failed(&scene->job, &scene->keeper, &(struct acme_error) {
        .verdict = ACME_RETRY, .text = "no" }, "newOrder");
    attempt_reschedule(&scene->job, &scene->keeper);
    assert_in_range(scene->job.next_at, NOW + 6 * HOUR + 50,
        NOW + 6 * HOUR + 70);
}

/* Its moment has come: what the CA may say now would only hurry it. */
static void
an_order_that_the_ca_is_at_work_on_is_left_alone(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;
    uint32_t id;

    learn(scene, NOW - HOUR, NOW - MINUTE);
    attempt_start(&scene->job, &scene->keeper);
    attempt_order(&scene->job, &scene->keeper);
    assert_true(attempt_save_order(&scene->job, &scene->keeper,
        BASE "/order/1", 0, &err));
    acme_fail(&err, ACME_RETRY, "still processing");
    strcpy(err.problem, "orderProcessing");
    err.retry_at = NOW + 12 * HOUR;
    ways_refused(&scene->job, &scene->keeper, &err, "issuance",
        ACME_CHALLENGE_NONE);
    at(scene, NOW + 7 * HOUR);
    renewal_ask(&scene->keeper);
    assert_int_equal(questions(scene, &id), 0);
    assert_int_equal(renewal_wake_at(&scene->keeper), INT64_MAX);
    assert_int_equal(scene->job.next_at, NOW + 12 * HOUR);
}

static void
a_new_certificate_ends_what_was_said_of_the_old_one(void **state)
{
    struct scene *scene = *state;
    uint32_t id = 0;

    learn(scene, NOW - HOUR, NOW - MINUTE);
    at(scene, NOW + MINUTE);
    obtain(scene);
    assert_true(scene->job.next_at > NOW + 200 * DAY);
    renewal_ask(&scene->keeper);
    assert_int_equal(questions(scene, &id), 1);
}

static void
an_answer_about_another_certificate_is_dropped(void **state)
{
    struct scene *scene = *state;
    int64_t next_at;
    uint32_t id = 0;

    renewal_ask(&scene->keeper);
    assert_int_equal(questions(scene, &id), 1);
    obtain(scene);
    next_at = scene->job.next_at;
    assert_true(answer_window(scene, id, NOW - HOUR, NOW - MINUTE, 0));
    assert_int_equal(scene->job.next_at, next_at);
    assert_false(acme_ari_has_window(&scene->job.plan.ari));
    assert_int_equal(scene->job.plan.ari.poll_at, 0);
}

static void
an_agent_is_wanted_for_a_question(void **state)
{
    struct scene *scene = *state;
    struct acme_channel *agent = scene->keeper.agent;
    uint32_t id = 0;

    scene->keeper.agent = NULL;
    assert_false(renewal_wants_agent(&scene->keeper));
    renewal_ask(&scene->keeper);
    assert_true(renewal_wants_agent(&scene->keeper));
    assert_false(renewal_waits_for_agent(&scene->keeper));
    scene->keeper.agent = agent;
    renewal_ask(&scene->keeper);
    assert_int_equal(questions(scene, &id), 1);
}

static void
an_agent_that_is_lost_is_a_question_without_an_answer(void **state)
{
    struct scene *scene = *state;
    int64_t next_at = scene->job.next_at;
    uint32_t id = 0;

    renewal_ask(&scene->keeper);
    assert_int_equal(questions(scene, &id), 1);
    renewal_agent_lost(&scene->keeper);
    assert_false(renewal_waits_for_agent(&scene->keeper));
    assert_int_equal(scene->job.plan.ari.failures, 1);
    assert_int_equal(scene->job.next_at, next_at);
    renewal_ask(&scene->keeper);
    assert_int_equal(questions(scene, &id), 0);
    assert_false(renewal_wants_agent(&scene->keeper));
    assert_in_range(renewal_wake_at(&scene->keeper), NOW + 9 * MINUTE,
        NOW + 11 * MINUTE);
}

static void
failures_are_told_when_they_last(void **state)
{
    struct scene *scene = *state;
    uint32_t id = 0;

    for (int i = 1; i <= 5; i++) {
        at(scene, NOW + i * DAY);
        renewal_ask(&scene->keeper);
        assert_int_equal(questions(scene, &id), 1);
        assert_true(answer(scene, ACME_MESSAGE_RENEWAL_FAILED, id,
            "no\nsuch thing", NULL, 0));
        renewal_ask(&scene->keeper);
        assert_true(logged(scene, "(") && logged(scene, "no\\x0asuch thing"));
        assert_int_equal(scene->job.plan.ari.failures, i);
    }
}

static void
a_ca_without_it_is_asked_daily(void **state)
{
    struct scene *scene = *state;
    uint32_t id = 0;

    renewal_ask(&scene->keeper);
    assert_int_equal(questions(scene, &id), 1);
    assert_true(answer(scene, ACME_MESSAGE_NO_RENEWAL_INFO, id, NULL, NULL,
        0));
    renewal_ask(&scene->keeper);
    assert_int_equal(renewal_wake_at(&scene->keeper), NOW + DAY);
    restart(scene);
    assert_int_equal(renewal_wake_at(&scene->keeper), NOW + DAY);
}

static void
nobody_else_answers(void **state)
{
    struct scene *scene = *state;
    uint32_t id = 0;

    renewal_ask(&scene->keeper);
    assert_int_equal(questions(scene, &id), 1);
    assert_false(answer_window(scene, id + 1, NOW, NOW + 1, 0));
    assert_false(answer_window(scene, scene->job.id, NOW, NOW + 1, 0));
    assert_false(answer_window(scene, 1, NOW, NOW + 1, 0));
    assert_false(answer_window(scene, id, NOW, NOW, 0));
    assert_false(answer(scene, ACME_MESSAGE_RENEWAL_WINDOW, id, "then",
        "later", 0));
    assert_true(renewal_waits_for_agent(&scene->keeper));
    assert_true(answer_window(scene, id, NOW + DAY, NOW + 2 * DAY,
        INT64_MAX));
    assert_int_equal(scene->job.plan.ari.poll_at, NOW + DAY);
    assert_false(answer_window(scene, id, NOW, NOW + 1, 0));
}

static void
there_is_nothing_to_ask_about_these(void **state)
{
    struct scene *scene = *state;
    struct job *job = &scene->job;
    const struct job whole = *job;

    job->state = JOB_ORDERING;
    assert_int_equal(renewal_wake_at(&scene->keeper), INT64_MAX);
    *job = whole;
    job->served = false;
    assert_int_equal(renewal_wake_at(&scene->keeper), INT64_MAX);
    *job = whole;
    job->fits = false;
    assert_int_equal(renewal_wake_at(&scene->keeper), INT64_MAX);
    *job = whole;
    job->plan.ari.cert_id[0] = '\0';
    assert_int_equal(renewal_wake_at(&scene->keeper), INT64_MAX);
    *job = whole;
    job->not_after = NOW;
    assert_int_equal(renewal_wake_at(&scene->keeper), INT64_MAX);
    *job = whole;
    job->next_at = NOW;
    assert_int_equal(renewal_wake_at(&scene->keeper), INT64_MAX);
    *job = whole;
    assert_true(renewal_wake_at(&scene->keeper) <= NOW);
}

/* ---- many certificates */

static void
those_due_soon_come_along_32_at_a_time(void **state)
{
    struct scene *scene = *state;
    struct job *jobs = calloc(JOBS, sizeof(*jobs));
    struct acme_settings_cert *certs = calloc(JOBS, sizeof(*certs));
    char folders[JOBS][32];
    unsigned asked;
    uint32_t id = 0;

    for (int i = 0; i < JOBS; i++) {
        snprintf(folders[i], sizeof(folders[i]), "%d.test", i);
        certs[i] = scene->cert;
        certs[i].folder = folders[i];
        jobs[i] = scene->job;
        jobs[i].cert = &certs[i];
        jobs[i].plan.ari.poll_at = i == JOBS - 1 ? NOW + HOUR
            : NOW + i * 10;
    }
    scene->keeper.jobs = jobs;
    scene->keeper.job_count = JOBS;
    renewal_ask(&scene->keeper);
    asked = questions(scene, &id);
    assert_int_equal(asked, 32);
    while (renewal_waits_for_agent(&scene->keeper)) {
        struct question *question = &scene->keeper.renewal.questions[0];
        struct job *job = question->job;

        /* a minute later is within this round, but of the next one */
        assert_true(answer_window(scene, question->id, NOW + DAY,
            NOW + 2 * DAY, NOW + MINUTE));
        job->served = job->fits = true;  /* there is one pair in the store */
        job->next_at = NOW + DAY;
        renewal_ask(&scene->keeper);
        asked += questions(scene, &id);
        assert_true(asked <= JOBS);
    }
    assert_int_equal(asked, JOBS - 1);
    assert_false(renewal_wants_agent(&scene->keeper));
    assert_int_equal(renewal_wake_at(&scene->keeper), NOW + MINUTE);
    at(scene, NOW + MINUTE);
    renewal_ask(&scene->keeper);
    assert_int_equal(questions(scene, &id), 32);
    scene->keeper.jobs = &scene->job;
    scene->keeper.job_count = 1;
    free(jobs);
    free(certs);
}

/* ---- what an order replaces */

static bool
names_predecessor(struct scene *scene)
{
    char cert_id[ACME_ARI_ID_SIZE];
    const char *replaces = renewal_replaces(&scene->job, &scene->keeper,
        cert_id);

    assert_true(replaces == NULL
        || strcmp(replaces, scene->job.plan.ari.cert_id) == 0);
    assert_int_equal(replaces != NULL, scene->job.replaces_sent);
    return replaces != NULL;
}

static void
what_is_in_service_is_named_as_predecessor(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    assert_true(names_predecessor(scene));
    scene->account.renewal_info = false;
    assert_false(names_predecessor(scene));
    scene->account.renewal_info = true;

    /* one name in common is enough */
    scene->names[0] = (char *) "other.test";
    assert_false(names_predecessor(scene));
    scene->names[1] = (char *) "Example.test";
    scene->cert.name_count = 2;
    assert_true(names_predecessor(scene));

    scene->ca.url = (char *) "https://other.test/dir";
    assert_false(names_predecessor(scene));
    scene->ca.url = (char *) BASE "/dir";
    assert_true(account_save_url(&scene->account, &scene->keeper,
        BASE "/my-account/2", &err));
    assert_false(names_predecessor(scene));
    /* one of before this was noted */
    scribble(scene, "live/example.test/meta.json", "{}");
    assert_true(names_predecessor(scene));
    assert_int_equal(unlinkat(scene->dir_fd, "live/example.test", 0), 0);
    assert_false(names_predecessor(scene));
}

static void
each_key_type_has_a_predecessor_of_its_own(void **state)
{
    struct scene *scene = *state;
    struct job rsa = { .cert = &scene->cert, .account = &scene->account,
        .half = 1 };
    char cert_id[ACME_ARI_ID_SIZE];

    /* the RSA one is new, beside the other one */
    scene->cert.key_types[1] = ACME_KEY_RSA_2048;
    rsa.other = &scene->job;
    scene->job.other = &rsa;
    assert_true(names_predecessor(scene));
    assert_null(renewal_replaces(&rsa, &scene->keeper, cert_id));
    scene->job.other = NULL;

    /* it comes in its place */
    rsa.other = NULL;
    assert_non_null(renewal_replaces(&rsa, &scene->keeper, cert_id));
}

static const struct {
    const char *what, *problem;
    enum acme_verdict verdict;
    int status;
    const char *step;
    bool again;
} refusals[] = {
    { "replaced", "alreadyReplaced", ACME_REFUSED, 409, "newOrder", true },
    { "not known", "malformed", ACME_REFUSED, 400, "newOrder", true },
    { "another account's", "unauthorized", ACME_REFUSED, 403, "newOrder",
        true },
    { "without a word", "", ACME_REFUSED, 401, "newOrder", true },
    { "by accident", "serverInternal", ACME_RETRY, 500, "newOrder", true },
    { "too many", "rateLimited", ACME_RETRY, 429, "newOrder", false },
    { "too many, without a word", "", ACME_RETRY, 429, "newOrder", false },
    { "a name", "rejectedIdentifier", ACME_REFUSED, 400, "newOrder", false },
    { "the account", "unauthorized", ACME_MISCONFIG, 403, "newOrder", false },
    { "down", "", ACME_RETRY, 503, "newOrder", false },
    { "no reply", "", ACME_RETRY, 0, "newOrder", false },
    { "later", "malformed", ACME_REFUSED, 400, "finalize", false },
};

static void
a_refusal_that_may_be_for_the_predecessor_is_answered_at_once(void **state)
{
    struct scene *scene = *state;
    struct job *job = &scene->job;

    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct acme_error why = { .verdict = refusals[i].verdict,
            .http_status = refusals[i].status, .text = "the CA's words" };
        uint32_t id;

        attempt_start(job, &scene->keeper);
        attempt_order(job, &scene->keeper);
        assert_true(names_predecessor(scene));
        strcpy(why.problem, refusals[i].problem);
        scene->line_count = 0;
        id = job->id;
        ways_refused(job, &scene->keeper, &why, refusals[i].step, 0);
        if ((job->state == JOB_READY) != refusals[i].again) {
            fail_msg("%s", refusals[i].what);
        }
        if (refusals[i].again) {
            assert_int_not_equal(job->id, id);
            assert_true(logged(scene, "newOrder: the CA's words; ordering"));
            /* once */
            assert_false(names_predecessor(scene));
            ways_refused(job, &scene->keeper, &why, refusals[i].step, 0);
        }
        assert_int_equal(job->state, JOB_IDLE);
        job->plan.failures = 0;
    }
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, setup, scene_remove)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_certificate_is_asked_about_at_once),
        TEST(a_restart_asks_nothing_and_keeps_the_moment),
        TEST(a_window_in_the_past_is_due_now_and_says_why),
        TEST(an_order_that_the_ca_is_at_work_on_is_left_alone),
        TEST(a_new_certificate_ends_what_was_said_of_the_old_one),
        TEST(an_answer_about_another_certificate_is_dropped),
        TEST(an_agent_is_wanted_for_a_question),
        TEST(an_agent_that_is_lost_is_a_question_without_an_answer),
        TEST(failures_are_told_when_they_last),
        TEST(a_ca_without_it_is_asked_daily),
        TEST(nobody_else_answers),
        TEST(there_is_nothing_to_ask_about_these),
        TEST(those_due_soon_come_along_32_at_a_time),
        TEST(what_is_in_service_is_named_as_predecessor),
        TEST(each_key_type_has_a_predecessor_of_its_own),
        TEST(a_refusal_that_may_be_for_the_predecessor_is_answered_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
