/*
 * Conversations with the order driver: expect a need, give a reply. The CA,
 * the network and the time are the test's.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/chain.h"
#include "protocol/order.h"

#define CA "https://ca.test"
#define TYPE "urn:ietf:params:acme:error:"
#define PEM "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

enum { MINUTE = 60 * 1000 };

static const char directory[] = "{\"newNonce\":\"" CA "/nonce\","
    "\"newAccount\":\"" CA "/account\",\"newOrder\":\"" CA "/order\"}";

static const char *const names[] = { "a.test", "b.test" };

/* One order and whoever talks to it. */
struct talk {
    struct acme_session *session;
    struct acme_order *order;
    int64_t now_ms;
    struct acme_need need;
    struct acme_error err;
    struct acme_reply reply;   /* what is set here goes with the next one */
    char body[128 * 1024];
};

static struct talk *
begin_request(const struct acme_order_request *request)
{
    struct talk *talk = calloc(1, sizeof(*talk));
    struct acme_reply reply = { .status = 200, .failure = "" };

    reply.body = acme_bytes_of(directory);
    talk->now_ms = INT64_C(1800000000) * 1000;
    talk->session = acme_session_new(CA "/dir", CA "/acct/1");
    assert_true(acme_session_reply(talk->session, talk->now_ms, &reply,
        &talk->err));
    talk->order = acme_order_new(talk->session, request);
    assert_non_null(talk->order);
    return talk;
}

static struct talk *
begin(const char *const *wanted, size_t count, const char *url)
{
    struct acme_order_request request = { .names = wanted,
        .name_count = count, .wish = { { ACME_HTTP_01 }, 1 }, .url = url };

    return begin_request(&request);
}

static struct talk *
begin_new(void)
{
    return begin(names, 2, NULL);
}

static struct talk *
begin_resumed_until(int64_t expires)
{
    struct acme_order_request request = { .names = names, .name_count = 2,
        .wish = { { ACME_HTTP_01 }, 1 }, .url = CA "/order/1",
        .expires = expires };

    return begin_request(&request);
}

static struct talk *
begin_resumed(void)
{
    return begin(names, 2, CA "/order/1");
}

static void
end(struct talk *talk)
{
    acme_order_free(talk->order);
    acme_session_free(talk->session);
    free(talk);
}

/* ---- expecting */

static void
next(struct talk *talk)
{
    if (!acme_order_next(talk->order, talk->now_ms, &talk->need,
        &talk->err)) {
        fail_msg("the order failed: %s", talk->err.text);
    }
}

static void
expect_send(struct talk *talk, enum acme_kind kind, const char *url)
{
    next(talk);
    assert_int_equal(talk->need.type, ACME_NEED_SEND);
    assert_int_equal(talk->need.kind, kind);
    assert_string_equal(talk->need.url, url);
}

static void
expect_get(struct talk *talk, const char *url)
{
    expect_send(talk, ACME_KIND_POST_AS_GET, url);
}

static void
expect_save(struct talk *talk)
{
    next(talk);
    assert_int_equal(talk->need.type, ACME_NEED_SAVE);
    assert_string_equal(talk->need.url, CA "/order/1");
    acme_order_done(talk->order, false);
}

static void
expect_publish(struct talk *talk, const char *name, unsigned n)
{
    char text[64];

    next(talk);
    assert_int_equal(talk->need.type, ACME_NEED_PUBLISH);
    assert_string_equal(talk->need.name, name);
    snprintf(text, sizeof(text), "token-%u", n);
    assert_string_equal(talk->need.token, text);
    snprintf(text, sizeof(text), CA "/challenge/%u", n);
    assert_string_equal(talk->need.url, text);
    acme_order_done(talk->order, false);
}

/* Sleeps, and says how long. */
static int64_t
expect_sleep(struct talk *talk)
{
    int64_t slept;

    next(talk);
    assert_int_equal(talk->need.type, ACME_NEED_SLEEP);
    slept = talk->need.wake_at_ms - talk->now_ms;
    assert_true(slept > 0);
    talk->now_ms = talk->need.wake_at_ms;
    return slept;
}

static void
expect_poll(struct talk *talk)
{
    expect_sleep(talk);
    expect_get(talk, CA "/order/1");
}

static void
expect_install(struct talk *talk)
{
    next(talk);
    assert_int_equal(talk->need.type, ACME_NEED_INSTALL);
    assert_true(acme_bytes_equal(talk->need.chain, acme_bytes_of(PEM)));
}

/* The authorization is deactivated; after the last one the order fails. */
static void
expect_deactivation(struct talk *talk, unsigned n, bool last)
{
    struct acme_reply reply = { .status = 200, .failure = "" };
    char url[64];

    snprintf(url, sizeof(url), CA "/authz/%u", n);
    expect_send(talk, ACME_KIND_DEACTIVATE, url);
    assert_int_equal(acme_order_reply(talk->order, talk->now_ms, &reply,
        &talk->err), !last);
}

/* The order has failed, and stays so. */
static void
expect_failure(struct talk *talk, enum acme_verdict verdict,
    const char *problem, const char *words)
{
    for (unsigned i = 0; i < 2; i++) {
        assert_false(acme_order_next(talk->order, talk->now_ms, &talk->need,
            &talk->err));
        assert_int_equal(talk->err.verdict, verdict);
        assert_string_equal(talk->err.problem, problem);
        if (strstr(talk->err.text, words) == NULL) {
            fail_msg("\"%s\" does not say \"%s\"", talk->err.text, words);
        }
    }
}

/* ---- giving */

static bool
give_bytes(struct talk *talk, struct acme_bytes body)
{
    bool ok;

    talk->reply.status = 200;
    talk->reply.failure = "";
    talk->reply.body = body;
    ok = acme_order_reply(talk->order, talk->now_ms, &talk->reply,
        &talk->err);
    memset(&talk->reply, 0, sizeof(talk->reply));
    return ok;
}

static bool
give(struct talk *talk, const char *body)
{
    return give_bytes(talk, acme_bytes_of(body));
}

/* An order with two authorizations; `more` begins with a comma or is "". */
static const char *
order_json(struct talk *talk, const char *status, const char *more)
{
    snprintf(talk->body, sizeof(talk->body), "{\"status\":\"%s\","
        "\"identifiers\":[{\"type\":\"dns\",\"value\":\"a.test\"},"
        "{\"type\":\"dns\",\"value\":\"b.test\"}],"
        "\"authorizations\":[\"" CA "/authz/1\",\"" CA "/authz/2\"],"
        "\"finalize\":\"" CA "/finalize/1\"%s}", status, more);
    return talk->body;
}

static void
give_order(struct talk *talk, const char *status)
{
    assert_true(give(talk, order_json(talk, status, "")));
}

static void
give_valid_order(struct talk *talk)
{
    assert_true(give(talk, order_json(talk, "valid",
        ",\"certificate\":\"" CA "/cert/1\"")));
}

/* The answer to newOrder, and the SAVE that follows. */
static void
give_new_order(struct talk *talk, const char *json)
{
    expect_send(talk, ACME_KIND_NEW_ORDER, CA "/order");
    strcpy(talk->reply.headers.location, CA "/order/1");
    assert_true(give(talk, json));
    expect_save(talk);
}

static const char *
authz_json(struct talk *talk, unsigned n, const char *status,
    const char *challenge_status, const char *problem)
{
    snprintf(talk->body, sizeof(talk->body), "{\"status\":\"%s\","
        "\"identifier\":{\"type\":\"dns\",\"value\":\"%s\"},"
        "\"challenges\":["
        "{\"type\":\"tls-alpn-01\",\"status\":\"pending\","
        "\"url\":\"" CA "/other\",\"token\":\"x\"},"
        "{\"type\":\"http-01\",\"status\":\"%s\",\"token\":\"token-%u\","
        "\"url\":\"" CA "/challenge/%u\"%s},"
        "{\"type\":\"new-99\"}]}",
        status, names[n - 1], challenge_status, n, n, problem);
    return talk->body;
}

static void
give_authz(struct talk *talk, unsigned n, const char *status,
    const char *challenge_status)
{
    assert_true(give(talk, authz_json(talk, n, status, challenge_status,
        "")));
}

