/*
 * Events as JSON, one object each. Paths, dates and names are in it, and
 * never what is secret.
 */

#include "keeper/event.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "format/json.h"
#include "format/time_text.h"
#include "keeper/attempt.h"
#include "keeper/event_queue.h"
#include "keeper/event_run.h"
#include "keeper/service.h"
#include "protocol/problem.h"

enum { FORM = 1, LAST_DAYS = 3 };

static bool
is_wanted(const struct keeper *keeper)
{
    return keeper->settings->event != NULL;
}

/* ---- JSON */

static bool
add_text(cJSON *object, const char *name, const char *text)
{
    return cJSON_AddStringToObject(object, name, text) != NULL;
}

static bool
add_number(cJSON *object, const char *name, int64_t number)
{
    return cJSON_AddNumberToObject(object, name, (double) number) != NULL;
}

static bool
add_path(cJSON *object, const char *member, const char *live,
    const char *file)
{
    char path[PATH_MAX * 2];

    snprintf(path, sizeof(path), "%s/%s", live, file);
    return add_text(object, member, path);
}

/* The pair of one half that is live. */
static bool
add_pair(cJSON *object, const struct job *job, const char *live,
    bool has_second)
{
    bool second = has_second && acme_key_is_rsa(job_key_type(job));
    const struct acme_pair_files *files = &acme_pair_files[second];

    return add_text(object, "key_type", acme_key_type_name(job_key_type(job)))
        && (!job->served || (add_path(object, "fullchain", live, files->chain)
            && add_path(object, "privkey", live, files->key)
            && acme_json_add_time(object, "not_before", job->not_before)
            && acme_json_add_time(object, "not_after", job->not_after)
            && add_text(object, "serial", job->serial)));
}

static bool
add_names(cJSON *object, const struct acme_settings_cert *cert)
{
    cJSON *names = cJSON_AddArrayToObject(object, "names");

    for (size_t i = 0; i < cert->name_count; i++) {
        if (!cJSON_AddItemToArray(names,
                cJSON_CreateString(cert->names[i]))) {
            return false;
        }
    }
    return names != NULL;
}

static bool
add_ca(cJSON *object, const struct acme_settings_ca *ca)
{
    cJSON *member = cJSON_AddObjectToObject(object, "ca");

    return add_text(member, "name", ca->name)
        && add_text(member, "url", ca->url);
}

/* What every event has; NULL when memory ends. */
static cJSON *
new_event(const struct job *job, const struct keeper *keeper,
    const char *what)
{
    const struct acme_settings_cert *cert = job->cert;
    /* an attempt is at a CA; what is in service may be from another one */
    const struct account *account = strcmp(what, "failed") == 0 ? job->account
        : service_issuer(job);
    cJSON *root = cJSON_CreateObject();
    char live[PATH_MAX];
    unsigned generation;
    bool has_second, ok;

    snprintf(live, sizeof(live), "%s/live/%s", keeper->settings->state_path,
        cert->folder);
    generation = service_generation(job, keeper, &has_second);
    ok = add_number(root, "version", FORM) && add_text(root, "event", what)
        && acme_json_add_time(root, "time", keeper->now)
        && add_text(root, "name", cert->names[0])
        && add_text(root, "certificate", cert->folder)
        && add_names(root, cert) && add_ca(root, account->ca)
        && add_text(root, "live", live)
        && (generation == 0 || add_number(root, "generation", generation))
        && add_pair(root, job, live, has_second);
    if (ok && strcmp(what, "installed") == 0 && has_second
        && job->other != NULL) {
        cJSON *second = cJSON_AddObjectToObject(root, "second");

        ok = add_pair(second, job->other, live, has_second);
    }
    if (!ok) {
        cJSON_Delete(root);
        return NULL;
    }
    return root;
}

/* Queue it, when it was made whole, and free it. */
static void
queue(const struct job *job, struct keeper *keeper, const char *what,
    cJSON *root, bool whole)
{
    struct acme_buffer json = ACME_BUFFER(ACME_EVENT_MAX);

    if (root != NULL && whole && acme_json_print(&json, root)) {
        event_queue_add(keeper, job->cert->folder, what,
            acme_buffer_bytes(&json));
    } else {
        acme_log_always(&job->log, ACME_LOG_ERROR, "acme_event: an event is "
            "lost: it is too long, or there is no memory for it");
    }
    cJSON_Delete(root);
    acme_buffer_free(&json);
}

/* ---- events */

/* Was there one before? With two halves generation 1 may be the other one's. */
static bool
is_renewal(const struct job *job, const struct keeper *keeper)
{
    bool has_second;

    return job->other != NULL ? job->began_with[0] != '\0'
        : service_generation(job, keeper, &has_second) > 1;
}

void
event_obtained(struct job *job, struct keeper *keeper)
{
    const char *what = is_renewal(job, keeper) ? "renewed" : "obtained";

    if (is_wanted(keeper)) {
        queue(job, keeper, what, new_event(job, keeper, what), true);
    }
}

