/*
 * Judging the certificate in service. A damaged one counts as none, and an
 * older one that serves in its place is to be replaced; a whole one that no
 * longer fits the settings serves until its successor is there.
 */

#include "keeper/service.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "format/json.h"
#include "keeper/choice.h"
#include "plan/renew.h"
#include "store/live.h"

/* ---- what is in service */

void
service_pair_free(struct service_pair *pair)
{
    acme_buffer_free(&pair->chain_pem);
    acme_buffer_wipe(&pair->key_pem);
    acme_buffer_free(&pair->meta_json);
}

/* The content goes over to the caller. */
static void
take_pair(struct service_pair *pair, struct acme_live_pair *live)
{
    *pair = (struct service_pair) { .chain_pem = live->chain_pem,
        .key_pem = live->key_pem, .meta_json = live->meta_json,
        .key_type = live->facts.key_type,
        .older = live->state == ACME_LIVE_OLDER };
    live->chain_pem = live->key_pem = live->meta_json =
        (struct acme_buffer) ACME_BUFFER(ACME_STORE_FILE_MAX);
}

bool
service_pair_read(const struct job *job, const struct keeper *keeper,
    bool rsa, struct service_pair *pair, struct acme_error *err)
{
    struct acme_live live;
    bool found = false;

    memset(pair, 0, sizeof(*pair));
    if (!acme_live_read(keeper->settings->state_path, job->cert, keeper->now,
            &live, err)) {
        acme_live_free(&live);
        return false;
    }
    acme_fail(err, ACME_LOCAL, "there is none with such a key");
    err->sys = ENOENT;   /* unless one is damaged: it may have been this one */
    for (size_t i = 0; !found && i < ACME_KEYS_MAX; i++) {
        struct acme_live_pair *half = &live.pairs[i];

        found = acme_live_is_whole(half)
            && acme_key_is_rsa(half->facts.key_type) == rsa;
        if (half->state == ACME_LIVE_DAMAGED) {
            *err = half->damage;
        }
        if (found) {
            take_pair(pair, half);
        }
        if (pair->older) {
            acme_fail(err, ACME_LOCAL, "%s; until then the older %s/%s is "
                "served in its place", half->damage.text, half->path,
                acme_pair_files[i].chain);
        }
    }
    acme_live_free(&live);
    return found;
}

unsigned
service_generation(const struct job *job, const struct keeper *keeper,
    bool *has_second)
{
    struct acme_buffer meta = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct acme_error ignored;
    char path[PATH_MAX];
    unsigned number;
    int fd = acme_store_live_open(keeper->settings->state_path,
        job->cert->folder, &number, path, sizeof(path), &ignored);

    *has_second = false;
    if (fd < 0) {
        return 0;
    }
    *has_second = acme_store_meta_read(fd, 1, &meta, &ignored);
    acme_buffer_free(&meta);
    close(fd);
    return number;
}

/* ---- its judgement */

bool
service_meta(const struct job *job, const struct acme_leaf *leaf, int64_t now,
    struct acme_buffer *json)
{
    const char *profile = choice_settings(job).profile;
    cJSON *root = cJSON_CreateObject();
    bool ok;

    ok = cJSON_AddStringToObject(root, "ca", job->account->ca->url) != NULL
        && (job->account->url == NULL || cJSON_AddStringToObject(root,
            "account", job->account->url) != NULL)
        && acme_json_add_time(root, "obtained", now)
        && acme_json_add_time(root, "not_after", leaf->not_after)
        && cJSON_AddStringToObject(root, "serial", leaf->serial) != NULL
        && (profile == NULL
            || cJSON_AddStringToObject(root, "profile", profile) != NULL)
        && (job->proven_by == ACME_CHALLENGE_NONE || cJSON_AddStringToObject(
            root, "proven_by", acme_challenge_type_name(job->proven_by))
                != NULL)
        && acme_json_print(json, root);
    cJSON_Delete(root);
    return ok;
}

/* Where meta.json is silent or unreadable, we do not know better: true. */
static bool
says_nothing_else(const cJSON *meta, const char *name, const char *url)
{
    const char *said = acme_json_text(meta, name, ACME_URL_MAX);

    return said == NULL || (url != NULL && strcmp(said, url) == 0);
}

