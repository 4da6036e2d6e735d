/*
 * Buckets as a sorted list of keys "<ca> <what> <of>". What was taken out of a
 * bucket is the time that it needs to be full again. Where the CA has named a
 * time, that is an entry of its own.
 */

#include "plan/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/json.h"
#include "format/time_text.h"

enum {
    HOUR_S = 3600,
    DAY_S = 24 * HOUR_S,
    HOLD_MAX_S = 8 * DAY_S,     /* the longest known limit is a week's */
    HOLD_CA_MAX_S = 600,        /* others than the one who asked wait, too */
    ENTRY_SIZE = 24,            /* in the file, besides what it is of */
    CA_MAX = 255,
    OF_MAX = 300
};

/* How the file calls them: counted, and held. */
static const struct {
    const char *counted, *held;
} words[ACME_LIMITS] = {
    [ACME_LIMIT_ORDERS] = { "orders", "orders-held" },
    [ACME_LIMIT_DOMAIN] = { "domains", "domains-held" },
    [ACME_LIMIT_SET] = { "sets", "sets-held" },
    [ACME_LIMIT_FAILURES] = { "failures", "failures-held" },
    [ACME_LIMIT_REGISTRATIONS] = { "", "registrations-held" },
    [ACME_LIMIT_CA] = { "", "ca-held" },
};

typedef char limits_key[CA_MAX + OF_MAX + 32];

static void
make_key(limits_key key, const char *ca, const char *word, const char *of)
{
    snprintf(key, sizeof(limits_key), "%.*s %s %.*s", CA_MAX, ca, word,
        OF_MAX, of);
}

/* ---- the list */

void
acme_limits_free(struct acme_limits *limits)
{
    for (size_t i = 0; i < limits->count; i++) {
        free(limits->entries[i].key);
    }
    free(limits->entries);
    memset(limits, 0, sizeof(*limits));
}

