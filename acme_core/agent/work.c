/*
 * Jobs (one order each) and CAs (one session each). A job and a session send
 * the same way: a nonce, the keeper's signature, a POST. Knows no key and no
 * file; what is signed is the keeper's business.
 */

#include "agent/work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "protocol/order.h"
#include "protocol/session.h"

enum {
    JOBS_MAX = 512,
    CAS_MAX = 1000,
    NAMES_MAX = 100,
    REPEATS_MAX = 20,         /* of badNonce */
    TRUST_MAX = 1024 * 1024
};

/* Where a sender is. Only one thing is under way at a time. */
enum state {
    IDLE,              /* look at what is needed */
    AWAITING_SESSION,  /* jobs: directory or account first */
    AWAITING_NONCE,
    SIGNING,           /* the keeper has it */
    FETCHING,          /* the CA has it */
    ASKING,            /* the keeper saves or publishes */
    SLEEPING
};

/* What a job and a session have in common: one request at a time. */
struct sender {
    uint32_t id;
    enum state state;
    enum acme_kind kind;
    char url[ACME_URL_MAX + 1];
    unsigned repeats;
    unsigned epoch;           /* of the account that signed it */
};

struct ca {
    struct sender sender;
    struct acme_session *session;
    struct acme_buffer trust;
    char user_agent[256];
    unsigned nonces_coming;   /* HEAD newNonce under way */
    unsigned epoch;           /* counts accounts */
};

struct job {
    struct sender sender;
    struct ca *ca;
    struct acme_order *order; /* NULL until the session is ready */
    char *names_text;         /* names point into it */
    const char *names[NAMES_MAX];
    size_t name_count;
    char *resume_url;         /* or NULL */
    bool restarted;           /* after the CA had lost our account */
    int64_t wake_at_ms;
};

struct work {
    struct acme_fetch *fetch;
    struct acme_channel *channel;
    struct ca *cas[CAS_MAX];
    size_t ca_count;
    struct job *jobs[JOBS_MAX];
    size_t job_count;
    int64_t now_ms;
};

/* What a transfer is for is in the upper half of its tag. */
enum purpose { FOR_SENDER = 1, FOR_NONCE };

static uint64_t
tag_of(enum purpose purpose, uint32_t id)
{
    return (uint64_t) purpose << 32 | id;
}

/* ---- new, free, find */

struct work *
work_new(struct acme_fetch *fetch, struct acme_channel *channel)
{
    struct work *work = calloc(1, sizeof(*work));

    if (work != NULL) {
        work->fetch = fetch;
        work->channel = channel;
    }
    return work;
}

static void
free_job(struct job *job)
{
    acme_order_free(job->order);
    free(job->names_text);
    free(job->resume_url);
    free(job);
}

static void
free_ca(struct ca *ca)
{
    acme_session_free(ca->session);
    acme_buffer_free(&ca->trust);
    free(ca);
}

void
work_free(struct work *work)
{
    if (work == NULL) {
        return;
    }
    for (size_t i = 0; i < work->job_count; i++) {
        free_job(work->jobs[i]);
    }
    for (size_t i = 0; i < work->ca_count; i++) {
        free_ca(work->cas[i]);
    }
    free(work);
}

static struct ca *
find_ca(const struct work *work, uint32_t id)
{
    for (size_t i = 0; i < work->ca_count; i++) {
        if (work->cas[i]->sender.id == id) {
            return work->cas[i];
        }
    }
    return NULL;
}

static struct job *
find_job(const struct work *work, uint32_t id)
{
    for (size_t i = 0; i < work->job_count; i++) {
        if (work->jobs[i]->sender.id == id) {
            return work->jobs[i];
        }
    }
    return NULL;
}

static void
drop_job(struct work *work, struct job *job)
{
    for (size_t i = 0; i < work->job_count; i++) {
        if (work->jobs[i] == job) {
            work->jobs[i] = work->jobs[--work->job_count];
            break;
        }
    }
    acme_fetch_cancel(work->fetch, tag_of(FOR_SENDER, job->sender.id));
    free_job(job);
}

/* ---- words to the keeper */

