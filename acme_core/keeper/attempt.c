/*
 * The life of one certificate's attempt (see attempt.h). What an attempt has
 * reached is in pending/<folder>, read and written by pending.c; a keeper
 * that starts continues from there by the normal path.
 */

#include "keeper/attempt.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crypto/x509.h"
#include "format/time_text.h"
#include "keeper/account.h"
#include "keeper/choice.h"
#include "keeper/deploy.h"
#include "keeper/event.h"
#include "keeper/pending.h"
#include "keeper/prove.h"
#include "keeper/quota.h"
#include "keeper/renewal.h"
#include "keeper/service.h"
#include "keeper/supervised.h"
#include "keeper/ways.h"
#include "protocol/problem.h"
#include "store/assign.h"

enum {
    AGENTS_MAX = 5,             /* one after another, for one attempt */
    COUNTED_LATER_S = 5,        /* the CA counts when it has heard of it */
    WAIT_TOLD_S = 3600,         /* that an account's orders wait */
    ORDER_LIFE_S = 7 * 24 * 3600  /* when the CA does not say */
};

static const char *const *
names_of(const struct job *job)
{
    return (const char *const *) job->cert->names;
}

/* ---- being prepared */

/* plan/<this>.json */
static const char *
plan_name(const struct job *job, char name[NAME_MAX + 1])
{
    snprintf(name, NAME_MAX + 1, "%s%s", job->cert->folder,
        job->half > 0 ? "+rsa" : "");
    return name;
}

static void
read_plan(struct job *job, struct keeper *keeper)
{
    struct acme_buffer json = ACME_BUFFER(ACME_STORE_FILE_MAX);
    char name[NAME_MAX + 1];
    struct acme_error err;

    if (acme_store_plan_read(keeper->store, plan_name(job, name), &json, &err)
        && !acme_plan_read(acme_buffer_bytes(&json), &job->plan)) {
        acme_log(&job->log, ACME_LOG_WARN,
            "plan/%s.json is damaged: failures before this are forgotten",
            name);
    }
    acme_buffer_free(&json);
}

uint64_t
attempt_random(const struct keeper *keeper)
{
    uint64_t bits = 0;

    if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) < 0) {
        bits = (uint64_t) keeper->now;
    }
    return bits;
}

void
attempt_save_plan(struct job *job, struct keeper *keeper)
{
    struct acme_buffer json = ACME_BUFFER(ACME_STORE_FILE_MAX);
    char name[NAME_MAX + 1];
    char words[ACME_PROBLEM_WORDS_SIZE];
    struct acme_error err;

    if (!acme_plan_write(&job->plan, &json)) {
        acme_fail_memory(&err);
    } else if (acme_store_plan_write(keeper->store, plan_name(job, name),
            acme_buffer_bytes(&json), &err)) {
        acme_buffer_free(&json);
        return;
    }
    acme_buffer_free(&json);
    acme_log(&job->log, ACME_LOG_ERROR, "the plan could not be saved: %s",
        acme_problem_words(&err, words));
}

/*
 * What is in service decides when, unless its successor is under way; a
 * failure before decides not before.
 */
static void
reckon(struct job *job, const struct keeper *keeper)
{
    bool is_due = !job->fits || job->order_url != NULL;

    job->next_at = acme_plan_next(&job->plan,
        is_due ? keeper->now : service_due_at(job, keeper), keeper->now);
}

static void
schedule(struct job *job, struct keeper *keeper)
{
    (void) service_is_current(job, keeper);
    acme_plan_set_clock_back(&job->plan, keeper->now);
    reckon(job, keeper);
}

/*
 * One decision for both halves. A half that waits for the end of ours is due
 * as it was before, and one with an order when that is to go on; any other one
 * is looked at again: what it was may have been damaged, and is not in the new
 * generation.
 */
