/* One authorization and its challenges (RFC 8555 7.1.4, 8; RFC 8737). */

#ifndef ACME_PROTOCOL_AUTHORIZATION_H
#define ACME_PROTOCOL_AUTHORIZATION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "format/challenge.h"
#include "protocol/identifier.h"
#include "protocol/request.h"
#include "protocol/status.h"

enum { ACME_CHALLENGE_TOKEN_MAX = 128 };

struct acme_challenge {
    bool offered;                     /* only then: */
    enum acme_challenge_status status;
    char token[ACME_CHALLENGE_TOKEN_MAX + 1];
    char url[ACME_URL_MAX + 1];       /* unchecked */
};

struct acme_authorization {
    enum acme_authorization_status status;
    char name[ACME_IDENTIFIER_SIZE];  /* as acme_identifier_read says */
    bool wildcard;                    /* it is for *.name */

    /* by type; one that is offered in a broken form is not offered */
    struct acme_challenge challenges[ACME_CHALLENGE_TYPES];
    bool broken;                      /* there is such a one, and why: */
    struct acme_error why_broken;

    char types[128];                  /* all offered, for texts: "a, b" */
    bool has_problem;                 /* a challenge brought an error: */
    enum acme_challenge_type problem_type;
    struct acme_error problem;        /* the CA's words; .name is not set */
};

/* Which types to answer by, the most wanted first. */
struct acme_challenge_wish {
    enum acme_challenge_type types[ACME_CHALLENGE_TYPES];
    size_t count;
};

/*
 * Read an authorization object. Challenges of types that we do not know count
 * only for their names and errors. ACME_PEER_BROKE when it is not one.
 */
bool acme_authorization_read(struct acme_bytes body,
    struct acme_authorization *authorization, struct acme_error *err);

/*
 * Can we prove this pending authorization? *name_out is then the one of our
 * names that it is for, *type_out the challenge to answer: one that is being
 * validated already, else the most wanted one. Otherwise ACME_REFUSED, .name
 * set: it is for none of our names, for a wildcard, or nothing that is wanted
 * is offered; ACME_PEER_BROKE when that is offered without a usable token or
 * URL.
 */
bool acme_authorization_provable(
    const struct acme_authorization *authorization,
    const struct acme_challenge_wish *wish, char *const *names,
    size_t name_count, const char **name_out,
    enum acme_challenge_type *type_out, struct acme_error *err);

/* Has one of its challenges, of a type that we know, this status? */
bool acme_authorization_has(const struct acme_authorization *authorization,
    enum acme_challenge_status status);

#endif
