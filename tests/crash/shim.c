/*
 * Kills its process by SIGKILL just before the Nth of the calls that matter
 * when a process dies: those that make files durable, and those that tell
 * others. Preloaded into the helper by a script given as acme_helper, so that
 * the helper itself knows nothing of it.
 *
 * ACME_CRASH names a file of struct plan, shared by all processes of a run:
 * the calls of one role are counted over its restarts, and it dies once. The
 * file is mapped before main, since sandboxes come later.
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CALL_TEXT = 64, CALLS_MAX = 1000 };

/* For ACME::Test::Crash this is "L L L L a64" and as many a64 as there are. */
struct plan {
    uint32_t kill_at;           /* 0: only count */
    _Atomic uint32_t count;
    _Atomic uint32_t orders;    /* how often the order was written */
    uint32_t orders_at_death;
    char role[CALL_TEXT];       /* argv[0] ends with it */
    char calls[CALLS_MAX][CALL_TEXT];
};

static struct plan *plan;
static bool is_counted;

static void __attribute__((constructor))
begin(int argc, char **argv)
{
    const char *file = getenv("ACME_CRASH");
    const char *title = argc > 0 ? argv[0] : "";
    struct plan *map;
    size_t role;
    int fd;

    if (file == NULL) {
        return;
    }
    fd = open(file, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    map = mmap(NULL, sizeof(*map), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map == MAP_FAILED) {
        return;
    }
    role = strnlen(map->role, CALL_TEXT);
    is_counted = strlen(title) >= role
        && strncmp(title + strlen(title) - role, map->role, role) == 0;
    plan = map;
}

static void
pass(const char *call, const char *name)
{
    uint32_t number;

    if (plan == NULL || !is_counted) {
        return;
    }
    number = atomic_fetch_add(&plan->count, 1) + 1;
    if (number <= CALLS_MAX) {
        snprintf(plan->calls[number - 1], CALL_TEXT, "%s %s", call, name);
    }
    if (number == plan->kill_at) {
        plan->orders_at_death = atomic_load(&plan->orders);
        kill(getpid(), SIGKILL);
        for (;;) {
            pause();
        }
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
        atomic_store(&plan->orders, 0);
    }
    atomic_fetch_add(&plan->orders, 1);
}

/* The next definition of this function: libc's, or a sanitizer's. */
#define REAL(function) \
    static __typeof__(function) *real; \
    if (real == NULL) { \
        *(void **) &real = dlsym(RTLD_NEXT, #function); \
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
