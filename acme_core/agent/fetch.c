/*
 * HTTPS by libcurl's multi interface. Transfers end in a queue that the loop
 * drains; a curl callback only copies bytes into bounded buffers. Knows
 * nothing of ACME beyond the media types and the header fields it keeps
 * (RFC 8555 6.1, 6.2, 7.4.2).
 */

#include "agent/fetch.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"

enum {
    CONNECTIONS_PER_HOST = 4,
    CONNECTIONS_MAX = 64 + ACME_FETCH_GUESTS_MAX,
    STREAMS_PER_CONNECTION = 256,
    REDIRECTS_MAX = 3,
    HEADER_BYTES_MAX = 64 * 1024,
    CONNECT_TIMEOUT_S = 10,
    TRANSFER_TIMEOUT_S = 60,
    STALLED_TIMEOUT_S = 30,
    STALLED_BELOW = 16,           /* bytes a second */
    IDLE_MAX = 32,
    WAIT_MAX_MS = 60 * 60 * 1000
};

enum phase { IDLE, RUNNING, FINISHED, DELIVERED };

struct transfer {
    struct transfer *next;
    CURL *easy;
    enum phase phase;
    uint64_t tag;
    char *url;                      /* as asked for */
    struct acme_buffer body;
    struct acme_reply reply;
    size_t header_bytes;
    const char *refused;            /* why we ended it ourselves, or NULL */
    char curl_error[CURL_ERROR_SIZE];
    char proxy[256];                /* its scheme, host and port, or "" */
    char failure[512];
};

struct acme_fetch {
    CURLM *multi;
    struct curl_slist *get_headers;
    struct curl_slist *post_headers;
    struct curl_slist *form_headers;
    struct transfer *running;       /* RUNNING, in no order */
    struct transfer *finished;      /* FINISHED, oldest first */
    struct transfer **last;         /* where the next one is hung */
    struct transfer *delivered;     /* its reply is out on loan */
    struct transfer *idle;
    unsigned idle_count;
    unsigned long connections;
    unsigned guest_count;           /* running */
    struct {
        CURL *easy;
        CURLcode code;
    } gone[ACME_FETCH_GUESTS_MAX];  /* guests that have finished */
    unsigned gone_count;
    bool suspicious;                /* a transfer timed out on a connection */
    bool http_1;                    /* a reply came without multiplexing */
};

/* ---- new and free */

/*
 * An empty Expect: keeps "100-continue" away. Accept names what a download
 * is to be; an older CA that ignores it does no harm.
 */
static const char *const post_lines[] = {
    "Content-Type: application/jose+json",
    "Expect:",
};
static const char *const form_lines[] = {
    "Content-Type: application/x-www-form-urlencoded",
    "Expect:",
};
static const char *const common_lines[] = {
    "Accept: application/pem-certificate-chain, application/json;q=0.9, "
        "*/*;q=0.8",
    "Accept-Language: en",
};

static bool
add_lines(struct curl_slist **list, const char *const *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct curl_slist *longer = curl_slist_append(*list, lines[i]);

        if (longer == NULL) {
            return false;
        }
        *list = longer;
    }
    return true;
}

static bool
open_multi(struct acme_fetch *fetch)
{
    fetch->multi = curl_multi_init();
    return fetch->multi != NULL
        && curl_multi_setopt(fetch->multi, CURLMOPT_PIPELINING,
            (long) CURLPIPE_MULTIPLEX) == CURLM_OK
        && curl_multi_setopt(fetch->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
            (long) CONNECTIONS_PER_HOST) == CURLM_OK
        && curl_multi_setopt(fetch->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
            (long) CONNECTIONS_MAX) == CURLM_OK
        && curl_multi_setopt(fetch->multi, CURLMOPT_MAX_CONCURRENT_STREAMS,
            (long) STREAMS_PER_CONNECTION) == CURLM_OK;
}

static bool
prepare(struct acme_fetch *fetch)
{
    return open_multi(fetch)
        && add_lines(&fetch->get_headers, common_lines, 2)
        && add_lines(&fetch->post_headers, common_lines, 2)
        && add_lines(&fetch->post_headers, post_lines, 2)
        && add_lines(&fetch->form_headers, common_lines, 2)
        && add_lines(&fetch->form_headers, form_lines, 2);
}

struct acme_fetch *
acme_fetch_new(struct acme_error *err)
{
    struct acme_fetch *fetch;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        acme_fail(err, ACME_LOCAL, "libcurl cannot be started");
        return NULL;
    }
    fetch = calloc(1, sizeof(*fetch));
    if (fetch == NULL) {
        curl_global_cleanup();
        acme_fail_memory(err);
        return NULL;
    }
    fetch->last = &fetch->finished;
    if (!prepare(fetch)) {
        acme_fetch_free(fetch);
        acme_fail_memory(err);
        return NULL;
    }
    return fetch;
}

