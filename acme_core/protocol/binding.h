/*
 * External account bindings that a CA gives out for a mail address, as ZeroSSL
 * does: no part of RFC 8555. Pure: no I/O, no clock.
 */

#ifndef ACME_PROTOCOL_BINDING_H
#define ACME_PROTOCOL_BINDING_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "protocol/request.h"

enum { ACME_BINDING_TEXT_MAX = 255 };

/* Wipe after use: the key is a secret. */
struct acme_binding {
    char kid[ACME_BINDING_TEXT_MAX + 1];
    char key[ACME_BINDING_TEXT_MAX + 1];  /* base64url, as it came */
};

/* Are these a key identifier and a key as they may be used? */
bool acme_binding_is_good(const char *kid, const char *key);

/* Append the body to be POSTed: application/x-www-form-urlencoded. */
bool acme_binding_form(const char *mail, struct acme_buffer *form,
    struct acme_error *err);

/*
 * What the CA answered, of whatever status. After false *binding is as it was
 * and the text tells the CA's words, never a key.
 */
bool acme_binding_read(const struct acme_reply *reply,
    struct acme_binding *binding, struct acme_error *err);

#endif
