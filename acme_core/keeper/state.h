/*
 * What a keeper knows. Shared by the files of this folder only.
 *
 * Invariants:
 *  1. A job is in .active exactly while its state is not JOB_IDLE.
 *  2. A job that is JOB_ORDERING has its key synced in pending/<folder>.
 *  3. Each proof of a job is on the page and in its order.json, and so is
 *     .told, before the response leaves us.
 *  4. Ids are never reused while an agent lives: sessions are 1 .. ca_count,
 *     jobs, questions, probes and tasks count up from JOB_ID_FIRST.
 */

#ifndef ACME_KEEPER_STATE_H
#define ACME_KEEPER_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/log.h"
#include "crypto/key.h"
#include "ipc/channel.h"
#include "page/page.h"
#include "plan/limits.h"
#include "plan/plan.h"
#include "protocol/authorization.h"
#include "protocol/binding.h"
#include "protocol/request.h"
#include "settings/settings.h"
#include "store/store.h"

enum {
    ORDERS_MAX = 32,            /* in flight at once */
    QUESTIONS_MAX = 32,         /* besides */
    PROBES_MAX = 16,            /* besides */
    PROOFS_MAX = 200,           /* of one order */
    DIRECTORY_URLS_MAX = 32,
    CONTROL_CLIENTS = 4,
    JOB_ID_FIRST = 1 << 16
};

/* One CA's account. */
struct account {
    const struct acme_settings_ca *ca;
    struct acme_log log;
    uint32_t session;
    char folder[ACME_FOLDER_MAX];
    struct acme_key *key;
    struct acme_key *new_key;   /* of a key change that may have got through,
                                   or NULL; it is account.key.new */
    char *url;                  /* the account's, or NULL before newAccount */
    bool used;                  /* the CA may know the key */
    char *contacts;             /* one a line, as the CA last took them; NULL
                                   = not known */
    char *refused_contacts;     /* what it would not take, or NULL */
    struct acme_binding binding;  /* got for a mail address; .kid is "" */
    bool announced;             /* the agent that lives now knows it */
    int64_t wait_told_at;       /* when it was logged that orders wait, or 0 */
    char *directory_urls[DIRECTORY_URLS_MAX];  /* [0]: the directory itself */
    size_t directory_url_count;
    char *new_account_url;
    char *new_order_url;
    char profiles[1025];        /* that the CA offers: "a, b" */
    bool renewal_info;          /* it offers that */
    char *key_change_url;       /* or NULL */
    char *revoke_url;           /* or NULL */
    bool binding_required;      /* by the directory */
};

/* What the CA may fetch now. */
struct proof {
    enum acme_challenge_type type;
    char *name;
    char *token;
    char *challenge_url;
    bool told;                  /* a response was signed (RFC 8555 7.5.1) */
};

enum job_state {
    JOB_IDLE,       /* nothing before .next_at */
    JOB_KEYGEN,     /* a child makes the key */
    JOB_READY,      /* key there; the agent is not yet told */
    JOB_ORDERING    /* the agent works on it */
};

/* Does the server serve what live/ holds? It is looked at from outside. */
struct installed {
    enum {
        INSTALL_NONE,           /* there is no certificate */
        INSTALL_AWAITED,        /* the server has not loaded it yet */
        INSTALL_PROBED,         /* it has; a minute is not over */
        INSTALL_SEEN,
        INSTALL_MISSED,         /* it shows something else */
        INSTALL_UNCHECKED       /* nobody can look */
    } state;
    unsigned generation;        /* that live/ names */
    int64_t since;              /* unix seconds, when it was loaded */
    bool loaded;                /* it was: no reload was due then */
    int64_t next_at;            /* of the next probe; INT64_MAX: none, or one
                                   is under way */
    unsigned tries;             /* since the last reload */
    bool told;                  /* of the miss, since then */
    char words[512];            /* what is shown instead, or why nobody can
                                   look; safe to log */
};

