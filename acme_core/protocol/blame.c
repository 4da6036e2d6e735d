/*
 * Gathering the failed authorizations of one order (RFC 8555 7.1.6). The CA's
 * words are read in problem.c; here they only get the names they are about.
 */

#include "protocol/blame.h"

#include <stdio.h>
#include <string.h>

bool
acme_blame_deserved(const struct acme_authorization *authorization)
{
    switch (authorization->status) {
    case ACME_AUTHORIZATION_PENDING:
        return acme_authorization_has(authorization, ACME_CHALLENGE_INVALID);
    case ACME_AUTHORIZATION_VALID:
        return false;
    case ACME_AUTHORIZATION_INVALID:
    case ACME_AUTHORIZATION_DEACTIVATED:
    case ACME_AUTHORIZATION_EXPIRED:
    case ACME_AUTHORIZATION_REVOKED:
        break;
    }
    return true;
}

static void
keep_first(struct acme_blame *blame,
    const struct acme_authorization *authorization)
{
    if (authorization->has_problem) {
        blame->first = authorization->problem;
        blame->type = authorization->problem_type;
        if (blame->type != ACME_CHALLENGE_NONE) {
            acme_while(&blame->first, "%s",
                acme_challenge_type_name(blame->type));
        }
    } else {
        acme_fail(&blame->first, ACME_REFUSED,
            "the CA says the authorization is %s and gives no reason",
            acme_authorization_status_name(authorization->status));
    }
    snprintf(blame->first.name, sizeof(blame->first.name), "%s",
        authorization->name);
}

void
acme_blame_add(struct acme_blame *blame,
    const struct acme_authorization *authorization)
{
    size_t len = strlen(blame->names);
    size_t room = sizeof(blame->names) - len;

    if (blame->count == 0) {
        keep_first(blame, authorization);
    }
    if (blame->shown == blame->count
        && strlen(authorization->name) + 3 <= room) {
        snprintf(blame->names + len, room, "%s%s", len > 0 ? ", " : "",
            authorization->name);
        blame->shown++;
    }
    blame->count++;
}

bool
acme_blame_error(const struct acme_blame *blame, struct acme_error *err)
{
    *err = blame->first;
    if (blame->count == blame->shown) {
        return acme_while(err, "validation of %s failed", blame->names);
    }
    return acme_while(err, "validation of %s and %zu more failed",
        blame->names, blame->count - blame->shown);
}
