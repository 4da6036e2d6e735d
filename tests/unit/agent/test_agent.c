/* The whole agent: the test plays the keeper, a small server the CA. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <time.h>

#include "agent/agent.h"
#include "base/log.h"
#include "fake_ca.h"
#include "ipc/channel.h"
#include "protocol/request.h"
#include "protocol/session.h"

enum { SESSION = 1, FIRST_JOB = 100, JOBS = 700, PATIENCE_S = 40,
    FIRST_QUESTION = 5000, QUESTIONS = 64 };

struct fixture {
    struct server server;
    struct acme_channel *channel;
    pthread_t thread;
    char account[ACME_URL_MAX + 1];     /* as a keeper saves it */
    unsigned heard[64];                 /* messages, by type */
    unsigned signed_kinds[ACME_KIND_REVOKE + 1];
    uint32_t hints;                     /* of the account, for send_ca */
    const char *mail;                   /* to bind it by, or NULL */
    unsigned wants_update;              /* the answer to SAVE_ACCOUNT */
    char told[1024];                    /* first text of KEY, UPDATED ... */
    uint32_t told_number;
    bool task_done;
    unsigned refuse_kind;               /* answer its SIGN by REFUSED */
    unsigned mute_type;                 /* leave such messages unanswered */
    char final_directory[ACME_URL_MAX + 1];
    struct result {
        bool chain, failed;
        unsigned verdict, status;
        int64_t retry_at;
        char problem[64], text[1024], step[256];
    } results[JOBS];
    unsigned ended;
    struct renewal_answer {
        enum acme_message_type type;
        int64_t at;
        char text[3][1024];
    } renewals[QUESTIONS];
    unsigned answered;
};

/* ---- the agent, in a thread */

static bool
sandbox(void)
{
    return true;
}

static bool
broken_sandbox(void)
{
    return false;
}

static void *
run_agent(void *ctx)
{
    int fd = (int) (intptr_t) ctx;

    return (void *) (intptr_t) acme_agent_run(fd, sandbox);
}

static int
set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int fds[2];

    f->server = start_server(fake_ca);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
    f->channel = acme_channel_new(fds[0], ACME_END_KEEPER);
    assert_non_null(f->channel);
    assert_int_equal(pthread_create(&f->thread, NULL, run_agent,
        (void *) (intptr_t) fds[1]), 0);
    *state = f;
    return 0;
}

/* Whatever it was doing, the agent ends well when the keeper is gone. */
static int
tear_down(void **state)
{
    struct fixture *f = *state;
    void *status;

    acme_channel_free(f->channel);
    pthread_join(f->thread, &status);
    stop_server(&f->server);
    free(f);
    return (int) (intptr_t) status;
}

/* ---- the keeper's words */

static void
send_message(struct fixture *f, struct acme_message message)
{
    struct acme_error err;

    assert_true(acme_channel_send(f->channel, &message, &err));
}

static void
send_ca_with(struct fixture *f, const char *account, int trust_fd)
{
    char url[64], bind_url[64];

    snprintf(url, sizeof(url), "https://127.0.0.1:%d/dir", f->server.port);
    snprintf(bind_url, sizeof(bind_url), "https://127.0.0.1:%d/binding",
        f->server.port);
    snprintf(f->account, sizeof(f->account), "%s", account);
    send_message(f, (struct acme_message) { .type = ACME_MESSAGE_CA,
        .id = SESSION, .number = f->hints, .fd = trust_fd, .text = {
        acme_bytes_of(url), acme_bytes_of(account), acme_bytes_of("test/1"),
        acme_bytes_of(NULL), acme_bytes_of(f->mail),
        acme_bytes_of(f->mail != NULL ? bind_url : NULL) } });
}

static int
memfd_of(const char *text)
{
    int fd = memfd_create("trust", MFD_CLOEXEC);

    assert_int_equal(write(fd, text, strlen(text)), (ssize_t) strlen(text));
    return fd;
}

static void
send_ca(struct fixture *f, const char *account)
{
    int fd = memfd_of(f->server.root);

    send_ca_with(f, account, fd);
    close(fd);
}

static void
send_order_for(struct fixture *f, unsigned job, const char *names,
    const char *url)
{
    send_message(f, (struct acme_message) { .type = ACME_MESSAGE_ORDER,
        .id = FIRST_JOB + job, .number = SESSION, .fd = -1,
        .text = { acme_bytes_of(names), acme_bytes_of(url),
        acme_bytes_of("http-01") } });
}

static void
send_order(struct fixture *f, unsigned job)
{
    char name[32];

    snprintf(name, sizeof(name), "job%u.test", job);
    send_order_for(f, job, name, "");
}

static void
send_task(struct fixture *f, unsigned job, enum acme_kind kind)
{
    send_message(f, (struct acme_message) { .type = ACME_MESSAGE_TASK,
        .id = FIRST_JOB + job, .number = SESSION, .status = kind,
        .fd = -1 });
}

static void
send_word(struct fixture *f, enum acme_message_type type, uint32_t id,
    const char *text)
{
    send_message(f, (struct acme_message) { .type = type, .id = id, .fd = -1,
        .text = { acme_bytes_of(text) } });
}

static void
send_question(struct fixture *f, unsigned number)
{
    char cert_id[32];

    snprintf(cert_id, sizeof(cert_id), "aYhb.%u", number);
    send_message(f, (struct acme_message) { .type = ACME_MESSAGE_RENEWAL_INFO,
        .id = FIRST_QUESTION + number, .number = SESSION, .fd = -1,
        .text = { acme_bytes_of(cert_id) } });
}

/* ---- the keeper's answers */

