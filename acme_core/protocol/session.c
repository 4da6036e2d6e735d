/*
 * One account at one CA: the directory (RFC 8555 7.1.1), the nonces (6.5),
 * the account's URL (7.3), and what every reply goes through first. Knows no
 * key and no order; whoever sends and signs is told only what comes next.
 */

#include "protocol/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/json.h"
#include "protocol/problem.h"
#include "protocol/url.h"

enum {
    NONCES = 128,
    NONCE_LIFE_MS = 5 * 60 * 1000,
    FORGET_AGAIN_MS = 60 * 60 * 1000,
    DIRECTORY_URLS = 32,
    DIRECTORY_URLS_LEN = 16 * 1024,
    DIRECTORY_LIFE_MS = 24 * 60 * 60 * 1000,
    PROFILE_NAME_MAX = 64,
    PROFILES_LEN = 1024
};

struct nonce {
    int64_t at_ms;
    char text[257];
};

/* What one reply to GET_DIRECTORY gave; all allocated. */
struct directory {
    char *url;                           /* after redirects */
    char *new_nonce, *new_account, *new_order;
    char *renewal_info, *key_change, *revoke_cert;  /* or NULL */
    char *profiles;                      /* or NULL */
    bool external_account_required;
    int64_t read_at_ms;
    char *urls;                          /* one a line */
    char *known[1 + DIRECTORY_URLS];     /* url, then those of urls */
    size_t known_count;
};

struct acme_session {
    char *first_url;             /* as configured */
    char *account;               /* URL, or NULL */
    struct directory directory;  /* .url is NULL while unknown */
    bool stale;                  /* the directory is to be read again */
    bool said;                   /* the keeper knows the directory */
    bool saved;                  /* the keeper knows the account */
    bool is_new;                 /* the account was made now */
    bool find;                   /* the account is to be looked up by its key */
    bool sought;                 /* that was done, in vain */
    bool key_in_doubt;           /* a key change may have got through */
    enum { UNTRIED, KNOWN, UNKNOWN } new_key;  /* to the CA */
    bool update;                 /* the contacts are to be sent */
    bool updated;                /* they were taken or refused */
    char update_refused[768];    /* the CA's words, or "" */
    char *bind_url, *mail;       /* where bindings are given out, or NULL */
    bool bound;                  /* the keeper has the binding */
    struct acme_binding binding; /* .kid is "" while there is none */
    bool forgot;
    int64_t forgot_at_ms;
    struct nonce nonces[NONCES]; /* a ring; the newest is at next - 1 */
    size_t next;
    size_t nonce_count;
};

/* ---- new and free */

struct acme_session *
acme_session_new(const char *directory_url, const char *account_url)
{
    struct acme_session *session = calloc(1, sizeof(*session));

    if (session == NULL) {
        return NULL;
    }
    session->first_url = strdup(directory_url);
    if (account_url != NULL) {
        session->account = strdup(account_url);
        session->saved = true;
    }
    if (session->first_url == NULL
        || (account_url != NULL && session->account == NULL)) {
        acme_session_free(session);
        return NULL;
    }
    return session;
}

static void
free_directory(struct directory *directory)
{
    free(directory->url);
    free(directory->new_nonce);
    free(directory->new_account);
    free(directory->new_order);
    free(directory->renewal_info);
    free(directory->key_change);
    free(directory->revoke_cert);
    free(directory->profiles);
    free(directory->urls);
    /* known[0] is url */
    for (size_t i = 1; i < directory->known_count; i++) {
        free(directory->known[i]);
    }
    memset(directory, 0, sizeof(*directory));
}

void
acme_session_free(struct acme_session *session)
{
    if (session == NULL) {
        return;
    }
    free_directory(&session->directory);
    free(session->first_url);
    free(session->account);
    free(session->bind_url);
    free(session->mail);
    explicit_bzero(&session->binding, sizeof(session->binding));
    free(session);
}

