/*
 * Reloads: the window in which new certificates gather, and the answer that
 * the server owes us (the module writes to the lifetime pipe when it has
 * reloaded). A server whose settings changed answers by ending this keeper.
 */

#include "keeper/deploy.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "format/time_text.h"
#include "keeper/check.h"
#include "keeper/master.h"
#include "keeper/supervised.h"

enum {
    ANSWER_S = 30,
    ASK_AGAIN_MAX_S = 3600,
    RENEWALS_APART_S = 60,
    OTHER_HALF_MAX_S = 600,
    CHECK_S = ACME_CHECK_LIMIT_S + 30
};

static void check_failed(struct keeper *, const char *);

/* A moment, or when a certificate that is served can wait no longer. */
static int64_t
at_latest(const struct keeper *keeper, int64_t at)
{
    int64_t latest = keeper->deploy.latest;

    return latest != 0 && latest < at ? latest : at;
}

/* No reload before this: the last one is too recent. */
static int64_t
earliest(const struct keeper *keeper)
{
    int64_t apart = keeper->settings->reload_delay_s;

    if (!keeper->deploy.urgent && apart < RENEWALS_APART_S) {
        apart = RENEWALS_APART_S;
    }
    return at_latest(keeper, keeper->deploy.asked_at + apart);
}

static void
gather(struct keeper *keeper, unsigned landed)
{
    struct deploy *deploy = &keeper->deploy;

    deploy->state = DEPLOY_GATHERING;
    deploy->due_at = keeper->now + keeper->settings->reload_delay_s;
    deploy->landed = landed;
    deploy->late = 0;
}

void
deploy_landed(struct keeper *keeper, bool urgent, int64_t latest)
{
    struct deploy *deploy = &keeper->deploy;

    if (!keeper->settings->reload) {
        acme_log_always(&keeper->log, ACME_LOG_NOTICE, "acme_reload is off: "
            "the new certificate is served after the next reload");
        return;
    }
    deploy->urgent = deploy->urgent || urgent;
    if (latest != 0) {
        deploy->latest = at_latest(keeper, latest);
    }
    switch (deploy->state) {
    case DEPLOY_IDLE:
        gather(keeper, 1);
        break;
    case DEPLOY_GATHERING:
    case DEPLOY_CHECKING:
        deploy->landed++;
        break;
    case DEPLOY_ASKED:
        deploy->late++;
        break;
    }
}

void
deploy_again(struct keeper *keeper, unsigned missed)
{
    if (keeper->deploy.state == DEPLOY_IDLE) {
        gather(keeper, missed);
    }
}

bool
deploy_is_done(const struct keeper *keeper)
{
    return keeper->deploy.state == DEPLOY_IDLE;
}

/*
 * Is the half of a certificate whose other one has landed in this window
 * still being renewed? It may be waited for until what it replaces has lost
 * a tenth of the life left.
 */
static bool
other_half_comes(const struct keeper *keeper, const struct job *job)
{
    int64_t since = keeper->deploy.due_at - keeper->settings->reload_delay_s;
    int64_t patience = (job->not_after - since) / 10;

    return job->other != NULL && job->other->state == JOB_IDLE
        && job->other->obtained_at >= since
        && keeper->now - since < (patience < OTHER_HALF_MAX_S ? patience
            : OTHER_HALF_MAX_S);
}

/* Is the window at its end, or will nothing more land in it? */
static bool
nothing_to_wait_for(const struct keeper *keeper)
{
    if (keeper->active_count == 0) {
        return true;
    }
    if (keeper->now < at_latest(keeper, keeper->deploy.due_at)) {
        return false;
    }
    if (keeper->deploy.urgent
        || keeper->now >= at_latest(keeper, INT64_MAX)) {
        return true;
    }
    for (size_t i = 0; i < keeper->active_count; i++) {
        if (other_half_comes(keeper, keeper->active[i])) {
            return false;
        }
    }
    return true;
}

/*
 * The old master of a binary upgrade cannot reload; the new one has a keeper
 * that follows what we do. It may be sent home, so the reload stays due.
 */
static bool
waits_for_upgrade(struct keeper *keeper)
{
    struct deploy *deploy = &keeper->deploy;

    if (!master_is_upgrading(keeper->life_inode)) {
        deploy->upgrade_told = false;
        return false;
    }
    if (!deploy->upgrade_told) {
        acme_log_always(&keeper->log, ACME_LOG_NOTICE,
            "a binary upgrade is under way: new certificates are loaded by "
            "the new master, not by this one");
        deploy->upgrade_told = true;
    }
    deploy->state = DEPLOY_GATHERING;
    deploy->asked_at = keeper->now;
    deploy->due_at = keeper->now + ANSWER_S;
    deploy->latest = 0;
    return true;
}

/* The next time, when this one is in vain: after 30 s, 1, 2 ... 60 minutes. */
static void
ask_again_later(struct keeper *keeper)
{
    struct deploy *deploy = &keeper->deploy;
    int64_t pause = ANSWER_S;

    for (unsigned i = 0; i < deploy->unanswered && pause < ASK_AGAIN_MAX_S;
         i++) {
        pause *= 2;
    }
    deploy->due_at = keeper->now + pause;
}

static void
signal_master(struct keeper *keeper)
{
    struct deploy *deploy = &keeper->deploy;
    struct acme_error err;

    deploy->state = DEPLOY_ASKED;
    deploy->urgent = false;
    deploy->latest = 0;
    deploy->asked_at = keeper->now;
    ask_again_later(keeper);
    if (!master_reload(keeper->life_inode, keeper->settings->reload_signal,
            &err)) {
        acme_log_always(&keeper->log, ACME_LOG_ERROR,
            "the server could not be asked to reload: %s", err.text);
        return;
    }
    acme_log_always(&keeper->log, ACME_LOG_NOTICE,
        "reload asked for: %u new certificate%s", deploy->landed,
        deploy->landed == 1 ? "" : "s");
}

