/*
 * Due and backoff as arithmetic, and the plan's file form. The steps are those
 * of Let's Encrypt's integration guide.
 */

#include "plan/plan.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "format/json.h"
#include "plan/jitter.h"

enum {
    MINUTE_S = 60,
    HOUR_S = 3600,
    DAY_S = 24 * 3600,
    SHORT_LIFE_S = 10 * DAY_S,
    RETRY_AFTER_MAX_S = 8 * DAY_S,  /* the longest known limit is a week's */
    WAIT_MAX_S = RETRY_AFTER_MAX_S + MINUTE_S,  /* nobody waits longer */
    ENCOURAGE_S = 10 * MINUTE_S,
    FAILURES_MAX = 1000000,
    DAYS_MAX = 1000
};

/* After so many failures in a row; the last one again and again. */
enum { STEPS = 4 };

static const int64_t pauses[][STEPS] = {
    [ACME_SOON] = { MINUTE_S, 10 * MINUTE_S, 100 * MINUTE_S, DAY_S },
    [ACME_SLOW] = { 10 * MINUTE_S, 100 * MINUTE_S, DAY_S, DAY_S },
    [ACME_AT] = { MINUTE_S, 10 * MINUTE_S, 10 * MINUTE_S, 10 * MINUTE_S },
    [ACME_NEVER] = { DAY_S, DAY_S, DAY_S, DAY_S },
    [ACME_NOW] = { MINUTE_S, 10 * MINUTE_S, 100 * MINUTE_S, DAY_S },
};

/* ---- file form */

static bool
add_time(cJSON *root, const char *name, int64_t at)
{
    return at == 0 || acme_json_add_time(root, name, at);
}

static bool
add_ari(cJSON *root, const struct acme_ari *ari)
{
    cJSON *object;

    if (ari->cert_id[0] == '\0') {
        return true;
    }
    object = cJSON_AddObjectToObject(root, "ari");
    return cJSON_AddStringToObject(object, "cert_id", ari->cert_id) != NULL
        && add_time(object, "since", ari->since)
        && add_time(object, "start", ari->window.start)
        && add_time(object, "end", ari->window.end)
        && add_time(object, "known_at", ari->known_at)
        && add_time(object, "chosen", ari->chosen)
        && (!ari->ended || cJSON_AddTrueToObject(object, "ended") != NULL)
        && add_time(object, "poll_at", ari->poll_at)
        && cJSON_AddStringToObject(object, "explanation",
            ari->window.explanation) != NULL
        && cJSON_AddNumberToObject(object, "failures", ari->failures) != NULL
        && cJSON_AddNumberToObject(object, "hasty", ari->hasty) != NULL;
}

static bool
add_told(cJSON *root, const struct acme_told *told)
{
    cJSON *object;

    if (told->generation == 0 && told->failed_at == 0 && told->days == 0) {
        return true;
    }
    object = cJSON_AddObjectToObject(root, "told");
    return cJSON_AddNumberToObject(object, "generation", told->generation)
            != NULL
        && add_time(object, "failed_at", told->failed_at)
        && cJSON_AddNumberToObject(object, "days", told->days) != NULL
        && cJSON_AddStringToObject(object, "serial", told->serial) != NULL;
}

static bool
add_staging(cJSON *root, const struct acme_plan *plan)
{
    cJSON *object;

    if (plan->staging[0] == '\0') {
        return true;
    }
    object = cJSON_AddObjectToObject(root, "staging");
    return cJSON_AddStringToObject(object, "ca", plan->staging) != NULL
        && cJSON_AddNumberToObject(object, "failures",
            plan->staging_failures) != NULL;
}

bool
acme_plan_write(const struct acme_plan *plan, struct acme_buffer *json)
{
    cJSON *root = cJSON_CreateObject();
    bool ok;

    ok = cJSON_AddNumberToObject(root, "failures", plan->failures) != NULL
        && add_time(root, "next_attempt", plan->next_attempt)
        && add_time(root, "failed_at", plan->failed_at)
        && add_time(root, "retry_at", plan->retry_at)
        && add_time(root, "encouraged_at", plan->encouraged_at)
        && (!plan->misconfigured
            || cJSON_AddTrueToObject(root, "misconfigured") != NULL)
        && (plan->revoked[0] == '\0'
            || cJSON_AddStringToObject(root, "revoked", plan->revoked)
                != NULL)
        && (plan->installed == 0 || cJSON_AddNumberToObject(root,
            "installed", plan->installed) != NULL)
        && cJSON_AddStringToObject(root, "problem", plan->problem) != NULL
        && cJSON_AddStringToObject(root, "text", plan->text) != NULL
        && add_told(root, &plan->told)
        && (plan->last_text[0] == '\0'
            || cJSON_AddStringToObject(root, "last_text", plan->last_text)
                != NULL)
        && add_staging(root, plan)
        && add_ari(root, &plan->ari)
        && acme_json_print(json, root);
    cJSON_Delete(root);
    return ok;
}

