/*
 * The certificate chain of an order (RFC 8555 7.4.2): the one that the CA
 * gives, or the one among its alternates that is wanted.
 */

#ifndef ACME_PROTOCOL_CHAIN_H
#define ACME_PROTOCOL_CHAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "protocol/request.h"
#include "protocol/session.h"

/* A certificate chain of more bytes than this is not taken from a CA. */
enum { ACME_CHAIN_MAX = 60 * 1024 };

struct acme_chain_choice {
    char *wanted;              /* issuer of the last certificate, or NULL */
    struct acme_buffer pem;    /* the chain to take */
    char *alternates[ACME_ALTERNATES_MAX];   /* URLs, to be looked at */
    size_t count, at;
    char issuers[256];         /* of those looked at: "a", "b"; "" when the
                                  wanted one was found, or none is wanted */
};

/* Copies `wanted`. False when memory ends; free it all the same. */
bool acme_chain_init(struct acme_chain_choice *choice, const char *wanted);
void acme_chain_free(struct acme_chain_choice *choice);

/*
 * Take the CA's own chain and note where its alternates are, if it is not the
 * one that is wanted. ACME_PEER_BROKE when it is no chain.
 */
bool acme_chain_take(struct acme_chain_choice *choice,
    const struct acme_session *session, const struct acme_reply *reply,
    struct acme_error *err);

/* The alternate to be fetched next; NULL: the choice is made. */
const char *acme_chain_next(const struct acme_chain_choice *choice);

/* That alternate; one that is no good (or NULL: did not come) is passed. */
bool acme_chain_take_alternate(struct acme_chain_choice *choice,
    const struct acme_reply *reply, struct acme_error *err);

#endif
