/* Each line describes the same order anew. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/order_object.h"

#define CA "https://ca.test/"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "a.test", "b.test" };
    struct acme_session *session = acme_session_new(CA, CA "acct");
    char *text = strndup((const char *) data, size), *rest = text, *line;
    struct acme_reply directory = { .status = 200, .body = acme_bytes_of(
        "{\"newNonce\":\"" CA "n\",\"newAccount\":\"" CA "a\","
        "\"newOrder\":\"" CA "o\"}") };
    struct acme_order_object object;
    struct acme_error err;

    assert(acme_session_reply(session, 0, &directory, &err));
    assert(acme_order_object_init(&object, session, names, 2));
    while ((line = strsep(&rest, "\n")) != NULL) {
        acme_order_object_read(&object, acme_bytes_of(line), &err);
        for (size_t i = 0; i < object.authorization_count; i++) {
            assert(strncasecmp(object.authorizations[i].url, CA, 15) == 0);
        }
        assert(acme_order_object_seek(&object, 0)
            <= object.authorization_count);
    }
    acme_order_object_free(&object);
    acme_session_free(session);
    free(text);
    return 0;
}
