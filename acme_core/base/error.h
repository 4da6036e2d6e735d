/*
 * Why an operation failed: one value, one convention.
 *
 * Every function that can fail returns bool (true = done) and takes a
 * struct acme_error last. A function either handles an error or returns it
 * with more context in front, never both.
 */

#ifndef ACME_BASE_ERROR_H
#define ACME_BASE_ERROR_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What the caller should do about a failure. Chosen where the failure is
 * understood, so that nobody parses text.
 */
enum acme_verdict {
    ACME_RETRY = 1,  /* transient: again at .retry_at, or after own backoff */
    ACME_REFUSED,    /* the CA said no; the same request will fail again */
    ACME_MISCONFIG,  /* only the administrator can fix it */
    ACME_PEER_BROKE, /* CA or sibling process violated its protocol */
    ACME_LOCAL       /* disk, memory, descriptors: see .sys */
};

/* When an attempt that has failed is worth another one: see plan/plan.h. */
enum acme_class {
    ACME_SOON = 1,   /* it may pass by itself */
    ACME_SLOW,       /* something outside has to be mended first */
    ACME_AT,         /* the CA has named a time */
    ACME_NEVER,      /* not before the configuration is another one */
    ACME_NOW         /* by another way; where there is none, as ACME_SOON */
};

/*
 * A plain value: lives on the caller's stack, owns nothing, may be copied.
 * Never holds key material, key authorizations or whole replies.
 */
struct acme_error {
    enum acme_verdict verdict;
    int     sys;           /* errno of the failing call, or 0 */
    int     http_status;   /* of the CA's reply, or 0 */
    int64_t retry_at;      /* unix seconds from Retry-After, or 0 */
    char    problem[64];   /* RFC 8555 6.7 type without the URN prefix, or "" */
    char    name[256];     /* the identifier it is about, or "" */
    char    text[768];     /* outermost context first; safe to log */
};

/* Fill *err anew; returns false, so that "return acme_fail()" reads well. */
bool acme_fail(struct acme_error *err, enum acme_verdict verdict,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As acme_fail with ACME_LOCAL, .sys = errno, and strerror(errno) appended. */
bool acme_fail_sys(struct acme_error *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* "out of memory", ACME_LOCAL; returns false. */
bool acme_fail_memory(struct acme_error *err);

/* Put "what we were doing: " in front of err->text; returns false. */
bool acme_while(struct acme_error *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
