/*
 * The keeper's loop: the supervisor, the agent, key makers, the control
 * socket and the clock. What each of them means is in the other files.
 */

#include "keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "keeper/account.h"
#include "keeper/answer.h"
#include "keeper/choice.h"
#include "keeper/control.h"
#include "keeper/deploy.h"
#include "keeper/attempt.h"
#include "keeper/event.h"
#include "keeper/event_queue.h"
#include "keeper/follow.h"
#include "keeper/pending.h"
#include "keeper/prove.h"
#include "keeper/quota.h"
#include "keeper/renewal.h"
#include "keeper/state.h"
#include "keeper/supervised.h"
#include "keeper/task.h"

enum {
    STORE_RETRY_MS = 500,       /* another keeper has the lock */
    STORE_BROKEN_MS = 30000,    /* the operator has to mend something */
    STORE_COURTESY_MS = 5000,   /* the lock is free: another one's turn */
    STRANGER_HAS_IT_S = 3,      /* our server's last keeper ends sooner */
    AGENT_MESSAGES_A_TURN = 256,
    AGENT_IDLE_S = 20,          /* then one without orders is let go */
    AGENT_SILENT_S = 30 * 60,   /* then one with orders hangs: it polls */
    CLOCK_JITTER_S = 10         /* not worth a thought, when it is set */
};

/* ---- starting */

static int64_t
clock_now(void)
{
    return (int64_t) time(NULL);
}

/* Since the machine was started, asleep or not: nobody sets that. */
static int64_t
uptime_now(void)
{
    struct timespec at;

    clock_gettime(CLOCK_BOOTTIME, &at);
    return (int64_t) at.tv_sec;
}

/*
 * Look at the clock. Where it was set (a machine without a battery may come up
 * with any time), what was to happen after a while moves along, and what is
 * due at some time is reckoned anew.
 */
static void
read_clock(struct keeper *keeper)
{
    int64_t now = clock_now(), uptime = uptime_now();
    int64_t set_by = now - keeper->now - (uptime - keeper->uptime);
    bool first = keeper->now == 0;

    keeper->now = now;
    keeper->uptime = uptime;
    if (first || (set_by <= CLOCK_JITTER_S && set_by >= -CLOCK_JITTER_S)) {
        return;
    }
    acme_log(&keeper->log, ACME_LOG_NOTICE,
        "the clock was set %s by %lld seconds", set_by < 0 ? "back" : "ahead",
        (long long) (set_by < 0 ? -set_by : set_by));
    keeper->agent_start_at += set_by;
    keeper->agent_heard_at += set_by;
    keeper->loaded_ms += set_by * 1000;
    if (keeper->store != NULL) {
        acme_store_note_load(keeper->store, keeper->loaded_ms / 1000);
    }
    deploy_clock_set_back(keeper, -set_by);
    event_queue_clock_set_back(keeper, -set_by);
    prove_clock_set_back(keeper, -set_by);
    for (size_t i = 0; i < keeper->job_count; i++) {
        attempt_reschedule(&keeper->jobs[i], keeper);
    }
}

/* In the time to come, it says nothing: the clock was set back since. */
static int64_t
load_time(int64_t loaded_ms)
{
    return loaded_ms / 1000 <= clock_now() + CLOCK_JITTER_S ? loaded_ms : 0;
}

/*
 * Words that come while we wait for the store: most are for a keeper that has
 * it. False: the supervisor is gone.
 */
static bool
take_word(struct keeper *keeper)
{
    char letter;
    int child_fd;

    if (!acme_supervised_next(keeper->supervisor_fd, &letter, &child_fd)) {
        return false;
    }
    if (letter == ACME_TELL_RELOAD) {
        keeper->loaded_ms = clock_now() * 1000;
        keeper->reloaded = true;
        (void) deploy_reloaded(keeper);
    } else if (letter == ACME_ASK_CHECK) {
        deploy_watch_check(keeper, child_fd);
    } else if (child_fd >= 0) {
        close(child_fd);
    }
    return true;
}

