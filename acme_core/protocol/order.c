/*
 * The order driver: RFC 8555 7.4 from newOrder to the chain. Reads like
 * figure 7.1.6: a table of stages, each with what it asks for and what it
 * does with the answer, and one function that turns the CA's status word into
 * the next stage.
 *
 * Does no I/O, reads no clock, knows no key; what is in a request is made by
 * whoever signs it.
 */

#include "protocol/order.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/authorization.h"
#include "protocol/blame.h"
#include "protocol/chain.h"
#include "protocol/order_object.h"
#include "protocol/pace.h"

enum {
    FIRST_REVIEW = 6,         /* polls; doubled after each review */
    DOUBT_AFTER = 12,         /* polls, a minute: was the CA really told? */
    POLLS_LOST_MAX = 3,       /* in a row */
    LOOK_AGAIN_MS = 60 * 1000 /* at an order that was left processing */
};

/* In the order of an order's life; a later one is progress. */
enum order_stage {
    APPLY,
    SAVE,
    RESUME,
    AUTHORIZE,
    PROVE,
    RESPOND,
    AWAIT_VERDICT,
    REVIEW,
    FINALIZE,
    AWAIT_ISSUE,
    DOWNLOAD,
    ALTERNATE,
    INSTALL,
    DEACTIVATE,
    STAGES
};

struct acme_order {
    const struct acme_session *session;
    char *new_order_url;
    char *url;
    struct acme_challenge_wish wish;
    struct acme_order_object object;
    enum order_stage stage;

    bool resumed;
    bool responded;           /* in this life of the order, or before it: */
    bool told_before;         /* a response was left out for that reason */
    bool insisting;           /* none is left out any more */
    bool asked_all;           /* every authorization was gone through */
    bool finalized;
    bool finalized_early;     /* and the CA said orderNotReady */
    bool giving_up;           /* after a last look at the authorizations */
    bool hopeless;            /* the same, for the reason in .error */
    bool busy;                /* a challenge was processing in that look */
    bool refused;             /* the response to the challenge at hand was: */
    struct acme_error refusal;

    size_t at;                              /* authorization at hand */
    struct acme_authorization authorization;
    const char *name;                       /* of ours, that it is for */
    enum acme_challenge_type type;          /* to answer it by */
    struct acme_blame blame;                /* of the last review */

    struct acme_pace pace;
    int64_t patience_ms;                    /* see pace.h */
    enum order_stage furthest;              /* that was waited in */
    unsigned review_at;                     /* polls */
    unsigned polls_lost;                    /* in a row, without an answer */
    int64_t now_ms;                         /* of the last reply */
    int64_t retry_at;                       /* in it */
    int64_t come_back_at;                   /* in the last poll's */

    struct acme_chain_choice chain;
    bool failed;
    struct acme_error error;                /* then it stays this one */
    enum order_stage ended_in;              /* before the cleaning up */
};

/* ---- the table (7.1.6) */

static void apply_for_order(struct acme_order *, struct acme_need *);
static void save_order_url(struct acme_order *, struct acme_need *);
static void fetch_order(struct acme_order *, struct acme_need *);
static void fetch_authorization(struct acme_order *, struct acme_need *);
static void publish_proof(struct acme_order *, struct acme_need *);
static void respond_to_challenge(struct acme_order *, struct acme_need *);
static void finalize(struct acme_order *, struct acme_need *);
static void download_chain(struct acme_order *, struct acme_need *);
static void download_alternate(struct acme_order *, struct acme_need *);
static void install_chain(struct acme_order *, struct acme_need *);
static void deactivate(struct acme_order *, struct acme_need *);

#define REPLY \
    struct acme_order *, const struct acme_reply *, struct acme_error *
static bool read_new_order(REPLY);
static bool read_resumed_order(REPLY);
static bool read_authorization(REPLY);
static bool read_challenge(REPLY);
static bool read_polled_order(REPLY);
static bool review_authorization(REPLY);
static bool read_finalized_order(REPLY);
static bool read_chain(REPLY);
static bool read_alternate(REPLY);
static bool read_deactivated(REPLY);

