/*
 * The agent's loop: a completion queue. Finished transfers and words of the
 * keeper change the state of a job or a session; then everything that can
 * move moves on. What it all means is known to job.c, ca.c and protocol/.
 */

#include "agent/agent.h"

#include <netdb.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent/ca.h"
#include "agent/job.h"
#include "agent/probe.h"
#include "agent/renewal.h"
#include "agent/sender.h"
#include "agent/state.h"

enum { TIMEOUT_MAX_MS = 60 * 1000 };

/* ---- failures that several jobs share */

/* The session's step failed: so have those that wait for it. */
static void
fail_session(struct agent *agent, const struct ca *ca,
    const struct acme_error *why)
{
    for (size_t i = 0; i < agent->job_count; i++) {
        struct job *job = agent->jobs[i];

        if (job->ca == ca && job->sender.state == AWAITING_SESSION) {
            agent_job_fail(agent, job, ca_step(ca), why);
        }
    }
    agent_renewal_fail(agent, ca, true, why);
}

/* A nonce did not come: the first who waited for one goes without. */
static void
fail_nonce(struct agent *agent, struct ca *ca, const struct acme_error *why)
{
    if (ca->sender.state == AWAITING_NONCE) {
        ca->sender.state = IDLE;
        fail_session(agent, ca, why);
        return;
    }
    for (size_t i = 0; i < agent->job_count; i++) {
        struct job *job = agent->jobs[i];

        if (job->ca == ca && job->sender.state == AWAITING_NONCE) {
            agent_job_fail(agent, job, agent_job_step(job), why);
            return;
        }
    }
}

/* ---- replies */

static void
take_reply(struct agent *agent, uint64_t tag, const struct acme_reply *reply)
{
    uint32_t id = (uint32_t) tag;
    struct ca *ca = ca_find(agent, id);
    struct job *job = agent_job_find(agent, id);
    struct question *question = agent_renewal_find(agent, id);
    struct acme_error why;

    if (ca == NULL) {
        if (job != NULL) {
            agent_job_take_reply(agent, job, reply);
        } else if (question != NULL) {
            agent_renewal_take_reply(agent, question, reply);
        }
    } else if (tag == tag_of(FOR_NONCE, id)) {
        if (!ca_take_nonce_reply(agent, ca, reply, &why)) {
            fail_nonce(agent, ca, &why);
        }
    } else if (!ca_take_reply(agent, ca, reply, &why)) {
        fail_session(agent, ca, &why);
    }
}

/* ---- words of the keeper */

static void
take_ca(struct agent *agent, const struct acme_message *message)
{
    const struct ca *old = ca_find(agent, message->id);
    struct acme_error why;

    acme_fail(&why, ACME_RETRY, "the settings of the CA have changed");
    for (size_t i = 0; old != NULL && i < agent->job_count; i++) {
        struct job *job = agent->jobs[i];

        if (job->ca == old && job->sender.state != FINISHED) {
            agent_job_fail(agent, job, "order", &why);
        }
    }
    agent_job_sweep(agent);
    if (old != NULL) {
        agent_renewal_fail(agent, old, false, &why);
    }
    if (!ca_take(agent, message, &why)) {
        agent->stopping = true;
    }
}

static void
take_cancel(struct agent *agent, const struct acme_message *message)
{
    struct job *job = agent_job_find(agent, message->id);

    if (job != NULL) {
        agent_job_cancel(agent, job);
    }
}

static void
take_signed(struct agent *agent, const struct acme_message *message)
{
    struct ca *ca = ca_find(agent, message->id);
    struct job *job = agent_job_find(agent, message->id);
    struct acme_error why;

    if (ca != NULL) {
        if (!ca_take_signed(agent, ca, message->text[0], &why)) {
            fail_session(agent, ca, &why);
        }
    } else if (job != NULL) {
        agent_job_take_signed(agent, job, message->text[0]);
    }
}

static void
take_done(struct agent *agent, const struct acme_message *message)
{
    struct ca *ca = ca_find(agent, message->id);
    struct job *job = agent_job_find(agent, message->id);

    if (ca != NULL) {
        ca_take_done(ca, message->number != 0);
    } else if (job != NULL) {
        agent_job_take_done(job, message->number != 0);
    }
}

static void
take_refused(struct agent *agent, const struct acme_message *message)
{
    struct ca *ca = ca_find(agent, message->id);
    struct job *job = agent_job_find(agent, message->id);
    struct acme_error why;

    if (ca != NULL) {
        if (!ca_take_refused(ca, message, &why)) {
            fail_session(agent, ca, &why);
        }
    } else if (job != NULL) {
        agent_job_take_refused(agent, job, message);
    }
}

static const struct {
    enum acme_message_type type;
    void (*take)(struct agent *agent, const struct acme_message *message);
} words[] = {
    { ACME_MESSAGE_CA,      take_ca },
    { ACME_MESSAGE_ORDER,   agent_job_take_order },
    { ACME_MESSAGE_TASK,    agent_job_take_task },
    { ACME_MESSAGE_CANCEL,  take_cancel },
    { ACME_MESSAGE_SIGNED,  take_signed },
    { ACME_MESSAGE_DONE,    take_done },
    { ACME_MESSAGE_REFUSED, take_refused },
    { ACME_MESSAGE_RENEWAL_INFO, agent_renewal_take_question },
    { ACME_MESSAGE_PROBE,   agent_probe_begin },
};

static void
take_message(struct agent *agent, const struct acme_message *message)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (words[i].type == message->type) {
            words[i].take(agent, message);
        }
    }
    if (message->fd != -1) {
        close(message->fd);
    }
}

/* ---- moving on */