/* Sleep, yet end at once when the supervisor does. */
static bool
wait_ms(struct keeper *keeper, int timeout_ms)
{
    struct pollfd fds[] = {
        { keeper->supervisor_fd, POLLIN, 0 },
        { keeper->deploy.check_fd, POLLIN, 0 },
    };

    if (poll(fds, 2, timeout_ms) <= 0) {
        return true;
    }
    if (fds[1].revents != 0) {
        deploy_take_check(keeper);
    }
    return fds[0].revents == 0 || take_word(keeper);
}

/*
 * Another server's keeper had the store, and has just ended. That may be a
 * reload of that server or an accident: its next keeper, which knows names
 * that we do not, goes first.
 */
static bool
lets_another_go_first(const struct keeper *keeper)
{
    return keeper->followed_at != 0
        && keeper->now - keeper->followed_at >= STRANGER_HAS_IT_S;
}

/* Its lock goes too. It is opened anew: it may have been removed. */
static void
leave_store(struct keeper *keeper)
{
    acme_store_close(keeper->store);
    keeper->store = NULL;
}

/*
 * Open and lock the store, for as long as it takes: another keeper may have it
 * (a reload or upgrade is under way, or a second server shares it), or the
 * operator has to mend something. Each reason is logged once.
 */
static bool
take_store(struct keeper *keeper)
{
    char said[sizeof(((struct acme_error *) 0)->text)] = "";
    struct acme_error err;
    bool polite = false;

    for (;;) {
        bool busy = false;

        if (keeper->store == NULL) {
            keeper->store = acme_store_open(keeper->settings->state_path,
                &err);
        }
        if (keeper->store != NULL) {
            if (acme_store_lock(keeper->store, &err)) {
                if (polite || !lets_another_go_first(keeper)) {
                    return true;
                }
                polite = true;
                leave_store(keeper);
                if (!wait_ms(keeper, STORE_COURTESY_MS)) {
                    return false;
                }
                continue;
            }
            busy = err.sys == EWOULDBLOCK;
            polite = polite && !busy;
        }
        if (busy) {
            read_clock(keeper);
            follow(keeper);
        } else {
            leave_store(keeper);
        }
        if (strcmp(said, err.text) != 0) {
            acme_log_always(&keeper->log,
                busy ? ACME_LOG_NOTICE : ACME_LOG_ERROR,
                busy ? "waiting: %s" : "no certificate can be obtained: %s",
                err.text);
            strcpy(said, err.text);
        }
        if (!wait_ms(keeper, busy ? STORE_RETRY_MS : STORE_BROKEN_MS)) {
            return false;
        }
    }
}

static void
log_doubt(void *ctx, const char *text)
{
    const struct keeper *keeper = ctx;

    acme_log(&keeper->log, ACME_LOG_WARN, "%s", text);
}

/* Is this token of an order that we go on with? */
static bool
is_wanted(void *ctx, struct acme_bytes token)
{
    const struct keeper *keeper = ctx;

    for (size_t i = 0; i < keeper->job_count; i++) {
        if (pending_has_token(&keeper->jobs[i], token)) {
            return true;
        }
    }
    return false;
}

static void
make_jobs(struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->settings->cert_count; i++) {
        const struct acme_settings_cert *cert = &keeper->settings->certs[i];
        size_t count = acme_settings_key_count(cert);
        struct job *first = &keeper->jobs[keeper->job_count];

        for (size_t half = 0; half < count; half++) {
            struct job *job = &first[half];

            job->half = half;
            job->other = count == 2 ? &first[1 - half] : NULL;
            attempt_init(job, keeper, cert);
            keeper->job_count++;
        }
    }
}