static const char *
text_of(const struct acme_message *message, unsigned index)
{
    static char texts[ACME_MESSAGE_TEXTS][ACME_MESSAGE_MAX];

    assert_true(acme_message_text(message, index, texts[index],
        sizeof(texts[index])));
    return texts[index];
}

static void
sign(struct fixture *f, const struct acme_message *message)
{
    char body[4096], name[32];

    assert_in_range(message->number, ACME_KIND_NEW_ACCOUNT, ACME_KIND_REVOKE);
    assert_int_equal(message->number == ACME_KIND_NEW_ACCOUNT
        || (message->number >= ACME_KIND_FIND_ACCOUNT
            && message->number <= ACME_KIND_UPDATE_ACCOUNT),
        message->id == SESSION);
    snprintf(name, sizeof(name), "job%u.test", message->id - FIRST_JOB);
    if (message->number == ACME_KIND_FIND_ACCOUNT
        || message->number == ACME_KIND_TRY_NEW_KEY) {
        strcpy(name, message->number == ACME_KIND_FIND_ACCOUNT ? "find"
            : "find-new-key");
    }
    f->signed_kinds[message->number]++;
    if (message->number == f->refuse_kind) {
        send_word(f, ACME_MESSAGE_REFUSED, message->id, "because");
        return;
    }
    snprintf(body, sizeof(body), "%s %s %s %s", text_of(message, 1),
        f->account[0] != '\0' ? f->account : "none", text_of(message, 0),
        name);
    send_word(f, ACME_MESSAGE_SIGNED, message->id, body);
}

static struct result *
end_of_job(struct fixture *f, const struct acme_message *message)
{
    struct result *result;

    assert_in_range(message->id, FIRST_JOB, FIRST_JOB + JOBS - 1);
    result = &f->results[message->id - FIRST_JOB];
    assert_false(result->chain || result->failed);
    f->ended++;
    return result;
}

static void
take_failed(struct fixture *f, const struct acme_message *message)
{
    struct result *result = end_of_job(f, message);

    result->failed = true;
    result->verdict = message->number;
    result->status = message->status;
    result->retry_at = message->at;
    snprintf(result->problem, sizeof(result->problem), "%.63s",
        text_of(message, 0));
    snprintf(result->text, sizeof(result->text), "%.1023s",
        text_of(message, 2));
    snprintf(result->step, sizeof(result->step), "%.255s",
        text_of(message, 3));
}

static void
take_renewal(struct fixture *f, const struct acme_message *message)
{
    struct renewal_answer *renewal;

    assert_in_range(message->id, FIRST_QUESTION,
        FIRST_QUESTION + QUESTIONS - 1);
    renewal = &f->renewals[message->id - FIRST_QUESTION];
    assert_int_equal(renewal->type, 0);
    renewal->type = message->type;
    renewal->at = message->at;
    for (unsigned i = 0; i < 3; i++) {
        assert_true(acme_message_text(message, i, renewal->text[i],
            sizeof(renewal->text[i])));
    }
    f->answered++;
}

static void
check_log(const struct acme_message *message)
{
    const char *line = text_of(message, 0);

    assert_in_range(message->number, ACME_LOG_ERROR, ACME_LOG_DEBUG);
    assert_null(strstr(line, "nonce-"));
    assert_null(strstr(line, "secrettoken"));
    if (getenv("SHOW_LOG") != NULL) {
        print_message("%u: %s\n", message->id, line);
    }
}

static void
answer(struct fixture *f, const struct acme_message *message)
{
    assert_in_range(message->type, 1, 63);
    f->heard[message->type]++;
    if (message->type == f->mute_type) {
        return;
    }
    switch (message->type) {
    case ACME_MESSAGE_SIGN:
        sign(f, message);
        break;
    case ACME_MESSAGE_DIRECTORY:
        snprintf(f->final_directory, sizeof(f->final_directory), "%.2048s",
            text_of(message, 0));
        assert_non_null(strstr(text_of(message, 1), "/order"));
        assert_non_null(strstr(text_of(message, 2), "/account"));
        assert_non_null(strstr(text_of(message, 3), "/order"));
        send_word(f, ACME_MESSAGE_DONE, message->id, "");
        break;
    case ACME_MESSAGE_SAVE_ACCOUNT:
        snprintf(f->account, sizeof(f->account), "%.2048s",
            text_of(message, 0));
        send_message(f, (struct acme_message) { .type = ACME_MESSAGE_DONE,
            .id = message->id, .number = f->wants_update, .fd = -1 });
        break;
    case ACME_MESSAGE_KEY:
    case ACME_MESSAGE_BINDING:
    case ACME_MESSAGE_UPDATED:
        snprintf(f->told, sizeof(f->told), "%.500s %.500s",
            text_of(message, 0), text_of(message, 1));
        f->told_number = message->number;
        send_word(f, ACME_MESSAGE_DONE, message->id, "");
        break;
    case ACME_MESSAGE_TASK_DONE:
        end_of_job(f, message);
        f->task_done = true;
        break;
    case ACME_MESSAGE_SAVE_ORDER:
        assert_int_equal(message->at, INT64_C(4070908800));  /* 2099 */
        send_word(f, ACME_MESSAGE_DONE, message->id, "");
        break;
    case ACME_MESSAGE_PUBLISH:
        send_word(f, ACME_MESSAGE_DONE, message->id, "");
        break;
    case ACME_MESSAGE_CHAIN:
        assert_non_null(strstr(text_of(message, 0), "BEGIN CERTIFICATE"));
        end_of_job(f, message)->chain = true;
        break;
    case ACME_MESSAGE_FAILED:
        take_failed(f, message);
        break;
    case ACME_MESSAGE_LOG:
        check_log(message);
        break;
    case ACME_MESSAGE_RENEWAL_WINDOW:
    case ACME_MESSAGE_NO_RENEWAL_INFO:
    case ACME_MESSAGE_RENEWAL_FAILED:
        take_renewal(f, message);
        break;
    default:
        fail_msg("%s from the agent", acme_message_name(message->type));
    }
}

