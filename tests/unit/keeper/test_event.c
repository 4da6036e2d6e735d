/* What is told to acme_event, in which words, and until it was heard. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <time.h>

#include "format/json.h"
#include "keeper/prove.h"
#include "keeper/event.h"
#include "keeper/event_queue.h"
#include "keeper/event_run.h"
#include "keeper/supervised.h"
#include "scene.h"

#define PLAN "plan/example.test.json"

enum { MINUTE = 60 };

static void
name_program(struct scene *scene)
{
    scene->settings.event = (char *) "/bin/told";
    scene->settings.event_user = (char *) "nobody";
}

static int
setup(void **state)
{
    struct scene *scene;
    struct acme_error err;

    scene_make(state);
    scene = *state;
    name_program(scene);
    scene->keeper.events.fd = -1;
    assert_true(account_load(&scene->account, scene->keeper.store, &err));
    event_queue_open(&scene->keeper);
    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    return 0;
}

static int
teardown(void **state)
{
    struct scene *scene = *state;

    event_queue_close(&scene->keeper);
    return scene_remove(state);
}

/* An order that ends with a certificate of a year. */
static void
obtain(struct scene *scene)
{
    struct acme_buffer chain = { 0 }, key = { 0 };
    struct acme_error err;

    make_pair(&chain, &key, scene->keeper.now);
    attempt_start(&scene->job, &scene->keeper);
    acme_key_free(scene->job.key);
    scene->job.key = acme_key_read(acme_buffer_bytes(&key), &err);
    assert_non_null(scene->job.key);
    attempt_order(&scene->job, &scene->keeper);
    attempt_installed(&scene->job, &scene->keeper,
        acme_buffer_bytes(&chain));
    assert_true(scene->job.fits);
    acme_buffer_free(&chain);
    acme_buffer_wipe(&key);
}

static void
fail_attempt(struct scene *scene)
{
    struct acme_error err;

    acme_fail(&err, ACME_RETRY, "http-01: connection: \"refused\"");
    strcpy(err.problem, "connection");
    attempt_start(&scene->job, &scene->keeper);
    attempt_failed(&scene->job, &scene->keeper, &err, "validation");
}

/* Another keeper on the same store. */
static void
restart(struct scene *scene)
{
    event_queue_close(&scene->keeper);
    scene->keeper.events = (struct event_queue) { .fd = -1 };
    attempt_free(&scene->job);
    memset(&scene->job, 0, sizeof(scene->job));
    event_queue_open(&scene->keeper);
    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    event_catch_up(&scene->keeper);
}

/* ---- the program's side */

/* Has the keeper asked for a process? */
static bool
is_asked(struct scene *scene)
{
    char letters[64];
    ssize_t len = recv(scene->supervisor_fd, letters, sizeof(letters),
        MSG_DONTWAIT);

    return len == 1 && letters[0] == ACME_ASK_EVENT;
}

/* The words for the next run, and where it answers; "" when there is none. */
static const char *
next_run(struct scene *scene, int *fd)
{
    static char message[ACME_EVENT_MAX];
    int pair[2];

    event_queue_run(&scene->keeper);
    if (!is_asked(scene)) {
        return "";
    }
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    event_queue_watch(&scene->keeper, pair[0]);
    assert_true(recv(pair[1], message, sizeof(message), MSG_DONTWAIT) > 0);
    *fd = pair[1];
    return message;
}

static void
answer(struct scene *scene, int fd, const char *word)
{
    assert_true(send(fd, word, strlen(word), 0) > 0);
    event_queue_take(&scene->keeper);
}

/* Run the program; it answers this. Which event it was told of. */
static const char *
run(struct scene *scene, const char *word)
{
    int fd = -1;
    const char *event = next_run(scene, &fd);

    if (fd >= 0) {
        answer(scene, fd, word);
        close(fd);
    }
    return event;
}

