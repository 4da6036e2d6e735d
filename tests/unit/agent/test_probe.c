/* What the agent sees when it looks at a TLS server of this machine. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <time.h>

#include "agent/agent.h"
#include "agent/fetch.h"
#include "crypto/shown.h"
#include "https_server.h"
#include "ipc/channel.h"

enum { FIRST = 70000, PROBES = 64, PATIENCE_S = 40 };

/* How the server behaves. */
enum manner {
    SHOWS,
    WANTS_HEADER = 1,       /* of the PROXY protocol */
    WANTS_CLIENT_CERTIFICATE = 2,
    ONLY_TLS_1_2 = 4,
    SPEAKS_NO_TLS = 8,
    SAYS_NOTHING = 16,
    REFUSES = 32            /* each hello */
};

/* What the server has seen of the last client. */
struct seen {
    atomic_uint connections, data;
    char name[256];
    char protocols[64];
    char header[256];
};

struct fixture {
    struct acme_channel *channel;
    pthread_t thread;
    pid_t server;
    int port;
    struct seen *seen;
    char fingerprint[ACME_FINGERPRINT_SIZE];
    struct answer {
        enum acme_message_type type;
        int64_t at;
        char text[4][1024];
    } answers[PROBES];
    unsigned answered;
};

/* ---- a server, in a process of its own */

