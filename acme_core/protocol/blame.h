/* Which authorizations failed an order, in words for the operator. */

#ifndef ACME_PROTOCOL_BLAME_H
#define ACME_PROTOCOL_BLAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "protocol/authorization.h"

/* A plain value, empty when zeroed. */
struct acme_blame {
    size_t count;
    char names[256];          /* those that fit: "a.test, b.test" */
    size_t shown;             /* how many they are */
    struct acme_error first;  /* of the first one, .name set */
    enum acme_challenge_type type;  /* that failed there, if it is known */
};

/* Can this authorization not become valid any more? */
bool acme_blame_deserved(const struct acme_authorization *authorization);

void acme_blame_add(struct acme_blame *blame,
    const struct acme_authorization *authorization);

/*
 * The error of an order that failed by these (count > 0): the CA's words and
 * verdict about the first, all names in front. Returns false.
 */
bool acme_blame_error(const struct acme_blame *blame, struct acme_error *err);

#endif
