/* Any text as a name; what is taken is taken again, in the same spelling. */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "settings/name.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char lower[ACME_NAME_MAX + 1], again[ACME_NAME_MAX + 1];
    char *name = strndup((const char *) data, size);
    struct acme_error err;

    if (acme_name_check(name, lower, &err)) {
        assert(acme_name_check(lower, again, &err));
        assert(strcmp(lower, again) == 0);
    } else {
        assert(err.verdict == ACME_MISCONFIG);
    }
    free(name);
    return 0;
}
