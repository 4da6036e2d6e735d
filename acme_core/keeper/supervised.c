/* The keeper's end of its line to the supervisor. */

#include "keeper/supervised.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

bool
acme_supervised_ask(int fd, char letter, const char *argument,
    struct acme_error *err)
{
    char request[ACME_ASK_MAX];
    int len = snprintf(request, sizeof(request), "%c%s", letter, argument);

    if (len < 0 || (size_t) len >= sizeof(request)) {
        return acme_fail(err, ACME_LOCAL, "argument \"%.32s...\" is too long",
            argument);
    }
    if (send(fd, request, (size_t) len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        return acme_fail_sys(err, "asking the supervisor");
    }
    return true;
}

bool
acme_supervised_next(int fd, char *letter, int *child_fd)
{
    char control[CMSG_SPACE(sizeof(int))];
    struct iovec iov = { letter, 1 };
    struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1,
        .msg_control = control, .msg_controllen = sizeof(control) };
    struct cmsghdr *item;
    ssize_t len;

    *child_fd = -1;
    len = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (len <= 0) {
        *letter = 0;
        return len < 0 && (errno == EAGAIN || errno == EINTR);
    }
    item = CMSG_FIRSTHDR(&header);
    if (item != NULL && item->cmsg_level == SOL_SOCKET
        && item->cmsg_type == SCM_RIGHTS
        && item->cmsg_len == CMSG_LEN(sizeof(int))) {
        memcpy(child_fd, CMSG_DATA(item), sizeof(int));
    }
    return true;
}
