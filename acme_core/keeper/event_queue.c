/*
 * The queue is in memory what events/ is on disk; what a file holds is read
 * when its turn comes. All of one certificate wait for the first of them, by
 * having its time.
 */

#include "keeper/event_queue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "format/json.h"
#include "format/time_text.h"
#include "keeper/attempt.h"
#include "keeper/event_run.h"
#include "keeper/supervised.h"

enum {
    EVENTS_MAX = 1000,          /* and some for each certificate: */
    EVENTS_PER_CERT = 4,
    NUMBERS_MAX = 999999999,
    REPLIES_A_TURN = 100,
    HURRY_S = 600,              /* the program itself may reload the server */
    /* an earlier keeper's program, and how long one may be silent */
    AFTER_START_S = ACME_EVENT_GRACE_S + 1,
    PATIENCE_S = ACME_EVENT_LIMIT_S + ACME_EVENT_GRACE_S + 60
};

static void failed(struct keeper *, const char *);

/* ---- the list */

static struct event *
find(struct keeper *keeper, unsigned number)
{
    struct event_queue *queue = &keeper->events;

    for (size_t i = 0; i < queue->count; i++) {
        if (queue->events[i].number == number) {
            return &queue->events[i];
        }
    }
    return NULL;
}

static struct acme_log
log_of(const struct keeper *keeper, const struct event *event)
{
    return (struct acme_log) { .parent = &keeper->log,
        .label = event->folder };
}

static bool
append(struct event_queue *queue, const struct event *event)
{
    if (queue->count == queue->room) {
        size_t room = queue->room * 2 + 16;
        struct event *events = reallocarray(queue->events, room,
            sizeof(*events));

        if (events == NULL) {
            return false;
        }
        queue->events = events;
        queue->room = room;
    }
    queue->events[queue->count++] = *event;
    return true;
}

static void
forget(struct event *event)
{
    free(event->folder);
    free(event->json);
}

/* From disk and list. What cannot be removed comes again after a restart. */
static void
drop(struct keeper *keeper, struct event *event)
{
    struct event_queue *queue = &keeper->events;
    size_t index = (size_t) (event - queue->events);
    struct acme_error err;

    if (!acme_store_event_remove(keeper->store, event->number, &err)) {
        acme_log(&keeper->log, ACME_LOG_WARN, "%s", err.text);
    }
    forget(event);
    queue->count--;
    memmove(event, event + 1, (queue->count - index) * sizeof(*event));
}

/* ---- an event as it is on disk */

/* What we need of it; borrowed from its JSON. */
struct parts {
    const char *event, *name, *folder, *live;
    int64_t at;
};

static bool
read_parts(const cJSON *root, struct parts *parts)
{
    parts->event = acme_json_text(root, "event",
        sizeof(((struct event *) 0)->what) - 1);
    parts->name = acme_json_text(root, "name", ACME_NAME_MAX);
    parts->folder = acme_json_text(root, "certificate", ACME_FOLDER_MAX - 1);
    parts->live = acme_json_text(root, "live", 4096);
    parts->at = acme_json_time(root, "time");
    return parts->event != NULL && parts->name != NULL
        && parts->folder != NULL && parts->live != NULL;
}

static bool
read_event(struct keeper *keeper, const struct event *event,
    struct acme_buffer *json, struct acme_error *err)
{
    if (event->json != NULL) {
        return acme_buffer_add_text(json, event->json)
            || acme_fail_memory(err);
    }
    return acme_store_event_read(keeper->store, event->number, json, err);
}

/* ---- from one keeper to the next */

/* False: not now, or never because the file is damaged. */
static bool
load(struct keeper *keeper, unsigned number, bool *damaged,
    struct acme_error *err)
{
    struct acme_buffer json = ACME_BUFFER(ACME_EVENT_MAX);
    struct event event = { .number = number, .next_at = keeper->now };
    struct parts parts;
    cJSON *root = NULL;
    bool ok = acme_store_event_read(keeper->store, number, &json, err);

