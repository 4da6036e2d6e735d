/*
 * Asking CAs when they want certificates renewed. A question is one GET; what
 * its answer means is known to the keeper, which asks again when it is time.
 */

#include "agent/renewal.h"

#include <string.h>

#include "agent/ca.h"
#include "agent/sender.h"
#include "format/time_text.h"
#include "protocol/renewal.h"

struct question *
agent_renewal_find(struct agent *agent, uint32_t id)
{
    for (size_t i = 0; i < agent->question_count; i++) {
        if (agent->questions[i].sender.id == id) {
            return &agent->questions[i];
        }
    }
    return NULL;
}

/* ---- end */

/* The last question takes its place. */
static void
end(struct agent *agent, struct question *question)
{
    acme_fetch_cancel(agent->fetch,
        tag_of(FOR_SENDER, question->sender.id));
    *question = agent->questions[--agent->question_count];
}

static void
tell_failed(struct agent *agent, uint32_t id, const struct acme_error *why)
{
    struct acme_message message = { .type = ACME_MESSAGE_RENEWAL_FAILED,
        .id = id, .at = why->retry_at, .fd = -1,
        .text = { acme_bytes_of(why->text) } };

    tell(agent, &message);
}

static void
fail(struct agent *agent, struct question *question,
    const struct acme_error *why)
{
    tell_failed(agent, question->sender.id, why);
    end(agent, question);
}

void
agent_renewal_fail(struct agent *agent, const struct ca *ca,
    bool waiting_only, const struct acme_error *why)
{
    for (size_t i = agent->question_count; i-- > 0;) {
        struct question *question = &agent->questions[i];

        if (question->ca == ca && (!waiting_only
                || question->sender.state == AWAITING_SESSION)) {
            fail(agent, question, why);
        }
    }
}

/* ---- begin */

void
agent_renewal_take_question(struct agent *agent,
    const struct acme_message *message)
{
    struct question question = { .sender = { .id = message->id,
        .state = AWAITING_SESSION },
        .ca = ca_find(agent, message->number) };
    struct acme_error why;

    if (question.ca == NULL || !acme_message_text(message, 0,
            question.cert_id, sizeof(question.cert_id))) {
        acme_fail(&why, ACME_PEER_BROKE, "a question to an unknown CA");
    } else if (agent->question_count == QUESTIONS_MAX) {
        acme_fail(&why, ACME_RETRY, "%d questions are under way already",
            QUESTIONS_MAX);
    } else {
        acme_session_refresh(question.ca->session, agent->now_ms);
        agent->questions[agent->question_count++] = question;
        return;
    }
    tell_failed(agent, message->id, &why);
}

/* Its directory may be outdated, and then it is read again. */
static bool
knows_directory(const struct ca *ca)
{
    const char *url;

    return acme_session_next(ca->session, &url) != ACME_SESSION_GET_DIRECTORY;
}

bool
agent_renewal_waits(const struct agent *agent, const struct ca *ca)
{
    for (size_t i = 0; i < agent->question_count; i++) {
        if (agent->questions[i].ca == ca
            && agent->questions[i].sender.state == AWAITING_SESSION) {
            return true;
        }
    }
    return false;
}

static void
ask(struct agent *agent, struct question *question)
{
    struct ca *ca = question->ca;
    const char *base = acme_session_renewal_info_url(ca->session);
    char url[ACME_URL_MAX + 1];
    struct acme_error why;

    if (base == NULL) {
        tell_text(agent, ACME_MESSAGE_NO_RENEWAL_INFO, question->sender.id,
            NULL);
        end(agent, question);
    } else if (!acme_renewal_url(base, acme_bytes_of(question->cert_id), url,
            sizeof(url), &why)
        || !sender_get(agent, ca, &question->sender, url, &why)) {
        fail(agent, question, &why);
    }
}

void
agent_renewal_pump(struct agent *agent)
{
    for (size_t i = agent->question_count; i-- > 0;) {
        struct question *question = &agent->questions[i];

        if (question->sender.state == AWAITING_SESSION
            && knows_directory(question->ca)) {
            ask(agent, question);
        }
    }
}

/* ---- the answer */

void
agent_renewal_take_reply(struct agent *agent, struct question *question,
    const struct acme_reply *reply)
{
    char start[ACME_TIME_TEXT_SIZE], finish[ACME_TIME_TEXT_SIZE];
    struct acme_message message = { .type = ACME_MESSAGE_RENEWAL_WINDOW,
        .id = question->sender.id, .at = reply->headers.retry_at, .fd = -1 };
    struct acme_renewal renewal;
    struct acme_error why;

    if (sender_read(agent, question->ca, &question->sender, reply, &why)
            != ACME_READ_OK) {
        fail(agent, question, &why);
        return;
    }
    if (!acme_renewal_read(reply->body, &renewal, &why)) {
        fail(agent, question, &why);
        return;
    }
    message.text[0] = acme_bytes_of(acme_time_write(start, renewal.start));
    message.text[1] = acme_bytes_of(acme_time_write(finish, renewal.end));
    message.text[2] = acme_bytes_of(renewal.explanation);
    tell(agent, &message);
    end(agent, question);
}