void
acme_session_hint(struct acme_session *session, unsigned hints)
{
    session->find |= (hints & ACME_ACCOUNT_MAY_EXIST) != 0;
    session->key_in_doubt |= (hints & ACME_ACCOUNT_KEY_IN_DOUBT) != 0;
    session->update |= (hints & ACME_ACCOUNT_UPDATE) != 0;
}

bool
acme_session_bind_by_mail(struct acme_session *session, const char *url,
    const char *mail)
{
    session->bind_url = strdup(url);
    session->mail = strdup(mail);
    return session->bind_url != NULL && session->mail != NULL;
}

/* ---- what comes next */

/* The account is not known yet: by its key, or as a new one? */
static enum acme_session_need
next_for_account(const struct acme_session *session, const char **url_out)
{
    *url_out = session->directory.new_account;
    if (session->find) {
        return ACME_SESSION_FIND_ACCOUNT;
    }
    if (session->bind_url == NULL || session->bound) {
        return ACME_SESSION_NEW_ACCOUNT;
    }
    *url_out = session->bind_url;
    return session->binding.kid[0] == '\0' ? ACME_SESSION_GET_BINDING
                                           : ACME_SESSION_SAY_BINDING;
}

enum acme_session_need
acme_session_next(const struct acme_session *session, const char **url_out)
{
    const struct directory *directory = &session->directory;

    if (directory->url == NULL || session->stale) {
        *url_out = session->first_url;
        return ACME_SESSION_GET_DIRECTORY;
    }
    if (!session->said) {
        *url_out = directory->url;
        return ACME_SESSION_SAY_DIRECTORY;
    }
    if (session->key_in_doubt) {
        *url_out = directory->new_account;
        return session->new_key == UNTRIED ? ACME_SESSION_TRY_NEW_KEY
                                           : ACME_SESSION_SAY_KEY;
    }
    if (session->account == NULL) {
        return next_for_account(session, url_out);
    }
    *url_out = session->account;
    if (!session->saved) {
        return ACME_SESSION_SAVE_ACCOUNT;
    }
    if (session->update) {
        return session->updated ? ACME_SESSION_SAVE_UPDATE
                                : ACME_SESSION_UPDATE_ACCOUNT;
    }
    return ACME_SESSION_READY;
}

void
acme_session_done(struct acme_session *session)
{
    const char *url;

    switch (acme_session_next(session, &url)) {
    case ACME_SESSION_SAY_DIRECTORY:
        session->said = true;
        break;
    case ACME_SESSION_SAY_KEY:
        session->key_in_doubt = false;
        break;
    case ACME_SESSION_SAY_BINDING:
        session->bound = true;
        explicit_bzero(&session->binding, sizeof(session->binding));
        break;
    case ACME_SESSION_SAVE_ACCOUNT:
        session->saved = true;
        break;
    case ACME_SESSION_SAVE_UPDATE:
        session->update = session->updated = false;
        break;
    case ACME_SESSION_READY:
    case ACME_SESSION_GET_DIRECTORY:
    case ACME_SESSION_TRY_NEW_KEY:
    case ACME_SESSION_FIND_ACCOUNT:
    case ACME_SESSION_GET_BINDING:
    case ACME_SESSION_NEW_ACCOUNT:
    case ACME_SESSION_UPDATE_ACCOUNT:
        break;
    }
}

void
acme_session_refresh(struct acme_session *session, int64_t now_ms)
{
    if (session->directory.url != NULL
        && now_ms - session->directory.read_at_ms > DIRECTORY_LIFE_MS) {
        session->stale = true;
    }
}

/* ---- the directory (7.1.1) */

/* A copy of the member `name`, which must be a URL that we may use. */
static bool
read_url(const cJSON *object, const char *name, char **copy_out,
    struct acme_error *err)
{
    const char *url = acme_json_text(object, name, ACME_URL_MAX);
    char origin[ACME_URL_MAX + 1];

    if (url == NULL) {
        return acme_fail(err, ACME_PEER_BROKE,
            "the CA's directory has no %s URL", name);
    }
    if (!acme_url_origin(url, origin, sizeof(origin), err)) {
        return acme_while(err, "%s in the CA's directory", name);
    }
    *copy_out = strdup(url);
    return *copy_out != NULL || acme_fail_memory(err);
}

