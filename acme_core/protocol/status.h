/* The status words of RFC 8555 7.1.6, as the RFC spells them. */

#ifndef ACME_PROTOCOL_STATUS_H
#define ACME_PROTOCOL_STATUS_H

#include <stdbool.h>

#include "base/error.h"
#include "format/json.h"

enum acme_order_status {
    ACME_ORDER_PENDING = 1,
    ACME_ORDER_READY,
    ACME_ORDER_PROCESSING,
    ACME_ORDER_VALID,
    ACME_ORDER_INVALID
};

enum acme_authorization_status {
    ACME_AUTHORIZATION_PENDING = 1,
    ACME_AUTHORIZATION_VALID,
    ACME_AUTHORIZATION_INVALID,
    ACME_AUTHORIZATION_DEACTIVATED,
    ACME_AUTHORIZATION_EXPIRED,
    ACME_AUTHORIZATION_REVOKED
};

enum acme_challenge_status {
    ACME_CHALLENGE_PENDING = 1,
    ACME_CHALLENGE_PROCESSING,
    ACME_CHALLENGE_VALID,
    ACME_CHALLENGE_INVALID
};

/* The "status" member of such an object; ACME_PEER_BROKE for other words. */
bool acme_order_status_read(const cJSON *order,
    enum acme_order_status *status_out, struct acme_error *err);
bool acme_authorization_status_read(const cJSON *authorization,
    enum acme_authorization_status *status_out, struct acme_error *err);
bool acme_challenge_status_read(const cJSON *challenge,
    enum acme_challenge_status *status_out, struct acme_error *err);

/* The words themselves, for texts. */
const char *acme_order_status_name(enum acme_order_status status);
const char *acme_authorization_status_name(
    enum acme_authorization_status status);

#endif
