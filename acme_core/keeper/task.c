/*
 * Tasks (see task.h). Only here a job is begun for which keyChange and
 * revokeCert are signed; the agent gets no more than its kind.
 */

#include "keeper/task.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "keeper/account.h"
#include "keeper/attempt.h"
#include "keeper/service.h"
#include "protocol/jws.h"
#include "protocol/payload.h"
#include "protocol/problem.h"
#include "settings/ca.h"

enum { CERTIFICATE_MAX = 64 * 1024, WORDS_MAX = 3 };

/* ---- the answer */

/* A client that does not take its line at once has gone. */
static void
answer(int client_fd, const char *what, const char *text)
{
    char line[1600];
    int len = snprintf(line, sizeof(line), "%s%s\n", what, text);

    if (len > 0 && (size_t) len >= sizeof(line)) {
        len = (int) sizeof(line) - 1;
        line[len - 1] = '\n';
    }
    (void) send(client_fd, line, (size_t) len, MSG_DONTWAIT | MSG_NOSIGNAL);
    close(client_fd);
}

static void
finish(struct keeper *keeper, const char *what, const char *text)
{
    answer(keeper->task.client_fd, what, text);
    acme_buffer_free(&keeper->task.certificate);
    keeper->task = (struct task) { .client_fd = -1 };
}

void
task_forget(struct keeper *keeper)
{
    if (keeper->task.kind != 0) {
        finish(keeper, "error: ", "the keeper ends: ask again");
    }
}

/* ---- what is asked */

static struct account *
find_account(struct keeper *keeper, const char *name, struct acme_error *err)
{
    char shown[128];

    for (size_t i = 0; i < keeper->settings->ca_count; i++) {
        const struct acme_settings_ca *ca = &keeper->settings->cas[i];

        if (strcmp(ca->name, name) == 0 || strcmp(ca->url, name) == 0) {
            return &keeper->accounts[i];
        }
    }
    acme_fail(err, ACME_MISCONFIG, "no server has acme_ca \"%s\"",
        acme_log_escape(shown, sizeof(shown), acme_bytes_of(name)));
    return NULL;
}

/* Proofs that a CA is about to fetch are of the key that it knows now. */
static bool
is_idle(const struct keeper *keeper, const struct account *account,
    struct acme_error *err)
{
    return !account_has_order(account, keeper)
        || acme_fail(err, ACME_RETRY, "an order is under way at %s: ask again "
            "when it is done", account->ca->name);
}

/* One is never registered for a task. */
static bool
has_account(struct account *account, struct acme_store *store,
    struct acme_error *err)
{
    if (!account_load(account, store, err)) {
        return false;
    }
    return account->url != NULL || account->used
        || acme_fail(err, ACME_MISCONFIG, "there is no account at %s yet",
            account->ca->name);
}

static bool
prepare_rollover(struct keeper *keeper, struct task *task, char *const *words,
    size_t count, struct acme_error *err)
{
    if (count != 2) {
        return acme_fail(err, ACME_MISCONFIG, "the form is: rollover CA");
    }
    task->account = find_account(keeper, words[1], err);
    return task->account != NULL && is_idle(keeper, task->account, err)
        && has_account(task->account, keeper->store, err);
}

/* RFC 5280 5.3.1, those that a subscriber may give. */
static bool
read_reason(const char *word, unsigned *reason_out, struct acme_error *err)
{
    static const struct { const char *word; unsigned reason; } reasons[] = {
        { "0", 0 }, { "1", 1 }, { "3", 3 }, { "4", 4 }, { "5", 5 },
        { "unspecified", 0 }, { "keyCompromise", 1 },
        { "affiliationChanged", 3 }, { "superseded", 4 },
        { "cessationOfOperation", 5 },
    };

    for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++) {
        if (strcmp(reasons[i].word, word) == 0) {
            *reason_out = reasons[i].reason;
            return true;
        }
    }
    return acme_fail(err, ACME_MISCONFIG, "reasons are 0 unspecified, 1 "
        "keyCompromise, 3 affiliationChanged, 4 superseded, 5 "
        "cessationOfOperation");
}

