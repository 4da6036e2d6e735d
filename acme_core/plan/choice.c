/*
 * CAs in their order. A plan knows which are to be left alone, and whether a
 * validation is to be practised first; what has failed in the attempt under
 * way is the caller's.
 */

#include "plan/choice.h"

#include <string.h>

enum { STAGING_FAILURES_MAX = 3, STAGING_LIFE_SHARE = 5 };

/* ---- failures */

static bool
is_one_of(const char *word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i], word) == 0) {
            return true;
        }
    }
    return false;
}

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

bool
acme_choice_is_validation(const char *problem)
{
    static const char *const problems[] = { "connection", "dns", "tls",
        "unauthorized", "incorrectResponse" };

    return is_one_of(problem, problems, COUNT(problems));
}

/* Before an order there is only the CA: its address, directory and account. */
static bool
is_before_order(const char *step)
{
    static const char *const steps[] = { "directory", "newNonce",
        "account look-up", "account binding", "newAccount", "account update",
        "preparing the account", "handing over the order" };

    return is_one_of(step, steps, COUNT(steps));
}

bool
acme_choice_is_trouble(const struct acme_error *err, const char *step)
{
    static const char *const problems[] = { "accountDoesNotExist", "caa",
        "rateLimited", "rejectedIdentifier", "serverInternal",
        "unsupportedIdentifier" };

    if (is_before_order(step) || err->verdict == ACME_PEER_BROKE
        || is_one_of(err->problem, problems, COUNT(problems))) {
        return true;
    }
    if (err->problem[0] != '\0') {
        /* what only an operator can mend there, is about the account */
        return err->verdict == ACME_MISCONFIG || err->http_status == 429
            || err->http_status >= 500;
    }
    /* no word of a CA's, but of something that stands in its place */
    return err->http_status >= 400 || (err->verdict == ACME_RETRY
        && strstr(err->text, "could not be reached") != NULL);
}

/* ---- places */

static enum acme_no_staging
why_no_staging(const struct acme_plan *plan, const struct acme_choice *choice,
    int64_t not_before, int64_t not_after, int64_t now)
{
    if (plan->staging_failures >= STAGING_FAILURES_MAX) {
        return ACME_STAGING_IN_VAIN;
    }
    if (not_after != 0 && not_after - now
            < (not_after - not_before) / STAGING_LIFE_SHARE) {
        return ACME_STAGING_TOO_LATE;
    }
    return choice->staging_free_at > now ? ACME_STAGING_NOT_NOW
        : ACME_STAGING_NO_MATTER;
}

bool
acme_choice_place(const struct acme_plan *plan,
    const struct acme_choice *choices, size_t count, int64_t not_before,
    int64_t not_after, int64_t now, struct acme_place *place)
{
    *place = (struct acme_place) { .why_not = ACME_STAGING_NO_MATTER };
    for (size_t i = 0; i < count; i++) {
        const struct acme_choice *choice = &choices[i];

        enum acme_no_staging why_not = ACME_STAGING_NO_MATTER;
        bool staging = choice->has_staging
            && acme_plan_names(plan->staging, choice->name);

        if (choice->failed) {
            continue;
        }
        if (staging) {
            why_not = why_no_staging(plan, choice, not_before, not_after,
                now);
            staging = why_not == ACME_STAGING_NO_MATTER;
        }
        if (staging || choice->free_at <= now) {
            place->number = i;
            place->staging = staging;
            place->why_not = why_not;
            return true;
        }
        if (place->free_at == 0 || choice->free_at < place->free_at) {
            place->free_at = choice->free_at;
        }
    }
    return false;
}
