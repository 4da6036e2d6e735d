/*
 * One order, from newOrder to the certificate chain (RFC 8555 7.4).
 *
 * The driver does no I/O and reads no clock. The caller loops:
 *     acme_order_next()  -> a need: send this, publish that, save, sleep
 *     ... does it, in its own time, together with hundreds of others ...
 *     acme_order_reply() after a SEND, acme_order_done() after a SAVE or
 *     PUBLISH; a SLEEP ends by itself
 * A driver freed at any moment and resumed from the saved URL continues the
 * same order: the CA's answer, not our memory, selects the next stage.
 *
 * Times are unix milliseconds. Strings inside a need are borrowed and valid
 * until the next call on the same order.
 */

#ifndef ACME_PROTOCOL_ORDER_H
#define ACME_PROTOCOL_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "protocol/authorization.h"
#include "protocol/request.h"
#include "protocol/session.h"

enum acme_need_type {
    ACME_NEED_SEND = 1,  /* sign `kind` for `url`, POST it, reply() */
    ACME_NEED_SAVE,      /* the order's `url`, and when it `expires`, must be
                            on disk; then done() */
    ACME_NEED_PUBLISH,   /* the proof for `name`, `token`, and the challenge's
                            `challenge` and `url` must be answerable; then
                            done() */
    ACME_NEED_SLEEP,     /* nothing before wake_at_ms */
    ACME_NEED_INSTALL    /* `chain` is the certificate; the order is over.
                            `issuers`: the wanted chain was not among these */
};

struct acme_need {
    enum acme_need_type type;
    enum acme_kind kind;
    const char *url;
    const char *name;
    const char *token;
    enum acme_challenge_type challenge;
    int64_t expires;     /* unix seconds, 0 = the CA does not say */
    int64_t wake_at_ms;
    struct acme_bytes chain;
    const char *issuers;
};

/* What is ordered, and how. */
struct acme_order_request {
    const char *const *names;         /* the identifiers of the certificate */
    size_t name_count;
    struct acme_challenge_wish wish;  /* how to prove them */
    const char *chain;                /* issuer of the last certificate of the
                                         wanted chain, or NULL */
    const char *url;                  /* of an order to resume, or NULL */
    int64_t expires;                  /* of that one, until the CA says it
                                         again (it need not: 7.1.3), or 0 */
};

struct acme_order;

/*
 *   session   borrowed, must outlive the order; its directory is known
 *   request   copied
 * NULL when memory ends.
 */
struct acme_order *acme_order_new(struct acme_session *session,
    const struct acme_order_request *request);
void acme_order_free(struct acme_order *order);

/*
 * Say what must happen next. Idempotent: asking twice gives the same need.
 * Errors, kept for good once they happened, here and in acme_order_reply:
 * the order, an authorization or a challenge is invalid (the CA's words,
 * err->name says whose), no challenge that is wanted is offered, the CA sends
 * us to a URL of a foreign origin, the order made no progress for 15 minutes
 * (ACME_RETRY: it may be resumed; with the problem "orderProcessing" it is
 * the CA that is busy with it, and it is to be resumed), a resumed order is
 * of no more use, or again made no progress (ACME_REFUSED, problem
 * "orderGone": forget its URL and make a new one). Before an order fails for
 * good, its authorizations that are still pending are deactivated.
 */
bool acme_order_next(struct acme_order *order, int64_t now_ms,
    struct acme_need *need, struct acme_error *err);

/* Take a reply that acme_session_read called OK. */
bool acme_order_reply(struct acme_order *order, int64_t now_ms,
    const struct acme_reply *reply, struct acme_error *err);

/*
 * Take the error of a reply that acme_session_read called FAILED. True: it
 * was not the end (a finalize that came too early, a response that the CA may
 * have had before, one of a few polls without an answer), go on with
 * acme_order_next. False: the order has failed with *err, where a saved order
 * that the CA no longer knows has become ACME_REFUSED with the problem
 * "orderGone".
 */
bool acme_order_failed(struct acme_order *order, struct acme_error *err);

/*
 * The type of the challenge that failed the order, once it has failed;
 * ACME_CHALLENGE_NONE when it was nothing of a challenge.
 */
enum acme_challenge_type acme_order_failed_challenge(
    const struct acme_order *order);

/*
 * The SAVE or PUBLISH just asked for is done.
 *   told   of a PUBLISH: the CA was told before that this challenge is ready,
 *          by whoever had the order then. It is not told again, since it may
 *          be validating now, unless it stays pending for a minute
 */
void acme_order_done(struct acme_order *order, bool told);

/* "newOrder", "authorization", "challenge", "finalize", ... for logs. */
const char *acme_order_step(const struct acme_order *order);

#endif
