/* Pauses that are not all alike, so that not everyone comes at once. */

#ifndef ACME_PLAN_JITTER_H
#define ACME_PLAN_JITTER_H

#include <stdint.h>

/* +-10 %, from 32 random bits. */
static inline int64_t
acme_jitter(int64_t pause, uint32_t random)
{
    return pause * 9 / 10 + pause * (int64_t) (random % 1000) / 5000;
}

#endif