/* Answer what comes within ms milliseconds. */
static void
listen_for(struct fixture *f, int ms)
{
    struct pollfd pfd = { .fd = acme_channel_fd(f->channel),
        .events = acme_channel_events(f->channel) };
    struct acme_message message;
    struct acme_error err;
    bool got = true;

    poll(&pfd, 1, ms);
    assert_true(acme_channel_flush(f->channel, &err));
    while (got) {
        if (!acme_channel_next(f->channel, &message, &got, &err)) {
            fail_msg("%s", err.text);
        }
        if (got) {
            answer(f, &message);
        }
    }
}

#define listen_until(f, condition) \
    do { \
        time_t end_ = time(NULL) + PATIENCE_S; \
        while (!(condition)) { \
            assert_true(time(NULL) < end_); \
            listen_for((f), 100); \
        } \
    } while (0)

#define await_end_of(f, count) listen_until((f), (f)->ended >= (count))

static void
assert_all_certified(const struct fixture *f, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++) {
        if (!f->results[i].chain) {
            fail_msg("job %u: %s", i, f->results[i].text);
        }
    }
}

static void
set_fault(struct fixture *f, unsigned knob)
{
    atomic_store(&f->server.shared->knob, knob);
}

static unsigned
directories(const struct fixture *f)
{
    return f->heard[ACME_MESSAGE_DIRECTORY];
}

/* ---- the path to a certificate */

static void
order_goes_from_directory_to_chain(void **state)
{
    struct fixture *f = *state;

    send_ca(f, "");
    send_order(f, 0);
    await_end_of(f, 1);
    assert_all_certified(f, 0, 1);
    assert_int_equal(directories(f), 1);
    assert_int_equal(f->heard[ACME_MESSAGE_SAVE_ACCOUNT], 1);
    assert_int_equal(f->heard[ACME_MESSAGE_SAVE_ORDER], 1);
    assert_int_equal(f->heard[ACME_MESSAGE_PUBLISH], 1);
    assert_int_equal(f->signed_kinds[ACME_KIND_NEW_ACCOUNT], 1);
    assert_int_equal(f->signed_kinds[ACME_KIND_NEW_ORDER], 1);
    assert_int_equal(f->signed_kinds[ACME_KIND_RESPOND], 1);
    assert_int_equal(f->signed_kinds[ACME_KIND_FINALIZE], 1);
    assert_int_equal(f->server.shared->connections, 1);
    assert_int_equal(f->server.shared->heads, 0);  /* replies bring them */
    assert_true(f->heard[ACME_MESSAGE_LOG] > 0);
}

static void
known_account_is_not_registered_again(void **state)
{
    struct fixture *f = *state;

    send_ca(f, "https://127.0.0.1/account/9");
    send_order(f, 0);
    await_end_of(f, 1);
    assert_all_certified(f, 0, 1);
    assert_int_equal(f->signed_kinds[ACME_KIND_NEW_ACCOUNT], 0);
}

static void
saved_order_is_taken_up_again(void **state)
{
    struct fixture *f = *state;
    char url[64];

    send_ca(f, "");
    f->mute_type = ACME_MESSAGE_PUBLISH;
    send_order(f, 0);
    listen_until(f, f->heard[ACME_MESSAGE_PUBLISH] == 1);
    f->mute_type = 0;
    send_word(f, ACME_MESSAGE_CANCEL, FIRST_JOB, "");
    snprintf(url, sizeof(url), "https://127.0.0.1:%d/order/0",
        f->server.port);
    send_order_for(f, 1, "job0.test", url);
    await_end_of(f, 1);
    assert_all_certified(f, 1, 1);
    assert_int_equal(f->signed_kinds[ACME_KIND_NEW_ORDER], 1);
    assert_int_equal(directories(f), 1);
}

static void
many_orders_share_session_and_connections(void **state)
{
    struct fixture *f = *state;

    send_ca(f, "");
    for (unsigned i = 0; i < 32; i++) {
        send_order(f, i);
    }
    await_end_of(f, 32);
    assert_all_certified(f, 0, 32);
    assert_int_equal(directories(f), 1);
    assert_int_equal(f->signed_kinds[ACME_KIND_NEW_ACCOUNT], 1);
    assert_int_equal(f->signed_kinds[ACME_KIND_NEW_ORDER], 32);
    assert_true(f->server.shared->connections <= 4);
    assert_true(f->server.shared->heads <= 33);
}

static void
directory_behind_a_redirect_is_used(void **state)
{
    struct fixture *f = *state;

    set_fault(f, DIRECTORY_MOVED);
    send_ca(f, "");
    send_order(f, 0);
    await_end_of(f, 1);
    assert_all_certified(f, 0, 1);
    assert_non_null(strstr(f->final_directory, "/new/dir"));
}

/* ---- nonces */

static void
bad_nonce_repeats_the_request(void **state)
{
    struct fixture *f = *state;

    set_fault(f, REFUSES_SOME_NONCES);
    send_ca(f, "");
    for (unsigned i = 0; i < 10; i++) {
        send_order(f, i);
    }
    await_end_of(f, 10);
    assert_all_certified(f, 0, 10);
    assert_true(f->signed_kinds[ACME_KIND_NEW_ORDER] > 10);
}

static void
endless_bad_nonces_end_after_twenty(void **state)
{
    struct fixture *f = *state;

    send_ca(f, "https://127.0.0.1/account/9");
    set_fault(f, REFUSES_ALL_NONCES);
    send_order(f, 0);
    await_end_of(f, 1);
    assert_true(f->results[0].failed);
    assert_int_equal(f->results[0].verdict, ACME_RETRY);
    assert_in_range(f->signed_kinds[ACME_KIND_NEW_ORDER], 20, 21);
}

