/* Any datagram to both ends; what is taken must be written the same. */

#include <assert.h>

#include "ipc/message.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acme_bytes datagram = { data, size };

    for (int end = ACME_END_KEEPER; end <= ACME_END_AGENT; end++) {
        struct acme_buffer wire = ACME_BUFFER(ACME_MESSAGE_MAX);
        struct acme_message message;
        struct acme_error err;

        if (acme_message_read(datagram, end, &message, &err)) {
            assert(acme_message_write(&message, &wire, &err));
            assert(acme_bytes_equal(acme_buffer_bytes(&wire), datagram));
        }
        acme_buffer_free(&wire);
    }
    return 0;
}
