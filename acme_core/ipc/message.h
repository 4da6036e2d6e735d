/*
 * Every message between keeper and agent, both directions in one file. All
 * have one shape; the table in message.c says who may send which, and how
 * long each of its texts may be.
 */

#ifndef ACME_IPC_MESSAGE_H
#define ACME_IPC_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

enum { ACME_MESSAGE_TEXTS = 8, ACME_MESSAGE_MAX = 64 * 1024 };

/*
 * `id` is that of a session, a job or a question, given by the keeper. Texts
 * in order:
 *
 * keeper to agent
 *   CA         session: directory URL, account URL or "", User-Agent, URL of
 *              a proxy or ""; 5th and 6th: the mail address to get a
 *              binding for and the URL that gives it out, or "";
 *              number = acme_account_hint, or'ed;
 *              fd = the file of the trusted roots (PEM) or none
 *   ORDER      job: names (one a line), order URL to resume or "",
 *              challenge types (one a line, the most wanted first), issuer of
 *              the wanted chain or ""; number = session, at = when the
 *              order to resume expires
 *   CANCEL     job
 *   SIGNED     job or session: request body
 *   DONE       job or session: what was asked is done (SAVE_ORDER, PUBLISH,
 *              SAVE_ACCOUNT, DIRECTORY ...); number = 1 after PUBLISH: the CA
 *              was told of this challenge before, after SAVE_ACCOUNT: it is
 *              to be told the contacts
 *   REFUSED    job or session: why the request was not served, problem type
 *              or ""; number = verdict; ends the job
 *   TASK       job that is one request: number = session, status = enum
 *              acme_kind (KEY_CHANGE or REVOKE)
 *   RENEWAL_INFO  question: certID; number = session
 *   PROBE      question: name or IP address to ask a TLS server for, the
 *              address to connect to; number = port, status = 1: it expects
 *              a PROXY header
 *
 * agent to keeper
 *   DIRECTORY     session: final directory URL, all its URLs (one a line),
 *                 newAccount URL, newOrder URL, profiles ("a, b"), keyChange
 *                 and revokeCert URL or ""; number = enum
 *                 acme_directory_offer, or'ed           -> DONE
 *   SAVE_ACCOUNT  session: account URL; number = 1: it was made now
 *                                                       -> DONE
 *   KEY           session: account URL; number = 1: the new key is the
 *                 account's; 0: the CA does not know it -> DONE
 *   BINDING       session: key identifier, HMAC key     -> DONE
 *   UPDATED       session: why the CA refused the contacts, or ""
 *                                                       -> DONE
 *   SIGN          job or session: url, nonce; number = enum acme_kind
 *                                                       -> SIGNED
 *   SAVE_ORDER    job: order URL; at = when it expires or 0
 *                                                       -> DONE
 *   PUBLISH       job: name, token, challenge URL, challenge type
 *                                                       -> DONE
 *   CHAIN         job: PEM chain; ends the job
 *   TASK_DONE     job that is one request: the CA has done it; ends the job
 *   FAILED        job: problem type, name, text, step, type of the challenge
 *                 that failed or ""; number = verdict, status = HTTP status,
 *                 at = retry_at; ends the job
 *   RENEWAL_WINDOW  question: start and end (RFC 3339), explanation URL or
 *                 ""; at = retry_at; ends the question
 *   NO_RENEWAL_INFO  question: the CA does not offer it; ends the question
 *   RENEWAL_FAILED  question: why; at = retry_at; ends the question
 *   SERVED        question: what the server shows: SHA-256 of the leaf in
 *                 hexadecimal, its subject, issuer and serial number;
 *                 at = notAfter; ends the question
 *   NOT_SERVED    question: why it shows nothing; ends the question
 *   LOG           session or job: text; number = enum acme_log_level
 */
enum acme_message_type {
    ACME_MESSAGE_CA = 1,
    ACME_MESSAGE_ORDER,
    ACME_MESSAGE_CANCEL,
    ACME_MESSAGE_SIGNED,
    ACME_MESSAGE_DONE,
    ACME_MESSAGE_REFUSED,
    ACME_MESSAGE_RENEWAL_INFO,
    ACME_MESSAGE_TASK,
    ACME_MESSAGE_PROBE,
    ACME_MESSAGE_DIRECTORY = 32,
    ACME_MESSAGE_SAVE_ACCOUNT,
    ACME_MESSAGE_KEY,
    ACME_MESSAGE_BINDING,
    ACME_MESSAGE_UPDATED,
    ACME_MESSAGE_SIGN,
    ACME_MESSAGE_SAVE_ORDER,
    ACME_MESSAGE_PUBLISH,
    ACME_MESSAGE_CHAIN,
    ACME_MESSAGE_TASK_DONE,
    ACME_MESSAGE_FAILED,
    ACME_MESSAGE_LOG,
    ACME_MESSAGE_RENEWAL_WINDOW,
    ACME_MESSAGE_NO_RENEWAL_INFO,
    ACME_MESSAGE_RENEWAL_FAILED,
    ACME_MESSAGE_SERVED,
    ACME_MESSAGE_NOT_SERVED
};

/* What not every CA has. */
enum acme_directory_offer {
    ACME_OFFERS_RENEWAL_INFO = 1,  /* RFC 9773 */
    ACME_DEMANDS_BINDING = 2       /* RFC 8555 7.3.4 */
};

struct acme_message {
    enum acme_message_type type;
    uint32_t id;
    uint32_t number;
    uint32_t status;
    int64_t at;
    struct acme_bytes text[ACME_MESSAGE_TEXTS];  /* borrowed */
    int fd;                                      /* or -1 */
};

/* Which end we are: decides which types are acceptable. */
enum acme_message_end { ACME_END_KEEPER = 1, ACME_END_AGENT };

/* "SIGN" and so on; "?" when unknown. */
const char *acme_message_name(enum acme_message_type type);

/* May a message of this type bring a descriptor? */
bool acme_message_has_fd(enum acme_message_type type);

/*
 * Append the encoded message, the descriptor excepted. False (ACME_LOCAL)
 * when a text is longer than allowed or holds a NUL, or the buffer is full.
 */
bool acme_message_write(const struct acme_message *message,
    struct acme_buffer *out, struct acme_error *err);

/*
 * Decode one datagram; texts point into it. Everything is checked: exact
 * length, known type for this end, lengths within the table, no NUL in
 * texts (CHAIN and SIGNED included). ACME_PEER_BROKE otherwise.
 */
bool acme_message_read(struct acme_bytes datagram, enum acme_message_end end,
    struct acme_message *message, struct acme_error *err);

/* A text copied into a NUL-terminated array; false when it does not fit. */
bool acme_message_text(const struct acme_message *message, unsigned index,
    char *out, size_t size);

#endif
