/*
 * What the administrator's program (acme_event) is told, and when. Without one
 * nothing is written; what is about to expire is logged all the same.
 */

#ifndef ACME_KEEPER_EVENT_H
#define ACME_KEEPER_EVENT_H

#include "keeper/state.h"

/*
 * Each of these is on disk when it returns, and so before what has happened
 * counts as done (see event_queue.h). Of what a crash lets happen twice the
 * program is told twice.
 */

/* Its new certificate is live: "obtained", "renewed" when it had one before. */
void event_obtained(struct job *job, struct keeper *keeper);

/* An attempt has failed; the plan has it already. */
void event_failed(struct job *job, struct keeper *keeper,
    const struct acme_error *err, const char *step);

/* The CA has moved the window of the renewal. */
void event_ari_changed(struct job *job, struct keeper *keeper);

/*
 * The server shows the generation that is live, or has loaded it and cannot be
 * looked at: told once for each, for both halves of a certificate together.
 */
void event_installed(struct job *job, struct keeper *keeper);

/* After a start: tell what an earlier keeper came no longer to. */
void event_catch_up(struct keeper *keeper);

/* Tell and log what is about to expire; when it wants to be called again. */
void event_mind_ends(struct keeper *keeper);
int64_t event_wake_at(const struct keeper *keeper);

#endif