static void
schedule_other(const struct job *job, struct keeper *keeper)
{
    struct job *other = job->other;

    if (other == NULL || other->state != JOB_IDLE) {
        return;
    }
    if (other->next_at <= keeper->now + 1) {
        other->next_at = keeper->now;
    } else if (other->order_url == NULL) {
        schedule(other, keeper);
    }
}

/* Its certificate is live: nothing of the order is needed any more. */
static void
close_order(struct job *job, struct keeper *keeper)
{
    pending_withdraw(job, keeper);
    pending_remove(job, keeper);
    acme_plan_succeeded(&job->plan);
    attempt_save_plan(job, keeper);
}

void
attempt_init(struct job *job, struct keeper *keeper,
    const struct acme_settings_cert *cert)
{
    job->cert = cert;
    job->name_log = (struct acme_log) { .parent = &keeper->log,
        .label = cert->folder };
    job->key_log = (struct acme_log) { .parent = &job->name_log,
        .label = job->other != NULL
            ? acme_key_type_name(job_key_type(job)) : NULL };
    job->log = (struct acme_log) { .parent = &job->key_log };
    choice_reset(job, keeper);
    job->keygen_fd = -1;
    read_plan(job, keeper);
    pending_load(job, keeper);
    if (service_has_key(job, keeper)) {
        (void) service_is_current(job, keeper);
        event_obtained(job, keeper);
        close_order(job, keeper);
    }
    schedule(job, keeper);
    service_warn_of_renew(job);
    if (job->half > 0) {
        reckon(job->other, keeper);
    }
}

void
attempt_reschedule(struct job *job, struct keeper *keeper)
{
    if (job->state == JOB_IDLE) {
        schedule(job, keeper);
    }
}

void
attempt_free(struct job *job)
{
    pending_forget(job);
    free(job->first_failure);
    job->first_failure = NULL;
    if (job->keygen_fd >= 0) {
        close(job->keygen_fd);
    }
}

void
attempt_encourage(struct job *job, struct keeper *keeper)
{
    if (job->state != JOB_IDLE || job->next_at <= keeper->now
        || service_is_current(job, keeper)) {
        return;
    }
    if (job->plan.failures == 0) {
        if (!job->fits) {
            job->next_at = keeper->now;
        }
    } else if (acme_plan_encourage(&job->plan, keeper->now)) {
        attempt_save_plan(job, keeper);
        job->next_at = keeper->now;
    }
}

void
attempt_revoked(struct job *job, struct keeper *keeper, const char serial[64])
{
    snprintf(job->plan.revoked, sizeof(job->plan.revoked), "%s", serial);
    attempt_save_plan(job, keeper);
    acme_log_always(&job->log, ACME_LOG_NOTICE,
        "certificate %s is revoked", serial);
    if (job->state == JOB_IDLE && !service_is_current(job, keeper)) {
        job->next_at = keeper->now;
    }
}

struct job *
attempt_find(struct keeper *keeper, uint32_t id)
{
    for (size_t i = 0; i < keeper->active_count; i++) {
        if (keeper->active[i]->id == id) {
            return keeper->active[i];
        }
    }
    return NULL;
}

/* ---- the attempt */

/*
 * A CA gives one account the same order for the same set of names, so two
 * certificates that differ in their key only are ordered one after the other,
 * when there is a CA where they may meet.
 * Nothing is ordered while the account's key is changed: a proof would be of
 * one key, the account of the other.
 */
bool
attempt_must_wait(const struct job *job, const struct keeper *keeper)
{
    if (keeper->task.kind == ACME_KIND_KEY_CHANGE
        && keeper->task.account == job->account) {
        return true;
    }
    for (size_t i = 0; i < keeper->active_count; i++) {
        const struct job *other = keeper->active[i];

        if (acme_settings_share_ca(other->cert, job->cert)
            && acme_settings_same_names(other->cert, job->cert)) {
            return true;
        }
    }
    return false;
}