/* The JSON of the next run; it is told. */
static cJSON *
told(struct scene *scene, const char *event)
{
    const char *message;
    struct acme_error err;
    cJSON *root;
    int fd = -1;

    message = next_run(scene, &fd);
    assert_string_equal(message, event);
    message += strlen(message) + 1;
    assert_string_equal(message, "example.test");
    message += strlen(message) + 1;
    assert_non_null(strstr(message, "/live/example.test"));
    message += strlen(message) + 1;
    root = acme_json_parse(acme_bytes_of(message), &err);
    assert_non_null(root);
    assert_string_equal(acme_json_text(root, "event", 32), event);
    answer(scene, fd, "+");
    close(fd);
    return root;
}

static void
has_text(const cJSON *object, const char *name, const char *text)
{
    const char *value = acme_json_text(object, name, 1000);

    assert_non_null(value);
    assert_string_equal(value, text);
}

/* ---- words */

static void
a_certificate_is_obtained_and_installed(void **state)
{
    struct scene *scene = *state;
    char path[160];
    cJSON *root;

    scene->cert.name_count = 1;
    obtain(scene);
    assert_true(is_there(scene, "events/1.json"));
    root = told(scene, "obtained");
    assert_false(is_there(scene, "events/1.json"));
    assert_int_equal(acme_json_number(root, "version", 0), 1);
    assert_int_equal(acme_json_time(root, "time"), NOW);
    has_text(root, "name", "example.test");
    has_text(root, "certificate", "example.test");
    has_text(acme_json_object(root, "ca"), "name", "ca.test");
    has_text(acme_json_object(root, "ca"), "url", BASE "/dir");
    has_text(root, "key_type", "ecdsa:256");
    snprintf(path, sizeof(path), "%s/live/example.test/fullchain.pem",
        scene->path);
    has_text(root, "fullchain", path);
    assert_int_equal(access(path, R_OK), 0);
    snprintf(path, sizeof(path), "%s/live/example.test/privkey.pem",
        scene->path);
    has_text(root, "privkey", path);
    assert_int_equal(access(path, R_OK), 0);
    assert_int_equal(acme_json_number(root, "generation", 0), 1);
    assert_int_equal(acme_json_time(root, "not_after"),
        scene->job.not_after);
    assert_int_equal(acme_json_time(root, "not_before"),
        scene->job.not_before);
    has_text(root, "serial", scene->job.serial);
    assert_null(acme_json_object(root, "second"));
    cJSON_Delete(root);

    assert_string_equal(run(scene, "+"), "");
    event_installed(&scene->job, &scene->keeper);
    event_installed(&scene->job, &scene->keeper);
    cJSON_Delete(told(scene, "installed"));
    assert_string_equal(run(scene, "+"), "");
    restart(scene);
    assert_string_equal(run(scene, "+"), "");
}

static void
the_next_one_is_a_renewal(void **state)
{
    struct scene *scene = *state;

    obtain(scene);
    cJSON_Delete(told(scene, "obtained"));
    obtain(scene);
    cJSON_Delete(told(scene, "renewed"));
    event_installed(&scene->job, &scene->keeper);
    cJSON_Delete(told(scene, "installed"));
    assert_int_equal(scene->job.plan.told.generation, 2);
}

/* Its files were removed, its plan was not. */
static void
a_generation_is_told_though_its_number_was_before(void **state)
{
    struct scene *scene = *state;
    char command[256];

    obtain(scene);
    cJSON_Delete(told(scene, "obtained"));
    event_installed(&scene->job, &scene->keeper);
    cJSON_Delete(told(scene, "installed"));
    snprintf(command, sizeof(command), "rm -r '%s'/certs/* '%s'/live/*",
        scene->path, scene->path);
    assert_int_equal(system(command), 0);
    restart(scene);
    obtain(scene);
    cJSON_Delete(told(scene, "obtained"));
    event_installed(&scene->job, &scene->keeper);
    cJSON_Delete(told(scene, "installed"));
}

