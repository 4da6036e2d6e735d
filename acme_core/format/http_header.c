/*
 * Header fields of a CA's reply (RFC 8555 6.5, RFC 9110 8.3, 10.2.2, 10.2.3).
 * Anything malformed is as if it had not been sent.
 */

#include "format/http_header.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "format/base64url.h"
#include "format/time_text.h"

enum { YEAR_S = 366 * 24 * 3600 };

static struct acme_bytes
trim(struct acme_bytes text)
{
    while (text.len > 0 && strchr(" \t\r\n", text.at[text.len - 1]) != NULL
        && text.at[text.len - 1] != '\0') {
        text.len--;
    }
    while (text.len > 0 && (*text.at == ' ' || *text.at == '\t')) {
        text.at++;
        text.len--;
    }
    return text;
}

static void
take_nonce(struct acme_headers *headers, struct acme_bytes value, int64_t now)
{
    (void) now;
    if (acme_is_token(value, sizeof(headers->nonce) - 1)) {
        memcpy(headers->nonce, value.at, value.len);
        headers->nonce[value.len] = '\0';
    }
}

static void
take_location(struct acme_headers *headers, struct acme_bytes value,
    int64_t now)
{
    (void) now;
    if (value.len == 0 || value.len >= sizeof(headers->location)) {
        return;
    }
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] <= 0x20 || value.at[i] >= 0x7f) {
            return;
        }
    }
    memcpy(headers->location, value.at, value.len);
    headers->location[value.len] = '\0';
}

static void
take_media_type(struct acme_headers *headers, struct acme_bytes value,
    int64_t now)
{
    const uint8_t *end = value.len > 0 ? memchr(value.at, ';', value.len)
                                       : NULL;

    (void) now;
    if (end != NULL) {
        value.len = (size_t) (end - value.at);
        value = trim(value);
    }
    if (value.len == 0 || value.len >= sizeof(headers->media_type)) {
        return;
    }
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] <= 0x20 || value.at[i] >= 0x7f) {
            return;
        }
    }
    for (size_t i = 0; i < value.len; i++) {
        headers->media_type[i] = (char) tolower(value.at[i]);
    }
    headers->media_type[value.len] = '\0';
}

static void
take_retry_after(struct acme_headers *headers, struct acme_bytes value,
    int64_t now)
{
    int64_t seconds = 0;
    size_t i;

    for (i = 0; i < value.len && isdigit(value.at[i]); i++) {
        seconds = seconds * 10 + (value.at[i] - '0');
        if (seconds > YEAR_S) {
            seconds = YEAR_S;
        }
    }
    if (value.len > 0 && i == value.len) {
        headers->retry_at = now + seconds;
        return;
    }
    if (acme_time_read_http(value, &seconds)) {
        headers->retry_at = seconds > now + YEAR_S ? now + YEAR_S : seconds;
    }
}

static const struct field {
    const char *name;
    void (*take)(struct acme_headers *, struct acme_bytes, int64_t);
} fields[] = {
    { "replay-nonce", take_nonce },
    { "location", take_location },
    { "content-type", take_media_type },
    { "retry-after", take_retry_after },
};

void
acme_headers_take(struct acme_headers *headers, struct acme_bytes line,
    int64_t now)
{
    const uint8_t *colon;
    struct acme_bytes value;
    size_t name_len;

    if (line.len >= 5 && memcmp(line.at, "HTTP/", 5) == 0) {
        memset(headers, 0, sizeof(*headers));
        return;
    }
    colon = line.len > 0 ? memchr(line.at, ':', line.len) : NULL;
    if (colon == NULL) {
        return;
    }
    name_len = (size_t) (colon - line.at);
    value.at = colon + 1;
    value.len = line.len - name_len - 1;
    value = trim(value);
    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
        if (strlen(fields[i].name) == name_len
            && strncasecmp(fields[i].name, (const char *) line.at, name_len)
                == 0) {
            fields[i].take(headers, value, now);
        }
    }
}