/*
 * One certificate being looked after, or of one with two key types a half:
 * that with the first or the second of them. Halves have orders, keys and
 * plans of their own, and one generation and one decision to renew.
 */
struct job {
    const struct acme_settings_cert *cert;
    size_t half;                /* index into cert->key_types */
    struct job *other;          /* the other half, or NULL */
    size_t choice;              /* which CA of the list the attempt is at */
    bool staging;               /* on its staging directory, for practice */
    struct account *account;    /* the one there; of an idle job the first */
    bool invalid;               /* a validation has failed there */
    unsigned failed_choices;    /* in this attempt, a bit for each */
    struct acme_error *first_failure;   /* the first of them, or NULL */
    struct account *issuer;     /* whose the certificate in service is, or
                                   NULL: of no CA that we have */
    struct acme_log name_log, key_log, log;
    enum job_state state;
    uint32_t id;                /* of this attempt */
    int64_t next_at;            /* unix seconds, when idle */
    int64_t not_before;         /* of the certificate in service, or 0 */
    int64_t not_after;
    bool served;                /* live/ holds a certificate */
    bool fits;                  /* with the names, key and CA asked for */
    char serial[64];            /* of that with our kind of key, or "" */
    int64_t obtained_at;        /* when it was, or 0 */
    struct acme_plan plan;
    struct installed installed; /* of the first half: both together */
    struct acme_key *key;       /* of the order under way */
    char *order_url;            /* or NULL */
    int64_t order_expires;      /* of that */
    struct acme_challenge_wish wish;        /* of the order under way */
    enum acme_challenge_type proven_by;     /* what worked last time */
    bool without_profile;       /* in this attempt: the CA does not have it */
    char began_with[64];        /* .serial when it was begun */
    unsigned agents_lost;       /* in this attempt */
    bool resumed;               /* this attempt began with an order_url */
    bool replaces_sent;         /* newOrder named a predecessor */
    bool without_replaces;      /* it is to name none, in this attempt */
    bool counted;               /* the order is, in limits.json, */
    bool counted_domains;       /* also as a certificate of its domains */
    bool ordered;               /* newOrder was signed */
    bool finalized;             /* finalize was, or may have been */
    bool wait_told;             /* it was logged that it waits for a limit */
    unsigned asked_in;          /* the round of the last question about it */
    struct proof *proofs;
    size_t proof_count;
    int keygen_fd;              /* or -1 */
};

/* The type of the job's key. */
static inline enum acme_key_type
job_key_type(const struct job *job)
{
    return job->cert->key_types[job->half];
}

/* What the agent asks a CA: when is this certificate to be renewed? */
struct question {
    uint32_t id;
    struct job *job;
    char cert_id[ACME_ARI_ID_SIZE];
};

struct renewal {
    struct question questions[QUESTIONS_MAX];  /* not answered yet */
    size_t question_count;
    unsigned round;             /* counts up */
    int64_t until;              /* what is due by then is of this round; 0:
                                   none is under way */
};

/* What the agent looks at: what does our server show for a certificate? */
struct probe {
    uint32_t id;
    struct job *job;
    unsigned generation;        /* that it was about */
};

struct prove {
    struct probe probes[PROBES_MAX];  /* not answered yet */
    size_t probe_count;
    int64_t due_at;             /* no probe is due before this */
    int64_t reload_at;          /* once more, since one was in vain; or 0 */
    unsigned in_vain;           /* such reloads in a row */
    struct job *seen;           /* not yet told: the last one, how many */
    unsigned seen_count;
    struct job *unchecked;
    unsigned unchecked_count;
    unsigned missed_count;      /* in this round; the first few are told */
};

/* One request that an operator asked for: at most one at a time. */
struct task {
    enum acme_kind kind;        /* KEY_CHANGE, REVOKE; 0 = there is none */
    uint32_t id;
    bool handed_over;           /* the agent works on it */
    struct account *account;    /* whose it is; NULL without a task */
    struct job *job;            /* REVOKE: whose certificate it is */
    struct acme_buffer certificate;  /* in DER */
    char serial[64];
    unsigned reason;            /* RFC 5280 5.3.1 */
    bool made_key;              /* KEY_CHANGE: account.key.new is its */
    int client_fd;              /* who waits for the answer */
};

