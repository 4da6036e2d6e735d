/*
 * Sending a signed request, and speaking to the keeper. Knows neither orders
 * nor directories, and of a signature only that the keeper makes it.
 */

#include "agent/sender.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- words to the keeper */

void
tell(struct agent *agent, const struct acme_message *message)
{
    struct acme_error err;

    if (!acme_channel_send(agent->channel, message, &err)) {
        agent->stopping = true;
    }
}

void
tell_text(struct agent *agent, enum acme_message_type type, uint32_t id,
    const char *text)
{
    struct acme_message message = { .type = type, .id = id, .fd = -1,
        .text = { acme_bytes_of(text) } };

    tell(agent, &message);
}

void
tell_log(struct agent *agent, uint32_t id, enum acme_log_level level,
    const char *fmt, ...)
{
    struct acme_message message = { .type = ACME_MESSAGE_LOG, .id = id,
        .number = level, .fd = -1 };
    char line[1000];
    va_list args;

    va_start(args, fmt);
    vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    message.text[0] = acme_bytes_of(line);
    tell(agent, &message);
}

void
refusal_read(const struct acme_message *message, struct acme_error *err)
{
    char text[600];

    acme_fail(err, message->number >= ACME_RETRY
        && message->number <= ACME_LOCAL ? (enum acme_verdict) message->number
        : ACME_PEER_BROKE, "%s",
        acme_log_sentence(text, sizeof(text), message->text[0]));
    (void) acme_message_text(message, 1, err->problem, sizeof(err->problem));
}

/* ---- transfers */

uint64_t
tag_of(enum purpose purpose, uint32_t id)
{
    return (uint64_t) purpose << 32 | id;
}

/* What all requests to one CA have in common. */
static bool
start(struct agent *agent, const struct ca *ca,
    struct acme_fetch_request request, struct acme_error *err)
{
    request.trust = acme_buffer_bytes(&ca->trust);
    request.user_agent = ca->user_agent;
    request.proxy = ca->proxy;
    return acme_fetch_start(agent->fetch, &request, err);
}

bool
fetch_nonce(struct agent *agent, struct ca *ca, struct acme_error *err)
{
    return start(agent, ca, (struct acme_fetch_request) {
        .tag = tag_of(FOR_NONCE, ca->sender.id),
        .method = ACME_FETCH_HEAD,
        .url = acme_session_new_nonce_url(ca->session),
    }, err);
}

bool
sender_get(struct agent *agent, struct ca *ca, struct sender *sender,
    const char *url, struct acme_error *err)
{
    sender->kind = 0;
    sender->state = FETCHING;
    return start(agent, ca, (struct acme_fetch_request) {
        .tag = tag_of(FOR_SENDER, sender->id),
        .method = ACME_FETCH_GET,
        .url = url,
        .follow = true,
    }, err);
}

bool
sender_post(struct agent *agent, struct ca *ca, struct sender *sender,
    struct acme_bytes body, struct acme_error *err)
{
    sender->state = FETCHING;
    return start(agent, ca, (struct acme_fetch_request) {
        .tag = tag_of(FOR_SENDER, sender->id),
        .method = ACME_FETCH_POST,
        .url = sender->url,
        .body = body,
    }, err);
}

bool
sender_post_form(struct agent *agent, struct ca *ca, struct sender *sender,
    const char *url, struct acme_bytes form, struct acme_error *err)
{
    sender->kind = 0;
    sender->state = FETCHING;
    return start(agent, ca, (struct acme_fetch_request) {
        .tag = tag_of(FOR_SENDER, sender->id),
        .method = ACME_FETCH_POST,
        .url = url,
        .body = form,
        .form = true,
    }, err);
}

/* ---- a signed request */

void
sender_begin(struct sender *sender, enum acme_kind kind, const char *url)
{
    sender->state = AWAITING_NONCE;
    sender->kind = kind;
    snprintf(sender->url, sizeof(sender->url), "%s", url);
}

void
sender_use_nonce(struct agent *agent, struct ca *ca, struct sender *sender)
{
    struct acme_message message = { .type = ACME_MESSAGE_SIGN,
        .id = sender->id, .number = sender->kind, .fd = -1 };
    char nonce[257];

    if (!acme_session_take_nonce(ca->session, agent->now_ms, nonce)) {
        return;
    }
    sender->state = SIGNING;
    message.text[0] = acme_bytes_of(sender->url);
    message.text[1] = acme_bytes_of(nonce);
    tell(agent, &message);
}

enum acme_read
sender_read(struct agent *agent, struct ca *ca, struct sender *sender,
    const struct acme_reply *reply, struct acme_error *err)
{
    enum acme_read read;

    sender->state = IDLE;
    read = acme_session_read(ca->session, agent->now_ms, reply, err);
    if (sender->kind == 0) {
        /* there was no nonce to be bad */
        return read != ACME_READ_REPEAT ? read : ACME_READ_FAILED;
    }
    if (read != ACME_READ_REPEAT) {
        sender->repeats = 0;
        return read;
    }
    if (sender->repeats == REPEATS_MAX) {
        sender->repeats = 0;
        acme_while(err, "after %d nonces", REPEATS_MAX);
        return ACME_READ_FAILED;
    }
    sender->repeats++;
    sender->state = AWAITING_NONCE;
    return ACME_READ_REPEAT;
}
