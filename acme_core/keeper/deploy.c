/*
 * Reloads: the window in which new certificates gather, and the answer that
 * the server owes us (the module writes to the lifetime pipe when it has
 * reloaded). A server whose settings changed answers by ending this keeper.
 */

#include "keeper/deploy.h"

#include "keeper/master.h"

enum { ANSWER_S = 30, ASK_AGAIN_MAX_S = 3600, RENEWALS_APART_S = 60 };

/* No reload before this: the last one is too recent. */
static int64_t
earliest(const struct keeper *keeper)
{
    int64_t apart = keeper->settings->reload_delay_s;

    if (!keeper->deploy.urgent && apart < RENEWALS_APART_S) {
        apart = RENEWALS_APART_S;
    }
    return keeper->deploy.asked_at + apart;
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
deploy_landed(struct keeper *keeper, bool urgent)
{
    struct deploy *deploy = &keeper->deploy;

    if (!keeper->settings->reload) {
        acme_log_always(&keeper->log, ACME_LOG_NOTICE, "acme_reload is off: "
            "the new certificate is served after the next reload");
        return;
    }
    deploy->urgent = deploy->urgent || urgent;
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

/* Is the window at its end, or will nothing more land in it? */
static bool
nothing_to_wait_for(const struct keeper *keeper)
{
    return keeper->active_count == 0 || keeper->now >= keeper->deploy.due_at;
}

static void
ask(struct keeper *keeper)
{
    struct deploy *deploy = &keeper->deploy;
    int64_t pause = ANSWER_S;
    struct acme_error err;

    for (unsigned i = 0; i < deploy->unanswered && pause < ASK_AGAIN_MAX_S;
         i++) {
        pause *= 2;
    }
    deploy->state = DEPLOY_ASKED;
    deploy->urgent = false;
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
    switch (keeper->deploy.state) {
    case DEPLOY_IDLE:
        break;
    case DEPLOY_GATHERING:
        if (nothing_to_wait_for(keeper) && keeper->now >= earliest(keeper)) {
            ask(keeper);
        }
        break;
    case DEPLOY_ASKED:
        if (keeper->now >= keeper->deploy.due_at) {
            ask_again(keeper);
        }
        break;
    }
}

int64_t
deploy_wake_at(const struct keeper *keeper)
{
    const struct deploy *deploy = &keeper->deploy;

    switch (deploy->state) {
    case DEPLOY_IDLE:
        break;
    case DEPLOY_GATHERING:
        return deploy->due_at > earliest(keeper) ? deploy->due_at
                                                 : earliest(keeper);
    case DEPLOY_ASKED:
        return deploy->due_at;
    }
    return INT64_MAX;
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
