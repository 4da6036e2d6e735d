/*
 * The control socket. Everyone who may ask gets the page, which is all that a
 * server wants; an operator's command follows, whose user acmectl will be.
 */

#include "keeper/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "keeper/task.h"
#include "page/handover.h"

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
        acme_fail_sys(err, ACME_CONTROL_SOCKET);
        goto out;
    }
    /* through the descriptor: a socket's path has no more than 107 bytes */
    snprintf(address.sun_path, sizeof(address.sun_path),
        "/proc/self/fd/%d/" ACME_CONTROL_SOCKET, dir_fd);
    unlinkat(dir_fd, ACME_CONTROL_SOCKET, 0);
    umask(0177);
    if (bind(fd, (struct sockaddr *) &address, sizeof(address)) != 0
        || listen(fd, ACCEPT_MAX) != 0) {
        acme_fail_sys(err, ACME_CONTROL_SOCKET);
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

static void
send_page(int fd, int page_fd)
{
    char greeting[] = ACME_PAGE_GREETING;
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

static void
forget(struct control_client *client)
{
    *client = (struct control_client) { .fd = -1 };
}

static void
hang_up(struct control_client *client)
{
    if (client->fd >= 0) {
        close(client->fd);
    }
    forget(client);
}

void
control_init(struct keeper *keeper)
{
    for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
        forget(&keeper->clients[i]);
    }
}

/* The newest is the last. */
static void
keep(struct keeper *keeper, int fd)
{
    struct control_client *clients = keeper->clients;
    size_t at = 0;

    while (at < CONTROL_CLIENTS && clients[at].fd >= 0) {
        at++;
    }
    if (at == CONTROL_CLIENTS) {
        at--;
        hang_up(&clients[0]);
        memmove(clients, clients + 1, at * sizeof(*clients));
        forget(&clients[at]);
    }
    clients[at].fd = fd;
}

void
control_serve(struct keeper *keeper)
{
    for (int i = 0; i < ACCEPT_MAX; i++) {
        int fd = accept4(keeper->control_fd, NULL, NULL,
            SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0) {
            return;
        }
        if (acme_peer_is_trusted(fd)) {
            send_page(fd, keeper->page_fd);
            keep(keeper, fd);
        } else {
            close(fd);
        }
    }
}

void
control_take(struct keeper *keeper, struct control_client *client)
{
    size_t room = sizeof(client->line) - 1 - client->len;
    ssize_t len = recv(client->fd, client->line + client->len, room,
        MSG_DONTWAIT);
    char line[sizeof(client->line)];
    char *end;
    int fd = client->fd;

    if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (len <= 0) {
        hang_up(client);
        return;
    }
    client->len += (size_t) len;
    client->line[client->len] = '\0';
    end = strchr(client->line, '\n');
    if (end == NULL) {
        if (client->len == sizeof(client->line) - 1) {
            hang_up(client);  /* no command is so long */
        }
        return;
    }
    *end = '\0';
    memcpy(line, client->line, sizeof(line));
    forget(client);
    task_begin(keeper, line, fd);
}

void
control_close(struct keeper *keeper)
{
    for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
        hang_up(&keeper->clients[i]);
    }
    if (keeper->control_fd >= 0) {
        close(keeper->control_fd);
    }
}