/* The account at the CA that it is from; of an unknown one, at the first. */
static struct account *
find_issuer(const struct job *job, const struct keeper *keeper,
    const cJSON *meta)
{
    for (size_t i = 0; i < keeper->settings->ca_count; i++) {
        struct account *account = &keeper->accounts[(job->cert->ca + i)
            % keeper->settings->ca_count];

        if (says_nothing_else(meta, "ca", account->ca->url)) {
            return account;
        }
    }
    return NULL;
}

struct account *
service_issuer(const struct job *job)
{
    return job->issuer != NULL ? job->issuer : job->account;
}

/* Which CA of the list issued it, or their count. */
static size_t
find_choice(const struct job *job, const struct keeper *keeper)
{
    size_t count = acme_settings_choice_count(job->cert);
    size_t at = 0;

    while (at < count && job->issuer
        != &keeper->accounts[acme_settings_choice(job->cert, at).ca]) {
        at++;
    }
    return at;
}

/*
 * When and how the pair was obtained, and whether as the settings say: from
 * any CA of the list. Without a readable meta.json we do not know better: take
 * it as ours.
 */
static bool
is_as_ordered(struct job *job, const struct keeper *keeper,
    struct acme_bytes meta_json, struct acme_error *err)
{
    struct acme_error ignored;
    cJSON *root = acme_json_parse(meta_json, &ignored);
    const char *profile = acme_json_text(root, "profile", ACME_PROFILE_MAX);
    const char *wanted;
    size_t choice;
    bool ok = true;

    job->obtained_at = acme_json_time(root, "obtained");
    job->proven_by = acme_challenge_type_of(
        acme_json_text(root, "proven_by", 32));
    job->issuer = find_issuer(job, keeper, root);
    choice = find_choice(job, keeper);
    if (choice == acme_settings_choice_count(job->cert)) {
        ok = acme_fail(err, ACME_MISCONFIG, "acme_ca is now %s",
            keeper->accounts[job->cert->ca].ca->name);
    } else if (root != NULL && !acme_same_text(profile,
            wanted = acme_settings_choice(job->cert, choice).profile)) {
        ok = acme_fail(err, ACME_MISCONFIG, "acme_profile is now %s",
            wanted != NULL ? wanted : "the CA's default");
    }
    cJSON_Delete(root);
    return ok;
}

static bool
is_of_its_kind(const struct job *job, const struct service_pair *pair)
{
    return acme_key_is_rsa(pair->key_type)
        == acme_key_is_rsa(job_key_type(job));
}

/*
 * The pair with our kind of key, or else what is served in its place; then
 * err says why.
 */
static bool
find_pair(const struct job *job, const struct keeper *keeper,
    struct service_pair *pair, struct acme_error *err)
{
    bool rsa = acme_key_is_rsa(job_key_type(job));
    struct acme_error ignored;

    if (service_pair_read(job, keeper, rsa, pair, err)) {
        return true;
    }
    service_pair_free(pair);
    return service_pair_read(job, keeper, !rsa, pair, &ignored);
}

/* The same, but with two key types what is of the other is not ours. */
static bool
find_own_pair(const struct job *job, const struct keeper *keeper,
    struct service_pair *pair, struct acme_error *err)
{
    return find_pair(job, keeper, pair, err)
        && (is_of_its_kind(job, pair) || job->other == NULL);
}

static bool
fits(const struct job *job, const struct service_pair *pair,
    const struct acme_leaf *leaf, struct acme_error *err)
{
    const char *missing;

    if (!is_of_its_kind(job, pair)
        && (err->sys != ENOENT || job->other != NULL)) {
        return false;   /* it is damaged, or the other half came first */
    }
    if (pair->key_type != job_key_type(job)) {
        return acme_fail(err, ACME_MISCONFIG, "acme_key is now %s",
            acme_key_type_name(job_key_type(job)));
    }
    if (!acme_leaf_covers(leaf, (const char *const *) job->cert->names,
            job->cert->name_count, &missing)) {
        return acme_fail(err, ACME_MISCONFIG, "%s is not in it", missing);
    }
    return true;
}

