/* The helper's lines in the server's log, also after it was rotated. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "helper/logfile.h"

/* Descriptor 2 is the log, as the helper has it. */
struct scene {
    char path[64];
    char log[80];
    char rotated[80];
    int stderr_fd;             /* the real one, kept */
    struct acme_settings settings;
    char text[8192];
};

static int
setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    int fd;

    strcpy(scene->path, "/tmp/acme-test-XXXXXX");
    assert_non_null(mkdtemp(scene->path));
    snprintf(scene->log, sizeof(scene->log), "%s/error.log", scene->path);
    snprintf(scene->rotated, sizeof(scene->rotated), "%s/error.log.1",
        scene->path);
    scene->settings.log_path = scene->log;
    scene->settings.log_level = ACME_LOG_WARN;
    scene->stderr_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
    fd = open(scene->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
    close(fd);
    *state = scene;
    return 0;
}

static int
teardown(void **state)
{
    struct scene *scene = *state;
    char command[128];

    dup2(scene->stderr_fd, STDERR_FILENO);
    close(scene->stderr_fd);
    snprintf(command, sizeof(command), "rm -rf '%s'", scene->path);
    assert_int_equal(system(command), 0);
    free(scene);
    return 0;
}

static const char *
content_of(struct scene *scene, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, scene->text, sizeof(scene->text) - 1)
                          : 0;

    if (fd >= 0) {
        close(fd);
    }
    scene->text[len > 0 ? len : 0] = '\0';
    return scene->text;
}

static void
lines_look_like_the_servers_own(void **state)
{
    struct scene *scene = *state;
    struct acme_log log = acme_logfile(&scene->settings);
    regex_t form;

    acme_log(&log, ACME_LOG_ERROR, "a.test: %s", "no");
    assert_int_equal(regcomp(&form, "^[0-9]{4}/[0-9]{2}/[0-9]{2} "
        "[0-9]{2}:[0-9]{2}:[0-9]{2} \\[error\\] [0-9]+#0: acme: a\\.test: "
        "no\n$", REG_EXTENDED | REG_NOSUB), 0);
    assert_int_equal(regexec(&form, content_of(scene, scene->log), 0, NULL,
        0), 0);
    regfree(&form);
}

static void
the_servers_level_decides_unless_it_matters(void **state)
{
    struct scene *scene = *state;
    struct acme_log log = acme_logfile(&scene->settings);

    acme_log(&log, ACME_LOG_ALERT, "one");
    acme_log(&log, ACME_LOG_WARN, "two");
    acme_log(&log, ACME_LOG_NOTICE, "three");
    acme_log(&log, ACME_LOG_DEBUG, "four");
    acme_log_always(&log, ACME_LOG_NOTICE, "five");
    content_of(scene, scene->log);
    assert_non_null(strstr(scene->text, "[alert] "));
    assert_non_null(strstr(scene->text, "acme: two\n"));
    assert_null(strstr(scene->text, "three"));
    assert_null(strstr(scene->text, "four"));
    assert_non_null(strstr(scene->text, "[notice] "));
    assert_non_null(strstr(scene->text, "acme: five\n"));
}

static void
before_the_settings_are_read_notices_are_written(void **state)
{
    struct scene *scene = *state;
    struct acme_log log = acme_logfile(NULL);

    acme_log(&log, ACME_LOG_NOTICE, "one");
    acme_log(&log, ACME_LOG_INFO, "two");
    content_of(scene, scene->log);
    assert_non_null(strstr(scene->text, "acme: one\n"));
    assert_null(strstr(scene->text, "two"));
}

static void
a_rotated_log_is_followed_once_the_new_one_is_there(void **state)
{
    struct scene *scene = *state;
    struct acme_log log = acme_logfile(&scene->settings);

    acme_log(&log, ACME_LOG_ERROR, "one");
    assert_int_equal(rename(scene->log, scene->rotated), 0);
    /* the server has not yet opened its new one: the old one is as good */
    acme_log(&log, ACME_LOG_ERROR, "two");
    assert_int_equal(access(scene->log, F_OK), -1);
    close(open(scene->log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    acme_log(&log, ACME_LOG_ERROR, "three");
    assert_non_null(strstr(content_of(scene, scene->rotated),
        "acme: two\n"));
    assert_null(strstr(scene->text, "three"));
    assert_non_null(strstr(content_of(scene, scene->log), "acme: three\n"));
}

static void
a_log_that_is_no_file_is_left_alone(void **state)
{
    struct scene *scene = *state;
    struct acme_log log = acme_logfile(&scene->settings);
    int pair[2];

    assert_int_equal(pipe(pair), 0);
    assert_int_equal(dup2(pair[1], STDERR_FILENO), STDERR_FILENO);
    acme_log(&log, ACME_LOG_ERROR, "one");
    assert_true(read(pair[0], scene->text, sizeof(scene->text)) > 0);
    assert_string_equal(content_of(scene, scene->log), "");
    close(pair[0]);
    close(pair[1]);
}

static void
a_line_is_one_line_and_bounded(void **state)
{
    struct scene *scene = *state;
    struct acme_log log = acme_logfile(&scene->settings);
    char long_text[5000];

    memset(long_text, 'x', sizeof(long_text));
    long_text[sizeof(long_text) - 1] = '\0';
    acme_log(&log, ACME_LOG_ERROR, "a\n2026/01/01 [emerg] b\x1b[2J");
    acme_log(&log, ACME_LOG_ERROR, "%s", long_text);
    content_of(scene, scene->log);
    assert_null(strstr(scene->text, "\n2026/01/01"));
    assert_null(strchr(scene->text, '\x1b'));
    assert_true(strlen(scene->text) < 2500);
    assert_int_equal(scene->text[strlen(scene->text) - 1], '\n');
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lines_look_like_the_servers_own),
        TEST(the_servers_level_decides_unless_it_matters),
        TEST(before_the_settings_are_read_notices_are_written),
        TEST(a_rotated_log_is_followed_once_the_new_one_is_there),
        TEST(a_log_that_is_no_file_is_left_alone),
        TEST(a_line_is_one_line_and_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
