/* Any plan/<folder>.json: what is read is written and read the same. */

#include <assert.h>
#include <string.h>

#include "plan/plan.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acme_buffer json = ACME_BUFFER(64 * 1024);
    struct acme_bytes file = { data, size };
    struct acme_error err = { .verdict = ACME_RETRY };
    struct acme_plan plan, again;

    if (acme_plan_read(file, &plan)) {
        assert(acme_plan_write(&plan, &json));
        assert(acme_plan_read(acme_buffer_bytes(&json), &again));
        assert(memcmp(&plan, &again, sizeof(plan)) == 0);
    }
    for (int class = ACME_SOON; class <= ACME_NOW; class++) {
        acme_plan_failed(&plan, &err, class, plan.failed_at, (uint32_t) size,
            1000);
        assert(plan.next_attempt > 1000);
    }
    acme_buffer_free(&json);
    return 0;
}
