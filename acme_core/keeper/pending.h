/*
 * pending/<folder>/{privkey.pem,order.json}, or of a second half
 * {privkey.rsa.pem,order.rsa.json}: what an order under way has reached, and
 * the proofs that the CA may be fetching.
 */

#ifndef ACME_KEEPER_PENDING_H
#define ACME_KEEPER_PENDING_H

#include "keeper/state.h"

/*
 * Take over what an earlier keeper left for this job, its proofs back on the
 * page; what does not fit the settings any more is removed.
 */
void pending_load(struct job *job, struct keeper *keeper);

/* Free key, URL and proofs in memory. */
void pending_forget(struct job *job);

bool pending_save_key(struct job *job, struct keeper *keeper,
    struct acme_error *err);
bool pending_save_order(struct job *job, struct keeper *keeper,
    struct acme_error *err);

/* Remember a proof; one with the same token and URL stays, as told as it is. */
bool pending_add_proof(struct job *job, enum acme_challenge_type type,
    const char *name, const char *token, const char *challenge_url,
    struct acme_error *err);

/* The proof of this challenge, or NULL. */
struct proof *pending_find_proof(const struct job *job,
    const char *challenge_url);

/* One proof on the page. */
bool pending_publish(const struct job *job, struct keeper *keeper,
    const struct proof *proof, struct acme_error *err);

/* All proofs of the job on the page / off the page and forgotten. */
bool pending_publish_all(struct job *job, struct keeper *keeper,
    struct acme_error *err);
void pending_withdraw(struct job *job, struct keeper *keeper);

/* Is this one of the job's proofs? */
bool pending_has_token(const struct job *job, struct acme_bytes token);

/* The order is over: nothing of it is kept, in memory or on disk. */
void pending_remove(struct job *job, struct keeper *keeper);

#endif