static bool
prepare(struct keeper *keeper, struct acme_error *err)
{
    struct acme_settings *settings = keeper->settings;

    keeper->accounts = calloc(settings->ca_count + 1,
        sizeof(*keeper->accounts));
    keeper->jobs = calloc(settings->cert_count * ACME_KEYS_MAX + 1,
        sizeof(*keeper->jobs));
    if (keeper->accounts == NULL || keeper->jobs == NULL) {
        return acme_fail_memory(err);
    }
    keeper->page = acme_page_map_writer(keeper->page_fd, err);
    if (keeper->page == NULL) {
        return acme_while(err, "the shared page");
    }
    for (size_t i = 0; i < settings->ca_count; i++) {
        account_init(&keeper->accounts[i], &settings->cas[i],
            (uint32_t) i + 1, &keeper->log);
    }
    read_clock(keeper);
    acme_store_note_load(keeper->store, keeper->loaded_ms / 1000);
    event_queue_open(keeper);
    quota_load(keeper);
    make_jobs(keeper);
    event_catch_up(keeper);
    for (size_t i = 0; i < keeper->job_count; i++) {
        struct job *job = &keeper->jobs[i];
        bool loaded = !follow_landed_since_load(keeper, job->cert);

        if (job->served && job->half == 0 && !loaded) {
            deploy_landed(keeper, true, 0);  /* the server has not seen it */
        }
        prove_init(job, keeper, loaded);
    }
    acme_page_sweep(keeper->page, is_wanted, keeper);
    acme_store_doubts(keeper->store, log_doubt, keeper);
    keeper->control_fd = control_open(settings->state_path, err);
    if (keeper->control_fd < 0) {
        acme_log(&keeper->log, ACME_LOG_WARN, "%s", err->text);
    }
    return true;
}

/*
 * What failed may be tried early after a reload; after a start, which may be
 * an accident, only what an operator may have mended meanwhile.
 */
static void
encourage_all(struct keeper *keeper, bool only_misconfigured)
{
    for (size_t i = 0; i < keeper->settings->ca_count; i++) {
        struct account *account = &keeper->accounts[i];

        if (!account_has_order(account, keeper)
            && keeper->task.account != account) {
            account_look_again(account, keeper->store);
        }
    }
    for (size_t i = 0; i < keeper->job_count; i++) {
        if (!only_misconfigured || keeper->jobs[i].plan.misconfigured) {
            attempt_encourage(&keeper->jobs[i], keeper);
        }
    }
}

static void
release(struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->job_count; i++) {
        attempt_free(&keeper->jobs[i]);
    }
    for (size_t i = 0; keeper->accounts != NULL
         && i < keeper->settings->ca_count; i++) {
        account_free(&keeper->accounts[i]);
    }
    event_queue_close(keeper);
    free(keeper->jobs);
    free(keeper->accounts);
    acme_limits_free(&keeper->limits);
    acme_channel_free(keeper->agent);
    task_forget(keeper);
    control_close(keeper);
    acme_page_unmap(keeper->page);
    acme_store_close(keeper->store);
}

/* ---- children */

static bool
has_work(const struct keeper *keeper)
{
    return keeper->active_count > 0 || keeper->task.kind != 0
        || renewal_wants_agent(keeper) || prove_wants_agent(keeper);
}

/*
 * An agent is there as long as there is work for it; one that died gets a
 * successor after 1 s, 2 s ... a minute.
 */
static void
want_agent(struct keeper *keeper)
{
    struct acme_error err;

    if (keeper->agent != NULL || keeper->agent_asked
        || !has_work(keeper) || keeper->now < keeper->agent_start_at) {
        return;
    }
    if (acme_supervised_ask(keeper->supervisor_fd, ACME_ASK_AGENT,
            keeper->settings->user, &err)) {
        keeper->agent_asked = true;
        return;
    }
    acme_log(&keeper->log, ACME_LOG_ERROR, "no agent: %s", err.text);
    keeper->agent_start_at = keeper->now + 1;
}

/* What it was told goes with it; it ends when our end is closed. */
static void
drop_agent(struct keeper *keeper)
{
    acme_channel_free(keeper->agent);
    keeper->agent = NULL;
    for (size_t i = 0; i < keeper->settings->ca_count; i++) {
        keeper->accounts[i].announced = false;
    }
}

