/*
 * Log lines with inherited context: "acme: example.test: letsencrypt: ...".
 *
 * The library never opens a file: a sink, given by the process, decides about
 * formats and files. Remote text goes through acme_log_escape first.
 */

#ifndef ACME_BASE_LOG_H
#define ACME_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

/* Both servers' levels, in their order. */
enum acme_log_level {
    ACME_LOG_ALERT = 2,
    ACME_LOG_ERROR = 4,
    ACME_LOG_WARN = 5,
    ACME_LOG_NOTICE = 6,
    ACME_LOG_INFO = 7,
    ACME_LOG_DEBUG = 8
};

typedef void (*acme_log_sink)(void *ctx, enum acme_log_level level,
    bool always, const char *line);

/*
 * Borrows its parent and label; lives on the stack or inside the object it
 * describes. Only the root has a sink.
 */
struct acme_log {
    const struct acme_log *parent;
    const char *label;   /* put in front of the message, or NULL */
    acme_log_sink sink;
    void *ctx;
};

/* One line. Newlines and control bytes in it are replaced by the escaper. */
void acme_log(const struct acme_log *log, enum acme_log_level level,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/*
 * A line that the operator gets whatever the server's log level is: a
 * certificate obtained, an order failed, the next attempt.
 */
void acme_log_always(const struct acme_log *log, enum acme_log_level level,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/*
 * Write at most size - 1 bytes of printable ASCII for `text` into out:
 * control bytes, quotes, backslashes and non-ASCII become \xHH; what was cut
 * ends in "...". Returns out.
 */
char *acme_log_escape(char *out, size_t size, struct acme_bytes text);

/*
 * The same for whole sentences, which stand by themselves and not in quotes:
 * quotes and backslashes stay, so that an escaped text is left as it is.
 */
char *acme_log_sentence(char *out, size_t size, struct acme_bytes text);

#endif