static void
prove(struct talk *talk, unsigned n)
{
    char url[64];

    snprintf(url, sizeof(url), CA "/authz/%u", n);
    expect_get(talk, url);
    give_authz(talk, n, "pending", "pending");
    expect_publish(talk, names[n - 1], n);
    snprintf(url, sizeof(url), CA "/challenge/%u", n);
    expect_send(talk, ACME_KIND_RESPOND, url);
    assert_true(give(talk, "{\"type\":\"http-01\",\"status\":"
        "\"processing\"}"));
}

/* A new order whose two challenges are responded to. */
static struct talk *
begin_awaiting_verdict(void)
{
    struct talk *talk = begin_new();

    give_new_order(talk, order_json(talk, "pending", ""));
    prove(talk, 1);
    prove(talk, 2);
    return talk;
}

/* A new order that is finalized and in processing. */
static struct talk *
begin_processing(void)
{
    struct talk *talk = begin_new();

    give_new_order(talk, order_json(talk, "ready", ""));
    expect_send(talk, ACME_KIND_FINALIZE, CA "/finalize/1");
    give_order(talk, "processing");
    return talk;
}

/* ---- the way through 7.1.6 */

static void
two_names_from_new_order_to_install(void **state)
{
    struct talk *talk = begin_awaiting_verdict();

    (void) state;
    expect_poll(talk);
    give_order(talk, "pending");
    expect_poll(talk);
    give_order(talk, "ready");
    expect_send(talk, ACME_KIND_FINALIZE, CA "/finalize/1");
    give_order(talk, "processing");
    expect_poll(talk);
    give_order(talk, "processing");
    expect_poll(talk);
    give_valid_order(talk);
    expect_get(talk, CA "/cert/1");
    assert_true(give(talk, PEM));
    expect_install(talk);
    end(talk);
}

static void
asking_twice_gives_the_same_need(void **state)
{
    struct talk *talk = begin_new();
    int64_t wake;

    (void) state;
    expect_send(talk, ACME_KIND_NEW_ORDER, CA "/order");
    give_new_order(talk, order_json(talk, "pending", ""));
    expect_get(talk, CA "/authz/1");
    prove(talk, 1);
    prove(talk, 2);
    next(talk);
    wake = talk->need.wake_at_ms;
    talk->now_ms += 50;
    next(talk);
    assert_true(talk->need.wake_at_ms == wake);
    talk->now_ms = wake;
    expect_get(talk, CA "/order/1");
    expect_get(talk, CA "/order/1");
    end(talk);
}

static void
steps_are_named_for_logs(void **state)
{
    struct talk *talk = begin_new();

    (void) state;
    assert_string_equal(acme_order_step(talk->order), "newOrder");
    give_new_order(talk, order_json(talk, "pending", ""));
    assert_string_equal(acme_order_step(talk->order), "authorization");
    prove(talk, 1);
    prove(talk, 2);
    assert_string_equal(acme_order_step(talk->order), "validation");
    expect_poll(talk);
    give_order(talk, "ready");
    assert_string_equal(acme_order_step(talk->order), "finalize");
    end(talk);
}

static void
a_ready_order_is_finalized_at_once(void **state)
{
    struct talk *talk = begin_new();

    (void) state;
    give_new_order(talk, order_json(talk, "ready", ""));
    expect_send(talk, ACME_KIND_FINALIZE, CA "/finalize/1");
    give_valid_order(talk);
    expect_get(talk, CA "/cert/1");
    end(talk);
}

static void
valid_authorizations_are_skipped(void **state)
{
    struct talk *talk = begin_new();

    (void) state;
    give_new_order(talk, order_json(talk, "pending", ""));
    expect_get(talk, CA "/authz/1");
    give_authz(talk, 1, "valid", "valid");
    prove(talk, 2);
    expect_poll(talk);
    end(talk);
}

static void
a_challenge_in_processing_is_published_but_not_responded_to(void **state)
{
    struct talk *talk = begin_new();

    (void) state;
    give_new_order(talk, order_json(talk, "pending", ""));
    expect_get(talk, CA "/authz/1");
    give_authz(talk, 1, "pending", "processing");
    expect_publish(talk, "a.test", 1);
    expect_get(talk, CA "/authz/2");
    give_authz(talk, 2, "pending", "valid");
    expect_publish(talk, "b.test", 2);
    expect_poll(talk);
    end(talk);
}

static void
order_in_processing_is_polled_not_finalized_again(void **state)
{
    struct talk *talk = begin_processing();

    (void) state;
    expect_poll(talk);
    give_order(talk, "ready");
    expect_poll(talk);
    give_order(talk, "processing");
    expect_poll(talk);
    end(talk);
}

static void
a_finalize_that_came_too_early_goes_back_to_polling_once(void **state)
{
    struct talk *talk = begin_new();
    struct acme_error early = { .verdict = ACME_REFUSED,
        .problem = "orderNotReady", .http_status = 403 };

    (void) state;
    give_new_order(talk, order_json(talk, "ready", ""));
    expect_send(talk, ACME_KIND_FINALIZE, CA "/finalize/1");
    talk->err = early;
    assert_true(acme_order_failed(talk->order, &talk->err));
    expect_poll(talk);
    give_order(talk, "ready");
    expect_send(talk, ACME_KIND_FINALIZE, CA "/finalize/1");
    talk->err = early;
    assert_false(acme_order_failed(talk->order, &talk->err));
    expect_failure(talk, ACME_REFUSED, "orderNotReady", "");
    end(talk);
}

static void
a_failed_reply_ends_the_order_with_its_error(void **state)
{
    struct talk *talk = begin_new();

    (void) state;
    acme_fail(&talk->err, ACME_RETRY, "connection refused");
    assert_false(acme_order_failed(talk->order, &talk->err));
    expect_failure(talk, ACME_RETRY, "", "connection refused");
    assert_false(give(talk, "{}"));
    end(talk);
}

/* ---- polling */

static void
polling_starts_small_at_each_stage(void **state)
{
    static const int64_t steps[] = { 100, 200, 500, 1000, 2000, 3000, 5000,
        8000, 10000, 10000 };
    struct talk *talk = begin_processing();

    (void) state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        assert_int_equal(expect_sleep(talk), steps[i]);
        give_order(talk, "processing");
    }
    end(talk);

    talk = begin_awaiting_verdict();
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(expect_sleep(talk), steps[i]);
        give_order(talk, "pending");
    }
    expect_sleep(talk);
    give_order(talk, "ready");
    expect_send(talk, ACME_KIND_FINALIZE, CA "/finalize/1");
    give_order(talk, "processing");
    assert_int_equal(expect_sleep(talk), 100);
    end(talk);
}

static void
retry_after_is_a_floor(void **state)
{
    struct talk *talk = begin_processing();

    (void) state;
    expect_sleep(talk);
    talk->reply.headers.retry_at = talk->now_ms / 1000 + 30;
    give_order(talk, "processing");
    assert_in_range(expect_sleep(talk), 29000, 30000);
    /* one in the past, or sooner than our own step, changes nothing */
    talk->reply.headers.retry_at = 1;
    give_order(talk, "processing");
    assert_int_equal(expect_sleep(talk), 500);
    end(talk);
}

static void
a_huge_retry_after_is_cut_to_one_last_poll(void **state)
{
    static const int64_t huge[] = { INT64_MAX, INT64_MAX / 1000,
        INT64_C(1800000000) + 16 * 60 };

    (void) state;
    for (size_t i = 0; i < sizeof(huge) / sizeof(huge[0]); i++) {
        struct talk *talk = begin_new();

        give_new_order(talk, order_json(talk, "ready", ""));
        talk->reply.headers.retry_at = huge[i];
        give_order(talk, "processing");
        assert_int_equal(expect_sleep(talk), 15 * MINUTE);
        expect_get(talk, CA "/order/1");
        talk->reply.headers.retry_at = huge[i];
        assert_false(give(talk, order_json(talk, "processing", "")));
        expect_failure(talk, ACME_RETRY, "orderProcessing",
            "still processing after 15 minutes");
        assert_true(talk->err.retry_at == huge[i]);
        end(talk);
    }
}

