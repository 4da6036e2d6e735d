/* A CA's answer when it is asked for a binding, of three kinds of status. */

#include <assert.h>

#include "protocol/binding.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = { 200, 400, 503 };

    for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
        struct acme_reply reply = { .status = statuses[i], .failure = "",
            .body = { data, size } };
        struct acme_binding binding = { "", "" };
        struct acme_error err;

        if (acme_binding_read(&reply, &binding, &err)) {
            assert(acme_binding_is_good(binding.kid, binding.key));
        }
    }
    return 0;
}