    *damaged = false;
    if (ok) {
        root = acme_json_parse(acme_buffer_bytes(&json), err);
        ok = root != NULL && (read_parts(root, &parts) || acme_fail(err,
            ACME_LOCAL, "something is missing"));
        *damaged = !ok;
    }
    if (ok) {
        event.since = parts.at <= keeper->now ? parts.at : keeper->now;
        strcpy(event.what, parts.event);
        event.folder = strdup(parts.folder);
        ok = (event.folder != NULL && append(&keeper->events, &event))
            || acme_fail_memory(err);
        if (!ok) {
            free(event.folder);
        }
    }
    cJSON_Delete(root);
    acme_buffer_free(&json);
    return ok;
}

static void
load_all(struct keeper *keeper)
{
    struct acme_error err, ignored;
    unsigned *numbers;
    size_t count;

    if (!acme_store_event_numbers(keeper->store, &numbers, &count, &err)) {
        acme_log(&keeper->log, ACME_LOG_ERROR, "acme_event: %s", err.text);
    }
    for (size_t i = 0; i < count; i++) {
        bool damaged;

        keeper->events.last_number = numbers[i];
        if (load(keeper, numbers[i], &damaged, &err)) {
            continue;
        }
        acme_log(&keeper->log, ACME_LOG_WARN, "events/%u.json is %s: %s",
            numbers[i], damaged ? "damaged and left out"
            : "not told before the next start", err.text);
        if (damaged) {
            (void) acme_store_event_remove(keeper->store, numbers[i],
                &ignored);
        }
    }
    free(numbers);
}

void
event_queue_open(struct keeper *keeper)
{
    struct acme_error err;

    if (keeper->settings->event != NULL) {
        load_all(keeper);
        keeper->events.begins_at = keeper->events.count > 0
            ? keeper->now + AFTER_START_S : 0;
    } else if (!acme_store_events_remove(keeper->store, &err)) {
        acme_log(&keeper->log, ACME_LOG_WARN, "%s", err.text);
    }
}

static void
end_process(struct event_queue *queue)
{
    if (queue->fd >= 0) {
        close(queue->fd);
    }
    queue->fd = -1;
    queue->running = 0;
}

void
event_queue_close(struct keeper *keeper)
{
    struct event_queue *queue = &keeper->events;

    end_process(queue);
    for (size_t i = 0; i < queue->count; i++) {
        forget(&queue->events[i]);
    }
    free(queue->events);
}

/* ---- something new */

/* The oldest one; the newest says how things are now. */
static void
make_room(struct keeper *keeper)
{
    struct event_queue *queue = &keeper->events;
    size_t max = EVENTS_MAX + EVENTS_PER_CERT * keeper->settings->cert_count;
    size_t oldest = queue->count > 0
        && queue->events[0].number == queue->running ? 1 : 0;
    struct acme_log log;

    if (queue->count < max) {
        return;
    }
    log = log_of(keeper, &queue->events[oldest]);
    acme_log_always(&log, ACME_LOG_ERROR, "acme_event: more than %zu events "
        "wait for the program: the oldest one is dropped", max);
    drop(keeper, &queue->events[oldest]);
}

/* Behind what is waiting of the same certificate. */
static int64_t
turn_of(const struct keeper *keeper, const char *folder)
{
    const struct event_queue *queue = &keeper->events;

    for (size_t i = queue->count; i-- > 0;) {
        if (strcmp(queue->events[i].folder, folder) == 0) {
            return queue->events[i].next_at;
        }
    }
    return keeper->now;
}

/* Numbers begin anew when nothing waits. */
static unsigned
next_number(struct event_queue *queue)
{
    if (queue->count == 0 || queue->last_number >= NUMBERS_MAX) {
        queue->last_number = 0;
    }
    return ++queue->last_number;
}

void
event_queue_add(struct keeper *keeper, const char *folder, const char *what,
    struct acme_bytes json)
{
    struct event event = { .since = keeper->now };
    struct acme_error err;