static void
free_transfer(struct transfer *transfer)
{
    curl_easy_cleanup(transfer->easy);
    acme_buffer_free(&transfer->body);
    free(transfer->url);
    free(transfer);
}

static void
free_list(struct acme_fetch *fetch, struct transfer *list)
{
    while (list != NULL) {
        struct transfer *next = list->next;

        if (list->phase == RUNNING) {
            curl_multi_remove_handle(fetch->multi, list->easy);
        }
        free_transfer(list);
        list = next;
    }
}

void
acme_fetch_free(struct acme_fetch *fetch)
{
    if (fetch == NULL) {
        return;
    }
    free_list(fetch, fetch->running);
    free_list(fetch, fetch->finished);
    free_list(fetch, fetch->delivered);
    free_list(fetch, fetch->idle);
    curl_multi_cleanup(fetch->multi);
    curl_slist_free_all(fetch->get_headers);
    curl_slist_free_all(fetch->post_headers);
    curl_slist_free_all(fetch->form_headers);
    free(fetch);
    curl_global_cleanup();
}

/* ---- transfers: taken from the idle ones, and put back */

static struct transfer *
take_idle(struct acme_fetch *fetch)
{
    struct transfer *transfer = fetch->idle;

    if (transfer != NULL) {
        fetch->idle = transfer->next;
        fetch->idle_count--;
        return transfer;
    }
    transfer = calloc(1, sizeof(*transfer));
    if (transfer == NULL) {
        return NULL;
    }
    transfer->body.limit = ACME_BODY_MAX;
    transfer->easy = curl_easy_init();
    if (transfer->easy == NULL) {
        free(transfer);
        return NULL;
    }
    return transfer;
}

static void
put_back(struct acme_fetch *fetch, struct transfer *transfer)
{
    if (fetch->idle_count >= IDLE_MAX) {
        free_transfer(transfer);
        return;
    }
    curl_easy_reset(transfer->easy);  /* forgets the borrowed trust */
    acme_buffer_free(&transfer->body);
    free(transfer->url);
    transfer->url = NULL;
    transfer->phase = IDLE;
    transfer->next = fetch->idle;
    fetch->idle = transfer;
    fetch->idle_count++;
}

/* The loan of the last reply ends with every call. */
static void
end_loan(struct acme_fetch *fetch)
{
    if (fetch->delivered != NULL) {
        put_back(fetch, fetch->delivered);
        fetch->delivered = NULL;
    }
}

/* ---- what curl calls: copy and count, nothing else */

static size_t
take_body(char *data, size_t size, size_t count, void *ctx)
{
    struct transfer *transfer = ctx;
    size_t len = size * count;

    if (acme_buffer_add(&transfer->body, data, len)) {
        return len;
    }
    transfer->refused = len > ACME_BODY_MAX - transfer->body.len
        ? "the reply's body is too large" : "out of memory";
    return 0;
}

static size_t
take_header(char *data, size_t size, size_t count, void *ctx)
{
    struct transfer *transfer = ctx;
    size_t len = size * count;
    struct acme_bytes line = { (const uint8_t *) data, len };

    if (len > HEADER_BYTES_MAX - transfer->header_bytes) {
        transfer->refused = "the reply's headers are too large";
        return 0;
    }
    transfer->header_bytes += len;
    acme_headers_take(&transfer->reply.headers, line, (int64_t) time(NULL));
    return len;
}

/* ---- start */

/* A chain of setopt calls that stops at the first failure. */
#define SET(option, value) \
    (curl_easy_setopt(transfer->easy, (option), (value)) == CURLE_OK)

/*
 * Waiting for a connection that may turn out to multiplex keeps us at one.
 * When it does not, newer versions of libcurl (8.14) go on waiting until it
 * has a reply: where HTTP/1 was seen, nobody waits. And nobody waits for the
 * thread of a resolver that outlives its transfer (QUICK_EXIT).
 */
