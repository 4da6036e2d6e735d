/* Any bytes as settings; what is taken survives another journey. */

#include <assert.h>

#include "settings/settings.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acme_buffer out = ACME_BUFFER(size + 100);
    struct acme_settings *got, *again;
    struct acme_error err;

    got = acme_settings_read((struct acme_bytes) { data, size }, &err);
    if (got != NULL) {
        assert(acme_settings_write(got, &out, &err));
        again = acme_settings_read(acme_buffer_bytes(&out), &err);
        assert(again != NULL && again->cert_count == got->cert_count);
        acme_settings_free(again);
    }
    acme_settings_free(got);
    acme_buffer_free(&out);
    return 0;
}