static void
expect_patience(const char *challenge, const char *problem)
{
    struct talk *talk = begin_awaiting_verdict();
    int64_t start = talk->now_ms;
    unsigned requests = 0;

    for (;;) {
        const char *json;

        if (!acme_order_next(talk->order, talk->now_ms, &talk->need,
            &talk->err)) {
            break;
        }
        if (talk->need.type == ACME_NEED_SLEEP) {
            talk->now_ms = talk->need.wake_at_ms;
            continue;
        }
        requests++;
        json = strcmp(talk->need.url, CA "/order/1") == 0
            ? order_json(talk, "pending", "")
            : authz_json(talk, 1, "pending", challenge, "");
        give(talk, json);
    }
    expect_failure(talk, ACME_RETRY, problem,
        "still pending after 15 minutes");
    assert_int_equal(talk->now_ms - start, 15 * MINUTE);
    assert_in_range(requests, 80, 120);
    end(talk);
}

static void
an_order_that_stays_pending_is_given_up_after_15_minutes(void **state)
{
    (void) state;
    expect_patience("pending", "");
}

static void
one_whose_challenge_is_processing_is_to_be_resumed(void **state)
{
    (void) state;
    expect_patience("processing", "orderProcessing");
}

static void
a_ca_that_goes_back_and_forth_is_given_up_too(void **state)
{
    struct talk *talk = begin_awaiting_verdict();
    int64_t start = talk->now_ms;
    unsigned polls = 0;

    (void) state;
    while (acme_order_next(talk->order, talk->now_ms, &talk->need,
        &talk->err)) {
        if (talk->need.type == ACME_NEED_SLEEP) {
            talk->now_ms = talk->need.wake_at_ms;
            continue;
        }
        give(talk, order_json(talk, polls++ % 2 ? "pending" : "processing",
            ""));
        assert_in_range(polls, 0, 200);
    }
    assert_int_equal(talk->err.verdict, ACME_RETRY);
    assert_in_range(talk->now_ms - start, 15 * MINUTE, 16 * MINUTE);
    end(talk);
}

static void
an_authorization_that_became_valid_is_progress(void **state)
{
    struct talk *talk = begin_awaiting_verdict();
    int64_t start = talk->now_ms;
    unsigned reviews = 0;

    (void) state;
    while (acme_order_next(talk->order, talk->now_ms, &talk->need,
        &talk->err)) {
        bool poll = talk->need.url != NULL
            && strcmp(talk->need.url, CA "/order/1") == 0;

        if (talk->need.type == ACME_NEED_SLEEP) {
            talk->now_ms = talk->need.wake_at_ms;
        } else if (poll) {
            give(talk, order_json(talk, "pending", ""));
        } else if (reviews++ == 7) {  /* in the fourth review */
            assert_string_equal(talk->need.url, CA "/authz/2");
            give_authz(talk, 2, "valid", "valid");
        } else {
            give(talk, authz_json(talk, 1, "pending", "processing", ""));
        }
    }
    expect_failure(talk, ACME_RETRY, "orderProcessing", "still pending");
    assert_true(talk->now_ms - start > 20 * MINUTE);
    end(talk);
}

static const struct {
    const char *what;
    enum acme_verdict verdict;
    int status;
    int64_t retry_in;
    unsigned overlooked;
} lost_polls[] = {
    { "the connection broke", ACME_RETRY, 0, 0, 3 },
    { "the CA has trouble", ACME_RETRY, 503, 0, 3 },
    { "for a while", ACME_RETRY, 503, 30, 3 },
    { "until tomorrow", ACME_RETRY, 503, 86400, 0 },
    { "a limit", ACME_RETRY, 429, 5, 0 },
    { "the account is lost", ACME_RETRY, 400, 0, 0 },
    { "refused", ACME_REFUSED, 403, 0, 0 },
    { "the keeper cannot", ACME_LOCAL, 0, 0, 0 },
};

static bool
lose_poll(struct talk *talk, size_t row)
{
    expect_get(talk, CA "/order/1");
    acme_fail(&talk->err, lost_polls[row].verdict, "no answer");
    talk->err.http_status = lost_polls[row].status;
    talk->err.retry_at = lost_polls[row].retry_in == 0 ? 0
        : talk->now_ms / 1000 + lost_polls[row].retry_in;
    return acme_order_failed(talk->order, &talk->err);
}

static void
a_few_polls_may_be_lost_in_a_row(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(lost_polls) / sizeof(*lost_polls); i++) {
        struct talk *talk = begin_awaiting_verdict();
        unsigned overlooked = 0;

        expect_poll(talk);
        while (lose_poll(talk, i)) {
            int64_t slept = expect_sleep(talk);

            overlooked++;
            assert_in_range(slept, lost_polls[i].retry_in == 0 ? 1
                : 1000 * (lost_polls[i].retry_in - 1), 60000);
        }
        if (overlooked != lost_polls[i].overlooked) {
            fail_msg("%s: %u", lost_polls[i].what, overlooked);
        }
        expect_failure(talk, lost_polls[i].verdict, "", "no answer");
        end(talk);
    }
}

static void
a_poll_that_is_answered_ends_the_row(void **state)
{
    struct talk *talk = begin_processing();

    (void) state;
    for (unsigned i = 0; i < 12; i++) {
        expect_poll(talk);
        if (i % 4 == 3) {
            give_order(talk, "processing");
        } else {
            assert_true(lose_poll(talk, 0));
        }
    }
    end(talk);
}

static void
lost_polls_do_not_lengthen_the_patience(void **state)
{
    struct talk *talk = begin_processing();

    (void) state;
    expect_sleep(talk);
    talk->reply.headers.retry_at = talk->now_ms / 1000 + 3600;
    give_order(talk, "processing");
    assert_in_range(expect_sleep(talk), 14 * MINUTE, 15 * MINUTE);
    assert_false(lose_poll(talk, 0));
    expect_failure(talk, ACME_RETRY, "", "no answer");
    end(talk);
}

/* ---- failed validations */

#define WORDS(problem, detail) ",\"error\":{\"type\":\"" TYPE problem \
    "\",\"detail\":\"" detail "\"}"

static void
an_invalid_order_is_explained_by_its_authorizations(void **state)
{
    struct talk *talk = begin_awaiting_verdict();

    (void) state;
    expect_poll(talk);
    give_order(talk, "invalid");
    expect_get(talk, CA "/authz/1");
    assert_true(give(talk, authz_json(talk, 1, "invalid", "invalid",
        WORDS("connection", "firewall at 192.0.2.1"))));
    expect_get(talk, CA "/authz/2");
    assert_false(give(talk, authz_json(talk, 2, "invalid", "invalid",
        WORDS("dns", "no address"))));
    assert_string_equal(talk->err.problem, "connection");
    assert_string_equal(talk->err.name, "a.test");
    assert_non_null(strstr(talk->err.text, "a.test, b.test"));
    assert_non_null(strstr(talk->err.text, "firewall at 192.0.2.1"));
    end(talk);
}

static void
only_the_failed_name_among_good_ones_is_blamed(void **state)
{
    struct talk *talk = begin_new();

    (void) state;
    give_new_order(talk, order_json(talk, "pending", ""));
    expect_get(talk, CA "/authz/1");
    give_authz(talk, 1, "valid", "valid");
    prove(talk, 2);
    expect_poll(talk);
    give_order(talk, "invalid");
    expect_get(talk, CA "/authz/2");
    assert_false(give(talk, authz_json(talk, 2, "invalid", "invalid",
        WORDS("unauthorized", "wrong content"))));
    assert_string_equal(talk->err.problem, "unauthorized");
    assert_string_equal(talk->err.name, "b.test");
    assert_null(strstr(talk->err.text, "a.test"));
    end(talk);
}

static void
a_pending_order_with_a_failed_authorization_is_noticed(void **state)
{
    struct talk *talk = begin_awaiting_verdict();
    int64_t start = talk->now_ms;

    (void) state;
    for (unsigned i = 0; i < 6; i++) {
        expect_poll(talk);
        give_order(talk, "pending");
    }
    expect_get(talk, CA "/authz/1");
    give_authz(talk, 1, "valid", "valid");
    expect_get(talk, CA "/authz/2");
    assert_true(give(talk, authz_json(talk, 2, "pending", "invalid",
        WORDS("connection", "refused"))));
    expect_deactivation(talk, 2, true);
    expect_failure(talk, ACME_RETRY, "connection", "refused");
    assert_int_equal(acme_order_failed_challenge(talk->order), ACME_HTTP_01);
    assert_string_equal(talk->err.name, "b.test");
    assert_true(talk->now_ms - start < 10 * 1000);
    end(talk);
}

