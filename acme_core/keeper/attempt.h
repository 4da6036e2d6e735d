/*
 * One certificate being looked after: when it is due, its key, its order on
 * disk, its proofs on the page, its end.
 */

#ifndef ACME_KEEPER_ATTEMPT_H
#define ACME_KEEPER_ATTEMPT_H

#include "keeper/state.h"

/*
 * Prepare from settings and store: what is in service, the plan, and an order
 * that an earlier keeper left, whose proofs go back on the page.
 */
void attempt_init(struct job *job, struct keeper *keeper,
    const struct acme_settings_cert *cert);
void attempt_free(struct job *job);

/*
 * What an idle job waits for is reckoned anew: the clock was set, or the
 * CA wants the renewal at another time.
 */
void attempt_reschedule(struct job *job, struct keeper *keeper);

/* 64 random bits for a plan; soon after booting there may be only the time. */
uint64_t attempt_random(const struct keeper *keeper);

/* Write plan/<folder>.json. Failures are logged. */
void attempt_save_plan(struct job *job, struct keeper *keeper);

/*
 * Is the same set of names being ordered from a CA that may be ours, or the
 * key of our account being changed?
 */
bool attempt_must_wait(const struct job *job, const struct keeper *keeper);

/*
 * Begin an attempt: the account, then the saved order or a new key. Failures
 * end the attempt as attempt_failed does.
 */
void attempt_start(struct job *job, struct keeper *keeper);

/* An attempt that was begun goes on where it is now, with another order. */
void attempt_go_on(struct job *job, struct keeper *keeper);

/* A key maker's descriptor for this job has arrived / is readable. */
void attempt_watch_keygen(struct job *job, int fd);
void attempt_take_key(struct job *job, struct keeper *keeper);

/* Hand a JOB_READY job to the agent; it stays so when that is gone. */
void attempt_order(struct job *job, struct keeper *keeper);

/*
 * The agent is gone: an order under way goes to the next one. One that so
 * many have ended with has failed; its job may be what ends them.
 */
void attempt_agent_lost(struct job *job, struct keeper *keeper);

/*
 * Save the order's URL / publish a proof; on disk before they return.
 *   expires  when the CA forgets the order, unix seconds; 0: it does not say
 */
bool attempt_save_order(struct job *job, struct keeper *keeper, const char *url,
    int64_t expires, struct acme_error *err);
bool attempt_publish(struct job *job, struct keeper *keeper,
    enum acme_challenge_type type, const char *name, const char *token,
    const char *challenge_url, struct acme_error *err);

/*
 * A limit of the CA, as err has it, is used up: the job waits for the time when
 * it is free again. Logged once for each attempt.
 */
void attempt_wait(struct job *job, struct keeper *keeper,
    const struct acme_error *err);

/* The job makes room among the active ones; what its order has stays. */
void attempt_rest(struct job *job, struct keeper *keeper);

/* The end of an attempt: installed, or failed with err (logged here). */
void attempt_installed(struct job *job, struct keeper *keeper,
    struct acme_bytes chain_pem);
void attempt_failed(struct job *job, struct keeper *keeper,
    const struct acme_error *err, const char *step);

/*
 * An operator's reload: a failing job may try early, every 10 minutes; one
 * whose certificate was removed or damaged is due.
 */
void attempt_encourage(struct job *job, struct keeper *keeper);

/*
 * The CA has revoked the certificate with this serial number: it serves on,
 * and its successor, with another key, is due.
 */
void attempt_revoked(struct job *job, struct keeper *keeper,
    const char serial[64]);

/* The active job with this id, or NULL. */
struct job *attempt_find(struct keeper *keeper, uint32_t id);

#endif