static void
agent_lost(struct keeper *keeper, const struct acme_error *err)
{
    int64_t pause = 1;

    acme_log_always(&keeper->log, ACME_LOG_ERROR,
        "the agent is gone (%s); a new one goes on with its orders",
        err->text);
    drop_agent(keeper);
    for (unsigned i = 0; i < keeper->agent_deaths && pause < 60; i++) {
        pause *= 2;
    }
    keeper->agent_deaths++;
    keeper->agent_start_at = keeper->now + (pause < 60 ? pause : 60);
    /* backwards, because a job that fails leaves the list */
    for (size_t i = keeper->active_count; i-- > 0;) {
        attempt_agent_lost(keeper->active[i], keeper);
    }
    renewal_agent_lost(keeper);
    prove_agent_lost(keeper);
    task_agent_lost(keeper, err);
}

/* Has the agent something to do? */
static bool
is_waited_for(const struct keeper *keeper)
{
    return keeper->active_count > 0 || keeper->task.kind != 0
        || renewal_waits_for_agent(keeper) || prove_waits_for_agent(keeper);
}

/* When the agent is to go: without work, or silent over it. */
static int64_t
agent_end_at(const struct keeper *keeper)
{
    int64_t patience = AGENT_SILENT_S;

    if (keeper->agent == NULL) {
        return INT64_MAX;
    }
    if (!is_waited_for(keeper)) {
        patience = AGENT_IDLE_S;
    }
    return keeper->agent_heard_at + patience;
}

/*
 * One that hangs says nothing, and its end is not heard of; the supervisor
 * kills it when it starts the next one.
 */
static void
mind_agent(struct keeper *keeper)
{
    struct acme_error err;

    if (keeper->now < agent_end_at(keeper)) {
        return;
    }
    if (!is_waited_for(keeper)) {
        drop_agent(keeper);
        return;
    }
    acme_fail(&err, ACME_PEER_BROKE, "it was silent for %d minutes",
        AGENT_SILENT_S / 60);
    agent_lost(keeper, &err);
}

static void
take_agent(struct keeper *keeper, int fd)
{
    keeper->agent_asked = false;
    if (fd >= 0) {
        keeper->agent = acme_channel_new(fd, ACME_END_KEEPER);
        keeper->agent_heard_at = keeper->now;
    }
    if (keeper->agent == NULL) {
        keeper->agent_start_at = keeper->now + 1;
    }
}

/* Key makers are answered in the order in which they were asked for. */
static void
take_keygen(struct keeper *keeper, int fd)
{
    struct acme_error err;
    struct job *job;

    if (keeper->keygen_asked_count == 0) {
        if (fd >= 0) {
            close(fd);
        }
        return;
    }
    job = keeper->keygen_asked[0];
    keeper->keygen_asked_count--;
    memmove(keeper->keygen_asked, keeper->keygen_asked + 1,
        keeper->keygen_asked_count * sizeof(*keeper->keygen_asked));
    if (fd < 0) {
        acme_fail(&err, ACME_LOCAL, "no process could be started");
        attempt_failed(job, keeper, &err, "making the key");
        return;
    }
    attempt_watch_keygen(job, fd);
}

static void
take_reload(struct keeper *keeper)
{
    keeper->loaded_ms = keeper->now * 1000;
    acme_store_note_load(keeper->store, keeper->now);
    if (deploy_reloaded(keeper)) {
        encourage_all(keeper, false);
        event_queue_hurry(keeper);
    }
    prove_loaded(keeper);
}

/* False: the supervisor is gone. */
static bool
serve_supervisor(struct keeper *keeper)
{
    char letter;
    int fd;

    for (;;) {
        if (!acme_supervised_next(keeper->supervisor_fd, &letter, &fd)) {
            return false;
        }
        switch (letter) {
        case 0:
            return true;
        case ACME_ASK_AGENT:
            take_agent(keeper, fd);
            break;
        case ACME_ASK_KEYGEN:
            take_keygen(keeper, fd);
            break;
        case ACME_ASK_CHECK:
            deploy_watch_check(keeper, fd);
            break;
        case ACME_ASK_EVENT:
            event_queue_watch(keeper, fd);
            break;
        case ACME_TELL_RELOAD:
            take_reload(keeper);
            break;
        default:
            if (fd >= 0) {
                close(fd);
            }
        }
    }
}