static void
a_failed_authorization_is_looked_for_before_giving_up(void **state)
{
    struct talk *talk = begin_new();

    (void) state;
    give_new_order(talk, order_json(talk, "pending", ""));
    prove(talk, 1);
    expect_get(talk, CA "/authz/2");
    talk->reply.headers.retry_at = INT64_MAX;
    give_authz(talk, 2, "valid", "valid");
    assert_int_equal(expect_sleep(talk), 15 * MINUTE);
    give_order(talk, "pending");
    expect_get(talk, CA "/authz/1");
    assert_false(give(talk, authz_json(talk, 1, "invalid", "invalid",
        WORDS("dns", "no address"))));
    assert_string_equal(talk->err.problem, "dns");
    end(talk);
}

static void
an_authorization_that_is_invalid_at_first_sight_is_explained(void **state)
{
    struct talk *talk = begin_new();

    (void) state;
    give_new_order(talk, order_json(talk, "pending", ""));
    expect_get(talk, CA "/authz/1");
    give_authz(talk, 1, "expired", "pending");
    expect_get(talk, CA "/authz/1");
    give_authz(talk, 1, "expired", "pending");
    expect_get(talk, CA "/authz/2");
    assert_false(give(talk, authz_json(talk, 2, "valid", "valid", "")));
    expect_failure(talk, ACME_REFUSED, "", "expired");
    assert_string_equal(talk->err.name, "a.test");
    end(talk);
}

static void
many_failing_names_do_not_hide_the_words_of_the_ca(void **state)
{
    static char text[100][32];
    const char *many[100];
    struct talk *talk;
    size_t len;

    (void) state;
    for (size_t i = 0; i < 100; i++) {
        snprintf(text[i], sizeof(text[i]), "name-%zu.example.test", i);
        many[i] = text[i];
    }
    talk = begin(many, 100, NULL);
    expect_send(talk, ACME_KIND_NEW_ORDER, CA "/order");
    len = (size_t) sprintf(talk->body, "{\"status\":\"invalid\","
        "\"identifiers\":[");
    for (size_t i = 0; i < 100; i++) {
        len += (size_t) sprintf(talk->body + len,
            "%s{\"type\":\"dns\",\"value\":\"%s\"}", i ? "," : "", text[i]);
    }
    len += (size_t) sprintf(talk->body + len, "],\"authorizations\":[");
    for (size_t i = 0; i < 100; i++) {
        len += (size_t) sprintf(talk->body + len, "%s\"" CA "/authz/%zu\"",
            i ? "," : "", i);
    }
    sprintf(talk->body + len, "]}");
    give_new_order(talk, talk->body);
    for (size_t i = 0; i < 100; i++) {
        next(talk);
        snprintf(talk->body, sizeof(talk->body), "{\"status\":\"invalid\","
            "\"identifier\":{\"type\":\"dns\",\"value\":\"%s\"},"
            "\"challenges\":[{\"type\":\"dns-01\"%s}]}", text[i],
            WORDS("caa", "forbidden by CAA"));
        assert_int_equal(give(talk, talk->body), i < 99);
    }
    expect_failure(talk, talk->err.verdict, "caa", "forbidden by CAA");
    assert_string_equal(talk->err.name, text[0]);
    assert_non_null(strstr(talk->err.text, "name-1.example.test"));
    assert_non_null(strstr(talk->err.text, "more failed"));
    end(talk);
}

static void
an_order_invalid_after_finalize_is_explained_by_its_own_error(void **state)
{
    struct talk *talk = begin_processing();

    (void) state;
    expect_poll(talk);
    assert_false(give(talk, order_json(talk, "invalid",
        WORDS("badCSR", "weak key"))));
    expect_failure(talk, talk->err.verdict, "badCSR", "weak key");
    end(talk);
}

static void
an_order_invalid_without_a_reason_is_refused(void **state)
{
    struct talk *talk = begin_processing();

    (void) state;
    expect_poll(talk);
    assert_false(give(talk, order_json(talk, "invalid", "")));
    expect_failure(talk, ACME_REFUSED, "", "gives no reason");
    end(talk);
}

/* ---- resuming */

static void
a_resumed_order_goes_on_from_its_status(void **state)
{
    struct talk *talk = begin_resumed();

    (void) state;
    expect_get(talk, CA "/order/1");
    give_order(talk, "pending");
    prove(talk, 1);
    end(talk);

    talk = begin_resumed();
    expect_get(talk, CA "/order/1");
    give_order(talk, "ready");
    expect_send(talk, ACME_KIND_FINALIZE, CA "/finalize/1");
    end(talk);

    talk = begin_resumed();
    expect_get(talk, CA "/order/1");
    give_order(talk, "processing");
    expect_poll(talk);
    give_valid_order(talk);
    expect_get(talk, CA "/cert/1");
    end(talk);

    talk = begin_resumed();
    expect_get(talk, CA "/order/1");
    give_valid_order(talk);
    expect_get(talk, CA "/cert/1");
    assert_true(give(talk, PEM));
    expect_install(talk);
    end(talk);
}

static void
a_resumed_order_that_is_invalid_is_gone(void **state)
{
    struct talk *talk = begin_resumed();

    (void) state;
    expect_get(talk, CA "/order/1");
    assert_false(give(talk, order_json(talk, "invalid",
        WORDS("badCSR", "weak key"))));
    expect_failure(talk, ACME_REFUSED, "orderGone", "weak key");
    end(talk);
}

static void
a_resumed_order_for_other_names_is_gone(void **state)
{
    static const char *const other[] = { "a.test", "c.test" };
    struct talk *talk = begin(other, 2, CA "/order/1");

    (void) state;
    expect_get(talk, CA "/order/1");
    assert_false(give(talk, order_json(talk, "pending", "")));
    expect_failure(talk, ACME_REFUSED, "orderGone", "c.test");
    end(talk);
}

static void
a_resumed_order_of_a_foreign_origin_is_gone(void **state)
{
    struct talk *talk = begin(names, 2, "https://elsewhere.test/order/1");

    (void) state;
    expect_failure(talk, ACME_REFUSED, "orderGone", "elsewhere.test");
    end(talk);
}

/* It had its time before. But a CA that says when it will be ready is heard. */
/* Polls until the order fails; how long that took. */
static int64_t
wait_in_vain(struct talk *talk, const char *status, const char *more,
    int64_t retry_at)
{
    int64_t start = talk->now_ms;

    while (acme_order_next(talk->order, talk->now_ms, &talk->need,
        &talk->err)) {
        if (talk->need.type == ACME_NEED_SLEEP) {
            talk->now_ms = talk->need.wake_at_ms;
        } else if (strcmp(talk->need.url, CA "/order/1") == 0) {
            talk->reply.headers.retry_at = retry_at;
            give(talk, order_json(talk, status, more));
        } else {
            give(talk, authz_json(talk, 1, "pending", "pending", ""));
        }
    }
    return talk->now_ms - start;
}

static struct talk *
begin_resumed_pending(void)
{
    struct talk *talk = begin_resumed();

    expect_get(talk, CA "/order/1");
    give_order(talk, "pending");
    prove(talk, 1);
    prove(talk, 2);
    return talk;
}

static void
a_resumed_order_that_makes_no_progress_is_gone(void **state)
{
    struct talk *talk = begin_resumed_pending();

    (void) state;
    assert_int_equal(wait_in_vain(talk, "pending", "", 0), 15 * MINUTE);
    expect_failure(talk, ACME_REFUSED, "orderGone",
        "still pending after 15 minutes");
    end(talk);
}

static void
unless_the_ca_says_when_to_come_back(void **state)
{
    struct talk *talk = begin_resumed_pending();

    (void) state;
    wait_in_vain(talk, "pending", "", talk->now_ms / 1000 + 3600);
    expect_failure(talk, ACME_RETRY, "", "still pending after 15 minutes");
    end(talk);
}

static void
but_not_when_it_has_expired(void **state)
{
    struct talk *talk = begin_resumed_pending();

    (void) state;
    wait_in_vain(talk, "pending", ",\"expires\":\"2027-01-15T08:00:01Z\"",
        talk->now_ms / 1000 + 3600);
    expect_failure(talk, ACME_REFUSED, "orderGone", "still pending");
    end(talk);
}