static void
where_nobody_can_look_a_reload_is_the_installation(void **state)
{
    struct scene *scene = *state;

    assert_null(scene->cert.listener.name);
    obtain(scene);
    cJSON_Delete(told(scene, "obtained"));
    prove_loaded(&scene->keeper);
    cJSON_Delete(told(scene, "installed"));
    prove_loaded(&scene->keeper);
    assert_string_equal(run(scene, "+"), "");
}

static void
no_key_is_told(void **state)
{
    struct scene *scene = *state;
    char *key, *line;

    obtain(scene);
    key = strdup(content_of(scene, "live/example.test/privkey.pem"));
    line = strchr(key, '\n') + 1;
    line[20] = '\0';
    assert_null(strstr(content_of(scene, "events/1.json"), line));
    free(key);
}

static void
a_failure_has_a_reason_and_a_hint(void **state)
{
    struct scene *scene = *state;
    const cJSON *problem;
    cJSON *root;

    fail_attempt(scene);
    root = told(scene, "failed");
    problem = acme_json_object(root, "problem");
    has_text(problem, "type", "connection");
    has_text(problem, "step", "validation");
    has_text(problem, "text", "http-01: connection: \"refused\"");
    assert_non_null(acme_json_text(problem, "hint", 1000));
    assert_int_equal(acme_json_number(root, "attempt", 0), 1);
    assert_int_equal(acme_json_time(root, "next_attempt"),
        scene->job.plan.next_attempt);
    assert_false(acme_json_flag(root, "served"));
    assert_null(acme_json_text(root, "serial", 100));
    assert_null(acme_json_text(root, "fullchain", 1000));
    cJSON_Delete(root);

    restart(scene);
    assert_string_equal(run(scene, "+"), "");
}

static void
a_failure_that_was_not_yet_told_is_told_after_a_restart(void **state)
{
    struct scene *scene = *state;
    cJSON *root;

    scene->settings.event = NULL;
    fail_attempt(scene);
    name_program(scene);
    restart(scene);
    scene->keeper.now += 10;
    root = told(scene, "failed");
    has_text(acme_json_object(root, "problem"), "text",
        "http-01: connection: \"refused\"");
    cJSON_Delete(root);
    restart(scene);
    scene->keeper.now += 10;
    assert_string_equal(run(scene, "+"), "");
}

static void
it_is_told_once_though_the_clock_is_set_back(void **state)
{
    struct scene *scene = *state;

    fail_attempt(scene);
    cJSON_Delete(told(scene, "failed"));
    scene->keeper.now -= 365 * DAY;
    restart(scene);
    scene->keeper.now += 10;
    assert_string_equal(run(scene, "+"), "");
}

static void
a_window_that_has_moved_is_told(void **state)
{
    struct scene *scene = *state;
    struct acme_ari *ari;
    const cJSON *window;
    cJSON *root;

    obtain(scene);
    cJSON_Delete(told(scene, "obtained"));
    ari = &scene->job.plan.ari;
    ari->window = (struct acme_ari_window) { NOW + DAY, NOW + 2 * DAY,
        "https://ca.test/why" };
    ari->chosen = NOW + DAY + 5;
    event_ari_changed(&scene->job, &scene->keeper);
    root = told(scene, "ari-changed");
    window = acme_json_object(root, "renewal");
    assert_int_equal(acme_json_time(window, "start"), NOW + DAY);
    assert_int_equal(acme_json_time(window, "end"), NOW + 2 * DAY);
    assert_int_equal(acme_json_time(window, "chosen"), NOW + DAY + 5);
    has_text(window, "explanation", "https://ca.test/why");
    cJSON_Delete(root);
}

