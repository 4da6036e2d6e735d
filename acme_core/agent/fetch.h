/*
 * HTTPS to the CAs: libcurl multi behind start / next_finished / cancel.
 * Nothing runs inside a curl callback except copying into bounded buffers.
 *
 * At most 4 connections a CA, kept alive; one when HTTP/2 is offered.
 */

#ifndef ACME_AGENT_FETCH_H
#define ACME_AGENT_FETCH_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "protocol/request.h"

enum { ACME_FETCH_GUESTS_MAX = 16 };

struct acme_fetch;

struct acme_fetch *acme_fetch_new(struct acme_error *err);
void acme_fetch_free(struct acme_fetch *fetch);

struct acme_fetch_request {
    uint64_t tag;              /* the caller's; comes back with the reply */
    enum { ACME_FETCH_GET = 1, ACME_FETCH_HEAD, ACME_FETCH_POST } method;
    const char *url;           /* https only */
    struct acme_bytes body;    /* POST: application/jose+json; copied */
    bool form;                 /* POST: x-www-form-urlencoded instead */
    struct acme_bytes trust;   /* PEM roots, borrowed until finished;
                                  empty = the system's */
    const char *user_agent;
    const char *proxy;         /* URL; NULL or "" = none, whatever the
                                  environment says */
    bool follow;               /* up to 3 https redirects; never for POST */
};

/* Begin; the result, whatever it is, comes by next_finished. */
bool acme_fetch_start(struct acme_fetch *fetch,
    const struct acme_fetch_request *request, struct acme_error *err);

/*
 * Wait until a transfer, `fd` (for `events`), or the timeout needs attention,
 * and let curl work. timeout_ms < 0 = no limit.
 */
bool acme_fetch_wait(struct acme_fetch *fetch, int fd, short events,
    int timeout_ms, struct acme_error *err);

/*
 * One finished transfer. The reply is borrowed until the next call on fetch.
 * reply->status is 0 when none came: connect and whole-transfer time limits
 * (10 s, 60 s), TLS and DNS failures, a body over ACME_BODY_MAX, headers over
 * 64 KiB.
 */
bool acme_fetch_next_finished(struct acme_fetch *fetch, uint64_t *tag_out,
    struct acme_reply *reply);

/* Forget a transfer; nothing comes back for its tag. */
void acme_fetch_cancel(struct acme_fetch *fetch, uint64_t tag);

/*
 * Drive a handle of another kind along with the transfers. Its owner has set
 * it up and frees it: after it was given back as finished, or was taken out.
 */
bool acme_fetch_join(struct acme_fetch *fetch, CURL *guest);
void acme_fetch_leave(struct acme_fetch *fetch, CURL *guest);

/* A guest that has finished, and how; NULL: none has. */
CURL *acme_fetch_next_guest(struct acme_fetch *fetch, CURLcode *code_out);

/* New connections opened so far, for the status and the tests' log line. */
unsigned long acme_fetch_connections(const struct acme_fetch *fetch);

#endif