static void
an_order_left_processing_is_looked_at_for_a_minute(void **state)
{
    struct talk *talk = begin_resumed();

    (void) state;
    expect_get(talk, CA "/order/1");
    give_order(talk, "processing");
    assert_int_equal(wait_in_vain(talk, "processing", "", 0), MINUTE);
    expect_failure(talk, ACME_RETRY, "orderProcessing",
        "still processing after 1 minute");
    end(talk);
}

/* What the CA said once still holds when it leaves that out (7.1.3). */
static void
when_a_resumed_order_expires_was_said_before(void **state)
{
    static const struct {
        int64_t expires;
        const char *more;
        bool gone;
    } orders[] = {
        { 1800000001, "", true },
        { 1800003600, "", false },
        { 1800000001, ",\"expires\":\"2099-01-01T00:00:00Z\"", false },
    };

    (void) state;
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        struct talk *talk = begin_resumed_until(orders[i].expires);

        wait_in_vain(talk, "processing", orders[i].more, 0);
        expect_failure(talk, orders[i].gone ? ACME_REFUSED : ACME_RETRY,
            orders[i].gone ? "orderGone" : "orderProcessing",
            "still processing");
        end(talk);
    }
}

static void
when_a_new_order_expires_is_saved(void **state)
{
    static const struct {
        const char *more;
        int64_t expires;
    } orders[] = {
        { "", 0 },
        { ",\"expires\":\"2027-01-15T08:00:01Z\"", 1800000001 },
    };

    (void) state;
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        struct talk *talk = begin_new();

        give_new_order(talk, order_json(talk, "pending", orders[i].more));
        assert_int_equal(talk->need.expires, orders[i].expires);
        end(talk);
    }
}

static void
one_in_processing_that_has_expired_is_gone(void **state)
{
    struct talk *talk = begin_resumed();

    (void) state;
    expect_get(talk, CA "/order/1");
    give_order(talk, "processing");
    wait_in_vain(talk, "processing",
        ",\"expires\":\"2027-01-15T08:00:01Z\"", 0);
    expect_failure(talk, ACME_REFUSED, "orderGone", "still processing");
    end(talk);
}

static const struct {
    const char *what;
    enum acme_verdict verdict;
    int status;
    const char *problem;
    bool gone;
} resume_failures[] = {
    { "not found", ACME_REFUSED, 404, "malformed", true },
    { "not found, no problem document", ACME_RETRY, 404, "", true },
    { "of another account", ACME_RETRY, 403, "unauthorized", true },
    { "refused", ACME_REFUSED, 400, "malformed", true },
    { "CA broken", ACME_RETRY, 500, "serverInternal", false },
    { "CA busy", ACME_RETRY, 429, "rateLimited", false },
    { "CA unreachable", ACME_RETRY, 0, "", false },
    { "new terms", ACME_MISCONFIG, 403, "userActionRequired", false },
};

static void
failures_on_resume(void **state)
{
    (void) state;
    for (size_t i = 0;
         i < sizeof(resume_failures) / sizeof(resume_failures[0]); i++) {
        struct talk *talk = begin_resumed();
        bool gone;

        expect_get(talk, CA "/order/1");
        acme_fail(&talk->err, resume_failures[i].verdict, "words");
        talk->err.http_status = resume_failures[i].status;
        strcpy(talk->err.problem, resume_failures[i].problem);
        assert_false(acme_order_failed(talk->order, &talk->err));
        gone = strcmp(talk->err.problem, "orderGone") == 0;
        if (gone != resume_failures[i].gone) {
            fail_msg("%s: \"%s\"", resume_failures[i].what,
                talk->err.problem);
        }
        assert_non_null(strstr(talk->err.text, "words"));
        end(talk);
    }
}

static void
a_refused_new_order_is_not_gone(void **state)
{
    struct talk *talk = begin_new();

    (void) state;
    acme_fail(&talk->err, ACME_REFUSED, "words");
    talk->err.http_status = 404;
    assert_false(acme_order_failed(talk->order, &talk->err));
    expect_failure(talk, ACME_REFUSED, "", "words");
    end(talk);
}

static void
a_resumed_pending_order_that_failed_before_is_gone(void **state)
{
    struct talk *talk = begin_resumed();

    (void) state;
    expect_get(talk, CA "/order/1");
    give_order(talk, "pending");
    expect_get(talk, CA "/authz/1");
    give_authz(talk, 1, "invalid", "invalid");
    expect_get(talk, CA "/authz/1");
    assert_true(give(talk, authz_json(talk, 1, "invalid", "invalid",
        WORDS("connection", "refused"))));
    expect_get(talk, CA "/authz/2");
    assert_true(give(talk, authz_json(talk, 2, "pending", "pending", "")));
    expect_deactivation(talk, 2, true);
    expect_failure(talk, ACME_REFUSED, "orderGone", "refused");
    assert_string_equal(talk->err.name, "a.test");
    end(talk);
}

static void
a_resumed_order_that_fails_now_says_why(void **state)
{
    struct talk *talk = begin_resumed();

    (void) state;
    expect_get(talk, CA "/order/1");
    give_order(talk, "pending");
    prove(talk, 1);
    prove(talk, 2);
    expect_poll(talk);
    give_order(talk, "invalid");
    expect_get(talk, CA "/authz/1");
    assert_true(give(talk, authz_json(talk, 1, "invalid", "invalid",
        WORDS("connection", "refused"))));
    expect_get(talk, CA "/authz/2");
    assert_false(give(talk, authz_json(talk, 2, "valid", "valid", "")));
    assert_string_equal(talk->err.problem, "connection");
    end(talk);
}

/* As prove(), of a challenge that the CA was told of in an earlier life. */
static void
prove_told(struct talk *talk, unsigned n)
{
    char url[64];

    snprintf(url, sizeof(url), CA "/authz/%u", n);
    expect_get(talk, url);
    give_authz(talk, n, "pending", "pending");
    next(talk);
    assert_int_equal(talk->need.type, ACME_NEED_PUBLISH);
    acme_order_done(talk->order, true);
}

static void
a_challenge_that_the_ca_was_told_of_is_not_told_again(void **state)
{
    struct talk *talk = begin_resumed();

    (void) state;
    expect_get(talk, CA "/order/1");
    give_order(talk, "pending");
    prove_told(talk, 1);
    prove(talk, 2);
    expect_poll(talk);
    give_order(talk, "ready");
    expect_send(talk, ACME_KIND_FINALIZE, CA "/finalize/1");
    end(talk);
}

static void
a_told_challenge_that_fails_is_this_orders_failure(void **state)
{
    struct talk *talk = begin_resumed();

    (void) state;
    expect_get(talk, CA "/order/1");
    give_order(talk, "pending");
    prove_told(talk, 1);
    prove_told(talk, 2);
    expect_poll(talk);
    give_order(talk, "invalid");
    expect_get(talk, CA "/authz/1");
    assert_true(give(talk, authz_json(talk, 1, "invalid", "invalid",
        WORDS("connection", "refused"))));
    expect_get(talk, CA "/authz/2");
    assert_false(give(talk, authz_json(talk, 2, "valid", "valid", "")));
    assert_string_equal(talk->err.problem, "connection");
    end(talk);
}

static void
a_told_challenge_that_stays_pending_is_told_again_after_a_minute(void **state)
{
    struct talk *talk = begin_resumed();
    int64_t begin_ms;

    (void) state;
    expect_get(talk, CA "/order/1");
    give_order(talk, "pending");
    prove_told(talk, 1);
    prove_told(talk, 2);
    begin_ms = talk->now_ms;
    for (;;) {
        next(talk);
        if (talk->need.type == ACME_NEED_SLEEP) {
            talk->now_ms = talk->need.wake_at_ms;
        } else if (strstr(talk->need.url, "/authz/") == NULL) {
            give_order(talk, "pending");
        } else if (talk->now_ms - begin_ms < MINUTE / 2) {
            give_authz(talk, talk->need.url[strlen(talk->need.url) - 1] - '0',
                "pending", "pending");
        } else {
            break;
        }
        assert_true(talk->now_ms - begin_ms < 2 * MINUTE);
    }
    prove(talk, 1);
    prove(talk, 2);
    expect_poll(talk);
    give_order(talk, "ready");
    expect_send(talk, ACME_KIND_FINALIZE, CA "/finalize/1");
    end(talk);
}

/* ---- what CAs add */

