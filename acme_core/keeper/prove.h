/*
 * The proof that a certificate is in service: the server's own listener is
 * looked at until it shows what live/ holds.
 */

#ifndef ACME_KEEPER_PROVE_H
#define ACME_KEEPER_PROVE_H

#include "keeper/state.h"

/*
 * A job of this start: what of it is still to be seen?
 *   loaded   the server has loaded what live/ holds
 */
void prove_init(struct job *job, struct keeper *keeper, bool loaded);

/* A generation has landed, which the server has not loaded yet. */
void prove_landed(struct job *job, unsigned generation);

/* The server has loaded, by our reload or an operator's. */
void prove_loaded(struct keeper *keeper);

/*
 * Send the probes that are due, tell what they have found, and ask for a
 * reload again after one that was in vain.
 */
void prove_run(struct keeper *keeper);

/* When prove_run wants to be called again; INT64_MAX = nothing to do. */
int64_t prove_wake_at(const struct keeper *keeper);

/* The clock was set back by so many seconds; .now is the new time. */
void prove_clock_set_back(struct keeper *keeper, int64_t by);

/* Is an agent needed for probes? Has it some that are not answered? */
bool prove_wants_agent(const struct keeper *keeper);
bool prove_waits_for_agent(const struct keeper *keeper);

/* The agent is gone: another one is to look. */
void prove_agent_lost(struct keeper *keeper);

/* Is a message an answer to a probe? Take it; false: it breaks the rules. */
bool prove_is_answer(const struct acme_message *message);
bool prove_take_answer(struct keeper *keeper,
    const struct acme_message *message, struct acme_error *err);

#endif
