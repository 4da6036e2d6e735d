/*
 * The order as the CA last described it (RFC 8555 7.1.3). Every URL kept here
 * is one that we may send a request to.
 */

#ifndef ACME_PROTOCOL_ORDER_OBJECT_H
#define ACME_PROTOCOL_ORDER_OBJECT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "protocol/session.h"
#include "protocol/status.h"

enum { ACME_AUTHORIZATIONS_MAX = 200 };

/* An authorization of the order, not yet looked into. */
struct acme_order_authorization {
    char *url;
    bool valid;                      /* needs no more looking into */
    bool pending;                    /* it was, when last looked into */
};

struct acme_order_object {
    const struct acme_session *session;
    char **names;                    /* that the order is for */
    size_t name_count;

    bool seen;                       /* the CA has described it: */
    enum acme_order_status status;
    char *finalize;                  /* URL, or NULL */
    char *certificate;               /* URL, or NULL */
    int64_t expires;                 /* unix seconds, 0 = never said */
    bool has_problem;
    struct acme_error problem;       /* the order's own error */
    struct acme_order_authorization *authorizations;
    size_t authorization_count;
};

/* Copies the names. False when memory ends; free it all the same. */
bool acme_order_object_init(struct acme_order_object *object,
    const struct acme_session *session, const char *const *names,
    size_t name_count);
void acme_order_object_free(struct acme_order_object *object);

/*
 * Take the CA's description, the first or a newer one. Identifiers and
 * authorizations never change, so they are taken from the first only.
 * ACME_REFUSED when it does not have all our names (more are fine, some CAs
 * add www); ACME_PEER_BROKE for what is no order or names foreign URLs.
 */
bool acme_order_object_read(struct acme_order_object *object,
    struct acme_bytes body, struct acme_error *err);

/*
 * The index of the first authorization at or behind `from` that is not known
 * to be valid; .authorization_count when there is none.
 */
size_t acme_order_object_seek(const struct acme_order_object *object,
    size_t from);

#endif
