/* Fetching, against a small HTTPS server on loopback. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <stdatomic.h>
#include <time.h>

#include "agent/fetch.h"
#include "https_server.h"

enum { BODY_TOO_LARGE = ACME_BODY_MAX + 1, MANY = 40 };

struct fixture {
    struct server server;
    struct acme_fetch *fetch;
};

/* ---- a resolver that hangs over one name until it is let go */

static _Atomic int lookups;        /* that hang now */
static int let_go[2];              /* a pipe, closed at its end */

int
getaddrinfo(const char *name, const char *service,
    const struct addrinfo *hints, struct addrinfo **found)
{
    int (*real)(const char *, const char *, const struct addrinfo *,
        struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");

    if (strcmp(name, "slow.test") == 0) {
        struct pollfd end = { let_go[0], 0, 0 };

        lookups++;
        poll(&end, 1, 20000);
        lookups--;
        return EAI_AGAIN;
    }
    return real(name, service, hints, found);
}

/* ---- the server's answers, by path */

static void
say(FILE *out, const char *status, const char *headers, const char *body)
{
    fprintf(out, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n%s", status,
        strlen(body), headers, body);
}

static void
say_large_body(FILE *out, size_t len)
{
    fprintf(out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", len);
    for (size_t i = 0; i < len; i++) {
        fputc('x', out);
    }
}

/* Each line is short: only their sum is too much. */
static void
say_large_headers(FILE *out)
{
    fprintf(out, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
    for (unsigned i = 0; i < 1100; i++) {
        fprintf(out, "X-Filler-%04u: %045u\r\n", i, i);
    }
    fprintf(out, "\r\n");
}

static void
say_redirect(FILE *out, int left)
{
    char headers[128];

    snprintf(headers, sizeof(headers),
        "Replay-Nonce: of-a-redirect\r\nLocation: /redirect/%d\r\n",
        left - 1);
    if (left == 0) {
        say(out, "200 OK", "", "arrived");
    } else {
        say(out, "302 Found", headers, "on your way");
    }
}

static void
answer(const struct heard *heard, struct shared *shared, FILE *out)
{
    int left;

    (void) shared;
    if (strcmp(heard->path, "/hello") == 0) {
        say(out, "200 OK", "Replay-Nonce: n-1\r\n"
            "Content-Type: Application/JSON; charset=utf-8\r\n", "hello");
    } else if (strcmp(heard->path, "/head") == 0) {
        fputs("HTTP/1.1 204 No Content\r\nReplay-Nonce: n-2\r\n\r\n", out);
    } else if (strcmp(heard->path, "/problem") == 0) {
        say(out, "403 Forbidden", "Retry-After: 60\r\n", "{}");
    } else if (strcmp(heard->path, "/full") == 0) {
        say_large_body(out, ACME_BODY_MAX);
    } else if (strcmp(heard->path, "/large") == 0) {
        say_large_body(out, BODY_TOO_LARGE);
    } else if (strcmp(heard->path, "/headers") == 0) {
        say_large_headers(out);
    } else if (sscanf(heard->path, "/redirect/%d", &left) == 1) {
        say_redirect(out, left);
    } else if (strcmp(heard->path, "/to-http") == 0) {
        say(out, "302 Found", "Location: http://127.0.0.1:1/\r\n", "");
    } else if (strcmp(heard->path, "/cut") == 0) {
        fputs("HTTP/1.1 200 OK\r\nConnection: close\r\n"
            "Replay-Nonce: n-3\r\nContent-Length: 100\r\n\r\nshort", out);
    } else if (strcmp(heard->path, "/close") == 0) {
        say(out, "200 OK", "Connection: close\r\n", "bye");
    } else if (strcmp(heard->path, "/never") == 0) {
        sleep(3600);
    } else if (strcmp(heard->path, "/junk") == 0) {
        fputs("\x01\x02 not http\r\n", out);
    } else if (strcmp(heard->path, "/hang-up") != 0) {
        fprintf(out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s%s",
            strlen(heard->head) + heard->body_len, heard->head, heard->body);
    }
}

/* ---- helpers */

static int
set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct acme_error err;

    fixture->server = start_server(answer);
    fixture->fetch = acme_fetch_new(&err);
    assert_non_null(fixture->fetch);
    *state = fixture;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;

    acme_fetch_free(fixture->fetch);
    stop_server(&fixture->server);
    free(fixture);
    return 0;
}

static void
start_at(struct fixture *fixture, const char *host, const char *path,
    struct acme_fetch_request request)
{
    struct acme_error err;
    char url[256];

    snprintf(url, sizeof(url), "https://%s:%d%s", host, fixture->server.port,
        path);
    request.url = url;
    request.user_agent = "test/1";
    if (request.method == 0) {
        request.method = ACME_FETCH_GET;
    }
    if (request.trust.at == NULL) {
        request.trust = acme_bytes_of(fixture->server.root);
    }
    assert_true(acme_fetch_start(fixture->fetch, &request, &err));
}

static void
start(struct fixture *fixture, const char *path,
    struct acme_fetch_request request)
{
    start_at(fixture, "127.0.0.1", path, request);
}

/* The next finished transfer; fails the test after 20 seconds. */
static uint64_t
finish(struct fixture *fixture, struct acme_reply *reply)
{
    time_t end = time(NULL) + 20;
    struct acme_error err;
    uint64_t tag;

    while (!acme_fetch_next_finished(fixture->fetch, &tag, reply)) {
        assert_true(time(NULL) < end);
        assert_true(acme_fetch_wait(fixture->fetch, -1, 0, 1000, &err));
    }
    return tag;
}

static struct acme_reply
get(struct fixture *fixture, const char *path,
    struct acme_fetch_request request)
{
    struct acme_reply reply;

    start(fixture, path, request);
    finish(fixture, &reply);
    return reply;
}

static bool
holds(struct acme_bytes bytes, const char *text)
{
    return memmem(bytes.at, bytes.len, text, strlen(text)) != NULL;
}

#define PLAIN (struct acme_fetch_request) { 0 }
#define assert_body(reply, text) \
    assert_true(acme_bytes_equal((reply).body, acme_bytes_of(text)))

/* ---- what a reply brings */

static void
reply_brings_status_headers_body_and_url(void **state)
{
    struct fixture *fixture = *state;
    struct acme_reply reply;
    char url[64];

    start(fixture, "/hello",
        (struct acme_fetch_request) { .tag = 1ull << 40 });
    assert_true(finish(fixture, &reply) == 1ull << 40);
    assert_int_equal(reply.status, 200);
    assert_body(reply, "hello");
    assert_string_equal(reply.headers.nonce, "n-1");
    assert_string_equal(reply.headers.media_type, "application/json");
    assert_string_equal(reply.failure, "");
    snprintf(url, sizeof(url), "https://127.0.0.1:%d/hello",
        fixture->server.port);
    assert_string_equal(reply.url, url);
}

static void
head_brings_headers_without_a_body(void **state)
{
    struct acme_reply reply = get(*state, "/head",
        (struct acme_fetch_request) { .method = ACME_FETCH_HEAD });

    assert_int_equal(reply.status, 204);
    assert_int_equal(reply.body.len, 0);
    assert_string_equal(reply.headers.nonce, "n-2");
}

static void
post_sends_its_body_as_jose_json(void **state)
{
    struct acme_reply reply = get(*state, "/echo",
        (struct acme_fetch_request) { .method = ACME_FETCH_POST,
            .body = acme_bytes_of("{\"payload\":\"\"}") });

    assert_int_equal(reply.status, 200);
    assert_true(holds(reply.body, "POST /echo HTTP/1.1\r\n"));
    assert_true(holds(reply.body,
        "\r\nContent-Type: application/jose+json\r\n"));
    assert_true(holds(reply.body, "\r\nUser-Agent: test/1\r\n"));
    assert_true(holds(reply.body, "\r\n\r\n{\"payload\":\"\"}"));
    assert_false(holds(reply.body, "\r\nExpect:"));
    assert_false(holds(reply.body, "\r\nAccept-Encoding:"));
}

static void
post_of_many_bytes_does_not_wait_for_100_continue(void **state)
{
    size_t len = 400 * 1024;
    char *text = calloc(1, len + 1);
    struct acme_reply reply;

    memset(text, 'b', len);
    reply = get(*state, "/echo", (struct acme_fetch_request) {
        .method = ACME_FETCH_POST, .body = acme_bytes_of(text) });
    free(text);
    assert_int_equal(reply.status, 200);
    assert_false(holds(reply.body, "Expect"));
    assert_true(reply.body.len > len);
}

static void
path_is_sent_as_it_was_signed(void **state)
{
    struct acme_reply reply = get(*state, "/a/../b/./c%7e?d", PLAIN);

    assert_true(holds(reply.body, "GET /a/../b/./c%7e?d HTTP/1.1\r\n"));
}

static void
error_status_is_a_reply_like_any_other(void **state)
{
    struct acme_reply reply = get(*state, "/problem", PLAIN);

    assert_int_equal(reply.status, 403);
    assert_body(reply, "{}");
    assert_true(reply.headers.retry_at >= (int64_t) time(NULL) + 50);
}

/* ---- redirects */

static void
three_redirects_are_followed_on_request(void **state)
{
    struct fixture *fixture = *state;
    struct acme_reply reply = get(fixture, "/redirect/3",
        (struct acme_fetch_request) { .follow = true });
    char url[64];

    assert_int_equal(reply.status, 200);
    assert_body(reply, "arrived");
    assert_string_equal(reply.headers.nonce, "");
    snprintf(url, sizeof(url), "https://127.0.0.1:%d/redirect/0",
        fixture->server.port);
    assert_string_equal(reply.url, url);
}

static void
fourth_redirect_is_a_failure(void **state)
{
    struct acme_reply reply = get(*state, "/redirect/4",
        (struct acme_fetch_request) { .follow = true });

    assert_int_equal(reply.status, 0);
    assert_string_not_equal(reply.failure, "");
}

static void
redirect_to_http_is_a_failure(void **state)
{
    struct acme_reply reply = get(*state, "/to-http",
        (struct acme_fetch_request) { .follow = true });

    assert_int_equal(reply.status, 0);
}

static void
post_is_never_redirected(void **state)
{
    struct acme_reply reply = get(*state, "/redirect/1",
        (struct acme_fetch_request) { .method = ACME_FETCH_POST,
            .follow = true, .body = acme_bytes_of("{}") });

    assert_int_equal(reply.status, 302);
}

/* ---- failures */

static void
http_url_is_a_failure(void **state)
{
    struct fixture *fixture = *state;
    struct acme_fetch_request request = { .method = ACME_FETCH_GET,
        .url = "http://127.0.0.1:1/", .user_agent = "test/1" };
    struct acme_error err;
    struct acme_reply reply;

    assert_true(acme_fetch_start(fixture->fetch, &request, &err));
    finish(fixture, &reply);
    assert_int_equal(reply.status, 0);
}

static void
reply_beyond_the_limits_or_cut_is_none(void **state)
{
    static const struct {
        const char *path, *failure;
    } rows[] = {
        { "/large", "the reply's body is too large" },
        { "/headers", "the reply's headers are too large" },
        { "/cut", NULL },
        { "/junk", NULL },
        { "/hang-up", NULL },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct acme_reply reply = get(*state, rows[i].path, PLAIN);

        assert_int_equal(reply.status, 0);
        assert_int_equal(reply.body.len, 0);
        assert_string_equal(reply.headers.nonce, "");
        if (rows[i].failure != NULL) {
            assert_string_equal(reply.failure, rows[i].failure);
        }
        assert_string_not_equal(reply.failure, "");
    }
}

static void
body_of_the_largest_size_arrives(void **state)
{
    struct acme_reply reply = get(*state, "/full", PLAIN);

    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.body.len, ACME_BODY_MAX);
}

static void
nobody_listening_is_a_failure_in_words(void **state)
{
    struct fixture *fixture = *state;
    int port = fixture->server.port, closed;
    struct acme_reply reply;

    close(listen_on_loopback(&closed));
    fixture->server.port = closed;
    reply = get(fixture, "/", PLAIN);
    fixture->server.port = port;
    assert_int_equal(reply.status, 0);
    assert_non_null(strstr(reply.failure, "connect"));
}

/* ---- trust */

static void
server_of_a_foreign_root_is_a_failure(void **state)
{
    char *other = make_root(NULL, NULL);
    struct acme_reply reply = get(*state, "/hello",
        (struct acme_fetch_request) { .trust = acme_bytes_of(other) });

    free(other);
    assert_int_equal(reply.status, 0);
    assert_non_null(strstr(reply.failure, "certificate"));
}

static void
system_roots_do_not_trust_the_test_server(void **state)
{
    struct acme_reply reply = get(*state, "/hello",
        (struct acme_fetch_request) { .trust = acme_bytes_of("") });

    assert_int_equal(reply.status, 0);
    assert_non_null(strstr(reply.failure, "certificate"));
}

static void
trust_without_a_certificate_is_a_failure(void **state)
{
    struct acme_reply reply = get(*state, "/hello",
        (struct acme_fetch_request) { .trust = acme_bytes_of("no PEM\n") });

    assert_int_equal(reply.status, 0);
}

static void
certificate_for_another_name_is_a_failure(void **state)
{
    struct acme_reply reply;

    start_at(*state, "localhost", "/hello", PLAIN);
    finish(*state, &reply);
    assert_int_equal(reply.status, 0);
}

static void
connection_is_not_shared_with_other_roots(void **state)
{
    struct fixture *fixture = *state;
    char *other = make_root(NULL, NULL);
    struct acme_reply reply = get(fixture, "/hello", PLAIN);

    assert_int_equal(reply.status, 200);
    reply = get(fixture, "/hello",
        (struct acme_fetch_request) { .trust = acme_bytes_of(other) });
    assert_int_equal(reply.status, 0);
    reply = get(fixture, "/hello",
        (struct acme_fetch_request) { .trust = acme_bytes_of("") });
    assert_int_equal(reply.status, 0);
    free(other);
}

static void
equal_roots_share_a_connection_wherever_they_lie(void **state)
{
    struct fixture *fixture = *state;
    char *copy = strdup(fixture->server.root);

    assert_int_equal(get(fixture, "/hello", PLAIN).status, 200);
    assert_int_equal(get(fixture, "/hello", (struct acme_fetch_request) {
        .trust = acme_bytes_of(copy) }).status, 200);
    free(copy);
    assert_int_equal(acme_fetch_connections(fixture->fetch), 1);
    assert_int_equal(fixture->server.shared->connections, 1);
}

/* ---- many, and none */

static void
http_1_requests_share_at_most_four_connections(void **state)
{
    struct fixture *fixture = *state;
    bool seen[MANY] = { false };
    struct acme_reply reply;

    for (uint64_t i = 0; i < MANY; i++) {
        start(fixture, "/hello", (struct acme_fetch_request) { .tag = i });
    }
    for (unsigned i = 0; i < MANY; i++) {
        uint64_t tag = finish(fixture, &reply);

        assert_int_equal(reply.status, 200);
        assert_true(tag < MANY && !seen[tag]);
        seen[tag] = true;
    }
    assert_true(fixture->server.shared->connections <= 4);
    assert_int_equal(acme_fetch_connections(fixture->fetch),
        fixture->server.shared->connections);
}

/* The first reply says that nothing is multiplexed, though the CA closes. */
static void
slow_reply_over_http_1_holds_up_no_other(void **state)
{
    struct fixture *fixture = *state;
    struct acme_reply reply;

    assert_int_equal(get(fixture, "/close", PLAIN).status, 200);
    start(fixture, "/never", (struct acme_fetch_request) { .tag = 7 });
    for (uint64_t tag = 8; tag < 12; tag++) {
        start(fixture, "/hello", (struct acme_fetch_request) { .tag = tag });
    }
    for (unsigned i = 8; i < 12; i++) {
        uint64_t tag = finish(fixture, &reply);

        assert_int_equal(reply.status, 200);
        assert_true(tag >= 8 && tag < 12);
    }
}

static void
cancelled_transfer_never_comes_back(void **state)
{
    struct fixture *fixture = *state;
    struct acme_reply reply;

    assert_int_equal(get(fixture, "/hello", PLAIN).status, 200);
    start(fixture, "/never", (struct acme_fetch_request) { .tag = 7 });
    start(fixture, "/never", (struct acme_fetch_request) { .tag = 7 });
    start(fixture, "/hello", (struct acme_fetch_request) { .tag = 8 });
    assert_int_equal(finish(fixture, &reply), 8);
    acme_fetch_cancel(fixture->fetch, 7);
    start(fixture, "/hello", (struct acme_fetch_request) { .tag = 9 });
    assert_int_equal(finish(fixture, &reply), 9);
}

/* Neither this CA's orders nor another's wait for its name servers. */
static void
end_of_a_transfer_does_not_wait_for_the_resolver(void **state)
{
    struct fixture *fixture = *state;
    time_t end = time(NULL) + 15;
    struct acme_error err;

    assert_int_equal(pipe(let_go), 0);
    start_at(fixture, "slow.test", "/hello",
        (struct acme_fetch_request) { .tag = 7 });
    while (lookups == 0 && time(NULL) < end) {
        acme_fetch_wait(fixture->fetch, -1, 0, 10, &err);
    }
    assert_int_equal(lookups, 1);
    acme_fetch_cancel(fixture->fetch, 7);
    assert_int_equal(lookups, 1);
    close(let_go[1]);
    while (lookups > 0 && time(NULL) < end) {
        usleep(10000);
    }
    close(let_go[0]);
}

static void
cancel_takes_a_finished_transfer_too(void **state)
{
    struct fixture *fixture = *state;
    struct acme_reply reply;
    struct acme_error err;
    time_t end = time(NULL) + 20;

    start(fixture, "/hello", (struct acme_fetch_request) { .tag = 7 });
    while (fixture->server.shared->requests < 1 && time(NULL) < end) {
        acme_fetch_wait(fixture->fetch, -1, 0, 10, &err);
    }
    for (unsigned i = 0; i < 20; i++) {
        acme_fetch_wait(fixture->fetch, -1, 0, 10, &err);
    }
    acme_fetch_cancel(fixture->fetch, 7);
    start(fixture, "/hello", (struct acme_fetch_request) { .tag = 8 });
    assert_int_equal(finish(fixture, &reply), 8);
}

static void
wait_ends_when_the_descriptor_is_ready(void **state)
{
    struct fixture *fixture = *state;
    struct acme_error err;
    time_t begin = time(NULL);
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_true(acme_fetch_wait(fixture->fetch, fds[0], 1 /* POLLIN */, -1,
        &err));
    assert_true(time(NULL) - begin < 10);
    close(fds[0]);
    close(fds[1]);
}

static void
environment_proxy_is_not_used(void **state)
{
    setenv("https_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    assert_int_equal(get(*state, "/hello", PLAIN).status, 200);
    unsetenv("https_proxy");
    unsetenv("ALL_PROXY");
}

static void
a_proxy_is_used_and_named_without_its_password(void **state)
{
    struct acme_reply reply = get(*state, "/hello",
        (struct acme_fetch_request) {
            .proxy = "http://name:secret@127.0.0.1:1" });

    assert_int_equal(reply.status, 0);
    assert_non_null(strstr(reply.failure, "through the proxy "
        "http://127.0.0.1:1"));
    assert_null(strstr(reply.failure, "secret"));
    assert_null(strstr(reply.failure, "name"));
    /* and the next one goes straight */
    assert_int_equal(get(*state, "/hello", (struct acme_fetch_request) {
        .proxy = "" }).status, 200);
}

static void
roots_of_the_ca_are_not_those_of_a_proxy(void **state)
{
    struct fixture *fixture = *state;
    struct acme_reply reply;
    char proxy[64];

    snprintf(proxy, sizeof(proxy), "https://127.0.0.1:%d",
        fixture->server.port);
    reply = get(fixture, "/hello", (struct acme_fetch_request) {
        .proxy = proxy });
    assert_int_equal(reply.status, 0);
    assert_non_null(strstr(reply.failure, "does not trust the certificate "
        "of the proxy https://127.0.0.1:"));
}

/* Freed while a transfer runs, one is finished, and one is on loan. */
static void
free_in_the_middle_leaks_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct acme_reply reply;

    start(fixture, "/never", PLAIN);
    start(fixture, "/hello", PLAIN);
    start(fixture, "/hello", PLAIN);
    finish(fixture, &reply);
    start(fixture, "/hello", PLAIN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reply_brings_status_headers_body_and_url),
        TEST(head_brings_headers_without_a_body),
        TEST(post_sends_its_body_as_jose_json),
        TEST(post_of_many_bytes_does_not_wait_for_100_continue),
        TEST(path_is_sent_as_it_was_signed),
        TEST(error_status_is_a_reply_like_any_other),
        TEST(three_redirects_are_followed_on_request),
        TEST(fourth_redirect_is_a_failure),
        TEST(redirect_to_http_is_a_failure),
        TEST(post_is_never_redirected),
        TEST(http_url_is_a_failure),
        TEST(reply_beyond_the_limits_or_cut_is_none),
        TEST(body_of_the_largest_size_arrives),
        TEST(nobody_listening_is_a_failure_in_words),
        TEST(server_of_a_foreign_root_is_a_failure),
        TEST(system_roots_do_not_trust_the_test_server),
        TEST(trust_without_a_certificate_is_a_failure),
        TEST(certificate_for_another_name_is_a_failure),
        TEST(connection_is_not_shared_with_other_roots),
        TEST(equal_roots_share_a_connection_wherever_they_lie),
        TEST(http_1_requests_share_at_most_four_connections),
        TEST(slow_reply_over_http_1_holds_up_no_other),
        TEST(cancelled_transfer_never_comes_back),
        TEST(end_of_a_transfer_does_not_wait_for_the_resolver),
        TEST(cancel_takes_a_finished_transfer_too),
        TEST(wait_ends_when_the_descriptor_is_ready),
        TEST(environment_proxy_is_not_used),
        TEST(a_proxy_is_used_and_named_without_its_password),
        TEST(roots_of_the_ca_are_not_those_of_a_proxy),
        TEST(free_in_the_middle_leaks_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
