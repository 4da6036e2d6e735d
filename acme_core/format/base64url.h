/* base64url without padding (RFC 7515 2, RFC 4648 5). */

#ifndef ACME_FORMAT_BASE64URL_H
#define ACME_FORMAT_BASE64URL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

/* Append the encoding of `data`. False when the buffer is full. */
bool acme_base64url_add(struct acme_buffer *out, struct acme_bytes data);

/*
 * Append the bytes that `text` encodes. Strict: no padding, no white space,
 * no stray bits in the last character. False when the text is not base64url
 * or the buffer is full; the buffer is then unchanged.
 */
bool acme_base64url_decode(struct acme_buffer *out, struct acme_bytes text);

/*
 * The same for text that people copy from a web page: base64 or base64url,
 * with padding or without, white space anywhere.
 */
bool acme_base64_decode(struct acme_buffer *out, struct acme_bytes text);

/*
 * A token as RFC 8555 8.1 spells it: 1 to `max` bytes of [A-Za-z0-9_-].
 * Checked before a token is a path, a key or a log word.
 */
bool acme_is_token(struct acme_bytes text, size_t max);

#endif
