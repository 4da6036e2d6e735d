/* The administrator's program: its user, its world, its time and its words. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "keeper/event_run.h"

enum { WORDS_MAX = 64, BIG = 50 * 1024 };

/* A program in a folder, and what its process said of it. */
struct scene {
    char dir[64];
    char program[128];
    const char *user;
    char said[WORDS_MAX][ACME_EVENT_REPLY_MAX + 1];
    size_t count;
};

static int
setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));

    strcpy(scene->dir, "/tmp/acme-test-XXXXXX");
    assert_non_null(mkdtemp(scene->dir));
    assert_int_equal(chmod(scene->dir, 0777), 0);
    snprintf(scene->program, sizeof(scene->program), "%s/told.sh",
        scene->dir);
    scene->user = "nobody";
    *state = scene;
    return 0;
}

static int
teardown(void **state)
{
    struct scene *scene = *state;
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", scene->dir);
    assert_int_equal(system(command), 0);
    free(scene);
    return 0;
}

static void
write_program(struct scene *scene, const char *text)
{
    int fd = open(scene->program, O_WRONLY | O_CREAT | O_TRUNC, 0755);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, 0755), 0);
    close(fd);
}

/* The process that runs it, and our end of its socket. */
static pid_t
start(struct scene *scene, unsigned limit_s, int *fd_out)
{
    struct acme_event_program program = { .path = scene->program,
        .user = scene->user, .limit_s = limit_s };
    int pair[2];
    pid_t pid;

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    pid = fork();
    if (pid == 0) {
        struct acme_error err;

        close(pair[0]);
        /* what a helper has open, and what no program is to see */
        (void) !dup2(open("/dev/null", O_RDONLY), 77);
        _exit(acme_event_run(pair[1], &program, &err) ? 0 : 1);
    }
    close(pair[1]);
    *fd_out = pair[0];
    return pid;
}

static void
tell(int fd, const char *json)
{
    struct acme_event_words words = { "renewed", "example.test",
        "/state/live/example.test", json };
    struct acme_error err;

    if (!acme_event_send(fd, &words, &err)) {
        fail_msg("%s", err.text);
    }
}

static void
listen_to(struct scene *scene, int fd)
{
    ssize_t len;

    scene->count = 0;
    while (scene->count < WORDS_MAX && (len = recv(fd,
        scene->said[scene->count], ACME_EVENT_REPLY_MAX, 0)) > 0) {
        scene->said[scene->count++][len] = '\0';
    }
}

/* Run this; returns its process's last word. */
static const char *
run(struct scene *scene, const char *text, unsigned limit_s,
    const char *json)
{
    int fd, status;
    pid_t pid;

    write_program(scene, text);
    pid = start(scene, limit_s, &fd);
    tell(fd, json);
    listen_to(scene, fd);
    close(fd);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(scene->count > 0);
    return scene->said[scene->count - 1];
}

static void
the_program_gets_its_words(void **state)
{
    struct scene *scene = *state;

    assert_string_equal(run(scene, "#!/bin/sh\n"
        "echo \"$# $1 $2 $ACME_LIVE\"; cat; echo err >&2\n", 60,
        "{\"version\":1}"), "+");
    assert_int_equal(scene->count, 3);
    assert_string_equal(scene->said[0],
        "l2 renewed example.test /state/live/example.test");
    assert_string_equal(scene->said[1], "l{\"version\":1}err");
}

static void
the_program_may_leave_its_words_unread(void **state)
{
    char *big = malloc(BIG + 1);

    memset(big, 'x', BIG);
    big[BIG] = '\0';
    assert_string_equal(run(*state, "#!/bin/sh\nexit 0\n", 60, big), "+");
    assert_string_equal(run(*state, "#!/bin/sh\nsleep 0.1\nwc -c\n", 60,
        big), "+");
    assert_string_equal(((struct scene *) *state)->said[0], "l51200");
    free(big);
}

/* Signals 32 and 33 are the C library's own: nobody else can reset them. */
#define OF_LIBC 0x180000000ull

