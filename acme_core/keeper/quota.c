/*
 * Which buckets an order takes from, and what becomes of that. CAs count
 * certificates when they are issued, and validations when they fail; here both
 * are counted as soon as they may happen, and given back when they have not.
 */

#include "keeper/quota.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "crypto/key.h"
#include "keeper/registered_domain.h"
#include "keeper/renewal.h"
#include "keeper/service.h"
#include "settings/ca.h"

/* The buckets of one job at the CA of one account. */
struct quota {
    struct keeper *keeper;
    const struct job *job;
    const struct acme_ca_rate *rates;
    char ca[ACME_FOLDER_MAX];
    char set[17];               /* which names, whatever their order */
};

/* ---- the file */

void
quota_load(struct keeper *keeper)
{
    struct acme_buffer json = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct acme_error err;

    if (acme_store_limits_read(keeper->store, &json, &err)) {
        if (!acme_limits_read(acme_buffer_bytes(&json), &keeper->limits)) {
            acme_log(&keeper->log, ACME_LOG_WARN, "limits.json is damaged: "
                "what CAs have been asked for before this is forgotten");
        }
    } else if (err.sys != ENOENT) {
        acme_log(&keeper->log, ACME_LOG_WARN, "%s", err.text);
    }
    acme_buffer_free(&json);
}

bool
quota_save(struct keeper *keeper, struct acme_error *err)
{
    struct acme_buffer json = ACME_BUFFER(ACME_STORE_FILE_MAX);
    bool ok = true;

    if (keeper->limits_changed) {
        ok = (acme_limits_write(&keeper->limits, keeper->now, &json)
                || acme_fail_memory(err))
            && acme_store_limits_write(keeper->store, acme_buffer_bytes(&json),
                err);
        keeper->limits_changed = !ok;
    }
    acme_buffer_free(&json);
    return ok;
}

void
quota_save_soon(struct keeper *keeper)
{
    struct acme_error err;
    bool ok = quota_save(keeper, &err);

    if (!ok && !keeper->limits_unsaved) {
        acme_log(&keeper->log, ACME_LOG_ERROR,
            "limits.json could not be saved: %s", err.text);
    }
    keeper->limits_unsaved = !ok;
}

/* ---- buckets */

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Some bytes of a digest of the sorted names. */
static bool
set_of(const struct job *job, char out[17], struct acme_error *err)
{
    struct acme_buffer text = ACME_BUFFER(ACME_NAMES_MAX
        * (ACME_NAME_MAX + 1));
    char *sorted[ACME_NAMES_MAX];
    size_t name_count = job->cert->name_count;
    uint8_t digest[32];
    bool ok = name_count <= ACME_NAMES_MAX;

    for (size_t i = 0; ok && i < name_count; i++) {
        sorted[i] = job->cert->names[i];
    }
    if (ok) {
        qsort(sorted, name_count, sizeof(*sorted), compare_names);
    }
    for (size_t i = 0; ok && i < name_count; i++) {
        ok = acme_buffer_printf(&text, "%s\n", sorted[i]);
    }
    ok = ok || acme_fail_memory(err);
    ok = ok && acme_sha256(acme_buffer_bytes(&text), digest, err);
    for (size_t i = 0; ok && i < 8; i++) {
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    }
    acme_buffer_free(&text);
    return ok;
}

static bool
quota_of(const struct job *job, const struct account *account,
    struct keeper *keeper, struct quota *quota, struct acme_error *err)
{
    quota->keeper = keeper;
    quota->job = job;
    quota->rates = acme_ca_rates(account->ca->url);
    return acme_store_ca_folder(account->ca->url, quota->ca, err)
        && set_of(job, quota->set, err);
}

static struct acme_bucket
bucket_of(const struct quota *quota, enum acme_ca_limit limit, const char *of)
{
    struct acme_bucket bucket = { .ca = quota->ca, .limit = limit, .of = of };

    if (limit < ACME_LIMITS_COUNTED) {
        bucket.rate = quota->rates[limit];
    }
    return bucket;
}

