/* How a keeper hands its page to a server: both ends' share of it. */

#ifndef ACME_PAGE_HANDOVER_H
#define ACME_PAGE_HANDOVER_H

#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACME_CONTROL_SOCKET "control.sock"  /* in the state path */

/* What comes with the descriptor. */
#define ACME_PAGE_GREETING "acme-page 1\n"

/* Is the other end of this socket run by root, or by our own user? */
static inline bool
acme_peer_is_trusted(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0
        && (peer.uid == 0 || peer.uid == geteuid());
}

#endif