void
event_failed(struct job *job, struct keeper *keeper,
    const struct acme_error *err, const char *step)
{
    const struct acme_plan *plan = &job->plan;
    const char *hint = acme_problem_hint(err);
    cJSON *root, *problem;

    if (!is_wanted(keeper)) {
        return;
    }
    root = new_event(job, keeper, "failed");
    problem = cJSON_AddObjectToObject(root, "problem");
    queue(job, keeper, "failed", root, add_text(problem, "type", err->problem)
        && (step == NULL || add_text(problem, "step", step))
        && add_text(problem, "text", err->text)
        && (hint == NULL || add_text(problem, "hint", hint))
        && add_number(root, "attempt", plan->failures)
        && acme_json_add_time(root, "next_attempt", plan->next_attempt)
        && cJSON_AddBoolToObject(root, "served", job->served) != NULL);
    job->plan.told.failed_at = plan->failed_at;
    attempt_save_plan(job, keeper);
}

void
event_ari_changed(struct job *job, struct keeper *keeper)
{
    const struct acme_ari *ari = &job->plan.ari;
    cJSON *root, *window;

    if (!is_wanted(keeper)) {
        return;
    }
    root = new_event(job, keeper, "ari-changed");
    window = cJSON_AddObjectToObject(root, "renewal");
    queue(job, keeper, "ari-changed", root,
        acme_json_add_time(window, "start", ari->window.start)
        && acme_json_add_time(window, "end", ari->window.end)
        && acme_json_add_time(window, "chosen", ari->chosen)
        && (ari->window.explanation[0] == '\0' || add_text(window,
            "explanation", ari->window.explanation)));
}

void
event_installed(struct job *job, struct keeper *keeper)
{
    struct job *first = job->half > 0 ? job->other : job;
    bool has_second;
    unsigned generation;

    if (!is_wanted(keeper) || !first->served) {
        return;
    }
    generation = service_generation(first, keeper, &has_second);
    if (generation == 0 || generation == first->plan.told.generation) {
        return;
    }
    queue(first, keeper, "installed",
        new_event(first, keeper, "installed"), true);
    first->plan.told.generation = generation;
    attempt_save_plan(first, keeper);
}

/* The words of its plan: those of the moment are gone. */
static void
tell_failure(struct job *job, struct keeper *keeper)
{
    const struct acme_plan *plan = &job->plan;
    struct acme_error err = { .verdict = plan->misconfigured ? ACME_MISCONFIG
        : ACME_RETRY };

    if (plan->failures > 0 && plan->failed_at != plan->told.failed_at) {
        memcpy(err.problem, plan->problem, sizeof(err.problem));
        memcpy(err.text, plan->text, sizeof(err.text));
        event_failed(job, keeper, &err, NULL);
    }
}

void
event_catch_up(struct keeper *keeper)
{
    for (size_t i = 0; is_wanted(keeper) && i < keeper->job_count; i++) {
        tell_failure(&keeper->jobs[i], keeper);
    }
}

/* ---- what is about to expire */

static bool
has_end(const struct job *job)
{
    return job->served && job->serial[0] != '\0';
}

static void
tell_end(struct job *job, struct keeper *keeper, unsigned days)
{
    struct acme_told *told = &job->plan.told;
    int64_t left = acme_event_days_left(job->not_after, keeper->now);
    char end[ACME_TIME_TEXT_SIZE], due[ACME_TIME_TEXT_SIZE];
    char in[32] = "", why[sizeof(job->plan.text) + 2] = ", and is under way";

    if (job->plan.text[0] != '\0') {
        snprintf(why, sizeof(why), ": %s", job->plan.text);
    }
    if (left > 0) {
        snprintf(in, sizeof(in), ", in %lld day%s", (long long) left,
            left == 1 ? "" : "s");
    }
    acme_log_always(&job->key_log, days <= LAST_DAYS ? ACME_LOG_ERROR
        : ACME_LOG_WARN, "the certificate in service %s at %s%s; its renewal "
        "was due at %s%s", left > 0 ? "expires" : "expired",
        acme_time_write(end, job->not_after), in,
        acme_time_write(due, service_due_at(job, keeper)), why);
    if (is_wanted(keeper)) {
        cJSON *root = new_event(job, keeper, "expiring");

        queue(job, keeper, "expiring", root,
            add_number(root, "days_left", left));
    }
    told->days = days;
    memcpy(told->serial, job->serial, sizeof(told->serial));
    attempt_save_plan(job, keeper);
}

void
event_mind_ends(struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->job_count; i++) {
        struct job *job = &keeper->jobs[i];
        unsigned days = !has_end(job) ? 0
            : acme_event_expiring(&job->plan.told, job->serial,
                job->not_after, service_due_at(job, keeper), keeper->now);

        if (days != 0) {
            tell_end(job, keeper, days);
        }
    }
}

int64_t
event_wake_at(const struct keeper *keeper)
{
    int64_t first = event_queue_wake_at(keeper);

    for (size_t i = 0; i < keeper->job_count; i++) {
        const struct job *job = &keeper->jobs[i];

        if (has_end(job)) {
            int64_t at = acme_event_expiring_at(&job->plan.told, job->serial,
                job->not_after, service_due_at(job, keeper), keeper->now);

            first = at < first ? at : first;
        }
    }
    return first;
}
