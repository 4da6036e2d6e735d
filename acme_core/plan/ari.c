/*
 * Renewal information as arithmetic. A window is a wish for one certificate:
 * with the next one all begins anew, but for the count of hasty renewals,
 * without which a CA whose windows are always past would be sent order after
 * order.
 */

#include "plan/ari.h"

#include <stdio.h>
#include <string.h>

#include "plan/jitter.h"

enum {
    MINUTE_S = 60,
    HOUR_S = 3600,
    DAY_S = 24 * HOUR_S,
    ENOUGH_S = 10 * MINUTE_S, /* for an order and a reload */
    POLL_S = 6 * HOUR_S,
    NEW_S = 2 * DAY_S        /* renewed within this, it was hasty */
};

static const int64_t failure_pauses[] = { 10 * MINUTE_S, HOUR_S, POLL_S };
static const int64_t hasty_pauses[] = { 0, HOUR_S, DAY_S };

#define LAST(array) (sizeof(array) / sizeof(*(array)) - 1)

static int64_t
step(const int64_t *pauses, size_t last, unsigned count)
{
    return pauses[count < last ? count : last];
}

void
acme_ari_about(struct acme_ari *ari, const char *cert_id, int64_t now)
{
    unsigned hasty = 0;

    if (strcmp(ari->cert_id, cert_id) == 0) {
        return;
    }
    if (acme_ari_has_window(ari) && ari->chosen <= now
        && now - ari->since < NEW_S) {
        hasty = ari->hasty + (ari->hasty < LAST(hasty_pauses));
    }
    memset(ari, 0, sizeof(*ari));
    snprintf(ari->cert_id, sizeof(ari->cert_id), "%s", cert_id);
    ari->since = now;
    ari->hasty = hasty;
}

bool
acme_ari_has_window(const struct acme_ari *ari)
{
    return ari->window.end > ari->window.start;
}

/* Nothing can be done before it is known. */
static int64_t
moment(const struct acme_ari *ari)
{
    return ari->chosen > ari->known_at ? ari->chosen : ari->known_at;
}

/* ---- questions */

/* A Retry-After, as seconds from now, within reason. */
static int64_t
clamp(int64_t retry_at, int64_t now)
{
    int64_t pause = retry_at - now;

    return pause < MINUTE_S ? MINUTE_S : pause > DAY_S ? DAY_S : pause;
}

enum acme_ari_news
acme_ari_take(struct acme_ari *ari, const struct acme_ari_window *window,
    int64_t retry_at, uint64_t random, int64_t now)
{
    bool first = !acme_ari_has_window(ari);
    bool same_window = ari->window.start == window->start
        && ari->window.end == window->end;
    bool same = same_window && strcmp(ari->window.explanation,
        window->explanation) == 0;

    ari->failures = 0;
    ari->poll_at = now + (retry_at > 0 ? clamp(retry_at, now) : POLL_S);
    if (!same_window) {
        bool was_due = !first && moment(ari) <= now;

        ari->chosen = window->start
            + (int64_t) (random % (uint64_t) (window->end - window->start));
        ari->known_at = was_due && ari->chosen <= now ? ari->known_at : now;
        ari->ended = window->end <= now;
    }
    ari->window = *window;
    return first ? ACME_ARI_FIRST : same ? ACME_ARI_SAME : ACME_ARI_MOVED;
}

void
acme_ari_failed(struct acme_ari *ari, int64_t retry_at, uint32_t random,
    int64_t now)
{
    int64_t pause = acme_jitter(step(failure_pauses, LAST(failure_pauses),
        ari->failures), random);

    if (retry_at > 0 && clamp(retry_at, now) > pause) {
        pause = clamp(retry_at, now);
    }
    ari->poll_at = now + pause;
    if (ari->failures < UINT16_MAX) {
        ari->failures++;
    }
}

void
acme_ari_not_offered(struct acme_ari *ari, int64_t now)
{
    memset(&ari->window, 0, sizeof(ari->window));
    ari->known_at = ari->chosen = 0;
    ari->ended = false;
    ari->failures = 0;
    ari->poll_at = now + DAY_S;
}

/* ---- the renewal */

int64_t
acme_ari_renew_at(const struct acme_ari *ari, int64_t not_before,
    int64_t not_after, int64_t otherwise)
{
    int64_t life = not_after - not_before;
    int64_t latest = not_after
        - (life / 20 > ENOUGH_S ? life / 20 : ENOUGH_S);
    int64_t pause = step(hasty_pauses, LAST(hasty_pauses), ari->hasty);
    int64_t at = moment(ari);

    if (!acme_ari_has_window(ari) || life <= 0) {
        return otherwise;
    }
    if (pause > life / 8) {
        pause = life / 8 > MINUTE_S ? life / 8 : MINUTE_S;
    }
    if (at < ari->since + pause) {
        at = ari->since + pause;
    }
    latest = otherwise > latest ? otherwise : latest;
    return at < latest ? at : latest;
}

void
acme_ari_set_clock_back(struct acme_ari *ari, int64_t now)
{
    if (ari->since > now) {
        ari->since = now;
    }
    if (ari->known_at > now) {
        ari->known_at = now;
    }
    if (ari->poll_at > now + DAY_S) {
        ari->poll_at = now;
    }
}