static void
extra_identifiers_and_valid_authorizations_are_fine(void **state)
{
    struct talk *talk = begin(names, 1, NULL);

    (void) state;
    give_new_order(talk, order_json(talk, "pending", ""));
    prove(talk, 1);
    expect_get(talk, CA "/authz/2");
    give_authz(talk, 2, "valid", "valid");
    expect_poll(talk);
    end(talk);
}

static void
an_extra_authorization_that_is_pending_fails_clearly(void **state)
{
    struct talk *talk = begin(names, 1, NULL);

    (void) state;
    give_new_order(talk, order_json(talk, "pending", ""));
    prove(talk, 1);
    expect_get(talk, CA "/authz/2");
    assert_true(give(talk, authz_json(talk, 2, "pending", "pending", "")));
    /* what else is pending is found by a look at all of them */
    expect_get(talk, CA "/authz/1");
    give_authz(talk, 1, "pending", "processing");
    expect_get(talk, CA "/authz/2");
    give_authz(talk, 2, "pending", "pending");
    expect_deactivation(talk, 1, false);
    expect_deactivation(talk, 2, true);
    expect_failure(talk, ACME_REFUSED, "", "b.test, which is no name");
    assert_string_equal(talk->err.name, "b.test");
    end(talk);
}

static void
letter_case_and_address_spelling_do_not_matter(void **state)
{
    static const char *const wanted[] = { "a.test", "2001:db8::1" };
    struct talk *talk = begin(wanted, 2, NULL);

    (void) state;
    give_new_order(talk, "{\"status\":\"pending\",\"identifiers\":["
        "{\"type\":\"dns\",\"value\":\"A.Test\"},"
        "{\"type\":\"ip\",\"value\":\"2001:DB8:0::1\"}],"
        "\"authorizations\":[\"" CA "/authz/7\"]}");
    expect_get(talk, CA "/authz/7");
    assert_true(give(talk, "{\"status\":\"pending\",\"identifier\":"
        "{\"type\":\"ip\",\"value\":\"2001:0db8::0001\"},\"challenges\":["
        "{\"type\":\"http-01\",\"status\":\"pending\",\"token\":\"token-7\","
        "\"url\":\"" CA "/challenge/7\"}]}"));
    expect_publish(talk, "2001:db8::1", 7);
    end(talk);
}

/* ---- replies that are refused */

static const struct {
    const char *what;
    const char *location;
    const char *body;
    const char *words;
} bad_orders[] = {
    { "no Location", "", "{}", "order URL" },
    { "foreign Location", "https://evil.test/order/1", "{}", "evil.test" },
    { "relative Location", "/order/1", "{}", "order URL" },
    { "empty body", CA "/order/1", "", "the CA's order" },
    { "no status", CA "/order/1", "{}", "no status" },
    { "unknown status", CA "/order/1", "{\"status\":\"fine\"}", "\"fine\"" },
    { "status is a number", CA "/order/1", "{\"status\":1}", "no status" },
    { "no identifiers", CA "/order/1", "{\"status\":\"pending\"}",
        "a.test" },
    { "a name missing", CA "/order/1", "{\"status\":\"pending\","
        "\"identifiers\":[{\"type\":\"dns\",\"value\":\"a.test\"}]}",
        "b.test" },
    { "a name of another type", CA "/order/1", "{\"status\":\"pending\","
        "\"identifiers\":[{\"type\":\"dns\",\"value\":\"a.test\"},"
        "{\"type\":\"email\",\"value\":\"b.test\"}]}", "b.test" },
};

static void
bad_replies_to_new_order_are_refused(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(bad_orders) / sizeof(bad_orders[0]);
         i++) {
        struct talk *talk = begin_new();

        strcpy(talk->reply.headers.location, bad_orders[i].location);
        if (give(talk, bad_orders[i].body)) {
            fail_msg("%s was taken", bad_orders[i].what);
        }
        expect_failure(talk, talk->err.verdict, "", bad_orders[i].words);
        end(talk);
    }
}

#define IDENTIFIERS "\"identifiers\":[" \
    "{\"type\":\"dns\",\"value\":\"a.test\"}," \
    "{\"type\":\"dns\",\"value\":\"b.test\"}]"

static const struct {
    const char *what;
    const char *body;
    const char *words;
} bad_members[] = {
    { "foreign authorization", "{\"status\":\"pending\"," IDENTIFIERS
        ",\"authorizations\":[\"https://evil.test/a\"]}", "evil.test" },
    { "authorization no text", "{\"status\":\"pending\"," IDENTIFIERS
        ",\"authorizations\":[\"" CA "/a\",1]}", "no text" },
    { "foreign finalize", "{\"status\":\"ready\"," IDENTIFIERS
        ",\"finalize\":\"https://evil.test/a\"}", "evil.test" },
    { "foreign certificate", "{\"status\":\"valid\"," IDENTIFIERS
        ",\"certificate\":\"https://evil.test/a\"}", "evil.test" },
    { "ready without finalize", "{\"status\":\"ready\"," IDENTIFIERS "}",
        "no finalize URL" },
    { "valid without certificate", "{\"status\":\"valid\"," IDENTIFIERS "}",
        "no certificate URL" },
};

static void
bad_members_of_an_order_are_refused(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(bad_members) / sizeof(bad_members[0]);
         i++) {
        struct talk *talk = begin_resumed();

        if (give(talk, bad_members[i].body)) {
            fail_msg("%s was taken", bad_members[i].what);
        }
        expect_failure(talk, ACME_PEER_BROKE, "", bad_members[i].words);
        end(talk);
    }
}

static void
more_than_200_authorizations_are_refused(void **state)
{
    (void) state;
    for (unsigned count = 200; count <= 201; count++) {
        struct talk *talk = begin_resumed();
        size_t len = (size_t) sprintf(talk->body, "{\"status\":\"pending\","
            IDENTIFIERS ",\"authorizations\":[\"" CA "/authz/1\"");

        for (unsigned i = 1; i < count; i++) {
            len += (size_t) sprintf(talk->body + len, ",\"" CA "/a\"");
        }
        sprintf(talk->body + len, "]}");
        assert_int_equal(give(talk, talk->body), count <= 200);
        end(talk);
    }
}

#define IDENTIFIER "\"identifier\":{\"type\":\"dns\",\"value\":\"a.test\"}"
#define HTTP_01 "{\"type\":\"http-01\",\"status\":\"pending\","

static const struct {
    const char *what;
    const char *body;
    const char *words;
} bad_authorizations[] = {
    { "HTML", "<html>", "authorization" },
    { "no identifier", "{\"status\":\"pending\"}", "names no identifier" },
    { "no status", "{" IDENTIFIER "}", "no status" },
    { "unknown status", "{" IDENTIFIER ",\"status\":\"ready\"}",
        "\"ready\"" },
    { "no challenges", "{" IDENTIFIER ",\"status\":\"pending\"}",
        "does not offer the http-01 challenge" },
    { "no http-01", "{" IDENTIFIER ",\"status\":\"pending\",\"challenges\":["
        "{\"type\":\"dns-01\"},{\"type\":\"dns-persist-01\"}]}",
        "dns-01, dns-persist-01" },
    { "wildcard", "{" IDENTIFIER ",\"status\":\"pending\","
        "\"wildcard\":true}", "*.a.test" },
    { "no token", "{" IDENTIFIER ",\"status\":\"pending\",\"challenges\":["
        HTTP_01 "\"url\":\"" CA "/c\"}]}", "token" },
    { "token is a path", "{" IDENTIFIER ",\"status\":\"pending\","
        "\"challenges\":[" HTTP_01 "\"url\":\"" CA "/c\","
        "\"token\":\"../../x\"}]}", "token" },
    { "no challenge URL", "{" IDENTIFIER ",\"status\":\"pending\","
        "\"challenges\":[" HTTP_01 "\"token\":\"t\"}]}", "no URL" },
    { "foreign challenge URL", "{" IDENTIFIER ",\"status\":\"pending\","
        "\"challenges\":[" HTTP_01 "\"token\":\"t\","
        "\"url\":\"https://evil.test/c\"}]}", "evil.test" },
    { "unknown challenge status", "{" IDENTIFIER ",\"status\":\"pending\","
        "\"challenges\":[{\"type\":\"http-01\",\"status\":\"odd\"}]}",
        "\"odd\"" },
};

