/*
 * Accounts: accounts/<ca>/default/{account.key,account.json}. The key is on
 * disk before newAccount is sent, so that a crash finds the same account
 * again (RFC 8555 7.3: a known key gets its existing account); so is
 * account.key.new before the CA is told of it.
 */

#include "keeper/account.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/base64url.h"
#include "format/json.h"
#include "keeper/pending.h"
#include "protocol/jws.h"
#include "protocol/session.h"
#include "protocol/url.h"
#include "settings/ca.h"
#include "settings/eab.h"

#define ACCOUNT_ID "default"
#define KEY_FILE "account.key"
#define NEW_KEY_FILE "account.key.new"
#define JSON_FILE "account.json"

enum { THUMBPRINT_MAX = 64, CONTACT_MAX = 300, CONTACTS_MAX = 8 * 1024 };

void
account_init(struct account *account, const struct acme_settings_ca *ca,
    uint32_t session, const struct acme_log *log)
{
    account->ca = ca;
    account->session = session;
    account->log = (struct acme_log) { .parent = log, .label = ca->name };
}

static void
forget_directory(struct account *account)
{
    for (size_t i = 0; i < account->directory_url_count; i++) {
        free(account->directory_urls[i]);
    }
    account->directory_url_count = 0;
    free(account->new_account_url);
    free(account->new_order_url);
    free(account->key_change_url);
    free(account->revoke_url);
    account->new_account_url = NULL;
    account->new_order_url = NULL;
    account->key_change_url = NULL;
    account->revoke_url = NULL;
    account->binding_required = false;
}

static void
forget_binding(struct account *account)
{
    explicit_bzero(&account->binding, sizeof(account->binding));
}

/* Key and account: what account_load has read. */
static void
forget_account(struct account *account)
{
    acme_key_free(account->key);
    acme_key_free(account->new_key);
    free(account->url);
    free(account->contacts);
    free(account->refused_contacts);
    account->key = account->new_key = NULL;
    account->url = account->contacts = account->refused_contacts = NULL;
    account->used = account->announced = false;
    forget_binding(account);
}

void
account_free(struct account *account)
{
    forget_directory(account);
    forget_account(account);
}

/* ---- the keys */

static bool
save_key(struct account *account, struct acme_store *store,
    const struct acme_key *key, const char *file, struct acme_error *err)
{
    struct acme_buffer pem = ACME_BUFFER(ACME_STORE_FILE_MAX);
    bool ok;

    ok = acme_key_write(key, &pem, err)
        && acme_store_account_write(store, account->folder, ACCOUNT_ID, file,
            acme_buffer_bytes(&pem), err);
    acme_buffer_wipe(&pem);
    return ok;
}

static struct acme_key *
make_key(struct account *account, struct acme_store *store, const char *file,
    struct acme_error *err)
{
    struct acme_key *key = acme_key_new(ACME_KEY_ECDSA_256, err);

    if (key != NULL && !save_key(account, store, key, file, err)) {
        acme_key_free(key);
        key = NULL;
    }
    return key;
}

/* NULL with ENOENT in .sys when there is none. */
static struct acme_key *
load_key(struct account *account, struct acme_store *store, const char *file,
    struct acme_error *err)
{
    struct acme_buffer pem = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct acme_key *key = NULL;

    if (acme_store_account_read(store, account->folder, ACCOUNT_ID, file,
            &pem, err)) {
        key = acme_key_read(acme_buffer_bytes(&pem), err);
    }
    acme_buffer_wipe(&pem);
    if (key == NULL && err->sys != ENOENT) {
        acme_while(err, "account key of %s, %s", account->ca->name, file);
    }
    return key;
}

static bool
load_keys(struct account *account, struct acme_store *store,
    struct acme_error *err)
{
    account->key = load_key(account, store, KEY_FILE, err);
    account->used = account->key != NULL;
    if (account->key == NULL && err->sys == ENOENT) {
        account->key = make_key(account, store, KEY_FILE, err);
    }
    if (account->key == NULL) {
        return false;
    }
    account->new_key = load_key(account, store, NEW_KEY_FILE, err);
    return account->new_key != NULL || err->sys == ENOENT;
}