static bool
allows(const struct quota *quota, enum acme_ca_limit limit, const char *of,
    struct acme_error *err)
{
    struct acme_bucket bucket = bucket_of(quota, limit, of);

    return acme_limits_allow(&quota->keeper->limits, &bucket,
        quota->keeper->now, err);
}

static void
count(const struct quota *quota, enum acme_ca_limit limit, const char *of)
{
    struct acme_bucket bucket = bucket_of(quota, limit, of);

    if (bucket.rate.count > 0) {
        acme_limits_count(&quota->keeper->limits, &bucket,
            quota->keeper->now);
        quota->keeper->limits_changed = true;
    }
}

static void
give_back(const struct quota *quota, enum acme_ca_limit limit, const char *of)
{
    struct acme_bucket bucket = bucket_of(quota, limit, of);

    if (bucket.rate.count > 0) {
        acme_limits_give_back(&quota->keeper->limits, &bucket,
            quota->keeper->now);
        quota->keeper->limits_changed = true;
    }
}

static void
hold(const struct quota *quota, enum acme_ca_limit limit, const char *of,
    int64_t until)
{
    struct acme_bucket bucket = bucket_of(quota, limit, of);

    acme_limits_hold(&quota->keeper->limits, &bucket, until,
        quota->keeper->now);
    quota->keeper->limits_changed = true;
}

/* ---- what buckets are of */

/* A wildcard's validations are those of the name below it. */
static const char *
identifier_of(const char *name)
{
    return strncmp(name, "*.", 2) == 0 ? name + 2 : name;
}

/*
 * Do for each registered domain of the job, once: several names of a domain
 * are one certificate of it. Until one says false.
 */
static bool
each_domain(const struct quota *quota, bool (*act)(const struct quota *,
    const char *domain, struct acme_error *), struct acme_error *err)
{
    const struct acme_settings_cert *cert = quota->job->cert;

    for (size_t i = 0; i < cert->name_count; i++) {
        char domain[ACME_NAME_MAX + 1], other[ACME_NAME_MAX + 1];
        size_t first = 0;

        registered_domain(cert->names[i], domain);
        while (first < i && strcmp(registered_domain(cert->names[first],
                other), domain) != 0) {
            first++;
        }
        if (first == i && !act(quota, domain, err)) {
            return false;
        }
    }
    return true;
}

static bool
domain_allows(const struct quota *quota, const char *domain,
    struct acme_error *err)
{
    return allows(quota, ACME_LIMIT_DOMAIN, domain, err);
}

static bool
count_domain(const struct quota *quota, const char *domain,
    struct acme_error *err)
{
    (void) err;
    count(quota, ACME_LIMIT_DOMAIN, domain);
    return true;
}

static bool
give_back_domain(const struct quota *quota, const char *domain,
    struct acme_error *err)
{
    (void) err;
    give_back(quota, ACME_LIMIT_DOMAIN, domain);
    return true;
}

/* ---- before an order */

/* All but what is the CA's own wish. What costs a look at files comes last. */
static bool
buckets_allow(const struct quota *quota, const struct account *account,
    struct acme_error *err)
{
    const struct job *job = quota->job;

    if ((account->url == NULL
            && !allows(quota, ACME_LIMIT_REGISTRATIONS, "", err))
        || !allows(quota, ACME_LIMIT_ORDERS, "", err)
        || !allows(quota, ACME_LIMIT_SET, quota->set, err)) {
        return false;
    }
    for (size_t i = 0; i < job->cert->name_count; i++) {
        if (!allows(quota, ACME_LIMIT_FAILURES,
                identifier_of(job->cert->names[i]), err)) {
            return false;
        }
    }
    return each_domain(quota, domain_allows, err)
        || service_renews(job, account, quota->keeper);
}

/*
 * A CA that is busy is left alone, also when it was others who were told so;
 * not by a certificate whose end would come near meanwhile. What it has told
 * us is for us.
 */
