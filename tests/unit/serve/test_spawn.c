/* The helper is started, kept and let go; a script stands for it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "serve/spawn.h"

/* Tells what it finds, then what it reads on the lifetime pipe. */
static const char script[] =
    "#!/bin/sh\n"
    "exec 7<&3 3<&-\n"
    "null=\"$(readlink /proc/$$/fd/0) $(readlink /proc/$$/fd/1)\"\n"
    "{ echo \"pid $$\"\n"
    "echo \"cwd $(pwd)\"\n"
    "echo \"umask $(umask)\"\n"
    "echo \"session $(cut -d' ' -f6 /proc/$$/stat)\"\n"
    "echo \"null $null\"\n"
    "echo \"settings $(readlink /proc/$$/fd/4)\"\n"
    "echo \"page $(readlink /proc/$$/fd/5) $(stat -Lc %i /proc/$$/fd/5)\"\n"
    "test -e /proc/$$/fd/90 && echo leaked\n"
    "grep -E '^Sig(Blk|Ign):' /proc/self/status\n"
    "env | grep -vE '^(PWD|_|SHLVL|OLDPWD)=' | sort | sed 's/^/env /'\n"
    "echo ready\n"
    "while c=$(dd bs=1 count=1 <&7 2>/dev/null) && test -n \"$c\"\n"
    "do echo \"got $c\"\n"
    "done\n"
    "echo end; } >&2\n";

enum { PATIENCE_MS = 30000, LEAK_FD = 90 };

struct scene {
    char path[64];
    char helper[80];
    char log[80];
    int log_fd;
    struct acme_settings settings;
    struct acme_settings_ca ca;
    struct acme_settings_cert cert;
    char *names[1];
    char text[16384];
};

