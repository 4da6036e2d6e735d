/*
 * What the parts of this folder share. Each is preloaded into the helper by a
 * script given as acme_helper, so that the helper itself knows nothing of it. A
 * file that the environment names is mapped before main, since sandboxes come
 * later: all processes of a run share it with the test, which may change it.
 */

#ifndef ACME_TESTS_CRASH_PRELOAD_H
#define ACME_TESTS_CRASH_PRELOAD_H

#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CALL_TEXT = 64, CALLS_MAX = 1000 };

/*
 * The calls of one role, counted over its restarts. For ACME::Test::Shim this
 * is "L4 a64" and as many a64 as there are.
 */
struct plan {
    _Atomic uint32_t at;        /* the one that is meant; 0: only count */
    _Atomic uint32_t count;
    _Atomic uint32_t own[2];    /* what each part has besides */
    char role[CALL_TEXT];       /* argv[0] ends with it */
    char calls[CALLS_MAX][CALL_TEXT];
};

/* The next definition of this function: libc's, or a sanitizer's. */
#define REAL(function) \
    static __typeof__(function) *real; \
    if (real == NULL) { \
        *(void **) &real = dlsym(RTLD_NEXT, #function); \
    }

/* The file that this variable names, or NULL. */
static inline void *
map_file(const char *variable, size_t size)
{
    const char *file = getenv(variable);
    int fd = file != NULL ? open(file, O_RDWR | O_CLOEXEC) : -1;
    void *map;

    if (fd < 0) {
        return NULL;
    }
    map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return map != MAP_FAILED ? map : NULL;
}

/* Is this process of the role? */
static inline bool
is_of_role(const struct plan *plan, int argc, char **argv)
{
    const char *title = argc > 0 ? argv[0] : "";
    size_t len = strlen(title);
    size_t role = strnlen(plan->role, CALL_TEXT);

    return len >= role && strncmp(title + len - role, plan->role, role) == 0;
}

/* Its number, from 1 on. */
static inline uint32_t
count_call(struct plan *plan, const char *call, const char *name)
{
    uint32_t number = atomic_fetch_add(&plan->count, 1) + 1;

    if (number <= CALLS_MAX) {
        snprintf(plan->calls[number - 1], CALL_TEXT, "%s %s", call, name);
    }
    return number;
}

#endif
