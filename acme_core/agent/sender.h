/*
 * A signed request on its way: a nonce, the keeper's signature, a POST, and
 * all of it again when the CA did not like the nonce (RFC 8555 6.2, 6.5).
 * And the words to the keeper.
 */

#ifndef ACME_AGENT_SENDER_H
#define ACME_AGENT_SENDER_H

#include "agent/state.h"
#include "base/log.h"

/* A message to the keeper. When it cannot be sent, the agent stops. */
void tell(struct agent *agent, const struct acme_message *message);

/* The same for those that are a type, an id and a text (NULL: none). */
void tell_text(struct agent *agent, enum acme_message_type type, uint32_t id,
    const char *text);

/* A line for the operator, about a job or a session. */
void tell_log(struct agent *agent, uint32_t id, enum acme_log_level level,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* The keeper's REFUSED as an error: it knows best what is to be done. */
void refusal_read(const struct acme_message *message, struct acme_error *err);

/* What a transfer is for, in its tag. */
enum purpose { FOR_SENDER = 1, FOR_NONCE };

uint64_t tag_of(enum purpose purpose, uint32_t id);

/* Begin a signed request: it waits for a nonce. */
void sender_begin(struct sender *sender, enum acme_kind kind,
    const char *url);

/* With a nonce of the session, ask the keeper to sign; without, stay. */
void sender_use_nonce(struct agent *agent, struct ca *ca,
    struct sender *sender);

/* POST what the keeper signed / POST or GET what needs no signature. */
bool sender_post(struct agent *agent, struct ca *ca, struct sender *sender,
    struct acme_bytes body, struct acme_error *err);
bool sender_post_form(struct agent *agent, struct ca *ca,
    struct sender *sender, const char *url, struct acme_bytes form,
    struct acme_error *err);
bool sender_get(struct agent *agent, struct ca *ca, struct sender *sender,
    const char *url, struct acme_error *err);

/* HEAD newNonce, for whoever waits first. */
bool fetch_nonce(struct agent *agent, struct ca *ca, struct acme_error *err);

/*
 * What every reply to a sender goes through first; the sender is IDLE, or
 * waits for the next nonce after ACME_READ_REPEAT.
 */
enum acme_read sender_read(struct agent *agent, struct ca *ca,
    struct sender *sender, const struct acme_reply *reply,
    struct acme_error *err);

#endif
