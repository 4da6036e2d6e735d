/* Times as text: RFC 3339 (JSON) and HTTP-date (RFC 9110 5.6.7). */

#ifndef ACME_FORMAT_TIME_TEXT_H
#define ACME_FORMAT_TIME_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

enum { ACME_TIME_TEXT_SIZE = 32 };

/* "2026-11-23T20:00:00Z" for unix seconds; returns out. */
char *acme_time_write(char out[ACME_TIME_TEXT_SIZE], int64_t at);

/*
 * Read an RFC 3339 time, with fraction (dropped) and any offset, into unix
 * seconds. False for anything else or years outside 1970 to 9999.
 */
bool acme_time_read(struct acme_bytes text, int64_t *at_out);

/*
 * Read the IMF-fixdate form of an HTTP-date ("Sun, 06 Nov 1994 08:49:37 GMT");
 * the two obsolete forms too. Locale independent.
 */
bool acme_time_read_http(struct acme_bytes text, int64_t *at_out);

#endif
