/*
 * What CAs say about the renewal of the certificates in service (RFC 9773):
 * asking them, and telling them what an order replaces.
 */

#ifndef ACME_KEEPER_RENEWAL_H
#define ACME_KEEPER_RENEWAL_H

#include "keeper/state.h"

/*
 * Ask what is due. A question that is due takes along those that are soon, so
 * that there are few rounds, each with one agent.
 */
void renewal_ask(struct keeper *keeper);

/* When the next round begins; INT64_MAX while one is under way. */
int64_t renewal_wake_at(const struct keeper *keeper);

/* Is an agent needed for questions? Has it some that are not answered? */
bool renewal_wants_agent(const struct keeper *keeper);
bool renewal_waits_for_agent(const struct keeper *keeper);

/* The agent is gone: its questions are as good as answered by nothing. */
void renewal_agent_lost(struct keeper *keeper);

/* Is a message an answer to a question? Take it; false: it breaks the rules. */
bool renewal_is_answer(const struct acme_message *message);
bool renewal_take_answer(struct keeper *keeper,
    const struct acme_message *message, struct acme_error *err);

/* An attempt begins: if the CA has asked for it, say so. */
void renewal_begins(struct job *job, const struct keeper *keeper);

/*
 * Is an order now what the CA itself asks for: in the window that it named,
 * and as the successor of the certificate in service?
 */
bool renewal_is_wanted_now(const struct job *job,
    const struct account *account, const struct keeper *keeper);

/*
 * The certID that a new order is to name as its predecessor (RFC 9773 5), in
 * cert_id; NULL for none.
 */
const char *renewal_replaces(struct job *job, const struct keeper *keeper,
    char cert_id[ACME_ARI_ID_SIZE]);

/*
 * An order has failed at this step. May it be for the predecessor that it
 * named? True, once: the attempt is to go on with an order that names none.
 */
bool renewal_drops_replaces(struct job *job, const struct acme_error *why,
    const char *step);

#endif
