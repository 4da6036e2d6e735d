/*
 * Sets the clock of the helper: the time that it sees is so many seconds ahead
 * as the file says that ACME_CLOCK names (8 bytes, little-endian), at each
 * moment anew. Only the wall clock is changed, and the times of files are not.
 */

#include <sys/time.h>
#include <time.h>

#include "preload.h"

static _Atomic int64_t *ahead;

static void __attribute__((constructor))
begin(void)
{
    ahead = map_file("ACME_CLOCK", sizeof(*ahead));
}

static int64_t
offset(void)
{
    return ahead != NULL ? atomic_load(ahead) : 0;
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