/* The next attempt is at the first of acme_ca, whoever issued this one. */
static void
what_is_in_service_is_told_with_its_own_ca(void **state)
{
    struct scene *scene = *state;
    struct acme_settings_ca ca = { .name = "another",
        .url = "https://another.test/directory" };
    struct account another = { .ca = &ca };
    cJSON *root;

    obtain(scene);
    cJSON_Delete(told(scene, "obtained"));
    scene->job.issuer = &another;
    event_installed(&scene->job, &scene->keeper);
    root = told(scene, "installed");
    has_text(acme_json_object(root, "ca"), "name", "another");
    cJSON_Delete(root);
    fail_attempt(scene);
    root = told(scene, "failed");
    has_text(acme_json_object(root, "ca"), "url", scene->ca.url);
    cJSON_Delete(root);
}

static void
an_end_that_comes_near_is_logged_and_told(void **state)
{
    struct scene *scene = *state;
    cJSON *root;

    obtain(scene);
    cJSON_Delete(told(scene, "obtained"));
    event_mind_ends(&scene->keeper);
    assert_int_equal(event_wake_at(&scene->keeper),
        scene->job.not_after - 14 * DAY);
    scene->keeper.now = scene->job.not_after - 14 * DAY;
    scene->line_count = 0;
    event_mind_ends(&scene->keeper);
    assert_true(logged(scene, "the certificate in service expires at "));
    assert_true(logged(scene, ", in 14 days; its renewal was due at "));
    root = told(scene, "expiring");
    assert_int_equal(acme_json_number(root, "days_left", 0), 14);
    cJSON_Delete(root);
    scene->line_count = 0;
    restart(scene);
    event_mind_ends(&scene->keeper);
    assert_int_equal(event_wake_at(&scene->keeper),
        scene->job.not_after - 3 * DAY);
    assert_false(logged(scene, "expires at"));

    /* without a program there is a log */
    scene->settings.event = NULL;
    scene->keeper.now = scene->job.not_after + 1;
    event_mind_ends(&scene->keeper);
    event_mind_ends(&scene->keeper);
    assert_true(logged(scene, "Z; its renewal was due at "));
    assert_false(logged(scene, "in 0 days"));
    assert_string_equal(run(scene, "+"), "");
    assert_int_equal(event_wake_at(&scene->keeper), INT64_MAX);
}

/* A limit that it waits for is no failure, and staging leaves no words. */
static void
an_end_is_told_with_what_stands_in_the_way(void **state)
{
    struct scene *scene = *state;

    obtain(scene);
    scene->keeper.now = scene->job.not_after - 14 * DAY;
    strcpy(scene->job.plan.text, "too many certificates");
    event_mind_ends(&scene->keeper);
    assert_true(logged(scene, "Z: too many certificates"));

    scene->job.plan.failures = 1;
    acme_plan_staging_done(&scene->job.plan, true);
    scene->keeper.now = scene->job.not_after - 3 * DAY;
    event_mind_ends(&scene->keeper);
    assert_true(logged(scene, "Z, and is under way"));
}

/* ---- without a program */

static void
without_a_program_nothing_is_written(void **state)
{
    struct scene *scene = *state;

    scene->settings.event = NULL;
    obtain(scene);
    fail_attempt(scene);
    event_installed(&scene->job, &scene->keeper);
    assert_false(is_there(scene, "events"));
    assert_string_equal(run(scene, "+"), "");

    /* and what waits is forgotten */
    name_program(scene);
    obtain(scene);
    assert_true(is_there(scene, "events"));
    scene->settings.event = NULL;
    restart(scene);
    assert_false(is_there(scene, "events"));
}

/* ---- again */

