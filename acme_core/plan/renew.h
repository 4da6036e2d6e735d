/* When a certificate is renewed: what the operator and the CA want. */

#ifndef ACME_PLAN_RENEW_H
#define ACME_PLAN_RENEW_H

#include "plan/ari.h"

/* acme_renew: with so much of its life left, or so many days; both 0: auto. */
struct acme_renew {
    unsigned percent, days;
};

/*
 * When to renew it. By itself: at the CA's moment, or with 1/3 (1/2) of its
 * life left, spread by the name of its folder (see acme_plan_spread). As the
 * operator wants: whatever the CA asks for, unless its window had ended when we
 * heard of it, which asks for a renewal at once. Never in the first half of its
 * life.
 *   obtained_at   0 = not known; one that is due at once counts from then
 */
int64_t acme_renew_at(const struct acme_renew *renew,
    const struct acme_ari *ari, int64_t not_before, int64_t not_after,
    int64_t obtained_at, const char *folder);

/* Does the operator want it earlier than in the middle of its life? */
bool acme_renew_is_too_early(const struct acme_renew *renew,
    int64_t not_before, int64_t not_after);

#endif
