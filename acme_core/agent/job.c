/*
 * Driving orders: protocol/order.c says what is needed, this file has it done
 * by the CA or the keeper (RFC 8555 7.4). One state a job; nothing waits
 * inside a function.
 */

#include "agent/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ca.h"
#include "agent/sender.h"

struct job *
agent_job_find(const struct agent *agent, uint32_t id)
{
    for (size_t i = 0; i < agent->job_count; i++) {
        struct job *job = agent->jobs[i];

        if (job->sender.id == id && job->sender.state != FINISHED) {
            return job;
        }
    }
    return NULL;
}

/* ---- begin */

/* The names, one a line, as an array that points into the job's copy. */
static bool
read_names(struct job *job, struct acme_bytes text, struct acme_error *err)
{
    char *rest, *name;

    if (text.len == 0) {
        return acme_fail(err, ACME_PEER_BROKE, "an order without names");
    }
    job->names_text = strndup((const char *) text.at, text.len);
    if (job->names_text == NULL) {
        return acme_fail_memory(err);
    }
    rest = job->names_text;
    while ((name = strsep(&rest, "\n")) != NULL) {
        if (job->name_count == NAMES_MAX) {
            return acme_fail(err, ACME_PEER_BROKE,
                "an order of more than %d names", NAMES_MAX);
        }
        job->names[job->name_count++] = name;
    }
    return true;
}

/* Challenge types, one a line, the most wanted first. */
static bool
read_wish(struct job *job, const struct acme_message *message,
    struct acme_error *err)
{
    struct acme_challenge_wish *wish = &job->wish;
    char text[64], *rest = text, *word;

    if (!acme_message_text(message, 2, text, sizeof(text))) {
        text[0] = '\0';
    }
    while ((word = strsep(&rest, "\n")) != NULL) {
        enum acme_challenge_type type = acme_challenge_type_of(word);

        if (type == ACME_CHALLENGE_NONE
            || wish->count == ACME_CHALLENGE_TYPES) {
            return acme_fail(err, ACME_PEER_BROKE,
                "an order by an unknown challenge");
        }
        wish->types[wish->count++] = type;
    }
    return true;
}

/* A copy of an optional text. */
static bool
copy_text(struct acme_bytes text, char **copy, struct acme_error *err)
{
    if (text.len == 0) {
        return true;
    }
    *copy = strndup((const char *) text.at, text.len);
    return *copy != NULL || acme_fail_memory(err);
}

static bool
fill(struct agent *agent, struct job *job, const struct acme_message *message,
    struct acme_error *err)
{
    job->ca = ca_find(agent, message->number);
    if (job->ca == NULL) {
        return acme_fail(err, ACME_PEER_BROKE, "an order at an unknown CA");
    }
    if (job->task != 0) {
        return true;
    }
    job->resume_expires = message->at;
    return read_names(job, message->text[0], err)
        && copy_text(message->text[1], &job->resume_url, err)
        && read_wish(job, message, err)
        && copy_text(message->text[3], &job->chain, err);
}

/*
 * FAILED for a job that has none of our memory.
 *   type   of the challenge that failed, if it was one
 */
static void
tell_failed(struct agent *agent, uint32_t id, const char *step,
    enum acme_challenge_type type, const struct acme_error *why)
{
    struct acme_message message = { .type = ACME_MESSAGE_FAILED, .id = id,
        .number = why->verdict, .at = why->retry_at, .fd = -1,
        .status = why->http_status > 0 ? (uint32_t) why->http_status : 0,
        .text = { acme_bytes_of(why->problem), acme_bytes_of(why->name),
        acme_bytes_of(why->text), acme_bytes_of(step),
        acme_bytes_of(acme_challenge_type_name(type)) } };

    tell(agent, &message);
}

/* An order, or with a kind a task. */
static void
take(struct agent *agent, const struct acme_message *message,
    enum acme_kind task)
{
    struct job *job = NULL;
    struct acme_error why;

    if (agent->job_count == JOBS_MAX) {
        acme_fail(&why, ACME_RETRY, "%d orders are under way already",
            JOBS_MAX);
        goto failed;
    }
    job = calloc(1, sizeof(*job));
    if (job == NULL) {
        acme_fail_memory(&why);
        goto failed;
    }
    job->sender.id = message->id;
    job->sender.state = AWAITING_SESSION;
    job->task = task;
    if (!fill(agent, job, message, &why)) {
        goto failed;
    }
    acme_session_refresh(job->ca->session, agent->now_ms);
    agent->jobs[agent->job_count++] = job;
    return;

failed:
    agent_job_free(job);
    tell_failed(agent, message->id, task != 0 ? acme_kind_name(task)
        : "order", ACME_CHALLENGE_NONE, &why);
}

void
agent_job_take_order(struct agent *agent, const struct acme_message *message)
{
    take(agent, message, 0);
}

void
agent_job_take_task(struct agent *agent, const struct acme_message *message)
{
    if (message->status == ACME_KIND_KEY_CHANGE
        || message->status == ACME_KIND_REVOKE) {
        take(agent, message, (enum acme_kind) message->status);
    }
}