static unsigned
count_jobs(const struct agent *agent, const struct ca *ca,
    enum sender_state state)
{
    unsigned count = 0;

    for (size_t i = 0; i < agent->job_count; i++) {
        const struct job *job = agent->jobs[i];

        count += job->ca == ca && job->sender.state == state;
    }
    return count;
}

/* The session goes first: all of its orders wait for it. */
static void
hand_out_nonces(struct agent *agent, struct ca *ca)
{
    if (ca->sender.state == AWAITING_NONCE) {
        sender_use_nonce(agent, ca, &ca->sender);
    }
    for (size_t i = 0; i < agent->job_count; i++) {
        struct job *job = agent->jobs[i];

        if (job->ca == ca && job->sender.state == AWAITING_NONCE) {
            sender_use_nonce(agent, ca, &job->sender);
        }
    }
}

/* As many newNonce requests under way as there are who wait. */
static void
fetch_nonces(struct agent *agent, struct ca *ca)
{
    struct acme_error why;

    while (ca->nonces_coming < count_jobs(agent, ca, AWAITING_NONCE)
            + (ca->sender.state == AWAITING_NONCE)) {
        if (fetch_nonce(agent, ca, &why)) {
            ca->nonces_coming++;
        } else {
            fail_nonce(agent, ca, &why);
        }
    }
}

static void
pump(struct agent *agent)
{
    struct acme_error why;

    for (size_t i = 0; i < agent->job_count; i++) {
        agent_job_pump(agent, agent->jobs[i]);
    }
    agent_renewal_pump(agent);
    for (size_t i = 0; i < agent->ca_count; i++) {
        struct ca *ca = agent->cas[i];

        if ((count_jobs(agent, ca, AWAITING_SESSION) > 0
                || agent_renewal_waits(agent, ca))
            && !ca_pump(agent, ca, &why)) {
            fail_session(agent, ca, &why);
        }
        hand_out_nonces(agent, ca);
        fetch_nonces(agent, ca);
    }
    agent_job_sweep(agent);
}

/* ---- the loop */

/*
 * Unix milliseconds that never go back: when the clock is set back, ours goes
 * on from where it was.
 */
static int64_t
clock_now(struct agent *agent)
{
    struct timespec at;
    int64_t now;

    clock_gettime(CLOCK_REALTIME, &at);
    now = (int64_t) at.tv_sec * 1000 + at.tv_nsec / 1000000;
    if (now + agent->clock_ahead_ms < agent->now_ms) {
        agent->clock_ahead_ms = agent->now_ms - now;
    }
    return now + agent->clock_ahead_ms;
}

/* Until the first sleeper wakes; soon enough to notice a changed clock. */
static int
timeout_ms(struct agent *agent)
{
    int64_t now = clock_now(agent);
    int64_t first = INT64_MAX;

    for (size_t i = 0; i < agent->job_count; i++) {
        const struct job *job = agent->jobs[i];

        if (job->sender.state == SLEEPING && job->wake_at_ms < first) {
            first = job->wake_at_ms;
        }
    }
    if (first == INT64_MAX) {
        return -1;
    }
    if (first <= now) {
        return 0;
    }
    return first - now < TIMEOUT_MAX_MS ? (int) (first - now)
                                        : TIMEOUT_MAX_MS;
}

static void
wait_for_work(struct agent *agent)
{
    struct acme_error err;

    if (!acme_fetch_wait(agent->fetch, acme_channel_fd(agent->channel),
            acme_channel_events(agent->channel), timeout_ms(agent), &err)
        || !acme_channel_flush(agent->channel, &err)) {
        agent->stopping = true;
    }
    agent->now_ms = clock_now(agent);
}

static bool
next_message(struct agent *agent, struct acme_message *message)
{
    struct acme_error err;
    bool got;

    if (!acme_channel_next(agent->channel, message, &got, &err)) {
        agent->stopping = true;
    }
    return got;
}

static void
run(struct agent *agent)
{
    struct acme_message message;
    struct acme_reply reply;
    uint64_t tag;

    while (!agent->stopping) {
        wait_for_work(agent);
        while (acme_fetch_next_finished(agent->fetch, &tag, &reply)) {
            take_reply(agent, tag, &reply);
        }
        agent_probe_finish(agent);
        while (next_message(agent, &message)) {
            take_message(agent, &message);
        }
        pump(agent);
    }
}

/* ---- start and end */

/*
 * The resolver's plug-ins and OpenSSL's configuration are read at first use;
 * in the sandbox that may be too late. The latter is libcurl's work in
 * acme_fetch_new.
 */
static void
load_resolver(void)
{
    struct addrinfo *found = NULL;

    if (getaddrinfo("localhost", "443", NULL, &found) == 0) {
        freeaddrinfo(found);
    }
}

static void
free_agent(struct agent *agent)
{
    for (size_t i = 0; i < agent->job_count; i++) {
        agent_job_free(agent->jobs[i]);
    }
    for (size_t i = 0; i < agent->ca_count; i++) {
        ca_free(agent->cas[i]);
    }
    agent_probe_free(agent);
    acme_channel_free(agent->channel);
    acme_fetch_free(agent->fetch);
    free(agent);
}

int
acme_agent_run(int channel_fd, _Bool (*sandbox)(void))
{
    struct agent *agent = calloc(1, sizeof(*agent));
    struct acme_error err;
    int status = 1;

    if (agent == NULL) {
        close(channel_fd);
        return status;
    }
    agent->fetch = acme_fetch_new(&err);
    load_resolver();
    agent->channel = acme_channel_new(channel_fd, ACME_END_AGENT);
    if (agent->fetch != NULL && agent->channel != NULL && sandbox()) {
        run(agent);
        status = 0;
    }
    free_agent(agent);
    return status;
}
