/*
 * Orders under way, on disk and on the page. Every step that the CA will
 * remember is synced here before the agent takes it.
 */

#include "keeper/pending.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/base64url.h"
#include "format/json.h"
#include "keeper/account.h"
#include "protocol/jws.h"
#include "store/assign.h"

static const struct pending_files {
    const char *key, *order;
} pending_files[ACME_KEYS_MAX] = {
    { "privkey.pem", "order.json" },
    { "privkey.rsa.pem", "order.rsa.json" },
};

static void
free_proof(struct proof *proof)
{
    free(proof->name);
    free(proof->token);
    free(proof->challenge_url);
}

static void
free_proofs(struct job *job)
{
    for (size_t i = 0; i < job->proof_count; i++) {
        free_proof(&job->proofs[i]);
    }
    free(job->proofs);
    job->proofs = NULL;
    job->proof_count = 0;
}

void
pending_forget(struct job *job)
{
    free_proofs(job);
    free(job->order_url);
    job->order_url = NULL;
    acme_key_free(job->key);
    job->key = NULL;
}

/* The order first: a key alone is an order that was never begun. */
static void
remove_files(const struct job *job, size_t half, struct keeper *keeper)
{
    const struct pending_files *files = &pending_files[half];
    const char *folder = job->cert->folder;
    struct acme_error err;

    if (!acme_store_pending_remove(keeper->store, folder, files->order, &err)
        || !acme_store_pending_remove(keeper->store, folder, files->key,
            &err)) {
        acme_log(&job->log, ACME_LOG_WARN, "%s", err.text);
    }
}

void
pending_remove(struct job *job, struct keeper *keeper)
{
    pending_forget(job);
    remove_files(job, job->half, keeper);
}

/* ---- proofs */

struct proof *
pending_find_proof(const struct job *job, const char *challenge_url)
{
    for (size_t i = 0; i < job->proof_count; i++) {
        if (strcmp(job->proofs[i].challenge_url, challenge_url) == 0) {
            return &job->proofs[i];
        }
    }
    return NULL;
}

/* Where a proof with this token is, or .proof_count. */
static size_t
find_token(const struct job *job, struct acme_bytes token)
{
    size_t at = 0;

    while (at < job->proof_count && !acme_bytes_equal(token,
        acme_bytes_of(job->proofs[at].token))) {
        at++;
    }
    return at;
}

bool
pending_add_proof(struct job *job, const char *name, const char *token,
    const char *challenge_url, struct acme_error *err)
{
    size_t at = find_token(job, acme_bytes_of(token));
    struct proof proof = { 0 };
    struct proof *grown;

    if (at < job->proof_count
        && strcmp(job->proofs[at].challenge_url, challenge_url) == 0) {
        return true;
    }
    if (at == PROOFS_MAX) {
        return acme_fail(err, ACME_PEER_BROKE, "more than %d challenges",
            PROOFS_MAX);
    }
    grown = reallocarray(job->proofs, job->proof_count + 1, sizeof(*grown));
    if (grown == NULL) {
        return acme_fail_memory(err);
    }
    job->proofs = grown;
    proof.name = strdup(name);
    proof.token = strdup(token);
    proof.challenge_url = strdup(challenge_url);
    if (proof.name == NULL || proof.token == NULL
        || proof.challenge_url == NULL) {
        free_proof(&proof);
        return acme_fail_memory(err);
    }
    if (at == job->proof_count) {
        job->proof_count++;
    } else {
        free_proof(&grown[at]);
    }
    grown[at] = proof;
    return true;
}

bool
pending_publish(struct job *job, struct keeper *keeper, struct acme_error *err)
{
    struct acme_buffer text = ACME_BUFFER(ACME_KEY_AUTH_MAX);
    bool ok = true;

    for (size_t i = 0; ok && i < job->proof_count; i++) {
        const char *token = job->proofs[i].token;

        acme_buffer_clear(&text);
        ok = acme_key_authorization(job->account->key, token, &text, err)
            && acme_page_publish(keeper->page, acme_bytes_of(token),
                acme_buffer_bytes(&text), err);
    }
    acme_buffer_wipe(&text);
    return ok;
}