static bool
prepare_revocation(struct keeper *keeper, struct task *task,
    char *const *words, size_t count, struct acme_error *err)
{
    char shown[300];

    if (count < 2) {
        return acme_fail(err, ACME_MISCONFIG,
            "the form is: revoke FOLDER [REASON]");
    }
    if (count == 3 && !read_reason(words[2], &task->reason, err)) {
        return false;
    }
    acme_fail(err, ACME_MISCONFIG, "no server has a certificate \"%s\"",
        acme_log_escape(shown, sizeof(shown), acme_bytes_of(words[1])));
    task->certificate.limit = CERTIFICATE_MAX;
    /* of two halves the first one that is there */
    for (size_t i = 0; i < keeper->job_count; i++) {
        struct job *job = &keeper->jobs[i];

        if (strcmp(job->cert->folder, words[1]) != 0) {
            continue;
        }
        if (!has_account(service_issuer(job), keeper->store, err)) {
            return false;
        }
        acme_buffer_clear(&task->certificate);
        if (service_revocable(job, keeper, &task->certificate, task->serial,
                err)) {
            task->job = job;
            task->account = service_issuer(job);
            return true;
        }
    }
    return false;
}

static const struct {
    const char *word;
    enum acme_kind kind;
    bool (*prepare)(struct keeper *keeper, struct task *task,
        char *const *words, size_t count, struct acme_error *err);
} tasks[] = {
    { "rollover", ACME_KIND_KEY_CHANGE, prepare_rollover },
    { "revoke", ACME_KIND_REVOKE, prepare_revocation },
};

static bool
prepare(struct keeper *keeper, struct task *task, char *const *words,
    size_t count, struct acme_error *err)
{
    if (keeper->task.kind != 0) {
        return acme_fail(err, ACME_RETRY, "another command is under way: ask "
            "again when it is done");
    }
    for (size_t i = 0; count > 0 && i < sizeof(tasks) / sizeof(*tasks); i++) {
        if (strcmp(tasks[i].word, words[0]) == 0) {
            task->kind = tasks[i].kind;
            return tasks[i].prepare(keeper, task, words, count, err);
        }
    }
    return acme_fail(err, ACME_MISCONFIG, "commands are: rollover CA; revoke "
        "FOLDER [REASON]");
}

void
task_begin(struct keeper *keeper, const char *line, int client_fd)
{
    struct task task = { .client_fd = client_fd };
    char copy[sizeof(((struct control_client *) 0)->line)];
    char *words[WORDS_MAX], *rest = copy, *word;
    struct acme_error err;
    size_t count = 0;

    snprintf(copy, sizeof(copy), "%s", line);
    while (count < WORDS_MAX && (word = strsep(&rest, " ")) != NULL) {
        words[count++] = word;
    }
    if (!prepare(keeper, &task, words, count, &err)) {
        acme_buffer_free(&task.certificate);
        answer(client_fd, "error: ", err.text);
        return;
    }
    task.id = keeper->next_job_id++;
    keeper->task = task;
    acme_log_always(&task.account->log, ACME_LOG_NOTICE,
        "the operator asks for %s%s%s", acme_kind_name(task.kind),
        task.job != NULL ? " of the certificate " : "",
        task.job != NULL ? task.job->cert->folder : "");
}

/* ---- the agent's part */

void
task_hand_over(struct keeper *keeper)
{
    struct task *task = &keeper->task;
    struct acme_message message = { .type = ACME_MESSAGE_TASK, .fd = -1 };
    struct acme_error err;

    if (task->kind == 0 || task->handed_over || keeper->agent == NULL) {
        return;
    }
    message.id = task->id;
    message.number = task->account->session;
    message.status = task->kind;
    keeper->agent_heard_at = keeper->now;
    task->handed_over = account_announce(task->account, keeper, &err)
        && acme_channel_send(keeper->agent, &message, &err);
    if (!task->handed_over) {
        task_failed(keeper, &err, "handing over");
    }
}

/* The new key signs that it takes over; the old one signs all of it (7.3.5). */
static bool
sign_key_change(struct keeper *keeper, struct task *task, const char *url,
    struct acme_buffer *payload, struct acme_error *err)
{
    struct account *account = task->account;
    struct acme_buffer inner = ACME_BUFFER(ACME_MESSAGE_MAX);
    struct acme_buffer old = ACME_BUFFER(ACME_MESSAGE_MAX);
    struct acme_jws jws = { .url = url };
    bool ok;