static int
look_at_hello(SSL *ssl, int *alert, void *ctx)
{
    struct seen *seen = ctx;
    const unsigned char *data;
    size_t len;

    (void) alert;
    memset(seen->name, 0, sizeof(seen->name));
    memset(seen->protocols, 0, sizeof(seen->protocols));
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &len)
        && len > 5 && len - 5 < sizeof(seen->name)) {
        memcpy(seen->name, data + 5, len - 5);
    }
    if (SSL_client_hello_get0_ext(ssl,
            TLSEXT_TYPE_application_layer_protocol_negotiation, &data, &len)
        && len > 2 && len - 2 < sizeof(seen->protocols)) {
        memcpy(seen->protocols, data + 2, len - 2);
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

static int
refuse_hello(SSL *ssl, int *alert, void *ctx)
{
    (void) ssl;
    (void) ctx;
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return SSL_CLIENT_HELLO_ERROR;
}

static int
trust_anyone(int ok, X509_STORE_CTX *ctx)
{
    (void) ok;
    (void) ctx;
    return 1;
}

static void
read_header(int fd, struct seen *seen)
{
    size_t len = 0;

    while (len < sizeof(seen->header) - 1
        && read(fd, seen->header + len, 1) == 1
        && seen->header[len++] != '\n') {
    }
    seen->header[len] = '\0';
}

static void
serve_one(int fd, SSL_CTX *tls, enum manner manner, struct seen *seen)
{
    SSL *ssl = SSL_new(tls);
    char data[64];

    atomic_fetch_add(&seen->connections, 1);
    if (manner & WANTS_HEADER) {
        read_header(fd, seen);
    }
    if (manner & SAYS_NOTHING) {
        sleep(3600);
    } else if (manner & SPEAKS_NO_TLS) {
        (void) !write(fd, "HTTP/1.1 400 No\r\n\r\n", 19);
    } else if (SSL_set_fd(ssl, fd) == 1 && SSL_accept(ssl) == 1
        && SSL_read(ssl, data, sizeof(data)) > 0) {
        atomic_fetch_add(&seen->data, 1);
    }
    SSL_free(ssl);
    close(fd);
}

static void
run_server(int listener, SSL_CTX *tls, enum manner manner, struct seen *seen)
{
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    SSL_CTX_set_client_hello_cb(tls, manner & REFUSES ? refuse_hello
        : look_at_hello, seen);
    if (manner & ONLY_TLS_1_2) {
        SSL_CTX_set_max_proto_version(tls, TLS1_2_VERSION);
    }
    if (manner & WANTS_CLIENT_CERTIFICATE) {
        SSL_CTX_set_verify(tls, SSL_VERIFY_PEER
            | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, trust_anyone);
    }
    for (;;) {
        int fd = accept(listener, NULL, NULL);

        if (fd < 0) {
            _exit(1);
        }
        serve_one(fd, tls, manner, seen);
    }
}

static void
note_fingerprint(struct fixture *f, SSL_CTX *tls)
{
    BIO *bio = BIO_new(BIO_s_mem());
    struct acme_shown shown;
    struct acme_error err;
    char *data;
    long len;

    PEM_write_bio_X509(bio, SSL_CTX_get0_certificate(tls));
    len = BIO_get_mem_data(bio, &data);
    assert_true(acme_shown_read((struct acme_bytes) { (uint8_t *) data,
        (size_t) len }, &shown, &err));
    strcpy(f->fingerprint, shown.fingerprint);
    BIO_free(bio);
}

static void
begin_server(struct fixture *f, enum manner manner)
{
    int listener = listen_on_loopback(&f->port);
    EVP_PKEY *root_key;
    X509 *root;
    char *pem = make_root(&root_key, &root);
    SSL_CTX *tls = make_tls(root_key, root);

    note_fingerprint(f, tls);
    f->server = fork();
    if (f->server == 0) {
        run_server(listener, tls, manner, f->seen);
    }
    close(listener);
    SSL_CTX_free(tls);
    X509_free(root);
    EVP_PKEY_free(root_key);
    free(pem);
}

static void
end_server(struct fixture *f)
{
    if (f->server > 0) {
        kill(f->server, SIGKILL);
        waitpid(f->server, NULL, 0);
        f->server = 0;
    }
}

/* ---- the agent, in a thread */

static bool
sandbox(void)
{
    return true;
}

static void *
run_agent(void *ctx)
{
    return (void *) (intptr_t) acme_agent_run((int) (intptr_t) ctx, sandbox);
}

static int
set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int fds[2];

    f->seen = mmap(NULL, sizeof(*f->seen), PROT_READ | PROT_WRITE,
        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
    f->channel = acme_channel_new(fds[0], ACME_END_KEEPER);
    assert_int_equal(pthread_create(&f->thread, NULL, run_agent,
        (void *) (intptr_t) fds[1]), 0);
    *state = f;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;
    void *status;

    end_server(f);
    acme_channel_free(f->channel);
    pthread_join(f->thread, &status);
    munmap(f->seen, sizeof(*f->seen));
    free(f);
    return (int) (intptr_t) status;
}

/* ---- probes */

static void
ask_at(struct fixture *f, unsigned number, const char *name,
    const char *address, bool proxy)
{
    struct acme_message message = { .type = ACME_MESSAGE_PROBE,
        .id = FIRST + number, .number = (uint32_t) f->port, .status = proxy,
        .fd = -1, .text = { acme_bytes_of(name), acme_bytes_of(address) } };
    struct acme_error err;

    assert_true(acme_channel_send(f->channel, &message, &err));
}

static void
take(struct fixture *f, const struct acme_message *message)
{
    struct answer *answer;

    assert_in_range(message->id, FIRST, FIRST + PROBES - 1);
    answer = &f->answers[message->id - FIRST];
    assert_int_equal(answer->type, 0);
    assert_true(message->type == ACME_MESSAGE_SERVED
        || message->type == ACME_MESSAGE_NOT_SERVED);
    answer->type = message->type;
    answer->at = message->at;
    for (unsigned i = 0; i < 4; i++) {
        assert_true(acme_message_text(message, i, answer->text[i],
            sizeof(answer->text[i])));
    }
    f->answered++;
}

static void
await(struct fixture *f, unsigned count)
{
    time_t end = time(NULL) + PATIENCE_S;
    struct acme_message message;
    struct acme_error err;

    while (f->answered < count) {
        struct pollfd pfd = { acme_channel_fd(f->channel), POLLIN, 0 };
        bool got = true;

        assert_true(time(NULL) < end);
        poll(&pfd, 1, 100);
        while (got) {
            assert_true(acme_channel_next(f->channel, &message, &got, &err));
            if (got) {
                take(f, &message);
            }
        }
    }
}

/* Ask once, and have the answer. */
static const struct answer *
look(struct fixture *f, const char *name, const char *address, bool proxy)
{
    unsigned number = f->answered;

    ask_at(f, number, name, address, proxy);
    await(f, number + 1);
    return &f->answers[number];
}

static void
assert_shown(const struct fixture *f, const struct answer *answer)
{
    if (answer->type != ACME_MESSAGE_SERVED) {
        fail_msg("%s", answer->text[0]);
    }
    assert_string_equal(answer->text[0], f->fingerprint);
    assert_string_equal(answer->text[1], "CN = leaf");
    assert_non_null(strstr(answer->text[2], "CN = test root"));
    assert_true(answer->text[3][0] != '\0');
    assert_in_range(answer->at, time(NULL) + 3000, time(NULL) + 3700);
}

static void
the_certificate_is_seen_as_a_browser_sees_it(void **state)
{
    struct fixture *f = *state;

    begin_server(f, SHOWS);
    assert_shown(f, look(f, "www.example.test", "127.0.0.1", false));
    assert_string_equal(f->seen->name, "www.example.test");
    assert_string_equal(f->seen->protocols, "\x02h2\x08http/1.1");
    /* again, with a certificate and not by a session */
    assert_shown(f, look(f, "www.example.test", "127.0.0.1", false));
    assert_int_equal(f->seen->connections, 2);
    assert_int_equal(f->seen->data, 0);
}

static void
an_address_is_asked_for_without_a_name(void **state)
{
    struct fixture *f = *state;

    begin_server(f, SHOWS);
    assert_shown(f, look(f, "192.0.2.1", "127.0.0.1", false));
    assert_string_equal(f->seen->name, "");
    assert_shown(f, look(f, "2001:db8::1", "127.0.0.1", false));
    assert_string_equal(f->seen->name, "");
}

static void
a_header_goes_first_where_it_is_wanted(void **state)
{
    struct fixture *f = *state;
    char expected[64];

    begin_server(f, WANTS_HEADER);
    assert_shown(f, look(f, "example.test", "127.0.0.1", true));
    snprintf(expected, sizeof(expected), " %d\r\n", f->port);
    assert_int_equal(strncmp(f->seen->header,
        "PROXY TCP4 127.0.0.1 127.0.0.1 ", 31), 0);
    assert_non_null(strstr(f->seen->header, expected));
}

static void
a_server_that_wants_a_client_certificate_is_seen_with_tls_1_3(void **state)
{
    struct fixture *f = *state;

    begin_server(f, WANTS_CLIENT_CERTIFICATE);
    assert_shown(f, look(f, "example.test", "127.0.0.1", false));
}

static void
what_cannot_be_seen_is_said(void **state)
{
    static const struct {
        const char *what;
        enum manner manner;
        bool proxy;
    } rows[] = {
        { "a client certificate, with TLS 1.2", WANTS_CLIENT_CERTIFICATE
            | ONLY_TLS_1_2, false },
        { "no TLS", SPEAKS_NO_TLS, false },
        { "an alert", REFUSES, false },
        { "a header that nobody wants", SHOWS, true },
        { "no word", SAYS_NOTHING, false },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const struct answer *answer;

        begin_server(f, rows[i].manner);
        answer = look(f, "example.test", "127.0.0.1", rows[i].proxy);
        end_server(f);
        if (answer->type != ACME_MESSAGE_NOT_SERVED
            || answer->text[0][0] == '\0') {
            fail_msg("%s: %s", rows[i].what, answer->text[0]);
        }
    }
    /* and nobody there at all; an address of the other family */
    assert_int_equal(look(f, "example.test", "127.0.0.1", false)->type,
        ACME_MESSAGE_NOT_SERVED);
    assert_int_equal(look(f, "example.test", "::1", false)->type,
        ACME_MESSAGE_NOT_SERVED);
}

static void
the_environment_has_no_say(void **state)
{
    struct fixture *f = *state;

    begin_server(f, SHOWS);
    setenv("https_proxy", "http://127.0.0.1:1", 1);
    assert_shown(f, look(f, "example.test", "127.0.0.1", false));
    unsetenv("https_proxy");
}

static void
many_are_looked_at_at_once_and_no_more(void **state)
{
    const unsigned max = ACME_FETCH_GUESTS_MAX;
    struct fixture *f = *state;
    unsigned refused = 0;

    begin_server(f, SAYS_NOTHING);
    for (unsigned i = 0; i <= max; i++) {
        ask_at(f, i, "example.test", "127.0.0.1", false);
    }
    await(f, 1);
    assert_int_equal(f->answers[max].type, ACME_MESSAGE_NOT_SERVED);
    assert_non_null(strstr(f->answers[max].text[0], "cannot be begun"));
    await(f, max + 1);
    for (unsigned i = 0; i < max; i++) {
        refused += f->answers[i].type == ACME_MESSAGE_NOT_SERVED;
    }
    assert_int_equal(refused, max);

    /* there is room again */
    end_server(f);
    begin_server(f, SHOWS);
    for (unsigned i = 0; i < max; i++) {
        ask_at(f, max + 1 + i, "example.test", "127.0.0.1", false);
    }
    await(f, 2 * max + 1);
    for (unsigned i = 0; i < max; i++) {
        assert_shown(f, &f->answers[max + 1 + i]);
    }
}

static void
the_agent_ends_in_mid_probe(void **state)
{
    struct fixture *f = *state;
    time_t end = time(NULL) + PATIENCE_S;

    begin_server(f, SAYS_NOTHING);
    ask_at(f, 0, "example.test", "127.0.0.1", false);
    while (atomic_load(&f->seen->connections) == 0) {
        assert_true(time(NULL) < end);
        usleep(10000);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_certificate_is_seen_as_a_browser_sees_it),
        TEST(an_address_is_asked_for_without_a_name),
        TEST(a_header_goes_first_where_it_is_wanted),
        TEST(a_server_that_wants_a_client_certificate_is_seen_with_tls_1_3),
        TEST(what_cannot_be_seen_is_said),
        TEST(the_environment_has_no_say),
        TEST(many_are_looked_at_at_once_and_no_more),
        TEST(the_agent_ends_in_mid_probe),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
