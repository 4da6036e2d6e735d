/*
 * Filling and extending struct acme_error. Knows nothing of who reads it.
 */

#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void
fill(struct acme_error *err, enum acme_verdict verdict, const char *fmt,
    va_list args)
{
    memset(err, 0, sizeof(*err));
    err->verdict = verdict;
    vsnprintf(err->text, sizeof(err->text), fmt, args);
}

bool
acme_fail(struct acme_error *err, enum acme_verdict verdict, const char *fmt,
    ...)
{
    va_list args;

    va_start(args, fmt);
    fill(err, verdict, fmt, args);
    va_end(args);
    return false;
}

bool
acme_fail_sys(struct acme_error *err, const char *fmt, ...)
{
    int sys = errno;
    size_t len;
    va_list args;

    va_start(args, fmt);
    fill(err, ACME_LOCAL, fmt, args);
    va_end(args);
    err->sys = sys;
    len = strlen(err->text);
    snprintf(err->text + len, sizeof(err->text) - len, ": %s", strerror(sys));
    return false;
}

bool
acme_fail_memory(struct acme_error *err)
{
    return acme_fail(err, ACME_LOCAL, "out of memory");
}

bool
acme_while(struct acme_error *err, const char *fmt, ...)
{
    char inner[sizeof(err->text)];
    size_t len;
    va_list args;

    memcpy(inner, err->text, sizeof(inner));
    va_start(args, fmt);
    vsnprintf(err->text, sizeof(err->text), fmt, args);
    va_end(args);
    len = strlen(err->text);
    snprintf(err->text + len, sizeof(err->text) - len, ": %s", inner);
    return false;
}