    if (account->new_key != NULL && !task->made_key) {
        return acme_fail(err, ACME_PEER_BROKE, "an earlier key change is not "
            "settled");
    }
    if (!task->made_key
        && !account_make_new_key(account, keeper->store, err)) {
        return false;
    }
    task->made_key = true;
    ok = acme_key_jwk(account->key, &old, err)
        && acme_payload_key_change(account->url, acme_buffer_text(&old),
            &inner, err);
    jws.payload = acme_buffer_bytes(&inner);
    ok = ok && acme_jws_write(&jws, account->new_key, payload, err);
    acme_buffer_free(&old);
    acme_buffer_free(&inner);
    return ok;
}

bool
task_sign(struct keeper *keeper, enum acme_kind kind, const char *url,
    struct acme_buffer *payload, struct acme_error *err)
{
    struct task *task = &keeper->task;
    const struct account *account = task->account;
    const char *allowed;

    if (kind != task->kind) {
        return acme_fail(err, ACME_PEER_BROKE, "nobody asked for it");
    }
    allowed = kind == ACME_KIND_KEY_CHANGE ? account->key_change_url
                                           : account->revoke_url;
    if (allowed == NULL || strcmp(url, allowed) != 0) {
        return acme_fail(err, ACME_PEER_BROKE, "not the %s URL",
            acme_kind_name(kind));
    }
    if (kind == ACME_KIND_KEY_CHANGE) {
        return sign_key_change(keeper, task, url, payload, err);
    }
    return acme_payload_revoke(acme_buffer_bytes(&task->certificate),
        task->reason, payload, err);
}

/* ---- its end */

/*
 * With two key types both certificates are revoked, one after the other. False
 * with .sys = ENOENT when there is no other one.
 */
static bool
go_on_with_other_half(struct keeper *keeper, struct acme_error *err)
{
    struct task *task = &keeper->task;
    struct job *other = task->job->other;

    *err = (struct acme_error) { .sys = ENOENT };
    if (other == NULL || task->job->half != 0) {
        return false;
    }
    acme_buffer_clear(&task->certificate);
    if (!service_revocable(other, keeper, &task->certificate, task->serial,
            err)) {
        return acme_while(err, "one of two is revoked, not the %s one",
            acme_key_type_name(job_key_type(other)));
    }
    task->job = other;
    task->id = keeper->next_job_id++;
    task->handed_over = false;
    return true;
}

static void
revocation_done(struct keeper *keeper)
{
    struct task *task = &keeper->task;
    struct acme_error err;

    attempt_revoked(task->job, keeper, task->serial);
    if (go_on_with_other_half(keeper, &err)) {
        return;
    }
    if (err.sys == ENOENT) {
        finish(keeper, "ok", "");
    } else {
        finish(keeper, "error: ", err.text);
    }
}

void
task_done(struct keeper *keeper)
{
    struct task *task = &keeper->task;
    const struct account *account = task->account;
    struct acme_error err;

    if (task->kind == ACME_KIND_REVOKE) {
        revocation_done(keeper);
        return;
    }
    if (!task->made_key) {
        acme_fail(&err, ACME_PEER_BROKE, "the agent speaks of a change that "
            "was not signed");
        task_failed(keeper, &err, "keyChange");
        return;
    }
    if (!account_take_new_key(task->account, keeper, account->url, &err)) {
        task_failed(keeper, &err, "storing the new key");
        return;
    }
    acme_log_always(&account->log, ACME_LOG_NOTICE,
        "the account has a new key");
    finish(keeper, "ok", "");
}

void
task_failed(struct keeper *keeper, const struct acme_error *err,
    const char *step)
{
    struct task *task = &keeper->task;
    char words[ACME_PROBLEM_WORDS_SIZE], text[ACME_PROBLEM_WORDS_SIZE + 64];

    if (task->kind == 0) {
        return;
    }
    if (task->kind == ACME_KIND_REVOKE
        && strcmp(err->problem, "alreadyRevoked") == 0) {
        task_done(keeper);
        return;
    }
    /* the CA may have the new key nevertheless: it is asked before an order */
    if (task->made_key) {
        account_doubt(task->account);
    }
    snprintf(text, sizeof(text), "%s: %s", step,
        acme_problem_words(err, words));
    acme_log_always(&task->account->log, ACME_LOG_ERROR, "%s", text);
    finish(keeper, "error: ", text);
}

void
task_agent_lost(struct keeper *keeper, const struct acme_error *why)
{
    if (keeper->task.handed_over) {
        task_failed(keeper, why, acme_kind_name(keeper->task.kind));
    }
}