static bool
tell(struct work *work, enum acme_message_type type, uint32_t id,
    uint32_t number, const char *first, const char *second, const char *third,
    struct acme_error *err)
{
    struct acme_message message = { .type = type, .id = id, .number = number,
        .fd = -1, .text = { acme_bytes_of(first), acme_bytes_of(second),
        acme_bytes_of(third) } };

    return acme_channel_send(work->channel, &message, err);
}

static bool
tell_log(struct work *work, uint32_t id, const char *text,
    struct acme_error *err)
{
    return tell(work, ACME_MESSAGE_LOG, id, ACME_LOG_INFO, text, NULL, NULL,
        err);
}

/* The end of a job that did not get its certificate. */
static bool
fail_job(struct work *work, struct job *job, const struct acme_error *why,
    struct acme_error *err)
{
    struct acme_message message = { .type = ACME_MESSAGE_FAILED,
        .id = job->sender.id, .number = why->verdict, .fd = -1,
        .status = why->http_status > 0 ? (uint32_t) why->http_status : 0,
        .at = why->retry_at };
    bool ok;

    message.text[0] = acme_bytes_of(why->problem);
    message.text[1] = acme_bytes_of(why->name);
    message.text[2] = acme_bytes_of(why->text);
    message.text[3] = acme_bytes_of(job->order != NULL
        ? acme_order_step(job->order) : "account");
    ok = acme_channel_send(work->channel, &message, err);
    drop_job(work, job);
    return ok;
}

/* A step of the session failed: so have the orders that wait for it. */
static bool
fail_session(struct work *work, struct ca *ca, const struct acme_error *why,
    struct acme_error *err)
{
    ca->sender.state = IDLE;
    for (size_t i = work->job_count; i-- > 0;) {
        struct job *job = work->jobs[i];

        if (job->ca == ca && job->sender.state == AWAITING_SESSION
            && !fail_job(work, job, why, err)) {
            return false;
        }
    }
    return true;
}

/* ---- sending: nonce, signature, POST */

static void
begin_request(struct sender *sender, enum acme_kind kind, const char *url)
{
    sender->state = AWAITING_NONCE;
    sender->kind = kind;
    sender->repeats = 0;
    snprintf(sender->url, sizeof(sender->url), "%s", url);
}

static bool
fetch(struct work *work, const struct ca *ca, uint64_t tag, int method,
    const char *url, struct acme_bytes body, struct acme_error *err)
{
    struct acme_fetch_request request = { .tag = tag, .url = url,
        .body = body, .trust = acme_buffer_bytes(&ca->trust),
        .user_agent = ca->user_agent, .follow = method == ACME_FETCH_GET };

    request.method = method;
    return acme_fetch_start(work->fetch, &request, err);
}

/* With a nonce, ask for the signature; without, stay. */
static bool
use_nonce(struct work *work, struct ca *ca, struct sender *sender,
    struct acme_error *err)
{
    char nonce[257];

    if (!acme_session_take_nonce(ca->session, work->now_ms, nonce)) {
        return true;
    }
    sender->state = SIGNING;
    sender->epoch = ca->epoch;
    return tell(work, ACME_MESSAGE_SIGN, sender->id, sender->kind,
        sender->url, nonce, NULL, err);
}

static unsigned
count_waiting(const struct work *work, const struct ca *ca)
{
    unsigned count = ca->sender.state == AWAITING_NONCE;

    for (size_t i = 0; i < work->job_count; i++) {
        count += work->jobs[i]->ca == ca
            && work->jobs[i]->sender.state == AWAITING_NONCE;
    }
    return count;
}

/* As many newNonce requests under way as there are senders waiting. */
static bool
fetch_nonces(struct work *work, struct ca *ca, struct acme_error *err)
{
    unsigned waiting = count_waiting(work, ca);
    struct acme_bytes none = { 0 };

    while (ca->nonces_coming < waiting) {
        if (!fetch(work, ca, tag_of(FOR_NONCE, ca->sender.id),
                ACME_FETCH_HEAD, acme_session_new_nonce_url(ca->session),
                none, err)) {
            return false;
        }
        ca->nonces_coming++;
    }
    return true;
}