    snprintf(event.what, sizeof(event.what), "%s", what);
    make_room(keeper);
    event.number = next_number(&keeper->events);
    event.next_at = turn_of(keeper, folder);
    event.folder = strdup(folder);
    if (event.folder == NULL) {
        goto failed;
    }
    if (!acme_store_event_write(keeper->store, event.number, json, &err)) {
        struct acme_log log = log_of(keeper, &event);

        acme_log_always(&log, ACME_LOG_ERROR, "acme_event: an event is lost "
            "if the server stops before the program was run: %s", err.text);
        event.json = strndup((const char *) json.at, json.len);
    }
    if (append(&keeper->events, &event)) {
        return;
    }

failed:
    forget(&event);
    acme_log_always(&keeper->log, ACME_LOG_ERROR,
        "acme_event: out of memory: an event is told after a restart only");
}

/* ---- its turn */

static struct event *
next_due(struct keeper *keeper)
{
    struct event_queue *queue = &keeper->events;

    for (size_t i = 0; i < queue->count; i++) {
        if (queue->events[i].next_at <= keeper->now) {
            return &queue->events[i];
        }
    }
    return NULL;
}

void
event_queue_run(struct keeper *keeper)
{
    struct event_queue *queue = &keeper->events;
    struct acme_error err;
    struct event *event;

    if (queue->running != 0) {
        if (keeper->now >= queue->patience_ends_at) {
            failed(keeper, "nothing was heard of it");
        }
        return;
    }
    event = keeper->now >= queue->begins_at ? next_due(keeper) : NULL;
    if (event == NULL) {
        return;
    }
    queue->running = event->number;
    queue->patience_ends_at = keeper->now + PATIENCE_S;
    queue->asked = true;
    if (!acme_supervised_ask(keeper->supervisor_fd, ACME_ASK_EVENT, "",
            &err)) {
        queue->asked = false;
        failed(keeper, err.text);
    }
}

int64_t
event_queue_wake_at(const struct keeper *keeper)
{
    const struct event_queue *queue = &keeper->events;
    int64_t first = INT64_MAX;

    if (queue->running != 0) {
        return queue->patience_ends_at;
    }
    for (size_t i = 0; i < queue->count; i++) {
        if (queue->events[i].next_at < first) {
            first = queue->events[i].next_at;
        }
    }
    return first > queue->begins_at ? first : queue->begins_at;
}

/*
 * What cannot be read was removed or damaged by somebody: it is forgotten.
 * False: it could not be told now.
 */
static bool
tell(struct keeper *keeper, struct event *event, struct acme_error *err)
{
    struct acme_buffer json = ACME_BUFFER(ACME_EVENT_MAX);
    struct acme_log log = log_of(keeper, event);
    struct parts parts;
    cJSON *root = NULL;
    bool known = read_event(keeper, event, &json, err)
        && (root = acme_json_parse(acme_buffer_bytes(&json), err)) != NULL
        && (read_parts(root, &parts)
            || acme_fail(err, ACME_LOCAL, "something is missing"));
    bool gone = !known && (err->sys == 0 || err->sys == ENOENT);
    bool ok = known;

    if (known) {
        struct acme_event_words words = { .event = parts.event,
            .name = parts.name, .live = parts.live,
            .json = acme_buffer_text(&json) };

        ok = acme_event_send(keeper->events.fd, &words, err);
    } else if (gone) {
        acme_log_always(&log, ACME_LOG_WARN, "acme_event: %s is not told: "
            "%s", event->what, err->text);
        end_process(&keeper->events);
        drop(keeper, event);
    }
    cJSON_Delete(root);
    acme_buffer_free(&json);
    return ok || gone;
}

void
event_queue_watch(struct keeper *keeper, int fd)
{
    struct event_queue *queue = &keeper->events;
    struct event *event = find(keeper, queue->running);
    struct acme_error err;

    if (!queue->asked || event == NULL) {
        queue->asked = false;
        if (fd >= 0) {
            close(fd);
        }
        return;
    }
    queue->asked = false;
    queue->fd = fd;
    if (fd < 0) {
        failed(keeper, "no process could be started");
        return;
    }
    if (!tell(keeper, event, &err)) {
        failed(keeper, err.text);
    }
}

