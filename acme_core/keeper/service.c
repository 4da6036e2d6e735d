/*
 * Judging the certificate in service. A damaged one counts as none; a whole
 * one that no longer fits the settings serves until its successor is there.
 */

#include "keeper/service.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "format/json.h"
#include "format/time_text.h"
#include "store/durable.h"

#define META_FILE "meta.json"

bool
service_meta(const struct job *job, const struct acme_leaf *leaf, int64_t now,
    struct acme_buffer *json)
{
    char at[ACME_TIME_TEXT_SIZE], end[ACME_TIME_TEXT_SIZE];
    cJSON *root = cJSON_CreateObject();
    bool ok;

    ok = cJSON_AddStringToObject(root, "ca", job->account->ca->url) != NULL
        && (job->account->url == NULL || cJSON_AddStringToObject(root,
            "account", job->account->url) != NULL)
        && cJSON_AddStringToObject(root, "obtained",
            acme_time_write(at, now)) != NULL
        && cJSON_AddStringToObject(root, "not_after",
            acme_time_write(end, leaf->not_after)) != NULL
        && cJSON_AddStringToObject(root, "serial", leaf->serial) != NULL
        && (job->cert->profile == NULL || cJSON_AddStringToObject(root,
            "profile", job->cert->profile) != NULL)
        && (job->proven_by == ACME_CHALLENGE_NONE || cJSON_AddStringToObject(
            root, "proven_by", acme_challenge_type_name(job->proven_by))
                != NULL)
        && acme_json_print(json, root);
    cJSON_Delete(root);
    return ok;
}

static bool
same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* meta.json of a generation, or NULL. */
static cJSON *
read_meta(const char *generation)
{
    struct acme_buffer json = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct acme_error err;
    cJSON *root = NULL;
    int fd = open(generation, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        if (acme_durable_read(fd, META_FILE, &json, &err)) {
            root = acme_json_parse(acme_buffer_bytes(&json), &err);
        }
        close(fd);
    }
    acme_buffer_free(&json);
    return root;
}

/* Where meta.json is silent or unreadable, we do not know better: true. */
static bool
says_nothing_else(const cJSON *meta, const char *name, const char *url)
{
    const char *said = acme_json_text(meta, name, ACME_URL_MAX);

    return said == NULL || (url != NULL && strcmp(said, url) == 0);
}

/* When and how the generation was obtained, and whether as the settings say. */
static bool
is_as_ordered(struct job *job, const char *generation, struct acme_error *err)
{
    const struct acme_settings_ca *ca = job->account->ca;
    const char *wanted = job->cert->profile;
    cJSON *root = read_meta(generation);
    const char *profile = acme_json_text(root, "profile", ACME_PROFILE_MAX);
    const char *obtained = acme_json_text(root, "obtained",
        ACME_TIME_TEXT_SIZE);
    bool ok = true;

    if (obtained == NULL
        || !acme_time_read(acme_bytes_of(obtained), &job->obtained_at)) {
        job->obtained_at = 0;
    }
    job->proven_by = acme_challenge_type_of(
        acme_json_text(root, "proven_by", 32));
    if (!says_nothing_else(root, "ca", ca->url)) {
        ok = acme_fail(err, ACME_MISCONFIG, "acme_ca is now %s", ca->name);
    } else if (root != NULL && !same_text(profile, wanted)) {
        ok = acme_fail(err, ACME_MISCONFIG, "acme_profile is now %s",
            wanted != NULL ? wanted : "the CA's default");
    }
    cJSON_Delete(root);
    return ok;
}

static bool
fits(const struct job *job, struct acme_bytes key_pem,
    const struct acme_leaf *leaf, struct acme_error *err)
{
    struct acme_key *key = acme_key_read(key_pem, err);
    enum acme_key_type type;
    const char *missing;

    if (key == NULL) {
        return false;
    }
    type = acme_key_type_of_key(key);
    acme_key_free(key);
    if (type != job->cert->key_type) {
        return acme_fail(err, ACME_MISCONFIG, "acme_key is now %s",
            acme_key_type_name(job->cert->key_type));
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
    struct acme_buffer chain = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct acme_buffer key = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct acme_leaf leaf = { 0 };
    struct acme_error err = { 0 };
    char path[PATH_MAX];

    job->fits = false;
    job->served = acme_store_live_read(keeper->settings->state_path,
            job->cert->folder, path, sizeof(path), &chain, &key, &err)
        && acme_pair_matches(acme_buffer_bytes(&chain),
            acme_buffer_bytes(&key), &err)
        && acme_leaf_read(acme_buffer_bytes(&chain), &leaf, &err);
    if (job->served) {
        job->not_before = leaf.not_before;
        job->not_after = leaf.not_after;
        acme_ari_about(&job->plan.ari, leaf.cert_id, keeper->now);
        job->fits = is_as_ordered(job, path, &err)
            && fits(job, acme_buffer_bytes(&key), &leaf, &err);
    }
    if (!job->fits && err.sys != ENOENT) {
        acme_log(&job->log, ACME_LOG_NOTICE,
            "the certificate in service is to be replaced: %s", err.text);
    }
    acme_leaf_free(&leaf);
    acme_buffer_wipe(&key);
    acme_buffer_free(&chain);
    return job->fits && keeper->now < service_renew_at(job, keeper);
}

int64_t
service_renew_at(const struct job *job, const struct keeper *keeper)
{
    /* a time to come (the clock was set back) says nothing */
    int64_t at = acme_plan_renew_again_at(job->not_before, job->not_after,
        job->obtained_at <= keeper->now ? job->obtained_at : 0);

    return acme_ari_renew_at(&job->plan.ari, job->not_before, job->not_after,
        at);
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
    struct acme_buffer chain = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct acme_buffer key = ACME_BUFFER(ACME_STORE_FILE_MAX);
    const struct account *account = job->account;
    struct acme_leaf leaf = { 0 };
    struct acme_error ignored;
    char path[PATH_MAX];
    cJSON *meta = NULL;
    bool found;

    found = acme_store_live_read(keeper->settings->state_path,
            job->cert->folder, path, sizeof(path), &chain, &key, &ignored)
        && acme_leaf_read(acme_buffer_bytes(&chain), &leaf, &ignored);
    if (found) {
        meta = read_meta(path);
        memcpy(cert_id, leaf.cert_id, sizeof(leaf.cert_id));
        found = cert_id[0] != '\0' && shares_name(job, &leaf)
            && says_nothing_else(meta, "ca", account->ca->url)
            && says_nothing_else(meta, "account", account->url);
    }
    cJSON_Delete(meta);
    acme_leaf_free(&leaf);
    acme_buffer_wipe(&key);
    acme_buffer_free(&chain);
    return found;
}

bool
service_has_key(const struct job *job, const struct keeper *keeper)
{
    struct acme_buffer chain = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct acme_buffer live = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct acme_buffer key = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct acme_error ignored;
    char path[PATH_MAX];
    bool same;

    same = job->key != NULL && acme_key_write(job->key, &key, &ignored)
        && acme_store_live_read(keeper->settings->state_path,
            job->cert->folder, path, sizeof(path), &chain, &live, &ignored)
        && acme_pair_matches(acme_buffer_bytes(&chain),
            acme_buffer_bytes(&key), &ignored);
    acme_buffer_wipe(&key);
    acme_buffer_wipe(&live);
    acme_buffer_free(&chain);
    return same;
}