static void
serve_agent(struct keeper *keeper)
{
    struct acme_message message;
    struct acme_error err;
    bool got = true;
    bool ok = acme_channel_flush(keeper->agent, &err);

    keeper->agent_heard_at = keeper->now;
    for (int i = 0; ok && got && i < AGENT_MESSAGES_A_TURN; i++) {
        ok = acme_channel_next(keeper->agent, &message, &got, &err);
        if (!ok || !got) {
            break;
        }
        if (message.fd >= 0) {
            close(message.fd);  /* the agent has nothing to give us */
        }
        ok = answer_message(keeper, &message, &err);
        if (ok && message.type == ACME_MESSAGE_CHAIN) {
            keeper->agent_deaths = 0;
        }
    }
    if (!ok) {
        agent_lost(keeper, &err);
    }
}

/* ---- the clock */

static void
start_due_jobs(struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->job_count
         && keeper->active_count < ORDERS_MAX; i++) {
        struct job *job = &keeper->jobs[i];

        if (job->state != JOB_IDLE || job->next_at > keeper->now) {
            continue;
        }
        if (!choice_begin(job, keeper)) {
            continue;
        }
        if (attempt_must_wait(job, keeper)) {
            job->next_at = keeper->now + 1;
        } else {
            attempt_start(job, keeper);
        }
    }
}

/* Backwards, because a job that fails leaves the list. */
static void
hand_over_ready_jobs(struct keeper *keeper)
{
    struct acme_error err;

    for (size_t i = keeper->active_count; keeper->agent != NULL && i-- > 0;) {
        if (keeper->active[i]->state == JOB_READY) {
            keeper->agent_heard_at = keeper->now;
            attempt_order(keeper->active[i], keeper);
        }
    }
    if (keeper->agent != NULL && !acme_channel_flush(keeper->agent, &err)) {
        agent_lost(keeper, &err);
    }
}

static int
time_to_sleep(const struct keeper *keeper)
{
    int64_t wake_at = deploy_wake_at(keeper);
    int64_t ask_at = renewal_wake_at(keeper);
    int64_t tell_at = event_wake_at(keeper);
    int64_t prove_at = prove_wake_at(keeper);
    int64_t end_at = agent_end_at(keeper);
    int64_t left;

    for (size_t i = 0; i < keeper->job_count; i++) {
        const struct job *job = &keeper->jobs[i];

        if (job->state == JOB_IDLE && keeper->active_count < ORDERS_MAX
            && job->next_at < wake_at) {
            wake_at = job->next_at;
        }
    }
    if (keeper->agent == NULL && !keeper->agent_asked
        && has_work(keeper) && keeper->agent_start_at < wake_at) {
        wake_at = keeper->agent_start_at;
    }
    wake_at = end_at < wake_at ? end_at : wake_at;
    wake_at = ask_at < wake_at ? ask_at : wake_at;
    wake_at = tell_at < wake_at ? tell_at : wake_at;
    wake_at = prove_at < wake_at ? prove_at : wake_at;
    /* an hour at most: the wall clock may be set meanwhile */
    left = wake_at - keeper->now;
    return left <= 0 ? 0 : left > 3600 ? 3600000 : (int) left * 1000;
}

static void
work(struct keeper *keeper)
{
    read_clock(keeper);
    start_due_jobs(keeper);
    renewal_ask(keeper);
    prove_run(keeper);
    mind_agent(keeper);
    want_agent(keeper);
    hand_over_ready_jobs(keeper);
    task_hand_over(keeper);
    deploy_run(keeper);
    event_mind_ends(keeper);
    event_queue_run(keeper);
    quota_save_soon(keeper);
}

static void
serve_keygens(struct keeper *keeper)
{
    for (size_t i = keeper->active_count; i-- > 0;) {
        if (i < keeper->active_count && keeper->active[i]->keygen_fd >= 0) {
            attempt_take_key(keeper->active[i], keeper);
        }
    }
}

