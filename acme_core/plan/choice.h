/*
 * Where an attempt goes: to which CA of a certificate's list, or to the
 * staging directory of one. Pure functions of (facts, plan, now).
 */

#ifndef ACME_PLAN_CHOICE_H
#define ACME_PLAN_CHOICE_H

#include "plan/plan.h"

/* One CA of the list. */
struct acme_choice {
    const char *name;       /* as plans call it */
    int64_t free_at;        /* it is not to be asked before, unix seconds */
    bool has_staging;       /* there is a staging directory, for practice, */
    int64_t staging_free_at;  /* which is not to be asked before */
    bool failed;            /* in this attempt */
};

/* The end of a place on a staging directory, though the plan wants one. */
enum acme_no_staging {
    ACME_STAGING_NO_MATTER,
    ACME_STAGING_IN_VAIN,   /* it was tried often enough */
    ACME_STAGING_TOO_LATE,  /* the certificate in service ends soon */
    ACME_STAGING_NOT_NOW    /* it is not to be asked now */
};

struct acme_place {
    size_t number;          /* into the list */
    bool staging;           /* on its staging directory */
    enum acme_no_staging why_not;
    int64_t free_at;        /* without a place: the first that will be free,
                               0 = all have failed */
};

/*
 * The place for an attempt that begins or goes on: the first CA of the list
 * that has not failed in it and may be asked. Where a validation has failed
 * there, on its staging directory, until one has passed there, three have
 * failed, or less than 1/5 of the life is left; nobody waits for that
 * directory. False: there is none.
 *   not_before, not_after   of the certificate in service, 0 = none
 */
bool acme_choice_place(const struct acme_plan *plan,
    const struct acme_choice *choices, size_t count, int64_t not_before,
    int64_t not_after, int64_t now, struct acme_place *place);

/*
 * Is it trouble of the CA's own, which the next one need not have? It cannot
 * be reached, has an error, limits us, will not certify the names or what
 * their CAA records say of it, or has no account for us.
 *   step   of the order
 */
bool acme_choice_is_trouble(const struct acme_error *err, const char *step);

/* Is this problem that of a validation which the next one will share? */
bool acme_choice_is_validation(const char *problem);

#endif
