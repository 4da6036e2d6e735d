/*
 * Generations: a key and its chain, immutable once they have a number, and
 * the link that says which one is live. The link is read once and the pair
 * then by the generation's own path: following it twice can tear the pair.
 */

#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/durable.h"
#include "store/internal.h"
#include "store/path.h"

#define NEW_FOLDER ".new"
#define ENTRY_FILE "entry"

enum {
    KEPT = 3,
    YOUNG_S = 3600,
    LOADING_S = 60,         /* a server takes to read its certificates */
    NUMBERS_MAX = 1000,
    FOLDERS_SIZE_MAX = 64 * 1024 * 1024
};

static bool read_link(int, const char *, unsigned *, struct acme_error *);

const struct acme_pair_files acme_pair_files[ACME_KEYS_MAX] = {
    { "fullchain.pem", "privkey.pem", "meta.json" },
    { "fullchain.rsa.pem", "privkey.rsa.pem", "meta.rsa.json" },
};

/* ---- numbers */

/* The number a generation's folder is called by, or 0. */
static unsigned
number_of(const char *name)
{
    char *end;
    unsigned long number;

    if (name[0] < '1' || name[0] > '9' || strlen(name) > 9) {
        return 0;
    }
    number = strtoul(name, &end, 10);
    return *end == '\0' ? (unsigned) number : 0;
}

static int
descending(const void *a, const void *b)
{
    unsigned left = *(const unsigned *) a, right = *(const unsigned *) b;

    return left < right ? 1 : left > right ? -1 : 0;
}

/* All numbers of a folder, highest first. */
static size_t
list_numbers(int folder_fd, unsigned numbers[NUMBERS_MAX])
{
    int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;
    size_t count = 0;

    if (dir == NULL) {
        if (fd >= 0) {
            close(fd);
        }
        return 0;
    }
    while (count < NUMBERS_MAX && (entry = readdir(dir)) != NULL) {
        unsigned number = number_of(entry->d_name);

        if (number > 0) {
            numbers[count++] = number;
        }
    }
    closedir(dir);
    qsort(numbers, count, sizeof(*numbers), descending);
    return count;
}

/* ---- writing */

static bool
write_pair(int fd, const struct acme_pair_files *files,
    const struct acme_pair *pair, struct acme_error *err)
{
    return acme_durable_write(fd, files->chain, pair->chain_pem, 0600, err)
        && acme_durable_write(fd, files->key, pair->key_pem, 0600, err)
        && acme_durable_write(fd, files->meta, pair->meta_json, 0600, err);
}

/* Whole, synced, and under its number; nothing points at it yet. */
static bool
write_generation(int folder_fd, unsigned number,
    const struct acme_pair *pairs, size_t pair_count, struct acme_error *err)
{
    struct acme_error ignored;
    char name[16];
    bool ok;
    int fd;

    snprintf(name, sizeof(name), "%u", number);
    if (!acme_durable_remove(folder_fd, NEW_FOLDER, err)
        || !acme_durable_mkdir(folder_fd, NEW_FOLDER, 0700, err)) {
        return false;
    }
    fd = acme_path_open(folder_fd, NEW_FOLDER, err);
    if (fd < 0) {
        return false;
    }
    ok = pair_count >= 1 && pair_count <= ACME_KEYS_MAX;
    for (size_t i = 0; ok && i < pair_count; i++) {
        ok = write_pair(fd, &acme_pair_files[i], &pairs[i], err);
    }
    close(fd);
    ok = ok && acme_durable_rename(folder_fd, NEW_FOLDER, folder_fd, name,
        err);
    if (!ok) {
        acme_durable_remove(folder_fd, NEW_FOLDER, &ignored);
    }
    return ok;
}

static bool
flip(struct acme_store *store, const char *folder, unsigned number,
    struct acme_error *err)
{
    char target[ACME_FOLDER_MAX + 32];
    int live_fd = acme_path_open(store->fd, "live", err);
    bool ok;

