/*
 * When a certificate is due and when a failed one is tried again: pure
 * functions of (state, now). Files, clocks and the CA are other folders'.
 */

#ifndef ACME_PLAN_PLAN_H
#define ACME_PLAN_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "plan/ari.h"
#include "plan/event.h"

enum { ACME_PLAN_CA_SIZE = 64 };

/* plan/<folder>.json: what must survive a restart. */
struct acme_plan {
    int64_t next_attempt;     /* unix seconds, 0 = as soon as due */
    unsigned failures;        /* in a row; 0 after a success */
    int64_t failed_at;        /* unix seconds of the last failure, or 0 */
    int64_t retry_at;         /* the CA's Retry-After: nothing earlier, or 0 */
    int64_t encouraged_at;    /* the last early attempt was granted, or 0 */
    bool misconfigured;       /* only the operator can mend it */
    char revoked[64];         /* serial of a certificate that is to be
                                 replaced for that reason, or "" */
    unsigned installed;       /* generation that was seen in service, or 0 */
    char problem[64];         /* its problem type, or "" */
    char text[768];           /* its words, safe to log */
    struct acme_told told;    /* to the program of acme_event */
    char last_text[512];      /* those of the last CA that was tried, when
                                 there were several; or "" */
    char staging[ACME_PLAN_CA_SIZE];  /* where a validation failed: the CA on
                                 whose staging directory it goes on, or "" */
    unsigned staging_failures;  /* of validations, there */
    struct acme_ari ari;      /* what the CA says of the certificate */
};

/* Serialise; read back. A broken file reads as an empty plan: false. */
bool acme_plan_write(const struct acme_plan *plan, struct acme_buffer *json);
bool acme_plan_read(struct acme_bytes json, struct acme_plan *plan);

/*
 * When the certificate should be renewed: 1/3 of its life before its end
 * (1/2 when its life is 10 days or less).
 */
int64_t acme_plan_renew_at(int64_t not_before, int64_t not_after);

/*
 * The same, for a certificate obtained at a known moment (0 = not known). One
 * that was due before it came (the CA dates it back, or our clock is wrong)
 * is renewed as if its life began then, at least a minute later: else it
 * would be ordered again and again.
 */
int64_t acme_plan_renew_again_at(int64_t not_before, int64_t not_after,
    int64_t obtained_at);

/*
 * The same moment, or up to 1/30 of the life earlier, by the name of its
 * folder: thousands that were obtained together are not renewed together, and
 * the two halves of one are.
 */
int64_t acme_plan_spread(int64_t at, int64_t not_before, int64_t not_after,
    int64_t obtained_at, const char *folder);

/*
 * When the next attempt is: when it is due, after a failure not before its
 * pause is over, and not in the past.
 */
int64_t acme_plan_next(const struct acme_plan *plan, int64_t due_at,
    int64_t now);

/*
 * How long a certificate may be made to wait: 1/10 of the life left while it
 * is valid. 0 = there is none: any time.
 */
int64_t acme_plan_patience(int64_t not_after, int64_t now);

/*
 * After a failure:
 *   ACME_SOON, ACME_NOW   1, 10, 100 minutes, then daily
 *   ACME_SLOW             10, 100 minutes, then daily
 *   ACME_AT               when the CA has said (err->retry_at), but after 1
 *                         minute at least, then after 10; as ACME_SOON when it
 *                         has not said
 *   ACME_NEVER            daily, and at least an hour; a restart or a reload
 *                         is a reason to look earlier
 * each pause +-10 %; never before the CA's Retry-After (8 days at most), never
 * later than 1/10 of the life left (but at least a minute) while a certificate
 * is still valid.
 *   not_after   of the certificate being served, 0 = none
 *   random      32 random bits, for the jitter
 */
void acme_plan_failed(struct acme_plan *plan, const struct acme_error *err,
    enum acme_class class, int64_t not_after, uint32_t random, int64_t now);

/*
 * The clock was set back: a failure in what is now the future counts as one
 * of this moment, with the same pause behind it, and what is further away
 * than anything that is waited for is not waited for; see also plan/ari.h.
 */
void acme_plan_set_clock_back(struct acme_plan *plan, int64_t now);

/*
 * An operator's reload: may a failing certificate be tried now? Every 10
 * minutes at most, and not before the CA's Retry-After. True: the next
 * attempt is now, and that it was granted is noted, to be saved.
 */
bool acme_plan_encourage(struct acme_plan *plan, int64_t now);

/* Is it this CA that a plan calls so? */
bool acme_plan_names(const char *in_plan, const char *name);

/*
 * A validation failed: at a CA, on whose staging directory it is to be
 * practised from now on (NULL: there is none); or there.
 */
void acme_plan_invalid(struct acme_plan *plan, const char *name);
void acme_plan_invalid_on_staging(struct acme_plan *plan);

/* There is nothing to be practised any more; `passed`: it has passed. */
void acme_plan_staging_done(struct acme_plan *plan, bool passed);

/*
 * After a success: forget the failures. What the CAs say, and what was told to
 * acme_event, stays.
 */
void acme_plan_succeeded(struct acme_plan *plan);

#endif