static void
what_was_not_heard_is_told_again(void **state)
{
    struct scene *scene = *state;
    int fd = -1;

    obtain(scene);
    assert_string_equal(run(scene, "-exit status 3"), "obtained");
    assert_true(logged(scene, "acme_event: obtained: exit status 3; attempt "
        "1 failed, the next is at "));
    assert_true(is_there(scene, "events/1.json"));
    assert_string_equal(run(scene, "+"), "");
    assert_in_range(event_queue_wake_at(&scene->keeper), NOW + 54, NOW + 66);

    /* the next time its process ends without a word, then nobody hears it */
    scene->keeper.now += 2 * MINUTE;
    assert_string_equal(next_run(scene, &fd), "obtained");
    close(fd);
    event_queue_take(&scene->keeper);
    assert_true(logged(scene, "its process ended without a word; attempt 2"));
    scene->keeper.now += 20 * MINUTE;
    event_queue_run(&scene->keeper);
    assert_true(is_asked(scene));
    scene->keeper.now = event_queue_wake_at(&scene->keeper);
    event_queue_run(&scene->keeper);
    assert_true(logged(scene, "nothing was heard of it; attempt 3"));

    /* or it cannot be started */
    scene->keeper.now += 3 * 60 * MINUTE;
    event_queue_run(&scene->keeper);
    assert_true(is_asked(scene));
    event_queue_watch(&scene->keeper, -1);
    assert_true(logged(scene, "no process could be started; attempt 4"));

    /* an operator's reload */
    event_queue_hurry(&scene->keeper);
    assert_string_equal(run(scene, "+"), "obtained");
    assert_false(is_there(scene, "events/1.json"));
}

static void
a_week_is_long_enough(void **state)
{
    struct scene *scene = *state;

    obtain(scene);
    for (int i = 0; i < 20 && is_there(scene, "events/1.json"); i++) {
        scene->keeper.now += 2 * DAY;
        scene->line_count = 0;
        assert_string_equal(run(scene, "-exit status 1"), "obtained");
    }
    assert_in_range(scene->keeper.now, NOW + 6 * DAY, NOW + 8 * DAY);
    assert_true(logged(scene, "failed, and it is given up"));
    assert_int_equal(scene->keeper.events.count, 0);
}

static void
a_restart_goes_on_with_what_waits(void **state)
{
    struct scene *scene = *state;
    int fd = -1;

    obtain(scene);
    obtain(scene);
    assert_string_equal(next_run(scene, &fd), "obtained");
    restart(scene);
    prove_init(&scene->job, &scene->keeper, true);
    /* it is ended first; that of the last keeper is told nothing more */
    close(fd);
    assert_string_equal(run(scene, "+"), "");
    scene->keeper.now += 2 * ACME_EVENT_GRACE_S;
    assert_string_equal(run(scene, "+"), "obtained");
    assert_string_equal(run(scene, "+"), "renewed");
    assert_string_equal(run(scene, "+"), "installed");
    assert_string_equal(run(scene, "+"), "");
}

static void
add(struct scene *scene, const char *folder)
{
    char json[256];

    snprintf(json, sizeof(json), "{\"event\":\"renewed\",\"name\":\"%s\","
        "\"certificate\":\"%s\",\"live\":\"/live/%s\"}", folder, folder,
        folder);
    event_queue_add(&scene->keeper, folder, "renewed", acme_bytes_of(json));
}

static const char *
run_of(struct scene *scene, const char *word)
{
    const char *event = run(scene, word);

    return event[0] != '\0' ? event + strlen(event) + 1 : event;
}

static void
each_certificate_has_its_order_and_waits_for_no_other(void **state)
{
    struct scene *scene = *state;

    add(scene, "a.test");
    add(scene, "b.test");
    add(scene, "a.test");
    assert_string_equal(run_of(scene, "-exit status 1"), "a.test");
    add(scene, "a.test");
    assert_string_equal(run_of(scene, "+"), "b.test");
    assert_string_equal(run_of(scene, "+"), "");
    scene->keeper.now += 2 * MINUTE;
    for (int i = 0; i < 3; i++) {
        assert_string_equal(run_of(scene, "+"), "a.test");
    }
    assert_string_equal(run_of(scene, "+"), "");
}