bool
service_is_current(struct job *job, struct keeper *keeper)
{
    struct service_pair pair;
    struct acme_leaf leaf = { 0 };
    struct acme_error err = { 0 };

    job->fits = false;
    job->issuer = NULL;
    job->serial[0] = '\0';
    job->served = find_pair(job, keeper, &pair, &err)
        && acme_leaf_read(acme_buffer_bytes(&pair.chain_pem), &leaf, &err);
    if (job->served) {
        job->not_before = leaf.not_before;
        job->not_after = leaf.not_after;
        if (is_of_its_kind(job, &pair)) {
            strcpy(job->serial, leaf.serial);
        }
        if (is_of_its_kind(job, &pair) || job->other == NULL) {
            acme_ari_about(&job->plan.ari, leaf.cert_id, keeper->now);
        }
        job->fits = is_as_ordered(job, keeper,
                acme_buffer_bytes(&pair.meta_json), &err)
            && !pair.older
            && fits(job, &pair, &leaf, &err)
            && (strcmp(leaf.serial, job->plan.revoked) != 0
                || acme_fail(&err, ACME_MISCONFIG, "it is revoked"));
    }
    if (!job->fits && err.sys != ENOENT) {
        acme_log(&job->log, pair.older ? ACME_LOG_WARN : ACME_LOG_NOTICE,
            "the certificate in service is to be replaced: %s", err.text);
    }
    acme_leaf_free(&leaf);
    service_pair_free(&pair);
    return job->fits && keeper->now < service_due_at(job, keeper);
}

bool
service_revocable(const struct job *job, const struct keeper *keeper,
    struct acme_buffer *der, char serial[64], struct acme_error *err)
{
    const struct acme_settings_ca *ca = service_issuer(job)->ca;
    struct service_pair pair;
    struct acme_leaf leaf = { 0 };
    struct acme_error ignored;
    cJSON *meta = NULL;
    bool ok;

    ok = find_own_pair(job, keeper, &pair, err)
        && acme_leaf_read(acme_buffer_bytes(&pair.chain_pem), &leaf, err)
        && acme_leaf_der(acme_buffer_bytes(&pair.chain_pem), der, err);
    if (ok) {
        meta = acme_json_parse(acme_buffer_bytes(&pair.meta_json), &ignored);
        ok = says_nothing_else(meta, "ca", ca->url)
            || acme_fail(err, ACME_MISCONFIG, "the certificate is of another "
                "CA than %s, which acme_ca names now", ca->name);
    }
    memcpy(serial, leaf.serial, sizeof(leaf.serial));
    cJSON_Delete(meta);
    acme_leaf_free(&leaf);
    service_pair_free(&pair);
    return ok;
}

/* Wildcards are names like others here: a CA compares identifiers. */
static bool
shares_name(const struct job *job, const struct acme_leaf *leaf)
{
    for (size_t i = 0; i < job->cert->name_count; i++) {
        for (size_t k = 0; k < leaf->name_count; k++) {
            if (strcasecmp(job->cert->names[i], leaf->names[k]) == 0) {
                return true;
            }
        }
    }
    return false;
}

bool
service_predecessor(const struct job *job, const struct keeper *keeper,
    char cert_id[ACME_CERT_ID_MAX + 1])
{
    const struct account *account = job->account;
    struct service_pair pair;
    struct acme_leaf leaf = { 0 };
    struct acme_error ignored;
    cJSON *meta = NULL;
    bool found;

    /* an older one has been replaced by what is damaged now */
    found = find_own_pair(job, keeper, &pair, &ignored) && !pair.older
        && acme_leaf_read(acme_buffer_bytes(&pair.chain_pem), &leaf,
            &ignored);
    if (found) {
        meta = acme_json_parse(acme_buffer_bytes(&pair.meta_json), &ignored);
        memcpy(cert_id, leaf.cert_id, sizeof(leaf.cert_id));
        found = cert_id[0] != '\0' && shares_name(job, &leaf)
            && says_nothing_else(meta, "ca", account->ca->url)
            && says_nothing_else(meta, "account", account->url);
    }
    cJSON_Delete(meta);
    acme_leaf_free(&leaf);
    service_pair_free(&pair);
    return found;
}

