/*
 * The table of requests. No request holds a path, a command or bytes to be
 * signed: the agent names a kind, the keeper makes header and payload from
 * its own settings, request and key (RFC 8555 6.2), and checks the URL.
 */

#include "keeper/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "crypto/x509.h"
#include "format/base64url.h"
#include "keeper/account.h"
#include "keeper/attempt.h"
#include "keeper/choice.h"
#include "keeper/pending.h"
#include "keeper/prove.h"
#include "keeper/quota.h"
#include "keeper/renewal.h"
#include "keeper/service.h"
#include "keeper/task.h"
#include "keeper/ways.h"
#include "protocol/jws.h"
#include "protocol/payload.h"
#include "protocol/problem.h"

/* Whom a message is about: a job, or the account of a session. */
struct subject {
    struct account *account;
    struct job *job;            /* NULL: the session itself, or the task */
    bool task;                  /* keeper->task */
};

typedef bool (*answerer)(struct keeper *keeper, struct subject *subject,
    const struct acme_message *message, struct acme_error *err);

/* ---- words for the agent */

static bool
send_word(struct keeper *keeper, enum acme_message_type type, uint32_t id,
    struct acme_bytes text, struct acme_error *err)
{
    struct acme_message reply = { .type = type, .id = id, .fd = -1,
        .text = { text } };

    return acme_channel_send(keeper->agent, &reply, err);
}

static bool
send_done(struct keeper *keeper, const struct acme_message *message,
    bool told, struct acme_error *err)
{
    struct acme_message reply = { .type = ACME_MESSAGE_DONE,
        .id = message->id, .number = told, .fd = -1 };

    return acme_channel_send(keeper->agent, &reply, err);
}

static bool
send_refused(struct keeper *keeper, const struct acme_message *message,
    const struct acme_error *why, struct acme_error *err)
{
    struct acme_message reply = { .type = ACME_MESSAGE_REFUSED,
        .id = message->id, .number = why->verdict, .fd = -1,
        .text = { acme_bytes_of(why->text), acme_bytes_of(why->problem) } };

    return acme_channel_send(keeper->agent, &reply, err);
}

/* ---- signing */

/* Where the CA has such requests sent; NULL: nowhere yet. */
static bool
is_meant(const char *url, const char *meant, const char *whose,
    struct acme_error *err)
{
    return (meant != NULL && strcmp(url, meant) == 0)
        || acme_fail(err, ACME_PEER_BROKE, "not the %s URL", whose);
}

static bool
signs_new_account(struct keeper *keeper, struct subject *subject,
    const char *url, struct acme_buffer *payload, struct acme_error *err)
{
    const struct acme_settings *settings = keeper->settings;
    struct acme_buffer binding = ACME_BUFFER(ACME_MESSAGE_MAX);
    bool ok;

    if (!is_meant(url, subject->account->new_account_url, "newAccount", err)) {
        return false;
    }
    ok = account_bind(subject->account, &binding, err)
        && acme_payload_new_account(
            (const char *const *) settings->contacts, settings->contact_count,
            binding.len > 0 ? acme_buffer_text(&binding) : NULL, payload, err);
    acme_buffer_free(&binding);
    subject->account->used |= ok;
    return ok;
}

/* A profile that the CA does not have is not asked for. */
static bool
choose_profile(struct job *job, const char **profile_out,
    struct acme_error *err)
{
    const struct account *account = job->account;
    const char *profile = ways_profile(job);

    *profile_out = profile;
    if (profile == NULL || account_has_profile(account, profile)) {
        return true;
    }
    acme_fail(err, ACME_MISCONFIG, "the CA does not offer acme_profile %s; "
        "it offers: %s", profile,
        account->profiles[0] != '\0' ? account->profiles : "none");
    if (choice_settings(job).profile_required) {
        return false;
    }
    acme_log(&job->log, ACME_LOG_WARN, "%s; ordering with its default",
        err->text);
    job->without_profile = true;
    *profile_out = NULL;
    return true;
}

