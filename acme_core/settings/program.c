/* What a program must be before it is started in an operator's name. */

#include "settings/program.h"

#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINKS_MAX = 20 };

/* Can somebody else than root write it, or put something else there? */
static bool
is_root_only(const char *path, const struct stat *info, bool last,
    struct acme_error *err)
{
    bool kept = S_ISDIR(info->st_mode) && !last
        && (info->st_mode & S_ISVTX) != 0;

    if (info->st_uid != 0) {
        return acme_fail(err, ACME_MISCONFIG, "with user=root, %.300s must "
            "belong to root, and belongs to uid %u", path,
            (unsigned) info->st_uid);
    }
    return S_ISLNK(info->st_mode) || kept || (info->st_mode & 022) == 0
        || acme_fail(err, ACME_MISCONFIG, "with user=root, %.300s must not be "
            "writable by others (mode %o): chmod go-w", path,
            (unsigned) info->st_mode & 07777);
}

/* A link at path[0 .. len) -> the path that it leads to, with its rest. */
static bool
follow(char path[PATH_MAX], size_t len, struct acme_error *err)
{
    char target[PATH_MAX], next[PATH_MAX], link[PATH_MAX];
    const char *name;
    ssize_t got;
    int n;

    memcpy(link, path, len);
    link[len] = '\0';
    got = readlink(link, target, sizeof(target) - 1);
    if (got < 0) {
        return acme_fail_sys(err, "%.300s", link);
    }
    target[got] = '\0';
    name = strrchr(link, '/') + 1;
    n = snprintf(next, sizeof(next), "%.*s%s%s",
        target[0] == '/' ? 0 : (int) (name - link), link, target, path + len);
    if (n < 0 || (size_t) n >= sizeof(next)) {
        return acme_fail(err, ACME_MISCONFIG, "%.300s leads to a path that "
            "is too long", link);
    }
    memcpy(path, next, (size_t) n + 1);
    return true;
}

/* The next component behind `at`, which is the end of the one before. */
static size_t
component_end(const char *path, size_t at)
{
    at += strspn(path + at, "/");
    return at + strcspn(path + at, "/");
}

/* Every component from the root down, each link followed by hand. */
static bool
check_root_only(const char *program, struct acme_error *err)
{
    char path[PATH_MAX], part[PATH_MAX];
    size_t len = strlen(program), end = 0;
    unsigned links = 0;

    if (len >= sizeof(path)) {
        return acme_fail(err, ACME_MISCONFIG, "the path is too long");
    }
    memcpy(path, program, len + 1);
    do {
        struct stat info;

        end = component_end(path, end);
        memcpy(part, path, end);
        part[end] = '\0';
        if (lstat(part, &info) != 0) {
            return acme_fail_sys(err, "%.300s", part);
        }
        if (!is_root_only(part, &info, path[end] == '\0', err)) {
            return false;
        }
        if (S_ISLNK(info.st_mode)) {
            if (++links > LINKS_MAX) {
                return acme_fail(err, ACME_MISCONFIG, "too many links");
            }
            if (!follow(path, end, err)) {
                return false;
            }
            end = 0;
        }
    } while (path[end] != '\0');
    return true;
}

bool
acme_program_check(const char *program, const char *user,
    struct acme_error *err)
{
    const struct passwd *entry;
    struct stat info;

    if (stat(program, &info) != 0) {
        return acme_fail_sys(err, "\"%.300s\"", program);
    }
    if (!S_ISREG(info.st_mode) || access(program, X_OK) != 0) {
        return acme_fail(err, ACME_MISCONFIG,
            "\"%.300s\" is not an executable file", program);
    }
    if (geteuid() != 0) {
        return true;
    }
    entry = getpwnam(user);
    if (entry == NULL) {
        return acme_fail(err, ACME_MISCONFIG, "there is no user \"%s\" on "
            "this machine", user);
    }
    return entry->pw_uid != 0 || check_root_only(program, err);
}