void
attempt_rest(struct job *job, struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->active_count; i++) {
        if (keeper->active[i] == job) {
            keeper->active[i] = keeper->active[--keeper->active_count];
            break;
        }
    }
    if (job->keygen_fd >= 0) {
        close(job->keygen_fd);
        job->keygen_fd = -1;
    }
    job->state = JOB_IDLE;
}

/* The key is on disk before the order is asked for, or there is none. */
static bool
take_key(struct job *job, struct keeper *keeper, struct acme_key *key,
    struct acme_error *err)
{
    acme_key_free(job->key);
    job->key = key;
    strcpy(job->began_with, job->serial);
    if (!pending_save_key(job, keeper, err)
        || !pending_save_order(job, keeper, err)) {
        acme_key_free(job->key);
        job->key = NULL;
        return false;
    }
    job->state = JOB_READY;
    return true;
}

/* The key in service, when it may be used again: acme_key_policy reuse. */
static struct acme_key *
key_in_service(const struct job *job, const struct keeper *keeper)
{
    enum acme_key_type type = job_key_type(job);
    struct acme_key *key = NULL;
    struct service_pair pair;
    struct acme_error ignored;

    /* a certificate may be revoked because of its key */
    if (!job->cert->reuse_key || (job->plan.revoked[0] != '\0'
            && strcmp(job->serial, job->plan.revoked) == 0)) {
        return NULL;
    }
    if (service_pair_read(job, keeper, acme_key_is_rsa(type), &pair, &ignored)
        && pair.key_type == type) {
        key = acme_key_read(acme_buffer_bytes(&pair.key_pem), &ignored);
    }
    service_pair_free(&pair);
    return key;
}

/* Short keys take microseconds; RSA is made by a child. */
static bool
make_key(struct job *job, struct keeper *keeper, struct acme_error *err)
{
    enum acme_key_type type = job_key_type(job);
    struct acme_key *key = key_in_service(job, keeper);

    if (key != NULL) {
        return take_key(job, keeper, key, err);
    }
    if (type != ACME_KEY_ECDSA_256 && type != ACME_KEY_ECDSA_384) {
        job->state = JOB_KEYGEN;
        keeper->keygen_asked[keeper->keygen_asked_count++] = job;
        if (!acme_supervised_ask(keeper->supervisor_fd, ACME_ASK_KEYGEN,
                acme_key_type_name(type), err)) {
            keeper->keygen_asked_count--;
            return false;
        }
        return true;
    }
    key = acme_key_new(type, err);
    return key != NULL && take_key(job, keeper, key, err);
}

/*
 * A key of an attempt before, whose order was never made. The store may have
 * become full or read-only since, and the order must find room.
 */
static bool
use_key(struct job *job, struct keeper *keeper, struct acme_error *err)
{
    return job->order_url != NULL || pending_save_order(job, keeper, err);
}

static void
note_wait(struct job *job, struct keeper *keeper,
    const struct acme_error *err)
{
    struct acme_plan *plan = &job->plan;

    if (plan->failures == 0) {
        memcpy(plan->problem, err->problem, sizeof(plan->problem));
        memcpy(plan->text, err->text, sizeof(plan->text));
    }
    plan->next_attempt = job->next_at;
    attempt_save_plan(job, keeper);
}

/* What holds all orders of the account is said of that, and seldom. */
static void
tell_wait(struct job *job, struct keeper *keeper,
    const struct acme_error *err)
{
    struct account *account = job->account;
    bool all = err->name[0] == '\0';
    char words[ACME_PROBLEM_WORDS_SIZE], at[ACME_TIME_TEXT_SIZE];

    if (all ? keeper->now >= account->wait_told_at && keeper->now
            < account->wait_told_at + WAIT_TOLD_S : job->wait_told) {
        return;
    }
    if (all) {
        account->wait_told_at = keeper->now;
    } else {
        job->wait_told = true;
        note_wait(job, keeper, err);
    }
    acme_log_always(all ? &account->log : &job->log, ACME_LOG_WARN,
        "%s; %s until %s", acme_problem_words(err, words),
        all ? "new orders wait" : "the order waits",
        acme_time_write(at, job->next_at));
}