struct order_step {
    const char *name;
    void (*ask)(struct acme_order *, struct acme_need *);
    bool (*read)(REPLY);      /* NULL: no request is sent */
    bool polled;              /* asks only when the time has come */
};

static const struct order_step order_steps[STAGES] = {
    /* 7.4: an order is made, or taken up again in whatever status */
    [APPLY] = {
        "newOrder", apply_for_order, read_new_order, false },
    [SAVE] = {
        "newOrder", save_order_url, NULL, false },
    [RESUME] = {
        "order", fetch_order, read_resumed_order, false },

    /* 7.5, 8: pending; one authorization after another is proved */
    [AUTHORIZE] = {
        "authorization", fetch_authorization, read_authorization, false },
    [PROVE] = {
        "challenge", publish_proof, NULL, false },
    [RESPOND] = {
        "challenge", respond_to_challenge, read_challenge, false },

    /* 7.5.1: pending -> ready, all authorizations "valid" */
    [AWAIT_VERDICT] = {
        "validation", fetch_order, read_polled_order, true },

    /* pending, processing -> invalid: which authorization, and why */
    [REVIEW] = {
        "validation", fetch_authorization, review_authorization, false },

    /* 7.4: ready -> processing, on receiving the finalize request */
    [FINALIZE] = {
        "finalize", finalize, read_finalized_order, false },

    /* 7.4: processing -> valid, certificate issued */
    [AWAIT_ISSUE] = {
        "issuance", fetch_order, read_polled_order, true },

    /* 7.4.2: valid */
    [DOWNLOAD] = {
        "certificate", download_chain, read_chain, false },
    [ALTERNATE] = {
        "certificate", download_alternate, read_alternate, false },
    [INSTALL] = {
        "certificate", install_chain, NULL, false },

    /* 7.5.2: the order has failed, for the reason in .error */
    [DEACTIVATE] = {
        "validation", deactivate, read_deactivated, false },
};

/* The status that the CA reports decides where we are. */
static enum order_stage
stage_for_status(const struct acme_order *order)
{
    switch (order->object.status) {
    case ACME_ORDER_PENDING:
        return order->asked_all ? AWAIT_VERDICT : AUTHORIZE;
    case ACME_ORDER_READY:
        return order->finalized ? AWAIT_ISSUE : FINALIZE;
    case ACME_ORDER_PROCESSING:
        return AWAIT_ISSUE;
    case ACME_ORDER_VALID:
        return DOWNLOAD;
    case ACME_ORDER_INVALID:
        break;
    }
    return REVIEW;
}

/* ---- new and free */

static void make_gone(struct acme_error *err);

/* A saved URL is a URL like any other: the CA may have moved since. */
static bool
take_up(struct acme_order *order, const struct acme_order_request *request)
{
    order->resumed = true;
    order->stage = RESUME;
    order->object.expires = request->expires;
    order->url = strdup(request->url);
    if (order->url == NULL) {
        return false;
    }
    if (!acme_session_allows(order->session, order->url, &order->error)) {
        make_gone(&order->error);
        order->failed = true;
    }
    return true;
}

struct acme_order *
acme_order_new(struct acme_session *session,
    const struct acme_order_request *request)
{
    struct acme_order *order = calloc(1, sizeof(*order));

    if (order == NULL) {
        return NULL;
    }
    order->session = session;
    order->wish = request->wish;
    order->stage = APPLY;
    order->review_at = FIRST_REVIEW;
    order->patience_ms = ACME_PACE_PATIENCE_MS;
    order->new_order_url = strdup(acme_session_new_order_url(session));
    if (order->new_order_url == NULL
        || !acme_chain_init(&order->chain, request->chain)
        || !acme_order_object_init(&order->object, session,
            request->names, request->name_count)
        || (request->url != NULL && !take_up(order, request))) {
        acme_order_free(order);
        return NULL;
    }
    return order;
}