static int
setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    int fd;

    strcpy(scene->path, "/tmp/acme-test-XXXXXX");
    assert_non_null(mkdtemp(scene->path));
    snprintf(scene->helper, sizeof(scene->helper), "%s/helper", scene->path);
    snprintf(scene->log, sizeof(scene->log), "%s/log", scene->path);
    fd = open(scene->helper, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    assert_int_equal(write(fd, script, strlen(script)), strlen(script));
    close(fd);
    scene->log_fd = open(scene->log,
        O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(scene->log_fd >= 0);
    scene->ca = (struct acme_settings_ca) { .name = (char *) "ca.test",
        .url = (char *) "https://ca.test/dir" };
    scene->names[0] = (char *) "a.test";
    scene->cert = (struct acme_settings_cert) { .names = scene->names,
        .name_count = 1, .key_types = { ACME_KEY_ECDSA_256 },
        .folder = (char *) "a.test" };
    scene->settings = (struct acme_settings) { .cas = &scene->ca,
        .ca_count = 1, .certs = &scene->cert, .cert_count = 1,
        .state_path = scene->path, .user = (char *) "nobody",
        .helper = scene->helper };
    *state = scene;
    return 0;
}

static int
teardown(void **state)
{
    struct scene *scene = *state;
    char command[128];

    close(scene->log_fd);
    snprintf(command, sizeof(command), "rm -rf '%s'", scene->path);
    assert_int_equal(system(command), 0);
    free(scene);
    return 0;
}

static const char *
read_log(struct scene *scene)
{
    ssize_t len = pread(scene->log_fd, scene->text,
        sizeof(scene->text) - 1, 0);

    scene->text[len > 0 ? len : 0] = '\0';
    return scene->text;
}

/* How often the line is in the log. */
static int
count_lines(struct scene *scene, const char *line)
{
    const char *at = read_log(scene);
    char wanted[256];
    int count = 0;

    snprintf(wanted, sizeof(wanted), "%s\n", line);
    while ((at = strstr(at, wanted)) != NULL) {
        count += at == scene->text || at[-1] == '\n';
        at++;
    }
    return count;
}

static void
wait_for(struct scene *scene, const char *line, int count)
{
    for (int i = 0; i < PATIENCE_MS / 10; i++) {
        if (count_lines(scene, line) >= count) {
            return;
        }
        usleep(10000);
    }
    fail_msg("\"%s\" did not come %d times:\n%s", line, count,
        read_log(scene));
}

static void
expect_line(struct scene *scene, const char *line)
{
    if (count_lines(scene, line) != 1) {
        fail_msg("no line \"%s\" in:\n%s", line, read_log(scene));
    }
}

static const struct acme_helper_options *
options_of(const struct scene *scene)
{
    static struct acme_helper_options options = { .read_ms = 1700000000000 };

    options.log_fd = scene->log_fd;
    return &options;
}

/*
 * None but 32 and 33, which are the C library's own: nobody else can reset
 * them, and make (by posix_spawn) leaves them ignored in all that it starts.
 */
static void
expect_no_ignored_signals(struct scene *scene)
{
    const char *line = strstr(read_log(scene), "SigIgn:\t");
    unsigned long long ignored = ~0ULL;

    if (line != NULL) {
        ignored = strtoull(line + strlen("SigIgn:\t"), NULL, 16);
    }
    if ((ignored & ~(3ULL << 31)) != 0) {
        fail_msg("signals are ignored in:\n%s", scene->text);
    }
}

static struct acme_helper *
start(struct scene *scene, struct acme_helper *running)
{
    struct acme_error err = { 0 };
    struct acme_helper *helper = acme_helper_start(&scene->settings, running,
        options_of(scene), &err);

    if (helper == NULL) {
        fail_msg("%s", err.text);
    }
    return helper;
}

static void
a_helper_finds_what_it_needs_and_nothing_else(void **state)
{
    struct scene *scene = *state;
    struct acme_helper *helper;
    sigset_t blocked, before;
    char line[64];
    int pid;

    /* what a server may have: open files, blocked and ignored signals */
    assert_int_equal(dup2(scene->log_fd, LEAK_FD), LEAK_FD);
    setenv("SECRET", "hidden", 1);
    setenv("TZ", "Europe/Vienna", 1);
    sigfillset(&blocked);
    sigprocmask(SIG_SETMASK, &blocked, &before);
    signal(SIGPIPE, SIG_IGN);
    umask(0);
    helper = start(scene, NULL);
    umask(022);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    unsetenv("SECRET");
    unsetenv("TZ");
    close(LEAK_FD);

    wait_for(scene, "ready", 1);
    expect_line(scene, "cwd /");
    expect_line(scene, "umask 0077");
    expect_line(scene, "null /dev/null /dev/null");
    expect_line(scene, "settings /memfd:acme-settings (deleted)");
    expect_line(scene, "SigBlk:\t0000000000000000");
    expect_no_ignored_signals(scene);
    expect_line(scene, "env PATH=/usr/sbin:/usr/bin:/sbin:/bin");
    expect_line(scene, "env TZ=Europe/Vienna");
    assert_null(strstr(scene->text, "SECRET"));
    assert_null(strstr(scene->text, "HOME"));
    assert_int_equal(count_lines(scene, "leaked"), 0);
    assert_int_equal(sscanf(strstr(scene->text, "pid "), "pid %d", &pid), 1);
    snprintf(line, sizeof(line), "session %d", (int) getsid(0));
    assert_int_equal(count_lines(scene, line), 0);
    /* nobody's child: there is nothing for the server to wait for */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    acme_helper_release(helper);
    wait_for(scene, "end", 1);
}

static void
a_reload_with_equal_settings_is_a_word(void **state)
{
    struct scene *scene = *state;
    struct acme_helper *first = start(scene, NULL);

    wait_for(scene, "ready", 1);
    assert_ptr_equal(start(scene, first), first);
    wait_for(scene, "got r", 1);
    assert_ptr_equal(start(scene, first), first);
    wait_for(scene, "got r", 2);
    acme_helper_release(first);
    acme_helper_release(first);
    usleep(50000);
    assert_int_equal(count_lines(scene, "end"), 0);
    acme_helper_release(first);
    wait_for(scene, "end", 1);
    assert_int_equal(count_lines(scene, "ready"), 1);
}

static void
a_reload_that_can_start_none_keeps_one_with_equal_settings(void **state)
{
    struct scene *scene = *state;
    struct acme_helper *helper;

    assert_null(acme_helper_keep(&scene->settings, NULL));
    helper = start(scene, NULL);
    wait_for(scene, "ready", 1);
    unlink(scene->helper);
    assert_ptr_equal(acme_helper_keep(&scene->settings, helper), helper);
    wait_for(scene, "got r", 1);
    scene->settings.reload_delay_s = 7;
    assert_null(acme_helper_keep(&scene->settings, helper));
    acme_helper_release(helper);
    usleep(50000);
    assert_int_equal(count_lines(scene, "end"), 0);
    acme_helper_release(helper);
    wait_for(scene, "end", 1);
}

static void
other_settings_are_another_helper_on_the_same_page(void **state)
{
    struct scene *scene = *state;
    struct acme_helper *first = start(scene, NULL), *second;
    const char *one, *two;

    wait_for(scene, "ready", 1);
    scene->settings.reload_delay_s = 7;
    second = start(scene, first);
    assert_ptr_not_equal(second, first);
    assert_ptr_equal(acme_helper_page(second), acme_helper_page(first));
    wait_for(scene, "ready", 2);
    one = strstr(read_log(scene), "page /memfd:acme-page (deleted)");
    assert_non_null(one);
    two = strstr(one + 1, "page /memfd:acme-page (deleted)");
    assert_non_null(two);
    assert_memory_equal(one, two, strcspn(one, "\n") + 1);
    acme_helper_release(first);
    wait_for(scene, "end", 1);
    assert_false(acme_page_has_proofs(acme_helper_page(second)));
    acme_helper_release(second);
    wait_for(scene, "end", 2);
}

static void
another_store_is_another_page(void **state)
{
    struct scene *scene = *state;
    struct acme_helper *first = start(scene, NULL), *second;
    char other[100];

    snprintf(other, sizeof(other), "%s/other", scene->path);
    scene->settings.state_path = other;
    second = start(scene, first);
    assert_ptr_not_equal(acme_helper_page(second), acme_helper_page(first));
    acme_helper_release(first);
    acme_helper_release(second);
    wait_for(scene, "end", 2);
}

/* The end of the pipe that only the helper holds says that it is gone. */
static void
a_helper_that_died_is_started_again(void **state)
{
    struct scene *scene = *state;
    struct acme_helper *first, *second;
    int references = 1;
    int fd = open(scene->helper, O_WRONLY | O_TRUNC | O_CLOEXEC);

    assert_int_equal(write(fd, "#!/bin/true\n", 12), 12);
    close(fd);
    first = second = start(scene, NULL);
    for (int i = 0; i < PATIENCE_MS / 10 && second == first; i++) {
        usleep(10000);
        second = start(scene, first);
        references += second == first;
    }
    assert_ptr_not_equal(second, first);
    acme_helper_release(second);
    while (references-- > 0) {
        acme_helper_release(first);
    }
}

static void
a_worker_that_forgets_does_not_keep_it_alive(void **state)
{
    struct scene *scene = *state;
    struct acme_helper *helper = start(scene, NULL);
    int go[2], status;
    pid_t worker;

    wait_for(scene, "ready", 1);
    assert_int_equal(pipe(go), 0);
    worker = fork();
    if (worker == 0) {
        const struct acme_page *page;
        char byte;

        close(go[1]);
        acme_helper_forget(helper);
        page = acme_helper_page(helper);
        (void) !read(go[0], &byte, 1);
        /* the page is still there, and the other end is not ours to close */
        _exit(acme_page_has_proofs(page) ? 1 : 0);
    }
    acme_helper_release(helper);
    wait_for(scene, "end", 1);
    close(go[0]);
    close(go[1]);
    assert_int_equal(waitpid(worker, &status, 0), worker);
    assert_int_equal(status, 0);
}

/* As httpd's mod_cgid has, whose daemon is forked at each restart. */
static void
one_that_is_let_go_is_told_though_a_copy_of_the_pipe_is_open(void **state)
{
    struct scene *scene = *state;
    struct acme_helper *helper = start(scene, NULL);
    pid_t daemon = fork();

    if (daemon == 0) {
        for (;;) {
            pause();
        }
    }
    acme_helper_release(helper);
    wait_for(scene, "got e", 1);
    assert_int_equal(count_lines(scene, "end"), 0);
    kill(daemon, SIGKILL);
    waitpid(daemon, NULL, 0);
    wait_for(scene, "end", 1);
}

static void
one_that_cannot_be_started_is_an_error_with_its_path(void **state)
{
    static const struct {
        const char *what;
        const char *content;   /* NULL: no file */
        mode_t mode;
        const char *words;
    } rows[] = {
        { "missing", NULL, 0, "No such file" },
        { "not executable", "#!/bin/sh\n", 0600, "Permission denied" },
        { "no program", "garbage", 0700, "Exec format error" },
        { "interpreter missing", "#!/nowhere/sh\n", 0700, "No such file" },
    };
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct acme_error err = { 0 };

        unlink(scene->helper);
        if (rows[i].content != NULL) {
            int fd = open(scene->helper, O_WRONLY | O_CREAT | O_CLOEXEC,
                rows[i].mode);

            assert_int_equal(write(fd, rows[i].content,
                strlen(rows[i].content)), strlen(rows[i].content));
            close(fd);
        }
        if (acme_helper_start(&scene->settings, NULL, options_of(scene),
            &err) != NULL) {
            fail_msg("%s was started", rows[i].what);
        }
        assert_int_equal(err.verdict, ACME_LOCAL);
        assert_ptr_equal(strstr(err.text, "the helper is not running, "
            "certificates are neither obtained nor renewed: "), err.text);
        if (strstr(err.text, scene->helper) == NULL
            || strstr(err.text, rows[i].words) == NULL) {
            fail_msg("%s: %s", rows[i].what, err.text);
        }
    }
}

