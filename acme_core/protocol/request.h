/*
 * Requests and replies as the protocol sees them. The agent asks the keeper
 * for a KIND of request; the keeper alone makes header, payload and signature.
 */

#ifndef ACME_PROTOCOL_REQUEST_H
#define ACME_PROTOCOL_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "format/http_header.h"

enum { ACME_URL_MAX = 2048, ACME_BODY_MAX = 512 * 1024 };

/* Kinds of signed request; the RFC's section behind each. */
enum acme_kind {
    ACME_KIND_NEW_ACCOUNT = 1, /* 7.3 */
    ACME_KIND_NEW_ORDER,       /* 7.4 */
    ACME_KIND_POST_AS_GET,     /* 6.3 */
    ACME_KIND_RESPOND,         /* 7.5.1 */
    ACME_KIND_FINALIZE,        /* 7.4 */
    ACME_KIND_DEACTIVATE,      /* 7.5.2, an authorization */
    ACME_KIND_FIND_ACCOUNT,    /* 7.3.1 */
    ACME_KIND_TRY_NEW_KEY,     /* 7.3.1, signed by a key that is to be */
    ACME_KIND_UPDATE_ACCOUNT,  /* 7.3.2 */
    ACME_KIND_KEY_CHANGE,      /* 7.3.5 */
    ACME_KIND_REVOKE           /* 7.6 */
};

/* "newOrder" and so on, for logs; "?" when out of range. */
const char *acme_kind_name(enum acme_kind kind);

/* A reply of the CA, borrowed by whoever reads it. */
struct acme_reply {
    int status;                   /* HTTP status; 0 = no reply, see failure */
    struct acme_headers headers;
    struct acme_bytes body;       /* at most ACME_BODY_MAX */
    const char *url;              /* where it came from, after redirects */
    const char *failure;          /* transport error in words, or "" */
};

/* Is its status one of 200 to 299? */
bool acme_reply_is_success(const struct acme_reply *reply);

#endif