static void
ca_without_nonces_fails_those_who_wait_for_one(void **state)
{
    static const struct {
        unsigned fault;
        const char *account, *step;
    } rows[] = {
        { NEW_NONCE_EMPTY, "https://127.0.0.1/account/9", "newOrder" },
        { NEW_NONCE_DOWN, "https://127.0.0.1/account/9", "newOrder" },
        { NEW_NONCE_EMPTY, "", "newAccount" },
        { NEW_NONCE_DOWN, "", "newAccount" },
    };
    struct fixture *f = *state;
    unsigned job = 0;

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        set_fault(f, NO_NONCE_ELSEWHERE | rows[i].fault);
        send_ca(f, rows[i].account);
        for (unsigned k = 0; k < 5; k++, job++) {
            send_order(f, job);
        }
        await_end_of(f, job);
        for (unsigned k = job - 5; k < job; k++) {
            assert_true(f->results[k].failed);
            assert_string_equal(f->results[k].step, rows[i].step);
            assert_non_null(strstr(f->results[k].text, "newNonce"));
        }
        set_fault(f, 0);
        send_order(f, job++);
        await_end_of(f, job);
        assert_all_certified(f, job - 1, 1);
    }
}

static void
nonces_are_fetched_for_all_who_wait_and_no_more(void **state)
{
    struct fixture *f = *state;

    set_fault(f, NO_NONCE_ELSEWHERE);
    send_ca(f, "");
    for (unsigned i = 0; i < 10; i++) {
        send_order(f, i);
    }
    await_end_of(f, 10);
    assert_all_certified(f, 0, 10);
    assert_int_equal(f->server.shared->heads,
        1 + f->signed_kinds[ACME_KIND_NEW_ORDER]
        + f->signed_kinds[ACME_KIND_POST_AS_GET]
        + f->signed_kinds[ACME_KIND_RESPOND]
        + f->signed_kinds[ACME_KIND_FINALIZE]);
}

/* ---- failures of the session */

static void
failed_directory_fails_those_who_wait_and_the_next_starts_over(void **state)
{
    struct fixture *f = *state;

    set_fault(f, DIRECTORY_DOWN);
    send_ca(f, "");
    for (unsigned i = 0; i < 3; i++) {
        send_order(f, i);
    }
    await_end_of(f, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(f->results[i].failed);
        assert_int_equal(f->results[i].status, 503);
        assert_int_equal(f->results[i].verdict, ACME_RETRY);
        assert_string_equal(f->results[i].text, f->results[0].text);
        assert_string_equal(f->results[i].step, "directory");
    }
    set_fault(f, 0);
    send_order(f, 3);
    await_end_of(f, 4);
    assert_all_certified(f, 3, 1);
}

static void
directory_that_says_bad_nonce_is_a_failure(void **state)
{
    struct fixture *f = *state;

    set_fault(f, DIRECTORY_SAYS_BAD_NONCE);
    send_ca(f, "");
    send_order(f, 0);
    await_end_of(f, 1);
    assert_true(f->results[0].failed);
    assert_int_equal(f->signed_kinds[ACME_KIND_NEW_ACCOUNT], 0);
}

static void
untrusted_ca_is_a_failure_in_words(void **state)
{
    struct fixture *f = *state;
    char *other = make_root(NULL, NULL);
    int fd = memfd_of(other);

    free(other);
    send_ca_with(f, "", fd);
    close(fd);
    send_order(f, 0);
    await_end_of(f, 1);
    assert_true(f->results[0].failed);
    assert_non_null(strstr(f->results[0].text, "certificate"));
}

/* Never the system's roots in place of those that were meant. */
static void
unusable_trust_fails_orders_and_not_the_agent(void **state)
{
    struct fixture *f = *state;
    char *large = calloc(1, 1024 * 1024 + 2);
    int fds[3];

    memset(large, 'x', 1024 * 1024 + 1);
    fds[0] = memfd_of("");
    fds[1] = memfd_of(large);
    fds[2] = open("/", O_RDONLY | O_DIRECTORY);
    free(large);
    for (unsigned i = 0; i < 3; i++) {
        send_ca_with(f, "", fds[i]);
        close(fds[i]);
        send_order(f, i);
        await_end_of(f, i + 1);
        assert_true(f->results[i].failed);
        assert_int_equal(f->results[i].verdict, ACME_LOCAL);
        assert_non_null(strstr(f->results[i].text, "acme_ca_certificate"));
    }
    assert_int_equal(f->server.shared->connections, 0);
}

static void
session_refused_by_the_keeper_fails_those_who_wait(void **state)
{
    struct fixture *f = *state;

    f->refuse_kind = ACME_KIND_NEW_ACCOUNT;
    send_ca(f, "");
    send_order(f, 0);
    send_order(f, 1);
    await_end_of(f, 2);
    assert_string_equal(f->results[0].text, "because");
    assert_string_equal(f->results[1].text, "because");
    f->refuse_kind = 0;
    send_order(f, 2);
    await_end_of(f, 3);
    assert_all_certified(f, 2, 1);
}

static void
ca_told_of_again_begins_anew(void **state)
{
    struct fixture *f = *state;
    char *other = make_root(NULL, NULL);
    int fd = memfd_of(other);

    free(other);
    send_ca_with(f, "", fd);
    close(fd);
    f->mute_type = ACME_MESSAGE_PUBLISH;
    send_order(f, 0);
    await_end_of(f, 1);
    send_ca(f, "");
    send_order(f, 1);
    listen_until(f, f->heard[ACME_MESSAGE_PUBLISH] == 1);
    f->mute_type = 0;
    send_ca(f, "");
    send_order(f, 2);
    await_end_of(f, 3);
    assert_true(f->results[1].failed);
    assert_int_equal(f->results[1].verdict, ACME_RETRY);
    assert_all_certified(f, 2, 1);
    assert_int_equal(directories(f), 2);
}

