/*
 * Each line is the CA's next reply to an order: '-' fails, '--' is a refusal,
 * '=' resumes.
 */

#include <stdlib.h>
#include <string.h>

#include "protocol/order.h"

#define CA "https://ca.test/"
static const char *const names[] = { "a.test", "b.test" };

static struct acme_session *
open_session(void)
{
    struct acme_session *session = acme_session_new(CA, CA "acct");
    struct acme_reply reply = { .status = 200, .body = acme_bytes_of(
        "{\"newNonce\":\"" CA "n\",\"newAccount\":\"" CA "a\","
        "\"newOrder\":\"" CA "o\"}") };
    struct acme_error err;

    acme_session_reply(session, 0, &reply, &err);
    return session;
}

/* True while the order needs a reply, after all that it needs before. */
static bool
wants_reply(struct acme_order *order, int64_t *now)
{
    struct acme_need need = { .type = ACME_NEED_SAVE };
    struct acme_error err;

    while (acme_order_next(order, *now, &need, &err)) {
        if (need.type == ACME_NEED_SEND || need.type == ACME_NEED_INSTALL) {
            return need.type == ACME_NEED_SEND;
        }
        if (need.type == ACME_NEED_SLEEP) {
            *now = need.wake_at_ms;
        } else {
            acme_order_done(order, *now % 2 == 0);
        }
    }
    return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = strndup((const char *) data, size), *rest = text, *line;
    struct acme_session *session = open_session();
    struct acme_order_request request = { .names = names, .name_count = 2,
        .wish = { { ACME_TLS_ALPN_01, ACME_HTTP_01 }, 2 }, .chain = "wanted",
        .url = text[0] == '=' ? CA "order" : NULL };
    struct acme_order *order = acme_order_new(session, &request);
    struct acme_error err = { .problem = "orderNotReady" };
    int64_t now = 1;

    while (wants_reply(order, &now)
        && (line = strsep(&rest, "\n")) != NULL) {
        struct acme_reply reply = { .status = 200, .failure = "",
            .headers = { .location = CA "order",
            .alternates = { CA "1", CA "2" }, .alternate_count = 2 } };

        reply.body = acme_bytes_of(line + (line[0] == '='));
        reply.headers.retry_at = (int64_t) (reply.body.len << 50);
        if (line[0] == '-') {
            err.verdict = line[1] == '-' ? ACME_REFUSED : ACME_RETRY;
            acme_order_failed(order, &err);
        } else {
            acme_order_reply(order, now, &reply, &err);
        }
    }
    acme_order_free(order);
    acme_session_free(session);
    free(text);
    return 0;
}
