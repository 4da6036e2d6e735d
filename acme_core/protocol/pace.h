/*
 * When to poll next (RFC 8555 7.5.1, 7.4): small steps first, the CA's
 * Retry-After as a floor, an end after 15 minutes without progress.
 *
 * Times are unix milliseconds; retry_at is unix seconds, 0 = none.
 */

#ifndef ACME_PROTOCOL_PACE_H
#define ACME_PROTOCOL_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum { ACME_PACE_PATIENCE_MS = 15 * 60 * 1000 };

struct acme_pace {
    bool timed;           /* wake_at_ms is set for the poll that comes */
    bool bounded;         /* deadline_ms is set */
    unsigned polls;       /* since acme_pace_restart */
    int64_t patience_ms;  /* instead of 15 minutes, when it is not 0 */
    int64_t wake_at_ms;
    int64_t deadline_ms;
};

/* A new stage: small steps and the whole patience again. */
void acme_pace_restart(struct acme_pace *pace);

/* Something got better: the whole patience again, the steps go on. */
void acme_pace_progress(struct acme_pace *pace);

/* One poll showed no change. False when patience is at its end. */
bool acme_pace_polled(struct acme_pace *pace, int64_t now_ms);

/*
 * When the next poll is due. The first call after a restart or a poll fixes
 * it; a Retry-After beyond the deadline is cut to one last poll then.
 */
int64_t acme_pace_wake_at(struct acme_pace *pace, int64_t now_ms,
    int64_t retry_at);

#endif
