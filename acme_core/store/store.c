/*
 * The store as the keeper has it: open, lock, accounts, pending orders,
 * plans. Generations are in generation.c; reading without a store, as servers
 * do, is there too.
 */

#include "store/store.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "crypto/key.h"
#include "store/durable.h"
#include "store/internal.h"
#include "store/path.h"

#define LIMITS_FILE "limits.json"

enum { FOLDER_MODE = 0700, FILE_MODE = 0600, PARENT_MODE = 0755 };

static const char *const areas[] = { "accounts", "certs", "pending", "live",
    "plan" };

/* ---- opening */

/* A link that another user owns could be turned while we are not looking. */
static bool
check_component(const char *path, struct acme_error *err)
{
    struct stat info;

    if (lstat(path, &info) != 0) {
        return errno == ENOENT || acme_fail_sys(err, "%s", path);
    }
    if (S_ISLNK(info.st_mode) && info.st_uid != 0
        && info.st_uid != geteuid()) {
        return acme_fail(err, ACME_MISCONFIG, "acme_state_path: %s is a "
            "symbolic link of another user (uid %u): make it root's", path,
            (unsigned) info.st_uid);
    }
    return true;
}

/* Root may write everywhere, but for what holds it back; /proc says ENOENT. */
static bool
while_writing(struct acme_error *err, const char *state_path)
{
    bool held_back = err->sys == EROFS || err->sys == EACCES
        || err->sys == EPERM || err->sys == ENOENT;

    return acme_while(err, "acme_state_path %.300s%s", state_path, held_back
        ? " (under systemd it needs StateDirectory= or ReadWritePaths=)"
        : "");
}

/* Make what is missing: parents 0755, the path itself 0700. */
static bool
make_path(const char *state_path, struct acme_error *err)
{
    char path[PATH_MAX];
    char *slash;
    size_t len = strlen(state_path);

    if (state_path[0] != '/' || len >= sizeof(path)) {
        return acme_fail(err, ACME_MISCONFIG, "acme_state_path \"%.100s\" is "
            "not an absolute path", state_path);
    }
    memcpy(path, state_path, len + 1);
    while (len > 1 && path[len - 1] == '/') {
        path[--len] = '\0';
    }
    for (slash = strchr(path + 1, '/'); ; slash = strchr(slash + 1, '/')) {
        unsigned mode = slash != NULL ? PARENT_MODE : FOLDER_MODE;

        if (slash != NULL) {
            *slash = '\0';
        }
        if (!check_component(path, err)) {
            return false;
        }
        if (!acme_durable_mkdir(AT_FDCWD, path, mode, err)) {
            return while_writing(err, state_path);
        }
        if (slash == NULL) {
            return true;
        }
        *slash = '/';
    }
}

static bool
check_mode(int fd, const char *state_path, struct acme_error *err)
{
    struct stat info;

    if (fstat(fd, &info) != 0) {
        return acme_fail_sys(err, "%s", state_path);
    }
    if ((info.st_mode & 022) != 0) {
        return acme_fail(err, ACME_MISCONFIG, "acme_state_path %s can be "
            "written by others (mode %o): chmod 0700 %s", state_path,
            (unsigned) info.st_mode & 07777, state_path);
    }
    return true;
}

void
acme_store_doubts(const struct acme_store *store,
    void (*say)(void *ctx, const char *text), void *ctx)
{
    struct statfs system;
    struct stat info;
    char text[160];

    if (fstat(store->fd, &info) == 0 && info.st_uid != geteuid()) {
        snprintf(text, sizeof(text), "acme_state_path belongs to uid %u, who "
            "can read its keys: better chown it to uid %u",
            (unsigned) info.st_uid, (unsigned) geteuid());
        say(ctx, text);
    }
    if (fstatfs(store->fd, &system) == 0
        && (system.f_type == OVERLAYFS_SUPER_MAGIC
            || system.f_type == TMPFS_MAGIC)) {
        say(ctx, "acme_state_path is not on a volume: certificates are lost "
            "with the container");
    }
}

/* What a crash left: temporary files, and generations never finished. */
static void
clean_dir(int dir_fd, int depth)
{
    struct acme_error ignored;
    struct dirent *entry;
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    if (dir == NULL) {
        if (fd >= 0) {
            close(fd);
        }
        return;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (strncmp(entry->d_name, ".tmp-", 5) == 0
            || strcmp(entry->d_name, ".new") == 0) {
            acme_durable_remove(fd, entry->d_name, &ignored);
        } else if (depth > 0 && entry->d_name[0] != '.'
            && entry->d_type != DT_REG && entry->d_type != DT_LNK) {
            int child = acme_path_open(fd, entry->d_name, &ignored);

            if (child >= 0) {
                clean_dir(child, depth - 1);
                close(child);
            }
        }
    }
    closedir(dir);
}