void
acme_order_free(struct acme_order *order)
{
    if (order == NULL) {
        return;
    }
    acme_order_object_free(&order->object);
    free(order->new_order_url);
    free(order->url);
    acme_chain_free(&order->chain);
    free(order);
}

/* ---- the driver */

const char *
acme_order_step(const struct acme_order *order)
{
    return order_steps[order->stage].name;
}

enum acme_challenge_type
acme_order_failed_challenge(const struct acme_order *order)
{
    return order->failed ? order->blame.type : ACME_CHALLENGE_NONE;
}

bool
acme_order_next(struct acme_order *order, int64_t now_ms,
    struct acme_need *need, struct acme_error *err)
{
    const struct order_step *step = &order_steps[order->stage];

    if (order->failed) {
        *err = order->error;
        return false;
    }
    memset(need, 0, sizeof(*need));
    if (step->polled) {
        need->wake_at_ms = acme_pace_wake_at(&order->pace, now_ms,
            order->retry_at);
        if (now_ms < need->wake_at_ms) {
            need->type = ACME_NEED_SLEEP;
            return true;
        }
    }
    step->ask(order, need);
    return true;
}

static bool
keep_failure(struct acme_order *order, const struct acme_error *err)
{
    order->failed = true;
    order->error = *err;
    return false;
}

bool
acme_order_reply(struct acme_order *order, int64_t now_ms,
    const struct acme_reply *reply, struct acme_error *err)
{
    const struct order_step *step = &order_steps[order->stage];

    if (order->failed) {
        *err = order->error;
        return false;
    }
    if (step->read == NULL) {
        return acme_fail(err, ACME_PEER_BROKE,
            "a reply that nobody waits for");
    }
    order->now_ms = now_ms;
    order->polls_lost = 0;
    order->retry_at = reply->headers.retry_at;
    return step->read(order, reply, err) || keep_failure(order, err);
}

/*
 * Go to a stage. Only one that is waited in for the first time brings new
 * patience: a CA that goes back and forth does not hold us for ever.
 */
static void
enter(struct acme_order *order, enum order_stage stage)
{
    order->stage = stage;
    if (order_steps[stage].polled && stage > order->furthest) {
        order->furthest = stage;
        order->review_at = FIRST_REVIEW;
        acme_pace_restart(&order->pace);
        order->pace.patience_ms = order->patience_ms;
    }
}

/*
 * The saved order leads nowhere; another one may. What made it so is in the
 * text already.
 */
static void
make_gone(struct acme_error *err)
{
    err->verdict = ACME_REFUSED;
    snprintf(err->problem, sizeof(err->problem), "orderGone");
    acme_while(err, "the saved order is of no more use");
}

/* "unauthorized" is what CAs say about the order of another account. */
static bool
is_refusal(const struct acme_error *err)
{
    return err->verdict == ACME_REFUSED || err->http_status == 404
        || strcmp(err->problem, "unauthorized") == 0;
}

static bool begin_review(struct acme_order *, struct acme_error *);
static bool go_on_deactivating(struct acme_order *, size_t from,
    struct acme_error *);

/*
 * Perhaps the CA had our response before and only its answer was lost: then
 * the authorization shows it. If not, this was the CA's last word.
 */
static void
doubt_refusal(struct acme_order *order, const struct acme_error *err)
{
    order->refused = true;
    order->refusal = *err;
    enter(order, AUTHORIZE);
}

static bool
insist_on_refusal(struct acme_order *order, struct acme_error *err)
{
    order->error = order->refusal;
    if (order->resumed && !order->responded) {
        make_gone(&order->error);
    }
    order->hopeless = true;
    return begin_review(order, err);
}

/*
 * A poll that is lost, or that the CA has trouble with, brings no news, but it
 * may be validating: were this the end, it would find no proof any more. A
 * limit is its own wish, and so is a day on which to come back.
 */
