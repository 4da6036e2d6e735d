/*
 * The rhythm of polling. Knows neither what is polled nor what for. A CA may
 * name any Retry-After: seconds become milliseconds only below the deadline.
 */

#include "protocol/pace.h"

static const int64_t steps_ms[] = {
    100, 200, 500, 1000, 2000, 3000, 5000, 8000, 10000
};

enum { STEPS = sizeof(steps_ms) / sizeof(steps_ms[0]) };

void
acme_pace_restart(struct acme_pace *pace)
{
    *pace = (struct acme_pace) { .timed = false };
}

void
acme_pace_progress(struct acme_pace *pace)
{
    pace->bounded = false;
}

bool
acme_pace_polled(struct acme_pace *pace, int64_t now_ms)
{
    pace->polls++;
    pace->timed = false;
    return !pace->bounded || now_ms < pace->deadline_ms;
}

static int64_t
next_step(const struct acme_pace *pace)
{
    return steps_ms[pace->polls < STEPS ? pace->polls : STEPS - 1];
}

int64_t
acme_pace_wake_at(struct acme_pace *pace, int64_t now_ms, int64_t retry_at)
{
    int64_t wake;

    if (pace->timed) {
        return pace->wake_at_ms;
    }
    if (!pace->bounded) {
        pace->bounded = true;
        pace->deadline_ms = now_ms + (pace->patience_ms > 0
            ? pace->patience_ms : ACME_PACE_PATIENCE_MS);
    }
    wake = now_ms + next_step(pace);
    if (retry_at > pace->deadline_ms / 1000) {
        wake = pace->deadline_ms;
    } else if (retry_at > wake / 1000) {
        wake = retry_at * 1000;
    }
    pace->wake_at_ms = wake < pace->deadline_ms ? wake : pace->deadline_ms;
    pace->timed = true;
    return pace->wake_at_ms;
}