bool
service_renews(const struct job *job, const struct account *account,
    const struct keeper *keeper)
{
    struct service_pair pair;
    struct acme_leaf leaf = { 0 };
    struct acme_error ignored;
    const char *missing;
    cJSON *meta = NULL;
    bool same;

    same = find_pair(job, keeper, &pair, &ignored)
        && acme_leaf_read(acme_buffer_bytes(&pair.chain_pem), &leaf, &ignored)
        && leaf.name_count == job->cert->name_count
        && acme_leaf_covers(&leaf, (const char *const *) job->cert->names,
            job->cert->name_count, &missing);
    if (same) {
        meta = acme_json_parse(acme_buffer_bytes(&pair.meta_json), &ignored);
        same = says_nothing_else(meta, "ca", account->ca->url);
    }
    cJSON_Delete(meta);
    acme_leaf_free(&leaf);
    service_pair_free(&pair);
    return same;
}

static struct acme_renew
wish_of(const struct job *job)
{
    return (struct acme_renew) { job->cert->renew_percent,
        job->cert->renew_days };
}

bool
service_follows_ari(const struct job *job)
{
    struct acme_renew wish = wish_of(job);

    return (wish.percent == 0 && wish.days == 0) || job->plan.ari.ended;
}

void
service_warn_of_renew(const struct job *job)
{
    struct acme_renew wish = wish_of(job);

    if (job->served && acme_renew_is_too_early(&wish, job->not_before,
            job->not_after)) {
        acme_log(&job->log, ACME_LOG_WARN, "acme_renew %ud is in the first "
            "half of the life of this certificate, which is %.1f days: it is "
            "renewed in the middle", wish.days,
            (double) (job->not_after - job->not_before) / 86400);
    }
}

/* One half by itself. */
static int64_t
renew_at(const struct job *job, const struct keeper *keeper)
{
    struct acme_renew wish = wish_of(job);

    /* a time to come (the clock was set back) says nothing */
    return acme_renew_at(&wish, &job->plan.ari, job->not_before,
        job->not_after, job->obtained_at <= keeper->now ? job->obtained_at
            : 0, job->cert->folder);
}

int64_t
service_due_at(const struct job *job, const struct keeper *keeper)
{
    int64_t at = renew_at(job, keeper);

    if (job->other != NULL && job->other->fits) {
        int64_t other_at = renew_at(job->other, keeper);

        if (other_at > job->obtained_at && other_at < at) {
            at = other_at;
        }
    }
    return at;
}

/*
 * The serial number of the certificate in service that has the job's key; one
 * that is there in place of a damaged one was never this order's.
 */
static bool
find_by_key(const struct job *job, const struct keeper *keeper,
    char serial[64])
{
    struct acme_buffer key = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct service_pair pair;
    struct acme_leaf leaf = { 0 };
    struct acme_error ignored;
    bool found;

    if (job->key == NULL) {
        return false;
    }
    found = service_pair_read(job, keeper, acme_key_is_rsa(job_key_type(job)),
            &pair, &ignored)
        && !pair.older && acme_key_write(job->key, &key, &ignored)
        && acme_pair_matches(acme_buffer_bytes(&pair.chain_pem),
            acme_buffer_bytes(&key), &ignored)
        && acme_leaf_read(acme_buffer_bytes(&pair.chain_pem), &leaf, &ignored);
    memcpy(serial, leaf.serial, sizeof(leaf.serial));
    acme_leaf_free(&leaf);
    service_pair_free(&pair);
    acme_buffer_wipe(&key);
    return found;
}

bool
service_has_key(const struct job *job, const struct keeper *keeper)
{
    char serial[64];

    return find_by_key(job, keeper, serial)
        && strcmp(serial, job->began_with) != 0;
}

bool
service_allows_key(const struct job *job, const struct keeper *keeper,
    struct acme_error *err)
{
    char serial[64];

    return job->plan.revoked[0] == '\0' || !find_by_key(job, keeper, serial)
        || strcmp(serial, job->plan.revoked) != 0
        || acme_fail(err, ACME_REFUSED,
            "its key is of a certificate that was revoked");
}
