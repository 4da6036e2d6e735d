/* Two channels over one pair, or one channel and a peer that misbehaves. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/channel.h"

struct pair {
    struct acme_channel *keeper;
    struct acme_channel *agent;  /* NULL when the test plays the agent */
    int raw;                     /* then this is its end */
    unsigned fds;                /* open before the test */
};

static unsigned
count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned count = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count;
}

static int
open_pair(void **state, bool raw)
{
    struct pair *pair = calloc(1, sizeof(*pair));
    int fds[2];

    pair->fds = count_fds();
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
    pair->keeper = acme_channel_new(fds[0], ACME_END_KEEPER);
    assert_non_null(pair->keeper);
    pair->raw = raw ? fds[1] : -1;
    pair->agent = raw ? NULL : acme_channel_new(fds[1], ACME_END_AGENT);
    *state = pair;
    return 0;
}

static int
open_channels(void **state)
{
    return open_pair(state, false);
}

static int
open_raw(void **state)
{
    return open_pair(state, true);
}

/* Every test must leave no descriptor behind. */
static int
close_pair(void **state)
{
    struct pair *pair = *state;

    acme_channel_free(pair->keeper);
    acme_channel_free(pair->agent);
    if (pair->raw != -1) {
        close(pair->raw);
    }
    assert_int_equal(count_fds(), pair->fds);
    free(pair);
    return 0;
}

static struct acme_message
numbered(enum acme_message_type type, uint32_t id)
{
    struct acme_message message = { .type = type, .id = id, .fd = -1 };

    return message;
}

static void
send_ok(struct acme_channel *channel, const struct acme_message *message)
{
    struct acme_error err;

    assert_true(acme_channel_send(channel, message, &err));
}

/* The next message must be there. */
static struct acme_message
next_ok(struct acme_channel *channel)
{
    struct acme_message message;
    struct acme_error err;
    bool got;

    assert_true(acme_channel_next(channel, &message, &got, &err));
    assert_true(got);
    return message;
}

static void
expect_nothing(struct acme_channel *channel)
{
    struct acme_message message;
    struct acme_error err;
    bool got;

    assert_true(acme_channel_next(channel, &message, &got, &err));
    assert_false(got);
}

static void
expect_broken(struct acme_channel *channel, int sys)
{
    struct acme_message message;
    struct acme_error err;
    bool got;

    assert_false(acme_channel_next(channel, &message, &got, &err));
    assert_int_equal(err.verdict, ACME_PEER_BROKE);
    assert_int_equal(err.sys, sys);
    assert_false(acme_channel_next(channel, &message, &got, &err));
    assert_false(acme_channel_send(channel, &message, &err));
    assert_false(acme_channel_flush(channel, &err));
}

static void
messages_arrive_in_order_both_ways(void **state)
{
    struct pair *pair = *state;

    expect_nothing(pair->keeper);
    for (uint32_t i = 0; i < 10; i++) {
        struct acme_message down = numbered(ACME_MESSAGE_DONE, i);
        struct acme_message up = numbered(ACME_MESSAGE_LOG, 100 + i);

        up.text[0] = acme_bytes_of("a line");
        send_ok(pair->keeper, &down);
        send_ok(pair->agent, &up);
    }
    for (uint32_t i = 0; i < 10; i++) {
        struct acme_message up = next_ok(pair->keeper);

        assert_int_equal(next_ok(pair->agent).id, i);
        assert_int_equal(up.id, 100 + i);
        assert_true(acme_bytes_equal(up.text[0], acme_bytes_of("a line")));
    }
    expect_nothing(pair->keeper);
    expect_nothing(pair->agent);
}

