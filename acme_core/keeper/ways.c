/*
 * Ways to a certificate (see ways.h). A failure that another way may avoid is
 * not the end of an attempt; what fails is told all the same.
 */

#include "keeper/ways.h"

#include <stdlib.h>
#include <string.h>

#include "format/time_text.h"
#include "keeper/attempt.h"
#include "keeper/choice.h"
#include "keeper/pending.h"
#include "keeper/quota.h"
#include "keeper/renewal.h"
#include "plan/choice.h"
#include "protocol/problem.h"

enum {
    LOOK_AGAIN_S = 10 * 60,     /* at an order that the CA is at work on */
    LOOK_AGAIN_MAX_S = 24 * 3600,
    SPARING_S = 3600            /* after a failed validation */
};

/* ---- types of challenge */

/*
 * Is it what one type of challenge may meet and another one may not? A name
 * that the DNS does not know is unknown to each of them.
 */
static bool
is_of_challenge(const char *problem)
{
    return acme_choice_is_validation(problem) && strcmp(problem, "dns") != 0;
}

/*
 * CAs allow 5 failed validations of a name in an hour: soon after some have
 * failed only one type is tried, in turns. An operator who reloads may have
 * mended any of them.
 */
static bool
is_sparing(const struct acme_plan *plan, int64_t now)
{
    return plan->failures > 0 && is_of_challenge(plan->problem)
        && now - plan->failed_at < SPARING_S
        && plan->next_attempt != plan->encouraged_at;
}

/* Of the types that have a listener, or of those that have none. */
static void
add_wishes(struct job *job, const struct acme_settings *settings,
    bool listening)
{
    const struct acme_settings_cert *cert = job->cert;
    struct acme_challenge_wish *wish = &job->wish;

    for (int others = 0; others <= 1; others++) {
        for (size_t i = 0; i < cert->challenge_count; i++) {
            enum acme_challenge_type type = cert->challenges[i];

            if ((type != job->proven_by) == others
                && acme_settings_listens(settings, type) == listening) {
                wish->types[wish->count++] = type;
            }
        }
    }
}

/*
 * The type that worked last time first, then as they are configured. Those
 * that this server cannot answer come last: perhaps something before it can.
 */
void
ways_choose(struct job *job, const struct keeper *keeper)
{
    struct acme_challenge_wish *wish = &job->wish;
    size_t able;

    wish->count = 0;
    add_wishes(job, keeper->settings, true);
    able = wish->count;
    add_wishes(job, keeper->settings, false);
    if (!job->staging && is_sparing(&job->plan, keeper->now)) {
        able = able > 0 ? able : wish->count;
        wish->types[0] = wish->types[job->plan.failures % able];
        wish->count = 1;
    }
}

bool
ways_has(const struct job *job, enum acme_challenge_type type)
{
    for (size_t i = 0; i < job->wish.count; i++) {
        if (job->wish.types[i] == type) {
            return true;
        }
    }
    return false;
}

/* ---- other ways */

/*
 * The same attempt, with another order. Where the CA would not take one now,
 * a validation that failed has failed; for anything else it is waited.
 */
static void
order_anew(struct job *job, struct keeper *keeper,
    const struct acme_error *why)
{
    struct acme_error err, ignored;

    quota_ended(job, keeper, why, true);
    pending_withdraw(job, keeper);
    free(job->order_url);
    job->order_url = NULL;
    job->id = keeper->next_job_id++;
    job->state = JOB_READY;
    if (!quota_take(job, keeper, &err)) {
        if (is_of_challenge(why->problem)) {
            choice_failed(job, keeper, why, "validation");
            return;
        }
        attempt_wait(job, keeper, &err);
        if (job->key != NULL) {
            (void) pending_save_order(job, keeper, &ignored);
        }
    } else if (!pending_save_order(job, keeper, &err)) {
        attempt_failed(job, keeper, &err, "preparing the order");
    }
}

static bool
replace_order(struct job *job, struct keeper *keeper,
    const struct acme_error *err)
{
    if (!job->resumed) {
        return false;
    }
    acme_log(&job->log, ACME_LOG_NOTICE,
        "the saved order is of no more use: ordering anew");
    ways_choose(job, keeper);
    order_anew(job, keeper, err);
    return true;
}

/* It is looked at from time to time, and takes no place among the others. */
static bool
wait_for_ca(struct job *job, struct keeper *keeper,
    const struct acme_error *err)
{
    int64_t at = err->retry_at;
    char next[ACME_TIME_TEXT_SIZE];

    if (job->order_url == NULL || job->staging) {
        return false;
    }
    if (at < keeper->now + LOOK_AGAIN_S) {
        at = keeper->now + LOOK_AGAIN_S;
    } else if (at > keeper->now + LOOK_AGAIN_MAX_S) {
        at = keeper->now + LOOK_AGAIN_MAX_S;
    }
    attempt_rest(job, keeper);
    job->next_at = at;
    acme_log(&job->log, ACME_LOG_NOTICE, "%s: the CA is still at work on it; "
        "it is looked at again at %s", err->text,
        acme_time_write(next, job->next_at));
    return true;
}

static bool
try_next_challenge(struct job *job, struct keeper *keeper,
    const struct acme_error *err, enum acme_challenge_type type)
{
    char words[ACME_PROBLEM_WORDS_SIZE];
    struct acme_challenge_wish left = { .count = 0 };

    if (!ways_has(job, type)) {
        return false;
    }
    for (size_t i = 0; i < job->wish.count; i++) {
        if (job->wish.types[i] != type) {
            left.types[left.count++] = job->wish.types[i];
        }
    }
    if (left.count == 0) {
        return false;
    }
    acme_log(&job->log, ACME_LOG_WARN, "%s; trying %s in place of %s",
        acme_problem_words(err, words),
        acme_challenge_type_name(left.types[0]),
        acme_challenge_type_name(type));
    job->wish = left;
    order_anew(job, keeper, err);
    return true;
}

const char *
ways_profile(const struct job *job)
{
    return job->without_profile ? NULL : choice_settings(job).profile;
}

static bool
drop_profile(struct job *job, struct keeper *keeper,
    const struct acme_error *err)
{
    if (ways_profile(job) == NULL || choice_settings(job).profile_required) {
        return false;
    }
    acme_log(&job->log, ACME_LOG_WARN, "%s; ordering with the CA's default "
        "profile; it offers: %s", err->text,
        job->account->profiles[0] != '\0' ? job->account->profiles : "none");
    job->without_profile = true;
    order_anew(job, keeper, err);
    return true;
}

static const struct {
    const char *problem;
    bool (*go)(struct job *, struct keeper *, const struct acme_error *);
} other_ways[] = {
    { "orderGone", replace_order },
    { "orderProcessing", wait_for_ca },
    { "invalidProfile", drop_profile },
};

void
ways_refused(struct job *job, struct keeper *keeper,
    const struct acme_error *err, const char *step,
    enum acme_challenge_type type)
{
    job->invalid |= type != ACME_CHALLENGE_NONE
        && acme_choice_is_validation(err->problem);
    if (renewal_drops_replaces(job, err, step)) {
        order_anew(job, keeper, err);
        return;
    }
    for (size_t i = 0; i < sizeof(other_ways) / sizeof(*other_ways); i++) {
        if (strcmp(other_ways[i].problem, err->problem) == 0
            && other_ways[i].go(job, keeper, err)) {
            return;
        }
    }
    if (!is_of_challenge(err->problem)
        || !try_next_challenge(job, keeper, err, type)) {
        choice_failed(job, keeper, err, step);
    }
}
