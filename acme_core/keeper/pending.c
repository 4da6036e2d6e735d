/*
 * Orders under way, on disk and on the page. Every step that the CA will
 * remember is synced here before the agent takes it.
 */

#include "keeper/pending.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "crypto/alpn_cert.h"
#include "format/base64url.h"
#include "format/json.h"
#include "keeper/account.h"
#include "keeper/choice.h"
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
    job->wish.count = 0;
    job->counted = job->counted_domains = false;
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
pending_add_proof(struct job *job, enum acme_challenge_type type,
    const char *name, const char *token, const char *challenge_url,
    struct acme_error *err)
{
    size_t at = find_token(job, acme_bytes_of(token));
    struct proof proof = { .type = type };
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

static bool
fill_alpn(struct acme_page_alpn *alpn, struct acme_bytes cert,
    struct acme_bytes key, struct acme_error *err)
{
    if (cert.len > sizeof(alpn->cert) || key.len > sizeof(alpn->key)) {
        return acme_fail(err, ACME_LOCAL, "a challenge certificate that is "
            "too large for the shared page");
    }
    memcpy(alpn->cert, cert.at, cert.len);
    memcpy(alpn->key, key.at, key.len);
    alpn->cert_len = cert.len;
    alpn->key_len = key.len;
    return true;
}

static bool
publish_alpn(struct keeper *keeper, const struct proof *proof,
    struct acme_bytes key_auth, struct acme_error *err)
{
    struct acme_buffer cert = ACME_BUFFER(ACME_PAGE_CERT_MAX);
    struct acme_buffer key = ACME_BUFFER(ACME_PAGE_KEY_MAX);
    char server_name[ACME_SERVER_NAME_MAX + 1];
    struct acme_page_alpn alpn = { 0 };
    bool ok;

    ok = acme_server_name_of(proof->name, server_name)
        || acme_fail(err, ACME_LOCAL, "no server name for %s", proof->name);
    ok = ok && acme_alpn_cert_write(proof->name, key_auth, keeper->now, &cert,
            &key, err)
        && fill_alpn(&alpn, acme_buffer_bytes(&cert), acme_buffer_bytes(&key),
            err)
        && acme_page_publish_alpn(keeper->page, acme_bytes_of(server_name),
            acme_bytes_of(proof->token), &alpn, err);
    explicit_bzero(&alpn, sizeof(alpn));
    acme_buffer_wipe(&key);
    acme_buffer_free(&cert);
    return ok;
}

bool
pending_publish(const struct job *job, struct keeper *keeper,
    const struct proof *proof, struct acme_error *err)
{
    struct acme_buffer text = ACME_BUFFER(ACME_KEY_AUTH_MAX);
    bool ok = acme_key_authorization(job->account->key, proof->token, &text,
        err);

    if (ok && proof->type == ACME_TLS_ALPN_01) {
        ok = publish_alpn(keeper, proof, acme_buffer_bytes(&text), err);
    } else if (ok) {
        ok = acme_page_publish(keeper->page, acme_bytes_of(proof->token),
            acme_buffer_bytes(&text), err);
    }
    acme_buffer_wipe(&text);
    return ok;
}

bool
pending_publish_all(struct job *job, struct keeper *keeper,
    struct acme_error *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < job->proof_count; i++) {
        ok = pending_publish(job, keeper, &job->proofs[i], err);
    }
    return ok;
}

bool
pending_has_token(const struct job *job, struct acme_bytes token)
{
    return find_token(job, token) < job->proof_count;
}

/*
 * Another job's proof in the same place of the page. Two orders of an account
 * may share the authorization of a name; those of two accounts have each a
 * tls-alpn-01 proof for it, of which the page has the last.
 */
static const struct proof *
find_rival(const struct job *job, const struct keeper *keeper,
    const struct proof *proof, const struct job **other_out)
{
    for (size_t i = 0; i < keeper->job_count; i++) {
        const struct job *other = *other_out = &keeper->jobs[i];

        for (size_t j = 0; other != job && j < other->proof_count; j++) {
            const struct proof *rival = &other->proofs[j];

            if (rival->type == proof->type
                && (proof->type == ACME_TLS_ALPN_01
                    ? strcasecmp(rival->name, proof->name) == 0
                    : strcmp(rival->token, proof->token) == 0)) {
                return rival;
            }
        }
    }
    return NULL;
}

static void
withdraw(const struct proof *proof, struct keeper *keeper)
{
    char server_name[ACME_SERVER_NAME_MAX + 1];

    if (proof->type != ACME_TLS_ALPN_01) {
        acme_page_withdraw(keeper->page, acme_bytes_of(proof->token));
    } else if (acme_server_name_of(proof->name, server_name)) {
        acme_page_withdraw_alpn(keeper->page, acme_bytes_of(server_name),
            acme_bytes_of(proof->token));
    }
}