static bool
set_limits(const struct acme_fetch *fetch, struct transfer *transfer)
{
    return SET(CURLOPT_NOSIGNAL, 1L)
        && SET(CURLOPT_QUICK_EXIT, 1L)
        && SET(CURLOPT_CONNECTTIMEOUT, (long) CONNECT_TIMEOUT_S)
        && SET(CURLOPT_TIMEOUT, (long) TRANSFER_TIMEOUT_S)
        && SET(CURLOPT_LOW_SPEED_LIMIT, (long) STALLED_BELOW)
        && SET(CURLOPT_LOW_SPEED_TIME, (long) STALLED_TIMEOUT_S)
        && SET(CURLOPT_PROTOCOLS_STR, "https")
        && SET(CURLOPT_REDIR_PROTOCOLS_STR, "https")
        && SET(CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_2TLS)
        && SET(CURLOPT_PIPEWAIT, fetch->http_1 ? 0L : 1L);
}

/* The proxy as it may be shown: without user and password. */
static void
show_proxy(struct transfer *transfer, const char *url)
{
    const char *place = strstr(url, "://");
    const char *user_end = strrchr(url, '@');

    transfer->proxy[0] = '\0';
    if (place != NULL) {
        place += 3;
        snprintf(transfer->proxy, sizeof(transfer->proxy), "%.*s%s",
            (int) (place - url), url, user_end != NULL ? user_end + 1 : place);
    }
}

/*
 * Both options are always set, because the environment has no say. What a
 * proxy answers to CONNECT is not the CA's word.
 */
static bool
set_proxy(struct transfer *transfer, const char *proxy)
{
    bool given = proxy != NULL && proxy[0] != '\0';

    show_proxy(transfer, given ? proxy : "");
    return SET(CURLOPT_PROXY, given ? proxy : "")
        && SET(CURLOPT_NOPROXY, given ? "" : "*")
        && SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L)
        && SET(CURLOPT_PROXY_SSL_VERIFYPEER, 1L)
        && SET(CURLOPT_PROXY_SSL_VERIFYHOST, 2L)
        && SET(CURLOPT_PROXY_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
}

/*
 * The roots that were given are the only ones. libcurl keeps connections of
 * different roots apart.
 */
static bool
set_trust(struct transfer *transfer, struct acme_bytes trust)
{
    struct curl_blob blob = { (void *) trust.at, trust.len,
        CURL_BLOB_NOCOPY };

    return SET(CURLOPT_SSL_VERIFYPEER, 1L)
        && SET(CURLOPT_SSL_VERIFYHOST, 2L)
        && SET(CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2)
        && (trust.len == 0 || (SET(CURLOPT_CAINFO_BLOB, &blob)
            && SET(CURLOPT_CAPATH, NULL)));
}

/* What is signed is the URL as the CA wrote it: no path is tidied up. */
static bool
set_request(struct acme_fetch *fetch, struct transfer *transfer,
    const struct acme_fetch_request *request)
{
    bool post = request->method == ACME_FETCH_POST;
    struct curl_slist *headers = !post ? fetch->get_headers
        : request->form ? fetch->form_headers : fetch->post_headers;

    if (!SET(CURLOPT_URL, request->url)
        || !SET(CURLOPT_PATH_AS_IS, 1L)
        || !SET(CURLOPT_USERAGENT, request->user_agent)
        || !SET(CURLOPT_HTTPHEADER, headers)
        || !SET(CURLOPT_FOLLOWLOCATION, request->follow && !post ? 1L : 0L)
        || !SET(CURLOPT_MAXREDIRS, (long) REDIRECTS_MAX)) {
        return false;
    }
    switch (request->method) {
    case ACME_FETCH_GET:
        return SET(CURLOPT_HTTPGET, 1L);
    case ACME_FETCH_HEAD:
        return SET(CURLOPT_NOBODY, 1L);
    case ACME_FETCH_POST:
        return SET(CURLOPT_POSTFIELDSIZE, (long) request->body.len)
            && SET(CURLOPT_COPYPOSTFIELDS,
                request->body.len > 0 ? (const char *) request->body.at : "");
    }
    return false;
}

static bool
set_up(struct acme_fetch *fetch, struct transfer *transfer,
    const struct acme_fetch_request *request)
{
    transfer->tag = request->tag;
    transfer->header_bytes = 0;
    transfer->refused = NULL;
    transfer->curl_error[0] = '\0';
    memset(&transfer->reply, 0, sizeof(transfer->reply));
    transfer->url = strdup(request->url);
    return transfer->url != NULL
        && SET(CURLOPT_PRIVATE, transfer)
        && SET(CURLOPT_ERRORBUFFER, transfer->curl_error)
        && SET(CURLOPT_WRITEFUNCTION, take_body)
        && SET(CURLOPT_WRITEDATA, transfer)
        && SET(CURLOPT_HEADERFUNCTION, take_header)
        && SET(CURLOPT_HEADERDATA, transfer)
        && set_limits(fetch, transfer)
        && set_proxy(transfer, request->proxy)
        && set_trust(transfer, request->trust)
        && set_request(fetch, transfer, request);
}