bool
pending_has_token(const struct job *job, struct acme_bytes token)
{
    return find_token(job, token) < job->proof_count;
}

/* Two orders of an account may share the authorization of a name. */
static bool
another_has_token(const struct job *job, const struct keeper *keeper,
    struct acme_bytes token)
{
    for (size_t i = 0; i < keeper->job_count; i++) {
        if (&keeper->jobs[i] != job
            && pending_has_token(&keeper->jobs[i], token)) {
            return true;
        }
    }
    return false;
}

void
pending_withdraw(struct job *job, struct keeper *keeper)
{
    for (size_t i = 0; i < job->proof_count; i++) {
        struct acme_bytes token = acme_bytes_of(job->proofs[i].token);

        if (!another_has_token(job, keeper, token)) {
            acme_page_withdraw(keeper->page, token);
        }
    }
    free_proofs(job);
}

/* ---- writing */

bool
pending_save_key(struct job *job, struct keeper *keeper,
    struct acme_error *err)
{
    struct acme_buffer pem = ACME_BUFFER(ACME_STORE_FILE_MAX);
    bool ok;

    ok = acme_key_write(job->key, &pem, err)
        && acme_store_pending_write(keeper->store, job->cert->folder,
            pending_files[job->half].key, acme_buffer_bytes(&pem), err);
    acme_buffer_wipe(&pem);
    return ok;
}

static bool
add_proofs(cJSON *root, const struct job *job)
{
    cJSON *list = cJSON_AddArrayToObject(root, "proofs");

    for (size_t i = 0; i < job->proof_count; i++) {
        const struct proof *proof = &job->proofs[i];
        cJSON *item = cJSON_CreateObject();

        if (!cJSON_AddItemToArray(list, item)) {
            cJSON_Delete(item);
            return false;
        }
        if (cJSON_AddStringToObject(item, "name", proof->name) == NULL
            || cJSON_AddStringToObject(item, "token", proof->token) == NULL
            || cJSON_AddStringToObject(item, "url", proof->challenge_url)
                == NULL
            || cJSON_AddBoolToObject(item, "told", proof->told) == NULL) {
            return false;
        }
    }
    return list != NULL;
}

/* What the order is for: an entry as if its half was all that is wanted. */
static bool
add_entry(const struct job *job, const struct keeper *keeper,
    struct acme_buffer *entry)
{
    struct acme_settings_cert half = *job->cert;

    half.key_types[0] = job_key_type(job);
    half.key_types[1] = ACME_KEY_NONE;
    return acme_store_entry(keeper->settings, &half, entry);
}

bool
pending_save_order(struct job *job, struct keeper *keeper,
    struct acme_error *err)
{
    struct acme_buffer entry = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct acme_buffer json = ACME_BUFFER(ACME_STORE_FILE_MAX);
    cJSON *root = cJSON_CreateObject();
    bool ok;

    ok = add_entry(job, keeper, &entry)
        && cJSON_AddStringToObject(root, "entry", acme_buffer_text(&entry))
            != NULL
        && cJSON_AddStringToObject(root, "began_with", job->began_with)
            != NULL
        && (job->order_url == NULL
            || cJSON_AddStringToObject(root, "url", job->order_url) != NULL)
        && add_proofs(root, job) && acme_json_print(&json, root);
    if (!ok) {
        acme_fail_memory(err);
    }
    ok = ok && acme_store_pending_write(keeper->store, job->cert->folder,
        pending_files[job->half].order, acme_buffer_bytes(&json), err);
    cJSON_Delete(root);
    acme_buffer_free(&json);
    acme_buffer_free(&entry);
    return ok;
}

/* ---- reading */

