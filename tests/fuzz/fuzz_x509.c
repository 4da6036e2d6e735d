/*
 * A chain as PEM, or a leaf as DER; a leaf covers the names it has, and what
 * is tidy stays so.
 */

#include <assert.h>

#include "as_pem.h"
#include "crypto/x509.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acme_buffer pem = ACME_BUFFER(2 * size + 100);
    struct acme_buffer tidy = ACME_BUFFER(128 * 1024);
    struct acme_buffer again = ACME_BUFFER(128 * 1024);
    struct acme_leaf leaf;
    struct acme_error err;
    const char *missing;

    as_pem(data, size, &pem);
    if (acme_leaf_read(acme_buffer_bytes(&pem), &leaf, &err)) {
        assert(acme_leaf_covers(&leaf, (const char *const *) leaf.names,
            leaf.name_count, &missing));
        acme_leaf_free(&leaf);
        assert(acme_chain_tidy(acme_buffer_bytes(&pem), &tidy, &err));
        assert(tidy.len > 64 * 1024
            || (acme_chain_tidy(acme_buffer_bytes(&tidy), &again, &err)
                && acme_bytes_equal(acme_buffer_bytes(&tidy),
                    acme_buffer_bytes(&again))));
    }
    acme_buffer_free(&again);
    acme_buffer_free(&tidy);
    acme_buffer_free(&pem);
    return 0;
}
