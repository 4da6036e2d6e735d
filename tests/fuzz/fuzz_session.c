/* Each line is a reply: its body, and its Location too. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/session.h"

/* The session goes on by whatever the reply leads to, told or not. */
static void
talk(struct acme_session *session, const char *text)
{
    char *copy = strdup(text), *rest = copy, *line;
    struct acme_error err;

    while ((line = strsep(&rest, "\n")) != NULL) {
        struct acme_reply reply = { .status = 200, .failure = "" };
        enum acme_session_need need;
        const char *url;

        reply.body = acme_bytes_of(line);
        snprintf(reply.headers.location, ACME_URL_MAX, "%s", line);
        need = acme_session_next(session, &url);
        if (!acme_session_reply(session, 0, &reply, &err)) {
            acme_session_failed(session, need, &err);
        }
        acme_session_done(session);
    }
    free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = strndup((const char *) data, size);

    for (unsigned hints = 0; hints < 8; hints += 7) {
        struct acme_session *session = acme_session_new("https://ca.test/",
            NULL);

        acme_session_hint(session, hints);
        if (hints == 0) {
            acme_session_bind_by_mail(session, "https://x.test/", "a@b.test");
        }
        talk(session, text);
        acme_session_free(session);
    }
    free(text);
    return 0;
}