static bool
overlook(struct acme_order *order, const struct acme_error *err)
{
    if (!order_steps[order->stage].polled || err->verdict != ACME_RETRY
        || (err->http_status != 0 && err->http_status < 500)
        || err->retry_at > order->pace.deadline_ms / 1000
        || order->polls_lost++ == POLLS_LOST_MAX) {
        return false;
    }
    order->retry_at = err->retry_at;
    return acme_pace_polled(&order->pace, order->pace.wake_at_ms);
}

bool
acme_order_failed(struct acme_order *order, struct acme_error *err)
{
    if (overlook(order, err)) {
        return true;
    }
    if (order->stage == ALTERNATE) {
        return read_alternate(order, NULL, err) || keep_failure(order, err);
    }
    if (order->stage == DEACTIVATE) {
        /* without a CA that answers there is no point in going on */
        return go_on_deactivating(order, err->http_status != 0
            ? order->at + 1 : order->object.authorization_count, err)
            || keep_failure(order, err);
    }
    if (order->stage == RESPOND && is_refusal(err)) {
        doubt_refusal(order, err);
        return true;
    }
    if (order->stage == FINALIZE && !order->finalized_early
        && strcmp(err->problem, "orderNotReady") == 0) {
        order->finalized_early = true;
        order->retry_at = err->retry_at;
        enter(order, AWAIT_VERDICT);
        return true;
    }
    if (order->resumed && !order->responded && is_refusal(err)) {
        make_gone(err);
    }
    return keep_failure(order, err);
}

static void authorize_from(struct acme_order *, size_t);

/* To the stage of the status just read, which must have what it needs. */
static bool
follow_status(struct acme_order *order, struct acme_error *err)
{
    enum order_stage stage = stage_for_status(order);

    if (stage == FINALIZE && order->object.finalize == NULL) {
        return acme_fail(err, ACME_PEER_BROKE,
            "the CA's order has no finalize URL");
    }
    if (stage == DOWNLOAD && order->object.certificate == NULL) {
        return acme_fail(err, ACME_PEER_BROKE,
            "the CA's order is valid but names no certificate URL");
    }
    if (stage == REVIEW) {
        return begin_review(order, err);
    }
    if (stage == AUTHORIZE) {
        authorize_from(order, 0);
    } else {
        enter(order, stage);
    }
    return true;
}

static void
send_request(struct acme_need *need, enum acme_kind kind, const char *url)
{
    need->type = ACME_NEED_SEND;
    need->kind = kind;
    need->url = url;
}

/* ---- APPLY, SAVE, RESUME: 7.4 */

static void
apply_for_order(struct acme_order *order, struct acme_need *need)
{
    send_request(need, ACME_KIND_NEW_ORDER, order->new_order_url);
}

static bool
read_new_order(struct acme_order *order, const struct acme_reply *reply,
    struct acme_error *err)
{
    const char *url = reply->headers.location;

    if (url[0] == '\0') {
        return acme_fail(err, ACME_PEER_BROKE,
            "the CA's reply to newOrder names no order URL");
    }
    if (!acme_session_allows(order->session, url, err)) {
        return acme_while(err, "the order URL");
    }
    if (!acme_order_object_read(&order->object, reply->body, err)) {
        return false;
    }
    order->url = strdup(url);
    if (order->url == NULL) {
        return acme_fail_memory(err);
    }
    enter(order, SAVE);
    return true;
}

static void
save_order_url(struct acme_order *order, struct acme_need *need)
{
    need->type = ACME_NEED_SAVE;
    need->url = order->url;
    need->expires = order->object.expires;
}

static void
fetch_order(struct acme_order *order, struct acme_need *need)
{
    send_request(need, ACME_KIND_POST_AS_GET, order->url);
}

static bool fail_invalid(const struct acme_order *, struct acme_error *);

/* There is no recovery but this: look at the order and go on from there. */
static bool
read_resumed_order(struct acme_order *order, const struct acme_reply *reply,
    struct acme_error *err)
{
    bool ok = acme_order_object_read(&order->object, reply->body, err);