static bool
signs_find_account(struct keeper *keeper, struct subject *subject,
    const char *url, struct acme_buffer *payload, struct acme_error *err)
{
    (void) keeper;
    return is_meant(url, subject->account->new_account_url, "newAccount", err)
        && acme_payload_find_account(payload, err);
}

static bool
signs_update_account(struct keeper *keeper, struct subject *subject,
    const char *url, struct acme_buffer *payload, struct acme_error *err)
{
    const struct acme_settings *settings = keeper->settings;

    return is_meant(url, subject->account->url, "account's", err)
        && acme_payload_contacts((const char *const *) settings->contacts,
            settings->contact_count, payload, err);
}

static bool
signs_key_change(struct keeper *keeper, struct subject *subject,
    const char *url, struct acme_buffer *payload, struct acme_error *err)
{
    (void) subject;
    return task_sign(keeper, ACME_KIND_KEY_CHANGE, url, payload, err);
}

static bool
signs_revoke(struct keeper *keeper, struct subject *subject,
    const char *url, struct acme_buffer *payload, struct acme_error *err)
{
    (void) subject;
    return task_sign(keeper, ACME_KIND_REVOKE, url, payload, err);
}

static bool
signs_new_order(struct keeper *keeper, struct subject *subject,
    const char *url, struct acme_buffer *payload, struct acme_error *err)
{
    const struct acme_settings_cert *cert = subject->job->cert;
    struct acme_order_options options = { 0 };
    char replaces[ACME_ARI_ID_SIZE];

    if (!is_meant(url, subject->account->new_order_url, "newOrder", err)) {
        return false;
    }
    options.replaces = renewal_replaces(subject->job, keeper, replaces);
    return choose_profile(subject->job, &options.profile, err)
        && quota_ordering(subject->job, keeper, options.replaces != NULL, err)
        && acme_payload_new_order((const char *const *) cert->names,
            cert->name_count, &options, payload, err);
}

static bool
signs_post_as_get(struct keeper *keeper, struct subject *subject,
    const char *url, struct acme_buffer *payload, struct acme_error *err)
{
    (void) keeper;
    (void) payload;
    return account_allows(subject->account, url, err);
}

/* That the CA is told of a challenge is on disk before it is told. */
static bool
signs_respond(struct keeper *keeper, struct subject *subject, const char *url,
    struct acme_buffer *payload, struct acme_error *err)
{
    struct proof *proof = pending_find_proof(subject->job, url);

    if (proof == NULL) {
        return acme_fail(err, ACME_PEER_BROKE,
            "a response to a challenge that was not published");
    }
    if (!proof->told) {
        proof->told = true;
        quota_responding(subject->job, keeper, proof->name);
        if (!pending_save_order(subject->job, keeper, err)) {
            return false;
        }
    }
    return acme_buffer_add_text(payload, "{}") || acme_fail_memory(err);
}

static bool
signs_finalize(struct keeper *keeper, struct subject *subject,
    const char *url, struct acme_buffer *payload, struct acme_error *err)
{
    struct acme_buffer csr = ACME_BUFFER(ACME_MESSAGE_MAX);
    struct job *job = subject->job;
    bool ok;

    ok = account_allows(subject->account, url, err)
        && service_allows_key(job, keeper, err)
        && acme_csr_write(job->key, (const char *const *) job->cert->names,
            job->cert->name_count, &csr, err)
        && acme_payload_finalize(acme_buffer_bytes(&csr), payload, err);
    acme_buffer_free(&csr);
    if (ok) {
        quota_finalizing(job);
    }
    return ok;
}

/* What comes behind the host. */
static const char *
path_of(const char *url)
{
    const char *host = strstr(url, "://");

    return host != NULL ? host + 3 + strcspn(host + 3, "/?") : url;
}