static void
the_program_has_a_world_of_its_own(void **state)
{
    struct scene *scene = *state;
    struct passwd *nobody = getpwnam("nobody");
    unsigned long long blocked, ignored;
    int no_new_privs;
    char wanted[128];

    setenv("LD_LIBRARY_PATH", "/secret", 1);
    assert_string_equal(run(scene, "#!/bin/sh\n"
        "echo $(id -u) $(id -g) $(id -G) $(umask) $(pwd)\n"
        "env | cut -d= -f1 | grep -vE '^(PWD|OLDPWD|SHLVL|_)$' | sort "
        "| xargs\n"
        "cut -d' ' -f6 /proc/$$/stat | grep -qx $$ && echo its session\n"
        "grep -E '^(SigIgn|SigBlk|NoNewPrivs)' /proc/$$/status | tr -d '\\t' "
        "| xargs\n", 60, "{}"), "+");
    unsetenv("LD_LIBRARY_PATH");
    if (geteuid() == 0) {
        snprintf(wanted, sizeof(wanted), "l%u %u %u 0077 /", nobody->pw_uid,
            nobody->pw_gid, nobody->pw_gid);
        assert_string_equal(scene->said[0], wanted);
    }
    assert_string_equal(scene->said[1],
        "lACME_LIVE HOME LOGNAME PATH SHELL USER");
    assert_string_equal(scene->said[2], "lits session");
    assert_int_equal(sscanf(scene->said[3], "lSigBlk:%llx SigIgn:%llx "
        "NoNewPrivs:%d", &blocked, &ignored, &no_new_privs), 3);
    assert_int_equal(blocked, 0);
    assert_int_equal(ignored & ~OF_LIBC, 0);
    assert_int_equal(no_new_privs, 0);

    /* 3 is the folder that ls reads */
    assert_string_equal(run(scene, "#!/bin/sh\nexec ls /proc/self/fd\n", 60,
        "{}"), "+");
    assert_int_equal(scene->count, 5);
    assert_string_equal(scene->said[3], "l3");
}

static void
how_it_ends_is_said(void **state)
{
    assert_string_equal(run(*state, "#!/bin/sh\nexit 3\n", 60, "{}"),
        "-exit status 3");
    assert_string_equal(run(*state, "#!/bin/sh\nkill -9 $$\n", 60, "{}"),
        "-it was ended by signal 9 (Killed)");
    assert_non_null(strstr(run(*state, "#!/no/such/shell\n", 60, "{}"),
        "-exit status 127"));
    assert_non_null(strstr(((struct scene *) *state)->said[0],
        "cannot run"));
}

static void
a_program_that_must_not_run_does_not(void **state)
{
    struct scene *scene = *state;

    write_program(scene, "#!/bin/sh\n");
    assert_int_equal(chmod(scene->program, 0644), 0);
    if (geteuid() == 0) {
        scene->user = "no-such-user";
        assert_non_null(strstr(run(scene, "#!/bin/sh\n", 60, "{}"),
            "-there is no user"));
        scene->user = "root";   /* its folder is everybody's */
        assert_non_null(strstr(run(scene, "#!/bin/sh\n", 60, "{}"),
            "-with user=root, "));
    }
    snprintf(scene->program, sizeof(scene->program), "%s/missing/x",
        scene->dir);
    {
        int fd, status;
        pid_t pid = start(scene, 60, &fd);

        tell(fd, "{}");
        listen_to(scene, fd);
        close(fd);
        waitpid(pid, &status, 0);
        assert_int_equal(scene->count, 1);
        assert_non_null(strstr(scene->said[0], "No such file"));
    }
}

static void
what_it_prints_is_bounded(void **state)
{
    struct scene *scene = *state;

    assert_string_equal(run(scene, "#!/bin/sh\ni=0\n"
        "while [ $i -lt 1000 ]; do echo line $i; i=$((i + 1)); done\n", 60,
        "{}"), "+");
    assert_int_equal(scene->count, ACME_EVENT_LINES_MAX + 2);
    assert_string_equal(scene->said[49], "lline 49");
    assert_string_equal(scene->said[50], "l(950 more lines)");

    assert_string_equal(run(scene, "#!/bin/sh\n"
        "head -c 100000 /dev/zero | tr '\\0' x\necho\necho\necho end\n", 60,
        "{}"), "+");
    assert_int_equal(scene->count, 3);
    assert_int_equal(strlen(scene->said[0]), 1 + ACME_EVENT_LINE_MAX + 3);
    assert_string_equal(scene->said[1], "lend");
}