void
attempt_wait(struct job *job, struct keeper *keeper,
    const struct acme_error *err)
{
    if (err->retry_at <= keeper->now) {
        attempt_failed(job, keeper, err, "preparing the order");
        return;
    }
    attempt_rest(job, keeper);
    job->next_at = err->retry_at + COUNTED_LATER_S;
    tell_wait(job, keeper, err);
}

void
attempt_start(struct job *job, struct keeper *keeper)
{
    keeper->active[keeper->active_count++] = job;
    job->agents_lost = 0;
    choice_tell(job, keeper);
    attempt_go_on(job, keeper);
}

void
attempt_go_on(struct job *job, struct keeper *keeper)
{
    struct acme_buffer entry = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct acme_error err;
    bool ok;

    job->without_replaces = false;
    if (job->order_url == NULL && !quota_take(job, keeper, &err)) {
        attempt_wait(job, keeper, &err);
        return;
    }
    job->wait_told = false;
    job->id = keeper->next_job_id++;
    job->state = JOB_READY;
    job->resumed = false;
    job->without_profile = job->invalid = false;
    if (job->order_url == NULL || job->wish.count == 0) {
        ways_choose(job, keeper);
    }
    renewal_begins(job, keeper);
    if (!account_load(job->account, keeper->store, &err)) {
        choice_failed(job, keeper, &err, "preparing the account");
        return;
    }
    ok = (acme_store_entry(keeper->settings, job->cert, &entry)
            || acme_fail_memory(&err))
        && acme_store_entry_write(keeper->store, job->cert->folder,
            acme_buffer_bytes(&entry), &err)
        && (job->key != NULL ? use_key(job, keeper, &err)
            : make_key(job, keeper, &err));
    acme_buffer_free(&entry);
    if (!ok) {
        attempt_failed(job, keeper, &err, "preparing the order");
    }
}

void
attempt_watch_keygen(struct job *job, int fd)
{
    job->keygen_fd = fd;
}

void
attempt_take_key(struct job *job, struct keeper *keeper)
{
    uint8_t pem[16 * 1024];
    struct acme_bytes bytes = { pem, 0 };
    struct acme_key *key;
    struct acme_error err;
    ssize_t len = recv(job->keygen_fd, pem, sizeof(pem), MSG_DONTWAIT);

    if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    close(job->keygen_fd);
    job->keygen_fd = -1;
    if (len <= 0) {
        acme_fail(&err, ACME_LOCAL, "the key maker ended without a key");
        attempt_failed(job, keeper, &err, "making the key");
        return;
    }
    bytes.len = (size_t) len;
    key = acme_key_read(bytes, &err);
    explicit_bzero(pem, sizeof(pem));
    if (key == NULL || !take_key(job, keeper, key, &err)) {
        attempt_failed(job, keeper, &err, "making the key");
    }
}

