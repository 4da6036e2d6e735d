/* What the agent may ask, and the checks before each answer. */

#ifndef ACME_KEEPER_ANSWER_H
#define ACME_KEEPER_ANSWER_H

#include "keeper/state.h"

/*
 * Serve one message of the agent. False: it broke the protocol and is to be
 * replaced. A request that is well-formed but not allowed is answered by
 * REFUSED, which ends its job.
 */
bool answer_message(struct keeper *keeper, const struct acme_message *message,
    struct acme_error *err);

#endif