static void
one_program_runs_at_a_time(void **state)
{
    struct scene *scene = *state;
    int fd = -1, other = -1;

    add(scene, "a.test");
    add(scene, "b.test");
    assert_string_equal(next_run(scene, &fd), "renewed");
    assert_string_equal(next_run(scene, &other), "");
    answer(scene, fd, "+");
    close(fd);
    assert_string_equal(run_of(scene, "+"), "b.test");
}

/* Its reload looks like an operator's, and may come when it has ended. */
static void
a_program_that_reloads_the_server_does_not_hurry_itself(void **state)
{
    struct scene *scene = *state;

    add(scene, "a.test");
    assert_string_equal(run_of(scene, "-exit status 1"), "a.test");
    event_queue_hurry(&scene->keeper);
    assert_string_equal(run_of(scene, "-exit status 1"), "a.test");
    scene->keeper.now += 8 * MINUTE;
    event_queue_hurry(&scene->keeper);
    assert_string_equal(run_of(scene, "+"), "");
    scene->keeper.now += 4 * MINUTE;
    assert_string_equal(run_of(scene, "-exit status 1"), "a.test");

    /* after ten minutes it may be an operator's */
    event_queue_hurry(&scene->keeper);
    assert_string_equal(run_of(scene, "-exit status 1"), "a.test");
    scene->keeper.now -= 365 * DAY;
    event_queue_clock_set_back(&scene->keeper, 365 * DAY);
    scene->keeper.now += 10 * MINUTE - 1;
    event_queue_hurry(&scene->keeper);
    assert_string_equal(run_of(scene, "+"), "");
    scene->keeper.now++;
    event_queue_hurry(&scene->keeper);
    assert_string_equal(run_of(scene, "+"), "a.test");
}

static void
it_runs_beside_none_of_an_earlier_keeper(void **state)
{
    struct scene *scene = *state;

    add(scene, "a.test");
    restart(scene);
    add(scene, "b.test");
    event_queue_hurry(&scene->keeper);
    assert_string_equal(run_of(scene, "+"), "");
    assert_int_equal(event_queue_wake_at(&scene->keeper),
        NOW + ACME_EVENT_GRACE_S + 1);

    /* however the clock is set meanwhile */
    scene->keeper.now += DAY;
    event_queue_clock_set_back(&scene->keeper, -DAY);
    assert_string_equal(run_of(scene, "+"), "");
    scene->keeper.now += ACME_EVENT_GRACE_S + 1;
    assert_string_equal(run_of(scene, "+"), "a.test");
    assert_string_equal(run_of(scene, "+"), "b.test");
}

static void
what_waits_is_bounded(void **state)
{
    struct scene *scene = *state;
    int fd = -1;

    add(scene, "a.test");
    assert_string_equal(next_run(scene, &fd), "renewed");
    for (int i = 0; i < 1010; i++) {
        add(scene, "b.test");
    }
    assert_int_equal(scene->keeper.events.count, 1004);
    assert_true(logged(scene, "more than 1004 events wait for the program: "
        "the oldest one is dropped"));
    /* but not what is being told */
    assert_true(is_there(scene, "events/1.json"));
    assert_false(is_there(scene, "events/2.json"));
    answer(scene, fd, "+");
    close(fd);
    assert_false(is_there(scene, "events/1.json"));
}

/* Jobs that begin with an event of an earlier keeper's come one by one. */
static void
what_waits_is_not_dropped_while_a_keeper_begins(void **state)
{
    struct scene *scene = *state;

    for (int i = 0; i < 1003; i++) {
        add(scene, "b.test");
    }
    scene->keeper.job_count = 0;
    add(scene, "a.test");
    assert_int_equal(scene->keeper.events.count, 1004);
    assert_false(logged(scene, "is dropped"));
}

/* ---- files */

