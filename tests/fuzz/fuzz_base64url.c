/* Any text: refused without a trace, or the one spelling of its bytes. */

#include <assert.h>

#include "format/base64url.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acme_buffer bytes = ACME_BUFFER(size), text = ACME_BUFFER(size);
    struct acme_bytes input = { data, size };

    if (acme_base64url_decode(&bytes, input)) {
        assert(acme_base64url_add(&text, acme_buffer_bytes(&bytes)));
        assert(acme_bytes_equal(acme_buffer_bytes(&text), input));
        assert(size == 0 || acme_is_token(input, size));
    }
    assert(acme_buffer_text(&bytes)[bytes.len] == '\0');
    acme_buffer_free(&bytes);
    acme_buffer_free(&text);
    return 0;
}