/* ---- end */

/* The order goes at once: it must not outlive its session. */
static void
finish(struct agent *agent, struct job *job)
{
    acme_fetch_cancel(agent->fetch, tag_of(FOR_SENDER, job->sender.id));
    acme_order_free(job->order);
    job->order = NULL;
    job->sender.state = FINISHED;
}

void
agent_job_cancel(struct agent *agent, struct job *job)
{
    finish(agent, job);
}

void
agent_job_fail(struct agent *agent, struct job *job, const char *step,
    const struct acme_error *why)
{
    tell_failed(agent, job->sender.id, step, job->order != NULL
        ? acme_order_failed_challenge(job->order) : ACME_CHALLENGE_NONE, why);
    finish(agent, job);
}

const char *
agent_job_step(const struct job *job)
{
    return job->task != 0 ? acme_kind_name(job->task)
        : job->order != NULL ? acme_order_step(job->order) : "order";
}

static void
fail_order(struct agent *agent, struct job *job, const struct acme_error *why)
{
    agent_job_fail(agent, job, agent_job_step(job), why);
}

void
agent_job_free(struct job *job)
{
    if (job == NULL) {
        return;
    }
    acme_order_free(job->order);
    free(job->names_text);
    free(job->resume_url);
    free(job->chain);
    free(job);
}

void
agent_job_sweep(struct agent *agent)
{
    size_t kept = 0;

    for (size_t i = 0; i < agent->job_count; i++) {
        struct job *job = agent->jobs[i];

        if (job->sender.state == FINISHED) {
            agent_job_free(job);
        } else {
            agent->jobs[kept++] = job;
        }
    }
    agent->job_count = kept;
}

/* ---- what comes next */

/* Step by step for the operator; the polls in between are details. */
static void
log_send(struct agent *agent, struct job *job, enum acme_kind kind)
{
    const char *step = acme_order_step(job->order);
    const char *name = acme_kind_name(kind);
    enum acme_log_level level = step != job->logged_step ? ACME_LOG_INFO
                                                         : ACME_LOG_DEBUG;

    job->logged_step = step;
    if (strcmp(step, name) == 0) {
        tell_log(agent, job->sender.id, level, "%s sent", step);
    } else {
        tell_log(agent, job->sender.id, level, "%s: %s sent", step, name);
    }
}

static void
save(struct agent *agent, struct job *job, const struct acme_need *need)
{
    struct acme_message message = { .type = ACME_MESSAGE_SAVE_ORDER,
        .id = job->sender.id, .at = need->expires, .fd = -1,
        .text = { acme_bytes_of(need->url) } };

    job->sender.state = ASKING;
    tell(agent, &message);
    tell_log(agent, job->sender.id, ACME_LOG_INFO, "the order is %s",
        need->url);
}

static void
publish(struct agent *agent, struct job *job, const struct acme_need *need)
{
    const char *type = acme_challenge_type_name(need->challenge);
    struct acme_message message = { .type = ACME_MESSAGE_PUBLISH,
        .id = job->sender.id, .fd = -1, .text = {
        acme_bytes_of(need->name), acme_bytes_of(need->token),
        acme_bytes_of(need->url), acme_bytes_of(type) } };

    job->sender.state = ASKING;
    tell(agent, &message);
    tell_log(agent, job->sender.id, ACME_LOG_INFO,
        "challenge: putting up the %s proof for %s", type, need->name);
}

static void
install(struct agent *agent, struct job *job, const struct acme_need *need)
{
    struct acme_message message = { .type = ACME_MESSAGE_CHAIN,
        .id = job->sender.id, .fd = -1, .text = { need->chain } };

    if (need->issuers != NULL) {
        tell_log(agent, job->sender.id, ACME_LOG_WARN, "the CA offers no "
            "chain issued by \"%s\" (acme_preferred_chain), only by %s: its "
            "own choice is taken", job->chain, need->issuers);
    }
    tell_log(agent, job->sender.id, ACME_LOG_INFO, "certificate received; "
        "connections to CAs so far: %lu",
        acme_fetch_connections(agent->fetch));
    tell(agent, &message);
    finish(agent, job);
}

static void
serve_need(struct agent *agent, struct job *job, const struct acme_need *need)
{
    switch (need->type) {
    case ACME_NEED_SEND:
        log_send(agent, job, need->kind);
        sender_begin(&job->sender, need->kind, need->url);
        break;
    case ACME_NEED_SAVE:
        save(agent, job, need);
        break;
    case ACME_NEED_PUBLISH:
        publish(agent, job, need);
        break;
    case ACME_NEED_SLEEP:
        job->sender.state = SLEEPING;
        job->wake_at_ms = need->wake_at_ms;
        break;
    case ACME_NEED_INSTALL:
        install(agent, job, need);
        break;
    }
}

/*
 * What an account ordered is of no use to the one that came after it: such a
 * job begins with a new order.
 */