/* ---- account.json */

/* The contacts of the settings, one a line. */
static bool
join_contacts(const struct acme_settings *settings, struct acme_buffer *lines)
{
    bool ok = acme_buffer_add_text(lines, "");

    for (size_t i = 0; ok && i < settings->contact_count; i++) {
        ok = acme_buffer_printf(lines, "%s%s", i > 0 ? "\n" : "",
            settings->contacts[i]);
    }
    return ok;
}

/* A list of the file as lines; NULL when there is none that can be read. */
static char *
read_contacts(const cJSON *root, const char *name)
{
    struct acme_buffer lines = ACME_BUFFER(CONTACTS_MAX);
    const cJSON *list = acme_json_array(root, name);
    const cJSON *item;
    char *copy = NULL;
    bool ok = list != NULL;

    cJSON_ArrayForEach(item, list) {
        const char *contact = acme_json_text_of(item, CONTACT_MAX);

        ok = ok && contact != NULL && acme_buffer_printf(&lines, "%s%s",
            lines.len > 0 ? "\n" : "", contact);
    }
    if (ok) {
        copy = strdup(acme_buffer_text(&lines));
    }
    acme_buffer_free(&lines);
    return copy;
}

/* And back; nothing for NULL. */
static bool
add_contacts(cJSON *root, const char *name, const char *lines)
{
    char *copy, *rest, *contact;
    cJSON *list;
    bool ok;

    if (lines == NULL) {
        return true;
    }
    list = cJSON_AddArrayToObject(root, name);
    copy = rest = strdup(lines);
    ok = list != NULL && copy != NULL;
    while (ok && (contact = strsep(&rest, "\n")) != NULL) {
        cJSON *item = *contact != '\0' ? cJSON_CreateString(contact) : NULL;

        ok = *contact == '\0' || cJSON_AddItemToArray(list, item);
    }
    free(copy);
    return ok;
}

/* Is account.json of this key? One that does not say so is. */
static bool
is_of_key(const cJSON *root, const struct acme_key *key)
{
    struct acme_buffer thumbprint = ACME_BUFFER(THUMBPRINT_MAX);
    const char *saved = acme_json_text(root, "thumbprint", THUMBPRINT_MAX);
    struct acme_error ignored;
    bool same;

    same = saved == NULL || (acme_jws_thumbprint(key, &thumbprint, &ignored)
        && strcmp(saved, acme_buffer_text(&thumbprint)) == 0);
    acme_buffer_free(&thumbprint);
    return same;
}

/*
 * A lost or broken account.json is no loss: newAccount finds the account. One
 * of another key is none: that account would refuse what this key signs.
 */
static void
load_url(struct account *account, struct acme_store *store)
{
    struct acme_buffer json = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct acme_error err;
    cJSON *root = NULL;
    const char *url;

    if (acme_store_account_read(store, account->folder, ACCOUNT_ID, JSON_FILE,
            &json, &err)) {
        root = acme_json_parse(acme_buffer_bytes(&json), &err);
    }
    url = acme_json_text(root, "url", ACME_URL_MAX);
    if (url != NULL && is_of_key(root, account->key)) {
        account->url = strdup(url);
        account->contacts = read_contacts(root, "contacts");
        account->refused_contacts = read_contacts(root, "refused_contacts");
    }
    cJSON_Delete(root);
    acme_buffer_free(&json);
}

bool
account_load(struct account *account, struct acme_store *store,
    struct acme_error *err)
{
    if (account->key != NULL) {
        return true;
    }
    if (!acme_store_ca_folder(account->ca->url, account->folder, err)
        || !load_keys(account, store, err)) {
        forget_account(account);
        return false;
    }
    load_url(account, store);
    account->announced = false;  /* it was, perhaps, without all this */
    return true;
}

bool
account_has_order(const struct account *account, const struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->active_count; i++) {
        if (keeper->active[i]->account == account) {
            return true;
        }
    }
    return false;
}

