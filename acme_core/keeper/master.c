/*
 * The master is whoever holds the write end of our lifetime pipe. A worker
 * holds a copy too for the moment between fork and its closing, so a holder
 * whose parent is a holder is not the master.
 */

#include "keeper/master.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { HOLDERS_MAX = 64 };

/* One number field of a /proc text file, such as "PPid:" or "flags:". */
static long
proc_field(const char *path, const char *field, int base)
{
    char line[256];
    long value = -1;
    FILE *file = fopen(path, "re");

    if (file == NULL) {
        return -1;
    }
    while (value < 0 && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, field, strlen(field)) == 0) {
            value = strtol(line + strlen(field), NULL, base);
        }
    }
    fclose(file);
    return value;
}

static bool
holds_pipe(const char *pid, unsigned long long life_inode)
{
    char path[64], target[64], wanted[64];
    struct dirent *entry;
    bool holds = false;
    DIR *dir;

    snprintf(wanted, sizeof(wanted), "pipe:[%llu]", life_inode);
    snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
    dir = opendir(path);
    if (dir == NULL) {
        return false;
    }
    while (!holds && (entry = readdir(dir)) != NULL) {
        ssize_t len = readlinkat(dirfd(dir), entry->d_name, target,
            sizeof(target) - 1);

        if (len <= 0) {
            continue;
        }
        target[len] = '\0';
        if (strcmp(target, wanted) == 0) {
            snprintf(path, sizeof(path), "/proc/%.16s/fdinfo/%.16s", pid,
                entry->d_name);
            holds = (proc_field(path, "flags:", 8) & O_ACCMODE) == O_WRONLY;
        }
    }
    closedir(dir);
    return holds;
}

static size_t
find_holders(unsigned long long life_inode, pid_t holders[HOLDERS_MAX])
{
    struct dirent *entry;
    size_t count = 0;
    DIR *dir = opendir("/proc");

    while (dir != NULL && count < HOLDERS_MAX
        && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9'
            && holds_pipe(entry->d_name, life_inode)) {
            holders[count++] = (pid_t) atol(entry->d_name);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return count;
}

static pid_t
parent_of(pid_t pid)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/status", (int) pid);
    return (pid_t) proc_field(path, "PPid:", 10);
}

static pid_t
find_master(unsigned long long life_inode)
{
    pid_t holders[HOLDERS_MAX];
    size_t count = find_holders(life_inode, holders);

    for (size_t i = 0; i < count; i++) {
        pid_t parent = parent_of(holders[i]);
        bool is_child = false;

        for (size_t j = 0; j < count; j++) {
            is_child = is_child || holders[j] == parent;
        }
        if (!is_child) {
            return holders[i];
        }
    }
    return 0;
}

bool
master_reload(unsigned long long life_inode, int signal,
    struct acme_error *err)
{
    pid_t master = find_master(life_inode);
    char pid[16];
    bool ok = true;
    int fd;

    if (master == 0) {
        return acme_fail(err, ACME_LOCAL,
            "the server's master process is not to be found in /proc");
    }
    fd = (int) syscall(SYS_pidfd_open, master, 0);
    if (fd < 0) {
        return acme_fail_sys(err, "pidfd_open of the master %d", (int) master);
    }
    /* once more, now that the pid cannot become another process's */
    snprintf(pid, sizeof(pid), "%d", (int) master);
    if (!holds_pipe(pid, life_inode)) {
        ok = acme_fail(err, ACME_LOCAL, "the master has just ended");
    } else if (syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0) != 0) {
        ok = acme_fail_sys(err, "signal %d to the master %d", signal,
            (int) master);
    }
    close(fd);
    return ok;
}

/* The new master is a child of the old one, and says what it is. */
static bool
is_new_master(const char *pid, pid_t master)
{
    static const char title[] = "nginx: master process";
    char path[64], start[sizeof(title)] = "";
    FILE *file;

    if (parent_of((pid_t) atol(pid)) != master) {
        return false;
    }
    snprintf(path, sizeof(path), "/proc/%.16s/cmdline", pid);
    file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    (void) !fread(start, 1, sizeof(title) - 1, file);
    fclose(file);
    return strcmp(start, title) == 0;
}

bool
master_is_upgrading(unsigned long long life_inode)
{
    pid_t master = find_master(life_inode);
    DIR *dir = master != 0 ? opendir("/proc") : NULL;
    struct dirent *entry;
    bool found = false;

    while (dir != NULL && !found && (entry = readdir(dir)) != NULL) {
        found = entry->d_name[0] >= '1' && entry->d_name[0] <= '9'
            && is_new_master(entry->d_name, master);
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return found;
}
