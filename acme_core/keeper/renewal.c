/*
 * Questions to CAs about renewals. When the next one is due, and what an
 * answer means for the renewal, is arithmetic of plan/ari.c. A question never
 * stands in the way of a renewal: jobs with an order under way are not asked
 * about, and no answer is as good as the one before.
 */

#include "keeper/renewal.h"

#include <stdio.h>
#include <string.h>

#include "crypto/x509.h"
#include "format/time_text.h"
#include "keeper/account.h"
#include "keeper/attempt.h"
#include "keeper/event.h"
#include "keeper/service.h"
#include "protocol/renewal.h"

enum {
    ROUND_S = 10 * 60,          /* who is due within this comes along */
    FAILURES_TOLD = 3           /* the operator hears of these in a row */
};

_Static_assert(sizeof(((struct acme_ari *) 0)->cert_id)
    == sizeof(((struct acme_leaf *) 0)->cert_id)
    && sizeof(((struct acme_ari_window *) 0)->explanation)
    == sizeof(((struct acme_renewal *) 0)->explanation), "what is read fits");

/* ---- questions */

/* Not about what has ended or is being replaced (RFC 9773 4.3). */
static bool
may_ask_about(const struct job *job, const struct keeper *keeper)
{
    return job->state == JOB_IDLE && job->order_url == NULL
        && job->next_at > keeper->now && job->served && job->fits
        && job->plan.ari.cert_id[0] != '\0'
        && job->not_after > keeper->now;
}

int64_t
renewal_wake_at(const struct keeper *keeper)
{
    int64_t first = INT64_MAX;

    if (keeper->renewal.until != 0) {
        return INT64_MAX;
    }
    for (size_t i = 0; i < keeper->job_count; i++) {
        const struct job *job = &keeper->jobs[i];

        if (may_ask_about(job, keeper) && job->plan.ari.poll_at < first) {
            first = job->plan.ari.poll_at;
        }
    }
    return first;
}

/* One that is due within this round, and was not asked about in it. */
static struct job *
next_of_round(struct keeper *keeper)
{
    const struct renewal *renewal = &keeper->renewal;

    for (size_t i = 0; i < keeper->job_count; i++) {
        struct job *job = &keeper->jobs[i];

        if (job->asked_in != renewal->round && may_ask_about(job, keeper)
            && job->plan.ari.poll_at <= renewal->until) {
            return job;
        }
    }
    return NULL;
}

static bool
send_question(struct job *job, struct keeper *keeper, struct acme_error *err)
{
    struct renewal *renewal = &keeper->renewal;
    struct question *question = &renewal->questions[renewal->question_count];
    struct account *issuer = service_issuer(job);
    struct acme_message message = { .type = ACME_MESSAGE_RENEWAL_INFO,
        .id = keeper->next_job_id++, .number = issuer->session,
        .fd = -1, .text = { acme_bytes_of(job->plan.ari.cert_id) } };
    struct acme_error ignored;

    /* without an account it can be asked, but an order may follow */
    (void) account_load(issuer, keeper->store, &ignored);
    if (!account_announce(issuer, keeper, err)
        || !acme_channel_send(keeper->agent, &message, err)) {
        return false;
    }
    question->id = message.id;
    question->job = job;
    memcpy(question->cert_id, job->plan.ari.cert_id,
        sizeof(question->cert_id));
    renewal->question_count++;
    keeper->agent_heard_at = keeper->now;
    return true;
}

/* It need not be of the CA that the next order goes to. */
static struct acme_log
log_of_issuer(const struct job *job)
{
    return (struct acme_log) { .parent = &job->key_log,
        .label = service_issuer(job)->ca->name };
}

/* The operator hears of it when it lasts; the renewal does without. */
static void
failed(struct job *job, struct keeper *keeper, int64_t retry_at,
    const char *text)
{
    struct acme_ari *ari = &job->plan.ari;
    char next[ACME_TIME_TEXT_SIZE];
    struct acme_log log = log_of_issuer(job);

    acme_ari_failed(ari, retry_at, (uint32_t) attempt_random(keeper),
        keeper->now);
    attempt_save_plan(job, keeper);
    acme_log(&log, ari->failures == FAILURES_TOLD ? ACME_LOG_WARN
        : ACME_LOG_DEBUG, "the CA could not be asked when it wants a renewal "
        "(%u time%s): %s; asked again at %s", ari->failures,
        ari->failures == 1 ? "" : "s", text,
        acme_time_write(next, ari->poll_at));
}

