/*
 * Looking whether the server serves what it was reloaded for. It is given a
 * minute: old processes may answer for a while. One that shows something else
 * then is reported, and reloaded again and again; one that nobody can look at
 * (no listener, no connection, no handshake) may be well, and is left alone.
 */

#include "keeper/prove.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/shown.h"
#include "format/time_text.h"
#include "keeper/attempt.h"
#include "keeper/deploy.h"
#include "keeper/event.h"
#include "store/live.h"

enum {
    PATIENCE_S = 60,
    TRIES_MIN = 3,              /* a clock may be set forward meanwhile */
    PAUSE_MAX_S = 600,          /* between probes */
    RELOAD_S = 30,              /* the first one again */
    RELOAD_MAX_S = 24 * 3600,   /* each one has its price for visitors */
    MISSED_TOLD = 5             /* of a round, one by one */
};

/* ---- what is to be seen */

/* The generation that live/ names, open; -1: there is none. */
static int
open_live(const struct job *job, const struct keeper *keeper,
    unsigned *generation)
{
    char path[PATH_MAX];
    struct acme_error ignored;

    return acme_store_live_open(keeper->settings->state_path,
        job->cert->folder, generation, path, sizeof(path), &ignored);
}

/* Either pair of two: a server shows one of them, be it an older one. */
static bool
live_has(const struct job *job, const struct keeper *keeper,
    const char *fingerprint)
{
    struct acme_error ignored;
    struct acme_shown leaf;
    struct acme_live live;
    bool found = false;

    (void) acme_live_read(keeper->settings->state_path, job->cert,
        keeper->now, &live, &ignored);
    for (size_t i = 0; !found && i < ACME_KEYS_MAX; i++) {
        found = acme_live_is_whole(&live.pairs[i])
            && acme_shown_read(acme_buffer_bytes(&live.pairs[i].chain_pem),
                &leaf, &ignored)
            && strcmp(leaf.fingerprint, fingerprint) == 0;
    }
    acme_live_free(&live);
    return found;
}

/* Nothing more is to be done about it, until the next reload. */
static void
conclude(struct job *job, unsigned state)
{
    job->installed.state = state;
    job->installed.next_at = INT64_MAX;
}

static void
look_at(struct job *job, struct keeper *keeper, int64_t at)
{
    job->installed.next_at = at;
    if (at < keeper->prove.due_at) {
        keeper->prove.due_at = at;
    }
}

static void
leave_unchecked(struct job *job, struct keeper *keeper, const char *why)
{
    struct installed *installed = &job->installed;
    bool known = installed->state == INSTALL_UNCHECKED;

    snprintf(installed->words, sizeof(installed->words), "%s", why);
    conclude(job, INSTALL_UNCHECKED);
    if (!known) {
        keeper->prove.unchecked = job;
        keeper->prove.unchecked_count++;
    }
    event_installed(job, keeper);
}

/*
 * The server has loaded what live/ holds, unless a reload is due that may
 * bring it. Where others are loaded all the time, its minute goes on.
 */
static void
begin(struct job *job, struct keeper *keeper)
{
    struct installed *installed = &job->installed;

    if (job->cert->listener.name == NULL) {
        leave_unchecked(job, keeper, "no listener with TLS is known that "
            "answers to one of its names");
        return;
    }
    if (installed->state == INSTALL_AWAITED) {
        installed->state = INSTALL_PROBED;
        installed->loaded = false;
    }
    if (installed->state != INSTALL_PROBED || !installed->loaded) {
        installed->since = keeper->now;
    }
    installed->loaded = deploy_is_done(keeper);
    installed->tries = 0;
    installed->told = false;
    look_at(job, keeper, keeper->now);
}

void
prove_init(struct job *job, struct keeper *keeper, bool loaded)
{
    struct installed *installed = &job->installed;
    int fd;

    conclude(job, INSTALL_NONE);
    if (job->half > 0 || (fd = open_live(job, keeper,
            &installed->generation)) < 0) {
        return;
    }
    close(fd);
    if (job->plan.installed == installed->generation) {
        conclude(job, INSTALL_SEEN);
        event_installed(job, keeper);   /* to a program that is new */
        return;
    }
    conclude(job, INSTALL_AWAITED);
    if (loaded) {
        begin(job, keeper);
    }
}

void
prove_landed(struct job *job, unsigned generation)
{
    struct job *first = job->half > 0 ? job->other : job;

    first->installed.generation = generation;
    first->plan.told.generation = 0;    /* numbers may begin anew */
    conclude(first, INSTALL_AWAITED);
}

