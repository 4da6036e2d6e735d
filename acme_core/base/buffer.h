/*
 * Bytes with their length, and a buffer that grows up to a stated limit.
 */

#ifndef ACME_BASE_BUFFER_H
#define ACME_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Borrowed bytes; valid as long as their owner says. */
struct acme_bytes {
    const uint8_t *at;
    size_t len;
};

/* The bytes of a NUL-terminated text, without the NUL. NULL is empty. */
struct acme_bytes acme_bytes_of(const char *text);

bool acme_bytes_equal(struct acme_bytes a, struct acme_bytes b);

/* Are both the same text, or both NULL? */
bool acme_same_text(const char *a, const char *b);

/*
 * A growing buffer. There is always a NUL behind the last byte once anything
 * was added, so .at may be read as text. Zero-initialised with
 * ACME_BUFFER(limit); adding beyond the limit, or without memory, fails
 * and leaves the buffer as it was.
 */
struct acme_buffer {
    uint8_t *at;
    size_t len;
    size_t size;   /* allocated */
    size_t limit;  /* len never exceeds this */
};

#define ACME_BUFFER(max) { .limit = (max) }

bool acme_buffer_add(struct acme_buffer *buffer, const void *data, size_t len);
bool acme_buffer_add_text(struct acme_buffer *buffer, const char *text);
bool acme_buffer_printf(struct acme_buffer *buffer, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Forget the content, keep the memory. */
void acme_buffer_clear(struct acme_buffer *buffer);

/* Free the memory; the limit stays. For secrets use acme_buffer_wipe. */
void acme_buffer_free(struct acme_buffer *buffer);
void acme_buffer_wipe(struct acme_buffer *buffer);

/* The content, borrowed until the next change. */
struct acme_bytes acme_buffer_bytes(const struct acme_buffer *buffer);

/* The content as text; "" when empty. */
const char *acme_buffer_text(const struct acme_buffer *buffer);

#endif
