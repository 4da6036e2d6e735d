/*
 * From CA to CA within an attempt (see choice.h). The next attempt begins with
 * the first one again; what a CA has said about when it may be asked, and that
 * a validation is to be practised, is in the plan.
 */

#include "keeper/choice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper/attempt.h"
#include "keeper/pending.h"
#include "keeper/quota.h"
#include "plan/choice.h"
#include "protocol/problem.h"

/* ---- places */

static struct account *
account_of(const struct job *job, const struct keeper *keeper, size_t number)
{
    return &keeper->accounts[acme_settings_choice(job->cert, number).ca];
}

static struct account *
staging_of(const struct keeper *keeper, const struct account *account)
{
    return account->ca->staging > 0
        ? &keeper->accounts[account->ca->staging - 1] : NULL;
}

static void
go(struct job *job, const struct keeper *keeper, size_t number, bool staging)
{
    struct account *account = account_of(job, keeper, number);

    job->choice = number;
    job->staging = staging;
    job->account = staging ? staging_of(keeper, account) : account;
    job->log.label = job->account->ca->name;
}

void
choice_reset(struct job *job, struct keeper *keeper)
{
    go(job, keeper, 0, false);
    free(job->first_failure);
    job->first_failure = NULL;
    job->failed_choices = 0;
}

/* Is this the CA on whose staging directory it is to be practised? */
static bool
is_practised(const struct job *job, const struct keeper *keeper, size_t number)
{
    const struct account *account = account_of(job, keeper, number);

    return staging_of(keeper, account) != NULL
        && acme_plan_names(job->plan.staging, account->ca->name);
}

bool
choice_resume(struct job *job, struct keeper *keeper, const char *url,
    bool staging)
{
    for (size_t i = 0; i < acme_settings_choice_count(job->cert); i++) {
        const struct account *account = account_of(job, keeper, i);

        if (staging) {
            account = is_practised(job, keeper, i)
                ? staging_of(keeper, account) : NULL;
        }
        if (account != NULL && strcmp(account->ca->url, url) == 0) {
            go(job, keeper, i, staging);
            return true;
        }
    }
    return false;
}

/* When that account's CA may be asked; 0 = now. */
static int64_t
free_at(const struct job *job, struct keeper *keeper,
    const struct account *account, struct acme_error *why)
{
    return quota_allows(job, account, keeper, why) ? 0 : why->retry_at;
}

/*
 * Where an attempt goes that begins, or goes on. False: why_not has the words
 * about the first CA that may not be asked, and when one may be (.retry_at); 0:
 * all have failed.
 */
static bool
find_place(const struct job *job, struct keeper *keeper,
    struct acme_place *place, struct acme_error *why_not)
{
    struct acme_choice choices[ACME_CHOICES_MAX];
    size_t count = acme_settings_choice_count(job->cert);
    bool found;

    for (size_t i = count; i-- > 0;) {
        const struct account *account = account_of(job, keeper, i);
        const struct account *staging = staging_of(keeper, account);
        struct acme_error ignored;

        choices[i] = (struct acme_choice) { .name = account->ca->name,
            .has_staging = staging != NULL,
            .failed = (job->failed_choices & 1u << i) != 0 };
        if (choices[i].failed) {
            continue;
        }
        choices[i].free_at = free_at(job, keeper, account, &ignored);
        if (choices[i].free_at != 0) {
            *why_not = ignored;
        }
        if (staging != NULL) {
            choices[i].staging_free_at = free_at(job, keeper, staging,
                &ignored);
        }
    }
    found = acme_choice_place(&job->plan, choices, count,
        job->served ? job->not_before : 0, job->served ? job->not_after : 0,
        keeper->now, place);
    why_not->retry_at = place->free_at;
    return found;
}

