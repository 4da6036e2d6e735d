/*
 * One account at one CA, shared by all its orders: directory, nonces, account
 * URL (RFC 8555 7.1.1, 7.2, 7.3, 6.5). Pure: no I/O, no clock.
 *
 * Times are unix milliseconds.
 */

#ifndef ACME_PROTOCOL_SESSION_H
#define ACME_PROTOCOL_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "protocol/binding.h"
#include "protocol/request.h"

struct acme_session;

/*
 * account_url: as saved by an earlier run, or NULL. Copies both.
 * NULL when memory ends.
 */
struct acme_session *acme_session_new(const char *directory_url,
    const char *account_url);
void acme_session_free(struct acme_session *session);

/* What the keeper knows of the account beyond its URL; or'ed. */
enum acme_account_hint {
    ACME_ACCOUNT_MAY_EXIST = 1,  /* the key has been used: look it up first */
    ACME_ACCOUNT_KEY_IN_DOUBT = 2,  /* a key change may have got through */
    ACME_ACCOUNT_UPDATE = 4      /* the contacts have changed */
};

/* To be told before the first need, or at any later time. */
void acme_session_hint(struct acme_session *session, unsigned hints);

/*
 * For a CA that gives out bindings (RFC 8555 7.3.4) for a mail address: where,
 * and which. Copies both; false when memory ends.
 */
bool acme_session_bind_by_mail(struct acme_session *session, const char *url,
    const char *mail);

enum acme_session_need {
    ACME_SESSION_READY = 1,      /* orders may send */
    ACME_SESSION_GET_DIRECTORY,  /* GET the url; follow redirects */
    ACME_SESSION_SAY_DIRECTORY,  /* tell the keeper the directory's URLs */
    ACME_SESSION_TRY_NEW_KEY,    /* newAccount, existing only, by the new key */
    ACME_SESSION_SAY_KEY,        /* tell the keeper whose key it is */
    ACME_SESSION_FIND_ACCOUNT,   /* newAccount, existing only */
    ACME_SESSION_GET_BINDING,    /* POST acme_session_mail() to the url */
    ACME_SESSION_SAY_BINDING,    /* hand acme_session_binding() over */
    ACME_SESSION_NEW_ACCOUNT,    /* sign and POST newAccount to the url */
    ACME_SESSION_SAVE_ACCOUNT,   /* have acme_session_account() saved */
    ACME_SESSION_UPDATE_ACCOUNT, /* POST the contacts to the url (7.3.2) */
    ACME_SESSION_SAVE_UPDATE      /* and tell the keeper what became of it */
};

/* What must happen next; idempotent. The URL that goes with it is borrowed
 * until the next reply. */
enum acme_session_need acme_session_next(const struct acme_session *session,
    const char **url_out);

/* Take a reply that acme_session_read called OK (to GET_BINDING: any). After
 * false the session still needs the same; the orders that wait fail
 * with err. */
bool acme_session_reply(struct acme_session *session, int64_t now_ms,
    const struct acme_reply *reply, struct acme_error *err);

/*
 * A request for this need failed. True when the session goes on by another
 * way: acme_session_next() says by which. False: the orders that wait fail.
 */
bool acme_session_failed(struct acme_session *session,
    enum acme_session_need need, const struct acme_error *why);

/*
 * An order begins: a directory that is older than a day is read again first,
 * because what a CA can do changes.
 */
void acme_session_refresh(struct acme_session *session, int64_t now_ms);

/* What the keeper was told, or was to save, is done. */
void acme_session_done(struct acme_session *session);

/* The CA said accountDoesNotExist (its memory was lost): register again.
 * False when that was done before and did not help (once per hour). */
bool acme_session_forget_account(struct acme_session *session,
    int64_t now_ms);

/* Borrowed; NULL while unknown. Final directory URL (after redirects). */
const char *acme_session_directory(const struct acme_session *session);
const char *acme_session_account(const struct acme_session *session);
const char *acme_session_new_nonce_url(const struct acme_session *session);
const char *acme_session_new_account_url(const struct acme_session *session);
const char *acme_session_new_order_url(const struct acme_session *session);

/* Was the account made now, with the contacts that went along? */
bool acme_session_account_is_new(const struct acme_session *session);
/* At SAY_KEY: is the new key the account's? */
bool acme_session_new_key_is_known(const struct acme_session *session);
/* At SAVE_UPDATE: why the CA refused the contacts, or "". */
const char *acme_session_update_refused(const struct acme_session *session);
/* The address for GET_BINDING; at SAY_BINDING what it brought. */
const char *acme_session_mail(const struct acme_session *session);
const struct acme_binding *acme_session_binding(
    const struct acme_session *session);

/* All URLs of the directory object, newline-separated, borrowed. */
const char *acme_session_urls(const struct acme_session *session);

/* May we send a request to this URL that the CA gave us? Its origin must be
 * that of the directory or of a URL in it; errors name both. */
bool acme_session_allows(const struct acme_session *session, const char *url,
    struct acme_error *err);

/* What not every CA offers, or NULL: RFC 9773, RFC 8555 7.3.5 and 7.6. */
const char *acme_session_renewal_info_url(const struct acme_session *session);
const char *acme_session_key_change_url(const struct acme_session *session);
const char *acme_session_revoke_url(const struct acme_session *session);

/* Does newAccount need a binding (7.3.4)? False before the directory. */
bool acme_session_external_account_required(
    const struct acme_session *session);

/*
 * The names of meta.profiles, separated by ", ", safe to log; "" when the CA
 * has none. Names with other than visible characters, and those beyond the
 * bounds, are left out.
 */
const char *acme_session_profiles(const struct acme_session *session);

/*
 * Nonces: newest first, dropped when older than 5 minutes, at most 128 kept.
 * take: false when none is left (then HEAD new_nonce_url; its reply goes
 * through acme_session_read like every other). The nonce is copied out.
 */
bool acme_session_take_nonce(struct acme_session *session, int64_t now_ms,
    char nonce[257]);

/*
 * What every reply goes through first: its nonce is kept; then
 *   ACME_READ_OK      a success (2xx); go on with acme_order_reply etc.
 *   ACME_READ_REPEAT  badNonce: sign and send the same request again with
 *                     the nonce just kept (callers stop after 20)
 *   ACME_READ_FAILED  err is filled
 * A 404 from one of the directory's own URLs, or a problem that speaks of what
 * it offers (malformed, invalidProfile, externalAccountRequired), makes the
 * session read the directory again: acme_session_next() then is
 * GET_DIRECTORY, later SAY_DIRECTORY. Strings borrowed from the session end
 * with that reply.
 */
enum acme_read { ACME_READ_OK = 1, ACME_READ_REPEAT, ACME_READ_FAILED };

enum acme_read acme_session_read(struct acme_session *session, int64_t now_ms,
    const struct acme_reply *reply, struct acme_error *err);

#endif
