/* The file that acme_eab names. */

#ifndef ACME_SETTINGS_EAB_H
#define ACME_SETTINGS_EAB_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"

/*
 * Append the HMAC key in the file, decoded. Wipe that buffer after use.
 * Refused with ACME_MISCONFIG: a file that all users may read or write, one
 * without a key; .sys is set when it cannot be read at all.
 */
bool acme_eab_read(const char *path, struct acme_buffer *key,
    struct acme_error *err);

#endif
