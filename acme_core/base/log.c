/*
 * Composing log lines. Knows no file, no level filter, no clock.
 */

#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LINE_MAX_BYTES = 2048 };

/* Labels from the root down, each followed by ": ". */
static size_t
write_labels(const struct acme_log *log, char *out, size_t size)
{
    size_t len = 0;
    int n;

    if (log->parent != NULL) {
        len = write_labels(log->parent, out, size);
    }
    if (log->label != NULL && len < size) {
        n = snprintf(out + len, size - len, "%s: ", log->label);
        if (n > 0) {
            len += (size_t) n;
        }
    }
    return len < size ? len : size - 1;
}

static void
emit(const struct acme_log *log, enum acme_log_level level, bool always,
    const char *fmt, va_list args)
{
    char line[LINE_MAX_BYTES];
    const struct acme_log *root = log;
    size_t len;

    while (root->parent != NULL) {
        root = root->parent;
    }
    if (root->sink == NULL) {
        return;
    }
    len = (size_t) snprintf(line, sizeof(line), "acme: ");
    len += write_labels(log, line + len, sizeof(line) - len);
    vsnprintf(line + len, sizeof(line) - len, fmt, args);
    /* Whatever slipped through unescaped must not start a line of its own. */
    for (char *at = line; *at != '\0'; at++) {
        if ((unsigned char) *at < 0x20 || *at == 0x7f) {
            *at = ' ';
        }
    }
    root->sink(root->ctx, level, always, line);
}

void
acme_log(const struct acme_log *log, enum acme_log_level level,
    const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    emit(log, level, false, fmt, args);
    va_end(args);
}

void
acme_log_always(const struct acme_log *log, enum acme_log_level level,
    const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    emit(log, level, true, fmt, args);
    va_end(args);
}

static char *
escape(char *out, size_t size, struct acme_bytes text, const char *special)
{
    static const char hex[] = "0123456789abcdef";
    size_t len = 0, dots = 0;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];
        bool plain = c >= 0x20 && c < 0x7f && strchr(special, c) == NULL;

        /* the last place from which "..." and the NUL have room */
        if (len + 4 <= size) {
            dots = len;
        }
        if (len + (plain ? 1 : 4) + 1 > size) {
            len = dots;
            if (len + 4 <= size) {
                memcpy(out + len, "...", 3);
                len += 3;
            }
            break;
        }
        if (plain) {
            out[len++] = (char) c;
            continue;
        }
        out[len++] = '\\';
        out[len++] = 'x';
        out[len++] = hex[c >> 4];
        out[len++] = hex[c & 15];
    }
    if (size > 0) {
        out[len] = '\0';
    }
    return out;
}

char *
acme_log_escape(char *out, size_t size, struct acme_bytes text)
{
    return escape(out, size, text, "\"\\");
}

char *
acme_log_sentence(char *out, size_t size, struct acme_bytes text)
{
    return escape(out, size, text, "");
}
