/*
 * What CAs count, counted before they do: limits.json. Whatever is asked here
 * is about one account, that of an attempt.
 */

#ifndef ACME_KEEPER_QUOTA_H
#define ACME_KEEPER_QUOTA_H

#include "keeper/state.h"

/* Read limits.json; a damaged one is a warning. */
void quota_load(struct keeper *keeper);

/* Write it, if there is something new. */
bool quota_save(struct keeper *keeper, struct acme_error *err);

/* The same before the loop sleeps: what cannot be written is logged once. */
void quota_save_soon(struct keeper *keeper);

/*
 * May the account's CA be asked for the job's certificate now? False: why not
 * (ACME_RETRY, "rateLimited"), and from when on, .retry_at. Counts nothing,
 * changes nothing of the job.
 */
bool quota_allows(const struct job *job, const struct account *account,
    struct keeper *keeper, struct acme_error *err);

/*
 * The same for job->account, and count the order that is about to be asked
 * for, unless it is counted. An order in the CA's own window for a renewal is
 * not counted.
 */
bool quota_take(struct job *job, struct keeper *keeper,
    struct acme_error *err);

/*
 * newOrder is about to be signed: it is counted on disk.
 *   replaces   does it name a predecessor?
 */
bool quota_ordering(struct job *job, struct keeper *keeper, bool replaces,
    struct acme_error *err);

/* A response to a challenge for the name is about to be signed. */
void quota_responding(const struct job *job, struct keeper *keeper,
    const char *name);

/* finalize is about to be signed. */
void quota_finalizing(struct job *job);

/*
 * The order came to its end, while its proofs are still known: err is NULL for
 * a certificate. What the CA does not count is given back; a time that it
 * named holds what its words are about.
 *   over   the order is not gone on with
 */
void quota_ended(struct job *job, struct keeper *keeper,
    const struct acme_error *err, bool over);

#endif