/* The same for a member that may be missing; one we may not use is. */
static bool
read_optional_url(const cJSON *object, const char *name, char **copy_out,
    struct acme_error *err)
{
    const char *url = acme_json_text(object, name, ACME_URL_MAX);
    char origin[ACME_URL_MAX + 1];
    struct acme_error ignored;

    if (url == NULL
        || !acme_url_origin(url, origin, sizeof(origin), &ignored)) {
        return true;
    }
    *copy_out = strdup(url);
    return *copy_out != NULL || acme_fail_memory(err);
}

static bool
is_profile_name(const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < len; i++) {
        if (name[i] <= ' ' || name[i] >= 0x7f || strchr(",\"\\", name[i])) {
            return false;
        }
    }
    return len > 0 && len <= PROFILE_NAME_MAX;
}

/* The names of meta.profiles as one line; those that do not fit are left. */
static bool
read_profiles(const cJSON *meta, char **line_out, struct acme_error *err)
{
    struct acme_buffer line = ACME_BUFFER(PROFILES_LEN);
    const cJSON *member;

    cJSON_ArrayForEach(member, acme_json_object(meta, "profiles")) {
        const char *name = member->string;

        if (name == NULL || !is_profile_name(name)
            || line.len + strlen(name) + 2 >= line.limit) {
            continue;
        }
        if (!acme_buffer_printf(&line, "%s%s", line.len > 0 ? ", " : "",
                name)) {
            acme_buffer_free(&line);
            return acme_fail_memory(err);
        }
    }
    *line_out = (char *) line.at;
    return true;
}

static bool
read_meta(struct directory *directory, const cJSON *object,
    struct acme_error *err)
{
    const cJSON *meta = acme_json_object(object, "meta");

    directory->external_account_required = acme_json_flag(meta,
        "externalAccountRequired");
    return read_profiles(meta, &directory->profiles, err);
}

/*
 * Remember each URL of the object. Those beyond the bounds are left out: an
 * origin that only they name is then not one that we trust.
 */
static bool
collect_urls(struct directory *directory, const cJSON *object,
    struct acme_error *err)
{
    struct acme_buffer lines = ACME_BUFFER(DIRECTORY_URLS_LEN);
    const cJSON *member;

    cJSON_ArrayForEach(member, object) {
        const char *url = acme_json_text_of(member, ACME_URL_MAX);
        char origin[ACME_URL_MAX + 1];
        struct acme_error ignored;

        if (url == NULL || directory->known_count > DIRECTORY_URLS
            || !acme_url_origin(url, origin, sizeof(origin), &ignored)
            || lines.len + strlen(url) + 1 > lines.limit) {
            continue;
        }
        directory->known[directory->known_count] = strdup(url);
        if (directory->known[directory->known_count] == NULL
            || !acme_buffer_printf(&lines, "%s%s", lines.len > 0 ? "\n" : "",
                url)) {
            free(directory->known[directory->known_count]);
            acme_buffer_free(&lines);
            return acme_fail_memory(err);
        }
        directory->known_count++;
    }
    directory->urls = (char *) lines.at;
    return true;
}

static bool
fill_directory(struct directory *directory, const char *url,
    const cJSON *object, struct acme_error *err)
{
    char origin[ACME_URL_MAX + 1];

    if (!acme_url_origin(url, origin, sizeof(origin), err)) {
        return acme_while(err, "the CA's directory");
    }
    directory->url = strdup(url);
    if (directory->url == NULL) {
        return acme_fail_memory(err);
    }
    directory->known[directory->known_count++] = directory->url;
    return read_meta(directory, object, err)
        && read_url(object, "newNonce", &directory->new_nonce, err)
        && read_url(object, "newAccount", &directory->new_account, err)
        && read_url(object, "newOrder", &directory->new_order, err)
        && read_optional_url(object, "renewalInfo", &directory->renewal_info,
            err)
        && read_optional_url(object, "keyChange", &directory->key_change, err)
        && read_optional_url(object, "revokeCert", &directory->revoke_cert,
            err)
        && collect_urls(directory, object, err);
}