void
account_look_again(struct account *account, struct acme_store *store)
{
    struct acme_buffer pem = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct acme_error err = { 0 };

    if (account->key != NULL
        && !acme_store_account_read(store, account->folder, ACCOUNT_ID,
            KEY_FILE, &pem, &err) && err.sys == ENOENT) {
        acme_log(&account->log, ACME_LOG_NOTICE, "the account's key was moved "
            "away: a new account is registered");
        forget_account(account);
    }
    acme_buffer_wipe(&pem);
}

/* ---- the binding (7.3.4) */

/* What acme_eab is to call the CA. */
static const char *
name_in_settings(const struct acme_settings_ca *ca)
{
    struct acme_error ignored;
    const char *url = acme_ca_url(ca->name, &ignored);

    return url != NULL && strcmp(url, ca->url) == 0 ? ca->name : ca->url;
}

static bool
fail_unbound(const struct acme_settings_ca *ca, struct acme_error *err)
{
    acme_fail(err, ACME_MISCONFIG, "the CA demands an external account "
        "binding: add \"acme_eab %s KID FILE;\" with the key identifier and "
        "a file with the HMAC key", name_in_settings(ca));
    strcpy(err->problem, "externalAccountRequired");
    return false;
}

bool
account_bind(const struct account *account, struct acme_buffer *json,
    struct acme_error *err)
{
    const struct acme_settings_ca *ca = account->ca;
    const struct acme_binding *got = &account->binding;
    struct acme_buffer secret = ACME_BUFFER(ACME_STORE_FILE_MAX);
    bool ok;

    if (ca->eab_kid != NULL) {
        ok = acme_eab_read(ca->eab_file, &secret, err)
            && acme_jws_bind(account->key, account->new_account_url,
                ca->eab_kid, ca->eab_algorithm, acme_buffer_bytes(&secret),
                json, err);
    } else if (got->kid[0] != '\0') {
        ok = (acme_base64_decode(&secret, acme_bytes_of(got->key))
                || acme_fail_memory(err))
            && acme_jws_bind(account->key, account->new_account_url, got->kid,
                ACME_HS256, acme_buffer_bytes(&secret), json, err);
    } else {
        ok = !account->binding_required || fail_unbound(ca, err);
    }
    acme_buffer_wipe(&secret);
    return ok;
}

/* ---- telling the agent */

/*
 * The agent reads the trusted roots from an open descriptor: it opens no
 * files, and they may be larger than a message.
 */
static bool
open_trust(const char *file, int *fd_out, struct acme_error *err)
{
    *fd_out = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    return *fd_out >= 0
        || acme_fail_sys(err, "acme_ca_certificate %s", file);
}

static unsigned
hints_of(const struct account *account, const struct acme_settings *settings)
{
    return (account->used && account->url == NULL ? ACME_ACCOUNT_MAY_EXIST : 0)
        | (account->new_key != NULL ? ACME_ACCOUNT_KEY_IN_DOUBT : 0)
        | (account_wants_update(account, settings) ? ACME_ACCOUNT_UPDATE : 0);
}

const char *
account_binding_source(const struct account *account,
    const struct acme_settings *settings)
{
    return account->ca->eab_kid == NULL && settings->contact_count > 0
        && strncmp(settings->contacts[0], "mailto:", 7) == 0
        ? acme_ca_eab_by_mail(account->ca->url) : NULL;
}

static void
add_mail(const struct account *account, const struct acme_settings *settings,
    struct acme_message *message)
{
    const char *url = account_binding_source(account, settings);

    if (url != NULL) {
        message->text[4] = acme_bytes_of(settings->contacts[0] + 7);
        message->text[5] = acme_bytes_of(url);
    }
}

bool
account_announce(struct account *account, struct keeper *keeper,
    struct acme_error *err)
{
    struct acme_message message = { .type = ACME_MESSAGE_CA,
        .id = account->session, .fd = -1 };
    bool ok;

    if (account->announced) {
        return true;
    }
    if (account->ca->trust_file != NULL
        && !open_trust(account->ca->trust_file, &message.fd, err)) {
        return false;
    }
    message.text[0] = acme_bytes_of(account->ca->url);
    message.text[1] = acme_bytes_of(account->url);
    message.text[2] = acme_bytes_of(keeper->settings->server);
    message.text[3] = acme_bytes_of(keeper->settings->proxy);
    message.number = hints_of(account, keeper->settings);
    add_mail(account, keeper->settings, &message);
    forget_binding(account);
    ok = acme_channel_send(keeper->agent, &message, err);
    if (message.fd >= 0) {
        close(message.fd);
    }
    account->announced = ok;
    return ok;
}