/*
 * Is it certainly not the account? What looks like another spelling of it is
 * not signed for: the account would be closed. The host, whose spellings are
 * many, does not count.
 */
static bool
is_no_account(const struct account *account, const char *url)
{
    const char *closed = path_of(account->url), *path = path_of(url);
    size_t len = strlen(closed);

    if (strncasecmp(path, closed, len) == 0
        && (path[len] == '\0' || strchr("/?#;&.", path[len]) != NULL)) {
        return false;
    }
    return strstr(path, "//") == NULL && strstr(path, "/.") == NULL
        && strchr(path, '%') == NULL;
}

/* Another order of ours may need the authorization for the same name. */
static bool
shares_a_name(const struct job *job, const struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->active_count; i++) {
        const struct job *other = keeper->active[i];

        for (size_t j = 0; other != job && other->account == job->account
             && j < job->cert->name_count; j++) {
            if (acme_settings_has_name(other->cert, job->cert->names[j])) {
                return true;
            }
        }
    }
    return false;
}

/* An authorization of the job's own order (RFC 8555 7.5.2). */
static bool
signs_deactivate(struct keeper *keeper, struct subject *subject,
    const char *url, struct acme_buffer *payload, struct acme_error *err)
{
    if (!account_allows(subject->account, url, err)) {
        return false;
    }
    if (!is_no_account(subject->account, url)) {
        return acme_fail(err, ACME_PEER_BROKE, "not an authorization");
    }
    if (shares_a_name(subject->job, keeper)) {
        return acme_fail(err, ACME_LOCAL, "another order may need it");
    }
    return acme_payload_deactivate(payload, err);
}

enum about { ABOUT_JOB = 1, ABOUT_SESSION = 2, ABOUT_TASK = 4 };

static unsigned
about_what(const struct subject *subject)
{
    return subject->task ? ABOUT_TASK
        : subject->job != NULL ? ABOUT_JOB : ABOUT_SESSION;
}

/* Kinds of request, who may ask for them, and how they name the account. */
static const struct kind_rule {
    enum about about;
    enum { BY_KEY, BY_NEW_KEY, BY_URL } by;
    bool (*make)(struct keeper *, struct subject *, const char *,
        struct acme_buffer *, struct acme_error *);
} kind_rules[] = {
    [ACME_KIND_NEW_ACCOUNT] = { ABOUT_SESSION, BY_KEY, signs_new_account },
    [ACME_KIND_NEW_ORDER] = { ABOUT_JOB, BY_URL, signs_new_order },
    [ACME_KIND_POST_AS_GET] = { ABOUT_JOB, BY_URL, signs_post_as_get },
    [ACME_KIND_RESPOND] = { ABOUT_JOB, BY_URL, signs_respond },
    [ACME_KIND_FINALIZE] = { ABOUT_JOB, BY_URL, signs_finalize },
    [ACME_KIND_DEACTIVATE] = { ABOUT_JOB, BY_URL, signs_deactivate },
    [ACME_KIND_FIND_ACCOUNT] = { ABOUT_SESSION, BY_KEY, signs_find_account },
    [ACME_KIND_TRY_NEW_KEY] = { ABOUT_SESSION, BY_NEW_KEY,
        signs_find_account },
    [ACME_KIND_UPDATE_ACCOUNT] = { ABOUT_SESSION, BY_URL,
        signs_update_account },
    [ACME_KIND_KEY_CHANGE] = { ABOUT_TASK, BY_URL, signs_key_change },
    [ACME_KIND_REVOKE] = { ABOUT_TASK, BY_URL, signs_revoke },
};

static bool
make_request(struct keeper *keeper, struct subject *subject,
    const struct acme_message *message, struct acme_buffer *body,
    struct acme_error *err)
{
    struct acme_buffer payload = ACME_BUFFER(ACME_MESSAGE_MAX);
    char url[ACME_URL_MAX + 1], nonce[257];
    struct acme_jws jws = { .url = url, .nonce = nonce };
    const struct kind_rule *rule;
    const struct acme_key *key;
    bool ok = false;

