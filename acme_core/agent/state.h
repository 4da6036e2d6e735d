/*
 * What an agent knows. Shared by the files of this folder only.
 *
 * Invariants:
 *  1. A sender is in one state, and has one thing under way at most: in
 *     FETCHING one transfer with its tag, in SIGNING and ASKING one question
 *     at the keeper.
 *  2. An order borrows its CA's session; jobs end before that changes.
 *  3. A job has signed only for the account that its order belongs to.
 *  4. Questions are AWAITING_SESSION or FETCHING; one that has ended is gone.
 *  5. There are never more newNonce requests under way than senders waited
 *     for a nonce when they were sent.
 */

#ifndef ACME_AGENT_STATE_H
#define ACME_AGENT_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/fetch.h"
#include "base/buffer.h"
#include "base/error.h"
#include "ipc/channel.h"
#include "protocol/order.h"
#include "protocol/session.h"

enum {
    JOBS_MAX = 512,
    QUESTIONS_MAX = 32,
    CAS_MAX = 1000,
    NAMES_MAX = 100,              /* of one order */
    TRUST_MAX = 1024 * 1024,
    REPEATS_MAX = 20              /* of a request, after badNonce */
};

enum sender_state {
    IDLE,              /* to be asked what it needs next */
    AWAITING_SESSION,  /* directory or account come first (not sessions) */
    AWAITING_NONCE,
    SIGNING,           /* the keeper has it */
    FETCHING,          /* the CA has it */
    ASKING,            /* the keeper saves, publishes or takes note */
    SLEEPING,          /* jobs only */
    FINISHED           /* jobs only: to be forgotten */
};

/* Who sends signed requests: a job, or the session of a CA. */
struct sender {
    uint32_t id;                  /* given by the keeper, unique */
    enum sender_state state;
    enum acme_kind kind;          /* 0: a request that is not signed */
    char url[ACME_URL_MAX + 1];
    unsigned repeats;             /* in a row, whatever came in between */
};

/* One CA, one account. */
struct ca {
    struct sender sender;
    struct acme_session *session;
    enum acme_session_need doing; /* what the sender is busy with */
    struct acme_buffer trust;     /* PEM; empty = the system's roots */
    char user_agent[1200];
    char proxy[1024];             /* URL, perhaps with a password, or "" */
    bool unusable;                /* for the reason that follows */
    struct acme_error why;
    unsigned nonces_coming;       /* newNonce requests under way */
    unsigned accounts_lost;
};

/* One certificate being ordered, or one request of another kind. */
struct job {
    struct sender sender;
    struct ca *ca;
    struct acme_order *order;     /* NULL until the session is ready */
    enum acme_kind task;          /* the one request that it is; 0: an order */
    unsigned accounts_lost;       /* the CA's, when the order began */
    bool restarted;               /* because the CA had lost our account */
    char *names_text;             /* names point into it */
    const char *names[NAMES_MAX];
    size_t name_count;
    char *resume_url;             /* or NULL */
    int64_t resume_expires;       /* unix seconds */
    char *chain;                  /* the wanted one's issuer, or NULL */
    struct acme_challenge_wish wish;
    int64_t wake_at_ms;           /* SLEEPING */
    const char *logged_step;      /* the last one */
};

/* When does the CA want one certificate renewed (RFC 9773)? */
struct question {
    struct sender sender;
    struct ca *ca;
    char cert_id[257];
};

struct probe;

struct agent {
    struct acme_fetch *fetch;
    struct acme_channel *channel;
    struct ca *cas[CAS_MAX];
    size_t ca_count;
    struct job *jobs[JOBS_MAX];
    size_t job_count;
    struct question questions[QUESTIONS_MAX];
    size_t question_count;
    struct probe *probes;         /* under way, in no order */
    int64_t now_ms;               /* of this turn of the loop */
    int64_t clock_ahead_ms;       /* of the system's, when that went back */
    bool stopping;                /* the keeper is gone */
};

#endif
