/* The operator's wish and the CA's, as arithmetic. */

#include "plan/renew.h"

#include "plan/plan.h"

enum { MINUTE_S = 60, DAY_S = 24 * 3600 };

/* How long before its end. */
static int64_t
lead(const struct acme_renew *renew, int64_t life)
{
    return renew->percent > 0 ? life * renew->percent / 100
        : (int64_t) renew->days * DAY_S;
}

bool
acme_renew_is_too_early(const struct acme_renew *renew, int64_t not_before,
    int64_t not_after)
{
    int64_t life = not_after - not_before;

    return life > 0 && lead(renew, life) > life / 2;
}

static int64_t
wanted_at(const struct acme_renew *renew, int64_t not_before,
    int64_t not_after)
{
    int64_t life = not_after - not_before;
    int64_t before = lead(renew, life);

    return life <= 0 ? not_after
        : not_after - (before < life / 2 ? before : life / 2);
}

int64_t
acme_renew_at(const struct acme_renew *renew, const struct acme_ari *ari,
    int64_t not_before, int64_t not_after, int64_t obtained_at,
    const char *folder)
{
    int64_t at, asked_at;

    if (renew->percent == 0 && renew->days == 0) {
        at = acme_plan_renew_again_at(not_before, not_after, obtained_at);
        return acme_ari_renew_at(ari, not_before, not_after,
            acme_plan_spread(at, not_before, not_after, obtained_at, folder));
    }
    at = wanted_at(renew, not_before, not_after);
    if (at <= obtained_at) {
        at = wanted_at(renew, obtained_at, not_after);
        at = at > obtained_at + MINUTE_S ? at : obtained_at + MINUTE_S;
    }
    if (!acme_ari_has_window(ari) || !ari->ended) {
        return at;
    }
    asked_at = acme_ari_renew_at(ari, not_before, not_after, at);
    return asked_at < at ? asked_at : at;
}
