/*
 * Makes a disk full, or read-only: from the Nth call on that needs room, or
 * that writes at all, each one fails. Preloaded into the helper by a script
 * given as acme_helper, so that the helper itself knows nothing of it.
 *
 * ACME_FAULT names a file of struct plan, shared by all processes of a run;
 * only those of one role are meant. The file is mapped before main, since
 * sandboxes come later, and may be changed at any time.
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CALL_TEXT = 64, CALLS_MAX = 1000, FDS_MAX = 1024 };

/* For ACME::Test::Shim this is "L L L L a64" and as many a64 as there are. */
struct plan {
    _Atomic uint32_t fail_from; /* 0: only count */
    _Atomic uint32_t error;     /* ENOSPC: what needs room fails; EROFS: what
                                   changes anything */
    _Atomic uint32_t count;
    _Atomic uint32_t failed;
    char role[CALL_TEXT];       /* argv[0] ends with it */
    char calls[CALLS_MAX][CALL_TEXT];
};

static struct plan *plan;
static bool is_meant;
static bool is_written[FDS_MAX];    /* files that we have seen made */

static void __attribute__((constructor))
begin(int argc, char **argv)
{
    const char *file = getenv("ACME_FAULT");
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
    is_meant = strlen(title) >= role
        && strncmp(title + strlen(title) - role, map->role, role) == 0;
    plan = map;
}

/* True, with errno: this call is to fail. */
static bool
fails(const char *call, const char *name, bool needs_room)
{
    uint32_t number, from;

    if (plan == NULL || !is_meant
        || (!needs_room && atomic_load(&plan->error) == ENOSPC)) {
        return false;
    }
    number = atomic_fetch_add(&plan->count, 1) + 1;
    if (number <= CALLS_MAX) {
        snprintf(plan->calls[number - 1], CALL_TEXT, "%s %s", call, name);
    }
    from = atomic_load(&plan->fail_from);
    if (from == 0 || number < from) {
        return false;
    }
    atomic_fetch_add(&plan->failed, 1);
    errno = (int) atomic_load(&plan->error);
    return true;
}

/* The next definition of this function: libc's, or a sanitizer's. */
#define REAL(function) \
    static __typeof__(function) *real; \
    if (real == NULL) { \
        *(void **) &real = dlsym(RTLD_NEXT, #function); \
    }

static bool
is_there(int fd, const char *name)
{
    struct stat info;

    return fstatat(fd, name, &info, AT_SYMLINK_NOFOLLOW) == 0;
}

/* What is there already can be opened on a full disk. */
int
openat(int dir_fd, const char *name, int flags, ...)
{
    bool writes = (flags & O_ACCMODE) != O_RDONLY;
    bool makes = (flags & O_CREAT) != 0;
    mode_t mode = 0;
    va_list args;
    int fd;

    REAL(openat)
    if (makes) {
        va_start(args, flags);
        mode = va_arg(args, mode_t);
        va_end(args);
    }
    if (writes && fails("openat", name, makes && !is_there(dir_fd, name))) {
        return -1;
    }
    fd = real(dir_fd, name, flags, mode);
    if (fd >= 0 && fd < FDS_MAX) {
        is_written[fd] = writes && makes;
    }
    return fd;
}

int
close(int fd)
{
    REAL(close)
    if (fd >= 0 && fd < FDS_MAX) {
        is_written[fd] = false;
    }
    return real(fd);
}

/* Half of it gets through, as it does when the room ends there. */
ssize_t
write(int fd, const void *data, size_t len)
{
    REAL(write)
    if (fd >= 0 && fd < FDS_MAX && is_written[fd]
        && fails("write", "", true)) {
        return real(fd, data, len / 2) < 0 ? -1
            : (errno = (int) atomic_load(&plan->error), -1);
    }
    return real(fd, data, len);
}

int
fsync(int fd)
{
    REAL(fsync)
    return fails("fsync", "", true) ? -1 : real(fd);
}

int
renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    REAL(renameat)
    return fails("renameat", to, true) ? -1 : real(from_fd, from, to_fd, to);
}

int
symlinkat(const char *target, int fd, const char *name)
{
    REAL(symlinkat)
    return fails("symlinkat", target, true) ? -1 : real(target, fd, name);
}

int
mkdirat(int fd, const char *name, mode_t mode)
{
    REAL(mkdirat)
    return !is_there(fd, name) && fails("mkdirat", name, true) ? -1
        : real(fd, name, mode);
}

int
unlinkat(int fd, const char *name, int flags)
{
    REAL(unlinkat)
    return is_there(fd, name) && fails("unlinkat", name, false) ? -1
        : real(fd, name, flags);
}