void
choice_tell(const struct job *job, struct keeper *keeper)
{
    static const char *const words[] = {
        [ACME_STAGING_IN_VAIN] = "the validation has failed on the CA's "
            "staging directory, too, as often as it is tried there",
        [ACME_STAGING_TOO_LATE] = "too little of the certificate's life is "
            "left to try the validation on the CA's staging directory",
        [ACME_STAGING_NOT_NOW] = "the CA's staging directory does not take "
            "orders now"
    };
    struct acme_error ignored;
    struct acme_place place;

    if (job->key == NULL && find_place(job, keeper, &place, &ignored)
        && place.why_not != ACME_STAGING_NO_MATTER) {
        acme_log(&job->log, ACME_LOG_NOTICE, "%s: ordering at %s itself",
            words[place.why_not], job->account->ca->name);
    }
}

/* An order is gone on with where it is; a key alone is, where it may be. */
static bool
stays(const struct job *job, struct keeper *keeper)
{
    struct acme_error ignored;

    return job->key != NULL && (job->order_url != NULL || job->counted
        || quota_allows(job, job->account, keeper, &ignored));
}

bool
choice_begin(struct job *job, struct keeper *keeper)
{
    struct acme_place place;
    struct acme_error why_not;

    job->without_replaces = false;
    if (stays(job, keeper)) {
        return true;
    }
    choice_reset(job, keeper);
    if (!find_place(job, keeper, &place, &why_not)) {
        attempt_wait(job, keeper, &why_not);
        return false;
    }
    go(job, keeper, place.number, place.staging);
    return true;
}

struct acme_settings_choice
choice_settings(const struct job *job)
{
    return acme_settings_choice(job->cert, job->choice);
}

size_t
choice_ca(const struct job *job, const struct keeper *keeper)
{
    return (size_t) (job->account - keeper->accounts);
}

bool
choice_leaves_order(const struct job *job, const struct keeper *keeper)
{
    bool practises = job->staging;

    for (size_t i = 0; i < acme_settings_choice_count(job->cert); i++) {
        practises = practises || is_practised(job, keeper, i);
    }
    return practises || job->choice != 0 || job->failed_choices != 0;
}

/* ---- from one to the next */

/*
 * The same attempt, with an order elsewhere. The key comes along, where there
 * is one: no CA has certified it, or nobody has heard of it.
 */
static bool
move(struct job *job, struct keeper *keeper, size_t number, bool staging)
{
    struct acme_error err;

    job->without_replaces = false;
    pending_withdraw(job, keeper);
    free(job->order_url);
    job->order_url = NULL;
    go(job, keeper, number, staging);
    if (job->key != NULL && !pending_save_order(job, keeper, &err)) {
        attempt_failed(job, keeper, &err, "preparing the order");
        return false;
    }
    return true;
}

/* This CA has failed; the first one's words are kept, if they may pass. */
static void
note_failure(struct job *job, const struct acme_error *err)
{
    job->failed_choices |= 1u << job->choice;
    if (job->first_failure == NULL
        || job->first_failure->verdict == ACME_MISCONFIG) {
        struct acme_error *copy = job->first_failure != NULL
            ? job->first_failure : malloc(sizeof(*copy));

        if (copy != NULL && (job->first_failure == NULL
                || err->verdict != ACME_MISCONFIG)) {
            *copy = *err;
        }
        job->first_failure = copy;
    }
}

/* Proofs are of one key: not there, where the account's is being changed. */
static bool
is_busy(const struct keeper *keeper, const struct account *account)
{
    return keeper->task.kind == ACME_KIND_KEY_CHANGE
        && keeper->task.account == account;
}

static void
log_move(const struct job *job, const struct account *next,
    const struct acme_error *err, const char *step)
{
    char words[ACME_PROBLEM_WORDS_SIZE];

    acme_log_always(&job->log, ACME_LOG_WARN, "%s: %s; trying %s, the next "
        "one of acme_ca", step, acme_problem_words(err, words),
        next->ca->name);
}

