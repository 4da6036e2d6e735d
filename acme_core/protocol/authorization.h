/* One authorization and its http-01 challenge (RFC 8555 7.1.4, 8, 8.3). */

#ifndef ACME_PROTOCOL_AUTHORIZATION_H
#define ACME_PROTOCOL_AUTHORIZATION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "protocol/identifier.h"
#include "protocol/request.h"
#include "protocol/status.h"

enum { ACME_CHALLENGE_TOKEN_MAX = 128 };

struct acme_authorization {
    enum acme_authorization_status status;
    char name[ACME_IDENTIFIER_SIZE];  /* as acme_identifier_read says */
    bool wildcard;                    /* it is for *.name */

    bool offered;                     /* http-01 is; only then: */
    enum acme_challenge_status challenge;
    char token[ACME_CHALLENGE_TOKEN_MAX + 1];
    char url[ACME_URL_MAX + 1];       /* of the challenge, unchecked */

    char types[128];                  /* all offered, for texts: "a, b" */
    bool has_problem;                 /* a challenge brought an error: */
    struct acme_error problem;        /* the CA's words; .name is not set */
};

/*
 * Read an authorization object. Challenges of other types count only for
 * their names and errors. ACME_PEER_BROKE when it is not one, or its http-01
 * challenge has no usable token or URL.
 */
bool acme_authorization_read(struct acme_bytes body,
    struct acme_authorization *authorization, struct acme_error *err);

/*
 * Can we prove this pending authorization? *name_out is then the one of our
 * names that it is for. Otherwise ACME_REFUSED, .name set: it is for none of
 * our names, for a wildcard, or http-01 is not offered.
 */
bool acme_authorization_provable(
    const struct acme_authorization *authorization, char *const *names,
    size_t name_count, const char **name_out, struct acme_error *err);

#endif