    if (ok && order->object.status == ACME_ORDER_INVALID) {
        ok = fail_invalid(order, err);
        make_gone(err);
    } else if (!ok && err->verdict == ACME_REFUSED) {
        make_gone(err);  /* it is for other names */
    }
    if (ok && order->object.status == ACME_ORDER_PROCESSING) {
        order->patience_ms = LOOK_AGAIN_MS;
    }
    return ok && follow_status(order, err);
}

/* ---- AUTHORIZE, PROVE, RESPOND: 7.5, 8.3 */

/* On to the next authorization not known to be valid; false at the end. */
static bool
seek_authorization(struct acme_order *order, size_t from)
{
    order->at = acme_order_object_seek(&order->object, from);
    return order->at < order->object.authorization_count;
}

static void
authorize_from(struct acme_order *order, size_t from)
{
    if (seek_authorization(order, from)) {
        enter(order, AUTHORIZE);
        return;
    }
    order->asked_all = true;
    enter(order, AWAIT_VERDICT);
}

static void
fetch_authorization(struct acme_order *order, struct acme_need *need)
{
    send_request(need, ACME_KIND_POST_AS_GET,
        order->object.authorizations[order->at].url);
}

static const struct acme_challenge *
challenge_of(const struct acme_order *order)
{
    return &order->authorization.challenges[order->type];
}

static bool
read_authorization(struct acme_order *order, const struct acme_reply *reply,
    struct acme_error *err)
{
    struct acme_authorization *authorization = &order->authorization;
    bool refused = order->refused;

    order->refused = false;
    if (!acme_authorization_read(reply->body, authorization, err)) {
        return false;
    }
    if (acme_blame_deserved(authorization)) {
        return begin_review(order, err);
    }
    if (authorization->status == ACME_AUTHORIZATION_VALID) {
        order->object.authorizations[order->at].valid = true;
        authorize_from(order, order->at);
        return true;
    }
    if (!acme_authorization_provable(authorization, &order->wish,
        order->object.names, order->object.name_count, &order->name,
        &order->type, err)) {
        order->hopeless = err->verdict == ACME_REFUSED;
        order->error = *err;
        return order->hopeless && begin_review(order, err);
    }
    if (refused && challenge_of(order)->status == ACME_CHALLENGE_PENDING) {
        return insist_on_refusal(order, err);
    }
    if (!acme_session_allows(order->session, challenge_of(order)->url, err)) {
        return acme_while(err, "the challenge URL");
    }
    enter(order, PROVE);
    return true;
}

/* A challenge in processing may still be fetched, so its proof is needed. */
static void
publish_proof(struct acme_order *order, struct acme_need *need)
{
    need->type = ACME_NEED_PUBLISH;
    need->url = challenge_of(order)->url;
    need->name = order->name;
    need->token = challenge_of(order)->token;
    need->challenge = order->type;
}

/*
 * What the CA has been told already is not said again (8.2): some CAs leave a
 * challenge pending while they validate it, and a second response would make
 * them validate twice, perhaps when the proof is gone.
 */
static void
respond_if_pending(struct acme_order *order, bool told)
{
    switch (challenge_of(order)->status) {
    case ACME_CHALLENGE_PENDING:
        if (!told || order->insisting) {
            enter(order, RESPOND);
            break;
        }
        order->responded = order->told_before = true;
        authorize_from(order, order->at + 1);
        break;
    case ACME_CHALLENGE_PROCESSING:
    case ACME_CHALLENGE_VALID:
    case ACME_CHALLENGE_INVALID:
        authorize_from(order, order->at + 1);
        break;
    }
}

static void
respond_to_challenge(struct acme_order *order, struct acme_need *need)
{
    send_request(need, ACME_KIND_RESPOND, challenge_of(order)->url);
}

/* The verdict comes with the order; the challenge in the reply says less. */
static bool
read_challenge(struct acme_order *order, const struct acme_reply *reply,
    struct acme_error *err)
{
    (void) reply;
    (void) err;
    order->responded = true;
    authorize_from(order, order->at + 1);
    return true;
}

