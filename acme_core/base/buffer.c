/*
 * The growing buffer. Moving to larger memory wipes the old one, since any
 * buffer may hold a key.
 */

#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct acme_bytes
acme_bytes_of(const char *text)
{
    struct acme_bytes bytes = { (const uint8_t *) text,
        text != NULL ? strlen(text) : 0 };

    return bytes;
}

bool
acme_bytes_equal(struct acme_bytes a, struct acme_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

bool
acme_same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
reserve(struct acme_buffer *buffer, size_t more)
{
    size_t need, size;
    uint8_t *at;

    if (more > buffer->limit || buffer->len > buffer->limit - more) {
        return false;
    }
    need = buffer->len + more + 1;
    if (need <= buffer->size) {
        return true;
    }
    size = buffer->size < 128 ? 256 : buffer->size * 2;
    if (size < need) {
        size = need;
    }
    at = malloc(size);
    if (at == NULL) {
        return false;
    }
    if (buffer->at != NULL) {
        memcpy(at, buffer->at, buffer->len);
        explicit_bzero(buffer->at, buffer->size);
        free(buffer->at);
    }
    buffer->at = at;
    buffer->size = size;
    return true;
}

bool
acme_buffer_add(struct acme_buffer *buffer, const void *data, size_t len)
{
    if (!reserve(buffer, len)) {
        return false;
    }
    if (len > 0) {
        memcpy(buffer->at + buffer->len, data, len);
    }
    buffer->len += len;
    buffer->at[buffer->len] = '\0';
    return true;
}

bool
acme_buffer_add_text(struct acme_buffer *buffer, const char *text)
{
    return acme_buffer_add(buffer, text, strlen(text));
}

bool
acme_buffer_printf(struct acme_buffer *buffer, const char *fmt, ...)
{
    va_list args;
    int len;

    va_start(args, fmt);
    len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len < 0 || !reserve(buffer, (size_t) len)) {
        return false;
    }
    va_start(args, fmt);
    vsnprintf((char *) buffer->at + buffer->len, (size_t) len + 1, fmt, args);
    va_end(args);
    buffer->len += (size_t) len;
    return true;
}

void
acme_buffer_clear(struct acme_buffer *buffer)
{
    buffer->len = 0;
    if (buffer->at != NULL) {
        buffer->at[0] = '\0';
    }
}

void
acme_buffer_free(struct acme_buffer *buffer)
{
    free(buffer->at);
    buffer->at = NULL;
    buffer->len = 0;
    buffer->size = 0;
}

void
acme_buffer_wipe(struct acme_buffer *buffer)
{
    if (buffer->at != NULL) {
        explicit_bzero(buffer->at, buffer->size);
    }
    acme_buffer_free(buffer);
}

struct acme_bytes
acme_buffer_bytes(const struct acme_buffer *buffer)
{
    struct acme_bytes bytes = { buffer->at, buffer->len };

    return bytes;
}

const char *
acme_buffer_text(const struct acme_buffer *buffer)
{
    return buffer->at != NULL ? (const char *) buffer->at : "";
}