static bool
read_directory(struct acme_session *session, int64_t now_ms,
    const struct acme_reply *reply, struct acme_error *err)
{
    const char *url = reply->url != NULL ? reply->url : session->first_url;
    struct directory fresh = { .read_at_ms = now_ms };
    cJSON *object = acme_json_parse(reply->body, err);
    bool ok;

    if (object == NULL) {
        return acme_while(err, "the CA's directory");
    }
    ok = fill_directory(&fresh, url, object, err);
    cJSON_Delete(object);
    if (!ok) {
        free_directory(&fresh);
        return false;
    }
    free_directory(&session->directory);
    session->directory = fresh;
    session->stale = false;
    session->said = false;
    return true;
}

/* ---- the account (7.3) */

/*
 * A CA may answer newAccount with an account that is closed. Without a
 * status that we know, the account's URL is what counts.
 */
static bool
check_account_status(struct acme_bytes body, struct acme_error *err)
{
    struct acme_error ignored;
    cJSON *object = acme_json_parse(body, &ignored);
    const char *status = acme_json_text(object, "status", 64);
    bool closed = status != NULL && (strcmp(status, "deactivated") == 0
        || strcmp(status, "revoked") == 0);

    if (closed) {
        acme_fail(err, ACME_MISCONFIG, "the CA says the account is %s",
            status);
        snprintf(err->problem, sizeof(err->problem), "unauthorized");
    }
    cJSON_Delete(object);
    return !closed;
}

static bool
read_account(struct acme_session *session, const struct acme_reply *reply,
    struct acme_error *err)
{
    const char *url = reply->headers.location;

    if (!check_account_status(reply->body, err)) {
        return false;
    }
    if (url[0] == '\0') {
        return acme_fail(err, ACME_PEER_BROKE,
            "the CA's reply to newAccount names no account URL");
    }
    if (!acme_session_allows(session, url, err)) {
        return acme_while(err, "the account URL");
    }
    free(session->account);
    session->account = strdup(url);
    session->saved = false;
    session->is_new = reply->status == 201;
    session->find = false;
    return session->account != NULL || acme_fail_memory(err);
}

/* What the keeper is told of the key has the account's URL in it. */
static bool
read_new_key(struct acme_session *session, const struct acme_reply *reply,
    struct acme_error *err)
{
    if (!read_account(session, reply, err)) {
        return false;
    }
    session->saved = true;
    session->new_key = KNOWN;
    return true;
}

static bool
read_update(struct acme_session *session, const struct acme_reply *reply,
    struct acme_error *err)
{
    if (!check_account_status(reply->body, err)) {
        return false;
    }
    session->updated = true;
    session->update_refused[0] = '\0';
    return true;
}

bool
acme_session_reply(struct acme_session *session, int64_t now_ms,
    const struct acme_reply *reply, struct acme_error *err)
{
    const char *url;
    enum acme_session_need need = acme_session_next(session, &url);

    if (!acme_reply_is_success(reply) && need != ACME_SESSION_GET_BINDING) {
        return acme_problem_of_reply(reply, err);
    }
    switch (need) {
    case ACME_SESSION_GET_DIRECTORY:
        return read_directory(session, now_ms, reply, err);
    case ACME_SESSION_TRY_NEW_KEY:
        return read_new_key(session, reply, err);
    case ACME_SESSION_FIND_ACCOUNT:
    case ACME_SESSION_NEW_ACCOUNT:
        return read_account(session, reply, err);
    case ACME_SESSION_GET_BINDING:
        return acme_binding_read(reply, &session->binding, err);
    case ACME_SESSION_UPDATE_ACCOUNT:
        return read_update(session, reply, err);
    case ACME_SESSION_READY:
    case ACME_SESSION_SAY_DIRECTORY:
    case ACME_SESSION_SAY_KEY:
    case ACME_SESSION_SAY_BINDING:
    case ACME_SESSION_SAVE_ACCOUNT:
    case ACME_SESSION_SAVE_UPDATE:
        break;
    }
    return acme_fail(err, ACME_PEER_BROKE, "a reply that nobody waits for");
}