/* The keeper's signature for whoever asked. */
static bool
take_signed(struct work *work, const struct acme_message *message,
    struct acme_error *err)
{
    struct job *job = find_job(work, message->id);
    struct ca *ca = job != NULL ? job->ca : find_ca(work, message->id);
    struct sender *sender = job != NULL ? &job->sender : &ca->sender;

    if (ca == NULL || sender->state != SIGNING) {
        return true;  /* of a job that has ended */
    }
    sender->state = FETCHING;
    return fetch(work, ca, tag_of(FOR_SENDER, sender->id), ACME_FETCH_POST,
        sender->url, message->text[0], err);
}

/* ---- sessions */

static bool
say_directory(struct work *work, struct ca *ca, struct acme_error *err)
{
    struct acme_message message = { .type = ACME_MESSAGE_DIRECTORY,
        .id = ca->sender.id, .fd = -1 };

    message.text[0] = acme_bytes_of(acme_session_directory(ca->session));
    message.text[1] = acme_bytes_of(acme_session_urls(ca->session));
    message.text[2] = acme_bytes_of(acme_session_new_account_url(
        ca->session));
    message.text[3] = acme_bytes_of(acme_session_new_order_url(ca->session));
    ca->sender.state = ASKING;
    return acme_channel_send(work->channel, &message, err);
}

static bool
pump_session(struct work *work, struct ca *ca, struct acme_error *err)
{
    struct acme_bytes none = { 0 };
    const char *url;

    switch (acme_session_next(ca->session, &url)) {
    case ACME_SESSION_READY:
        return true;
    case ACME_SESSION_GET_DIRECTORY:
        ca->sender.state = FETCHING;
        return fetch(work, ca, tag_of(FOR_SENDER, ca->sender.id),
            ACME_FETCH_GET, url, none, err);
    case ACME_SESSION_SAY_DIRECTORY:
        return say_directory(work, ca, err);
    case ACME_SESSION_NEW_ACCOUNT:
        begin_request(&ca->sender, ACME_KIND_NEW_ACCOUNT, url);
        return true;
    case ACME_SESSION_SAVE_ACCOUNT:
        ca->sender.state = ASKING;
        return tell(work, ACME_MESSAGE_SAVE_ACCOUNT, ca->sender.id, 0,
            acme_session_account(ca->session), NULL, NULL, err);
    }
    return true;
}

static bool
is_ready(const struct ca *ca)
{
    const char *url;

    return acme_session_next(ca->session, &url) == ACME_SESSION_READY;
}

static bool
take_session_reply(struct work *work, struct ca *ca,
    const struct acme_reply *reply, struct acme_error *err)
{
    struct acme_error why;

    ca->sender.state = IDLE;
    switch (acme_session_read(ca->session, work->now_ms, reply, &why)) {
    case ACME_READ_OK:
        if (acme_session_reply(ca->session, work->now_ms, reply, &why)) {
            return true;
        }
        break;
    case ACME_READ_REPEAT:
        if (ca->sender.repeats++ < REPEATS_MAX) {
            ca->sender.state = AWAITING_NONCE;
            return true;
        }
        acme_fail(&why, ACME_RETRY, "the CA refused %d nonces in a row",
            REPEATS_MAX);
        break;
    case ACME_READ_FAILED:
        break;
    }
    return fail_session(work, ca, &why, err);
}

/* A nonce, or the reason why there is none: whoever waits hears of it. */
static bool
take_nonce_reply(struct work *work, struct ca *ca,
    const struct acme_reply *reply, struct acme_error *err)
{
    struct acme_error why = { 0 };
    bool got = acme_session_read(ca->session, work->now_ms, reply, &why)
        != ACME_READ_FAILED && reply->headers.nonce[0] != '\0';

    ca->nonces_coming--;
    if (got) {
        return true;
    }
    if (why.text[0] == '\0') {
        acme_fail(&why, ACME_PEER_BROKE, "the CA gave no nonce");
    }
    if (ca->sender.state == AWAITING_NONCE) {
        return fail_session(work, ca, &why, err);
    }
    for (size_t i = work->job_count; i-- > 0;) {
        if (work->jobs[i]->ca == ca
            && work->jobs[i]->sender.state == AWAITING_NONCE) {
            return fail_job(work, work->jobs[i], &why, err);
        }
    }
    return true;
}

/* ---- jobs */

