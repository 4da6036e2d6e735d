/*
 * A chain as PEM, or a leaf as DER; a leaf covers the names it has, what is
 * tidy stays so, and what is read as a CA's is read as a stranger's, too.
 */

#include <assert.h>
#include <string.h>

#include "as_pem.h"
#include "crypto/shown.h"
#include "crypto/x509.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acme_buffer pem = ACME_BUFFER(2 * size + 100);
    struct acme_buffer tidy = ACME_BUFFER(128 * 1024);
    struct acme_buffer again = ACME_BUFFER(128 * 1024);
    struct acme_shown shown;
    struct acme_leaf leaf;
    struct acme_error err;
    const char *missing;
    bool is_shown;

    as_pem(data, size, &pem);
    is_shown = acme_shown_read(acme_buffer_bytes(&pem), &shown, &err);
    if (acme_leaf_read(acme_buffer_bytes(&pem), &leaf, &err)) {
        assert(is_shown && strlen(shown.fingerprint) == 64);
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