    if (message->number == 0 || message->number >= sizeof(kind_rules)
            / sizeof(*kind_rules)) {
        return acme_fail(err, ACME_PEER_BROKE, "unknown kind of request");
    }
    rule = &kind_rules[message->number];
    if (rule->about != about_what(subject)) {
        return acme_fail(err, ACME_PEER_BROKE, "%s is not of this job",
            acme_kind_name(message->number));
    }
    if (!acme_message_text(message, 0, url, sizeof(url))
        || !acme_message_text(message, 1, nonce, sizeof(nonce))
        || !acme_is_token(acme_bytes_of(nonce), sizeof(nonce) - 1)) {
        return acme_fail(err, ACME_PEER_BROKE, "URL or nonce is malformed");
    }
    key = rule->by == BY_NEW_KEY ? subject->account->new_key
                                 : subject->account->key;
    if (key == NULL) {
        return acme_fail(err, ACME_PEER_BROKE, "an account without a key");
    }
    if (rule->by == BY_URL) {
        jws.kid = subject->account->url;
        if (jws.kid == NULL) {
            return acme_fail(err, ACME_PEER_BROKE, "no account yet");
        }
    }
    if (rule->make(keeper, subject, url, &payload, err)) {
        jws.payload = acme_buffer_bytes(&payload);
        ok = acme_jws_write(&jws, key, body, err);
    }
    acme_buffer_free(&payload);
    return ok;
}

static bool
answer_sign(struct keeper *keeper, struct subject *subject,
    const struct acme_message *message, struct acme_error *err)
{
    struct acme_buffer body = ACME_BUFFER(ACME_MESSAGE_MAX);
    struct acme_error why;
    bool ok;

    if (make_request(keeper, subject, message, &body, &why)) {
        ok = send_word(keeper, ACME_MESSAGE_SIGNED, message->id,
            acme_buffer_bytes(&body), err);
    } else {
        if (why.verdict != ACME_MISCONFIG) {
            acme_while(&why, "signing %s", acme_kind_name(message->number));
        }
        ok = send_refused(keeper, message, &why, err);
    }
    acme_buffer_free(&body);
    return ok;
}

/* ---- the rest */

static bool
done_or_refused(struct keeper *keeper, const struct acme_message *message,
    bool ok, const struct acme_error *why, struct acme_error *err)
{
    return ok ? send_done(keeper, message, false, err)
              : send_refused(keeper, message, why, err);
}

static bool
answer_directory(struct keeper *keeper, struct subject *subject,
    const struct acme_message *message, struct acme_error *err)
{
    char directory[ACME_URL_MAX + 1], urls[ACME_MESSAGE_MAX];
    char new_account[ACME_URL_MAX + 1], new_order[ACME_URL_MAX + 1];
    char key_change[ACME_URL_MAX + 1], revoke[ACME_URL_MAX + 1];
    struct acme_error why;
    bool ok;

    ok = acme_message_text(message, 0, directory, sizeof(directory))
        && acme_message_text(message, 1, urls, sizeof(urls))
        && acme_message_text(message, 2, new_account, sizeof(new_account))
        && acme_message_text(message, 3, new_order, sizeof(new_order))
        && acme_message_text(message, 5, key_change, sizeof(key_change))
        && acme_message_text(message, 6, revoke, sizeof(revoke));
    if (!ok) {
        return acme_fail(err, ACME_PEER_BROKE, "malformed directory");
    }
    ok = account_set_directory(subject->account, directory, urls, new_account,
            new_order, &why)
        && account_set_offers(subject->account, key_change, revoke,
            (message->number & ACME_DEMANDS_BINDING) != 0, &why);
    account_set_profiles(subject->account, message->text[4]);
    subject->account->renewal_info = ok
        && (message->number & ACME_OFFERS_RENEWAL_INFO) != 0;
    return done_or_refused(keeper, message, ok, &why, err);
}

