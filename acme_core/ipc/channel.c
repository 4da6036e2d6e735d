/*
 * Datagrams over one end of a SOCK_SEQPACKET pair, each with at most one
 * descriptor (unix(7), SCM_RIGHTS). Knows of a message only what message.h
 * tells; what it means is the loop's business.
 *
 * A channel that failed once stays failed: after a malformed datagram or a
 * lost peer nothing that follows can be trusted to be in order.
 */

#include "ipc/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { QUEUE_MAX = 16 * 1024 * 1024 };

/* A datagram that waits for room in the socket. */
struct queued {
    struct queued *next;
    int fd;                 /* our duplicate, or -1 */
    size_t len;
    uint8_t data[];
};

struct acme_channel {
    int fd;
    enum acme_message_end end;
    bool failed;
    bool reset;             /* one ECONNRESET was seen while reading */
    struct queued *first;
    struct queued **last;   /* where the next one is hung */
    size_t queue_bytes;     /* with the structs around the data */
    struct acme_buffer out;
    uint8_t in[ACME_MESSAGE_MAX];
};

/* ---- new and free */

static bool
set_flags(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags != -1 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) != -1
        && fcntl(fd, F_SETFD, FD_CLOEXEC) != -1;
}

struct acme_channel *
acme_channel_new(int fd, enum acme_message_end end)
{
    struct acme_channel *channel = calloc(1, sizeof(*channel));

    if (channel == NULL || !set_flags(fd)) {
        free(channel);
        close(fd);
        return NULL;
    }
    channel->fd = fd;
    channel->end = end;
    channel->last = &channel->first;
    channel->out.limit = ACME_MESSAGE_MAX;
    return channel;
}

static void
free_queued(struct queued *queued)
{
    if (queued->fd != -1) {
        close(queued->fd);
    }
    free(queued);
}

static void
drop_first(struct acme_channel *channel)
{
    struct queued *queued = channel->first;

    channel->first = queued->next;
    if (channel->first == NULL) {
        channel->last = &channel->first;
    }
    channel->queue_bytes -= sizeof(*queued) + queued->len;
    free_queued(queued);
}

void
acme_channel_free(struct acme_channel *channel)
{
    if (channel == NULL) {
        return;
    }
    while (channel->first != NULL) {
        drop_first(channel);
    }
    close(channel->fd);
    acme_buffer_free(&channel->out);
    free(channel);
}

int
acme_channel_fd(const struct acme_channel *channel)
{
    return channel->fd;
}

short
acme_channel_events(const struct acme_channel *channel)
{
    return channel->first != NULL ? POLLIN | POLLOUT : POLLIN;
}

/* ---- failures */

static bool
fail_again(struct acme_error *err)
{
    acme_fail(err, ACME_PEER_BROKE, "the channel has failed before");
    err->sys = ECONNRESET;
    return false;
}

static bool
fail_gone(struct acme_channel *channel, struct acme_error *err)
{
    channel->failed = true;
    acme_fail(err, ACME_PEER_BROKE, "the peer is gone");
    err->sys = ECONNRESET;
    return false;
}

/* A failed send or receive, by errno. */
static bool
fail_io(struct acme_channel *channel, const char *what,
    struct acme_error *err)
{
    if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN) {
        return fail_gone(channel, err);
    }
    channel->failed = true;
    acme_fail_sys(err, "%s", what);
    err->verdict = ACME_PEER_BROKE;
    return false;
}

/* ---- sending */

/*
 * *sent is false when the socket has no room now. ENOBUFS is that too: the
 * kernel is short of memory for a moment.
 */
static bool
send_datagram(struct acme_channel *channel, struct acme_bytes data, int fd,
    bool *sent, struct acme_error *err)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = { .bytes = { 0 } };
    struct iovec iov = { (void *) data.at, data.len };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    ssize_t n;

    if (fd != -1) {
        msg.msg_control = control.bytes;
        msg.msg_controllen = sizeof(control.bytes);
        control.align.cmsg_level = SOL_SOCKET;
        control.align.cmsg_type = SCM_RIGHTS;
        control.align.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.align), &fd, sizeof(int));
    }
    do {
        n = sendmsg(channel->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n == -1 && errno == EINTR);
    *sent = n != -1;
    if (n == -1 && errno != EAGAIN && errno != ENOBUFS) {
        return fail_io(channel, "sending to the peer", err);
    }
    return true;
}

/* Hang a copy of data (and of fd) to the end of the queue. */
static bool
enqueue(struct acme_channel *channel, struct acme_bytes data, int fd,
    struct acme_error *err)
{
    struct queued *queued;
    size_t size = sizeof(*queued) + data.len;