void
pending_withdraw(struct job *job, struct keeper *keeper)
{
    for (size_t i = 0; i < job->proof_count; i++) {
        const struct proof *proof = &job->proofs[i];
        const struct job *other;
        const struct proof *rival = find_rival(job, keeper, proof, &other);
        struct acme_error err;

        if (rival == NULL) {
            withdraw(proof, keeper);
        } else if (!pending_publish(other, keeper, rival, &err)) {
            acme_log(&other->log, ACME_LOG_ERROR, "%s", err.text);
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
        if (cJSON_AddStringToObject(item, "type",
                acme_challenge_type_name(proof->type)) == NULL
            || cJSON_AddStringToObject(item, "name", proof->name) == NULL
            || cJSON_AddStringToObject(item, "token", proof->token) == NULL
            || cJSON_AddStringToObject(item, "url", proof->challenge_url)
                == NULL
            || cJSON_AddBoolToObject(item, "told", proof->told) == NULL) {
            return false;
        }
    }
    return list != NULL;
}

static bool
add_wish(cJSON *root, const struct job *job)
{
    cJSON *list = cJSON_AddArrayToObject(root, "challenges");
    bool ok = list != NULL;

    for (size_t i = 0; ok && i < job->wish.count; i++) {
        cJSON *item = cJSON_CreateString(
            acme_challenge_type_name(job->wish.types[i]));

        ok = cJSON_AddItemToArray(list, item);
        if (!ok) {
            cJSON_Delete(item);
        }
    }
    return ok;
}

/*
 * What the order is for: an entry as if its half, and the CA where it is, was
 * all that is wanted.
 */
static bool
add_entry(const struct job *job, const struct keeper *keeper,
    struct acme_buffer *entry)
{
    const char *profile = choice_settings(job).profile;
    struct acme_settings_cert half = *job->cert;

    half.ca = choice_ca(job, keeper);
    half.key_types[0] = job_key_type(job);
    half.key_types[1] = ACME_KEY_NONE;
    return acme_store_entry(keeper->settings, &half, entry)
        && (profile == NULL
            || acme_buffer_printf(entry, "profile %s\n", profile));
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
        && cJSON_AddStringToObject(root, "ca", job->account->ca->url) != NULL
        && (!job->staging || cJSON_AddTrueToObject(root, "staging") != NULL)
        && cJSON_AddStringToObject(root, "began_with", job->began_with)
            != NULL
        && (job->order_url == NULL
            || (cJSON_AddStringToObject(root, "url", job->order_url) != NULL
                && acme_json_add_time(root, "expires", job->order_expires)))
        && (!job->counted || cJSON_AddTrueToObject(root, "counted") != NULL)
        && (!job->counted_domains
            || cJSON_AddTrueToObject(root, "counted_domains") != NULL)
        && add_wish(root, job) && add_proofs(root, job)
        && acme_json_print(&json, root);
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

/*
 * Is it at a CA that still is one of ours? Then that is where the attempt
 * goes on. One that does not say is at the first.
 */
static bool
go_where_it_is(const cJSON *root, struct job *job, struct keeper *keeper)
{
    const char *url = acme_json_text(root, "ca", ACME_URL_MAX);

    return choice_resume(job, keeper, url != NULL ? url
        : job->account->ca->url, acme_json_flag(root, "staging"));
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
        enum acme_challenge_type type = acme_challenge_type_of(
            acme_json_text(item, "type", 32));
        const char *name = acme_json_text(item, "name", ACME_NAME_MAX);
        const char *token = acme_json_text(item, "token", ACME_TOKEN_MAX);
        const char *url = acme_json_text(item, "url", ACME_URL_MAX);

        if (type == ACME_CHALLENGE_NONE || name == NULL || token == NULL
            || url == NULL
            || !acme_is_token(acme_bytes_of(token), ACME_TOKEN_MAX)) {
            return acme_fail(err, ACME_LOCAL, "a damaged proof");
        }
        if (!pending_add_proof(job, type, name, token, url, err)) {
            return false;
        }
        pending_find_proof(job, url)->told = acme_json_flag(item, "told");
    }
    return true;
}

static bool
is_configured(const struct acme_settings_cert *cert,
    enum acme_challenge_type type)
{
    for (size_t i = 0; i < cert->challenge_count; i++) {
        if (cert->challenges[i] == type) {
            return true;
        }
    }
    return false;
}

/* The challenges that are left for this order; none: all that are wanted. */
static void
load_wish(const cJSON *root, struct job *job)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, acme_json_array(root, "challenges")) {
        enum acme_challenge_type type = acme_challenge_type_of(
            acme_json_text_of(item, 32));

        if (is_configured(job->cert, type)
            && job->wish.count < ACME_CHALLENGE_TYPES) {
            job->wish.types[job->wish.count++] = type;
        }
    }
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
    if (!go_where_it_is(root, job, keeper)
        || !is_for_this_entry(root, job, keeper)) {
        acme_fail(err, ACME_LOCAL, "for other names, another key, CA or "
            "profile");
        goto out;
    }
    serial = acme_json_text(root, "began_with", sizeof(job->began_with) - 1);
    strcpy(job->began_with, serial != NULL ? serial : "");
    url = acme_json_text(root, "url", ACME_URL_MAX);
    job->order_url = url != NULL ? strdup(url) : NULL;
    job->order_expires = acme_json_time(root, "expires");
    job->counted = acme_json_flag(root, "counted");
    job->counted_domains = acme_json_flag(root, "counted_domains");
    job->ordered = job->finalized = job->order_url != NULL;
    load_wish(root, job);
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
        && pending_publish_all(job, keeper, &err)) {
        return;
    }
    if (err.sys == ENOENT) {
        pending_remove(job, keeper);  /* half of an order is none */
    } else {
        acme_log(&job->log, ACME_LOG_NOTICE,
            "the order left by an earlier run is dropped: %s", err.text);
        pending_withdraw(job, keeper);
        pending_remove(job, keeper);
    }
    choice_reset(job, keeper);
}
