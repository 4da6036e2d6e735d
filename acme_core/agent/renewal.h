/*
 * Questions about renewals, from RENEWAL_INFO to its answer (RFC 9773 4.1).
 * Nothing of them is signed: the CA's directory is all they wait for.
 */

#ifndef ACME_AGENT_RENEWAL_H
#define ACME_AGENT_RENEWAL_H

#include "agent/state.h"

/* NULL for an id that is none, or has ended. */
struct question *agent_renewal_find(struct agent *agent, uint32_t id);

/* Begin the question that a message tells of; it may fail at once. */
void agent_renewal_take_question(struct agent *agent,
    const struct acme_message *message);

/* Ask what can be asked by now. */
void agent_renewal_pump(struct agent *agent);

/* Is a question waiting for this CA's directory? */
bool agent_renewal_waits(const struct agent *agent, const struct ca *ca);

/* The reply to a question that was asked. */
void agent_renewal_take_reply(struct agent *agent, struct question *question,
    const struct acme_reply *reply);

/* The questions to this CA fail: those that wait for it, or all of them. */
void agent_renewal_fail(struct agent *agent, const struct ca *ca,
    bool waiting_only, const struct acme_error *why);

#endif