static bool
begin_order(struct job *job, struct acme_error *err)
{
    struct ca *ca = job->ca;

    if (job->order != NULL && job->accounts_lost != ca->accounts_lost) {
        acme_order_free(job->order);
        job->order = NULL;
        free(job->resume_url);
        job->resume_url = NULL;
    }
    if (job->order == NULL) {
        job->accounts_lost = ca->accounts_lost;
        job->order = acme_order_new(ca->session,
            &(struct acme_order_request) { .names = job->names,
            .name_count = job->name_count, .wish = job->wish,
            .chain = job->chain, .url = job->resume_url,
            .expires = job->resume_expires });
    }
    return job->order != NULL || acme_fail_memory(err);
}

/*
 * Everything but a request at the CA or a question at the keeper waits while
 * the session is not ready: the account it would sign for may be gone.
 */
static bool
may_go_on(struct agent *agent, struct job *job)
{
    switch (job->sender.state) {
    case SLEEPING:
        if (agent->now_ms < job->wake_at_ms) {
            return false;
        }
        break;
    case AWAITING_NONCE:
        if (ca_is_ready(job->ca)) {
            return false;
        }
        break;
    case IDLE:
    case AWAITING_SESSION:
        break;
    case SIGNING:
    case FETCHING:
    case ASKING:
    case FINISHED:
        return false;
    }
    job->sender.state = ca_is_ready(job->ca) ? IDLE : AWAITING_SESSION;
    return job->sender.state == IDLE;
}

/* The one request that this job is. */
static bool
begin_task(struct agent *agent, struct job *job, struct acme_error *err)
{
    const struct acme_session *session = job->ca->session;
    const char *url = job->task == ACME_KIND_KEY_CHANGE
        ? acme_session_key_change_url(session)
        : acme_session_revoke_url(session);

    if (url == NULL) {
        return acme_fail(err, ACME_MISCONFIG, "the CA's directory offers no "
            "%s", acme_kind_name(job->task));
    }
    tell_log(agent, job->sender.id, ACME_LOG_INFO, "%s sent",
        acme_kind_name(job->task));
    sender_begin(&job->sender, job->task, url);
    return true;
}

static void
finish_task(struct agent *agent, struct job *job)
{
    tell_text(agent, ACME_MESSAGE_TASK_DONE, job->sender.id, NULL);
    finish(agent, job);
}

void
agent_job_pump(struct agent *agent, struct job *job)
{
    struct acme_need need;
    struct acme_error why;

    if (!may_go_on(agent, job)) {
        return;
    }
    if (job->task != 0) {
        if (!begin_task(agent, job, &why)) {
            fail_order(agent, job, &why);
        }
        return;
    }
    if (!begin_order(job, &why)
        || !acme_order_next(job->order, agent->now_ms, &need, &why)) {
        fail_order(agent, job, &why);
        return;
    }
    serve_need(agent, job, &need);
}

/* ---- replies */

/*
 * Does the CA not know our account? Then, once, all begins anew. Another job
 * may have found out before us, while this one's request was on its way.
 */
static bool
account_was_lost(struct agent *agent, struct job *job,
    const struct acme_error *why)
{
    if (strcmp(why->problem, "accountDoesNotExist") != 0 || job->restarted) {
        return false;
    }
    if (job->accounts_lost == job->ca->accounts_lost
        && !ca_forget_account(agent, job->ca)) {
        return false;
    }
    job->restarted = true;
    return true;
}

void
agent_job_take_reply(struct agent *agent, struct job *job,
    const struct acme_reply *reply)
{
    struct acme_error why;
    const char *step;

    switch (sender_read(agent, job->ca, &job->sender, reply, &why)) {
    case ACME_READ_OK:
        if (job->task != 0) {
            finish_task(agent, job);
            return;
        }
        if (acme_order_reply(job->order, agent->now_ms, reply, &why)) {
            return;
        }
        break;
    case ACME_READ_REPEAT:
        return;
    case ACME_READ_FAILED:
        if (job->task != 0) {
            break;
        }
        if (account_was_lost(agent, job, &why)) {
            return;
        }
        step = acme_order_step(job->order);
        if (acme_order_failed(job->order, &why)) {
            tell_log(agent, job->sender.id, ACME_LOG_DEBUG,
                "%s: %s; going on all the same", step, why.text);
            return;
        }
        break;
    }
    fail_order(agent, job, &why);
}

/* ---- the keeper's answers */

void
agent_job_take_signed(struct agent *agent, struct job *job,
    struct acme_bytes body)
{
    struct acme_error why;

    if (job->sender.state == SIGNING
        && !sender_post(agent, job->ca, &job->sender, body, &why)) {
        fail_order(agent, job, &why);
    }
}

void
agent_job_take_done(struct job *job, bool told)
{
    if (job->sender.state == ASKING) {
        acme_order_done(job->order, told);
        job->sender.state = IDLE;
    }
}

void
agent_job_take_refused(struct agent *agent, struct job *job,
    const struct acme_message *message)
{
    struct acme_error err;

    if (job->sender.state != SIGNING && job->sender.state != ASKING) {
        return;
    }
    refusal_read(message, &err);
    job->sender.state = IDLE;
    if (job->task != 0 || !acme_order_failed(job->order, &err)) {
        fail_order(agent, job, &err);
    }
}
