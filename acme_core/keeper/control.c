/* The control socket. So far it knows one question, so nothing is read. */

#include "keeper/control.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_NAME "control.sock"
#define GREETING "acme-page 1\n"

enum { ACCEPT_MAX = 16 };

int
control_open(const char *state_path, struct acme_error *err)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int dir_fd = open(state_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = -1;
    bool ok = false;

    if (dir_fd < 0) {
        acme_fail_sys(err, "%s", state_path);
        goto out;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        acme_fail_sys(err, SOCKET_NAME);
        goto out;
    }
    /* through the descriptor: a socket's path has no more than 107 bytes */
    snprintf(address.sun_path, sizeof(address.sun_path),
        "/proc/self/fd/%d/" SOCKET_NAME, dir_fd);
    unlinkat(dir_fd, SOCKET_NAME, 0);
    umask(0177);
    if (bind(fd, (struct sockaddr *) &address, sizeof(address)) != 0
        || listen(fd, ACCEPT_MAX) != 0) {
        acme_fail_sys(err, SOCKET_NAME);
        goto out;
    }
    ok = true;

out:
    umask(077);
    if (dir_fd >= 0) {
        close(dir_fd);
    }
    if (!ok && fd >= 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static bool
is_trusted(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0
        && (peer.uid == 0 || peer.uid == geteuid());
}

static void
send_page(int fd, int page_fd)
{
    char greeting[] = GREETING;
    char control[CMSG_SPACE(sizeof(int))] = { 0 };
    struct iovec iov = { greeting, sizeof(greeting) - 1 };
    struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1,
        .msg_control = control, .msg_controllen = sizeof(control) };
    struct cmsghdr *item = CMSG_FIRSTHDR(&header);

    item->cmsg_level = SOL_SOCKET;
    item->cmsg_type = SCM_RIGHTS;
    item->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(item), &page_fd, sizeof(int));
    (void) sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void
control_serve(int control_fd, int page_fd)
{
    for (int i = 0; i < ACCEPT_MAX; i++) {
        int fd = accept4(control_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0) {
            return;
        }
        if (is_trusted(fd)) {
            send_page(fd, page_fd);
        }
        close(fd);
    }
}