void
prove_loaded(struct keeper *keeper)
{
    keeper->prove.reload_at = 0;    /* this one may have brought it */
    for (size_t i = 0; i < keeper->job_count; i++) {
        struct job *job = &keeper->jobs[i];

        if (job->installed.state != INSTALL_NONE
            && job->installed.state != INSTALL_SEEN) {
            begin(job, keeper);
        }
    }
}

/* ---- probes */

static bool
any_due(const struct keeper *keeper)
{
    return keeper->prove.due_at <= keeper->now;
}

/* A name to ask for: any label may stand for a wildcard's. */
static void
write_name(const struct job *job, const struct keeper *keeper,
    char name[ACME_NAME_MAX + 32])
{
    const char *known = job->cert->listener.name;

    if (strncmp(known, "*.", 2) == 0) {
        snprintf(name, ACME_NAME_MAX + 32, "acme-%08x%s",
            (unsigned) attempt_random(keeper), known + 1);
    } else {
        snprintf(name, ACME_NAME_MAX + 32, "%s", known);
    }
}

/* The next one: after 1, 2, 4 ... s, and once when the minute is over. */
static void
look_later(struct job *job, struct keeper *keeper)
{
    int64_t end = job->installed.since + PATIENCE_S;
    int64_t pause = 1, at;

    for (unsigned i = 0; i < job->installed.tries && pause < PAUSE_MAX_S;
         i++) {
        pause *= 2;
    }
    job->installed.tries++;
    at = keeper->now + (pause < PAUSE_MAX_S ? pause : PAUSE_MAX_S);
    look_at(job, keeper, keeper->now < end && at > end ? end : at);
}

static void
send_probe(struct job *job, struct keeper *keeper)
{
    const struct acme_settings_listener *listener = &job->cert->listener;
    struct prove *prove = &keeper->prove;
    struct acme_message message = { .type = ACME_MESSAGE_PROBE,
        .id = keeper->next_job_id++, .number = listener->port,
        .status = listener->proxy_protocol, .fd = -1 };
    char name[ACME_NAME_MAX + 32];
    struct acme_error err;

    write_name(job, keeper, name);
    message.text[0] = acme_bytes_of(name);
    message.text[1] = acme_bytes_of(listener->address);
    if (!acme_channel_send(keeper->agent, &message, &err)) {
        acme_log(&job->name_log, ACME_LOG_DEBUG,
            "no probe could be sent: %s", err.text);
        look_later(job, keeper);
        return;
    }
    prove->probes[prove->probe_count++] = (struct probe) { message.id, job,
        job->installed.generation };
    job->installed.next_at = INT64_MAX;
    keeper->agent_heard_at = keeper->now;
}

static void
send_probes(struct keeper *keeper)
{
    struct prove *prove = &keeper->prove;

    if (!any_due(keeper)) {
        return;
    }
    prove->due_at = INT64_MAX;
    for (size_t i = 0; i < keeper->job_count; i++) {
        struct job *job = &keeper->jobs[i];

        if (job->installed.next_at <= keeper->now && keeper->agent != NULL
            && prove->probe_count < PROBES_MAX) {
            send_probe(job, keeper);
        }
        look_at(job, keeper, job->installed.next_at);
    }
}

bool
prove_wants_agent(const struct keeper *keeper)
{
    return keeper->prove.probe_count > 0 || any_due(keeper);
}

bool
prove_waits_for_agent(const struct keeper *keeper)
{
    return keeper->prove.probe_count > 0;
}

/* ---- what is told */

static void
tell_seen(struct keeper *keeper)
{
    struct prove *prove = &keeper->prove;
    const struct job *job = prove->seen;

    if (prove->seen_count == 1) {
        acme_log_always(&job->name_log, ACME_LOG_NOTICE, "installed: the "
            "server shows the certificate on %s, port %u",
            job->cert->listener.address, job->cert->listener.port);
    } else if (prove->seen_count > 1) {
        acme_log_always(&keeper->log, ACME_LOG_NOTICE, "installed: the "
            "server shows %u certificates, %s among them", prove->seen_count,
            job->cert->folder);
    }
    prove->seen_count = 0;
}

static void
tell_unchecked(struct keeper *keeper)
{
    struct prove *prove = &keeper->prove;
    const struct job *job = prove->unchecked;

    if (prove->unchecked_count == 1) {
        acme_log(&job->name_log, ACME_LOG_INFO, "not checked whether the "
            "server shows the certificate: %s", job->installed.words);
    } else if (prove->unchecked_count > 1) {
        acme_log(&keeper->log, ACME_LOG_INFO, "not checked whether the "
            "server shows %u certificates; of %s: %s",
            prove->unchecked_count, job->cert->folder,
            job->installed.words);
    }
    prove->unchecked_count = 0;
}