    if (live_fd < 0) {
        return false;
    }
    snprintf(target, sizeof(target), "../certs/%s/%u", folder, number);
    ok = acme_durable_link(live_fd, folder, target, err);
    close(live_fd);
    return ok;
}

/*
 * Flip, or leave nothing of the generation: on a full disk it would only take
 * room. It stays when the link names it after all, and only the sync failed.
 */
static bool
go_live(struct acme_store *store, int folder_fd, const char *folder,
    unsigned number, struct acme_error *err)
{
    struct acme_error ignored;
    unsigned live;
    char name[16];

    if (flip(store, folder, number, err)) {
        return true;
    }
    if (!read_link(store->fd, folder, &live, &ignored) || live != number) {
        snprintf(name, sizeof(name), "%u", number);
        acme_durable_remove(folder_fd, name, &ignored);
    }
    return false;
}

void
acme_store_note_load(struct acme_store *store, int64_t at)
{
    store->loaded_at = at;
}

static bool
made_at(int folder_fd, unsigned number, int64_t *at)
{
    struct stat info;
    char name[16];

    snprintf(name, sizeof(name), "%u", number);
    if (fstatat(folder_fd, name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
        return false;
    }
    *at = info.st_mtime;
    return true;
}

/*
 * A generation stopped being live when its successor was made, so the age of
 * the successor's folder decides. One from the future (the clock was set
 * back) counts as young. What was live when the server last loaded is in use,
 * however long ago that was: reloads may have been refused since.
 */
static bool
is_over(const struct acme_store *store, int64_t made, int64_t succeeded,
    int64_t now)
{
    bool in_use = store->loaded_at != 0
        && made <= store->loaded_at + LOADING_S
        && succeeded >= store->loaded_at - LOADING_S;

    return succeeded + YOUNG_S <= now && !in_use;
}

static void
prune(const struct acme_store *store, int folder_fd, int64_t now)
{
    unsigned numbers[NUMBERS_MAX];
    size_t count = list_numbers(folder_fd, numbers);
    struct acme_error ignored;
    int64_t made, succeeded;
    char name[16];

    /* oldest first: a successor must still be there to be asked */
    for (size_t i = count; i-- > KEPT;) {
        if (made_at(folder_fd, numbers[i], &made)
            && made_at(folder_fd, numbers[i - 1], &succeeded)
            && is_over(store, made, succeeded, now)) {
            snprintf(name, sizeof(name), "%u", numbers[i]);
            acme_durable_remove(folder_fd, name, &ignored);
        }
    }
}

bool
acme_store_install(struct acme_store *store, const char *folder,
    struct acme_bytes entry, const struct acme_pair *pairs,
    size_t pair_count, int64_t now, unsigned *number_out,
    struct acme_error *err)
{
    unsigned numbers[NUMBERS_MAX];
    unsigned number = 1;
    int fd = acme_store_certs_folder(store, folder, err);
    bool ok;

    if (fd < 0) {
        return false;
    }
    if (list_numbers(fd, numbers) > 0) {
        number = numbers[0] + 1;
    }
    ok = acme_durable_write(fd, ENTRY_FILE, entry, 0600, err)
        && write_generation(fd, number, pairs, pair_count, err)
        && go_live(store, fd, folder, number, err);
    if (ok) {
        *number_out = number;
        prune(store, fd, now);
    } else {
        acme_while(err, "certs/%s", folder);
    }
    close(fd);
    return ok;
}

bool
acme_store_entry_write(struct acme_store *store, const char *folder,
    struct acme_bytes entry, struct acme_error *err)
{
    struct acme_buffer present = ACME_BUFFER(ACME_STORE_FILE_MAX);
    int fd = acme_store_certs_folder(store, folder, err);
    bool ok;

    if (fd < 0) {
        return false;
    }
    ok = (acme_durable_read(fd, ENTRY_FILE, &present, err)
            && acme_bytes_equal(acme_buffer_bytes(&present), entry))
        || acme_durable_write(fd, ENTRY_FILE, entry, 0600, err);
    acme_buffer_free(&present);
    close(fd);
    return ok;
}

/* ---- reading */

/* The number that live/<folder> points at, by its text alone. */
static bool
read_link(int state_fd, const char *folder, unsigned *number_out,
    struct acme_error *err)
{
    char target[ACME_FOLDER_MAX + 32], start[ACME_FOLDER_MAX + 16];
    int live_fd = acme_path_open(state_fd, "live", err);
    unsigned number;
    ssize_t len;

    if (live_fd < 0) {
        return false;
    }
    len = readlinkat(live_fd, folder, target, sizeof(target) - 1);
    if (len < 0) {
        acme_fail_sys(err, "live/%s", folder);
        close(live_fd);
        return false;
    }
    close(live_fd);
    target[len] = '\0';
    snprintf(start, sizeof(start), "../certs/%s/", folder);
    number = strncmp(target, start, strlen(start)) == 0
        ? number_of(target + strlen(start)) : 0;
    if (number == 0) {
        return acme_fail(err, ACME_LOCAL, "live/%s does not point to a "
            "generation of ../certs/%s", folder, folder);
    }
    *number_out = number;
    return true;
}

static int
open_generation(int state_fd, const char *folder, unsigned number,
    struct acme_error *err)
{
    char name[16];
    int certs_fd, folder_fd = -1, fd = -1;

    snprintf(name, sizeof(name), "%u", number);
    certs_fd = acme_path_open(state_fd, "certs", err);
    if (certs_fd >= 0) {
        folder_fd = acme_path_open(certs_fd, folder, err);
        close(certs_fd);
    }
    if (folder_fd >= 0) {
        fd = acme_path_open(folder_fd, name, err);
        close(folder_fd);
    }
    if (fd < 0 && err->sys == ENOENT) {
        /* not "no certificate yet": the link points into nothing */
        err->sys = EIO;
    }
    return fd;
}

/* Open a generation, and say by what path. */
static int
open_with_path(int state_fd, const char *state_path, const char *folder,
    unsigned number, char *path_out, size_t path_size, struct acme_error *err)
{
    int len = snprintf(path_out, path_size, "%s/certs/%s/%u", state_path,
        folder, number);

    if (len < 0 || (size_t) len >= path_size) {
        acme_fail(err, ACME_LOCAL, "acme_state_path is too long");
        return -1;
    }
    return open_generation(state_fd, folder, number, err);
}

int
acme_store_live_open(const char *state_path, const char *folder,
    unsigned *number_out, char *path_out, size_t path_size,
    struct acme_error *err)
{
    int state_fd, fd = -1;

    *number_out = UINT_MAX;
    if (!acme_path_check(folder, err)) {
        return -1;
    }
    state_fd = acme_path_open_state(state_path, err);
    if (state_fd < 0) {
        return -1;
    }
    if (read_link(state_fd, folder, number_out, err)) {
        fd = open_with_path(state_fd, state_path, folder, *number_out,
            path_out, path_size, err);
    }
    close(state_fd);
    return fd;
}

/* The highest number below this one, or 0. */
static unsigned
number_below(int state_fd, const char *folder, unsigned number)
{
    unsigned numbers[NUMBERS_MAX];
    struct acme_error ignored;
    size_t count = 0, i = 0;
    int certs_fd = acme_path_open(state_fd, "certs", &ignored);
    int fd = certs_fd >= 0 ? acme_path_open(certs_fd, folder, &ignored) : -1;

    if (fd >= 0) {
        count = list_numbers(fd, numbers);
        close(fd);
    }
    if (certs_fd >= 0) {
        close(certs_fd);
    }
    while (i < count && numbers[i] >= number) {
        i++;
    }
    return i < count ? numbers[i] : 0;
}

int
acme_store_older_open(const char *state_path, const char *folder,
    unsigned *number, char *path_out, size_t path_size,
    struct acme_error *err)
{
    int state_fd = acme_path_open_state(state_path, err);
    int fd = -1;

    if (state_fd < 0) {
        return -1;
    }
    do {
        *number = number_below(state_fd, folder, *number);
        if (*number == 0) {
            acme_fail(err, ACME_LOCAL, "there is no older generation");
            err->sys = ENOENT;
            break;
        }
        fd = open_with_path(state_fd, state_path, folder, *number, path_out,
            path_size, err);
    } while (fd < 0);
    close(state_fd);
    return fd;
}

/* A second pair of which there is no file is none at all. */
static bool
is_absent(int generation_fd, size_t index)
{
    return index > 0
        && faccessat(generation_fd, acme_pair_files[index].chain, F_OK,
            AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT
        && faccessat(generation_fd, acme_pair_files[index].key, F_OK,
            AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT;
}

bool
acme_store_pair_read(int generation_fd, size_t index,
    struct acme_buffer *chain_pem, struct acme_buffer *key_pem,
    struct acme_error *err)
{
    const struct acme_pair_files *files = &acme_pair_files[index];

    if (acme_durable_read(generation_fd, files->chain, chain_pem, err)
        && acme_durable_read(generation_fd, files->key, key_pem, err)) {
        return true;
    }
    if (err->sys == ENOENT && !is_absent(generation_fd, index)) {
        err->sys = EIO;
    }
    return false;
}

bool
acme_store_meta_read(int generation_fd, size_t index,
    struct acme_buffer *meta_json, struct acme_error *err)
{
    return acme_durable_read(generation_fd, acme_pair_files[index].meta,
        meta_json, err);
}

static int
by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

/* The pointers and behind them the names, which come one after another. */
static char **
block_of(const char *names, size_t len, size_t count)
{
    char **block = malloc((count + 1) * sizeof(*block) + len);
    char *name;

    if (block == NULL) {
        return NULL;
    }
    name = (char *) (block + count + 1);
    if (len > 0) {
        memcpy(name, names, len);
    }
    for (size_t i = 0; i < count; i++) {
        block[i] = name;
        name += strlen(name) + 1;
    }
    block[count] = NULL;
    qsort(block, count, sizeof(*block), by_text);
    return block;
}

char **
acme_store_folders(const char *state_path)
{
    struct acme_buffer names = ACME_BUFFER(FOLDERS_SIZE_MAX);
    struct acme_error ignored;
    int state_fd = acme_path_open_state(state_path, &ignored);
    int fd = state_fd >= 0 ? acme_path_open(state_fd, "certs", &ignored) : -1;
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;
    size_t count = 0;
    char **block = NULL;
    bool ok = true;

    while (ok && dir != NULL && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            ok = acme_buffer_add(&names, entry->d_name,
                strlen(entry->d_name) + 1);
            count++;
        }
    }
    if (ok) {
        block = block_of(acme_buffer_text(&names), names.len, count);
    }
    if (dir != NULL) {
        closedir(dir);
    } else if (fd >= 0) {
        close(fd);
    }
    if (state_fd >= 0) {
        close(state_fd);
    }
    acme_buffer_free(&names);
    return block;
}

bool
acme_store_entry_read(const char *state_path, const char *folder,
    struct acme_buffer *entry, struct acme_error *err)
{
    int state_fd, certs_fd = -1, fd = -1;
    bool ok;

    if (!acme_path_check(folder, err)) {
        return false;
    }
    state_fd = acme_path_open_state(state_path, err);
    if (state_fd >= 0) {
        certs_fd = acme_path_open(state_fd, "certs", err);
        close(state_fd);
    }
    if (certs_fd >= 0) {
        fd = acme_path_open(certs_fd, folder, err);
        close(certs_fd);
    }
    if (fd < 0) {
        return false;
    }
    ok = acme_durable_read(fd, ENTRY_FILE, entry, err);
    close(fd);
    return ok;
}