static void
what_cannot_be_written_is_told_from_memory(void **state)
{
    struct scene *scene = *state;
    char path[128];

    snprintf(path, sizeof(path), "%s/events", scene->path);
    assert_int_equal(symlink("/nonexistent", path), 0);
    add(scene, "a.test");
    assert_true(logged(scene, "a.test: acme_event: an event is lost if the "
        "server stops before the program was run"));
    assert_string_equal(run_of(scene, "-exit status 1"), "a.test");
    scene->keeper.now += 2 * MINUTE;
    assert_string_equal(run_of(scene, "+"), "a.test");
    assert_int_equal(scene->keeper.events.count, 0);
}

static void
a_file_that_is_damaged_or_gone_is_left_out(void **state)
{
    struct scene *scene = *state;

    add(scene, "a.test");
    add(scene, "b.test");
    add(scene, "c.test");
    scribble(scene, "events/1.json", "{\"event\":");
    restart(scene);
    assert_true(logged(scene, "events/1.json is damaged and left out"));
    assert_false(is_there(scene, "events/1.json"));
    assert_int_equal(unlinkat(scene->dir_fd, "events/2.json", 0), 0);
    scene->keeper.now += MINUTE;
    event_queue_run(&scene->keeper);
    assert_true(is_asked(scene));
    event_queue_watch(&scene->keeper, dup(scene->dir_fd));
    assert_true(logged(scene, "b.test: acme_event: renewed is not told: "));
    assert_string_equal(run_of(scene, "+"), "c.test");
}

static void
its_output_is_escaped(void **state)
{
    struct scene *scene = *state;
    int fd = -1;

    add(scene, "a.test");
    assert_string_equal(next_run(scene, &fd), "renewed");
    answer(scene, fd, "l\x1b[31m \"red\"\n");
    assert_true(logged(scene, "acme: a.test: acme_event: renewed: "
        "\\x1b[31m \"red\"\\x0a"));
    answer(scene, fd, "-\xff");
    assert_true(logged(scene, "acme_event: renewed: \\xff; attempt 1"));
    close(fd);
}

static void
a_clock_that_is_set_back_takes_them_along(void **state)
{
    struct scene *scene = *state;

    add(scene, "a.test");
    assert_string_equal(run_of(scene, "-exit status 1"), "a.test");
    scene->keeper.now -= 365 * DAY;
    event_queue_clock_set_back(&scene->keeper, 365 * DAY);
    assert_true(event_queue_wake_at(&scene->keeper)
        <= scene->keeper.now + 66);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_certificate_is_obtained_and_installed),
        TEST(the_next_one_is_a_renewal),
        TEST(a_generation_is_told_though_its_number_was_before),
        TEST(where_nobody_can_look_a_reload_is_the_installation),
        TEST(no_key_is_told),
        TEST(a_failure_has_a_reason_and_a_hint),
        TEST(a_failure_that_was_not_yet_told_is_told_after_a_restart),
        TEST(it_is_told_once_though_the_clock_is_set_back),
        TEST(a_window_that_has_moved_is_told),
        TEST(what_is_in_service_is_told_with_its_own_ca),
        TEST(an_end_that_comes_near_is_logged_and_told),
        TEST(an_end_is_told_with_what_stands_in_the_way),
        TEST(without_a_program_nothing_is_written),
        TEST(what_was_not_heard_is_told_again),
        TEST(a_week_is_long_enough),
        TEST(a_restart_goes_on_with_what_waits),
        TEST(each_certificate_has_its_order_and_waits_for_no_other),
        TEST(one_program_runs_at_a_time),
        TEST(a_program_that_reloads_the_server_does_not_hurry_itself),
        TEST(it_runs_beside_none_of_an_earlier_keeper),
        TEST(what_waits_is_bounded),
        TEST(what_waits_is_not_dropped_while_a_keeper_begins),
        TEST(what_cannot_be_written_is_told_from_memory),
        TEST(a_file_that_is_damaged_or_gone_is_left_out),
        TEST(its_output_is_escaped),
        TEST(a_clock_that_is_set_back_takes_them_along),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