static bool
load_key(struct job *job, struct keeper *keeper, struct acme_error *err)
{
    struct acme_buffer pem = ACME_BUFFER(ACME_STORE_FILE_MAX);

    if (acme_store_pending_read(keeper->store, job->cert->folder,
            pending_files[job->half].key, &pem, err)) {
        job->key = acme_key_read(acme_buffer_bytes(&pem), err);
    }
    acme_buffer_wipe(&pem);
    if (job->key == NULL) {
        return false;
    }
    return acme_key_type_of_key(job->key) == job_key_type(job)
        || acme_fail(err, ACME_LOCAL, "its key is of another type");
}

static bool
is_for_this_entry(const cJSON *root, const struct job *job,
    const struct keeper *keeper)
{
    struct acme_buffer entry = ACME_BUFFER(ACME_STORE_FILE_MAX);
    const cJSON *saved = cJSON_GetObjectItemCaseSensitive(root, "entry");
    bool same;

    /* an entry has one line a name, so acme_json_text would refuse it */
    same = cJSON_IsString(saved)
        && add_entry(job, keeper, &entry)
        && strcmp(saved->valuestring, acme_buffer_text(&entry)) == 0;
    acme_buffer_free(&entry);
    return same;
}

static bool
load_proofs(const cJSON *root, struct job *job, struct acme_error *err)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, acme_json_array(root, "proofs")) {
        const char *name = acme_json_text(item, "name", ACME_NAME_MAX);
        const char *token = acme_json_text(item, "token", ACME_TOKEN_MAX);
        const char *url = acme_json_text(item, "url", ACME_URL_MAX);

        if (name == NULL || token == NULL || url == NULL
            || !acme_is_token(acme_bytes_of(token), ACME_TOKEN_MAX)) {
            return acme_fail(err, ACME_LOCAL, "a damaged proof");
        }
        if (!pending_add_proof(job, name, token, url, err)) {
            return false;
        }
        pending_find_proof(job, url)->told = acme_json_flag(item, "told");
    }
    return true;
}

static bool
load_order(struct job *job, struct keeper *keeper, struct acme_error *err)
{
    struct acme_buffer json = ACME_BUFFER(ACME_STORE_FILE_MAX);
    const char *url, *serial;
    cJSON *root = NULL;
    bool ok = false;

    if (!acme_store_pending_read(keeper->store, job->cert->folder,
            pending_files[job->half].order, &json, err)) {
        goto out;
    }
    root = acme_json_parse(acme_buffer_bytes(&json), err);
    if (root == NULL) {
        goto out;
    }
    if (!is_for_this_entry(root, job, keeper)) {
        acme_fail(err, ACME_LOCAL, "for another list of names, key or CA");
        goto out;
    }
    serial = acme_json_text(root, "began_with", sizeof(job->began_with) - 1);
    strcpy(job->began_with, serial != NULL ? serial : "");
    url = acme_json_text(root, "url", ACME_URL_MAX);
    job->order_url = url != NULL ? strdup(url) : NULL;
    ok = load_proofs(root, job, err);

out:
    cJSON_Delete(root);
    acme_buffer_free(&json);
    return ok;
}

void
pending_load(struct job *job, struct keeper *keeper)
{
    struct acme_error err = { 0 };

    if (job->half == 0 && job->other == NULL) {
        remove_files(job, 1, keeper);  /* of a key type no longer wanted */
    }
    if (load_order(job, keeper, &err) && load_key(job, keeper, &err)
        && account_load(job->account, keeper->store, &err)
        && pending_publish(job, keeper, &err)) {
        return;
    }
    if (err.sys == ENOENT) {
        pending_remove(job, keeper);  /* half of an order is none */
        return;
    }
    acme_log(&job->log, ACME_LOG_NOTICE,
        "the order left by an earlier run is dropped: %s", err.text);
    pending_withdraw(job, keeper);
    pending_remove(job, keeper);
}