bool
acme_fetch_start(struct acme_fetch *fetch,
    const struct acme_fetch_request *request, struct acme_error *err)
{
    struct transfer *transfer;

    end_loan(fetch);
    transfer = take_idle(fetch);
    if (transfer == NULL) {
        return acme_fail_memory(err);
    }
    if (!set_up(fetch, transfer, request)
        || curl_multi_add_handle(fetch->multi, transfer->easy) != CURLM_OK) {
        put_back(fetch, transfer);
        return acme_fail(err, ACME_LOCAL, "libcurl refuses the request");
    }
    transfer->phase = RUNNING;
    transfer->next = fetch->running;
    fetch->running = transfer;
    return true;
}

/* ---- wait */

/* Unhang a transfer from a list; true when it was there. */
static bool
unhang(struct transfer **list, struct transfer *transfer)
{
    for (; *list != NULL; list = &(*list)->next) {
        if (*list == transfer) {
            *list = transfer->next;
            transfer->next = NULL;
            return true;
        }
    }
    return false;
}

static void
leave_curl(struct acme_fetch *fetch, struct transfer *transfer)
{
    long opened = 0;

    if (curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &opened)
        == CURLE_OK && opened > 0) {
        fetch->connections += (unsigned long) opened;
    }
    curl_multi_remove_handle(fetch->multi, transfer->easy);
    unhang(&fetch->running, transfer);
}

static void
describe_failure(struct transfer *transfer, CURLcode code)
{
    char proxied[sizeof(transfer->curl_error) + sizeof(transfer->proxy) + 32];
    const char *text = transfer->refused;
    long untrusted = 0;

    curl_easy_getinfo(transfer->easy, CURLINFO_PROXY_SSL_VERIFYRESULT,
        &untrusted);
    if (text == NULL) {
        text = transfer->curl_error[0] != '\0' ? transfer->curl_error
                                               : curl_easy_strerror(code);
    }
    if (untrusted != 0) {
        snprintf(proxied, sizeof(proxied), "this machine does not trust the "
            "certificate of the proxy %s", transfer->proxy);
        text = proxied;
    } else if (transfer->proxy[0] != '\0') {
        snprintf(proxied, sizeof(proxied), "%s, through the proxy %s", text,
            transfer->proxy);
        text = proxied;
    }
    acme_log_sentence(transfer->failure, sizeof(transfer->failure),
        acme_bytes_of(text));
}

/* A reply that did not arrive whole is none. */
static void
conclude(struct acme_fetch *fetch, struct transfer *transfer, CURLcode code)
{
    struct acme_reply *reply = &transfer->reply;
    long status = 0, redirects = 0, version = 0;
    const char *last_url = NULL;

    transfer->failure[0] = '\0';
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(transfer->easy, CURLINFO_REDIRECT_COUNT, &redirects);
    curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_VERSION, &version);
    curl_easy_getinfo(transfer->easy, CURLINFO_EFFECTIVE_URL, &last_url);
    fetch->suspicious |= code == CURLE_OPERATION_TIMEDOUT;
    fetch->http_1 |= version == CURL_HTTP_VERSION_1_0
        || version == CURL_HTTP_VERSION_1_1;
    if (code == CURLE_OK) {
        reply->status = (int) status;
        reply->body = acme_buffer_bytes(&transfer->body);
    } else {
        memset(&reply->headers, 0, sizeof(reply->headers));
        describe_failure(transfer, code);
    }
    /* without a redirect it is the caller's own spelling */
    reply->url = redirects > 0 && last_url != NULL ? last_url : transfer->url;
    reply->failure = transfer->failure;
}

static bool
is_running(const struct acme_fetch *fetch, const struct transfer *transfer)
{
    const struct transfer *at = fetch->running;

    while (at != NULL && at != transfer) {
        at = at->next;
    }
    return at != NULL;
}

static void
let_go(struct acme_fetch *fetch, CURL *guest, CURLcode code)
{
    acme_fetch_leave(fetch, guest);
    fetch->gone[fetch->gone_count].easy = guest;
    fetch->gone[fetch->gone_count++].code = code;
}

static void
collect(struct acme_fetch *fetch)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(fetch->multi, &left)) != NULL) {
        CURLcode code = message->data.result;
        char *mine = NULL;
        struct transfer *transfer;

        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &mine);
        transfer = (struct transfer *) mine;
        if (!is_running(fetch, transfer)) {
            let_go(fetch, message->easy_handle, code);
            continue;
        }
        leave_curl(fetch, transfer);
        conclude(fetch, transfer, code);
        transfer->phase = FINISHED;
        *fetch->last = transfer;
        fetch->last = &transfer->next;
    }
}