void
attempt_order(struct job *job, struct keeper *keeper)
{
    struct acme_buffer names = ACME_BUFFER(ACME_MESSAGE_MAX);
    struct acme_buffer types = ACME_BUFFER(256);
    struct acme_message message = { .type = ACME_MESSAGE_ORDER, .id = job->id,
        .number = job->account->session, .at = job->order_expires,
        .fd = -1 };
    struct acme_error err;
    bool ok = true;

    for (size_t i = 0; ok && i < job->cert->name_count; i++) {
        ok = acme_buffer_printf(&names, "%s%s", i > 0 ? "\n" : "",
            job->cert->names[i]);
    }
    for (size_t i = 0; ok && i < job->wish.count; i++) {
        ok = acme_buffer_printf(&types, "%s%s", i > 0 ? "\n" : "",
            acme_challenge_type_name(job->wish.types[i]));
    }
    message.text[0] = acme_buffer_bytes(&names);
    message.text[1] = acme_bytes_of(job->order_url);
    message.text[2] = acme_buffer_bytes(&types);
    message.text[3] = acme_bytes_of(choice_settings(job).chain);
    if (!ok) {
        acme_fail_memory(&err);
    }
    ok = ok && account_announce(job->account, keeper, &err)
        && acme_channel_send(keeper->agent, &message, &err);
    acme_buffer_free(&types);
    acme_buffer_free(&names);
    if (!ok && err.verdict == ACME_PEER_BROKE) {
        return;  /* that agent is gone, and the next one is handed it */
    }
    if (!ok) {
        choice_failed(job, keeper, &err, "handing over the order");
        if (job->state == JOB_READY) {
            attempt_order(job, keeper);  /* at the next CA, of a few */
        }
        return;
    }
    job->state = JOB_ORDERING;
    job->resumed = job->order_url != NULL;
    acme_log(&job->log, ACME_LOG_NOTICE, "%s, %zu name%s%s",
        job->resumed ? "order resumed" : "ordering a certificate",
        job->cert->name_count, job->cert->name_count == 1 ? "" : "s",
        job->staging ? ", on the CA's staging directory: a validation has "
            "failed, and must pass there first" : "");
}

void
attempt_agent_lost(struct job *job, struct keeper *keeper)
{
    struct acme_error err;

    if (job->state != JOB_ORDERING) {
        return;
    }
    job->state = JOB_READY;
    if (++job->agents_lost >= AGENTS_MAX) {
        acme_fail(&err, ACME_LOCAL, "%d agents have ended with this order "
            "under way", AGENTS_MAX);
        attempt_failed(job, keeper, &err, "ordering");
    }
}

bool
attempt_save_order(struct job *job, struct keeper *keeper, const char *url,
    int64_t expires, struct acme_error *err)
{
    char *copy;

    for (size_t i = 0; i < keeper->job_count; i++) {
        const struct job *other = &keeper->jobs[i];

        /* a CA gives identical orders the same URL; one may finalize it */
        if (other != job && other->order_url != NULL
            && strcmp(other->order_url, url) == 0) {
            return acme_fail(err, ACME_RETRY,
                "the CA gave the order of %s a second time",
                other->cert->folder);
        }
    }
    if (job->order_url != NULL && strcmp(job->order_url, url) == 0) {
        return true;
    }
    copy = strdup(url);
    if (copy == NULL) {
        return acme_fail_memory(err);
    }
    pending_withdraw(job, keeper);  /* a new order has new challenges */
    free(job->order_url);
    job->order_url = copy;
    job->order_expires = expires > 0 ? expires : keeper->now + ORDER_LIFE_S;
    return pending_save_order(job, keeper, err);
}

