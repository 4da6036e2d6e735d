/* Any limits.json: what is read is written and read the same, and counts. */

#include <assert.h>
#include <string.h>

#include "plan/limits.h"

static void
write_and_read(struct acme_limits *limits)
{
    struct acme_buffer json = ACME_BUFFER(256 * 1024);
    struct acme_limits again;

    assert(acme_limits_write(limits, limits->seen, &json));
    assert(acme_limits_read(acme_buffer_bytes(&json), &again));
    assert(again.count == limits->count && again.size == limits->size);
    for (size_t i = 0; i < limits->count; i++) {
        assert(strcmp(again.entries[i].key, limits->entries[i].key) == 0);
        assert(again.entries[i].at_ms == limits->entries[i].at_ms);
        assert(i == 0 || strcmp(limits->entries[i - 1].key,
            limits->entries[i].key) < 0);
    }
    acme_limits_free(&again);
    acme_buffer_free(&json);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acme_bucket bucket = { .ca = "ca.test", .limit = ACME_LIMIT_SET,
        .of = "00ff", .rate = { 5, 604800 } };
    struct acme_bytes file = { data, size };
    struct acme_limits limits;
    struct acme_error err;

    if (acme_limits_read(file, &limits)) {
        int64_t seen = limits.seen;

        write_and_read(&limits);
        /* whatever it says, in a while there is something in each bucket */
        assert(acme_limits_allow(&limits, &bucket, seen + 9 * 86400, &err));
        acme_limits_count(&limits, &bucket, seen);
        acme_limits_hold(&limits, &bucket, seen + 10, seen);
        assert(!acme_limits_allow(&limits, &bucket, seen, &err));
        acme_limits_give_back(&limits, &bucket, 0);
        write_and_read(&limits);
    }
    acme_limits_free(&limits);
    return 0;
}
