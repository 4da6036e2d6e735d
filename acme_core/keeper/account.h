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

/* Is one of its jobs among the active ones? */
bool account_has_order(const struct account *account,
    const struct keeper *keeper);

/*
 * An operator's reload: an account whose key was moved away is forgotten, and
 * the next account_load begins a new one. Not while it has work under way.
 */
void account_look_again(struct account *account, struct acme_store *store);

/*
 * Append the externalAccountBinding that newAccount is to bring (RFC 8555
 * 7.3.4): by acme_eab, or the one got for a mail address; nothing without. The
 * secret of acme_eab is read now and kept nowhere. An error that says what to
 * do when the directory demands one and there is none.
 */
bool account_bind(const struct account *account, struct acme_buffer *json,
    struct acme_error *err);

/* Where a binding is got for the first contact; NULL: from nowhere. */
const char *account_binding_source(const struct account *account,
    const struct acme_settings *settings);

/* Tell the agent about the account's CA, once for each agent. */
bool account_announce(struct account *account, struct keeper *keeper,
    struct acme_error *err);

/*
 * Save the URL that newAccount gave (RFC 8555 7.3). A binding got for a mail
 * address has served its purpose.
 */
bool account_save_url(struct account *account, struct keeper *keeper,
    const char *url, struct acme_error *err);

/* Are the contacts of the settings news to the CA? Refused ones are none. */
bool account_wants_update(const struct account *account,
    const struct acme_settings *settings);

/* The CA took the contacts of the settings, or refused them: saved. */
bool account_save_contacts(struct account *account, struct keeper *keeper,
    bool taken, struct acme_error *err);

/*
 * A change of the key (RFC 8555 7.3.5): make the new one, on disk before the
 * CA hears of it; once the CA knows it, it takes the place of the old one, and
 * the proofs on the page are of the new one; a new one that the CA does not
 * know is removed. With a crash in between the next keeper finds both, and has
 * the CA asked.
 */
bool account_make_new_key(struct account *account, struct acme_store *store,
    struct acme_error *err);
bool account_take_new_key(struct account *account, struct keeper *keeper,
    const char *url, struct acme_error *err);
bool account_drop_new_key(struct account *account, struct acme_store *store,
    struct acme_error *err);

/* The agent's session is to begin anew, with what we know by now. */
void account_doubt(struct account *account);

/* What else it offers, each "" when it does not. */
bool account_set_offers(struct account *account, const char *key_change,
    const char *revoke, bool binding_required, struct acme_error *err);

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