void
account_doubt(struct account *account)
{
    account->announced = false;
}

/* ---- saving */

/* account.json as it is to be with this key. */
static bool
save(const struct account *account, struct acme_store *store,
    const struct acme_key *key, const char *url, const char *contacts,
    const char *refused_contacts, struct acme_error *err)
{
    struct acme_buffer thumbprint = ACME_BUFFER(THUMBPRINT_MAX);
    struct acme_buffer json = ACME_BUFFER(ACME_STORE_FILE_MAX);
    cJSON *root = cJSON_CreateObject();
    bool ok;

    ok = acme_jws_thumbprint(key, &thumbprint, err)
        && ((cJSON_AddStringToObject(root, "thumbprint",
                acme_buffer_text(&thumbprint)) != NULL
            && cJSON_AddStringToObject(root, "url", url) != NULL
            && cJSON_AddStringToObject(root, "directory", account->ca->url)
                != NULL
            && add_contacts(root, "contacts", contacts)
            && add_contacts(root, "refused_contacts", refused_contacts)
            && acme_json_print(&json, root)) || acme_fail_memory(err))
        && acme_store_account_write(store, account->folder, ACCOUNT_ID,
            JSON_FILE, acme_buffer_bytes(&json), err);
    cJSON_Delete(root);
    acme_buffer_free(&thumbprint);
    acme_buffer_free(&json);
    return ok;
}

bool
account_save_url(struct account *account, struct keeper *keeper,
    const char *url, struct acme_error *err)
{
    char *copy = strdup(url);

    if (copy == NULL) {
        return acme_fail_memory(err);
    }
    if (!save(account, keeper->store, account->key, url, NULL, NULL, err)) {
        free(copy);
        return false;
    }
    free(account->url);
    free(account->contacts);
    free(account->refused_contacts);
    account->url = copy;
    account->contacts = account->refused_contacts = NULL;
    forget_binding(account);
    return true;
}

bool
account_wants_update(const struct account *account,
    const struct acme_settings *settings)
{
    struct acme_buffer lines = ACME_BUFFER(CONTACTS_MAX);
    const char *refused = account->refused_contacts;
    bool wants = false;

    if (account->url != NULL && join_contacts(settings, &lines)) {
        const char *now = acme_buffer_text(&lines);

        wants = strcmp(now, account->contacts != NULL ? account->contacts : "")
                != 0
            && (refused == NULL || strcmp(now, refused) != 0);
    }
    acme_buffer_free(&lines);
    return wants;
}

bool
account_save_contacts(struct account *account, struct keeper *keeper,
    bool taken, struct acme_error *err)
{
    struct acme_buffer lines = ACME_BUFFER(CONTACTS_MAX);
    char *now = NULL;
    bool ok;

    if (join_contacts(keeper->settings, &lines)) {
        now = strdup(acme_buffer_text(&lines));
    }
    acme_buffer_free(&lines);
    ok = now != NULL || acme_fail_memory(err);
    ok = ok && save(account, keeper->store, account->key, account->url,
        taken ? now : account->contacts, taken ? NULL : now, err);
    if (!ok) {
        free(now);
        return false;
    }
    free(account->refused_contacts);
    account->refused_contacts = taken ? NULL : now;
    if (taken) {
        free(account->contacts);
        account->contacts = now;
    }
    return true;
}

/* ---- another key (7.3.5) */

bool
account_make_new_key(struct account *account, struct acme_store *store,
    struct acme_error *err)
{
    account->new_key = make_key(account, store, NEW_KEY_FILE, err);
    return account->new_key != NULL;
}

/* The CA compares proofs with the key that the account has now (8.1). */
static void
publish_anew(struct account *account, struct keeper *keeper)
{
    struct acme_error err;

    for (size_t i = 0; i < keeper->job_count; i++) {
        struct job *job = &keeper->jobs[i];

        if (job->account == account
            && !pending_publish_all(job, keeper, &err)) {
            acme_log(&job->log, ACME_LOG_WARN, "%s", err.text);
        }
    }
}