/* Reload, or first have the server check its own configuration. */
static void
ask(struct keeper *keeper)
{
    struct acme_error err;

    if (waits_for_upgrade(keeper)) {
        return;
    }
    if (!keeper->settings->check_first) {
        signal_master(keeper);
        return;
    }
    keeper->deploy.state = DEPLOY_CHECKING;
    keeper->deploy.due_at = keeper->now + CHECK_S;
    if (!acme_supervised_ask(keeper->supervisor_fd, ACME_ASK_CHECK, "",
            &err)) {
        check_failed(keeper, err.text);
    }
}

static void
end_check(struct deploy *deploy)
{
    if (deploy->check_fd >= 0) {
        close(deploy->check_fd);
    }
    deploy->check_fd = -1;
}

/* A server that reloaded with this configuration would end. */
static void
check_failed(struct keeper *keeper, const char *why)
{
    struct deploy *deploy = &keeper->deploy;
    char next[ACME_TIME_TEXT_SIZE];

    end_check(deploy);
    deploy->state = DEPLOY_ASKED;
    ask_again_later(keeper);
    acme_log_always(&keeper->log, ACME_LOG_ERROR, "the server is not "
        "reloaded, because its configuration on disk does not pass -t (%s): "
        "new certificates are not served yet; it is checked again at %s", why,
        acme_time_write(next, deploy->due_at));
    deploy->unanswered++;
    deploy->checked_in_vain = true;
}

void
deploy_watch_check(struct keeper *keeper, int fd)
{
    if (keeper->deploy.state != DEPLOY_CHECKING) {
        if (fd >= 0) {
            close(fd);
        }
        return;
    }
    end_check(&keeper->deploy);
    keeper->deploy.check_fd = fd;
    if (fd < 0) {
        check_failed(keeper, "the check could not be started");
    }
}

void
deploy_take_check(struct keeper *keeper)
{
    char verdict[ACME_CHECK_MAX + 1], words[ACME_CHECK_MAX + 1];
    ssize_t len = recv(keeper->deploy.check_fd, verdict, ACME_CHECK_MAX,
        MSG_DONTWAIT);

    if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (len <= 0) {
        check_failed(keeper, "the check ended without a verdict");
        return;
    }
    verdict[len] = '\0';
    if (verdict[0] != ACME_CHECK_PASSED) {
        check_failed(keeper, acme_log_escape(words, sizeof(words),
            acme_bytes_of(verdict + 1)));
        return;
    }
    end_check(&keeper->deploy);
    signal_master(keeper);
}

static void
ask_again(struct keeper *keeper)
{
    struct deploy *deploy = &keeper->deploy;

    if (!deploy->checked_in_vain) {
        acme_log_always(&keeper->log, ACME_LOG_ERROR, "the server did not "
            "reload when asked: new certificates are not served yet; hint: "
            "the configuration on disk may not pass -t");
        deploy->unanswered++;
    }
    deploy->checked_in_vain = false;
    deploy->landed += deploy->late;
    deploy->late = 0;
    ask(keeper);
}

void
deploy_run(struct keeper *keeper)
{
    switch (keeper->deploy.state) {
    case DEPLOY_IDLE:
        break;
    case DEPLOY_GATHERING:
        if (nothing_to_wait_for(keeper) && keeper->now >= earliest(keeper)) {
            ask(keeper);
        }
        break;
    case DEPLOY_CHECKING:
        if (keeper->now >= keeper->deploy.due_at) {
            check_failed(keeper, "the check takes too long");
        }
        break;
    case DEPLOY_ASKED:
        if (keeper->now >= keeper->deploy.due_at) {
            ask_again(keeper);
        }
        break;
    }
}

void
deploy_clock_set_back(struct keeper *keeper, int64_t by)
{
    keeper->deploy.due_at -= by;
    keeper->deploy.asked_at -= by;
    keeper->deploy.latest -= keeper->deploy.latest != 0 ? by : 0;
}

int64_t
deploy_wake_at(const struct keeper *keeper)
{
    const struct deploy *deploy = &keeper->deploy;
    int64_t at;

    switch (deploy->state) {
    case DEPLOY_IDLE:
        break;
    case DEPLOY_GATHERING:
        at = at_latest(keeper, deploy->due_at);
        at = at > earliest(keeper) ? at : earliest(keeper);
        /* past it, when it is waited for the other half of something */
        return at > keeper->now ? at : keeper->now + 1;
    case DEPLOY_CHECKING:
    case DEPLOY_ASKED:
        return deploy->due_at;
    }
    return INT64_MAX;
}

bool
deploy_reloaded(struct keeper *keeper)
{
    struct deploy *deploy = &keeper->deploy;
    bool is_answer;

    /*
     * What landed while an operator's reload ran may have been missed by it,
     * so a reload that is due stays due: one too many is harmless.
     */
    if (deploy->state != DEPLOY_ASKED) {
        return true;
    }
    /* whose configuration was broken has mended it, and reloads by hand */
    is_answer = !deploy->checked_in_vain
        && keeper->now < deploy->asked_at + ANSWER_S;
    deploy->state = DEPLOY_IDLE;
    deploy->unanswered = 0;
    deploy->checked_in_vain = false;
    deploy->landed = 0;
    if (deploy->late > 0) {
        gather(keeper, deploy->late);
    }
    return !is_answer;
}