/* ---- ways around a refusal */

/* The CA has no account of this key (7.3.1), said as the RFC wants it. */
static bool
has_none(const struct acme_error *why)
{
    return strcmp(why->problem, "accountDoesNotExist") == 0
        || strcmp(why->problem, "externalAccountRequired") == 0;
}

/* Or in other words: a look-up that is refused is no reason to give up. */
static bool
refuses_to_look(const struct acme_error *why)
{
    return why->verdict == ACME_REFUSED && why->http_status >= 400
        && why->http_status <= 499;
}

/* ZeroSSL says so of an account that is bound already. */
static bool
is_bound(const struct acme_error *why)
{
    return strcasestr(why->text, "not awaiting external account binding")
        != NULL;
}

/*
 * Contacts are no reason not to order. A refusal is told to the operator; what
 * may pass is tried by the next session; a closed account is the orders' own
 * concern.
 */
static bool
go_on_without_update(struct acme_session *session,
    const struct acme_error *why)
{
    if (strcmp(why->problem, "invalidContact") == 0
        || strcmp(why->problem, "unsupportedContact") == 0
        || (why->verdict == ACME_REFUSED && !has_none(why))) {
        session->updated = true;
        snprintf(session->update_refused, sizeof(session->update_refused),
            "%s", why->text);
        return true;
    }
    if (why->verdict == ACME_MISCONFIG || has_none(why)) {
        return false;
    }
    session->update = false;
    return true;
}

bool
acme_session_failed(struct acme_session *session, enum acme_session_need need,
    const struct acme_error *why)
{
    switch (need) {
    case ACME_SESSION_TRY_NEW_KEY:
        if (!has_none(why)) {
            return false;
        }
        session->new_key = UNKNOWN;
        return true;
    case ACME_SESSION_FIND_ACCOUNT:
        if (!has_none(why) && !refuses_to_look(why)) {
            return false;
        }
        session->find = false;
        session->sought = true;
        return true;
    case ACME_SESSION_NEW_ACCOUNT:
        session->bound = false;  /* a binding is good for one attempt */
        session->find = is_bound(why) && !session->sought;
        return session->find;
    case ACME_SESSION_UPDATE_ACCOUNT:
        return go_on_without_update(session, why);
    case ACME_SESSION_READY:
    case ACME_SESSION_GET_DIRECTORY:
    case ACME_SESSION_SAY_DIRECTORY:
    case ACME_SESSION_SAY_KEY:
    case ACME_SESSION_GET_BINDING:
    case ACME_SESSION_SAY_BINDING:
    case ACME_SESSION_SAVE_ACCOUNT:
    case ACME_SESSION_SAVE_UPDATE:
        break;
    }
    return false;
}

bool
acme_session_forget_account(struct acme_session *session, int64_t now_ms)
{
    if (session->account == NULL) {
        return true;  /* another order noticed it first */
    }
    if (session->forgot
        && now_ms - session->forgot_at_ms < FORGET_AGAIN_MS) {
        return false;
    }
    free(session->account);
    session->account = NULL;
    session->saved = session->bound = false;
    session->forgot = true;
    session->forgot_at_ms = now_ms;
    return true;
}

/* ---- looking at it */

const char *
acme_session_directory(const struct acme_session *session)
{
    return session->directory.url;
}

const char *
acme_session_account(const struct acme_session *session)
{
    return session->account;
}

bool
acme_session_account_is_new(const struct acme_session *session)
{
    return session->is_new;
}

bool
acme_session_new_key_is_known(const struct acme_session *session)
{
    return session->new_key == KNOWN;
}

const char *
acme_session_update_refused(const struct acme_session *session)
{
    return session->update_refused;
}

const char *
acme_session_mail(const struct acme_session *session)
{
    return session->mail;
}

