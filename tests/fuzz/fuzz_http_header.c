/* Each line is a header line of one reply. */

#include <assert.h>
#include <string.h>

#include "format/http_header.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acme_headers headers = { 0 };

    while (size > 0) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t len = end != NULL ? (size_t) (end - data) + 1 : size;

        acme_headers_take(&headers, (struct acme_bytes) { data, len }, 0);
        assert(headers.retry_at >= 0 && headers.retry_at <= 366 * 86400);
        assert(strpbrk(headers.location, " \r\n\t") == NULL);
        data += len;
        size -= len;
    }
    return 0;
}