/* What became of the account's key or URL is on disk before the DONE. */
static bool
answer_save_account(struct keeper *keeper, struct subject *subject,
    const struct acme_message *message, struct acme_error *err)
{
    struct account *account = subject->account;
    bool is_new = message->number != 0;
    char url[ACME_URL_MAX + 1];
    struct acme_error why;
    bool ok;

    if (!acme_message_text(message, 0, url, sizeof(url))) {
        return acme_fail(err, ACME_PEER_BROKE, "malformed account URL");
    }
    ok = account_allows(account, url, &why)
        && account_save_url(account, keeper, url, &why)
        && (!is_new || account_save_contacts(account, keeper, true, &why));
    if (!ok) {
        return send_refused(keeper, message, &why, err);
    }
    acme_log(&account->log, ACME_LOG_NOTICE, "account %s: %s",
        is_new ? "registered" : "found", url);
    return send_done(keeper, message,
        account_wants_update(account, keeper->settings), err);
}

static bool
answer_key(struct keeper *keeper, struct subject *subject,
    const struct acme_message *message, struct acme_error *err)
{
    struct account *account = subject->account;
    bool is_new = message->number != 0;
    char url[ACME_URL_MAX + 1];
    struct acme_error why;
    bool ok;

    if (account->new_key == NULL
        || (keeper->task.made_key && keeper->task.account == account)
        || !acme_message_text(message, 0, url, sizeof(url))) {
        return acme_fail(err, ACME_PEER_BROKE, "no key is in doubt");
    }
    ok = is_new ? account_allows(account, url, &why)
            && account_take_new_key(account, keeper, url, &why)
        : account_drop_new_key(account, keeper->store, &why);
    if (ok) {
        acme_log(&account->log, ACME_LOG_NOTICE, "the change of the "
            "account's key that was interrupted %s", is_new
            ? "had reached the CA: the new key is the account's"
            : "had not reached the CA: the key stays");
    }
    return done_or_refused(keeper, message, ok, &why, err);
}

static bool
answer_binding(struct keeper *keeper, struct subject *subject,
    const struct acme_message *message, struct acme_error *err)
{
    struct acme_binding *binding = &subject->account->binding;
    struct acme_error why;
    bool ok;

    if (account_binding_source(subject->account, keeper->settings) == NULL) {
        return acme_fail(err, ACME_PEER_BROKE,
            "a binding that nobody asked for");
    }
    ok = acme_message_text(message, 0, binding->kid, sizeof(binding->kid))
        && acme_message_text(message, 1, binding->key, sizeof(binding->key))
        && acme_binding_is_good(binding->kid, binding->key);
    if (!ok) {
        explicit_bzero(binding, sizeof(*binding));
        acme_fail(&why, ACME_PEER_BROKE, "malformed account binding");
    }
    return done_or_refused(keeper, message, ok, &why, err);
}

/* A text from the network side, made safe once more for the log. */
static void
copy_escaped(char *out, size_t size, struct acme_bytes text)
{
    acme_log_sentence(out, size, text);
}

static bool
answer_updated(struct keeper *keeper, struct subject *subject,
    const struct acme_message *message, struct acme_error *err)
{
    struct account *account = subject->account;
    bool taken = message->text[0].len == 0;
    char words[1024];
    struct acme_error why;
    bool ok;

    if (account->url == NULL) {
        return acme_fail(err, ACME_PEER_BROKE, "no account yet");
    }
    ok = account_save_contacts(account, keeper, taken, &why);
    copy_escaped(words, sizeof(words), message->text[0]);
    if (!taken) {
        acme_log_always(&account->log, ACME_LOG_WARN, "the CA does not take "
            "acme_contact: %s; orders go on without, correct it or leave it "
            "out", words);
    } else if (ok) {
        acme_log(&account->log, ACME_LOG_NOTICE,
            "the CA has taken the change of acme_contact");
    }
    return done_or_refused(keeper, message, ok, &why, err);
}