void
acme_order_done(struct acme_order *order, bool told)
{
    struct acme_error err;

    if (order->failed) {
        return;
    }
    if (order->stage == PROVE) {
        respond_if_pending(order, told);
    } else if (order->stage == SAVE && !follow_status(order, &err)) {
        keep_failure(order, &err);
    }
}

/* ---- AWAIT_VERDICT, AWAIT_ISSUE: 7.5.1, 7.4 */

/*
 * No change yet. A crash may have come between the note that the CA was told
 * and the telling. And some CAs leave an order pending although an
 * authorization has failed, so those are looked at now and then.
 */
static bool
keep_waiting(struct acme_order *order, struct acme_error *err)
{
    if (order->stage == AWAIT_VERDICT && order->told_before
        && !order->insisting && order->pace.polls >= DOUBT_AFTER) {
        order->insisting = true;
        authorize_from(order, 0);
        return true;
    }
    if (order->stage == AWAIT_VERDICT
        && order->pace.polls >= order->review_at) {
        order->review_at *= 2;
        return begin_review(order, err);
    }
    return true;
}

static bool
has_expired(const struct acme_order *order)
{
    return order->object.expires != 0
        && order->object.expires <= order->now_ms / 1000;
}

/* The CA works on it, and it has not expired: no reason to begin anew. */
static bool
is_in_good_hands(const struct acme_order *order)
{
    return (order->busy || order->object.status == ACME_ORDER_PROCESSING)
        && !has_expired(order);
}

/*
 * The URL stays saved, so this order may go on another day: until it expires
 * as long as the CA works on it or itself says when, else once.
 */
static bool
fail_impatient(const struct acme_order *order, struct acme_error *err)
{
    int minutes = (int) (order->patience_ms / 60000);

    acme_fail(err, ACME_RETRY, "the order is still %s after %d minute%s",
        acme_order_status_name(order->object.status), minutes,
        minutes == 1 ? "" : "s");
    err->retry_at = order->come_back_at;
    if (is_in_good_hands(order)) {
        snprintf(err->problem, sizeof(err->problem), "orderProcessing");
    } else if (order->resumed && (has_expired(order)
            || order->come_back_at <= order->now_ms / 1000)) {
        make_gone(err);
    }
    return false;
}

static bool
read_polled_order(struct acme_order *order, const struct acme_reply *reply,
    struct acme_error *err)
{
    bool patient = acme_pace_polled(&order->pace, order->now_ms);
    enum order_stage stage;

    order->come_back_at = order->retry_at;
    if (!acme_order_object_read(&order->object, reply->body, err)) {
        return false;
    }
    stage = stage_for_status(order);
    if (!patient && stage <= order->furthest && stage != REVIEW) {
        order->giving_up = true;
        return begin_review(order, err);
    }
    return stage == order->stage ? keep_waiting(order, err)
        : follow_status(order, err);
}

/* ---- REVIEW: 7.1.6, 6.7 */

static bool end_review(struct acme_order *, struct acme_error *);

static bool
begin_review(struct acme_order *order, struct acme_error *err)
{
    memset(&order->blame, 0, sizeof(order->blame));
    order->busy = false;
    enter(order, REVIEW);
    return seek_authorization(order, 0) || end_review(order, err);
}

static bool
review_authorization(struct acme_order *order,
    const struct acme_reply *reply, struct acme_error *err)
{
    if (!acme_authorization_read(reply->body, &order->authorization, err)) {
        return false;
    }
    order->object.authorizations[order->at].pending
        = order->authorization.status == ACME_AUTHORIZATION_PENDING;
    order->busy |= acme_authorization_has(&order->authorization,
        ACME_CHALLENGE_PROCESSING);
    if (acme_blame_deserved(&order->authorization)) {
        acme_blame_add(&order->blame, &order->authorization);
    } else if (order->authorization.status == ACME_AUTHORIZATION_VALID) {
        order->object.authorizations[order->at].valid = true;
        order->giving_up = false;
        acme_pace_progress(&order->pace);
    }
    return seek_authorization(order, order->at + 1)
        || end_review(order, err);
}

