/*
 * Status words <-> enums (RFC 8555 7.1.6). What a status leads to is decided
 * in order.c.
 */

#include "protocol/status.h"

#include <string.h>

#include "base/log.h"
#include "format/json.h"

enum { WORD_MAX = 32 };

static const char *const order_words[] = {
    [ACME_ORDER_PENDING] = "pending",
    [ACME_ORDER_READY] = "ready",
    [ACME_ORDER_PROCESSING] = "processing",
    [ACME_ORDER_VALID] = "valid",
    [ACME_ORDER_INVALID] = "invalid",
};

static const char *const authorization_words[] = {
    [ACME_AUTHORIZATION_PENDING] = "pending",
    [ACME_AUTHORIZATION_VALID] = "valid",
    [ACME_AUTHORIZATION_INVALID] = "invalid",
    [ACME_AUTHORIZATION_DEACTIVATED] = "deactivated",
    [ACME_AUTHORIZATION_EXPIRED] = "expired",
    [ACME_AUTHORIZATION_REVOKED] = "revoked",
};

static const char *const challenge_words[] = {
    [ACME_CHALLENGE_PENDING] = "pending",
    [ACME_CHALLENGE_PROCESSING] = "processing",
    [ACME_CHALLENGE_VALID] = "valid",
    [ACME_CHALLENGE_INVALID] = "invalid",
};

#define COUNT(words) (sizeof(words) / sizeof((words)[0]))

/* The index of the object's status in words; 0 with *err when in none. */
static unsigned
read_word(const cJSON *object, const char *const *words, size_t count,
    const char *what, struct acme_error *err)
{
    const char *word = acme_json_text(object, "status", WORD_MAX);
    char shown[4 * WORD_MAX + 8];

    if (word == NULL) {
        acme_fail(err, ACME_PEER_BROKE, "the CA's %s has no status", what);
        return 0;
    }
    for (unsigned i = 1; i < count; i++) {
        if (strcmp(word, words[i]) == 0) {
            return i;
        }
    }
    acme_fail(err, ACME_PEER_BROKE, "the CA's %s has the status \"%s\"",
        what, acme_log_escape(shown, sizeof(shown), acme_bytes_of(word)));
    return 0;
}

bool
acme_order_status_read(const cJSON *order,
    enum acme_order_status *status_out, struct acme_error *err)
{
    *status_out = read_word(order, order_words, COUNT(order_words), "order",
        err);
    return *status_out != 0;
}

bool
acme_authorization_status_read(const cJSON *authorization,
    enum acme_authorization_status *status_out, struct acme_error *err)
{
    *status_out = read_word(authorization, authorization_words,
        COUNT(authorization_words), "authorization", err);
    return *status_out != 0;
}

bool
acme_challenge_status_read(const cJSON *challenge,
    enum acme_challenge_status *status_out, struct acme_error *err)
{
    *status_out = read_word(challenge, challenge_words,
        COUNT(challenge_words), "challenge", err);
    return *status_out != 0;
}

const char *
acme_order_status_name(enum acme_order_status status)
{
    return order_words[status];
}

const char *
acme_authorization_status_name(enum acme_authorization_status status)
{
    return authorization_words[status];
}
