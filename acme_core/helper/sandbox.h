/* What each role gives up before it does its work. */

#ifndef ACME_HELPER_SANDBOX_H
#define ACME_HELPER_SANDBOX_H

#include <stdbool.h>

#include "base/error.h"

/* No core files, no ptrace by others, no new privileges: for every role. */
bool acme_sandbox_common(struct acme_error *err);

/*
 * Become this user with no groups; when we are not root we stay who we are.
 * The death signal of the parent, which a change of user clears, is set again.
 */
bool acme_sandbox_user(const char *user, struct acme_error *err);

/* System call filters. The agent: no program, no file written, no port
 * opened. The keeper and key makers: no network, no program. */
bool acme_sandbox_agent(struct acme_error *err);
bool acme_sandbox_keeper(struct acme_error *err);

#endif