static bool
is_name_of(const struct job *job, const char *name)
{
    for (size_t i = 0; i < job->cert->name_count; i++) {
        if (strcasecmp(job->cert->names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

bool
attempt_publish(struct job *job, struct keeper *keeper,
    enum acme_challenge_type type, const char *name, const char *token,
    const char *challenge_url, struct acme_error *err)
{
    if (!is_name_of(job, name)) {
        return acme_fail(err, ACME_PEER_BROKE, "a proof for a foreign name");
    }
    if (!ways_has(job, type)) {
        return acme_fail(err, ACME_PEER_BROKE, "a proof that is not wanted");
    }
    return pending_add_proof(job, type, name, token, challenge_url, err)
        && pending_save_order(job, keeper, err)
        && pending_publish(job, keeper, pending_find_proof(job,
            challenge_url), err);
}

/* ---- its end */

static void
log_installed(const struct job *job, const struct acme_leaf *leaf,
    unsigned generation)
{
    char end[ACME_TIME_TEXT_SIZE];

    acme_log_always(&job->log, ACME_LOG_NOTICE,
        "certificate obtained: %zu name%s, issuer \"%s\", valid until %s, "
        "generation %u", leaf->name_count, leaf->name_count == 1 ? "" : "s",
        leaf->issuer, acme_time_write(end, leaf->not_after), generation);
}

/* By what it was proved, if it was: valid authorizations need no proof. */
static void
note_proof(struct job *job)
{
    for (size_t i = 0; i < job->proof_count; i++) {
        if (job->proofs[i].told) {
            job->proven_by = job->proofs[i].type;
        }
    }
}

/*
 * A generation of the new pair, and of the other half's that is in service,
 * as it is: one half that fails takes nothing away from the other.
 */
static bool
install_with_other(struct job *job, struct keeper *keeper,
    struct acme_bytes entry, const struct acme_pair *pair,
    unsigned *generation, struct acme_error *err)
{
    struct acme_pair pairs[ACME_KEYS_MAX] = { *pair };
    struct service_pair other = { .key_type = ACME_KEY_NONE };
    struct acme_error ignored;
    size_t count = 1;
    bool ok;

    if (job->other != NULL && service_pair_read(job, keeper,
            acme_key_is_rsa(job_key_type(job->other)), &other, &ignored)) {
        pairs[job->half] = *pair;
        pairs[job->other->half] = (struct acme_pair) {
            acme_buffer_bytes(&other.chain_pem),
            acme_buffer_bytes(&other.key_pem),
            acme_buffer_bytes(&other.meta_json) };
        count = 2;
    }
    ok = acme_store_install(keeper->store, job->cert->folder, entry, pairs,
        count, keeper->now, generation, err);
    service_pair_free(&other);
    return ok;
}

/* What is served may lose a tenth of its life by waiting for a reload. */
static int64_t
reload_by(const struct job *job, const struct keeper *keeper)
{
    int64_t by = keeper->now + (job->not_after - job->not_before) / 10;

    return by < job->not_after ? by : job->not_after;
}

static bool
install(struct job *job, struct keeper *keeper, struct acme_bytes chain_pem,
    struct acme_error *err)
{
    struct acme_buffer key_pem = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct acme_buffer entry = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct acme_buffer meta = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct acme_buffer chain = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct acme_leaf leaf = { 0 };
    struct acme_pair pair;
    unsigned generation;
    bool ok, urgent = !job->fits || job->not_after <= keeper->now;
    int64_t latest = urgent ? 0 : reload_by(job, keeper);

    note_proof(job);
    ok = acme_chain_check(chain_pem, job->key, names_of(job),
        job->cert->name_count, keeper->now, &leaf, err);
    if (!ok) {
        acme_while(err, "the chain that the CA delivered");
        goto out;
    }
    ok = service_allows_key(job, keeper, err)
        && acme_chain_tidy(chain_pem, &chain, err)
        && acme_key_write(job->key, &key_pem, err)
        && ((acme_store_entry(keeper->settings, job->cert, &entry)
            && service_meta(job, &leaf, keeper->now, &meta))
            || acme_fail_memory(err));
    pair = (struct acme_pair) { acme_buffer_bytes(&chain),
        acme_buffer_bytes(&key_pem), acme_buffer_bytes(&meta) };
    ok = ok && install_with_other(job, keeper, acme_buffer_bytes(&entry),
        &pair, &generation, err);
    if (ok) {
        job->served = job->fits = true;
        job->not_before = leaf.not_before;
        job->not_after = leaf.not_after;
        job->obtained_at = keeper->now;
        strcpy(job->serial, leaf.serial);
        job->issuer = job->account;
        if (job->other != NULL) {
            job->other->served = true;
        }
        acme_ari_about(&job->plan.ari, leaf.cert_id, keeper->now);
        log_installed(job, &leaf, generation);
        service_warn_of_renew(job);
        deploy_landed(keeper, urgent, latest);
        prove_landed(job, generation);
    }

out:
    acme_leaf_free(&leaf);
    acme_buffer_free(&chain);
    acme_buffer_free(&meta);
    acme_buffer_free(&entry);
    acme_buffer_wipe(&key_pem);
    return ok;
}

void
attempt_installed(struct job *job, struct keeper *keeper,
    struct acme_bytes chain_pem)
{
    struct acme_error err;

    if (job->staging) {
        note_proof(job);
        choice_practised(job, keeper);
        return;
    }
    if (!install(job, keeper, chain_pem, &err)) {
        attempt_failed(job, keeper, &err, "storing the certificate");
        return;
    }
    event_obtained(job, keeper);
    quota_ended(job, keeper, NULL, true);
    close_order(job, keeper);
    attempt_rest(job, keeper);
    choice_reset(job, keeper);
    reckon(job, keeper);
    schedule_other(job, keeper);
}

static void
log_failed(const struct job *job, const struct acme_error *err,
    const char *step)
{
    char words[ACME_PROBLEM_WORDS_SIZE], next[ACME_TIME_TEXT_SIZE];

    acme_log_always(&job->log, ACME_LOG_ERROR,
        "%s: %s; %s; attempt %u failed%s, the next is at %s", step,
        acme_problem_words(err, words),
        job->served ? "the present certificate stays in service"
                    : "a placeholder certificate is served",
        job->plan.failures,
        job->staging ? " on the CA's staging directory" : "",
        acme_time_write(next, job->next_at));
}

/*
 * Will its order never come to a good end? What the CA has broken may have
 * been a bad moment, but not when the same order is broken again.
 */
static bool
is_over(const struct job *job, const struct acme_error *err)
{
    switch (err->verdict) {
    case ACME_REFUSED:
    case ACME_MISCONFIG:
        return true;
    case ACME_PEER_BROKE:
        return job->resumed;
    case ACME_RETRY:
    case ACME_LOCAL:
        break;
    }
    return false;
}

/*
 * What the CA has against a name it has against it in the order of the other
 * half, too, and counts it twice. One that is under way has come further.
 */
static void
hold_other(const struct job *job, const struct acme_error *err)
{
    struct job *other = job->other;

    if (err->name[0] != '\0' && other != NULL && other->state == JOB_IDLE
        && other->order_url == NULL && other->next_at < job->next_at) {
        other->next_at = job->next_at;
    }
}

/* Of several CAs the plan has the first one's words, and the last one's. */
static void
plan_next(struct job *job, struct keeper *keeper,
    const struct acme_error *err)
{
    struct acme_error verdict = choice_verdict(job, keeper, err);
    struct acme_plan *plan = &job->plan;

    acme_plan_failed(plan, &verdict, acme_problem_class(&verdict),
        job->not_after, (uint32_t) attempt_random(keeper), keeper->now);
    if (strcmp(verdict.text, err->text) != 0) {
        snprintf(plan->last_text, sizeof(plan->last_text), "%.100s: %.380s",
            job->account->ca->name, err->text);
    }
    attempt_save_plan(job, keeper);
}

void
attempt_failed(struct job *job, struct keeper *keeper,
    const struct acme_error *err, const char *step)
{
    bool over = is_over(job, err) || choice_leaves_order(job, keeper);

    /* the pause first: a crash may cost the order, never the pause */
    quota_ended(job, keeper, err, over);
    plan_next(job, keeper, err);
    pending_withdraw(job, keeper);
    if (over) {
        pending_remove(job, keeper);
    } else if (job->key != NULL) {
        struct acme_error ignored;

        (void) pending_save_order(job, keeper, &ignored);
    }
    attempt_rest(job, keeper);
    job->next_at = job->plan.next_attempt;
    hold_other(job, err);
    log_failed(job, err, step);
    event_failed(job, keeper, err, step);
    choice_reset(job, keeper);
}