/*
 * A stream that times out leaves its HTTP/2 connection in libcurl's pool, be
 * it dead or not, and the next request would go the same way. As soon as
 * nothing is under way, all connections are closed and made anew.
 */
static bool
drop_connections(struct acme_fetch *fetch, struct acme_error *err)
{
    if (!fetch->suspicious || fetch->running != NULL
        || fetch->guest_count > 0) {
        return true;
    }
    fetch->suspicious = false;
    curl_multi_cleanup(fetch->multi);
    return open_multi(fetch) || acme_fail_memory(err);
}

static bool
work(struct acme_fetch *fetch, struct acme_error *err)
{
    int running;
    CURLMcode code = curl_multi_perform(fetch->multi, &running);

    if (code != CURLM_OK) {
        return acme_fail(err, ACME_LOCAL, "libcurl: %s",
            curl_multi_strerror(code));
    }
    collect(fetch);
    return drop_connections(fetch, err);
}

bool
acme_fetch_wait(struct acme_fetch *fetch, int fd, short events,
    int timeout_ms, struct acme_error *err)
{
    struct curl_waitfd extra = { .fd = fd };
    CURLMcode code;

    end_loan(fetch);
    if ((events & POLLIN) != 0) {
        extra.events |= CURL_WAIT_POLLIN;
    }
    if ((events & POLLOUT) != 0) {
        extra.events |= CURL_WAIT_POLLOUT;
    }
    if (timeout_ms < 0 || timeout_ms > WAIT_MAX_MS) {
        timeout_ms = WAIT_MAX_MS;
    }
    if (fetch->finished != NULL || fetch->gone_count > 0) {
        timeout_ms = 0;
    }
    code = curl_multi_poll(fetch->multi, &extra, fd >= 0 ? 1 : 0, timeout_ms,
        NULL);
    if (code != CURLM_OK) {
        return acme_fail(err, ACME_LOCAL, "libcurl: %s",
            curl_multi_strerror(code));
    }
    return work(fetch, err);
}

/* ---- the end of a transfer */

bool
acme_fetch_next_finished(struct acme_fetch *fetch, uint64_t *tag_out,
    struct acme_reply *reply)
{
    struct transfer *transfer = fetch->finished;

    end_loan(fetch);
    if (transfer == NULL) {
        return false;
    }
    fetch->finished = transfer->next;
    if (fetch->finished == NULL) {
        fetch->last = &fetch->finished;
    }
    transfer->next = NULL;
    transfer->phase = DELIVERED;
    fetch->delivered = transfer;
    *tag_out = transfer->tag;
    *reply = transfer->reply;
    return true;
}

static struct transfer *
find_tag(struct transfer *list, uint64_t tag)
{
    while (list != NULL && list->tag != tag) {
        list = list->next;
    }
    return list;
}

void
acme_fetch_cancel(struct acme_fetch *fetch, uint64_t tag)
{
    struct transfer *transfer;

    end_loan(fetch);
    while ((transfer = find_tag(fetch->running, tag)) != NULL) {
        leave_curl(fetch, transfer);
        put_back(fetch, transfer);
    }
    while ((transfer = find_tag(fetch->finished, tag)) != NULL) {
        unhang(&fetch->finished, transfer);
        put_back(fetch, transfer);
    }
    fetch->last = &fetch->finished;
    while (*fetch->last != NULL) {
        fetch->last = &(*fetch->last)->next;
    }
}

unsigned long
acme_fetch_connections(const struct acme_fetch *fetch)
{
    return fetch->connections;
}

/* ---- guests */

bool
acme_fetch_join(struct acme_fetch *fetch, CURL *guest)
{
    if (fetch->guest_count + fetch->gone_count == ACME_FETCH_GUESTS_MAX
        || curl_multi_add_handle(fetch->multi, guest) != CURLM_OK) {
        return false;
    }
    fetch->guest_count++;
    return true;
}

void
acme_fetch_leave(struct acme_fetch *fetch, CURL *guest)
{
    curl_multi_remove_handle(fetch->multi, guest);
    fetch->guest_count--;
}

CURL *
acme_fetch_next_guest(struct acme_fetch *fetch, CURLcode *code_out)
{
    if (fetch->gone_count == 0) {
        return NULL;
    }
    *code_out = fetch->gone[--fetch->gone_count].code;
    return fetch->gone[fetch->gone_count].easy;
}
