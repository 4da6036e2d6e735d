/*
 * When the administrator's program (acme_event) is told, and told again: pure
 * functions of (state, now).
 */

#ifndef ACME_PLAN_EVENT_H
#define ACME_PLAN_EVENT_H

#include <stdint.h>

/* What was told of a certificate, so that it is told once. */
struct acme_told {
    unsigned generation;    /* "installed" of this one, or 0 */
    int64_t failed_at;      /* "failed" of the failure then, or 0 */
    unsigned days;          /* "expiring" when so many were left, or 0 */
    char serial[64];        /* of that certificate, or "" */
};

/*
 * Is the end of the certificate in service to be told now? 14 or 3, the days
 * of the last threshold that has passed; 0: none has, or it was told. A
 * threshold counts only when the renewal was planned before it: that it is
 * passed says that something is wrong.
 *   renew_at   when the renewal is, or was, due
 */
unsigned acme_event_expiring(const struct acme_told *told, const char *serial,
    int64_t not_after, int64_t renew_at, int64_t now);

/* When it is to be asked next; INT64_MAX = never. */
int64_t acme_event_expiring_at(const struct acme_told *told,
    const char *serial, int64_t not_after, int64_t renew_at, int64_t now);

/* Days that are left, begun ones too; 0 when it has ended. */
int64_t acme_event_days_left(int64_t not_after, int64_t now);

/*
 * When a program that has failed `failures` times (at least once) is tried
 * again: after 1, 10, 100 minutes, then daily, each +-10 %; 0 = no more, when
 * the event is a week old by then.
 *   since   when the event happened
 */
int64_t acme_event_retry_at(unsigned failures, int64_t since, uint32_t random,
    int64_t now);

#endif
