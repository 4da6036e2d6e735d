/*
 * The agent's work: CAs and jobs, and what moves them on. The loop in agent.c
 * brings replies, messages and the time.
 */

#ifndef ACME_AGENT_WORK_H
#define ACME_AGENT_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/fetch.h"
#include "base/error.h"
#include "ipc/channel.h"

struct work;

/* Borrows both. NULL when memory ends. */
struct work *work_new(struct acme_fetch *fetch, struct acme_channel *channel);
void work_free(struct work *work);

/* A reply for a tag that was given to fetch. False: the keeper is gone. */
bool work_take_reply(struct work *work, uint64_t tag,
    const struct acme_reply *reply, int64_t now_ms, struct acme_error *err);

/* A word of the keeper; its descriptor is taken over. */
bool work_take_message(struct work *work, const struct acme_message *message,
    struct acme_error *err);

/* Move on whatever can be. */
bool work_pump(struct work *work, int64_t now_ms, struct acme_error *err);

/* Milliseconds until something sleeping is due; -1 = never. */
int work_timeout_ms(const struct work *work, int64_t now_ms);

#endif
