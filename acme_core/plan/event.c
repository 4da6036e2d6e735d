/* Thresholds before the end of a certificate, and a program's backoff. */

#include "plan/event.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "plan/jitter.h"

enum { MINUTE_S = 60, DAY_S = 24 * 3600, KEPT_S = 7 * DAY_S };

/* The earlier one first. */
static const unsigned thresholds[] = { 14, 3 };

enum { THRESHOLDS = sizeof(thresholds) / sizeof(*thresholds) };

static int64_t
passes_at(unsigned days, int64_t not_after)
{
    return not_after - (int64_t) days * DAY_S;
}

/* What was told by a clock that was wrong, as it turns out, was not told. */
static bool
was_told(const struct acme_told *told, const char *serial, unsigned days,
    int64_t not_after, int64_t now)
{
    return told->days != 0 && told->days <= days
        && strcmp(told->serial, serial) == 0
        && now >= passes_at(told->days, not_after);
}

unsigned
acme_event_expiring(const struct acme_told *told, const char *serial,
    int64_t not_after, int64_t renew_at, int64_t now)
{
    for (size_t i = THRESHOLDS; i-- > 0;) {
        int64_t at = passes_at(thresholds[i], not_after);

        if (now >= at && renew_at < at) {
            return was_told(told, serial, thresholds[i], not_after, now) ? 0
                : thresholds[i];
        }
    }
    return 0;
}

int64_t
acme_event_expiring_at(const struct acme_told *told, const char *serial,
    int64_t not_after, int64_t renew_at, int64_t now)
{
    if (acme_event_expiring(told, serial, not_after, renew_at, now) != 0) {
        return now;
    }
    for (size_t i = 0; i < THRESHOLDS; i++) {
        int64_t at = passes_at(thresholds[i], not_after);

        if (now < at && renew_at < at) {
            return at;
        }
    }
    return INT64_MAX;
}

int64_t
acme_event_days_left(int64_t not_after, int64_t now)
{
    return not_after > now ? (not_after - now + DAY_S - 1) / DAY_S : 0;
}

int64_t
acme_event_retry_at(unsigned failures, int64_t since, uint32_t random,
    int64_t now)
{
    static const int64_t pauses[] = { MINUTE_S, 10 * MINUTE_S,
        100 * MINUTE_S, DAY_S };
    size_t last = sizeof(pauses) / sizeof(*pauses) - 1;
    size_t step = failures > last ? last : failures - 1;
    int64_t at = now + acme_jitter(pauses[step], random);

    return at < since + KEPT_S ? at : 0;
}
