/* A certificate that some TLS server shows, whoever made it. */

#ifndef ACME_CRYPTO_SHOWN_H
#define ACME_CRYPTO_SHOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

enum { ACME_FINGERPRINT_SIZE = 65, ACME_SHOWN_NAME_MAX = 200 };

struct acme_shown {
    char fingerprint[ACME_FINGERPRINT_SIZE];  /* SHA-256 of the DER form, in
                                                 lower-case hexadecimal */
    char subject[ACME_SHOWN_NAME_MAX];        /* escaped for logs */
    char issuer[ACME_SHOWN_NAME_MAX];
    char serial[64];                          /* hexadecimal; a longer one is
                                                 cut */
    int64_t not_after;                        /* unix seconds, or 0 */
};

/*
 * Read the first certificate of a PEM text. Nothing but its form is asked for:
 * not its names, dates or length of key.
 */
bool acme_shown_read(struct acme_bytes pem, struct acme_shown *shown,
    struct acme_error *err);

#endif