/*
 * The store may be removed under us, by an operator who wants to begin anew:
 * we end, and the supervisor starts a keeper that does.
 */
static bool
has_store(const struct keeper *keeper)
{
    if (acme_store_is_locked(keeper->store)) {
        return true;
    }
    acme_log_always(&keeper->log, ACME_LOG_WARN, "the files of "
        "acme_state_path %s were removed: starting anew",
        keeper->settings->state_path);
    return false;
}

static void
loop(struct keeper *keeper)
{
    enum { SUPERVISOR, AGENT, CONTROL, CHECK, EVENT, CLIENTS,
        KEYGENS = CLIENTS + CONTROL_CLIENTS };

    for (;;) {
        struct pollfd fds[KEYGENS + ORDERS_MAX];
        nfds_t count = KEYGENS;
        int timeout;

        if (!has_store(keeper)) {
            return;
        }
        work(keeper);
        fds[SUPERVISOR] = (struct pollfd) { keeper->supervisor_fd, POLLIN, 0 };
        fds[AGENT] = (struct pollfd) { -1, 0, 0 };
        if (keeper->agent != NULL) {
            fds[AGENT].fd = acme_channel_fd(keeper->agent);
            fds[AGENT].events = acme_channel_events(keeper->agent);
        }
        fds[CONTROL] = (struct pollfd) { keeper->control_fd, POLLIN, 0 };
        fds[CHECK] = (struct pollfd) { keeper->deploy.check_fd, POLLIN, 0 };
        fds[EVENT] = (struct pollfd) { keeper->events.fd, POLLIN, 0 };
        for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
            fds[CLIENTS + i] = (struct pollfd) { keeper->clients[i].fd,
                POLLIN, 0 };
        }
        for (size_t i = 0; i < keeper->active_count; i++) {
            fds[count++] = (struct pollfd) { keeper->active[i]->keygen_fd,
                POLLIN, 0 };
        }
        timeout = time_to_sleep(keeper);
        if (poll(fds, count, timeout) < 0 && errno != EINTR) {
            return;
        }
        read_clock(keeper);
        if (fds[SUPERVISOR].revents != 0 && !serve_supervisor(keeper)) {
            return;
        }
        if (fds[AGENT].revents != 0 && keeper->agent != NULL) {
            serve_agent(keeper);
        }
        for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
            if (fds[CLIENTS + i].revents != 0) {
                control_take(keeper, &keeper->clients[i]);
            }
        }
        if (fds[CONTROL].revents != 0) {
            control_serve(keeper);
        }
        if (fds[CHECK].revents != 0 && keeper->deploy.check_fd >= 0) {
            deploy_take_check(keeper);
        }
        if (fds[EVENT].revents != 0 && keeper->events.fd >= 0) {
            event_queue_take(keeper);
        }
        serve_keygens(keeper);
    }
}

int
acme_keeper_run(struct acme_settings *settings,
    const struct acme_keeper_start *start, const struct acme_log *log)
{
    struct keeper keeper = { .settings = settings, .page_fd = start->page_fd,
        .supervisor_fd = start->supervisor_fd, .control_fd = -1,
        .next_job_id = JOB_ID_FIRST, .log = *log,
        .life_inode = start->life_inode,
        .loaded_ms = load_time(start->loaded_ms),
        .reloaded = start->reloaded, .deploy = { .check_fd = -1 },
        .events = { .fd = -1 } };
    struct acme_error err;
    int status = 0;

    control_init(&keeper);
    signal(SIGPIPE, SIG_IGN);
    umask(077);
    if (take_store(&keeper)) {
        if (prepare(&keeper, &err)) {
            encourage_all(&keeper, !keeper.reloaded);
            loop(&keeper);
        } else {
            acme_log_always(&keeper.log, ACME_LOG_ALERT, "%s", err.text);
            status = 1;
        }
    }
    release(&keeper);
    return status;
}
