/*
 * The agent's loop: finished transfers, words of the keeper, due timers. All
 * that it knows of ACME is in work.c and protocol/.
 */

#include "agent/agent.h"

#include <netdb.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent/fetch.h"
#include "agent/work.h"
#include "base/log.h"
#include "ipc/channel.h"

static int64_t
clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The resolver's plug-ins are loaded at the first look-up: have that behind
 * us before files can no longer be opened freely. */
static void
warm_up_resolver(void)
{
    struct addrinfo *found = NULL;

    if (getaddrinfo("localhost", "443", NULL, &found) == 0) {
        freeaddrinfo(found);
    }
}

/* One turn; false when the keeper is gone or speaks nonsense. */
static bool
turn(struct acme_fetch *fetch, struct acme_channel *channel,
    struct work *work)
{
    struct acme_message message;
    struct acme_reply reply;
    struct acme_error err;
    bool got = true;
    uint64_t tag;

    if (!acme_fetch_wait(fetch, acme_channel_fd(channel),
            acme_channel_events(channel),
            work_timeout_ms(work, clock_ms()), &err)
        || !acme_channel_flush(channel, &err)) {
        return false;
    }
    while (acme_fetch_next_finished(fetch, &tag, &reply)) {
        if (!work_take_reply(work, tag, &reply, clock_ms(), &err)) {
            return false;
        }
    }
    while (got) {
        if (!acme_channel_next(channel, &message, &got, &err)
            || (got && !work_take_message(work, &message, &err))) {
            return false;
        }
    }
    return work_pump(work, clock_ms(), &err);
}

int
acme_agent_run(int channel_fd, _Bool (*sandbox)(void))
{
    struct acme_channel *channel = NULL;
    struct acme_fetch *fetch;
    struct work *work = NULL;
    struct acme_error err;
    int status = 1;

    fetch = acme_fetch_new(&err);
    if (fetch == NULL) {
        close(channel_fd);
        return 1;
    }
    warm_up_resolver();
    if (!sandbox()) {
        close(channel_fd);
        goto out;
    }
    channel = acme_channel_new(channel_fd, ACME_END_AGENT);
    work = work_new(fetch, channel);
    if (channel == NULL || work == NULL) {
        goto out;
    }
    while (turn(fetch, channel, work)) {
    }
    status = 0;

out:
    work_free(work);
    acme_channel_free(channel);
    acme_fetch_free(fetch);
    return status;
}