/* Is a process that wrote its number into a file still there? */
static bool
lives(const struct scene *scene, const char *name)
{
    char path[128], text[32] = "", stat[64];
    FILE *file;
    int state = 'Z';

    snprintf(path, sizeof(path), "%s/%s", scene->dir, name);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof(text), file));
    fclose(file);
    snprintf(stat, sizeof(stat), "/proc/%d/stat", atoi(text));
    file = fopen(stat, "r");
    if (file != NULL) {
        assert_true(fscanf(file, "%*d (%*[^)]) %c", (char *) &state) >= 0);
        fclose(file);
    }
    return (char) state != 'Z';
}

/* A signal that was sent may take a moment. */
static bool
ends(const struct scene *scene, const char *name)
{
    for (int i = 0; i < 1000 && lives(scene, name); i++) {
        usleep(10000);
    }
    return !lives(scene, name);
}

static void
its_time_is_limited_with_all_that_it_has_started(void **state)
{
    struct scene *scene = *state;

    assert_string_equal(run(scene, "#!/bin/sh\n"
        "sleep 300 & echo $! >$(dirname $0)/child\necho begun\nwait\n", 1,
        "{}"), "-it was ended, because it took longer than 1 seconds");
    assert_string_equal(scene->said[0], "lbegun");
    assert_true(ends(scene, "child"));

    /* one that does not listen */
    assert_string_equal(run(scene, "#!/bin/sh\ntrap '' TERM\n"
        "while :; do sleep 0.1; done\n", 1, "{}"),
        "-it was ended, because it took longer than 1 seconds");
}

static void
what_it_leaves_behind_is_not_waited_for(void **state)
{
    struct scene *scene = *state;
    char command[128];

    assert_string_equal(run(scene, "#!/bin/sh\n"
        "setsid sleep 60 & echo $! >$(dirname $0)/child\necho done\n", 60,
        "{}"), "+");
    assert_true(lives(scene, "child"));
    snprintf(command, sizeof(command), "kill $(cat '%s/child')", scene->dir);
    assert_int_equal(system(command), 0);
}

static void
without_a_keeper_it_ends(void **state)
{
    struct scene *scene = *state;
    int fd, status;
    char path[128];
    pid_t pid;

    /* before it was told, and while it runs */
    write_program(scene, "#!/bin/sh\necho $$ >$(dirname $0)/self\n"
        "echo begun\nexec sleep 300\n");
    pid = start(scene, 60, &fd);
    close(fd);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    snprintf(path, sizeof(path), "%s/self", scene->dir);
    assert_int_equal(access(path, F_OK), -1);

    pid = start(scene, 60, &fd);
    tell(fd, "{}");
    assert_true(recv(fd, scene->said[0], ACME_EVENT_REPLY_MAX, 0) > 0);
    close(fd);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(ends(scene, "self"));
}

static void
a_message_that_is_none_runs_nothing(void **state)
{
    static const char *const broken[] = { "a", "a\0b", "a\0b\0c" };
    struct scene *scene = *state;
    int fd, status;
    pid_t pid;

    write_program(scene, "#!/bin/sh\necho run\n");
    for (size_t i = 0; i < 3; i++) {
        pid = start(scene, 60, &fd);
        assert_true(send(fd, broken[i], 2 * i + 2, 0) > 0);
        listen_to(scene, fd);
        close(fd);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(scene->count, 0);
    }
}

static void
what_is_too_long_is_not_sent(void **state)
{
    struct acme_event_words words = { "renewed", "a.test", "/x", NULL };
    char *json = malloc(ACME_EVENT_MAX + 1);
    struct acme_error err;

    (void) state;
    memset(json, 'x', ACME_EVENT_MAX);
    json[ACME_EVENT_MAX] = '\0';
    words.json = json;
    assert_false(acme_event_send(-1, &words, &err));
    assert_int_equal(err.verdict, ACME_LOCAL);
    free(json);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_program_gets_its_words),
        TEST(the_program_may_leave_its_words_unread),
        TEST(the_program_has_a_world_of_its_own),
        TEST(how_it_ends_is_said),
        TEST(a_program_that_must_not_run_does_not),
        TEST(what_it_prints_is_bounded),
        TEST(its_time_is_limited_with_all_that_it_has_started),
        TEST(what_it_leaves_behind_is_not_waited_for),
        TEST(without_a_keeper_it_ends),
        TEST(a_message_that_is_none_runs_nothing),
        TEST(what_is_too_long_is_not_sent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