/* ---- an account that there is */

static void
used_key_finds_its_account(void **state)
{
    struct fixture *f = *state;

    f->hints = ACME_ACCOUNT_MAY_EXIST;
    set_fault(f, HAS_OUR_ACCOUNT);
    send_ca(f, "");
    send_order(f, 0);
    await_end_of(f, 1);
    assert_all_certified(f, 0, 1);
    assert_int_equal(f->signed_kinds[ACME_KIND_FIND_ACCOUNT], 1);
    assert_int_equal(f->signed_kinds[ACME_KIND_NEW_ACCOUNT], 0);
}

static void
used_key_without_an_account_registers_one(void **state)
{
    struct fixture *f = *state;

    f->hints = ACME_ACCOUNT_MAY_EXIST;
    send_ca(f, "");
    send_order(f, 0);
    await_end_of(f, 1);
    assert_all_certified(f, 0, 1);
    assert_int_equal(f->signed_kinds[ACME_KIND_FIND_ACCOUNT], 1);
    assert_int_equal(f->signed_kinds[ACME_KIND_NEW_ACCOUNT], 1);
}

static void
account_that_is_bound_already_is_found(void **state)
{
    struct fixture *f = *state;

    set_fault(f, IS_BOUND | HAS_OUR_ACCOUNT);
    send_ca(f, "");
    send_order(f, 0);
    await_end_of(f, 1);
    assert_all_certified(f, 0, 1);
    assert_int_equal(f->signed_kinds[ACME_KIND_NEW_ACCOUNT], 1);
    assert_int_equal(f->signed_kinds[ACME_KIND_FIND_ACCOUNT], 1);
}

static void
key_in_doubt_is_asked_for_before_an_order(void **state)
{
    struct fixture *f = *state;

    f->hints = ACME_ACCOUNT_KEY_IN_DOUBT;
    send_ca(f, "https://127.0.0.1/account/9");
    send_order(f, 0);
    await_end_of(f, 1);
    assert_all_certified(f, 0, 1);
    assert_int_equal(f->heard[ACME_MESSAGE_KEY], 1);
    assert_int_equal(f->told_number, 0);

    set_fault(f, KNOWS_NEW_KEY);
    send_ca(f, "https://127.0.0.1/account/9");
    send_order(f, 1);
    await_end_of(f, 2);
    assert_all_certified(f, 1, 1);
    assert_int_equal(f->told_number, 1);
    assert_non_null(strstr(f->told, "/account/1"));
}

static void
changed_contacts_are_sent_once(void **state)
{
    struct fixture *f = *state;

    f->wants_update = 1;
    send_ca(f, "");
    for (unsigned i = 0; i < 3; i++) {
        send_order(f, i);
    }
    await_end_of(f, 3);
    assert_all_certified(f, 0, 3);
    assert_int_equal(f->signed_kinds[ACME_KIND_UPDATE_ACCOUNT], 1);
    assert_int_equal(f->heard[ACME_MESSAGE_UPDATED], 1);
    assert_string_equal(f->told, " ");
}

static void
contacts_that_are_refused_stop_no_order(void **state)
{
    struct fixture *f = *state;
    char url[64];

    snprintf(url, sizeof(url), "https://127.0.0.1:%d/account/9",
        f->server.port);
    f->hints = ACME_ACCOUNT_UPDATE;
    set_fault(f, REFUSES_CONTACTS);
    send_ca(f, url);
    send_order(f, 0);
    await_end_of(f, 1);
    assert_all_certified(f, 0, 1);
    assert_string_equal(f->told, "invalidContact: says the fake CA ");

    set_fault(f, BUSY_WITH_ACCOUNTS);
    send_ca(f, url);
    send_order(f, 1);
    await_end_of(f, 2);
    assert_all_certified(f, 1, 1);
    assert_int_equal(f->heard[ACME_MESSAGE_UPDATED], 1);
}

/* ---- a binding for a mail address */

static void
binding_is_got_before_the_account(void **state)
{
    struct fixture *f = *state;

    f->mail = "me@a.test";
    send_ca(f, "");
    send_order(f, 0);
    send_order(f, 1);
    await_end_of(f, 2);
    assert_all_certified(f, 0, 2);
    assert_int_equal(f->heard[ACME_MESSAGE_BINDING], 1);
    assert_string_equal(f->told, "kid-1 c2VjcmV0");
}

static void
binding_that_is_refused_fails_in_the_words_of_the_ca(void **state)
{
    struct fixture *f = *state;

    f->mail = "me@a.test";
    set_fault(f, REFUSES_BINDINGS);
    send_ca(f, "");
    send_order(f, 0);
    await_end_of(f, 1);
    assert_true(f->results[0].failed);
    assert_int_equal(f->results[0].verdict, ACME_MISCONFIG);
    assert_string_equal(f->results[0].step, "account binding");
    assert_non_null(strstr(f->results[0].text, "no_mail (code 2900)"));
    set_fault(f, 0);
    send_order(f, 1);
    await_end_of(f, 2);
    assert_all_certified(f, 1, 1);
}

/* ---- one request for the account */

