/* Each line is a reply: its body, and its Location too. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/session.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acme_session *session = acme_session_new("https://ca.test/", NULL);
    char *text = strndup((const char *) data, size), *rest = text, *line;
    struct acme_error err;

    while ((line = strsep(&rest, "\n")) != NULL) {
        struct acme_reply reply = { .status = 200, .failure = "" };

        reply.body = acme_bytes_of(line);
        snprintf(reply.headers.location, ACME_URL_MAX, "%s", line);
        acme_session_reply(session, 0, &reply, &err);
        acme_session_done(session);
    }
    acme_session_free(session);
    free(text);
    return 0;
}
