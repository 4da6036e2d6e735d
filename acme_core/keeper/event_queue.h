/*
 * What waits to be told to the program of acme_event: on disk until the
 * program has exited with 0, so that it is told at least once. One program
 * runs at a time, what is of one certificate is told in its order, and one
 * that fails is tried again later. The keeper never waits for it.
 */

#ifndef ACME_KEEPER_EVENT_QUEUE_H
#define ACME_KEEPER_EVENT_QUEUE_H

#include "keeper/state.h"

/*
 * Read what an earlier keeper has left, or remove it when nobody is to be told
 * any more. Failures are logged.
 */
void event_queue_open(struct keeper *keeper);
void event_queue_close(struct keeper *keeper);

/*
 * `what` has happened to the certificate of this folder: `json` is on disk
 * when this returns, or in memory when it cannot be written, which is logged.
 * When too many wait the oldest one is dropped, and that is logged.
 */
void event_queue_add(struct keeper *keeper, const char *folder,
    const char *what, struct acme_bytes json);

/* Start the program when it is time; when it wants to be called again. */
void event_queue_run(struct keeper *keeper);
int64_t event_queue_wake_at(const struct keeper *keeper);

/*
 * The program's process was started (fd, taken over; -1: it could not be) / it
 * has something to say.
 */
void event_queue_watch(struct keeper *keeper, int fd);
void event_queue_take(struct keeper *keeper);

/* An operator's reload: the program may be mended; once in ten minutes. */
void event_queue_hurry(struct keeper *keeper);

/* The clock was set back by so many seconds. */
void event_queue_clock_set_back(struct keeper *keeper, int64_t by);

#endif