static void
task_is_one_request(void **state)
{
    static const enum acme_kind kinds[] = { ACME_KIND_KEY_CHANGE,
        ACME_KIND_REVOKE };
    struct fixture *f = *state;

    set_fault(f, REFUSES_SOME_NONCES);
    send_ca(f, "https://127.0.0.1/account/9");
    for (unsigned i = 0; i < 2; i++) {
        f->task_done = false;
        send_task(f, i, kinds[i]);
        await_end_of(f, i + 1);
        assert_true(f->task_done);
        assert_true(f->signed_kinds[kinds[i]] >= 1);
    }
    send_order(f, 2);
    await_end_of(f, 3);
    assert_all_certified(f, 2, 1);
}

static const struct {
    unsigned fault;
    unsigned verdict;
    const char *step, *words;
} task_failures[] = {
    { OFFERS_LITTLE, ACME_MISCONFIG, "keyChange", "offers no keyChange" },
    { BUSY_WITH_ACCOUNTS, ACME_RETRY, "keyChange", "HTTP status 503" },
    { DIRECTORY_DOWN, ACME_RETRY, "directory", "HTTP status 503" },
    { NEW_NONCE_DOWN | NO_NONCE_ELSEWHERE, ACME_RETRY, "keyChange",
        "newNonce" },
};

static void
task_fails_in_words(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0;
         i < sizeof(task_failures) / sizeof(task_failures[0]); i++) {
        set_fault(f, task_failures[i].fault);
        send_ca(f, "https://127.0.0.1/account/9");
        send_task(f, i, ACME_KIND_KEY_CHANGE);
        await_end_of(f, i + 1);
        assert_true(f->results[i].failed);
        assert_int_equal(f->results[i].verdict, task_failures[i].verdict);
        assert_string_equal(f->results[i].step, task_failures[i].step);
        if (strstr(f->results[i].text, task_failures[i].words) == NULL) {
            fail_msg("%s", f->results[i].text);
        }
    }
}

static void
task_of_another_kind_is_ignored(void **state)
{
    struct fixture *f = *state;

    send_ca(f, "https://127.0.0.1/account/9");
    send_task(f, 0, ACME_KIND_NEW_ORDER);
    send_order(f, 1);
    await_end_of(f, 1);
    assert_all_certified(f, 1, 1);
    assert_int_equal(f->signed_kinds[ACME_KIND_NEW_ORDER], 1);
}

/* ---- a CA that lost our account */

static void
lost_account_is_registered_once_for_all_orders(void **state)
{
    struct fixture *f = *state;

    set_fault(f, FORGOT_ACCOUNTS);
    send_ca(f, "https://127.0.0.1/account/9");
    for (unsigned i = 0; i < 10; i++) {
        send_order(f, i);
    }
    await_end_of(f, 10);
    assert_all_certified(f, 0, 10);
    assert_int_equal(f->signed_kinds[ACME_KIND_NEW_ACCOUNT], 1);
    assert_int_equal(f->heard[ACME_MESSAGE_SAVE_ACCOUNT], 1);
}

static void
account_lost_in_mid_order_begins_the_order_anew(void **state)
{
    struct fixture *f = *state;

    send_ca(f, "");
    f->mute_type = ACME_MESSAGE_PUBLISH;
    for (unsigned i = 0; i < 4; i++) {
        send_order(f, i);
    }
    listen_until(f, f->heard[ACME_MESSAGE_PUBLISH] == 4);
    f->mute_type = 0;
    set_fault(f, FORGOT_ACCOUNTS);
    snprintf(f->account, sizeof(f->account), "https://127.0.0.1/account/9");
    for (unsigned i = 0; i < 4; i++) {
        send_word(f, ACME_MESSAGE_DONE, FIRST_JOB + i, "");
    }
    await_end_of(f, 4);
    assert_all_certified(f, 0, 4);
    assert_int_equal(f->signed_kinds[ACME_KIND_NEW_ACCOUNT], 2);
    assert_int_equal(f->signed_kinds[ACME_KIND_NEW_ORDER], 8);
}

static void
account_that_is_lost_again_and_again_is_a_failure(void **state)
{
    struct fixture *f = *state;

    set_fault(f, NEVER_KNOWS_ACCOUNTS);
    send_ca(f, "");
    send_order(f, 0);
    send_order(f, 1);
    await_end_of(f, 2);
    assert_string_equal(f->results[0].problem, "accountDoesNotExist");
    assert_string_equal(f->results[1].problem, "accountDoesNotExist");
    assert_int_equal(f->signed_kinds[ACME_KIND_NEW_ACCOUNT], 2);
}

/* ---- failures of one order */

static void
problem_of_the_ca_reaches_the_keeper_whole(void **state)
{
    struct fixture *f = *state;
    const struct result *result = &f->results[0];

    set_fault(f, LIMITS_ORDERS);
    send_ca(f, "");
    send_order(f, 0);
    await_end_of(f, 1);
    assert_true(result->failed);
    assert_string_equal(result->problem, "rateLimited");
    assert_int_equal(result->status, 429);
    assert_int_equal(result->verdict, ACME_RETRY);
    assert_true(result->retry_at > (int64_t) time(NULL) + 3000);
    assert_non_null(strstr(result->text, "says the fake CA"));
    assert_string_equal(result->step, "newOrder");
}

static void
refusal_ends_one_order_and_not_the_others(void **state)
{
    struct fixture *f = *state;

    send_ca(f, "");
    f->refuse_kind = ACME_KIND_FINALIZE;
    send_order(f, 0);
    await_end_of(f, 1);
    assert_true(f->results[0].failed);
    assert_string_equal(f->results[0].text, "because");
    assert_string_equal(f->results[0].step, "finalize");
    f->refuse_kind = 0;
    send_order(f, 1);
    await_end_of(f, 2);
    assert_all_certified(f, 1, 1);
}