static bool
ca_allows(const struct quota *quota, struct acme_error *err)
{
    int64_t now = quota->keeper->now;

    return allows(quota, ACME_LIMIT_CA, quota->set, err)
        && (allows(quota, ACME_LIMIT_CA, "", err)
            || err->retry_at - now > acme_plan_patience(quota->job->not_after,
                now));
}

bool
quota_allows(const struct job *job, const struct account *account,
    struct keeper *keeper, struct acme_error *err)
{
    struct quota quota;

    return quota_of(job, account, keeper, &quota, err)
        && ca_allows(&quota, err)
        && (renewal_is_wanted_now(job, account, keeper)
            || buckets_allow(&quota, account, err));
}

static bool
count_order(struct job *job, const struct quota *quota,
    struct acme_error *err)
{
    count(quota, ACME_LIMIT_ORDERS, "");
    count(quota, ACME_LIMIT_SET, quota->set);
    job->counted = true;
    job->counted_domains = quota->rates[ACME_LIMIT_DOMAIN].count > 0
        && !service_renews(job, job->account, quota->keeper);
    return !job->counted_domains || each_domain(quota, count_domain, err);
}

bool
quota_take(struct job *job, struct keeper *keeper, struct acme_error *err)
{
    struct quota quota;

    if (job->counted) {
        return true;
    }
    job->ordered = job->finalized = false;
    return quota_allows(job, job->account, keeper, err)
        && quota_of(job, job->account, keeper, &quota, err)
        && (renewal_is_wanted_now(job, job->account, keeper)
            || count_order(job, &quota, err));
}

bool
quota_ordering(struct job *job, struct keeper *keeper, bool replaces,
    struct acme_error *err)
{
    struct quota quota;

    if (!job->counted && !replaces
        && (!quota_of(job, job->account, keeper, &quota, err)
            || !count_order(job, &quota, err))) {
        return false;
    }
    job->ordered = true;
    return quota_save(keeper, err) || acme_while(err, "counting the order");
}

void
quota_responding(const struct job *job, struct keeper *keeper,
    const char *name)
{
    struct acme_error ignored;
    struct quota quota;

    if (quota_of(job, job->account, keeper, &quota, &ignored)) {
        count(&quota, ACME_LIMIT_FAILURES, identifier_of(name));
    }
}

void
quota_finalizing(struct job *job)
{
    job->finalized = true;
}

/* ---- behind an order */

/* Is it there, and no part of a longer name? */
static bool
mentions(const char *text, size_t len, const char *name)
{
    static const char of_names[] = "abcdefghijklmnopqrstuvwxyz"
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_:";
    size_t name_len = strlen(name);

    for (size_t i = 0; i + name_len <= len; i++) {
        if (strncasecmp(text + i, name, name_len) == 0
            && (i == 0 || (strchr(of_names, text[i - 1]) == NULL
                && text[i - 1] != '.'))
            && (i + name_len == len
                || strchr(of_names, text[i + name_len]) == NULL)) {
            return true;
        }
    }
    return false;
}

/*
 * Has the validation of this name failed? The text is "validation of a.test,
 * b.test [and 3 more] failed: ..."; those that it does not name may have.
 */
static bool
is_blamed(const struct acme_error *err, const char *name)
{
    static const char before[] = "validation of ";
    const char *end = strstr(err->text, " failed");
    const char *more = strstr(err->text, " more failed");

    if (strncmp(err->text, before, strlen(before)) != 0 || end == NULL) {
        return false;
    }
    return (more != NULL && more < end)
        || mentions(err->text, (size_t) (end - err->text), name);
}

/* An order that may be gone on with may still fail by any of them. */
static void
settle_validations(const struct quota *quota, const struct acme_error *err,
    bool over)
{
    const struct job *job = quota->job;

    for (size_t i = 0; over && i < job->proof_count; i++) {
        const char *name = identifier_of(job->proofs[i].name);

        if (job->proofs[i].told && (err == NULL || !is_blamed(err, name))) {
            give_back(quota, ACME_LIMIT_FAILURES, name);
        }
    }
}