struct acme_store *
acme_store_open(const char *state_path, struct acme_error *err)
{
    struct acme_store *store = calloc(1, sizeof(*store));

    if (store == NULL) {
        acme_fail_memory(err);
        return NULL;
    }
    store->fd = -1;
    store->lock_fd = -1;
    store->path = strdup(state_path);
    if (store->path == NULL) {
        acme_fail_memory(err);
        goto failed;
    }
    if (!make_path(state_path, err)) {
        goto failed;
    }
    store->fd = acme_path_open_state(state_path, err);
    if (store->fd < 0 || !check_mode(store->fd, state_path, err)) {
        goto failed;
    }
    for (size_t i = 0; i < sizeof(areas) / sizeof(*areas); i++) {
        if (!acme_durable_mkdir(store->fd, areas[i], FOLDER_MODE, err)) {
            while_writing(err, state_path);
            goto failed;
        }
    }
    return store;

failed:
    acme_store_close(store);
    return NULL;
}

void
acme_store_close(struct acme_store *store)
{
    if (store == NULL) {
        return;
    }
    if (store->lock_fd >= 0) {
        close(store->lock_fd);
    }
    if (store->fd >= 0) {
        close(store->fd);
    }
    free(store->path);
    free(store);
}

bool
acme_store_lock(struct acme_store *store, struct acme_error *err)
{
    int fd = openat(store->fd, "lock",
        O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);

    if (fd < 0) {
        acme_fail_sys(err, "opening the lock");
        return while_writing(err, store->path);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int sys = errno;

        if (sys == EWOULDBLOCK) {
            acme_fail(err, ACME_LOCAL, "another helper has the store %.300s",
                store->path);
            err->sys = sys;
        } else {
            acme_fail_sys(err, "locking the store %.300s", store->path);
        }
        close(fd);
        return false;
    }
    store->lock_fd = fd;
    /* with the lock, and never without: another keeper may be writing */
    clean_dir(store->fd, 3);
    return true;
}

