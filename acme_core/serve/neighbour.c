/*
 * The asking side of <state>/control.sock. Needed after a binary upgrade: the
 * new master knows nothing of the old one's helper, yet the workers of both
 * must answer the same challenges.
 */

#include "serve/neighbour.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "page/handover.h"

enum { PATIENCE_MS = 1000 };

int
acme_neighbour_connect(const char *state_path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int dir_fd = open(state_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd;

    if (dir_fd < 0) {
        return -1;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* through the descriptor: a socket's path has no more than 107 bytes */
    snprintf(address.sun_path, sizeof(address.sun_path),
        "/proc/self/fd/%d/" ACME_CONTROL_SOCKET, dir_fd);
    if (fd >= 0 && (connect(fd, (struct sockaddr *) &address,
            sizeof(address)) != 0 || !acme_peer_is_trusted(fd))) {
        close(fd);
        fd = -1;
    }
    close(dir_fd);
    return fd;
}

/* The one descriptor of a message; when there are more, they are closed. */
static int
take_descriptor(struct msghdr *header)
{
    struct cmsghdr *item = CMSG_FIRSTHDR(header);
    size_t count;
    int fd = -1;

    if (item == NULL || item->cmsg_level != SOL_SOCKET
        || item->cmsg_type != SCM_RIGHTS) {
        return -1;
    }
    count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
        memcpy(&fd, CMSG_DATA(item) + i * sizeof(int), sizeof(int));
        if (count > 1) {
            close(fd);
        }
    }
    return count == 1 ? fd : -1;
}

static int
receive_page(int fd)
{
    char control[CMSG_SPACE(sizeof(int))], text[32];
    struct iovec iov = { text, sizeof(text) };
    struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1,
        .msg_control = control, .msg_controllen = sizeof(control) };
    struct pollfd wait = { fd, POLLIN, 0 };
    ssize_t len;
    int page_fd;

    if (poll(&wait, 1, PATIENCE_MS) <= 0) {
        return -1;
    }
    len = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
    if (len < 0) {
        return -1;
    }
    page_fd = take_descriptor(&header);
    if (page_fd >= 0 && ((size_t) len != strlen(ACME_PAGE_GREETING)
            || memcmp(text, ACME_PAGE_GREETING, (size_t) len) != 0)) {
        close(page_fd);
        return -1;
    }
    return page_fd;
}

int
acme_neighbour_page(const char *state_path)
{
    int fd = acme_neighbour_connect(state_path);
    int page_fd;

    if (fd < 0) {
        return -1;
    }
    page_fd = receive_page(fd);
    close(fd);
    return page_fd;
}