static bool
go_to_next(struct job *job, struct keeper *keeper,
    const struct acme_error *err, const char *step)
{
    struct acme_error ignored;
    struct acme_place place;
    const struct account *next;

    if (job->cert->fallback_count == 0 || !acme_choice_is_trouble(err, step)) {
        return false;
    }
    note_failure(job, err);
    if (!find_place(job, keeper, &place, &ignored)) {
        return false;
    }
    next = account_of(job, keeper, place.number);
    if (is_busy(keeper, next)) {
        return false;
    }
    log_move(job, next, err, step);
    quota_ended(job, keeper, err, true);
    if (move(job, keeper, place.number, place.staging)) {
        attempt_go_on(job, keeper);
    }
    return true;
}

/* From the staging directory to the CA itself, now or as soon as may be. */
static void
order_for_good(struct job *job, struct keeper *keeper)
{
    if (is_busy(keeper, account_of(job, keeper, job->choice))) {
        pending_withdraw(job, keeper);
        pending_remove(job, keeper);
        attempt_rest(job, keeper);
        choice_reset(job, keeper);
        job->next_at = keeper->now;
    } else if (move(job, keeper, job->choice, false)) {
        attempt_go_on(job, keeper);
    }
}

/* It is for practice only: what is wrong with it is no reason to wait. */
static void
leave_staging(struct job *job, struct keeper *keeper,
    const struct acme_error *err, const char *step)
{
    const struct account *account = account_of(job, keeper, job->choice);

    acme_log_always(&job->log, ACME_LOG_WARN, "%s: %s; the CA's staging "
        "directory is of no help: ordering at %s itself", step, err->text,
        account->ca->name);
    quota_ended(job, keeper, err, true);
    acme_plan_staging_done(&job->plan, false);
    attempt_save_plan(job, keeper);
    order_for_good(job, keeper);
}

void
choice_failed(struct job *job, struct keeper *keeper,
    const struct acme_error *err, const char *step)
{
    if (job->invalid) {
        if (job->staging) {
            acme_plan_invalid_on_staging(&job->plan);
        } else {
            acme_plan_invalid(&job->plan, job->account->ca->staging > 0
                ? job->account->ca->name : NULL);
        }
        attempt_failed(job, keeper, err, step);
    } else if (job->staging) {
        leave_staging(job, keeper, err, step);
    } else if (!go_to_next(job, keeper, err, step)) {
        attempt_failed(job, keeper, err, step);
    }
}

void
choice_practised(struct job *job, struct keeper *keeper)
{
    const struct account *account = account_of(job, keeper, job->choice);

    acme_log_always(&job->log, ACME_LOG_NOTICE, "the validation has passed on "
        "the CA's staging directory, whose certificate is not used: ordering "
        "at %s now", account->ca->name);
    quota_ended(job, keeper, NULL, true);
    acme_plan_staging_done(&job->plan, true);
    attempt_save_plan(job, keeper);
    pending_withdraw(job, keeper);
    pending_remove(job, keeper);
    order_for_good(job, keeper);
}

/* ---- the end of an attempt */

/* When the first of the CAs may be asked again; 0 = one may be now. */
static int64_t
first_free_at(const struct job *job, struct keeper *keeper)
{
    int64_t first = INT64_MAX;

    for (size_t i = 0; i < acme_settings_choice_count(job->cert); i++) {
        struct acme_error ignored;
        int64_t at = free_at(job, keeper, account_of(job, keeper, i),
            &ignored);

        first = at < first ? at : first;
    }
    return first;
}

/*
 * The first one's counts, whose the next attempt is, but rather one that may
 * pass by itself. What is no CA's trouble has ended the attempt by itself.
 */
struct acme_error
choice_verdict(const struct job *job, struct keeper *keeper,
    const struct acme_error *err)
{
    struct acme_error verdict = *err;

    if (job->cert->fallback_count == 0) {
        return verdict;
    }
    if (job->first_failure != NULL
        && (job->failed_choices & 1u << job->choice) != 0) {
        verdict = *job->first_failure;
    }
    verdict.retry_at = first_free_at(job, keeper);
    return verdict;
}
