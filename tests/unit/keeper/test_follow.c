/* What a keeper does that waits for another one's store. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "keeper/follow.h"

/* This process plays our server: it holds the write end. */
struct scene {
    char path[64];
    struct acme_settings settings;
    struct acme_settings_cert cert;
    struct keeper keeper;
    int life_fd;
    char line[512];
};

static volatile sig_atomic_t reloads;

static void
count_reload(int signal)
{
    (void) signal;
    reloads++;
}

static void
keep_line(void *ctx, enum acme_log_level level, bool always, const char *line)
{
    struct scene *scene = ctx;

    (void) level;
    (void) always;
    if (strstr(line, "reload asked for") == NULL) {
        snprintf(scene->line, sizeof(scene->line), "%s", line);
    }
}

static int
setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    char live[PATH_MAX];
    struct stat info;
    int life[2];

    assert_int_equal(pipe2(life, O_CLOEXEC), 0);
    assert_int_equal(fstat(life[0], &info), 0);
    scene->life_fd = life[1];
    close(life[0]);
    strcpy(scene->path, "/tmp/acme-test-XXXXXX");
    assert_non_null(mkdtemp(scene->path));
    snprintf(live, sizeof(live), "%s/live", scene->path);
    assert_int_equal(mkdir(live, 0700), 0);
    scene->cert.folder = "a.test";
    scene->settings = (struct acme_settings) { .reload = true,
        .reload_delay_s = 1, .reload_signal = SIGHUP,
        .state_path = scene->path,
        .certs = &scene->cert, .cert_count = 1 };
    scene->keeper = (struct keeper) { .settings = &scene->settings,
        .now = time(NULL), .loaded_ms = (int64_t) time(NULL) * 1000,
        .life_inode = info.st_ino, .deploy = { .check_fd = -1 },
        .log = { .sink = keep_line, .ctx = scene } };
    signal(SIGHUP, count_reload);
    reloads = 0;
    *state = scene;
    return 0;
}

static int
teardown(void **state)
{
    struct scene *scene = *state;
    char command[PATH_MAX];

    snprintf(command, sizeof(command), "rm -rf %s", scene->path);
    assert_int_equal(system(command), 0);
    close(scene->life_fd);
    free(scene);
    signal(SIGHUP, SIG_DFL);
    return 0;
}

/* As a flip is made: a new link, renamed over the old one. */
static void
flip(const struct scene *scene, const char *folder)
{
    char temp[PATH_MAX], link[PATH_MAX];

    snprintf(temp, sizeof(temp), "%s/live/.tmp", scene->path);
    snprintf(link, sizeof(link), "%s/live/%s", scene->path, folder);
    assert_int_equal(symlink("../certs/a.test/1", temp), 0);
    assert_int_equal(rename(temp, link), 0);
}

static void
what_another_keeper_obtains_is_loaded_once(void **state)
{
    struct scene *scene = *state;

    follow(&scene->keeper);
    assert_int_equal(reloads, 0);
    flip(scene, "a.test");
    follow(&scene->keeper);
    assert_int_equal(reloads, 1);
    follow(&scene->keeper);
    assert_int_equal(reloads, 1);
}

static void
the_next_flip_is_loaded_too(void **state)
{
    struct scene *scene = *state;
    struct timespec moment = { 0, 20 * 1000 * 1000 };

    flip(scene, "a.test");
    follow(&scene->keeper);
    scene->keeper.deploy.state = DEPLOY_IDLE;
    scene->keeper.now += 10;
    nanosleep(&moment, NULL);   /* the kernel's stamps are ticks */
    flip(scene, "a.test");
    follow(&scene->keeper);
    assert_int_equal(reloads, 2);
}