static void
read_text(const cJSON *root, const char *name, char *out, size_t size)
{
    const char *text = acme_json_text(root, name, size - 1);

    if (text != NULL) {
        memcpy(out, text, strlen(text) + 1);
    }
}

/* What makes no sense is forgotten: the CA is asked again. */
static void
read_ari(const cJSON *root, struct acme_ari *ari)
{
    const cJSON *object = acme_json_object(root, "ari");
    struct acme_ari_window *window = &ari->window;
    int64_t failures = acme_json_number(object, "failures", 0);
    int64_t hasty = acme_json_number(object, "hasty", 0);

    read_text(object, "cert_id", ari->cert_id, sizeof(ari->cert_id));
    read_text(object, "explanation", window->explanation,
        sizeof(window->explanation));
    ari->since = acme_json_time(object, "since");
    window->start = acme_json_time(object, "start");
    window->end = acme_json_time(object, "end");
    ari->known_at = acme_json_time(object, "known_at");
    ari->chosen = acme_json_time(object, "chosen");
    ari->ended = acme_json_flag(object, "ended");
    ari->poll_at = acme_json_time(object, "poll_at");
    ari->failures = failures <= FAILURES_MAX ? (unsigned) failures : 0;
    ari->hasty = hasty <= FAILURES_MAX ? (unsigned) hasty : 0;
    if (ari->cert_id[0] == '\0' || (acme_ari_has_window(ari)
        ? ari->chosen < window->start || ari->chosen >= window->end
        : window->start != 0 || window->end != 0 || ari->chosen != 0)) {
        memset(ari, 0, sizeof(*ari));
    }
}

static unsigned
read_generation(const cJSON *object, const char *name)
{
    int64_t number = acme_json_number(object, name, 0);

    return number <= UINT_MAX ? (unsigned) number : 0;
}

/* What makes no sense is forgotten, and told again. */
static void
read_told(const cJSON *root, struct acme_told *told)
{
    const cJSON *object = acme_json_object(root, "told");
    int64_t days = acme_json_number(object, "days", 0);

    told->generation = read_generation(object, "generation");
    told->failed_at = acme_json_time(object, "failed_at");
    told->days = days <= DAYS_MAX ? (unsigned) days : 0;
    if (told->days > 0) {
        read_text(object, "serial", told->serial, sizeof(told->serial));
    }
}

static void
read_staging(const cJSON *root, struct acme_plan *plan)
{
    const cJSON *object = acme_json_object(root, "staging");
    int64_t failures = acme_json_number(object, "failures", 0);

    read_text(object, "ca", plan->staging, sizeof(plan->staging));
    plan->staging_failures = plan->staging[0] != '\0' && failures > 0
        && failures <= FAILURES_MAX ? (unsigned) failures : 0;
}

bool
acme_plan_read(struct acme_bytes json, struct acme_plan *plan)
{
    struct acme_error err;
    cJSON *root = acme_json_parse(json, &err);
    int64_t failures = acme_json_number(root, "failures", -1);
    bool ok = failures >= 0 && failures <= FAILURES_MAX;

    memset(plan, 0, sizeof(*plan));
    if (ok) {
        plan->failures = (unsigned) failures;
        plan->next_attempt = acme_json_time(root, "next_attempt");
        plan->failed_at = acme_json_time(root, "failed_at");
        plan->retry_at = acme_json_time(root, "retry_at");
        plan->encouraged_at = acme_json_time(root, "encouraged_at");
        plan->installed = read_generation(root, "installed");
        plan->misconfigured = acme_json_flag(root, "misconfigured");
        read_text(root, "revoked", plan->revoked, sizeof(plan->revoked));
        read_text(root, "problem", plan->problem, sizeof(plan->problem));
        read_text(root, "text", plan->text, sizeof(plan->text));
        read_told(root, &plan->told);
        read_text(root, "last_text", plan->last_text,
            sizeof(plan->last_text));
        read_staging(root, plan);
        read_ari(root, &plan->ari);
    }
    cJSON_Delete(root);
    return ok;
}

/* ---- arithmetic */

int64_t
acme_plan_renew_at(int64_t not_before, int64_t not_after)
{
    int64_t life = not_after - not_before;

    if (life <= 0) {
        return not_after;
    }
    return not_after - (life <= SHORT_LIFE_S ? life / 2 : life / 3);
}

int64_t
acme_plan_renew_again_at(int64_t not_before, int64_t not_after,
    int64_t obtained_at)
{
    int64_t at = acme_plan_renew_at(not_before, not_after);

    if (at > obtained_at) {
        return at;
    }
    at = acme_plan_renew_at(obtained_at, not_after);
    return at > obtained_at + MINUTE_S ? at : obtained_at + MINUTE_S;
}

