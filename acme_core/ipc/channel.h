/*
 * One end of a SOCK_SEQPACKET pair, non-blocking both ways. What cannot be
 * sent at once waits in a bounded queue; neither end ever waits in send.
 */

#ifndef ACME_IPC_CHANNEL_H
#define ACME_IPC_CHANNEL_H

#include <stdbool.h>

#include "base/error.h"
#include "ipc/message.h"

struct acme_channel;

/*
 * Takes fd over (set non-blocking and close-on-exec). NULL: no memory, or fd
 * is no descriptor; it is closed.
 */
struct acme_channel *acme_channel_new(int fd, enum acme_message_end end);
void acme_channel_free(struct acme_channel *channel);

int acme_channel_fd(const struct acme_channel *channel);

/* POLLIN, and POLLOUT while something waits in the queue. */
short acme_channel_events(const struct acme_channel *channel);

/*
 * Send or queue. message->fd, when not -1, is duplicated into the message and
 * stays the caller's. False, ACME_PEER_BROKE: the peer is gone or does not
 * read (queue over 16 MiB); the channel is then of no more use. False,
 * ACME_LOCAL: nothing was sent of this message, the channel is as before.
 */
bool acme_channel_send(struct acme_channel *channel,
    const struct acme_message *message, struct acme_error *err);

/* Send what waits; call on POLLOUT. */
bool acme_channel_flush(struct acme_channel *channel, struct acme_error *err);

/*
 * The next message, if one is there (*got). Its texts are borrowed until the
 * next call on the channel; a received fd becomes the caller's. False,
 * ACME_PEER_BROKE: the peer is gone (err->sys = ECONNRESET) or sent something
 * malformed.
 */
bool acme_channel_next(struct acme_channel *channel,
    struct acme_message *message, bool *got, struct acme_error *err);

#endif