static void
a_start_that_fails_leaves_the_running_one_alone(void **state)
{
    struct scene *scene = *state;
    struct acme_helper *helper = start(scene, NULL);
    struct acme_error err;

    wait_for(scene, "ready", 1);
    scene->settings.helper = (char *) "/nowhere/helper";
    assert_null(acme_helper_start(&scene->settings, helper,
        options_of(scene), &err));
    scene->settings.helper = scene->helper;
    assert_ptr_equal(start(scene, helper), helper);
    wait_for(scene, "got r", 1);
    acme_helper_release(helper);
    acme_helper_release(helper);
    wait_for(scene, "end", 1);
}

static void
nothing_is_left_open(void **state)
{
    struct scene *scene = *state;
    int before = 0, after = 0;

    for (int fd = 0; fd < 256; fd++) {
        before += fcntl(fd, F_GETFD) >= 0;
    }
    for (int i = 1; i <= 5; i++) {
        acme_helper_release(start(scene, NULL));
        wait_for(scene, "end", i);
    }
    for (int fd = 0; fd < 256; fd++) {
        after += fcntl(fd, F_GETFD) >= 0;
    }
    assert_int_equal(after, before);
    acme_helper_release(NULL);
    assert_null(acme_helper_page(NULL));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_helper_finds_what_it_needs_and_nothing_else),
        TEST(a_reload_with_equal_settings_is_a_word),
        TEST(a_reload_that_can_start_none_keeps_one_with_equal_settings),
        TEST(other_settings_are_another_helper_on_the_same_page),
        TEST(another_store_is_another_page),
        TEST(a_helper_that_died_is_started_again),
        TEST(a_worker_that_forgets_does_not_keep_it_alive),
        TEST(one_that_is_let_go_is_told_though_a_copy_of_the_pipe_is_open),
        TEST(one_that_cannot_be_started_is_an_error_with_its_path),
        TEST(a_start_that_fails_leaves_the_running_one_alone),
        TEST(nothing_is_left_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