/* Where the key is, or would be. */
static size_t
place_of(const struct acme_limits *limits, const char *key)
{
    size_t low = 0, high = limits->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(limits->entries[middle].key, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct acme_limits_entry *
find(const struct acme_limits *limits, const char *key)
{
    size_t at = place_of(limits, key);

    return at < limits->count && strcmp(limits->entries[at].key, key) == 0
        ? &limits->entries[at] : NULL;
}

/* In the file, where CAs and what they count stand once. */
static size_t
size_of(const char *key)
{
    return strlen(strchr(strchr(key, ' ') + 1, ' ')) + ENTRY_SIZE;
}

/* Forget what is over by then. */
static void
forget(struct acme_limits *limits, int64_t by_ms)
{
    size_t kept = 0;

    for (size_t i = 0; i < limits->count; i++) {
        if (limits->entries[i].at_ms > by_ms) {
            limits->entries[kept++] = limits->entries[i];
        } else {
            limits->size -= size_of(limits->entries[i].key);
            free(limits->entries[i].key);
        }
    }
    limits->count = kept;
}

static int
compare_times(const void *a, const void *b)
{
    int64_t left = *(const int64_t *) a, right = *(const int64_t *) b;

    return left < right ? -1 : left > right;
}

/* One in four goes, the soonest first. */
static void
forget_some(struct acme_limits *limits)
{
    int64_t *times = calloc(limits->count, sizeof(*times));
    int64_t by_ms = INT64_MAX;

    if (times != NULL) {
        for (size_t i = 0; i < limits->count; i++) {
            times[i] = limits->entries[i].at_ms;
        }
        qsort(times, limits->count, sizeof(*times), compare_times);
        by_ms = times[limits->count / 4];
        free(times);
    }
    forget(limits, by_ms);
}

/* Without memory it is not remembered. */
static void
insert(struct acme_limits *limits, const char *key, int64_t at_ms)
{
    struct acme_limits_entry entry = { .at_ms = at_ms };
    size_t at;

    if (limits->size + size_of(key) > ACME_LIMITS_JSON_MAX) {
        forget(limits, limits->seen * 1000);
    }
    while (limits->size + size_of(key) > ACME_LIMITS_JSON_MAX) {
        forget_some(limits);
    }
    if (limits->count == limits->room) {
        size_t room = limits->room + limits->room / 2 + 16;
        struct acme_limits_entry *grown = reallocarray(limits->entries, room,
            sizeof(*grown));

        if (grown == NULL) {
            return;
        }
        limits->entries = grown;
        limits->room = room;
    }
    entry.key = strdup(key);
    if (entry.key == NULL) {
        return;
    }
    at = place_of(limits, key);
    memmove(limits->entries + at + 1, limits->entries + at,
        (limits->count - at) * sizeof(entry));
    limits->entries[at] = entry;
    limits->count++;
    limits->size += size_of(key);
}

static void
set(struct acme_limits *limits, const char *key, int64_t at_ms)
{
    struct acme_limits_entry *entry = find(limits, key);

    if (entry != NULL) {
        entry->at_ms = at_ms;
    } else {
        insert(limits, key, at_ms);
    }
}

/* Where the clock was set back, all that was to come moves along. */
static void
look_at_clock(struct acme_limits *limits, int64_t now)
{
    for (size_t i = 0; now < limits->seen && i < limits->count; i++) {
        limits->entries[i].at_ms -= (limits->seen - now) * 1000;
    }
    limits->seen = now;
}

/* ---- buckets */

/* What one costs. */
static int64_t
cost_ms(const struct acme_bucket *bucket)
{
    return bucket->rate.within_s * 1000 / (int64_t) bucket->rate.count;
}

static int64_t
full_at_ms(const struct acme_limits *limits, const struct acme_bucket *bucket,
    const char *key, int64_t now)
{
    const struct acme_limits_entry *entry = find(limits, key);
    int64_t latest = (now + bucket->rate.within_s) * 1000;

    if (entry == NULL || entry->at_ms < now * 1000) {
        return now * 1000;
    }
    return entry->at_ms < latest ? entry->at_ms : latest;
}

/* From when on there is something in it. */
static int64_t
counted_until(const struct acme_limits *limits,
    const struct acme_bucket *bucket, int64_t now)
{
    int64_t free_ms;
    limits_key key;

    if (bucket->rate.count == 0) {
        return 0;
    }
    make_key(key, bucket->ca, words[bucket->limit].counted, bucket->of);
    free_ms = full_at_ms(limits, bucket, key, now) + cost_ms(bucket)
        - bucket->rate.within_s * 1000;
    return (free_ms + 999) / 1000;
}

static int64_t
held_until(const struct acme_limits *limits, const struct acme_bucket *bucket)
{
    const struct acme_limits_entry *entry;
    limits_key key;

    make_key(key, bucket->ca, words[bucket->limit].held, bucket->of);
    entry = find(limits, key);
    return entry != NULL ? entry->at_ms / 1000 : 0;
}

void
acme_limits_count(struct acme_limits *limits,
    const struct acme_bucket *bucket, int64_t now)
{
    limits_key key;

    look_at_clock(limits, now);
    if (bucket->rate.count > 0) {
        make_key(key, bucket->ca, words[bucket->limit].counted, bucket->of);
        set(limits, key, full_at_ms(limits, bucket, key, now)
            + cost_ms(bucket));
    }
}

void
acme_limits_give_back(struct acme_limits *limits,
    const struct acme_bucket *bucket, int64_t now)
{
    struct acme_limits_entry *entry;
    limits_key key;

    look_at_clock(limits, now);
    make_key(key, bucket->ca, words[bucket->limit].counted, bucket->of);
    entry = find(limits, key);
    if (entry != NULL && bucket->rate.count > 0) {
        entry->at_ms -= cost_ms(bucket);
    }
}

void
acme_limits_hold(struct acme_limits *limits, const struct acme_bucket *bucket,
    int64_t until, int64_t now)
{
    bool for_all = bucket->limit == ACME_LIMIT_CA && bucket->of[0] == '\0';
    int64_t most = now + (for_all ? HOLD_CA_MAX_S : HOLD_MAX_S);
    limits_key key;

    look_at_clock(limits, now);
    if (until > now) {
        make_key(key, bucket->ca, words[bucket->limit].held, bucket->of);
        set(limits, key, (until < most ? until : most) * 1000);
    }
}

/* ---- refusals, in Let's Encrypt's words */

/* " (5)"; nothing when it is not known how many. */
static const char *
count_text(const struct acme_bucket *bucket, char out[16])
{
    out[0] = '\0';
    if (bucket->rate.count > 0) {
        snprintf(out, 16, " (%u)", bucket->rate.count);
    }
    return out;
}

/* " in the last 168h0m0s" */
static const char *
within_text(const struct acme_bucket *bucket, char out[48])
{
    out[0] = '\0';
    if (bucket->rate.count > 0) {
        snprintf(out, 48, " in the last %lldh%lldm%llds",
            (long long) bucket->rate.within_s / HOUR_S,
            (long long) bucket->rate.within_s % HOUR_S / 60,
            (long long) bucket->rate.within_s % 60);
    }
    return out;
}

static void
say_what(const struct acme_bucket *bucket, char *out, size_t size)
{
    char count[16], within[48];

    count_text(bucket, count);
    within_text(bucket, within);
    switch (bucket->limit) {
    case ACME_LIMIT_ORDERS:
        snprintf(out, size, "too many new orders%s from this account%s",
            count, within);
        break;
    case ACME_LIMIT_DOMAIN:
        snprintf(out, size, "too many certificates%s already issued for "
            "\"%s\"%s", count, bucket->of, within);
        break;
    case ACME_LIMIT_SET:
        snprintf(out, size, "too many certificates%s already issued for this "
            "exact set of identifiers%s", count, within);
        break;
    case ACME_LIMIT_FAILURES:
        snprintf(out, size, "too many failed authorizations%s for \"%s\"%s",
            count, bucket->of, within);
        break;
    case ACME_LIMIT_REGISTRATIONS:
        snprintf(out, size, "too many new registrations");
        break;
    case ACME_LIMIT_CA:
    case ACME_LIMITS:
        snprintf(out, size, "too many requests");
        break;
    }
}

bool
acme_limits_allow(struct acme_limits *limits,
    const struct acme_bucket *bucket, int64_t now, struct acme_error *err)
{
    int64_t held, free_at;
    char what[500], at[ACME_TIME_TEXT_SIZE];

    look_at_clock(limits, now);
    held = held_until(limits, bucket);
    free_at = counted_until(limits, bucket, now);
    if (held <= now && free_at <= now) {
        return true;
    }
    if (held > free_at) {
        free_at = held;
    }
    say_what(bucket, what, sizeof(what));
    acme_fail(err, ACME_RETRY, "rateLimited: %s, retry after %s; %s", what,
        acme_time_write(at, free_at), held == free_at
            ? "the CA has said so before and was not asked again"
            : "counted here, the CA was not asked");
    strcpy(err->problem, "rateLimited");
    snprintf(err->name, sizeof(err->name), "%s", bucket->of);
    err->retry_at = free_at;
    return false;
}

/* ---- file form: { "seen": ..., "cas": { <ca>: { <what>: { <of>: ms }}}} */

/* The object for the first part of a key, made when the part is new. */
static cJSON *
enter(cJSON *parent, cJSON *last, const char **key)
{
    size_t len = strcspn(*key, " ");
    char name[CA_MAX + 1];

    snprintf(name, sizeof(name), "%.*s", (int) len, *key);
    *key += len + 1;
    if (last != NULL && strcmp(last->string, name) == 0) {
        return last;
    }
    return cJSON_AddObjectToObject(parent, name);
}

static bool
print(const struct acme_limits *limits, struct acme_buffer *json)
{
    cJSON *root = cJSON_CreateObject();
    bool ok = acme_json_add_time(root, "seen", limits->seen);
    cJSON *cas = cJSON_AddObjectToObject(root, "cas");
    cJSON *ca = NULL, *what = NULL;

    for (size_t i = 0; ok && i < limits->count; i++) {
        const char *key = limits->entries[i].key;
        cJSON *before = ca;

        ca = enter(cas, ca, &key);
        what = enter(ca, ca == before ? what : NULL, &key);
        ok = cJSON_AddNumberToObject(what, key,
            (double) limits->entries[i].at_ms) != NULL;
    }
    ok = ok && cas != NULL && acme_json_print(json, root);
    cJSON_Delete(root);
    return ok;
}

bool
acme_limits_write(struct acme_limits *limits, int64_t now,
    struct acme_buffer *json)
{
    look_at_clock(limits, now);
    forget(limits, now * 1000);
    while (!print(limits, json)) {
        if (limits->count == 0) {
            return false;
        }
        forget_some(limits);
    }
    return true;
}

static bool
is_word(const char *word)
{
    for (int i = 0; i < ACME_LIMITS; i++) {
        if (strcmp(words[i].held, word) == 0
            || (words[i].counted[0] != '\0'
                && strcmp(words[i].counted, word) == 0)) {
            return true;
        }
    }
    return false;
}

/* May it be a part of a key? */
static bool
is_part(const char *text, size_t max, const char *forbidden)
{
    for (const char *at = text; *at != '\0'; at++) {
        if ((unsigned char) *at < 0x20 || (unsigned char) *at > 0x7e
            || strchr(forbidden, *at) != NULL) {
            return false;
        }
    }
    return strlen(text) <= max;
}

static bool
read_bucket(const cJSON *ca, const cJSON *what, const cJSON *item,
    struct acme_limits *limits)
{
    limits_key key;

    if (!is_part(ca->string, CA_MAX, " ") || !is_word(what->string)
        || !is_part(item->string, OF_MAX, "") || !cJSON_IsNumber(item)
        || !(item->valuedouble >= 0
            && item->valuedouble <= 9007199254740992.0)) {
        return false;
    }
    make_key(key, ca->string, what->string, item->string);
    set(limits, key, (int64_t) item->valuedouble);
    return true;
}

/* What is further away than anything that is written was not written by us. */
static void
bound_times(struct acme_limits *limits)
{
    int64_t most = (limits->seen + HOLD_MAX_S) * 1000;

    for (size_t i = 0; i < limits->count; i++) {
        if (limits->entries[i].at_ms > most) {
            limits->entries[i].at_ms = most;
        }
    }
}

bool
acme_limits_read(struct acme_bytes json, struct acme_limits *limits)
{
    struct acme_error err;
    cJSON *root = acme_json_parse(json, &err);
    const cJSON *cas = acme_json_object(root, "cas");
    const cJSON *ca, *what, *item;
    bool ok = cas != NULL;

    memset(limits, 0, sizeof(*limits));
    limits->seen = acme_json_time(root, "seen");
    cJSON_ArrayForEach(ca, cas) {
        cJSON_ArrayForEach(what, ca) {
            cJSON_ArrayForEach(item, what) {
                ok = ok && cJSON_IsObject(ca) && cJSON_IsObject(what)
                    && read_bucket(ca, what, item, limits);
            }
        }
    }
    cJSON_Delete(root);
    if (!ok) {
        acme_limits_free(limits);
        return false;
    }
    bound_times(limits);
    return true;
}