/* The CA's words about an order that no authorization spoiled. */
static bool
fail_invalid(const struct acme_order *order, struct acme_error *err)
{
    if (!order->object.has_problem) {
        return acme_fail(err, ACME_REFUSED,
            "the CA calls the order invalid and gives no reason");
    }
    *err = order->object.problem;
    return acme_while(err, "the CA calls the order invalid");
}

/* The order is over: for the reason in *err, and after some cleaning up. */
static bool
end_order(struct acme_order *order, struct acme_error *err)
{
    order->error = *err;
    order->ended_in = order->stage;
    return go_on_deactivating(order, 0, err);
}

static bool
end_review(struct acme_order *order, struct acme_error *err)
{
    if (order->blame.count > 0) {
        acme_blame_error(&order->blame, err);
        if (order->resumed && !order->responded) {
            make_gone(err);
        }
        return end_order(order, err);
    }
    if (order->object.status == ACME_ORDER_INVALID) {
        fail_invalid(order, err);
        return end_order(order, err);
    }
    if (order->hopeless) {
        *err = order->error;
        return end_order(order, err);
    }
    if (order->giving_up) {
        return fail_impatient(order, err);
    }
    enter(order, AWAIT_VERDICT);
    return true;
}

/* ---- FINALIZE: 7.4 */

static void
finalize(struct acme_order *order, struct acme_need *need)
{
    send_request(need, ACME_KIND_FINALIZE, order->object.finalize);
}

static bool
read_finalized_order(struct acme_order *order,
    const struct acme_reply *reply, struct acme_error *err)
{
    order->finalized = true;
    return acme_order_object_read(&order->object, reply->body, err)
        && follow_status(order, err);
}

/* ---- DOWNLOAD, INSTALL: 7.4.2 */

static void
download_chain(struct acme_order *order, struct acme_need *need)
{
    send_request(need, ACME_KIND_POST_AS_GET, order->object.certificate);
}

static bool
read_chain(struct acme_order *order, const struct acme_reply *reply,
    struct acme_error *err)
{
    if (!acme_chain_take(&order->chain, order->session, reply, err)) {
        return false;
    }
    enter(order, acme_chain_next(&order->chain) != NULL ? ALTERNATE
                                                        : INSTALL);
    return true;
}

static void
download_alternate(struct acme_order *order, struct acme_need *need)
{
    send_request(need, ACME_KIND_POST_AS_GET,
        acme_chain_next(&order->chain));
}

/* Without a reply when it failed: the chain that we have is good, too. */
static bool
read_alternate(struct acme_order *order, const struct acme_reply *reply,
    struct acme_error *err)
{
    if (!acme_chain_take_alternate(&order->chain, reply, err)) {
        return false;
    }
    if (acme_chain_next(&order->chain) == NULL) {
        enter(order, INSTALL);
    }
    return true;
}

static void
install_chain(struct acme_order *order, struct acme_need *need)
{
    need->type = ACME_NEED_INSTALL;
    need->chain = acme_buffer_bytes(&order->chain.pem);
    need->issuers = order->chain.issuers[0] != '\0' ? order->chain.issuers
                                                    : NULL;
}

/* ---- DEACTIVATE: 7.5.2 */

static void
deactivate(struct acme_order *order, struct acme_need *need)
{
    send_request(need, ACME_KIND_DEACTIVATE,
        order->object.authorizations[order->at].url);
}

/* At the end of them the order fails with the error that was kept. */
static bool
go_on_deactivating(struct acme_order *order, size_t from,
    struct acme_error *err)
{
    order->at = from;
    while (order->at < order->object.authorization_count
        && !order->object.authorizations[order->at].pending) {
        order->at++;
    }
    if (order->at < order->object.authorization_count) {
        enter(order, DEACTIVATE);
        return true;
    }
    order->stage = order->ended_in;
    *err = order->error;
    return false;
}

static bool
read_deactivated(struct acme_order *order, const struct acme_reply *reply,
    struct acme_error *err)
{
    (void) reply;
    return go_on_deactivating(order, order->at + 1, err);
}
