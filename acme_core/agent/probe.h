/*
 * Looking at our own server as a browser would: a TLS handshake with one of
 * its listeners, for one name, and what certificate it shows. No request is
 * made, and nothing is believed: what it means is known to the keeper.
 */

#ifndef ACME_AGENT_PROBE_H
#define ACME_AGENT_PROBE_H

#include "agent/state.h"

/* Begin what a PROBE asks for; it may end at once. */
void agent_probe_begin(struct agent *agent,
    const struct acme_message *message);

/* Tell the keeper of those that have ended. */
void agent_probe_finish(struct agent *agent);

/* The agent ends: so do they. */
void agent_probe_free(struct agent *agent);

#endif
