/*
 * A CA and our account there: what all of its orders need, done once for all
 * of them (RFC 8555 7.1.1, 7.2, 7.3).
 *
 * Where a function returns false, the orders that wait for the session fail
 * with err; the next one that comes makes it start over.
 */

#ifndef ACME_AGENT_CA_H
#define ACME_AGENT_CA_H

#include "agent/state.h"

/* NULL for an id that is none. */
struct ca *ca_find(const struct agent *agent, uint32_t id);

/*
 * The CA that a message tells of, new or in place of the one with its id,
 * whose jobs must have ended. Trusted roots that cannot be used make every
 * order fail; false when there is no memory or no room, and no CA.
 */
bool ca_take(struct agent *agent, const struct acme_message *message,
    struct acme_error *err);
void ca_free(struct ca *ca);

/* Are directory and account known and saved? */
bool ca_is_ready(const struct ca *ca);

/* "directory", "newAccount": what the session is at. */
const char *ca_step(const struct ca *ca);

/* Begin what the session needs next, if nothing is under way. */
bool ca_pump(struct agent *agent, struct ca *ca, struct acme_error *err);

/* A reply to what ca_pump began. */
bool ca_take_reply(struct agent *agent, struct ca *ca,
    const struct acme_reply *reply, struct acme_error *err);

/*
 * The keeper's answers to what ca_pump began; out of turn: ignored. `update`:
 * the CA is to be told the contacts.
 */
bool ca_take_signed(struct agent *agent, struct ca *ca,
    struct acme_bytes body, struct acme_error *err);
void ca_take_done(struct ca *ca, bool update);
bool ca_take_refused(struct ca *ca, const struct acme_message *message,
    struct acme_error *err);

/* A newNonce reply; false when it brought none. */
bool ca_take_nonce_reply(struct agent *agent, struct ca *ca,
    const struct acme_reply *reply, struct acme_error *err);

/*
 * The CA says that our account does not exist: begin to register again.
 * False when that did not help before.
 */
bool ca_forget_account(struct agent *agent, struct ca *ca);

#endif
