/*
 * The ways by which an attempt comes to a certificate: types of challenge,
 * profile, a saved order or a new one. When one fails, another one may not.
 */

#ifndef ACME_KEEPER_WAYS_H
#define ACME_KEEPER_WAYS_H

#include "keeper/state.h"

/*
 * Choose the types of challenge for an order that begins: those that this
 * server can answer first, of these the one that worked last time; soon after
 * a failed validation one only, in turns.
 */
void ways_choose(struct job *job, const struct keeper *keeper);

/* Is the type one of those chosen? */
bool ways_has(const struct job *job, enum acme_challenge_type type);

/* The profile to ask for, or NULL. */
const char *ways_profile(const struct job *job);

/*
 * The order failed at the CA: the same attempt goes on by another way where
 * there is one (a new order in place of a saved one that is of no more use,
 * the next type of challenge, no profile), or waits for a CA that is still
 * at work. Otherwise this is its end.
 *   type   of the challenge that failed, if it was one
 */
void ways_refused(struct job *job, struct keeper *keeper,
    const struct acme_error *err, const char *step,
    enum acme_challenge_type type);

#endif