static void
order_that_cannot_be_taken_fails_alone(void **state)
{
    struct fixture *f = *state;
    char names[40 * 1024];

    memset(names, 'a', sizeof(names));
    for (size_t i = 1; i < sizeof(names); i += 2) {
        names[i] = '\n';
    }
    names[sizeof(names) - 1] = '\0';
    send_order(f, 0);                     /* no such session yet */
    send_ca(f, "");
    send_order_for(f, 1, names, "");      /* too many names */
    send_order_for(f, 2, "", "");
    await_end_of(f, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(f->results[i].failed);
    }
    send_order(f, 3);
    await_end_of(f, 4);
    assert_all_certified(f, 3, 1);
}

static void
orders_beyond_the_limit_fail_alone(void **state)
{
    struct fixture *f = *state;

    f->mute_type = ACME_MESSAGE_DIRECTORY;
    send_ca(f, "");
    for (unsigned i = 0; i < 515; i++) {
        send_order(f, i);
    }
    await_end_of(f, 3);
    assert_true(f->results[512].failed && f->results[514].failed);
    listen_until(f, directories(f) == 1);
}

static void
cancelled_order_is_not_heard_of_again(void **state)
{
    struct fixture *f = *state;

    send_ca(f, "");
    f->mute_type = ACME_MESSAGE_PUBLISH;
    send_order(f, 0);
    listen_until(f, f->heard[ACME_MESSAGE_PUBLISH] == 1);
    send_word(f, ACME_MESSAGE_CANCEL, FIRST_JOB, "");
    send_word(f, ACME_MESSAGE_DONE, FIRST_JOB, "");
    send_word(f, ACME_MESSAGE_SIGNED, FIRST_JOB, "late");
    send_word(f, ACME_MESSAGE_REFUSED, FIRST_JOB, "late");
    send_word(f, ACME_MESSAGE_CANCEL, FIRST_JOB, "");
    f->mute_type = 0;
    send_order(f, 1);
    await_end_of(f, 1);
    assert_all_certified(f, 1, 1);
    assert_false(f->results[0].chain || f->results[0].failed);
}

static void
word_out_of_turn_is_ignored(void **state)
{
    struct fixture *f = *state;

    send_ca(f, "");
    f->mute_type = ACME_MESSAGE_PUBLISH;
    send_order(f, 0);
    listen_until(f, f->heard[ACME_MESSAGE_PUBLISH] == 1);
    f->mute_type = 0;
    send_word(f, ACME_MESSAGE_SIGNED, FIRST_JOB, "not asked for");
    send_word(f, ACME_MESSAGE_SIGNED, SESSION, "not asked for");
    send_word(f, ACME_MESSAGE_DONE, SESSION, "");
    send_word(f, ACME_MESSAGE_REFUSED, SESSION, "not asked for");
    send_word(f, ACME_MESSAGE_DONE, FIRST_JOB, "");
    await_end_of(f, 1);
    assert_all_certified(f, 0, 1);
}

/* ---- questions about renewals */

static void
a_question_needs_the_directory_and_no_account(void **state)
{
    struct fixture *f = *state;
    const struct renewal_answer *renewal = &f->renewals[3];

    send_ca(f, "");
    send_question(f, 3);
    listen_until(f, f->answered == 1);
    assert_int_equal(renewal->type, ACME_MESSAGE_RENEWAL_WINDOW);
    assert_string_equal(renewal->text[0], "2025-01-02T04:00:00Z");
    assert_string_equal(renewal->text[1], "2025-01-03T04:00:00Z");
    assert_string_equal(renewal->text[2], "https://ca.test/aYhb.3");
    assert_in_range(renewal->at, time(NULL) + 21000, time(NULL) + 21600);
    assert_int_equal(f->server.shared->heads, 0);
    assert_int_equal(f->heard[ACME_MESSAGE_SIGN], 0);
}

static void
questions_and_orders_share_the_session(void **state)
{
    struct fixture *f = *state;

    send_ca(f, "");
    for (unsigned i = 0; i < 32; i++) {
        send_question(f, i);
    }
    send_order(f, 0);
    listen_until(f, f->answered == 32 && f->ended == 1);
    assert_all_certified(f, 0, 1);
    assert_int_equal(directories(f), 1);
    assert_true(f->server.shared->connections <= 4);
    for (unsigned i = 0; i < 32; i++) {
        assert_int_equal(f->renewals[i].type, ACME_MESSAGE_RENEWAL_WINDOW);
    }
    /* and once more, when all is known */
    send_question(f, 32);
    listen_until(f, f->answered == 33);
    assert_int_equal(directories(f), 1);
}

static void
a_question_beyond_the_limit_fails_alone(void **state)
{
    struct fixture *f = *state;

    send_ca(f, "");
    for (unsigned i = 0; i < 33; i++) {
        send_question(f, i);
    }
    listen_until(f, f->answered == 33);
    for (unsigned i = 0; i < 32; i++) {
        assert_int_equal(f->renewals[i].type, ACME_MESSAGE_RENEWAL_WINDOW);
    }
    assert_int_equal(f->renewals[32].type, ACME_MESSAGE_RENEWAL_FAILED);
}

static void
a_ca_without_renewal_information_is_asked_nothing(void **state)
{
    struct fixture *f = *state;

    set_fault(f, NO_RENEWAL_INFO);
    send_ca(f, "");
    send_question(f, 0);
    send_question(f, 1);
    listen_until(f, f->answered == 2);
    assert_int_equal(f->renewals[0].type, ACME_MESSAGE_NO_RENEWAL_INFO);
    assert_int_equal(f->renewals[1].type, ACME_MESSAGE_NO_RENEWAL_INFO);
}