/* By its path, as the servers read it: the folder may have been moved. */
bool
acme_store_is_locked(const struct acme_store *store)
{
    struct stat ours, there;
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/lock", store->path);
    if (store->lock_fd < 0 || fstat(store->lock_fd, &ours) != 0) {
        return false;
    }
    if (lstat(path, &there) != 0) {
        return errno != ENOENT;
    }
    return ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

/* ---- files in folders of folders */

/* Open area/folder, making the folder when asked to. */
static int
open_folder(struct acme_store *store, const char *area, const char *folder,
    bool make, struct acme_error *err)
{
    int area_fd, fd = -1;

    if (!acme_path_check(folder, err)) {
        return -1;
    }
    area_fd = acme_path_open(store->fd, area, err);
    if (area_fd < 0) {
        return -1;
    }
    if (!make || acme_durable_mkdir(area_fd, folder, FOLDER_MODE, err)) {
        fd = acme_path_open(area_fd, folder, err);
    }
    close(area_fd);
    return fd;
}

int
acme_store_certs_folder(struct acme_store *store, const char *folder,
    struct acme_error *err)
{
    return open_folder(store, "certs", folder, true, err);
}

static int
open_account(struct acme_store *store, const char *ca, const char *id,
    bool make, struct acme_error *err)
{
    int ca_fd = open_folder(store, "accounts", ca, make, err);
    int fd = -1;

    if (ca_fd < 0 || !acme_path_check(id, err)) {
        goto out;
    }
    if (!make || acme_durable_mkdir(ca_fd, id, FOLDER_MODE, err)) {
        fd = acme_path_open(ca_fd, id, err);
    }

out:
    if (ca_fd >= 0) {
        close(ca_fd);
    }
    return fd;
}

bool
acme_store_account_read(struct acme_store *store, const char *ca,
    const char *id, const char *file, struct acme_buffer *out,
    struct acme_error *err)
{
    int fd = open_account(store, ca, id, false, err);
    bool ok;

    if (fd < 0) {
        return false;
    }
    ok = acme_durable_read(fd, file, out, err);
    close(fd);
    return ok || acme_while(err, "accounts/%s/%s", ca, id);
}

bool
acme_store_account_write(struct acme_store *store, const char *ca,
    const char *id, const char *file, struct acme_bytes data,
    struct acme_error *err)
{
    int fd = open_account(store, ca, id, true, err);
    bool ok;

    if (fd < 0) {
        return false;
    }
    ok = acme_durable_write(fd, file, data, FILE_MODE, err);
    close(fd);
    return ok || acme_while(err, "accounts/%s/%s", ca, id);
}

bool
acme_store_account_rename(struct acme_store *store, const char *ca,
    const char *id, const char *from, const char *to, struct acme_error *err)
{
    int fd = open_account(store, ca, id, false, err);
    bool ok;

    if (fd < 0) {
        return false;
    }
    ok = acme_durable_rename(fd, from, fd, to, err);
    close(fd);
    return ok || acme_while(err, "accounts/%s/%s", ca, id);
}

bool
acme_store_account_remove(struct acme_store *store, const char *ca,
    const char *id, const char *file, struct acme_error *err)
{
    int fd = open_account(store, ca, id, false, err);
    bool ok;

    if (fd < 0) {
        return false;
    }
    ok = acme_durable_remove(fd, file, err);
    close(fd);
    return ok || acme_while(err, "accounts/%s/%s", ca, id);
}

bool
acme_store_pending_read(struct acme_store *store, const char *folder,
    const char *file, struct acme_buffer *out, struct acme_error *err)
{
    int fd = open_folder(store, "pending", folder, false, err);
    bool ok;

    if (fd < 0) {
        return false;
    }
    ok = acme_durable_read(fd, file, out, err);
    close(fd);
    return ok || acme_while(err, "pending/%s", folder);
}

bool
acme_store_pending_write(struct acme_store *store, const char *folder,
    const char *file, struct acme_bytes data, struct acme_error *err)
{
    int fd = open_folder(store, "pending", folder, true, err);
    bool ok;

    if (fd < 0) {
        return false;
    }
    ok = acme_durable_write(fd, file, data, FILE_MODE, err);
    close(fd);
    return ok || acme_while(err, "pending/%s", folder);
}

bool
acme_store_pending_remove(struct acme_store *store, const char *folder,
    const char *file, struct acme_error *err)
{
    int fd = open_folder(store, "pending", folder, false, err);
    int area_fd;
    bool ok;

    if (fd < 0) {
        return err->sys == ENOENT;
    }
    ok = acme_durable_remove(fd, file, err);
    close(fd);
    area_fd = ok ? acme_path_open(store->fd, "pending", err) : -1;
    if (area_fd < 0) {
        return false;
    }
    ok = acme_durable_rmdir(area_fd, folder, err);
    close(area_fd);
    return ok;
}

/* plan/<name>.json; the name of a folder may have up to 255 bytes itself. */
static bool
plan_file(const char *name, char file[NAME_MAX + 1], struct acme_error *err)
{
    if (!acme_path_check(name, err)) {
        return false;
    }
    if (snprintf(file, NAME_MAX + 1, "%s.json", name) > NAME_MAX) {
        return acme_fail(err, ACME_LOCAL, "the name of a plan is too long");
    }
    return true;
}

bool
acme_store_plan_read(struct acme_store *store, const char *name,
    struct acme_buffer *out, struct acme_error *err)
{
    char file[NAME_MAX + 1];
    int fd;
    bool ok;

    if (!plan_file(name, file, err)) {
        return false;
    }
    fd = acme_path_open(store->fd, "plan", err);
    if (fd < 0) {
        return false;
    }
    ok = acme_durable_read(fd, file, out, err);
    close(fd);
    return ok;
}

bool
acme_store_plan_write(struct acme_store *store, const char *name,
    struct acme_bytes json, struct acme_error *err)
{
    char file[NAME_MAX + 1];
    int fd;
    bool ok;

    if (!plan_file(name, file, err)) {
        return false;
    }
    fd = acme_path_open(store->fd, "plan", err);
    if (fd < 0) {
        return false;
    }
    ok = acme_durable_write(fd, file, json, FILE_MODE, err);
    close(fd);
    return ok;
}

bool
acme_store_limits_read(struct acme_store *store, struct acme_buffer *out,
    struct acme_error *err)
{
    return acme_durable_read(store->fd, LIMITS_FILE, out, err);
}

bool
acme_store_limits_write(struct acme_store *store, struct acme_bytes json,
    struct acme_error *err)
{
    return acme_durable_write(store->fd, LIMITS_FILE, json, FILE_MODE, err);
}

/* ---- names */

bool
acme_store_ca_folder(const char *directory_url, char folder[ACME_FOLDER_MAX],
    struct acme_error *err)
{
    const char *host = strstr(directory_url, "://");
    uint8_t digest[32];
    size_t len = 0;

    if (!acme_sha256(acme_bytes_of(directory_url), digest, err)) {
        return false;
    }
    host = host != NULL ? host + 3 : directory_url;
    for (; host[len] != '\0' && host[len] != '/' && len < 200; len++) {
        char c = (char) tolower((unsigned char) host[len]);

        folder[len] = isalnum((unsigned char) c) || c == '-'
            || (c == '.' && len > 0) ? c : '_';
    }
    snprintf(folder + len, ACME_FOLDER_MAX - len, "-%02x%02x%02x%02x",
        digest[0], digest[1], digest[2], digest[3]);
    return true;
}