/* FNV-1a, and its upper bits, too. */
static uint32_t
hash_of(const char *text)
{
    uint32_t hash = 2166136261u;

    for (; *text != '\0'; text++) {
        hash = (hash ^ (uint8_t) *text) * 16777619u;
    }
    return hash ^ hash >> 15;
}

int64_t
acme_plan_spread(int64_t at, int64_t not_before, int64_t not_after,
    int64_t obtained_at, const char *folder)
{
    int64_t most = (not_after - not_before) / 30;
    int64_t earlier = at;

    if (most > 0) {
        earlier -= most * (hash_of(folder) % 10000) / 10000;
    }
    return earlier > obtained_at + MINUTE_S ? earlier : at;
}

int64_t
acme_plan_next(const struct acme_plan *plan, int64_t due_at, int64_t now)
{
    int64_t at = due_at > now ? due_at : now;

    return plan->failures > 0 && at < plan->next_attempt ? plan->next_attempt
        : at;
}

int64_t
acme_plan_patience(int64_t not_after, int64_t now)
{
    return not_after > now ? (not_after - now) / 10 : INT64_MAX;
}

void
acme_plan_failed(struct acme_plan *plan, const struct acme_error *err,
    enum acme_class class, int64_t not_after, uint32_t random, int64_t now)
{
    size_t step = plan->failures < STEPS ? plan->failures : STEPS - 1;
    int64_t least = class == ACME_NEVER ? HOUR_S : MINUTE_S;
    int64_t pause;

    if (class == ACME_AT && err->retry_at <= 0) {
        class = ACME_SOON;
    }
    pause = acme_jitter(pauses[class][step], random);
    if (pause > acme_plan_patience(not_after, now)) {
        pause = acme_plan_patience(not_after, now);
        pause = pause < least ? least : pause;
    }
    if (plan->failures < FAILURES_MAX) {
        plan->failures++;
    }
    plan->misconfigured = class == ACME_NEVER;
    plan->failed_at = now;
    plan->retry_at = err->retry_at < now + RETRY_AFTER_MAX_S ? err->retry_at
        : now + RETRY_AFTER_MAX_S;
    plan->next_attempt = plan->retry_at > now + pause ? plan->retry_at
        : now + pause;
    memcpy(plan->problem, err->problem, sizeof(plan->problem));
    memcpy(plan->text, err->text, sizeof(plan->text));
    plan->last_text[0] = '\0';
}

static int64_t
moved_back(int64_t at, int64_t by)
{
    return at > by ? at - by : 0;
}

void
acme_plan_set_clock_back(struct acme_plan *plan, int64_t now)
{
    int64_t by = plan->failed_at - now;

    acme_ari_set_clock_back(&plan->ari, now);
    if (by > 0) {
        if (plan->told.failed_at == plan->failed_at) {
            plan->told.failed_at = now;
        }
        plan->failed_at = now;
        plan->next_attempt = moved_back(plan->next_attempt, by);
        plan->retry_at = moved_back(plan->retry_at, by);
    }
    if (plan->next_attempt > now + WAIT_MAX_S) {
        plan->next_attempt = now;
    }
    if (plan->retry_at > now + WAIT_MAX_S) {
        plan->retry_at = now;
    }
}

/* A time from the future (the clock was set back) does not count. */
bool
acme_plan_encourage(struct acme_plan *plan, int64_t now)
{
    if (plan->failures == 0 || now < plan->retry_at
        || (plan->encouraged_at <= now
            && now - plan->encouraged_at < ENCOURAGE_S)) {
        return false;
    }
    plan->encouraged_at = now;
    plan->next_attempt = now;
    return true;
}

void
acme_plan_succeeded(struct acme_plan *plan)
{
    struct acme_plan kept = { .ari = plan->ari, .told = plan->told };

    *plan = kept;
}

/* ---- several CAs */

/* Cut, as one of a file may be. */
static void
keep_name(char kept[ACME_PLAN_CA_SIZE], const char *name)
{
    snprintf(kept, ACME_PLAN_CA_SIZE, "%s", name);
}

bool
acme_plan_names(const char *in_plan, const char *name)
{
    char kept[ACME_PLAN_CA_SIZE];

    keep_name(kept, name);
    return strcmp(in_plan, kept) == 0;
}

void
acme_plan_invalid(struct acme_plan *plan, const char *name)
{
    keep_name(plan->staging, name != NULL ? name : "");
    plan->staging_failures = 0;
}

void
acme_plan_invalid_on_staging(struct acme_plan *plan)
{
    plan->staging_failures++;
}

/* The next order is one that nothing speaks against: with all challenges. */
void
acme_plan_staging_done(struct acme_plan *plan, bool passed)
{
    plan->staging[0] = '\0';
    plan->staging_failures = 0;
    if (passed) {
        plan->problem[0] = plan->text[0] = '\0';
    }
}
