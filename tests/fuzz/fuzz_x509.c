/* A chain as PEM, or a leaf as DER; a leaf covers the names it has. */

#include <assert.h>

#include "as_pem.h"
#include "crypto/x509.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acme_buffer pem = ACME_BUFFER(2 * size + 100);
    struct acme_leaf leaf;
    struct acme_error err;
    const char *missing;

    as_pem(data, size, &pem);
    if (acme_leaf_read(acme_buffer_bytes(&pem), &leaf, &err)) {
        assert(acme_leaf_covers(&leaf, (const char *const *) leaf.names,
            leaf.name_count, &missing));
        acme_leaf_free(&leaf);
    }
    acme_buffer_free(&pem);
    return 0;
}
