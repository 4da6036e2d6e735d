/*
 * What a CA counts, counted here too, so that it is not asked in vain: token
 * buckets that refill evenly, each as the one moment at which it is full again
 * (the generic cell rate algorithm). Pure functions of (state, now).
 */

#ifndef ACME_PLAN_LIMITS_H
#define ACME_PLAN_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "settings/ca.h"

enum { ACME_LIMITS_JSON_MAX = 192 * 1024 };

/* All buckets that are not full; empty when zeroed. */
struct acme_limits {
    struct acme_limits_entry {
        char *key;
        int64_t at_ms;          /* full again, or held until; unix time */
    } *entries;                 /* sorted by key */
    size_t count, room;
    size_t size;                /* of the JSON form, about */
    int64_t seen;               /* the time when it was last looked at */
};

/* One of them. */
struct acme_bucket {
    const char *ca;             /* a name for it: no spaces */
    enum acme_ca_limit limit;
    const char *of;             /* the name, domain, ... or "" */
    struct acme_ca_rate rate;   /* count 0: it is only held */
};

void acme_limits_free(struct acme_limits *limits);

/*
 * Is there something in the bucket? False: an error in the words that the CA
 * would use, with the time when there is (.retry_at), and that the CA was not
 * asked; .name is what the bucket is of.
 */
bool acme_limits_allow(struct acme_limits *limits,
    const struct acme_bucket *bucket, int64_t now, struct acme_error *err);

/* Take one out / put it back. Without memory nothing is counted. */
void acme_limits_count(struct acme_limits *limits,
    const struct acme_bucket *bucket, int64_t now);
void acme_limits_give_back(struct acme_limits *limits,
    const struct acme_bucket *bucket, int64_t now);

/*
 * The CA says that there is nothing before that time: 8 days at most; ten
 * minutes for all of a CA, of which nobody knows whether it is so for all.
 */
void acme_limits_hold(struct acme_limits *limits,
    const struct acme_bucket *bucket, int64_t until, int64_t now);

/*
 * The file form, of ACME_LIMITS_JSON_MAX bytes about, and never more than there
 * is room for: where there are too many buckets, those that are full the
 * soonest are forgotten. A broken one reads as no bucket at all: false.
 */
bool acme_limits_write(struct acme_limits *limits, int64_t now,
    struct acme_buffer *json);
bool acme_limits_read(struct acme_bytes json, struct acme_limits *limits);

#endif
