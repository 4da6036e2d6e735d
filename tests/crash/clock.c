/*
 * Sets the clock of the helper: the time that it sees is so many seconds ahead
 * as the file says that ACME_CLOCK names (8 bytes, little-endian), at each
 * moment anew. Preloaded by a script given as acme_helper. Only the wall clock
 * is changed, and the times of files are not.
 */

#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static _Atomic int64_t *ahead;

/* Before main: sandboxes come later. */
static void __attribute__((constructor))
begin(void)
{
    const char *file = getenv("ACME_CLOCK");
    int fd = file != NULL ? open(file, O_RDONLY | O_CLOEXEC) : -1;
    void *map;

    if (fd < 0) {
        return;
    }
    map = mmap(NULL, sizeof(*ahead), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (map != MAP_FAILED) {
        ahead = map;
    }
}

static int64_t
offset(void)
{
    return ahead != NULL ? atomic_load(ahead) : 0;
}

/* The next definition of this function: libc's, or a sanitizer's. */
#define REAL(function) \
    static __typeof__(function) *real; \
    if (real == NULL) { \
        *(void **) &real = dlsym(RTLD_NEXT, #function); \
    }

time_t
time(time_t *out)
{
    time_t now;

    REAL(time)
    now = real(NULL) + (time_t) offset();
    if (out != NULL) {
        *out = now;
    }
    return now;
}

int
clock_gettime(clockid_t clock, struct timespec *now)
{
    int rc;

    REAL(clock_gettime)
    rc = real(clock, now);
    if (rc == 0 && (clock == CLOCK_REALTIME
            || clock == CLOCK_REALTIME_COARSE)) {
        now->tv_sec += (time_t) offset();
    }
    return rc;
}

int
gettimeofday(struct timeval *now, void *zone)
{
    int rc;

    REAL(gettimeofday)
    rc = real(now, zone);
    if (rc == 0) {
        now->tv_sec += (time_t) offset();
    }
    return rc;
}
