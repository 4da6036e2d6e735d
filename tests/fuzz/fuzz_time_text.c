/* Any text as both kinds of time; a time is written and read the same. */

#include <assert.h>

#include "format/time_text.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool (*const readers[])(struct acme_bytes, int64_t *) = {
        acme_time_read, acme_time_read_http };

    for (int i = 0; i < 2; i++) {
        char text[ACME_TIME_TEXT_SIZE];
        int64_t at, again;

        if (readers[i]((struct acme_bytes) { data, size }, &at)) {
            acme_time_write(text, at);
            assert(acme_time_read(acme_bytes_of(text), &again));
            assert(again == at);
        }
    }
    return 0;
}
