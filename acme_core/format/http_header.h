/*
 * The few header fields of a CA's reply that mean something to us, each
 * checked and bounded as it arrives (RFC 8555 6.5, 6.6, 7.4.2).
 */

#ifndef ACME_FORMAT_HTTP_HEADER_H
#define ACME_FORMAT_HTTP_HEADER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

enum { ACME_ALTERNATES_MAX = 4 };

struct acme_headers {
    char nonce[257];        /* Replay-Nonce, a valid token, or "" */
    char location[2049];    /* Location as sent, or "" */
    char media_type[65];    /* Content-Type without parameters, lower case */
    int64_t retry_at;       /* Retry-After as unix seconds, 0 = none */
    unsigned alternate_count;
    char alternates[ACME_ALTERNATES_MAX][2049];  /* Link rel="alternate" */
};

/*
 * Take one header line, with or without its CRLF. A status line ("HTTP/...")
 * begins a new reply and forgets what came before. Unknown fields and
 * malformed values are ignored; for repeated fields the last valid one wins,
 * but alternates are gathered, as many as there is room for.
 *   now   unix seconds, what a Retry-After of seconds counts from; more than
 *         a year ahead is cut to a year
 */
void acme_headers_take(struct acme_headers *headers, struct acme_bytes line,
    int64_t now);

#endif