static bool
answer_save_order(struct keeper *keeper, struct subject *subject,
    const struct acme_message *message, struct acme_error *err)
{
    char url[ACME_URL_MAX + 1];
    struct acme_error why;
    bool ok;

    if (!acme_message_text(message, 0, url, sizeof(url))) {
        return acme_fail(err, ACME_PEER_BROKE, "malformed order URL");
    }
    ok = account_allows(subject->account, url, &why)
        && attempt_save_order(subject->job, keeper, url, message->at,
            &why);
    return done_or_refused(keeper, message, ok, &why, err);
}

static bool
answer_publish(struct keeper *keeper, struct subject *subject,
    const struct acme_message *message, struct acme_error *err)
{
    char name[ACME_NAME_MAX + 1], token[ACME_TOKEN_MAX + 1];
    char url[ACME_URL_MAX + 1], word[64];
    enum acme_challenge_type type;
    struct acme_error why;
    bool ok;

    if (!acme_message_text(message, 0, name, sizeof(name))
        || !acme_message_text(message, 1, token, sizeof(token))
        || !acme_message_text(message, 2, url, sizeof(url))
        || !acme_message_text(message, 3, word, sizeof(word))
        || (type = acme_challenge_type_of(word)) == ACME_CHALLENGE_NONE
        || !acme_is_token(acme_bytes_of(token), ACME_TOKEN_MAX)) {
        return acme_fail(err, ACME_PEER_BROKE, "malformed proof");
    }
    ok = account_allows(subject->account, url, &why)
        && attempt_publish(subject->job, keeper, type, name, token, url,
            &why);
    if (!ok) {
        return send_refused(keeper, message, &why, err);
    }
    return send_done(keeper, message,
        pending_find_proof(subject->job, url)->told, err);
}

static bool
answer_chain(struct keeper *keeper, struct subject *subject,
    const struct acme_message *message, struct acme_error *err)
{
    (void) err;
    attempt_installed(subject->job, keeper, message->text[0]);
    return true;
}

/* Which folder the hint speaks of. */
static void
name_account(const struct keeper *keeper, const struct account *account,
    struct acme_error *why)
{
    size_t len = strlen(why->text);

    snprintf(why->text + len, sizeof(why->text) - len, " (its folder is "
        "%s/accounts/%s)", keeper->settings->state_path, account->folder);
}

static bool
answer_task_done(struct keeper *keeper, struct subject *subject,
    const struct acme_message *message, struct acme_error *err)
{
    (void) subject;
    (void) message;
    (void) err;
    task_done(keeper);
    return true;
}

static bool
answer_failed(struct keeper *keeper, struct subject *subject,
    const struct acme_message *message, struct acme_error *err)
{
    struct acme_error why = { .verdict = ACME_RETRY };
    char step[64], word[64];

    (void) err;
    copy_escaped(why.problem, sizeof(why.problem), message->text[0]);
    if (message->number >= ACME_RETRY && message->number <= ACME_LOCAL) {
        why.verdict = (enum acme_verdict) message->number;
    }
    why.http_status = (int) (message->status <= 999 ? message->status : 0);
    why.retry_at = message->at > 0 ? message->at : 0;
    copy_escaped(why.name, sizeof(why.name), message->text[1]);
    copy_escaped(why.text, sizeof(why.text), message->text[2]);
    copy_escaped(step, sizeof(step), message->text[3]);
    if (acme_problem_closes_account(&why)) {
        name_account(keeper, subject->account, &why);
    }
    if (subject->task) {
        task_failed(keeper, &why, step);
        return true;
    }
    if (!acme_message_text(message, 4, word, sizeof(word))) {
        word[0] = '\0';
    }
    ways_refused(subject->job, keeper, &why, step,
        acme_challenge_type_of(word));
    return true;
}