    if (size > QUEUE_MAX - channel->queue_bytes) {
        channel->failed = true;
        return acme_fail(err, ACME_PEER_BROKE,
            "the peer does not read: %zu bytes wait for it",
            channel->queue_bytes);
    }
    queued = malloc(size);
    if (queued == NULL) {
        return acme_fail_memory(err);
    }
    queued->next = NULL;
    queued->fd = -1;
    queued->len = data.len;
    memcpy(queued->data, data.at, data.len);
    if (fd != -1) {
        queued->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (queued->fd == -1) {
            free(queued);
            return acme_fail_sys(err, "keeping a descriptor to send");
        }
    }
    *channel->last = queued;
    channel->last = &queued->next;
    channel->queue_bytes += size;
    return true;
}

bool
acme_channel_send(struct acme_channel *channel,
    const struct acme_message *message, struct acme_error *err)
{
    struct acme_bytes data;
    bool sent = false;

    if (channel->failed) {
        return fail_again(err);
    }
    acme_buffer_clear(&channel->out);
    if (!acme_message_write(message, &channel->out, err)
        || !acme_channel_flush(channel, err)) {
        return false;
    }
    data = acme_buffer_bytes(&channel->out);
    if (channel->first == NULL
        && !send_datagram(channel, data, message->fd, &sent, err)) {
        return false;
    }
    return sent || enqueue(channel, data, message->fd, err);
}

bool
acme_channel_flush(struct acme_channel *channel, struct acme_error *err)
{
    bool sent = true;

    if (channel->failed) {
        return fail_again(err);
    }
    while (channel->first != NULL) {
        struct queued *queued = channel->first;
        struct acme_bytes data = { queued->data, queued->len };

        if (!send_datagram(channel, data, queued->fd, &sent, err)) {
            return false;
        }
        if (!sent) {
            return true;
        }
        drop_first(channel);
    }
    return true;
}

/* ---- receiving */

/*
 * Take the descriptors out of a received message: the first into *fd, the
 * others are closed. Returns how many there were. The kernel rounds the room
 * for one up to the room for two.
 */
static unsigned
take_descriptors(struct msghdr *msg, int *fd)
{
    unsigned count = 0;

    *fd = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL;
         c = CMSG_NXTHDR(msg, c)) {
        size_t here;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < here; i++, count++) {
            int got;

            memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            if (*fd == -1) {
                *fd = got;
            } else {
                close(got);
            }
        }
    }
    return count;
}

/*
 * One datagram into channel->in; *got is false when none is there. *fd is
 * the caller's even after false.
 */
static bool
receive(struct acme_channel *channel, struct acme_bytes *data, int *fd,
    bool *got, struct acme_error *err)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec iov = { channel->in, sizeof(channel->in) };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
        .msg_control = control.bytes, .msg_controllen = sizeof(control) };
    ssize_t n;

    *fd = -1;
    do {
        n = recvmsg(channel->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (n == -1 && errno == EINTR);
    *got = n != -1;
    if (n == -1) {
        return errno == EAGAIN
            || fail_io(channel, "receiving from the peer", err);
    }
    data->at = channel->in;
    data->len = (size_t) n;
    if (take_descriptors(&msg, fd) > 1
        || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        return acme_fail(err, ACME_PEER_BROKE,
            "the peer sent a message that is too large");
    }
    if (n == 0) {
        return fail_gone(channel, err);
    }
    return true;
}

/*
 * A peer that ends with messages of ours unread makes the kernel report
 * ECONNRESET once, ahead of the last messages that it sent us.
 */
static bool
receive_past_reset(struct acme_channel *channel, struct acme_bytes *data,
    int *fd, bool *got, struct acme_error *err)
{
    bool ok = receive(channel, data, fd, got, err);

    if (ok || *got || channel->reset || err->sys != ECONNRESET) {
        return ok;
    }
    channel->reset = true;
    channel->failed = false;
    return receive(channel, data, fd, got, err);
}

bool
acme_channel_next(struct acme_channel *channel,
    struct acme_message *message, bool *got, struct acme_error *err)
{
    struct acme_bytes data = { NULL, 0 };
    int fd;

    *got = false;
    if (channel->failed) {
        return fail_again(err);
    }
    if (!receive_past_reset(channel, &data, &fd, got, err)) {
        goto broken;
    }
    if (!*got) {
        return true;
    }
    if (!acme_message_read(data, channel->end, message, err)) {
        goto broken;
    }
    if (fd != -1 && !acme_message_has_fd(message->type)) {
        acme_fail(err, ACME_PEER_BROKE,
            "message %s brought a descriptor that nobody asked for",
            acme_message_name(message->type));
        goto broken;
    }
    message->fd = fd;
    return true;

broken:
    *got = false;
    channel->failed = true;
    if (fd != -1) {
        close(fd);
    }
    return false;
}
