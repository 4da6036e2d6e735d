/*
 * Reloads: the window in which new certificates gather, and the answer that
 * the server owes us (the module writes to the lifetime pipe when it has
 * reloaded). A server whose settings changed answers by ending this keeper.
 */

#include "keeper/deploy.h"

#include "keeper/master.h"

enum { ANSWER_S = 30, ASK_AGAIN_MAX_S = 3600 };

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
deploy_landed(struct keeper *keeper)
{
    struct deploy *deploy = &keeper->deploy;

    if (!keeper->settings->reload) {
        acme_log_always(&keeper->log, ACME_LOG_NOTICE, "acme_reload is off: "
            "the new certificate is served after the next reload");
        return;
    }
    switch (deploy->state) {
    case DEPLOY_IDLE:
        gather(keeper, 1);
        break;
    case DEPLOY_GATHERING:
        deploy->landed++;
        break;
    case DEPLOY_ASKED:
        deploy->late++;
        break;
    }
}

/* May the reload come before the end of its window? */
static bool
nothing_to_wait_for(const struct keeper *keeper)
{
    return keeper->active_count == 0
        && keeper->deploy.asked_at + keeper->settings->reload_delay_s
            <= keeper->now;
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
    return true;
}

static void
ask(struct keeper *keeper)
{
    struct deploy *deploy = &keeper->deploy;
    int64_t pause = ANSWER_S;
    struct acme_error err;

    if (waits_for_upgrade(keeper)) {
        return;
    }
    for (unsigned i = 0; i < deploy->unanswered && pause < ASK_AGAIN_MAX_S;
         i++) {
        pause *= 2;
    }
    deploy->state = DEPLOY_ASKED;
    deploy->asked_at = keeper->now;
    deploy->due_at = keeper->now + pause;
    if (!master_reload(keeper->life_inode, &err)) {
        acme_log_always(&keeper->log, ACME_LOG_ERROR,
            "the server could not be asked to reload: %s", err.text);
        return;
    }
    acme_log_always(&keeper->log, ACME_LOG_NOTICE,
        "reload asked for: %u new certificate%s", deploy->landed,
        deploy->landed == 1 ? "" : "s");
}

static void
ask_again(struct keeper *keeper)
{
    struct deploy *deploy = &keeper->deploy;

    acme_log_always(&keeper->log, ACME_LOG_ERROR, "the server did not reload "
        "when asked: new certificates are not served yet; hint: the "
        "configuration on disk may not pass -t");
    deploy->unanswered++;
    deploy->landed += deploy->late;
    deploy->late = 0;
    ask(keeper);
}

void
deploy_run(struct keeper *keeper)
{
    struct deploy *deploy = &keeper->deploy;
    bool due = keeper->now >= deploy->due_at;

    switch (deploy->state) {
    case DEPLOY_IDLE:
        break;
    case DEPLOY_GATHERING:
        if (due || nothing_to_wait_for(keeper)) {
            ask(keeper);
        }
        break;
    case DEPLOY_ASKED:
        if (due) {
            ask_again(keeper);
        }
        break;
    }
}

int64_t
deploy_wake_at(const struct keeper *keeper)
{
    return keeper->deploy.state != DEPLOY_IDLE ? keeper->deploy.due_at
                                               : INT64_MAX;
}

bool
deploy_reloaded(struct keeper *keeper)
{
    struct deploy *deploy = &keeper->deploy;

    /*
     * What landed while an operator's reload ran may have been missed by it,
     * so a reload that is due stays due: one too many is harmless.
     */
    if (deploy->state != DEPLOY_ASKED) {
        return true;
    }
    deploy->state = DEPLOY_IDLE;
    deploy->unanswered = 0;
    deploy->landed = 0;
    if (deploy->late > 0) {
        gather(keeper, deploy->late);
    }
    return false;
}