/* ---- its end */

static void
done(struct keeper *keeper)
{
    struct event *event = find(keeper, keeper->events.running);
    struct acme_log log;

    end_process(&keeper->events);
    if (event != NULL) {
        log = log_of(keeper, event);
        acme_log(&log, ACME_LOG_INFO, "acme_event: %s is done",
            event->what);
        drop(keeper, event);
    }
}

/* The later ones of this certificate wait for it. */
static void
put_off(struct keeper *keeper, const struct event *event, int64_t until)
{
    struct event_queue *queue = &keeper->events;

    for (size_t i = 0; i < queue->count; i++) {
        if (strcmp(queue->events[i].folder, event->folder) == 0
            && queue->events[i].next_at < until) {
            queue->events[i].next_at = until;
        }
    }
}

static void
failed(struct keeper *keeper, const char *why)
{
    struct event_queue *queue = &keeper->events;
    struct event *event = find(keeper, queue->running);
    char next[ACME_TIME_TEXT_SIZE];
    struct acme_log log;
    int64_t at;

    end_process(queue);
    if (event == NULL) {
        return;
    }
    log = log_of(keeper, event);
    event->failures++;
    at = acme_event_retry_at(event->failures, event->since,
        (uint32_t) attempt_random(keeper), keeper->now);
    if (at == 0) {
        acme_log_always(&log, ACME_LOG_ERROR, "acme_event: %s: %s; attempt %u "
            "failed, and it is given up", event->what, why, event->failures);
        drop(keeper, event);
        return;
    }
    put_off(keeper, event, at);
    acme_log_always(&log, ACME_LOG_ERROR, "acme_event: %s: %s; attempt %u "
        "failed, the next is at %s", event->what, why, event->failures,
        acme_time_write(next, at));
}

/* False: that was its last word. */
static bool
take_reply(struct keeper *keeper, const char *reply, size_t len)
{
    struct event *event = find(keeper, keeper->events.running);
    char words[ACME_EVENT_REPLY_MAX * 4 + 1];
    struct acme_log log;

    acme_log_sentence(words, sizeof(words), (struct acme_bytes) {
        (const uint8_t *) reply + 1, len - 1 });
    switch (reply[0]) {
    case ACME_EVENT_LINE:
        if (event != NULL) {
            log = log_of(keeper, event);
            acme_log_always(&log, ACME_LOG_NOTICE, "acme_event: %s: %s",
                event->what, words);
        }
        return true;
    case ACME_EVENT_DONE:
        done(keeper);
        return false;
    default:
        failed(keeper, words);
        return false;
    }
}

void
event_queue_take(struct keeper *keeper)
{
    char reply[ACME_EVENT_REPLY_MAX];

    for (int i = 0; i < REPLIES_A_TURN; i++) {
        ssize_t len = recv(keeper->events.fd, reply, sizeof(reply),
            MSG_DONTWAIT);

        if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (len <= 0) {
            failed(keeper, "its process ended without a word");
            return;
        }
        if (!take_reply(keeper, reply, (size_t) len)) {
            return;
        }
    }
}

void
event_queue_hurry(struct keeper *keeper)
{
    struct event_queue *queue = &keeper->events;

    if (keeper->now - queue->hurried_at < HURRY_S) {
        return;
    }
    queue->hurried_at = keeper->now;
    for (size_t i = 0; i < queue->count; i++) {
        if (queue->events[i].next_at > keeper->now) {
            queue->events[i].next_at = keeper->now;
        }
    }
}

void
event_queue_clock_set_back(struct keeper *keeper, int64_t by)
{
    struct event_queue *queue = &keeper->events;

    queue->patience_ends_at -= by;
    queue->begins_at -= by;
    queue->hurried_at -= by;
    for (size_t i = 0; i < queue->count; i++) {
        queue->events[i].next_at -= by;
        queue->events[i].since -= by;
    }
}
