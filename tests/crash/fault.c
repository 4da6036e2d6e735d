/*
 * Makes a disk full, or read-only: from the Nth call on that needs room, or
 * that writes at all, each one fails. ACME_FAULT names a file of struct plan.
 */

#include <errno.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "preload.h"

enum { FDS_MAX = 1024 };

/* Of plan->own. */
enum {
    ERROR,                      /* ENOSPC: what needs room fails; EROFS: what
                                   changes anything */
    FAILED                      /* how many have */
};

static struct plan *plan;
static bool is_meant;
static bool is_written[FDS_MAX];    /* files that we have seen made */

static void __attribute__((constructor))
begin(int argc, char **argv)
{
    plan = map_file("ACME_FAULT", sizeof(*plan));
    is_meant = plan != NULL && is_of_role(plan, argc, argv);
}

/* True, with errno: this call is to fail. */
static bool
fails(const char *call, const char *name, bool needs_room)
{
    uint32_t number, from;

    if (!is_meant || (!needs_room && plan->own[ERROR] == ENOSPC)) {
        return false;
    }
    number = count_call(plan, call, name);
    from = plan->at;
    if (from == 0 || number < from) {
        return false;
    }
    plan->own[FAILED]++;
    errno = (int) plan->own[ERROR];
    return true;
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
            : (errno = (int) plan->own[ERROR], -1);
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
