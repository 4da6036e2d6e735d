/*
 * A job: one certificate being ordered, from ORDER to CHAIN or FAILED. The
 * keeper, in the same executable, has jobs too: hence the longer names.
 */

#ifndef ACME_AGENT_JOB_H
#define ACME_AGENT_JOB_H

#include "agent/state.h"

/* NULL for an id that is none, or has ended. */
struct job *agent_job_find(const struct agent *agent, uint32_t id);

/* Begin the job that an ORDER tells of; it may fail at once. */
void agent_job_take_order(struct agent *agent,
    const struct acme_message *message);

/*
 * Begin a job that is one request for the account (keyChange, revokeCert); it
 * ends with TASK_DONE or FAILED.
 */
void agent_job_take_task(struct agent *agent,
    const struct acme_message *message);

/* What the job is at, in words. */
const char *agent_job_step(const struct job *job);

/* Do what the order needs next, if its time has come. */
void agent_job_pump(struct agent *agent, struct job *job);

/* A reply to what agent_job_pump began. */
void agent_job_take_reply(struct agent *agent, struct job *job,
    const struct acme_reply *reply);

/* The keeper's answers to what agent_job_pump began; out of turn: ignored. */
void agent_job_take_signed(struct agent *agent, struct job *job,
    struct acme_bytes body);
void agent_job_take_done(struct job *job, bool told);
void agent_job_take_refused(struct agent *agent, struct job *job,
    const struct acme_message *message);

/* The end of a job: with FAILED to the keeper, or without a word. */
void agent_job_fail(struct agent *agent, struct job *job, const char *step,
    const struct acme_error *why);
void agent_job_cancel(struct agent *agent, struct job *job);

/* Free the jobs that have ended. */
void agent_job_sweep(struct agent *agent);
void agent_job_free(struct job *job);

#endif