/* Who has connected to control.sock, and what it has said so far. */
struct control_client {
    int fd;                     /* or -1 */
    char line[512];
    size_t len;
};

/* How new certificates reach the server. */
struct deploy {
    enum {
        DEPLOY_IDLE,        /* the server has what live/ has */
        DEPLOY_GATHERING,   /* a reload comes at .due_at or before */
        DEPLOY_CHECKING,    /* its configuration is being checked */
        DEPLOY_ASKED        /* it was asked to reload; again at .due_at */
    } state;
    int64_t due_at;         /* unix seconds */
    int64_t asked_at;       /* 0 = never */
    bool urgent;            /* one that landed is more than a renewal */
    int64_t latest;         /* what is served waits no longer, or 0 */
    unsigned landed;        /* certificates for the next reload */
    unsigned late;          /* landed while a reload was under way */
    unsigned unanswered;    /* reloads asked for in vain, in a row */
    bool checked_in_vain;   /* it is waited because a check failed */
    int check_fd;           /* where the verdict comes, or -1 */
    bool upgrade_told;      /* a reload waits for the end of an upgrade */
};

/* Something that acme_event's program is not yet told. */
struct event {
    unsigned number;            /* of its file */
    char what[16];              /* its name */
    char *folder;               /* of the certificate */
    char *json;                 /* when it could not be written, else NULL */
    int64_t since;              /* it happened, unix seconds */
    int64_t next_at;            /* its turn, of a certificate's ascending */
    unsigned failures;          /* of the program */
};

struct event_queue {
    struct event *events;       /* in the order of their numbers */
    size_t count, room;
    unsigned last_number;
    unsigned running;           /* number of what is being told, or 0 */
    bool asked;                 /* the supervisor, for a process */
    int fd;                     /* that process, or -1 */
    int64_t patience_ends_at;   /* when it must have ended */
    int64_t hurried_at;         /* by an operator's reload, or 0 */
    int64_t begins_at;          /* an earlier keeper's program has ended */
};

struct keeper {
    struct acme_settings *settings;
    struct acme_log log;
    struct acme_store *store;
    struct acme_page *page;
    int page_fd;
    int supervisor_fd;
    int control_fd;             /* listening, or -1 */
    unsigned long long life_inode;
    int64_t loaded_ms;          /* when the server last read its settings */
    bool reloaded;              /* by a reload, not by a start */
    int64_t followed_at;        /* since when we follow another keeper, or 0 */
    uint64_t followed_ns;       /* the times of its flips, added up */
    int64_t followed_dir_ns;    /* the time of live/ then */
    bool strangers_told;        /* names that it does not know were logged */
    struct acme_channel *agent; /* or NULL */
    bool agent_asked;
    unsigned agent_deaths;
    int64_t agent_heard_at;     /* it spoke, or was given an order */
    int64_t agent_start_at;     /* unix seconds */
    struct account *accounts;   /* settings->ca_count */
    struct job *jobs;           /* of each certificate one or two */
    size_t job_count;
    struct job *active[ORDERS_MAX];
    size_t active_count;
    struct job *keygen_asked[ORDERS_MAX];   /* in the order of asking */
    size_t keygen_asked_count;
    uint32_t next_job_id;
    struct acme_limits limits;
    bool limits_changed;        /* since they were written */
    bool limits_unsaved;        /* and that they cannot be was logged */
    struct renewal renewal;
    struct prove prove;
    struct task task;
    struct control_client clients[CONTROL_CLIENTS];
    struct deploy deploy;
    struct event_queue events;
    int64_t now;                /* unix seconds, of this turn of the loop */
    int64_t uptime;             /* seconds, at the same moment */
};

#endif