const struct acme_binding *
acme_session_binding(const struct acme_session *session)
{
    return &session->binding;
}

const char *
acme_session_new_nonce_url(const struct acme_session *session)
{
    return session->directory.new_nonce;
}

const char *
acme_session_new_account_url(const struct acme_session *session)
{
    return session->directory.new_account;
}

const char *
acme_session_new_order_url(const struct acme_session *session)
{
    return session->directory.new_order;
}

const char *
acme_session_urls(const struct acme_session *session)
{
    return session->directory.urls;
}

const char *
acme_session_renewal_info_url(const struct acme_session *session)
{
    return session->directory.renewal_info;
}

const char *
acme_session_key_change_url(const struct acme_session *session)
{
    return session->directory.key_change;
}

const char *
acme_session_revoke_url(const struct acme_session *session)
{
    return session->directory.revoke_cert;
}

bool
acme_session_external_account_required(const struct acme_session *session)
{
    return session->directory.external_account_required;
}

const char *
acme_session_profiles(const struct acme_session *session)
{
    const char *profiles = session->directory.profiles;

    return profiles != NULL ? profiles : "";
}

bool
acme_session_allows(const struct acme_session *session, const char *url,
    struct acme_error *err)
{
    const struct directory *directory = &session->directory;

    return acme_url_allowed(url, (const char *const *) directory->known,
        directory->known_count, err);
}

/* ---- nonces (6.5) */

static void
keep_nonce(struct acme_session *session, int64_t now_ms, const char *text)
{
    struct nonce *nonce = &session->nonces[session->next];

    nonce->at_ms = now_ms;
    snprintf(nonce->text, sizeof(nonce->text), "%s", text);
    session->next = (session->next + 1) % NONCES;
    if (session->nonce_count < NONCES) {
        session->nonce_count++;
    }
}

bool
acme_session_take_nonce(struct acme_session *session, int64_t now_ms,
    char nonce[257])
{
    const struct nonce *newest;

    if (session->nonce_count == 0) {
        return false;
    }
    session->next = (session->next + NONCES - 1) % NONCES;
    session->nonce_count--;
    newest = &session->nonces[session->next];
    if (now_ms - newest->at_ms > NONCE_LIFE_MS) {
        session->nonce_count = 0;  /* the others are older still */
        return false;
    }
    memcpy(nonce, newest->text, sizeof(newest->text));
    return true;
}

/* ---- every reply */

/* Is it refused what the directory, as we know it, allows? */
static bool
is_of_directory(const char *problem)
{
    static const char *const problems[] = { "malformed", "invalidProfile",
        "externalAccountRequired" };

    for (size_t i = 0; i < sizeof(problems) / sizeof(*problems); i++) {
        if (strcmp(problems[i], problem) == 0) {
            return true;
        }
    }
    return false;
}

/*
 * A URL of the directory that is gone, or does not understand what it is for,
 * means that the CA has moved.
 */
static void
notice_gone_url(struct acme_session *session, const struct acme_reply *reply,
    const struct acme_error *why)
{
    const struct directory *directory = &session->directory;

    if (reply->url == NULL
        || (reply->status != 404 && !is_of_directory(why->problem))) {
        return;
    }
    for (size_t i = 1; i < directory->known_count; i++) {
        if (strcmp(reply->url, directory->known[i]) == 0) {
            session->stale = true;
        }
    }
}

enum acme_read
acme_session_read(struct acme_session *session, int64_t now_ms,
    const struct acme_reply *reply, struct acme_error *err)
{
    if (reply->headers.nonce[0] != '\0') {
        keep_nonce(session, now_ms, reply->headers.nonce);
    }
    if (acme_reply_is_success(reply)) {
        return ACME_READ_OK;
    }
    acme_problem_of_reply(reply, err);
    if (reply->status != 0 && strcmp(err->problem, "badNonce") == 0) {
        return ACME_READ_REPEAT;
    }
    notice_gone_url(session, reply, err);
    return ACME_READ_FAILED;
}