static void
a_descriptor_travels_and_stays_the_senders_too(void **state)
{
    struct pair *pair = *state;
    struct acme_message message = numbered(ACME_MESSAGE_CA, 1);
    struct stat here, there;

    message.fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    send_ok(pair->keeper, &message);
    assert_int_equal(fstat(message.fd, &here), 0);
    close(message.fd);

    message = next_ok(pair->agent);
    assert_int_not_equal(message.fd, -1);
    assert_int_equal(fcntl(message.fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fstat(message.fd, &there), 0);
    assert_true(here.st_rdev == there.st_rdev);
    close(message.fd);
}

static void
what_the_socket_cannot_take_waits_in_order(void **state)
{
    struct pair *pair = *state;
    struct acme_message message = numbered(ACME_MESSAGE_CA, 0);
    uint32_t sent = 0, got = 0;
    struct acme_error err;

    message.fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(acme_channel_events(pair->keeper), POLLIN);
    while (sent < 2000) {
        message.id = sent++;
        send_ok(pair->keeper, &message);
    }
    close(message.fd);
    assert_int_equal(acme_channel_events(pair->keeper), POLLIN | POLLOUT);
    while (got < sent) {
        bool there;

        assert_true(acme_channel_next(pair->agent, &message, &there, &err));
        if (!there) {
            assert_true(acme_channel_flush(pair->keeper, &err));
            continue;
        }
        assert_int_equal(message.id, got);
        assert_int_not_equal(message.fd, -1);
        close(message.fd);
        got++;
    }
    assert_int_equal(acme_channel_events(pair->keeper), POLLIN);
}

static void
a_peer_that_does_not_read_fills_a_bounded_queue(void **state)
{
    struct pair *pair = *state;
    struct acme_message message = numbered(ACME_MESSAGE_SIGNED, 0);
    struct acme_error err = { 0 };
    char *body = malloc(48 * 1024);
    size_t count = 0;

    memset(body, 'x', 48 * 1024);
    message.text[0] = (struct acme_bytes) { (uint8_t *) body, 48 * 1024 };
    while (acme_channel_send(pair->keeper, &message, &err)) {
        count++;
        assert_true(count < 1000);
    }
    assert_int_equal(err.verdict, ACME_PEER_BROKE);
    assert_true(count > 300);
    assert_false(acme_channel_flush(pair->keeper, &err));
    free(body);
}

static void
a_message_too_long_leaves_the_channel_usable(void **state)
{
    struct pair *pair = *state;
    struct acme_message message = numbered(ACME_MESSAGE_DONE, 1);
    struct acme_error err;

    message.text[0] = acme_bytes_of("DONE has no text");
    assert_false(acme_channel_send(pair->keeper, &message, &err));
    assert_int_equal(err.verdict, ACME_LOCAL);
    message.text[0] = acme_bytes_of("");
    send_ok(pair->keeper, &message);
    assert_int_equal(next_ok(pair->agent).id, 1);
}

static void
the_last_words_of_a_dead_peer_are_read(void **state)
{
    struct pair *pair = *state;
    struct acme_message up = numbered(ACME_MESSAGE_LOG, 9);
    struct acme_message down = numbered(ACME_MESSAGE_DONE, 1);

    send_ok(pair->agent, &up);
    send_ok(pair->keeper, &down);  /* stays unread: the end is a reset */
    acme_channel_free(pair->agent);
    pair->agent = NULL;
    assert_int_equal(next_ok(pair->keeper).id, 9);
    expect_broken(pair->keeper, ECONNRESET);
}

static void
sending_to_a_dead_peer_fails_without_a_signal(void **state)
{
    struct pair *pair = *state;
    struct acme_message message = numbered(ACME_MESSAGE_DONE, 1);
    struct acme_error err;

    close(pair->raw);
    pair->raw = -1;
    assert_false(acme_channel_send(pair->keeper, &message, &err));
    assert_int_equal(err.verdict, ACME_PEER_BROKE);
    assert_int_equal(err.sys, ECONNRESET);
}

static void
a_peer_that_closes_is_gone(void **state)
{
    struct pair *pair = *state;

    close(pair->raw);
    pair->raw = -1;
    expect_broken(pair->keeper, ECONNRESET);
}

/* A datagram with `count` descriptors, as no channel would send it. */
static void
send_raw(struct pair *pair, struct acme_bytes data, unsigned count)
{
    union {
        char bytes[CMSG_SPACE(8 * sizeof(int))];
        struct cmsghdr align;
    } control = { .bytes = { 0 } };
    struct iovec iov = { (void *) data.at, data.len };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    int zero = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (count > 0) {
        msg.msg_control = control.bytes;
        msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
        control.align.cmsg_level = SOL_SOCKET;
        control.align.cmsg_type = SCM_RIGHTS;
        control.align.cmsg_len = CMSG_LEN(count * sizeof(int));
    }
    for (unsigned i = 0; i < count; i++) {
        memcpy(CMSG_DATA(&control.align) + i * sizeof(int), &zero,
            sizeof(int));
    }
    assert_int_equal(sendmsg(pair->raw, &msg, 0), data.len);
    close(zero);
}

static void
send_raw_message(struct pair *pair, enum acme_message_type type,
    unsigned fd_count)
{
    struct acme_message message = numbered(type, 1);
    struct acme_buffer wire = ACME_BUFFER(ACME_MESSAGE_MAX);
    struct acme_error err;

    assert_true(acme_message_write(&message, &wire, &err));
    send_raw(pair, acme_buffer_bytes(&wire), fd_count);
    acme_buffer_free(&wire);
}

/* close_pair sees that none of the descriptors stayed open. */
static void
descriptors_that_nobody_asked_for_are_closed(void **state)
{
    send_raw_message(*state, ACME_MESSAGE_LOG, 1);
    expect_broken(((struct pair *) *state)->keeper, 0);
}

static void
two_descriptors_are_closed(void **state)
{
    send_raw_message(*state, ACME_MESSAGE_LOG, 2);
    expect_broken(((struct pair *) *state)->keeper, 0);
}

static void
eight_descriptors_are_closed(void **state)
{
    send_raw_message(*state, ACME_MESSAGE_LOG, 8);
    expect_broken(((struct pair *) *state)->keeper, 0);
}

static void
a_message_that_is_not_for_us_breaks_the_channel(void **state)
{
    send_raw_message(*state, ACME_MESSAGE_DONE, 0);
    expect_broken(((struct pair *) *state)->keeper, 0);
}

static void
noise_breaks_the_channel(void **state)
{
    send_raw(*state, acme_bytes_of("noise"), 0);
    expect_broken(((struct pair *) *state)->keeper, 0);
}

static void
a_datagram_over_the_limit_breaks_the_channel(void **state)
{
    struct pair *pair = *state;
    struct acme_bytes large = { calloc(1, ACME_MESSAGE_MAX + 1),
        ACME_MESSAGE_MAX + 1 };

    send_raw(pair, large, 1);
    free((void *) large.at);
    expect_broken(pair->keeper, 0);
}

static void
a_channel_over_no_descriptor_is_refused(void **state)
{
    (void) state;
    assert_null(acme_channel_new(-1, ACME_END_AGENT));
}

#define WITH(test, setup) \
    cmocka_unit_test_setup_teardown(test, setup, close_pair)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(messages_arrive_in_order_both_ways, open_channels),
        WITH(a_descriptor_travels_and_stays_the_senders_too, open_channels),
        WITH(what_the_socket_cannot_take_waits_in_order, open_channels),
        WITH(a_peer_that_does_not_read_fills_a_bounded_queue, open_channels),
        WITH(a_message_too_long_leaves_the_channel_usable, open_channels),
        WITH(the_last_words_of_a_dead_peer_are_read, open_channels),
        WITH(sending_to_a_dead_peer_fails_without_a_signal, open_raw),
        WITH(a_peer_that_closes_is_gone, open_raw),
        WITH(descriptors_that_nobody_asked_for_are_closed, open_raw),
        WITH(two_descriptors_are_closed, open_raw),
        WITH(eight_descriptors_are_closed, open_raw),
        WITH(a_message_that_is_not_for_us_breaks_the_channel, open_raw),
        WITH(noise_breaks_the_channel, open_raw),
        WITH(a_datagram_over_the_limit_breaks_the_channel, open_raw),
        cmocka_unit_test(a_channel_over_no_descriptor_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
