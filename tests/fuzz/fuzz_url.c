/* Any URL: its origin is a URL too, and its own origin. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/url.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *url = strndup((const char *) data, size);
    char origin[300], again[300];
    const char *known[] = { url, "https://ca.test/" };
    struct acme_error err;

    if (acme_url_origin(url, origin, sizeof(origin), &err)) {
        assert(acme_url_origin(origin, again, sizeof(again), &err));
        assert(strcmp(origin, again) == 0);
        assert(acme_url_allowed(origin, known, 1, &err));
        assert(acme_url_allowed(url, known + 1, 1, &err)
            == (strcmp(origin, "https://ca.test:443") == 0));
    } else {
        assert(!acme_url_allowed(url, known, 2, &err));
    }
    free(url);
    return 0;
}
