/*
 * When the CA wants a certificate renewed (RFC 9773 4.2, 4.3): the moment
 * drawn, and the next question. Pure functions of (state, now).
 */

#ifndef ACME_PLAN_ARI_H
#define ACME_PLAN_ARI_H

#include <stdbool.h>
#include <stdint.h>

enum { ACME_ARI_ID_SIZE = 161, ACME_ARI_URL_SIZE = 501 };

/* What the CA asks for. */
struct acme_ari_window {
    int64_t start, end;     /* unix seconds; end > start, or there is none */
    char explanation[ACME_ARI_URL_SIZE];  /* a URL, safe to log, or "" */
};

/* All of one certificate's; all zero: not yet asked about anything. */
struct acme_ari {
    char cert_id[ACME_ARI_ID_SIZE];  /* of the certificate, or "" */
    int64_t since;          /* we have it, unix seconds */
    struct acme_ari_window window;
    int64_t known_at;       /* since when we know it; of windows that are past
                               one after the other, the first one */
    int64_t chosen;         /* the moment in it that was drawn */
    bool ended;             /* it had ended when it became known: the CA wants
                               the certificate replaced at once */
    int64_t poll_at;        /* the CA is asked then; 0 = as soon as can be */
    unsigned failures;      /* of questions, in a row */
    unsigned hasty;         /* renewals in a row that the window asked for
                               while the certificate was new */
};

/*
 * This is the certificate in service, `cert_id` being "" for one that a CA
 * cannot be asked about. What was known of another one is forgotten.
 */
void acme_ari_about(struct acme_ari *ari, const char *cert_id, int64_t now);

/* Is there a window? */
bool acme_ari_has_window(const struct acme_ari *ari);

/*
 * The CA has answered. The moment is drawn once for each window: the same
 * window again keeps it. The next question is at retry_at (0 = in 6 hours),
 * but in a minute at least, in a day at most.
 *   random    64 random bits, for the moment
 */
enum acme_ari_news {
    ACME_ARI_SAME,          /* nothing new */
    ACME_ARI_FIRST,         /* the first window of this certificate */
    ACME_ARI_MOVED,         /* another window, or another explanation */
};

enum acme_ari_news acme_ari_take(struct acme_ari *ari,
    const struct acme_ari_window *window, int64_t retry_at, uint64_t random,
    int64_t now);

/*
 * There was no answer that can be used: what is known stays. Again after 10
 * minutes, an hour, then every 6 hours, +-10 %; not before retry_at, yet
 * within a day.
 */
void acme_ari_failed(struct acme_ari *ari, int64_t retry_at, uint32_t random,
    int64_t now);

/* The CA does not offer this: no window; again in a day. */
void acme_ari_not_offered(struct acme_ari *ari, int64_t now);

/*
 * When to renew: at the moment chosen, or when the window became known if that
 * was later; be it earlier or later than `otherwise`, which counts without a
 * window. Never later than with 1/20 of life left, and 10 minutes, or than
 * `otherwise` where that is later still. A CA that asks for the renewal of
 * each certificate as soon as it is there is followed at once, then after an
 * hour, then once a day (sooner when life is short).
 */
int64_t acme_ari_renew_at(const struct acme_ari *ari, int64_t not_before,
    int64_t not_after, int64_t otherwise);

/* The clock was set back: nothing waits for a time that is far away now. */
void acme_ari_set_clock_back(struct acme_ari *ari, int64_t now);

#endif