/* The CA does not know our account: register again, order anew, once. */
static bool
account_was_lost(struct work *work, struct job *job,
    const struct acme_error *why)
{
    struct ca *ca = job->ca;

    if (strcmp(why->problem, "accountDoesNotExist") != 0 || job->restarted) {
        return false;
    }
    /* another job may have found out before us */
    if (job->sender.epoch == ca->epoch) {
        if (!acme_session_forget_account(ca->session, work->now_ms)) {
            return false;
        }
        ca->epoch++;
    }
    acme_order_free(job->order);
    free(job->resume_url);
    job->order = NULL;
    job->resume_url = NULL;
    job->restarted = true;
    job->sender.state = AWAITING_SESSION;
    return true;
}

static bool
take_job_reply(struct work *work, struct job *job,
    const struct acme_reply *reply, struct acme_error *err)
{
    struct acme_error why;

    job->sender.state = IDLE;
    switch (acme_session_read(job->ca->session, work->now_ms, reply, &why)) {
    case ACME_READ_OK:
        if (acme_order_reply(job->order, work->now_ms, reply, &why)) {
            return true;
        }
        break;
    case ACME_READ_REPEAT:
        if (job->sender.repeats++ < REPEATS_MAX) {
            job->sender.state = AWAITING_NONCE;
            return true;
        }
        acme_fail(&why, ACME_RETRY, "the CA refused %d nonces in a row",
            REPEATS_MAX);
        break;
    case ACME_READ_FAILED:
        if (account_was_lost(work, job, &why)
            || acme_order_failed(job->order, &why)) {
            return true;
        }
        break;
    }
    return fail_job(work, job, &why, err);
}

/* The happy end of a job. */
static bool
hand_over_chain(struct work *work, struct job *job, struct acme_bytes chain,
    struct acme_error *err)
{
    struct acme_message message = { .type = ACME_MESSAGE_CHAIN,
        .id = job->sender.id, .fd = -1, .text = { chain } };
    bool ok = acme_channel_send(work->channel, &message, err);

    drop_job(work, job);
    return ok;
}

/* Do what the order needs next. */
static bool
serve_need(struct work *work, struct job *job, const struct acme_need *need,
    struct acme_error *err)
{
    char text[512];

    switch (need->type) {
    case ACME_NEED_SEND:
        snprintf(text, sizeof(text), "%s: %s", acme_order_step(job->order),
            acme_kind_name(need->kind));
        begin_request(&job->sender, need->kind, need->url);
        return tell_log(work, job->sender.id, text, err);
    case ACME_NEED_SAVE:
        job->sender.state = ASKING;
        return tell(work, ACME_MESSAGE_SAVE_ORDER, job->sender.id, 0,
            need->url, NULL, NULL, err);
    case ACME_NEED_PUBLISH:
        job->sender.state = ASKING;
        return tell(work, ACME_MESSAGE_PUBLISH, job->sender.id, 0, need->name,
            need->token, need->url, err);
    case ACME_NEED_SLEEP:
        job->sender.state = SLEEPING;
        job->wake_at_ms = need->wake_at_ms;
        return true;
    case ACME_NEED_INSTALL:
        return hand_over_chain(work, job, need->chain, err);
    }
    return true;
}

static bool
pump_job(struct work *work, struct job *job, struct acme_error *err)
{
    struct sender *sender = &job->sender;
    struct acme_error why;
    struct acme_need need;

    if (sender->state == SLEEPING && work->now_ms >= job->wake_at_ms) {
        sender->state = IDLE;
    }
    if (sender->state == IDLE && !is_ready(job->ca)) {
        sender->state = AWAITING_SESSION;
    }
    if (sender->state == AWAITING_SESSION && is_ready(job->ca)) {
        sender->state = IDLE;
    }
    if (sender->state != IDLE) {
        return true;
    }
    if (job->order == NULL) {
        job->order = acme_order_new(job->ca->session, job->names,
            job->name_count, job->resume_url);
        if (job->order == NULL) {
            acme_fail_memory(&why);
            return fail_job(work, job, &why, err);
        }
    }
    if (!acme_order_next(job->order, work->now_ms, &need, &why)) {
        return fail_job(work, job, &why, err);
    }
    return serve_need(work, job, &need, err);
}

