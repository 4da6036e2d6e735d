/*
 * Judging the certificate in service. A damaged one counts as none; a whole
 * one that no longer fits the settings serves until its successor is there.
 */

#include "keeper/service.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
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
        && cJSON_AddStringToObject(root, "obtained",
            acme_time_write(at, now)) != NULL
        && cJSON_AddStringToObject(root, "not_after",
            acme_time_write(end, leaf->not_after)) != NULL
        && cJSON_AddStringToObject(root, "serial", leaf->serial) != NULL
        && acme_json_print(json, root);
    cJSON_Delete(root);
    return ok;
}

/*
 * When the generation was obtained, and whether from this CA. Without a
 * readable meta.json we do not know better: take it as ours.
 */
static bool
is_from_ca(const char *generation, const char *ca_url, int64_t *obtained_at)
{
    struct acme_buffer json = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct acme_error err;
    cJSON *root = NULL;
    const char *url, *obtained;
    bool same;
    int fd = open(generation, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        if (acme_durable_read(fd, META_FILE, &json, &err)) {
            root = acme_json_parse(acme_buffer_bytes(&json), &err);
        }
        close(fd);
    }
    url = acme_json_text(root, "ca", ACME_URL_MAX);
    same = url == NULL || strcmp(url, ca_url) == 0;
    obtained = acme_json_text(root, "obtained", ACME_TIME_TEXT_SIZE);
    if (obtained == NULL
        || !acme_time_read(acme_bytes_of(obtained), obtained_at)) {
        *obtained_at = 0;
    }
    cJSON_Delete(root);
    acme_buffer_free(&json);
    return same;
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
        job->fits = fits(job, acme_buffer_bytes(&key), &leaf, &err);
        if (job->fits && strcmp(leaf.serial, job->plan.revoked) == 0) {
            job->fits = acme_fail(&err, ACME_MISCONFIG, "it is revoked");
        }
        if (!is_from_ca(path, job->account->ca->url, &job->obtained_at)
            && job->fits) {
            job->fits = acme_fail(&err, ACME_MISCONFIG, "acme_ca is now %s",
                job->account->ca->name);
        }
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

bool
service_revocable(const struct job *job, const struct keeper *keeper,
    struct acme_buffer *der, char serial[64], struct acme_error *err)
{
    struct acme_buffer chain = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct acme_buffer key = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct acme_leaf leaf = { 0 };
    char path[PATH_MAX];
    int64_t ignored;
    bool ok;

    ok = acme_store_live_read(keeper->settings->state_path,
            job->cert->folder, path, sizeof(path), &chain, &key, err)
        && acme_leaf_read(acme_buffer_bytes(&chain), &leaf, err)
        && acme_leaf_der(acme_buffer_bytes(&chain), der, err)
        && (is_from_ca(path, job->account->ca->url, &ignored)
            || acme_fail(err, ACME_MISCONFIG, "the certificate is of another "
                "CA than %s, which acme_ca names now",
                job->account->ca->name));
    memcpy(serial, leaf.serial, sizeof(leaf.serial));
    acme_leaf_free(&leaf);
    acme_buffer_wipe(&key);
    acme_buffer_free(&chain);
    return ok;
}

int64_t
service_renew_at(const struct job *job, const struct keeper *keeper)
{
    /* a time to come (the clock was set back) says nothing */
    return acme_plan_renew_again_at(job->not_before, job->not_after,
        job->obtained_at <= keeper->now ? job->obtained_at : 0);
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