void
renewal_ask(struct keeper *keeper)
{
    struct renewal *renewal = &keeper->renewal;
    struct acme_error err;
    struct job *job;

    if (renewal->until == 0) {
        if (renewal_wake_at(keeper) > keeper->now) {
            return;
        }
        renewal->until = keeper->now + ROUND_S;
        renewal->round++;
    }
    while ((job = next_of_round(keeper)) != NULL) {
        if (keeper->agent == NULL
            || renewal->question_count == QUESTIONS_MAX) {
            return;
        }
        job->asked_in = renewal->round;
        if (!send_question(job, keeper, &err)) {
            failed(job, keeper, 0, err.text);
        }
    }
    if (renewal->question_count == 0) {
        renewal->until = 0;
    }
}

bool
renewal_wants_agent(const struct keeper *keeper)
{
    return keeper->renewal.until != 0;
}

bool
renewal_waits_for_agent(const struct keeper *keeper)
{
    return keeper->renewal.question_count > 0;
}

void
renewal_agent_lost(struct keeper *keeper)
{
    struct renewal *renewal = &keeper->renewal;

    while (renewal->question_count > 0) {
        failed(renewal->questions[--renewal->question_count].job, keeper, 0,
            "the agent is gone");
    }
}

/* ---- answers */

static void
log_window(const struct job *job, const struct keeper *keeper,
    enum acme_ari_news news)
{
    const struct acme_ari_window *window = &job->plan.ari.window;
    char start[ACME_TIME_TEXT_SIZE], end[ACME_TIME_TEXT_SIZE];
    char at[ACME_TIME_TEXT_SIZE];
    struct acme_log log = log_of_issuer(job);
    enum acme_log_level level = news == ACME_ARI_FIRST ? ACME_LOG_INFO
                                                       : ACME_LOG_NOTICE;

    if (news == ACME_ARI_SAME) {
        return;
    }
    if (window->end <= keeper->now) {
        level = ACME_LOG_WARN;
    } else if (window->explanation[0] != '\0') {
        level = ACME_LOG_NOTICE;
    }
    acme_log(&log, level, "the CA %s renewal between %s and %s%s%s; "
        "it is due at %s", news == ACME_ARI_FIRST ? "asks for" : "now asks for",
        acme_time_write(start, window->start),
        acme_time_write(end, window->end),
        window->explanation[0] != '\0' ? ", for the reason given at " : "",
        window->explanation,
        acme_time_write(at, service_due_at(job, keeper)));
}

/* One decision for both halves. */
static void
reschedule(struct job *job, struct keeper *keeper)
{
    attempt_reschedule(job, keeper);
    if (job->other != NULL && job->other->order_url == NULL) {
        attempt_reschedule(job->other, keeper);
    }
}

static bool
take_window(struct job *job, struct keeper *keeper,
    const struct acme_message *message, struct acme_error *err)
{
    struct acme_ari_window window;
    struct acme_renewal renewal;
    enum acme_ari_news news;

    if (!acme_renewal_of(message->text[0], message->text[1],
            message->text[2], &renewal, err)) {
        return false;
    }
    if (job == NULL) {
        return true;
    }
    memset(&window, 0, sizeof(window));
    window.start = renewal.start;
    window.end = renewal.end;
    strcpy(window.explanation, renewal.explanation);
    news = acme_ari_take(&job->plan.ari, &window, message->at,
        attempt_random(keeper), keeper->now);
    if (news == ACME_ARI_MOVED) {
        event_ari_changed(job, keeper);
    }
    attempt_save_plan(job, keeper);
    log_window(job, keeper, news);
    reschedule(job, keeper);
    return true;
}

static void
take_none(struct job *job, struct keeper *keeper)
{
    struct acme_log log = log_of_issuer(job);

    acme_ari_not_offered(&job->plan.ari, keeper->now);
    attempt_save_plan(job, keeper);
    acme_log(&log, ACME_LOG_DEBUG,
        "the CA does not say when it wants a renewal");
    reschedule(job, keeper);
}

static void
take_failure(struct job *job, struct keeper *keeper,
    const struct acme_message *message)
{
    char text[600];

    failed(job, keeper, message->at,
        acme_log_sentence(text, sizeof(text), message->text[0]));
}

