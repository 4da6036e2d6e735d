/*
 * Header fields of a CA's reply (RFC 8555 6.5, 7.4.2, RFC 8288,
 * RFC 9110 8.3, 10.2.2, 10.2.3).
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
copy_url(char *out, size_t size, struct acme_bytes value)
{
    if (value.len == 0 || value.len >= size) {
        return;
    }
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] <= 0x20 || value.at[i] >= 0x7f) {
            return;
        }
    }
    memcpy(out, value.at, value.len);
    out[value.len] = '\0';
}

static void
take_location(struct acme_headers *headers, struct acme_bytes value,
    int64_t now)
{
    (void) now;
    copy_url(headers->location, sizeof(headers->location), value);
}

/* How many bytes there are before one of `stops`. */
static size_t
span_until(struct acme_bytes text, const char *stops)
{
    size_t len = 0;

    while (len < text.len
        && (text.at[len] == '\0' || strchr(stops, text.at[len]) == NULL)) {
        len++;
    }
    return len;
}

static struct acme_bytes
behind(struct acme_bytes text, size_t len)
{
    len = len < text.len ? len : text.len;
    return (struct acme_bytes) { text.at + len, text.len - len };
}

/* ;rel="alternate" among the parameters, which are passed over. */
static bool
skip_parameters(struct acme_bytes *rest)
{
    bool alternate = false;

    while (rest->len > 0 && *rest->at == ';') {
        struct acme_bytes parameter = behind(*rest, 1);

        parameter.len = span_until(parameter, ";,");
        *rest = behind(*rest, 1 + parameter.len);
        parameter = trim(parameter);
        alternate |= (parameter.len == 13
                && memcmp(parameter.at, "rel=alternate", 13) == 0)
            || (parameter.len == 15
                && memcmp(parameter.at, "rel=\"alternate\"", 15) == 0);
    }
    return alternate;
}

/* <url>;parameters, <url>;parameters ... */
static void
take_link(struct acme_headers *headers, struct acme_bytes value, int64_t now)
{
    (void) now;
    while (value.len > 0 && *value.at == '<') {
        struct acme_bytes url = behind(value, 1);

        url.len = span_until(url, ">");
        value = trim(behind(value, url.len + 2));
        if (skip_parameters(&value)
            && headers->alternate_count < ACME_ALTERNATES_MAX) {
            char *out = headers->alternates[headers->alternate_count];

            copy_url(out, sizeof(headers->alternates[0]), url);
            headers->alternate_count += out[0] != '\0';
        }
        value = trim(behind(value, 1));
    }
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
    { "link", take_link },
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
