/* A window that is read has a length, and is read again from its members. */

#include <assert.h>
#include <string.h>

#include "format/time_text.h"
#include "protocol/renewal.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acme_bytes body = { data, size };
    char start[ACME_TIME_TEXT_SIZE], end[ACME_TIME_TEXT_SIZE], url[300];
    struct acme_renewal renewal, again;
    struct acme_error err;

    if (acme_renewal_read(body, &renewal, &err)) {
        assert(renewal.start < renewal.end);
        assert(acme_renewal_of(
            acme_bytes_of(acme_time_write(start, renewal.start)),
            acme_bytes_of(acme_time_write(end, renewal.end)),
            acme_bytes_of(renewal.explanation), &again, &err));
        assert(again.start == renewal.start && again.end == renewal.end);
        assert(strcmp(again.explanation, renewal.explanation) == 0);
        for (const char *at = renewal.explanation; *at != '\0'; at++) {
            assert(*at > ' ' && *at < 0x7f);
        }
    }
    if (acme_renewal_url("https://ca.test/ari", body, url, sizeof(url),
            &err)) {
        assert(strlen(url) == strlen("https://ca.test/ari/") + size);
        assert(strchr(url + 20, '/') == NULL);
    }
    return 0;
}
