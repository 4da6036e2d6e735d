/*
 * base64url, strict both ways (RFC 4648 5, RFC 7515 2). Knows no padding and
 * no line breaks.
 */

#include "format/base64url.h"

#include <string.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Take back what a failure left half done. */
static bool
cut(struct acme_buffer *out, size_t len)
{
    out->len = len;
    if (out->at != NULL) {
        out->at[len] = '\0';
    }
    return false;
}

bool
acme_base64url_add(struct acme_buffer *out, struct acme_bytes data)
{
    size_t before = out->len;

    for (size_t i = 0; i < data.len; i += 3) {
        size_t left = data.len - i;
        uint32_t bits = (uint32_t) data.at[i] << 16;
        char text[4];

        bits |= left > 1 ? (uint32_t) data.at[i + 1] << 8 : 0;
        bits |= left > 2 ? data.at[i + 2] : 0;
        for (int j = 0; j < 4; j++) {
            text[j] = alphabet[bits >> (18 - 6 * j) & 63];
        }
        if (!acme_buffer_add(out, text, left > 2 ? 4 : left + 1)) {
            return cut(out, before);
        }
    }
    return true;
}

/* The value of a character, or -1. */
static int
value_of(uint8_t c)
{
    const char *at = c != '\0' ? strchr(alphabet, c) : NULL;

    return at != NULL ? (int) (at - alphabet) : -1;
}

/* Up to four characters into up to three bytes; 0 when they are not valid. */
static size_t
decode_group(const uint8_t *text, size_t len, uint8_t bytes[3])
{
    uint32_t bits = 0;

    if (len == 1) {
        return 0;
    }
    for (size_t i = 0; i < 4; i++) {
        int value = i < len ? value_of(text[i]) : 0;

        if (value < 0) {
            return 0;
        }
        bits = bits << 6 | (uint32_t) value;
    }
    /* bits that belong to no byte must be zero, else two texts mean one */
    if ((len == 2 && (bits & 0xffff) != 0) || (len == 3 && (bits & 0xff))) {
        return 0;
    }
    bytes[0] = (uint8_t) (bits >> 16);
    bytes[1] = (uint8_t) (bits >> 8);
    bytes[2] = (uint8_t) bits;
    return len - 1;
}

bool
acme_base64url_decode(struct acme_buffer *out, struct acme_bytes text)
{
    size_t before = out->len;

    for (size_t i = 0; i < text.len; i += 4) {
        uint8_t bytes[3];
        size_t left = text.len - i;
        size_t len = decode_group(text.at + i, left < 4 ? left : 4, bytes);

        if (len == 0 || !acme_buffer_add(out, bytes, len)) {
            return cut(out, before);
        }
    }
    return true;
}

bool
acme_base64_decode(struct acme_buffer *out, struct acme_bytes text)
{
    struct acme_buffer plain = ACME_BUFFER(text.len);
    bool ok = true;

    for (size_t i = 0; ok && i < text.len; i++) {
        uint8_t c = text.at[i];

        if (strchr(" \t\r\n", c) == NULL || c == '\0') {
            c = c == '+' ? '-' : c == '/' ? '_' : c;
            ok = acme_buffer_add(&plain, &c, 1);
        }
    }
    for (int i = 0; i < 2 && plain.len > 0 && plain.at[plain.len - 1] == '=';
         i++) {
        plain.len--;
    }
    ok = ok && acme_base64url_decode(out, acme_buffer_bytes(&plain));
    acme_buffer_wipe(&plain);
    return ok;
}

bool
acme_is_token(struct acme_bytes text, size_t max)
{
    if (text.len == 0 || text.len > max) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (value_of(text.at[i]) < 0) {
            return false;
        }
    }
    return true;
}
