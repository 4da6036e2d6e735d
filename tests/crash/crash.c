/*
 * Kills its process by SIGKILL just before the Nth of the calls that matter
 * when a process dies: those that make files durable, and those that tell
 * others. ACME_CRASH names a file of struct plan; a process dies once.
 */

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "preload.h"

/* Of plan->own. */
enum {
    ORDERS,                     /* how often the order was written */
    ORDERS_AT_DEATH
};

static struct plan *plan;
static bool is_counted;

static void __attribute__((constructor))
begin(int argc, char **argv)
{
    plan = map_file("ACME_CRASH", sizeof(*plan));
    is_counted = plan != NULL && is_of_role(plan, argc, argv);
}

static void
pass(const char *call, const char *name)
{
    if (!is_counted || count_call(plan, call, name) != plan->at) {
        return;
    }
    plan->own[ORDERS_AT_DEATH] = plan->own[ORDERS];
    kill(getpid(), SIGKILL);
    for (;;) {
        pause();
    }
}

static void
note_rename(int rc, const char *to)
{
    static bool second;         /* a second order follows the first one */
    bool rsa = strcmp(to, "order.rsa.json") == 0;

    if (plan == NULL || rc != 0 || (!rsa && strcmp(to, "order.json") != 0)) {
        return;
    }
    if (rsa && !second) {
        second = true;
        plan->own[ORDERS] = 0;
    }
    plan->own[ORDERS]++;
}

int
fsync(int fd)
{
    REAL(fsync)
    pass("fsync", "");
    return real(fd);
}

int
fdatasync(int fd)
{
    REAL(fdatasync)
    pass("fdatasync", "");
    return real(fd);
}

int
rename(const char *from, const char *to)
{
    REAL(rename)
    pass("rename", to);
    return real(from, to);
}

int
renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    int rc;

    REAL(renameat)
    pass("renameat", to);
    rc = real(from_fd, from, to_fd, to);
    note_rename(rc, to);
    return rc;
}

int
renameat2(int from_fd, const char *from, int to_fd, const char *to,
    unsigned flags)
{
    int rc;

    REAL(renameat2)
    pass("renameat2", to);
    rc = real(from_fd, from, to_fd, to, flags);
    note_rename(rc, to);
    return rc;
}

int
symlinkat(const char *target, int fd, const char *name)
{
    REAL(symlinkat)
    pass("symlinkat", target);
    return real(target, fd, name);
}

int
unlinkat(int fd, const char *name, int flags)
{
    REAL(unlinkat)
    pass("unlinkat", name);
    return real(fd, name, flags);
}

int
mkdirat(int fd, const char *name, mode_t mode)
{
    REAL(mkdirat)
    pass("mkdirat", name);
    return real(fd, name, mode);
}

int
ftruncate(int fd, off_t len)
{
    REAL(ftruncate)
    pass("ftruncate", "");
    return real(fd, len);
}

/* What is written to a file that is not the log. */
static bool
is_file(int fd)
{
    int saved = errno;
    struct stat info;
    bool is = plan != NULL && fstat(fd, &info) == 0 && S_ISREG(info.st_mode)
        && (fcntl(fd, F_GETFL) & O_APPEND) == 0;

    errno = saved;
    return is;
}

ssize_t
write(int fd, const void *data, size_t len)
{
    REAL(write)
    if (is_file(fd)) {
        pass("write", "");
    }
    return real(fd, data, len);
}

/* Of these only the signal that asks the server to reload counts. */
long
syscall(long number, ...)
{
    va_list list;
    long arg[6];

    REAL(syscall)
    va_start(list, number);
    for (int i = 0; i < 6; i++) {
        arg[i] = va_arg(list, long);
    }
    va_end(list);
    if (number == SYS_pidfd_send_signal) {
        pass("pidfd_send_signal", "");
    }
    return real(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}

ssize_t
send(int fd, const void *data, size_t len, int flags)
{
    REAL(send)
    pass("send", "");
    return real(fd, data, len, flags);
}

ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
    REAL(sendmsg)
    pass("sendmsg", "");
    return real(fd, message, flags);
}