bool
renewal_is_answer(const struct acme_message *message)
{
    return message->type == ACME_MESSAGE_RENEWAL_WINDOW
        || message->type == ACME_MESSAGE_NO_RENEWAL_INFO
        || message->type == ACME_MESSAGE_RENEWAL_FAILED;
}

static struct question *
find_question(struct keeper *keeper, uint32_t id)
{
    for (size_t i = 0; i < keeper->renewal.question_count; i++) {
        if (keeper->renewal.questions[i].id == id) {
            return &keeper->renewal.questions[i];
        }
    }
    return NULL;
}

bool
renewal_take_answer(struct keeper *keeper, const struct acme_message *message,
    struct acme_error *err)
{
    struct renewal *renewal = &keeper->renewal;
    struct question *question = find_question(keeper, message->id);
    struct job *job;

    if (question == NULL) {
        return acme_fail(err, ACME_PEER_BROKE, "%s for id %u is out of turn",
            acme_message_name(message->type), message->id);
    }
    job = question->job;
    if (strcmp(question->cert_id, job->plan.ari.cert_id) != 0) {
        job = NULL;     /* another certificate has come meanwhile */
    }
    if (message->type == ACME_MESSAGE_RENEWAL_WINDOW
        && !take_window(job, keeper, message, err)) {
        return false;
    }
    *question = renewal->questions[--renewal->question_count];
    if (job != NULL && message->type == ACME_MESSAGE_NO_RENEWAL_INFO) {
        take_none(job, keeper);
    } else if (job != NULL && message->type == ACME_MESSAGE_RENEWAL_FAILED) {
        take_failure(job, keeper, message);
    }
    return true;
}

/* ---- renewals */

void
renewal_begins(struct job *job, const struct keeper *keeper)
{
    const struct acme_ari *ari = &job->plan.ari;
    char start[ACME_TIME_TEXT_SIZE], end[ACME_TIME_TEXT_SIZE];
    struct acme_log log = log_of_issuer(job);

    job->replaces_sent = job->without_replaces = false;
    if (!job->fits || !acme_ari_has_window(ari) || ari->chosen > keeper->now
        || job->plan.failures > 0 || job->order_url != NULL
        || job->failed_choices != 0 || !service_follows_ari(job)) {
        return;
    }
    acme_log(&log, ACME_LOG_NOTICE, "the CA asks for this renewal "
        "between %s and %s%s%s", acme_time_write(start, ari->window.start),
        acme_time_write(end, ari->window.end),
        ari->window.explanation[0] != '\0' ? ", for the reason given at " : "",
        ari->window.explanation);
}

bool
renewal_is_wanted_now(const struct job *job, const struct account *account,
    const struct keeper *keeper)
{
    const struct acme_ari *ari = &job->plan.ari;
    char cert_id[ACME_ARI_ID_SIZE];

    return account == job->account && acme_ari_has_window(ari)
        && ari->window.start <= keeper->now && keeper->now < ari->window.end
        && !job->without_replaces && service_predecessor(job, keeper, cert_id);
}

const char *
renewal_replaces(struct job *job, const struct keeper *keeper,
    char cert_id[ACME_ARI_ID_SIZE])
{
    job->replaces_sent = job->account->renewal_info && !job->without_replaces
        && service_predecessor(job, keeper, cert_id);
    return job->replaces_sent ? cert_id : NULL;
}

/*
 * CAs have many words for it: the predecessor was replaced before, is not
 * known to them, is another account's, or shares no name with the order.
 */
static bool
may_be_for_replaces(const struct acme_error *why)
{
    static const char *const problems[] = { "alreadyReplaced", "malformed",
        "unauthorized", "serverInternal", "conflict" };

    for (size_t i = 0; i < sizeof(problems) / sizeof(*problems); i++) {
        if (strcmp(why->problem, problems[i]) == 0) {
            return true;
        }
    }
    return why->problem[0] == '\0' && why->http_status >= 400
        && why->http_status <= 499 && why->http_status != 429;
}

bool
renewal_drops_replaces(struct job *job, const struct acme_error *why,
    const char *step)
{
    if (!job->replaces_sent || strcmp(step, "newOrder") != 0
        || why->verdict == ACME_MISCONFIG || !may_be_for_replaces(why)) {
        return false;
    }
    acme_log(&job->log, ACME_LOG_NOTICE, "newOrder: %s; ordering again "
        "without naming the certificate that is to be replaced", why->text);
    job->replaces_sent = false;
    job->without_replaces = true;
    return true;
}