/* What was found since, when all that was to be looked at now has been. */
static void
tell(struct keeper *keeper)
{
    struct prove *prove = &keeper->prove;

    if (prove->probe_count > 0 || any_due(keeper)) {
        return;
    }
    tell_seen(keeper);
    tell_unchecked(keeper);
    if (prove->missed_count > MISSED_TOLD) {
        acme_log_always(&keeper->log, ACME_LOG_ERROR, "%u more certificates "
            "are not served", prove->missed_count - MISSED_TOLD);
    }
    prove->missed_count = 0;
}

static unsigned
count_missed(const struct keeper *keeper)
{
    unsigned count = 0;

    for (size_t i = 0; i < keeper->job_count; i++) {
        count += keeper->jobs[i].installed.state == INSTALL_MISSED;
    }
    return count;
}

/* A reload that was in vain is tried again after 30 s, 1, 2 ... min, a day. */
static void
reload_later(struct keeper *keeper)
{
    struct prove *prove = &keeper->prove;
    int64_t pause = RELOAD_S;

    if (!keeper->settings->reload || prove->reload_at != 0) {
        return;
    }
    for (unsigned i = 0; i < prove->in_vain && pause < RELOAD_MAX_S; i++) {
        pause *= 2;
    }
    prove->in_vain++;
    prove->reload_at = keeper->now + (pause < RELOAD_MAX_S ? pause
        : RELOAD_MAX_S);
}

static void
reload_again(struct keeper *keeper)
{
    struct prove *prove = &keeper->prove;
    unsigned missed;

    if (prove->reload_at == 0 || prove->reload_at > keeper->now) {
        return;
    }
    prove->reload_at = 0;
    missed = count_missed(keeper);
    if (missed > 0) {
        deploy_again(keeper, missed);
    } else {
        prove->in_vain = 0;
    }
}

void
prove_run(struct keeper *keeper)
{
    send_probes(keeper);
    tell(keeper);
    reload_again(keeper);
}

int64_t
prove_wake_at(const struct keeper *keeper)
{
    const struct prove *prove = &keeper->prove;
    int64_t at = prove->reload_at != 0 ? prove->reload_at : INT64_MAX;

    /* what is due already waits for the agent, and that is heard */
    return any_due(keeper) || at < prove->due_at ? at : prove->due_at;
}

void
prove_clock_set_back(struct keeper *keeper, int64_t by)
{
    for (size_t i = 0; i < keeper->job_count; i++) {
        struct installed *installed = &keeper->jobs[i].installed;

        installed->since -= by;
        if (installed->next_at != INT64_MAX) {
            installed->next_at -= by;
        }
    }
    keeper->prove.due_at = 0;
    if (keeper->prove.reload_at != 0) {
        keeper->prove.reload_at -= by;
    }
}

/* ---- answers */

/*
 * It is in service, and was seen to be: the one place that knows the moment.
 * What goes before the saving is done again after a crash, and what follows it
 * may be missed.
 */
static void
seen(struct job *job, struct keeper *keeper)
{
    conclude(job, INSTALL_SEEN);
    job->installed.words[0] = '\0';
    event_installed(job, keeper);
    job->plan.installed = job->installed.generation;
    attempt_save_plan(job, keeper);
    keeper->prove.seen = job;
    keeper->prove.seen_count++;
    if (keeper->prove.in_vain > 0 && count_missed(keeper) == 0) {
        keeper->prove.reload_at = 0;
        keeper->prove.in_vain = 0;
    }
}

static void
tell_missed(const struct job *job, struct keeper *keeper)
{
    const struct acme_settings_listener *listener = &job->cert->listener;
    int64_t reload_at = keeper->prove.reload_at;
    char next[ACME_TIME_TEXT_SIZE];

    if (++keeper->prove.missed_count > MISSED_TOLD) {
        return;
    }
    acme_log_always(&job->name_log, ACME_LOG_ERROR, "the new certificate is "
        "not served, %d seconds after the server has loaded it: %s, port %u "
        "shows %s for %s; hint: another server block, virtual host or "
        "program may have this name there, an old process may still answer, "
        "or the configuration on disk may not pass -t; %s%s", PATIENCE_S,
        listener->address, listener->port, job->installed.words,
        listener->name, reload_at != 0 ? "a reload is asked for again at "
        : "acme_reload is off, so it waits for yours", reload_at != 0
        ? acme_time_write(next, reload_at) : "");
}

/* The minute is over, and no reload is under way that may bring it. */
static void
missed(struct job *job, struct keeper *keeper)
{
    struct installed *installed = &job->installed;

    if (keeper->now < installed->since + PATIENCE_S
        || installed->tries < TRIES_MIN || installed->told
        || !deploy_is_done(keeper)) {
        return;
    }
    installed->state = INSTALL_MISSED;
    installed->told = true;
    reload_later(keeper);
    tell_missed(job, keeper);
}

