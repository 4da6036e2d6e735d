/* DER, which mutates well, as the PEM that our reader takes. */

#ifndef FUZZ_AS_PEM_H
#define FUZZ_AS_PEM_H

#include <openssl/evp.h>

#include "base/buffer.h"

/* Append the input, as a PEM certificate when it begins like a DER one. */
static void
as_pem(const uint8_t *data, size_t size, struct acme_buffer *pem)
{
    if (size == 0 || data[0] != 0x30) {
        acme_buffer_add(pem, data, size);
        return;
    }
    acme_buffer_add_text(pem, "-----BEGIN CERTIFICATE-----\n");
    for (size_t i = 0; i < size; i += 48) {
        unsigned char line[66];

        EVP_EncodeBlock(line, data + i, size - i < 48 ? (int) (size - i) : 48);
        acme_buffer_printf(pem, "%s\n", line);
    }
    acme_buffer_add_text(pem, "-----END CERTIFICATE-----\n");
}

#endif