static void
a_question_fails_in_words(void **state)
{
    static const struct {
        unsigned fault;
        const char *text;
        bool retry_after;
    } rows[] = {
        { RENEWAL_INFO_DOWN, "503", true },
        { RENEWAL_WINDOW_INVERTED, "ends before it begins", false },
        { DIRECTORY_DOWN, "503", false },
    };
    struct fixture *f = *state;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        set_fault(f, rows[i].fault);
        send_ca(f, "");
        send_question(f, i);
        listen_until(f, f->answered == i + 1);
        assert_int_equal(f->renewals[i].type, ACME_MESSAGE_RENEWAL_FAILED);
        assert_non_null(strstr(f->renewals[i].text[0], rows[i].text));
        assert_int_equal(f->renewals[i].at > time(NULL), rows[i].retry_after);
    }
    /* to a CA that nobody told of, and about something else */
    send_message(f, (struct acme_message) { .type = ACME_MESSAGE_RENEWAL_INFO,
        .id = FIRST_QUESTION + 10, .number = SESSION + 1, .fd = -1,
        .text = { acme_bytes_of("a.b") } });
    set_fault(f, 0);
    send_message(f, (struct acme_message) { .type = ACME_MESSAGE_RENEWAL_INFO,
        .id = FIRST_QUESTION + 11, .number = SESSION, .fd = -1,
        .text = { acme_bytes_of("a/../../order") } });
    listen_until(f, f->answered == 5);
    assert_int_equal(f->renewals[10].type, ACME_MESSAGE_RENEWAL_FAILED);
    assert_int_equal(f->renewals[11].type, ACME_MESSAGE_RENEWAL_FAILED);
}

static void
a_question_ends_with_the_ca_that_it_was_for(void **state)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct fixture *f = *state;
    char url[64];

    /* nobody is at home there */
    assert_int_equal(bind(fd, (struct sockaddr *) &address, len), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *) &address, &len), 0);
    snprintf(url, sizeof(url), "https://127.0.0.1:%d/dir",
        ntohs(address.sin_port));
    send_message(f, (struct acme_message) { .type = ACME_MESSAGE_CA,
        .id = SESSION, .fd = -1, .text = { acme_bytes_of(url), { NULL, 0 },
        acme_bytes_of("test/1") } });
    send_question(f, 0);
    send_ca(f, "");
    send_question(f, 1);
    listen_until(f, f->answered == 2);
    close(fd);
    assert_int_equal(f->renewals[0].type, ACME_MESSAGE_RENEWAL_FAILED);
    assert_int_equal(f->renewals[1].type, ACME_MESSAGE_RENEWAL_WINDOW);
}

/* ---- the end */

static void
agent_ends_when_the_keeper_goes_in_mid_order(void **state)
{
    struct fixture *f = *state;

    send_ca(f, "");
    f->mute_type = ACME_MESSAGE_PUBLISH;
    for (unsigned i = 0; i < 20; i++) {
        send_order(f, i);
    }
    listen_until(f, f->heard[ACME_MESSAGE_PUBLISH] >= 1);
}

static void
agent_ends_at_once_without_its_sandbox(void **state)
{
    int fds[2];

    (void) state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
    assert_int_equal(acme_agent_run(fds[1], broken_sandbox), 1);
    close(fds[0]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(order_goes_from_directory_to_chain),
        TEST(known_account_is_not_registered_again),
        TEST(saved_order_is_taken_up_again),
        TEST(many_orders_share_session_and_connections),
        TEST(directory_behind_a_redirect_is_used),
        TEST(bad_nonce_repeats_the_request),
        TEST(endless_bad_nonces_end_after_twenty),
        TEST(ca_without_nonces_fails_those_who_wait_for_one),
        TEST(nonces_are_fetched_for_all_who_wait_and_no_more),
        TEST(failed_directory_fails_those_who_wait_and_the_next_starts_over),
        TEST(directory_that_says_bad_nonce_is_a_failure),
        TEST(untrusted_ca_is_a_failure_in_words),
        TEST(unusable_trust_fails_orders_and_not_the_agent),
        TEST(session_refused_by_the_keeper_fails_those_who_wait),
        TEST(ca_told_of_again_begins_anew),
        TEST(used_key_finds_its_account),
        TEST(used_key_without_an_account_registers_one),
        TEST(account_that_is_bound_already_is_found),
        TEST(key_in_doubt_is_asked_for_before_an_order),
        TEST(changed_contacts_are_sent_once),
        TEST(contacts_that_are_refused_stop_no_order),
        TEST(binding_is_got_before_the_account),
        TEST(binding_that_is_refused_fails_in_the_words_of_the_ca),
        TEST(task_is_one_request),
        TEST(task_fails_in_words),
        TEST(task_of_another_kind_is_ignored),
        TEST(lost_account_is_registered_once_for_all_orders),
        TEST(account_lost_in_mid_order_begins_the_order_anew),
        TEST(account_that_is_lost_again_and_again_is_a_failure),
        TEST(problem_of_the_ca_reaches_the_keeper_whole),
        TEST(refusal_ends_one_order_and_not_the_others),
        TEST(order_that_cannot_be_taken_fails_alone),
        TEST(orders_beyond_the_limit_fail_alone),
        TEST(cancelled_order_is_not_heard_of_again),
        TEST(word_out_of_turn_is_ignored),
        TEST(a_question_needs_the_directory_and_no_account),
        TEST(questions_and_orders_share_the_session),
        TEST(a_question_beyond_the_limit_fails_alone),
        TEST(a_ca_without_renewal_information_is_asked_nothing),
        TEST(a_question_fails_in_words),
        TEST(a_question_ends_with_the_ca_that_it_was_for),
        TEST(agent_ends_when_the_keeper_goes_in_mid_order),
        cmocka_unit_test(agent_ends_at_once_without_its_sandbox),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