/* It is not counted as a certificate as long as none was asked for. */
static void
settle_order(struct job *job, const struct quota *quota, bool over)
{
    struct acme_error ignored;

    if (!over && job->order_url != NULL) {
        return;
    }
    if (job->counted && !job->finalized) {
        give_back(quota, ACME_LIMIT_SET, quota->set);
        if (job->counted_domains) {
            (void) each_domain(quota, give_back_domain, &ignored);
        }
        if (!job->ordered) {
            give_back(quota, ACME_LIMIT_ORDERS, "");
        }
    }
    job->counted = job->counted_domains = false;
}

/* The first of the job's names, or of their domains, that the text is about. */
static const char *
name_in(const struct job *job, const char *text, bool domains,
    char out[ACME_NAME_MAX + 1])
{
    for (size_t i = 0; i < job->cert->name_count; i++) {
        const char *name = job->cert->names[i];

        snprintf(out, ACME_NAME_MAX + 1, "%s", identifier_of(name));
        if (domains) {
            registered_domain(name, out);
        }
        if (mentions(text, strlen(text), out)) {
            return out;
        }
    }
    return NULL;
}

/* What CAs say, and what they then count. */
static const struct {
    const char *words;
    enum acme_ca_limit limit;
} meanings[] = {
    { "exact set", ACME_LIMIT_SET },
    { "failed authorizations", ACME_LIMIT_FAILURES },
    { "already issued", ACME_LIMIT_DOMAIN },
    { "new orders", ACME_LIMIT_ORDERS },
    { "registrations", ACME_LIMIT_REGISTRATIONS },
};

static enum acme_ca_limit
limit_in(const char *text)
{
    for (size_t i = 0; i < sizeof(meanings) / sizeof(*meanings); i++) {
        if (strcasestr(text, meanings[i].words) != NULL) {
            return meanings[i].limit;
        }
    }
    return ACME_LIMIT_CA;
}

/* Is it about more than this request? */
static bool
is_limit(const struct acme_error *err)
{
    return strcmp(err->problem, "rateLimited") == 0
        || err->http_status == 429 || err->http_status == 503;
}

/* What is about a name of ours is not about the others. */
static enum acme_ca_limit
learn(const struct quota *quota, const struct acme_error *err)
{
    const struct job *job = quota->job;
    enum acme_ca_limit limit = limit_in(err->text);
    bool named = limit == ACME_LIMIT_DOMAIN || limit == ACME_LIMIT_FAILURES;
    char found[ACME_NAME_MAX + 1];
    const char *of = name_in(job, err->text, limit == ACME_LIMIT_DOMAIN,
        found);

    if (limit == ACME_LIMIT_SET || named == (of == NULL)) {
        limit = ACME_LIMIT_SET;
        of = quota->set;
    }
    hold(quota, limit, of != NULL ? of : "", err->retry_at);
    return limit;
}

/* A time that the CA has named: for us, and for what its words are about. */
static void
obey(const struct quota *quota, const struct acme_error *err)
{
    enum acme_ca_limit limit = is_limit(err) ? learn(quota, err)
        : ACME_LIMIT_CA;

    if (limit != ACME_LIMIT_SET) {
        hold(quota, ACME_LIMIT_CA, quota->set, err->retry_at);
    }
}

void
quota_ended(struct job *job, struct keeper *keeper,
    const struct acme_error *err, bool over)
{
    struct acme_error ignored;
    struct quota quota;

    if (!quota_of(job, job->account, keeper, &quota, &ignored)) {
        return;
    }
    job->finalized |= err == NULL;
    settle_validations(&quota, err, over);
    settle_order(job, &quota, over);
    if (err != NULL && err->retry_at > keeper->now) {
        obey(&quota, err);
    }
}
