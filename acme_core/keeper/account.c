/*
 * Accounts: accounts/<ca>/default/{account.key,account.json}. The key is on
 * disk before newAccount is sent, so that a crash finds the same account
 * again (RFC 8555 7.3: a known key gets its existing account).
 */

#include "keeper/account.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/json.h"
#include "protocol/jws.h"
#include "protocol/url.h"
#include "settings/eab.h"

#define ACCOUNT_ID "default"
#define KEY_FILE "account.key"
#define JSON_FILE "account.json"

enum { THUMBPRINT_MAX = 64 };

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
    account->new_account_url = NULL;
    account->new_order_url = NULL;
}

void
account_free(struct account *account)
{
    forget_directory(account);
    acme_key_free(account->key);
    free(account->url);
}

static bool
make_key(struct account *account, struct acme_store *store,
    struct acme_error *err)
{
    struct acme_buffer pem = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct acme_key *key = acme_key_new(ACME_KEY_ECDSA_256, err);
    bool ok;

    ok = key != NULL && acme_key_write(key, &pem, err)
        && acme_store_account_write(store, account->folder, ACCOUNT_ID,
            KEY_FILE, acme_buffer_bytes(&pem), err);
    acme_buffer_wipe(&pem);
    if (!ok) {
        acme_key_free(key);
        return false;
    }
    account->key = key;
    return true;
}

static bool
load_key(struct account *account, struct acme_store *store,
    struct acme_error *err)
{
    struct acme_buffer pem = ACME_BUFFER(ACME_STORE_FILE_MAX);
    bool found;

    found = acme_store_account_read(store, account->folder, ACCOUNT_ID,
        KEY_FILE, &pem, err);
    if (found) {
        account->key = acme_key_read(acme_buffer_bytes(&pem), err);
    }
    acme_buffer_wipe(&pem);
    if (!found && err->sys == ENOENT) {
        return make_key(account, store, err);
    }
    return account->key != NULL
        || acme_while(err, "account key of %s", account->ca->name);
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
        || !load_key(account, store, err)) {
        return false;
    }
    load_url(account, store);
    return true;
}

bool
account_bind(const struct account *account, struct acme_buffer *json,
    struct acme_error *err)
{
    const struct acme_settings_ca *ca = account->ca;
    struct acme_buffer secret = ACME_BUFFER(ACME_STORE_FILE_MAX);
    bool ok;

    if (ca->eab_kid == NULL) {
        return true;
    }
    ok = acme_eab_read(ca->eab_file, &secret, err)
        && acme_jws_bind(account->key, account->new_account_url, ca->eab_kid,
            ca->eab_algorithm, acme_buffer_bytes(&secret), json, err);
    acme_buffer_wipe(&secret);
    return ok;
}

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
    ok = acme_channel_send(keeper->agent, &message, err);
    if (message.fd >= 0) {
        close(message.fd);
    }
    account->announced = ok;
    return ok;
}

bool
account_save_url(struct account *account, struct keeper *keeper,
    const char *url, struct acme_error *err)
{
    struct acme_buffer thumbprint = ACME_BUFFER(THUMBPRINT_MAX);
    struct acme_buffer json = ACME_BUFFER(ACME_STORE_FILE_MAX);
    cJSON *root = cJSON_CreateObject();
    char *copy = strdup(url);
    bool ok;

    ok = copy != NULL && acme_jws_thumbprint(account->key, &thumbprint, err)
        && cJSON_AddStringToObject(root, "thumbprint",
            acme_buffer_text(&thumbprint)) != NULL
        && cJSON_AddStringToObject(root, "url", url) != NULL
        && cJSON_AddStringToObject(root, "directory", account->ca->url) != NULL
        && acme_json_print(&json, root);
    if (!ok) {
        acme_fail_memory(err);
    }
    ok = ok && acme_store_account_write(keeper->store, account->folder,
        ACCOUNT_ID, JSON_FILE, acme_buffer_bytes(&json), err);
    cJSON_Delete(root);
    acme_buffer_free(&thumbprint);
    acme_buffer_free(&json);
    if (!ok) {
        free(copy);
        return false;
    }
    free(account->url);
    account->url = copy;
    return true;
}

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

bool
account_allows(const struct account *account, const char *url,
    struct acme_error *err)
{
    return acme_url_allowed(url, (const char *const *) account->directory_urls,
        account->directory_url_count, err);
}
