/*
 * Events that wait for the program of acme_event: small files, numbered in the
 * order in which things happened.
 */

#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/durable.h"
#include "store/internal.h"
#include "store/path.h"

enum { FOLDER_MODE = 0700, FILE_MODE = 0600 };

static void
event_file(unsigned number, char file[NAME_MAX + 1])
{
    snprintf(file, NAME_MAX + 1, "%u.json", number);
}

/* The folder, which is there since the first event; -1 with ENOENT before. */
static int
open_events(struct acme_store *store, bool make, struct acme_error *err)
{
    if (make && !acme_durable_mkdir(store->fd, "events", FOLDER_MODE, err)) {
        return -1;
    }
    return acme_path_open(store->fd, "events", err);
}

bool
acme_store_event_write(struct acme_store *store, unsigned number,
    struct acme_bytes json, struct acme_error *err)
{
    int fd = open_events(store, true, err);
    char file[NAME_MAX + 1];
    bool ok;

    if (fd < 0) {
        return false;
    }
    event_file(number, file);
    ok = acme_durable_write(fd, file, json, FILE_MODE, err);
    close(fd);
    return ok || acme_while(err, "events");
}

bool
acme_store_event_read(struct acme_store *store, unsigned number,
    struct acme_buffer *json, struct acme_error *err)
{
    int fd = open_events(store, false, err);
    char file[NAME_MAX + 1];
    bool ok;

    if (fd < 0) {
        return false;
    }
    event_file(number, file);
    ok = acme_durable_read(fd, file, json, err);
    close(fd);
    return ok || acme_while(err, "events");
}

bool
acme_store_event_remove(struct acme_store *store, unsigned number,
    struct acme_error *err)
{
    int fd = open_events(store, false, err);
    char file[NAME_MAX + 1];
    bool ok;

    if (fd < 0) {
        return err->sys == ENOENT;
    }
    event_file(number, file);
    ok = acme_durable_remove(fd, file, err);
    close(fd);
    return ok || acme_while(err, "events");
}

bool
acme_store_events_remove(struct acme_store *store, struct acme_error *err)
{
    return acme_durable_remove(store->fd, "events", err);
}

/* The number that a file of ours is called by, or 0. */
static unsigned
event_number(const char *file)
{
    size_t digits = strspn(file, "0123456789");

    return file[0] != '0' && digits >= 1 && digits <= 9
        && strcmp(file + digits, ".json") == 0
        ? (unsigned) strtoul(file, NULL, 10) : 0;
}

static int
ascending(const void *a, const void *b)
{
    unsigned left = *(const unsigned *) a, right = *(const unsigned *) b;

    return left > right ? 1 : left < right ? -1 : 0;
}

static bool
read_numbers(DIR *dir, unsigned **numbers, size_t *count,
    struct acme_error *err)
{
    struct dirent *entry;

    while ((entry = readdir(dir)) != NULL) {
        unsigned number = event_number(entry->d_name);
        unsigned *more;

        if (number == 0) {
            continue;
        }
        more = reallocarray(*numbers, *count + 1, sizeof(*more));
        if (more == NULL) {
            return acme_fail_memory(err);
        }
        *numbers = more;
        more[(*count)++] = number;
    }
    if (*count > 0) {
        qsort(*numbers, *count, sizeof(**numbers), ascending);
    }
    return true;
}

bool
acme_store_event_numbers(struct acme_store *store, unsigned **numbers,
    size_t *count, struct acme_error *err)
{
    int fd = open_events(store, false, err);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    bool ok;

    *numbers = NULL;
    *count = 0;
    if (fd < 0) {
        return err->sys == ENOENT;
    }
    if (dir == NULL) {
        close(fd);
        return acme_fail_sys(err, "events");
    }
    ok = read_numbers(dir, numbers, count, err);
    closedir(dir);
    return ok;
}