/* ---- messages */

static bool
read_trust(int fd, struct acme_buffer *trust, struct acme_error *err)
{
    char part[4096];
    off_t at = 0;
    ssize_t len;

    while ((len = pread(fd, part, sizeof(part), at)) > 0) {
        if (!acme_buffer_add(trust, part, (size_t) len)) {
            return acme_fail(err, ACME_PEER_BROKE,
                "more than %d bytes of trusted roots", TRUST_MAX);
        }
        at += len;
    }
    return len == 0 || acme_fail_sys(err, "reading the trusted roots");
}

/* A CA that is told of again (other roots, another account) begins anew. */
static bool
take_ca(struct work *work, const struct acme_message *message,
    struct acme_error *err)
{
    char url[ACME_URL_MAX + 1], account[ACME_URL_MAX + 1], server[200];
    struct ca *ca;

    if (!acme_message_text(message, 0, url, sizeof(url))
        || !acme_message_text(message, 1, account, sizeof(account))
        || !acme_message_text(message, 2, server, sizeof(server))
        || work->ca_count == CAS_MAX || find_ca(work, message->id) != NULL) {
        return acme_fail(err, ACME_PEER_BROKE, "a CA that cannot be taken");
    }
    ca = calloc(1, sizeof(*ca));
    if (ca == NULL) {
        return acme_fail_memory(err);
    }
    ca->sender.id = message->id;
    ca->trust.limit = TRUST_MAX;
    snprintf(ca->user_agent, sizeof(ca->user_agent), "acme-helper/1 %s",
        server);
    ca->session = acme_session_new(url, account[0] != '\0' ? account : NULL);
    if (ca->session == NULL) {
        free_ca(ca);
        return acme_fail_memory(err);
    }
    if (message->fd >= 0 && !read_trust(message->fd, &ca->trust, err)) {
        free_ca(ca);
        return false;
    }
    work->cas[work->ca_count++] = ca;
    return true;
}

/* The names, a line each, as an array that points into the job's copy. */
static bool
read_names(struct job *job, struct acme_bytes text)
{
    char *rest, *name;

    job->names_text = strndup((const char *) text.at, text.len);
    rest = job->names_text;
    while (rest != NULL && (name = strsep(&rest, "\n")) != NULL) {
        if (job->name_count == NAMES_MAX) {
            return false;
        }
        job->names[job->name_count++] = name;
    }
    return job->name_count > 0;
}

static bool
take_order(struct work *work, const struct acme_message *message,
    struct acme_error *err)
{
    char url[ACME_URL_MAX + 1];
    struct job *job = calloc(1, sizeof(*job));

    if (job == NULL) {
        return acme_fail_memory(err);
    }
    job->sender.id = message->id;
    job->sender.state = AWAITING_SESSION;
    job->ca = find_ca(work, message->number);
    if (job->ca == NULL || work->job_count == JOBS_MAX
        || !read_names(job, message->text[0])
        || !acme_message_text(message, 1, url, sizeof(url))) {
        free_job(job);
        return acme_fail(err, ACME_PEER_BROKE,
            "an order that cannot be taken");
    }
    job->resume_url = url[0] != '\0' ? strdup(url) : NULL;
    work->jobs[work->job_count++] = job;
    return true;
}

static bool
take_done(struct work *work, const struct acme_message *message,
    struct acme_error *err)
{
    struct job *job = find_job(work, message->id);
    struct ca *ca = find_ca(work, message->id);

    (void) err;
    if (job != NULL && job->sender.state == ASKING) {
        acme_order_done(job->order);
        job->sender.state = IDLE;
    } else if (ca != NULL && ca->sender.state == ASKING) {
        acme_session_done(ca->session);
        ca->sender.state = IDLE;
    }
    return true;
}

static bool
take_refused(struct work *work, const struct acme_message *message,
    struct acme_error *err)
{
    struct job *job = find_job(work, message->id);
    struct ca *ca = find_ca(work, message->id);
    struct acme_error why;
    char text[512];

    acme_log_escape(text, sizeof(text), message->text[0]);
    acme_fail(&why, ACME_RETRY, "%s", text);
    if (job != NULL) {
        return fail_job(work, job, &why, err);
    }
    return ca == NULL || fail_session(work, ca, &why, err);
}