static void
bad_authorizations_are_refused(void **state)
{
    (void) state;
    for (size_t i = 0;
         i < sizeof(bad_authorizations) / sizeof(bad_authorizations[0]);
         i++) {
        struct talk *talk = begin_new();

        give_new_order(talk, order_json(talk, "pending", ""));
        for (unsigned n = 0; n < 5; n++) {
            /* it may be looked at again, and be deactivated */
            give(talk, bad_authorizations[i].body);
        }
        if (acme_order_next(talk->order, talk->now_ms, &talk->need,
            &talk->err)) {
            fail_msg("%s was taken", bad_authorizations[i].what);
        }
        expect_failure(talk, talk->err.verdict, "",
            bad_authorizations[i].words);
        end(talk);
    }
}

static void
a_token_over_128_bytes_is_refused(void **state)
{
    char token[130], body[1024];

    (void) state;
    for (size_t len = 128; len <= 129; len++) {
        struct talk *talk = begin_new();

        memset(token, 't', len);
        token[len] = '\0';
        snprintf(body, sizeof(body), "{" IDENTIFIER ",\"status\":"
            "\"pending\",\"challenges\":[" HTTP_01 "\"token\":\"%s\","
            "\"url\":\"" CA "/c\"}]}", token);
        give_new_order(talk, order_json(talk, "pending", ""));
        assert_int_equal(give(talk, body), len == 128);
        end(talk);
    }
}

static struct talk *
begin_download(void)
{
    struct talk *talk = begin_resumed();

    give_valid_order(talk);
    expect_get(talk, CA "/cert/1");
    return talk;
}

static void
what_is_no_chain_is_refused(void **state)
{
    static const char *const bodies[] = { "", "<html>not yet</html>",
        "-----BEGIN PRIVATE KEY-----\n" };
    struct talk *talk;

    (void) state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        talk = begin_download();
        strcpy(talk->reply.headers.media_type, "text/html");
        assert_false(give(talk, bodies[i]));
        expect_failure(talk, ACME_PEER_BROKE, "", "text/html");
        end(talk);
    }
    talk = begin_download();
    assert_false(give_bytes(talk, (struct acme_bytes) {
        (const uint8_t *) PEM, sizeof(PEM) }));
    end(talk);
}

static void
a_chain_over_60_kib_is_refused(void **state)
{
    (void) state;
    for (size_t more = 0; more <= 1; more++) {
        struct talk *talk = begin_download();
        size_t len = ACME_CHAIN_MAX + more;

        memset(talk->body, '\n', len);
        memcpy(talk->body, PEM, sizeof(PEM) - 1);
        assert_int_equal(give_bytes(talk, (struct acme_bytes) {
            (const uint8_t *) talk->body, len }), more == 0);
        end(talk);
    }
}

/* ---- every arrow of 7.1.6, beside those above */

/* What is said here about a challenge is the CA's answer to our response. */
static void
give_refusal(struct talk *talk)
{
    acme_fail(&talk->err, ACME_REFUSED,
        "malformed: the authorization must be pending");
    strcpy(talk->err.problem, "malformed");
    talk->err.http_status = 400;
    assert_true(acme_order_failed(talk->order, &talk->err));
}

/* A new order that is about to respond to its first challenge. */
static struct talk *
begin_responding(void)
{
    struct talk *talk = begin_new();

    give_new_order(talk, order_json(talk, "pending", ""));
    expect_get(talk, CA "/authz/1");
    give_authz(talk, 1, "pending", "pending");
    expect_publish(talk, "a.test", 1);
    expect_send(talk, ACME_KIND_RESPOND, CA "/challenge/1");
    return talk;
}

/* Its answer was lost, and the request was sent again. */
static void
a_response_that_the_ca_had_before_is_no_failure(void **state)
{
    static const char *const status[][2] = { { "valid", "valid" },
        { "pending", "processing" }, { "pending", "valid" } };

    (void) state;
    for (size_t i = 0; i < 3; i++) {
        struct talk *talk = begin_responding();

        give_refusal(talk);
        expect_get(talk, CA "/authz/1");
        give_authz(talk, 1, status[i][0], status[i][1]);
        if (strcmp(status[i][0], "pending") == 0) {
            expect_publish(talk, "a.test", 1);
        }
        prove(talk, 2);
        expect_poll(talk);
        give_order(talk, "ready");
        expect_send(talk, ACME_KIND_FINALIZE, CA "/finalize/1");
        end(talk);
    }
}

/* The challenge is pending still: that was the end, and it is cleaned up. */
static void
expect_refusal_to_count(struct talk *talk)
{
    expect_get(talk, CA "/authz/1");
    for (unsigned n = 1; n <= 2; n++) {
        give_authz(talk, 1, "pending", "pending");
        expect_get(talk, n == 1 ? CA "/authz/1" : CA "/authz/2");
    }
    give_authz(talk, 2, "pending", "pending");
    expect_deactivation(talk, 1, false);
    expect_deactivation(talk, 2, true);
}

static void
a_refused_response_to_a_pending_challenge_is_a_failure(void **state)
{
    struct talk *talk = begin_responding();

    (void) state;
    give_refusal(talk);
    expect_refusal_to_count(talk);
    expect_failure(talk, ACME_REFUSED, "malformed", "must be pending");
    assert_string_equal(acme_order_step(talk->order), "validation");
    end(talk);
}

static void
a_refused_response_to_a_failed_challenge_is_explained(void **state)
{
    struct talk *talk = begin_responding();

    (void) state;
    give_refusal(talk);
    expect_get(talk, CA "/authz/1");
    assert_true(give(talk, authz_json(talk, 1, "invalid", "invalid", "")));
    expect_get(talk, CA "/authz/1");
    assert_true(give(talk, authz_json(talk, 1, "invalid", "invalid",
        WORDS("dns", "no address"))));
    expect_get(talk, CA "/authz/2");
    assert_true(give(talk, authz_json(talk, 2, "pending", "pending", "")));
    expect_deactivation(talk, 2, true);
    expect_failure(talk, ACME_RETRY, "dns", "no address");
    assert_string_equal(talk->err.name, "a.test");
    end(talk);
}

/* Of a resumed order that got nowhere: it leads nowhere. */
static void
a_refused_response_of_a_resumed_order_makes_it_gone(void **state)
{
    struct talk *talk = begin_resumed();

    (void) state;
    expect_get(talk, CA "/order/1");
    give_order(talk, "pending");
    expect_get(talk, CA "/authz/1");
    give_authz(talk, 1, "pending", "pending");
    expect_publish(talk, "a.test", 1);
    expect_send(talk, ACME_KIND_RESPOND, CA "/challenge/1");
    give_refusal(talk);
    expect_refusal_to_count(talk);
    expect_failure(talk, ACME_REFUSED, "orderGone", "must be pending");
    end(talk);
}

/* order: ready -> invalid, before and by finalize */
static void
a_ready_order_that_becomes_invalid_is_explained(void **state)
{
    struct talk *talk = begin_new();

    (void) state;
    give_new_order(talk, order_json(talk, "ready", ""));
    expect_send(talk, ACME_KIND_FINALIZE, CA "/finalize/1");
    assert_false(give(talk, order_json(talk, "invalid",
        WORDS("badCSR", "weak key"))));
    expect_failure(talk, ACME_REFUSED, "badCSR", "weak key");
    end(talk);

    talk = begin_new();
    give_new_order(talk, order_json(talk, "ready", ""));
    acme_fail(&talk->err, ACME_REFUSED, "weak key");
    strcpy(talk->err.problem, "badCSR");
    assert_false(acme_order_failed(talk->order, &talk->err));
    expect_failure(talk, ACME_REFUSED, "badCSR", "weak key");
    end(talk);
}

/* order: pending -> processing -> invalid, what a CA does on its own */
static void
an_order_may_skip_ready_and_fail_then(void **state)
{
    struct talk *talk = begin_awaiting_verdict();

    (void) state;
    expect_poll(talk);
    give_order(talk, "processing");
    expect_poll(talk);
    assert_false(give(talk, order_json(talk, "invalid",
        WORDS("caa", "changed meanwhile"))));
    expect_failure(talk, ACME_RETRY, "caa", "changed meanwhile");
    end(talk);
}

