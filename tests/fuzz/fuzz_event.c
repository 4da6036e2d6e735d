/*
 * Any events/<number>.json, and behind a NUL in the input any word of the
 * process that runs the program: told, or left out, and never kept for ever.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "keeper/event_queue.h"

enum { DAY = 86400, TRIES_MAX = 20 };

/* in memory: what is synced to a disk takes its time */
static char path[] = "/dev/shm/acme-fuzz-XXXXXX";
static char name[] = "a.test";
static struct acme_settings settings = { .state_path = path,
    .event = (char *) "/bin/true", .event_user = name };
static struct keeper keeper = { .settings = &settings };

static void
leave(void)
{
    char command[] = "rm -rf /dev/shm/acme-fuzz-XXXXXX";

    memcpy(command + 7, path, strlen(path));
    (void) !system(command);
}

static void
enter(void)
{
    struct acme_error err;
    int pair[2];

    assert(mkdtemp(path) != NULL && atexit(leave) == 0);
    keeper.store = acme_store_open(path, &err);
    assert(keeper.store != NULL);
    assert(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
    keeper.supervisor_fd = pair[0];
}

static struct acme_bytes
split(struct acme_bytes *input)
{
    const uint8_t *nul = memchr(input->at, 0, input->len);
    struct acme_bytes rest = { NULL, 0 };

    if (nul != NULL) {
        rest.at = nul + 1;
        rest.len = input->len - (size_t) (nul + 1 - input->at);
        input->len = (size_t) (nul - input->at);
    }
    return rest;
}

/* One run of the program, that says this. */
static void
run(struct acme_bytes word)
{
    int pair[2];

    assert(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
    if (word.len > 0) {
        assert(send(pair[1], word.at, word.len, MSG_DONTWAIT) > 0);
    }
    event_queue_watch(&keeper, pair[0]);
    if (keeper.events.fd >= 0) {
        event_queue_take(&keeper);
    }
    close(pair[1]);
    if (keeper.events.fd >= 0) {
        event_queue_take(&keeper);
    }
    assert(keeper.events.fd < 0 && keeper.events.running == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acme_bytes json = { data, size };
    struct acme_bytes word = split(&json);
    struct acme_error err;

    if (keeper.store == NULL) {
        enter();
    }
    keeper.now = 1700000000;
    keeper.events = (struct event_queue) { .fd = -1 };
    assert(acme_store_event_write(keeper.store, 1, json, &err));
    event_queue_open(&keeper);
    assert(keeper.events.count <= 1);
    for (int i = 0; keeper.events.count > 0; i++) {
        assert(i < TRIES_MAX);
        keeper.now += 2 * DAY;
        /* nobody reads what the supervisor is asked */
        keeper.events.asked = true;
        keeper.events.running = keeper.events.events[0].number;
        run(word);
    }
    event_queue_close(&keeper);
    return 0;
}