/*
 * The rename makes it so. account.json of the old key is then that of a
 * stranger: should it stay so, the account is found by its key.
 */
bool
account_take_new_key(struct account *account, struct keeper *keeper,
    const char *url, struct acme_error *err)
{
    char *copy = strdup(url);
    bool ok;

    if (copy == NULL) {
        return acme_fail_memory(err);
    }
    ok = acme_store_account_rename(keeper->store, account->folder, ACCOUNT_ID,
        NEW_KEY_FILE, KEY_FILE, err);
    if (!ok) {
        free(copy);
        return false;
    }
    acme_key_free(account->key);
    account->key = account->new_key;
    account->new_key = NULL;
    free(account->url);
    account->url = copy;
    publish_anew(account, keeper);
    return save(account, keeper->store, account->key, account->url,
        account->contacts, account->refused_contacts, err);
}

bool
account_drop_new_key(struct account *account, struct acme_store *store,
    struct acme_error *err)
{
    if (!acme_store_account_remove(store, account->folder, ACCOUNT_ID,
            NEW_KEY_FILE, err)) {
        return false;
    }
    acme_key_free(account->new_key);
    account->new_key = NULL;
    return true;
}

/* ---- the directory (7.1.1) */

static bool
keep_url(struct account *account, const char *url, struct acme_error *err)
{
    char origin[ACME_URL_MAX + 1];

    if (account->directory_url_count == DIRECTORY_URLS_MAX) {
        return acme_fail(err, ACME_PEER_BROKE, "directory of more than %d URLs",
            DIRECTORY_URLS_MAX);
    }
    if (!acme_url_origin(url, origin, sizeof(origin), err)) {
        return false;
    }
    account->directory_urls[account->directory_url_count] = strdup(url);
    if (account->directory_urls[account->directory_url_count] == NULL) {
        return acme_fail_memory(err);
    }
    account->directory_url_count++;
    return true;
}

bool
account_set_directory(struct account *account, const char *directory,
    char *urls, const char *new_account, const char *new_order,
    struct acme_error *err)
{
    char *rest = urls;
    char *url;

    forget_directory(account);
    if (!keep_url(account, directory, err)) {
        return false;
    }
    while ((url = strsep(&rest, "\n")) != NULL) {
        /* one that cannot be used is one that we never sign for */
        (void) keep_url(account, url, err);
    }
    if (!account_allows(account, new_account, err)
        || !account_allows(account, new_order, err)) {
        return false;
    }
    account->new_account_url = strdup(new_account);
    account->new_order_url = strdup(new_order);
    if (account->new_account_url == NULL || account->new_order_url == NULL) {
        return acme_fail_memory(err);
    }
    return true;
}

void
account_set_profiles(struct account *account, struct acme_bytes profiles)
{
    acme_log_escape(account->profiles, sizeof(account->profiles), profiles);
}

bool
account_has_profile(const struct account *account, const char *profile)
{
    const char *at = account->profiles;
    size_t len = strlen(profile);

    while (*at != '\0') {
        size_t this = strcspn(at, ",");

        if (this == len && memcmp(at, profile, len) == 0) {
            return true;
        }
        at += this + strspn(at + this, ", ");
    }
    return false;
}

/* A URL that is offered and allowed; a foreign one is not offered. */
static bool
take_offer(const struct account *account, const char *url, char **copy_out,
    struct acme_error *err)
{
    struct acme_error ignored;

    if (url[0] == '\0' || !account_allows(account, url, &ignored)) {
        return true;
    }
    *copy_out = strdup(url);
    return *copy_out != NULL || acme_fail_memory(err);
}

bool
account_set_offers(struct account *account, const char *key_change,
    const char *revoke, bool binding_required, struct acme_error *err)
{
    account->binding_required = binding_required;
    return take_offer(account, key_change, &account->key_change_url, err)
        && take_offer(account, revoke, &account->revoke_url, err);
}

bool
account_allows(const struct account *account, const char *url,
    struct acme_error *err)
{
    return acme_url_allowed(url, (const char *const *) account->directory_urls,
        account->directory_url_count, err);
}