static bool
answer_log(struct keeper *keeper, struct subject *subject,
    const struct acme_message *message, struct acme_error *err)
{
    const struct acme_log *log = subject->job != NULL ? &subject->job->log
                                                      : &subject->account->log;
    enum acme_log_level level = ACME_LOG_INFO;
    char text[1024];

    (void) keeper;
    (void) err;
    if (message->number >= ACME_LOG_ERROR
        && message->number <= ACME_LOG_DEBUG) {
        level = (enum acme_log_level) message->number;
    }
    copy_escaped(text, sizeof(text), message->text[0]);
    acme_log(log, level, "%s", text);
    return true;
}

static const struct request_rule {
    enum acme_message_type type;
    unsigned about;
    answerer answer;
} request_rules[] = {
    { ACME_MESSAGE_DIRECTORY, ABOUT_SESSION, answer_directory },
    { ACME_MESSAGE_SAVE_ACCOUNT, ABOUT_SESSION, answer_save_account },
    { ACME_MESSAGE_KEY, ABOUT_SESSION, answer_key },
    { ACME_MESSAGE_BINDING, ABOUT_SESSION, answer_binding },
    { ACME_MESSAGE_UPDATED, ABOUT_SESSION, answer_updated },
    { ACME_MESSAGE_SIGN, ABOUT_JOB | ABOUT_SESSION | ABOUT_TASK,
        answer_sign },
    { ACME_MESSAGE_SAVE_ORDER, ABOUT_JOB, answer_save_order },
    { ACME_MESSAGE_PUBLISH, ABOUT_JOB, answer_publish },
    { ACME_MESSAGE_CHAIN, ABOUT_JOB, answer_chain },
    { ACME_MESSAGE_TASK_DONE, ABOUT_TASK, answer_task_done },
    { ACME_MESSAGE_FAILED, ABOUT_JOB | ABOUT_TASK, answer_failed },
    { ACME_MESSAGE_LOG, ABOUT_JOB | ABOUT_SESSION | ABOUT_TASK, answer_log },
};

/* Only jobs that were handed to the agent, only accounts it was told of. */
static bool
find_subject(struct keeper *keeper, uint32_t id, struct subject *subject)
{
    if (id >= 1 && id <= keeper->settings->ca_count) {
        subject->account = &keeper->accounts[id - 1];
        subject->job = NULL;
        return subject->account->announced;
    }
    if (keeper->task.handed_over && id == keeper->task.id) {
        subject->account = keeper->task.account;
        subject->task = true;
        return true;
    }
    subject->job = attempt_find(keeper, id);
    if (subject->job == NULL || subject->job->state != JOB_ORDERING) {
        return false;
    }
    subject->account = subject->job->account;
    return true;
}

bool
answer_message(struct keeper *keeper, const struct acme_message *message,
    struct acme_error *err)
{
    struct subject subject = { 0 };

    if (renewal_is_answer(message)) {
        return renewal_take_answer(keeper, message, err);
    }
    if (prove_is_answer(message)) {
        return prove_take_answer(keeper, message, err);
    }
    for (size_t i = 0; i < sizeof(request_rules) / sizeof(*request_rules);
         i++) {
        const struct request_rule *rule = &request_rules[i];

        if (rule->type != message->type) {
            continue;
        }
        if (!find_subject(keeper, message->id, &subject)) {
            if (message->type == ACME_MESSAGE_LOG) {
                return true;  /* a last word about a job that has ended */
            }
            break;
        }
        if ((rule->about & about_what(&subject)) == 0) {
            break;
        }
        return rule->answer(keeper, &subject, message, err);
    }
    return acme_fail(err, ACME_PEER_BROKE, "%s for id %u is out of turn",
        acme_message_name(message->type), message->id);
}
