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

static struct acme_bytes
take(struct acme_bytes *rest, size_t len)
{
    struct acme_bytes taken = { rest->at, len < rest->len ? len : rest->len };

    *rest = behind(*rest, len);
    return taken;
}

/* A token, or what is in quotes; a backslash there is left where it is. */
static struct acme_bytes
take_value(struct acme_bytes *rest)
{
    struct acme_bytes value;
    size_t len = 0;
    bool closed;

    if (rest->len == 0 || *rest->at != '"') {
        return trim(take(rest, span_until(*rest, ";,")));
    }
    *rest = behind(*rest, 1);
    while (len < rest->len && rest->at[len] != '"') {
        len += rest->at[len] == '\\' ? 2 : 1;
    }
    value = take(rest, len);
    closed = rest->len > 0;
    *rest = behind(*rest, 1);
    /* quotes that do not end, or have something behind them, hold nothing */
    if (!closed || trim(take(rest, span_until(*rest, ";,"))).len > 0) {
        value.len = 0;
    }
    return value;
}

static bool
is_word(struct acme_bytes text, const char *word)
{
    return text.len == strlen(word)
        && strncasecmp((const char *) text.at, word, text.len) == 0;
}

/* Relations are words of any case, with blanks between them (RFC 8288 3.3). */
static bool
has_alternate(struct acme_bytes relations)
{
    while (relations.len > 0) {
        if (is_word(take(&relations, span_until(relations, " ")),
                "alternate")) {
            return true;
        }
        relations = behind(relations, 1);
    }
    return false;
}

/* rel=alternate among the parameters, which are passed over. */
static bool
skip_parameters(struct acme_bytes *rest)
{
    bool alternate = false;

    while (rest->len > 0 && *rest->at == ';') {
        struct acme_bytes name;

        *rest = behind(*rest, 1);
        name = trim(take(rest, span_until(*rest, "=;,")));
        if (rest->len > 0 && *rest->at == '=') {
            struct acme_bytes value;

            *rest = trim(behind(*rest, 1));
            value = take_value(rest);
            alternate |= is_word(name, "rel") && has_alternate(value);
        }
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