static void
describe(struct installed *installed, const struct acme_message *message)
{
    char subject[ACME_SHOWN_NAME_MAX], issuer[ACME_SHOWN_NAME_MAX];
    char serial[64], end[ACME_TIME_TEXT_SIZE];

    acme_log_escape(subject, sizeof(subject), message->text[1]);
    acme_log_escape(issuer, sizeof(issuer), message->text[2]);
    acme_log_escape(serial, sizeof(serial), message->text[3]);
    if (strstr(subject, "ACME placeholder") != NULL
        && strcmp(subject, issuer) == 0) {
        snprintf(installed->words, sizeof(installed->words),
            "the placeholder");
        return;
    }
    snprintf(installed->words, sizeof(installed->words), "another one "
        "(subject \"%.150s\", issuer \"%.150s\", serial %s, valid until %s)",
        subject, issuer, serial, acme_time_write(end, message->at));
}

static bool
take_served(struct job *job, struct keeper *keeper,
    const struct acme_message *message, struct acme_error *err)
{
    char fingerprint[ACME_FINGERPRINT_SIZE];

    if (!acme_message_text(message, 0, fingerprint, sizeof(fingerprint))
        || strspn(fingerprint, "0123456789abcdef")
            != sizeof(fingerprint) - 1) {
        return acme_fail(err, ACME_PEER_BROKE, "malformed fingerprint");
    }
    if (job == NULL) {
        return true;
    }
    if (live_has(job, keeper, fingerprint)) {
        seen(job, keeper);
        return true;
    }
    describe(&job->installed, message);
    acme_log(&job->name_log, ACME_LOG_DEBUG, "the server does not show the "
        "certificate yet, but %s", job->installed.words);
    look_later(job, keeper);
    missed(job, keeper);
    return true;
}

/*
 * It is tried again while old processes may be in the way, unless it was in
 * vain before; not an alarm.
 */
static void
nothing_seen(struct job *job, struct keeper *keeper, const char *why)
{
    struct installed *installed = &job->installed;
    bool soon = keeper->now < installed->since + PATIENCE_S
        || installed->tries < TRIES_MIN || !deploy_is_done(keeper);
    char words[sizeof(installed->words)];

    acme_log(&job->name_log, ACME_LOG_DEBUG, "the server cannot be looked at: "
        "%s", why);
    if (installed->state == INSTALL_MISSED
        || (installed->state == INSTALL_PROBED && soon)) {
        look_later(job, keeper);
        return;
    }
    snprintf(words, sizeof(words), "%s, port %u: %s",
        job->cert->listener.address, job->cert->listener.port, why);
    leave_unchecked(job, keeper, words);
}

/* Whose certificate is it still about; or NULL? */
static struct job *
subject_of(const struct probe *probe)
{
    struct job *job = probe->job;

    return probe->generation == job->installed.generation
        && job->installed.state != INSTALL_SEEN ? job : NULL;
}

void
prove_agent_lost(struct keeper *keeper)
{
    struct prove *prove = &keeper->prove;

    while (prove->probe_count > 0) {
        struct job *job = subject_of(&prove->probes[--prove->probe_count]);

        if (job != NULL) {
            nothing_seen(job, keeper, "the agent has ended");
        }
    }
}

bool
prove_is_answer(const struct acme_message *message)
{
    return message->type == ACME_MESSAGE_SERVED
        || message->type == ACME_MESSAGE_NOT_SERVED;
}

static struct probe *
find_probe(struct keeper *keeper, uint32_t id)
{
    for (size_t i = 0; i < keeper->prove.probe_count; i++) {
        if (keeper->prove.probes[i].id == id) {
            return &keeper->prove.probes[i];
        }
    }
    return NULL;
}

bool
prove_take_answer(struct keeper *keeper, const struct acme_message *message,
    struct acme_error *err)
{
    struct prove *prove = &keeper->prove;
    struct probe *probe = find_probe(keeper, message->id);
    char why[400];
    struct job *job;

    if (probe == NULL) {
        return acme_fail(err, ACME_PEER_BROKE, "%s for id %u is out of turn",
            acme_message_name(message->type), message->id);
    }
    job = subject_of(probe);
    *probe = prove->probes[--prove->probe_count];
    if (message->type == ACME_MESSAGE_SERVED) {
        return take_served(job, keeper, message, err);
    }
    if (job != NULL) {
        nothing_seen(job, keeper, acme_log_sentence(why, sizeof(why),
            message->text[0]));
    }
    return true;
}