static bool
take_cancel(struct work *work, const struct acme_message *message,
    struct acme_error *err)
{
    struct job *job = find_job(work, message->id);

    (void) err;
    if (job != NULL) {
        drop_job(work, job);
    }
    return true;
}

static const struct {
    enum acme_message_type type;
    bool (*take)(struct work *, const struct acme_message *,
        struct acme_error *);
} takers[] = {
    { ACME_MESSAGE_CA, take_ca },
    { ACME_MESSAGE_ORDER, take_order },
    { ACME_MESSAGE_CANCEL, take_cancel },
    { ACME_MESSAGE_SIGNED, take_signed },
    { ACME_MESSAGE_DONE, take_done },
    { ACME_MESSAGE_REFUSED, take_refused },
};

bool
work_take_message(struct work *work, const struct acme_message *message,
    struct acme_error *err)
{
    bool ok = true;

    for (size_t i = 0; i < sizeof(takers) / sizeof(*takers); i++) {
        if (takers[i].type == message->type) {
            ok = takers[i].take(work, message, err);
        }
    }
    if (message->fd >= 0) {
        close(message->fd);
    }
    return ok;
}

/* ---- for the loop */

bool
work_take_reply(struct work *work, uint64_t tag,
    const struct acme_reply *reply, int64_t now_ms, struct acme_error *err)
{
    uint32_t id = (uint32_t) tag;
    struct job *job = find_job(work, id);
    struct ca *ca = find_ca(work, id);

    work->now_ms = now_ms;
    if (tag >> 32 == FOR_NONCE) {
        return ca == NULL || take_nonce_reply(work, ca, reply, err);
    }
    if (job != NULL) {
        return take_job_reply(work, job, reply, err);
    }
    return ca == NULL || take_session_reply(work, ca, reply, err);
}

/* Is there a job that this CA's session keeps waiting? */
static bool
is_wanted(const struct work *work, const struct ca *ca)
{
    for (size_t i = 0; i < work->job_count; i++) {
        if (work->jobs[i]->ca == ca
            && work->jobs[i]->sender.state == AWAITING_SESSION) {
            return true;
        }
    }
    return false;
}

/* Nonces go to the session first: all its orders wait for it. */
static bool
serve_nonces(struct work *work, struct ca *ca, struct acme_error *err)
{
    bool ok = ca->sender.state != AWAITING_NONCE
        || use_nonce(work, ca, &ca->sender, err);

    for (size_t i = 0; ok && i < work->job_count; i++) {
        struct job *job = work->jobs[i];

        if (job->ca == ca && job->sender.state == AWAITING_NONCE) {
            ok = use_nonce(work, ca, &job->sender, err);
        }
    }
    return ok && fetch_nonces(work, ca, err);
}

bool
work_pump(struct work *work, int64_t now_ms, struct acme_error *err)
{
    bool ok = true;

    work->now_ms = now_ms;
    /* backwards: a job that ends makes room for the last one */
    for (size_t i = work->job_count; ok && i-- > 0;) {
        ok = pump_job(work, work->jobs[i], err);
    }
    for (size_t i = 0; ok && i < work->ca_count; i++) {
        struct ca *ca = work->cas[i];

        if (ca->sender.state == IDLE && is_wanted(work, ca)) {
            ok = pump_session(work, ca, err);
        }
        ok = ok && serve_nonces(work, ca, err);
    }
    return ok;
}

int
work_timeout_ms(const struct work *work, int64_t now_ms)
{
    int64_t least = INT64_MAX;

    for (size_t i = 0; i < work->job_count; i++) {
        const struct job *job = work->jobs[i];
        const struct ca *ca = job->ca;

        if (job->sender.state == SLEEPING && job->wake_at_ms < least) {
            least = job->wake_at_ms;
        }
        /* one that can go on at once */
        if (job->sender.state == IDLE
            || (job->sender.state == AWAITING_SESSION
                && ca->sender.state == IDLE)) {
            return 0;
        }
    }
    if (least == INT64_MAX) {
        return -1;
    }
    return least <= now_ms ? 0
        : least - now_ms > 3600000 ? 3600000 : (int) (least - now_ms);
}