static void
a_flip_before_the_clock_was_set_back_hides_no_other(void **state)
{
    struct scene *scene = *state;
    struct timespec moment = { 0, 20 * 1000 * 1000 };
    int64_t day_ns = INT64_C(86400) * 1000000000;

    flip(scene, "a.test");
    follow(&scene->keeper);
    scene->keeper.deploy.state = DEPLOY_IDLE;
    scene->keeper.now += 10;
    scene->keeper.followed_ns += day_ns;
    nanosleep(&moment, NULL);
    flip(scene, "a.test");
    follow(&scene->keeper);
    assert_int_equal(reloads, 2);
}

static void
load_now(struct scene *scene)
{
    struct timespec moment = { 0, 60 * 1000 * 1000 }, now;

    nanosleep(&moment, NULL);
    clock_gettime(CLOCK_REALTIME, &now);
    scene->keeper.loaded_ms = (int64_t) now.tv_sec * 1000
        + now.tv_nsec / 1000000;
    nanosleep(&moment, NULL);
}

static void
a_load_in_the_second_of_the_flip_has_seen_it_or_not(void **state)
{
    struct scene *scene = *state;
    char temp[PATH_MAX], link[PATH_MAX];

    assert_false(follow_landed_since_load(&scene->keeper, &scene->cert));
    flip(scene, "a.test");
    assert_true(follow_landed_since_load(&scene->keeper, &scene->cert));
    load_now(scene);
    assert_false(follow_landed_since_load(&scene->keeper, &scene->cert));
    flip(scene, "a.test");
    assert_true(follow_landed_since_load(&scene->keeper, &scene->cert));

    /* made before the load, put in its place after it */
    snprintf(temp, sizeof(temp), "%s/live/.tmp", scene->path);
    snprintf(link, sizeof(link), "%s/live/a.test", scene->path);
    assert_int_equal(symlink("../certs/a.test/2", temp), 0);
    load_now(scene);
    assert_int_equal(rename(temp, link), 0);
    assert_true(follow_landed_since_load(&scene->keeper, &scene->cert));
}

static void
what_was_live_before_the_server_started_is_not(void **state)
{
    struct scene *scene = *state;

    flip(scene, "a.test");
    scene->keeper.loaded_ms += 10000;
    follow(&scene->keeper);
    assert_int_equal(reloads, 0);
}

static void
names_that_only_we_have_are_an_error_told_once(void **state)
{
    struct scene *scene = *state;

    follow(&scene->keeper);
    scene->keeper.now += 19;
    follow(&scene->keeper);
    assert_string_equal(scene->line, "");
    scene->keeper.now += 1;
    follow(&scene->keeper);
    assert_non_null(strstr(scene->line, "a.test: no certificate is obtained"));
    assert_non_null(strstr(scene->line, "use another acme_state_path"));
    scene->line[0] = '\0';
    scene->keeper.now += 100;
    follow(&scene->keeper);
    assert_string_equal(scene->line, "");
}

static void
names_that_the_other_has_too_are_none(void **state)
{
    struct scene *scene = *state;
    char path[PATH_MAX];
    FILE *file;

    snprintf(path, sizeof(path), "%s/certs", scene->path);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/certs/a.test", scene->path);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/certs/a.test/entry", scene->path);
    file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    follow(&scene->keeper);
    scene->keeper.now += 1000;
    follow(&scene->keeper);
    assert_string_equal(scene->line, "");
}

static void
what_is_not_in_our_settings_is_not(void **state)
{
    struct scene *scene = *state;

    flip(scene, "b.test");
    follow(&scene->keeper);
    assert_int_equal(reloads, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_another_keeper_obtains_is_loaded_once),
        TEST(the_next_flip_is_loaded_too),
        TEST(a_flip_before_the_clock_was_set_back_hides_no_other),
        TEST(a_load_in_the_second_of_the_flip_has_seen_it_or_not),
        TEST(what_was_live_before_the_server_started_is_not),
        TEST(what_is_not_in_our_settings_is_not),
        TEST(names_that_only_we_have_are_an_error_told_once),
        TEST(names_that_the_other_has_too_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
