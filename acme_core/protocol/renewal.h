/* Renewal information: when a CA wants a certificate renewed (RFC 9773 4). */

#ifndef ACME_PROTOCOL_RENEWAL_H
#define ACME_PROTOCOL_RENEWAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

enum { ACME_EXPLANATION_MAX = 500 };

struct acme_renewal {
    int64_t start, end;       /* of the suggested window, unix seconds */
    char explanation[ACME_EXPLANATION_MAX + 1];  /* explanationURL, safe to
                                 log, or "" */
};

/*
 * Where a certificate is asked about: the directory's renewalInfo URL and a
 * certID, which is checked. ACME_PEER_BROKE when either is none, or the URL
 * would be longer than `size` allows.
 */
bool acme_renewal_url(const char *renewal_info_url, struct acme_bytes cert_id,
    char *url, size_t size, struct acme_error *err);

/*
 * Read a RenewalInfo object. A window that ends before it begins, or as it
 * does, is an error (ACME_PEER_BROKE), as if there had been no answer.
 */
bool acme_renewal_read(struct acme_bytes body, struct acme_renewal *renewal,
    struct acme_error *err);

/*
 * The same from its members, for who has them from a stranger. An explanation
 * that is no http or https URL of visible ASCII, or too long, is left out.
 */
bool acme_renewal_of(struct acme_bytes start, struct acme_bytes end,
    struct acme_bytes explanation, struct acme_renewal *renewal,
    struct acme_error *err);

#endif
