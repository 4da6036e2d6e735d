/*
 * The only writer of files. "Durable" means: data and name have been synced
 * before the call returns true. Follows no symbolic link.
 */

#include "store/durable.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_SIZE = 64 };

/* A name that no crash's leftover has: ".tmp-" and 16 hex digits. */
static bool
temp_name(char name[NAME_SIZE], struct acme_error *err)
{
    uint64_t random;

    if (getrandom(&random, sizeof(random), 0) != sizeof(random)) {
        return acme_fail_sys(err, "getrandom");
    }
    snprintf(name, NAME_SIZE, ".tmp-%016llx", (unsigned long long) random);
    return true;
}

static bool
sync_dir(int dir_fd, struct acme_error *err)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok;

    if (fd < 0) {
        return acme_fail_sys(err, "opening a directory to sync it");
    }
    ok = fsync(fd) == 0 || acme_fail_sys(err, "syncing a directory");
    close(fd);
    return ok;
}

bool
acme_durable_mkdir(int dir_fd, const char *name, unsigned mode,
    struct acme_error *err)
{
    int fd;
    bool ok;

    if (mkdirat(dir_fd, name, 0700) != 0) {
        return errno == EEXIST || acme_fail_sys(err, "making %s", name);
    }
    fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == EACCES) {
        /* a umask of 0777 took our own rights */
        if (fchmodat(dir_fd, name, mode, 0) != 0) {
            return acme_fail_sys(err, "making %s", name);
        }
        fd = openat(dir_fd, name,
            O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    if (fd < 0) {
        return acme_fail_sys(err, "making %s", name);
    }
    ok = fchmod(fd, mode) == 0 || acme_fail_sys(err, "mode of %s", name);
    close(fd);
    return ok && sync_dir(dir_fd, err);
}

static bool
write_all(int fd, struct acme_bytes data)
{
    while (data.len > 0) {
        ssize_t len = write(fd, data.at, data.len);

        if (len < 0 && errno == EINTR) {
            continue;
        }
        if (len <= 0) {
            return false;
        }
        data.at += len;
        data.len -= (size_t) len;
    }
    return true;
}

static bool
write_temp(int dir_fd, const char *temp, struct acme_bytes data,
    unsigned mode)
{
    int fd = openat(dir_fd, temp,
        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool ok;
    int sys;

    if (fd < 0) {
        return false;
    }
    ok = fchmod(fd, mode) == 0 && write_all(fd, data) && fsync(fd) == 0;
    sys = errno;
    if (close(fd) != 0 && ok) {
        return false;
    }
    errno = sys;
    return ok;
}

bool
acme_durable_write(int dir_fd, const char *name, struct acme_bytes data,
    unsigned mode, struct acme_error *err)
{
    char temp[NAME_SIZE];

    if (!temp_name(temp, err)) {
        return false;
    }
    if (!write_temp(dir_fd, temp, data, mode)
        || renameat(dir_fd, temp, dir_fd, name) != 0) {
        acme_fail_sys(err, "writing %s", name);
        unlinkat(dir_fd, temp, 0);
        return false;
    }
    return sync_dir(dir_fd, err);
}

bool
acme_durable_rename(int from_fd, const char *from, int to_fd, const char *to,
    struct acme_error *err)
{
    if (renameat(from_fd, from, to_fd, to) != 0) {
        return acme_fail_sys(err, "renaming %s to %s", from, to);
    }
    return sync_dir(to_fd, err) && (from_fd == to_fd
        || sync_dir(from_fd, err));
}

bool
acme_durable_link(int dir_fd, const char *name, const char *target,
    struct acme_error *err)
{
    char temp[NAME_SIZE];

    if (!temp_name(temp, err)) {
        return false;
    }
    if (symlinkat(target, dir_fd, temp) != 0) {
        return acme_fail_sys(err, "linking %s", name);
    }
    if (renameat(dir_fd, temp, dir_fd, name) != 0) {
        acme_fail_sys(err, "linking %s", name);
        unlinkat(dir_fd, temp, 0);
        return false;
    }
    return sync_dir(dir_fd, err);
}

/* Remove the plain files of a directory; anything else makes rmdir fail. */
static void
empty_dir(int fd)
{
    DIR *dir = fdopendir(fd);
    struct dirent *entry;

    if (dir == NULL) {
        close(fd);
        return;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0
            && strcmp(entry->d_name, "..") != 0) {
            unlinkat(fd, entry->d_name, 0);
        }
    }
    closedir(dir);
}

bool
acme_durable_remove(int dir_fd, const char *name, struct acme_error *err)
{
    int fd;

    if (unlinkat(dir_fd, name, 0) == 0) {
        return sync_dir(dir_fd, err);
    }
    if (errno == ENOENT) {
        return true;
    }
    if (errno != EISDIR && errno != EPERM) {
        return acme_fail_sys(err, "removing %s", name);
    }
    fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return acme_fail_sys(err, "removing %s", name);
    }
    empty_dir(fd);
    if (unlinkat(dir_fd, name, AT_REMOVEDIR) != 0) {
        return acme_fail_sys(err, "removing %s", name);
    }
    return sync_dir(dir_fd, err);
}

bool
acme_durable_rmdir(int dir_fd, const char *name, struct acme_error *err)
{
    if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0) {
        return sync_dir(dir_fd, err);
    }
    return errno == ENOENT || errno == ENOTEMPTY || errno == EEXIST
        || acme_fail_sys(err, "removing %s", name);
}

static bool
read_all(int fd, struct acme_buffer *out)
{
    char part[8192];
    ssize_t len;
    bool ok = true;

    while (ok && (len = read(fd, part, sizeof(part))) != 0) {
        if (len < 0 && errno == EINTR) {
            continue;
        }
        if (len < 0) {
            ok = false;
        } else if (!acme_buffer_add(out, part, (size_t) len)) {
            errno = EFBIG;
            ok = false;
        }
    }
    explicit_bzero(part, sizeof(part));
    return ok;
}

bool
acme_durable_read(int dir_fd, const char *name, struct acme_buffer *out,
    struct acme_error *err)
{
    /* O_NONBLOCK: opening a FIFO must not wait for a writer */
    int fd = openat(dir_fd, name,
        O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat info;
    bool ok = false;

    if (fd < 0) {
        return acme_fail_sys(err, "reading %s", name);
    }
    if (fstat(fd, &info) != 0) {
        acme_fail_sys(err, "reading %s", name);
    } else if (!S_ISREG(info.st_mode)) {
        acme_fail(err, ACME_LOCAL, "%s is not a plain file", name);
    } else if (!read_all(fd, out)) {
        acme_fail_sys(err, "reading %s", name);
    } else {
        ok = true;
    }
    close(fd);
    return ok;
}
