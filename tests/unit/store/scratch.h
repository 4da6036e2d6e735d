/* A folder of its own for each test of the store. */

#ifndef ACME_TESTS_STORE_SCRATCH_H
#define ACME_TESTS_STORE_SCRATCH_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"

struct scratch {
    char path[64];
    int fd;
};

static inline int
scratch_make(void **state)
{
    struct scratch *scratch = calloc(1, sizeof(*scratch));

    strcpy(scratch->path, "/tmp/acme-test-XXXXXX");
    assert_non_null(mkdtemp(scratch->path));
    scratch->fd = open(scratch->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(scratch->fd >= 0);
    *state = scratch;
    return 0;
}

static inline int
scratch_remove(void **state)
{
    struct scratch *scratch = *state;
    char command[128];

    close(scratch->fd);
    snprintf(command, sizeof(command), "rm -rf '%s'", scratch->path);
    assert_int_equal(system(command), 0);
    free(scratch);
    return 0;
}

/* What is at a path below the folder: its type and mode, or 0. */
static inline mode_t
mode_of(const struct scratch *scratch, const char *name)
{
    struct stat info;

    return fstatat(scratch->fd, name, &info, AT_SYMLINK_NOFOLLOW) == 0
        ? info.st_mode : 0;
}

static inline bool
is_there(const struct scratch *scratch, const char *name)
{
    return mode_of(scratch, name) != 0;
}

/* Write a file as anybody would. */
static inline void
scribble(const struct scratch *scratch, const char *name, const char *text)
{
    int fd = openat(scratch->fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

/* The content of a file, in a buffer of its own. */
static inline const char *
content_of(const struct scratch *scratch, const char *name)
{
    static char text[4096];
    int fd = openat(scratch->fd, name, O_RDONLY);
    ssize_t len = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

    if (fd >= 0) {
        close(fd);
    }
    text[len > 0 ? len : 0] = '\0';
    return len >= 0 ? text : NULL;
}

#endif
