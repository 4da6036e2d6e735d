/* The account at one CA: its key, its URL, and what its directory allows. */

#ifndef ACME_KEEPER_ACCOUNT_H
#define ACME_KEEPER_ACCOUNT_H

#include "keeper/state.h"

/* Prepare from settings; reads nothing. */
void account_init(struct account *account, const struct acme_settings_ca *ca,
    uint32_t session, const struct acme_log *log);
void account_free(struct account *account);

/*
 * Load the key and URL, or make a key (ES256) and save it before it is used.
 * A key file that cannot be read is an error and is never replaced.
 */
bool account_load(struct account *account, struct acme_store *store,
    struct acme_error *err);

/*
 * Append the externalAccountBinding that newAccount is to bring (RFC 8555
 * 7.3.4); nothing without acme_eab. The secret is read now and kept nowhere.
 */
bool account_bind(const struct account *account, struct acme_buffer *json,
    struct acme_error *err);

/* Tell the agent about the account's CA, once for each agent. */
bool account_announce(struct account *account, struct keeper *keeper,
    struct acme_error *err);

/* Save the URL that newAccount gave (RFC 8555 7.3). */
bool account_save_url(struct account *account, struct keeper *keeper,
    const char *url, struct acme_error *err);

/* Take over the directory's URLs; each must be https and well-formed. */
bool account_set_directory(struct account *account, const char *directory,
    char *urls, const char *new_account, const char *new_order,
    struct acme_error *err);

/* Remember which profiles the CA offers, to be told when one is asked for. */
void account_set_profiles(struct account *account, struct acme_bytes profiles);
bool account_has_profile(const struct account *account, const char *profile);

/* May we sign for this URL? Same origin as the directory or a URL in it. */
bool account_allows(const struct account *account, const char *url,
    struct acme_error *err);

#endif