/* authorization: pending or valid -> expired, deactivated, revoked */
static void
an_authorization_that_ends_fails_the_order_with_its_word(void **state)
{
    static const char *const words[] = { "expired", "deactivated",
        "revoked" };

    (void) state;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        struct talk *talk = begin_awaiting_verdict();

        for (unsigned poll = 0; poll < 6; poll++) {
            expect_poll(talk);
            give_order(talk, "pending");
        }
        expect_get(talk, CA "/authz/1");
        give_authz(talk, 1, "pending", "processing");
        expect_get(talk, CA "/authz/2");
        assert_true(give(talk, authz_json(talk, 2, words[i], "valid", "")));
        expect_deactivation(talk, 1, true);
        expect_failure(talk, ACME_REFUSED, "", words[i]);
        assert_string_equal(talk->err.name, "b.test");
        end(talk);
    }
}

/* Once seen valid, it is not looked at again: what counts is the order. */
static void
an_order_that_falls_with_a_valid_authorization_is_refused(void **state)
{
    struct talk *talk = begin_new();

    (void) state;
    give_new_order(talk, order_json(talk, "pending", ""));
    prove(talk, 1);
    expect_get(talk, CA "/authz/2");
    give_authz(talk, 2, "valid", "valid");
    expect_poll(talk);
    give_order(talk, "invalid");
    expect_get(talk, CA "/authz/1");
    assert_false(give(talk, authz_json(talk, 1, "valid", "valid", "")));
    expect_failure(talk, ACME_REFUSED, "", "gives no reason");
    end(talk);
}

/* challenge: pending -> processing -> processing (a retry) -> valid */
static void
a_challenge_that_is_retried_in_processing_is_waited_for(void **state)
{
    struct talk *talk = begin_awaiting_verdict();

    (void) state;
    for (unsigned poll = 0; poll < 6; poll++) {
        expect_poll(talk);
        give_order(talk, "pending");
    }
    for (unsigned n = 1; n <= 2; n++) {
        /* the error of a try that failed; another one is under way */
        expect_get(talk, n == 1 ? CA "/authz/1" : CA "/authz/2");
        assert_true(give(talk, authz_json(talk, n, "pending", "processing",
            WORDS("connection", "timed out once"))));
    }
    expect_poll(talk);
    give_order(talk, "ready");
    expect_send(talk, ACME_KIND_FINALIZE, CA "/finalize/1");
    end(talk);
}

/* challenge: processing -> invalid while the authorization is not yet */
static void
a_challenge_that_fails_after_processing_is_explained(void **state)
{
    struct talk *talk = begin_new();

    (void) state;
    give_new_order(talk, order_json(talk, "pending", ""));
    expect_get(talk, CA "/authz/1");
    give_authz(talk, 1, "pending", "processing");
    expect_publish(talk, "a.test", 1);
    expect_get(talk, CA "/authz/2");
    give_authz(talk, 2, "valid", "valid");
    expect_poll(talk);
    give_order(talk, "invalid");
    expect_get(talk, CA "/authz/1");
    assert_true(give(talk, authz_json(talk, 1, "pending", "invalid",
        WORDS("incorrectResponse", "not what was expected"))));
    expect_deactivation(talk, 1, true);
    expect_failure(talk, ACME_RETRY, "incorrectResponse",
        "not what was expected");
    assert_string_equal(talk->err.name, "a.test");
    end(talk);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_names_from_new_order_to_install),
        cmocka_unit_test(asking_twice_gives_the_same_need),
        cmocka_unit_test(steps_are_named_for_logs),
        cmocka_unit_test(a_ready_order_is_finalized_at_once),
        cmocka_unit_test(valid_authorizations_are_skipped),
        cmocka_unit_test(
            a_challenge_in_processing_is_published_but_not_responded_to),
        cmocka_unit_test(order_in_processing_is_polled_not_finalized_again),
        cmocka_unit_test(
            a_finalize_that_came_too_early_goes_back_to_polling_once),
        cmocka_unit_test(a_failed_reply_ends_the_order_with_its_error),
        cmocka_unit_test(polling_starts_small_at_each_stage),
        cmocka_unit_test(retry_after_is_a_floor),
        cmocka_unit_test(a_huge_retry_after_is_cut_to_one_last_poll),
        cmocka_unit_test(
            an_order_that_stays_pending_is_given_up_after_15_minutes),
        cmocka_unit_test(one_whose_challenge_is_processing_is_to_be_resumed),
        cmocka_unit_test(a_ca_that_goes_back_and_forth_is_given_up_too),
        cmocka_unit_test(an_authorization_that_became_valid_is_progress),
        cmocka_unit_test(a_few_polls_may_be_lost_in_a_row),
        cmocka_unit_test(a_poll_that_is_answered_ends_the_row),
        cmocka_unit_test(lost_polls_do_not_lengthen_the_patience),
        cmocka_unit_test(an_invalid_order_is_explained_by_its_authorizations),
        cmocka_unit_test(only_the_failed_name_among_good_ones_is_blamed),
        cmocka_unit_test(
            a_pending_order_with_a_failed_authorization_is_noticed),
        cmocka_unit_test(
            a_failed_authorization_is_looked_for_before_giving_up),
        cmocka_unit_test(
            an_authorization_that_is_invalid_at_first_sight_is_explained),
        cmocka_unit_test(many_failing_names_do_not_hide_the_words_of_the_ca),
        cmocka_unit_test(
            an_order_invalid_after_finalize_is_explained_by_its_own_error),
        cmocka_unit_test(an_order_invalid_without_a_reason_is_refused),
        cmocka_unit_test(a_resumed_order_goes_on_from_its_status),
        cmocka_unit_test(a_resumed_order_that_is_invalid_is_gone),
        cmocka_unit_test(a_resumed_order_for_other_names_is_gone),
        cmocka_unit_test(a_resumed_order_of_a_foreign_origin_is_gone),
        cmocka_unit_test(a_resumed_order_that_makes_no_progress_is_gone),
        cmocka_unit_test(unless_the_ca_says_when_to_come_back),
        cmocka_unit_test(but_not_when_it_has_expired),
        cmocka_unit_test(an_order_left_processing_is_looked_at_for_a_minute),
        cmocka_unit_test(one_in_processing_that_has_expired_is_gone),
        cmocka_unit_test(when_a_resumed_order_expires_was_said_before),
        cmocka_unit_test(when_a_new_order_expires_is_saved),
        cmocka_unit_test(failures_on_resume),
        cmocka_unit_test(a_refused_new_order_is_not_gone),
        cmocka_unit_test(a_resumed_pending_order_that_failed_before_is_gone),
        cmocka_unit_test(a_resumed_order_that_fails_now_says_why),
        cmocka_unit_test(a_challenge_that_the_ca_was_told_of_is_not_told_again),
        cmocka_unit_test(a_told_challenge_that_fails_is_this_orders_failure),
        cmocka_unit_test(
            a_told_challenge_that_stays_pending_is_told_again_after_a_minute),
        cmocka_unit_test(extra_identifiers_and_valid_authorizations_are_fine),
        cmocka_unit_test(
            an_extra_authorization_that_is_pending_fails_clearly),
        cmocka_unit_test(letter_case_and_address_spelling_do_not_matter),
        cmocka_unit_test(bad_replies_to_new_order_are_refused),
        cmocka_unit_test(bad_members_of_an_order_are_refused),
        cmocka_unit_test(more_than_200_authorizations_are_refused),
        cmocka_unit_test(bad_authorizations_are_refused),
        cmocka_unit_test(a_token_over_128_bytes_is_refused),
        cmocka_unit_test(what_is_no_chain_is_refused),
        cmocka_unit_test(a_chain_over_60_kib_is_refused),
        cmocka_unit_test(a_response_that_the_ca_had_before_is_no_failure),
        cmocka_unit_test(
            a_refused_response_to_a_pending_challenge_is_a_failure),
        cmocka_unit_test(a_refused_response_to_a_failed_challenge_is_explained),
        cmocka_unit_test(a_refused_response_of_a_resumed_order_makes_it_gone),
        cmocka_unit_test(a_ready_order_that_becomes_invalid_is_explained),
        cmocka_unit_test(an_order_may_skip_ready_and_fail_then),
        cmocka_unit_test(
            an_authorization_that_ends_fails_the_order_with_its_word),
        cmocka_unit_test(
            an_order_that_falls_with_a_valid_authorization_is_refused),
        cmocka_unit_test(
            a_challenge_that_is_retried_in_processing_is_waited_for),
        cmocka_unit_test(a_challenge_that_fails_after_processing_is_explained),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
