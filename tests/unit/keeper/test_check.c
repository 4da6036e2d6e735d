/* The server's own check, of a server that is a shell script. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper/check.h"


static int
setup(void **state)
{
    char *dir = strdup("/tmp/acme-test-XXXXXX");

    assert_non_null(mkdtemp(dir));
    *state = dir;
    return 0;
}

static int
teardown(void **state)
{
    rmdir(*state);
    free(*state);
    return 0;
}

/* A server that waits for input that never comes. */
static pid_t
start_server(const char *dir, const char *script)
{
    int out[2], silence[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe(out), 0);
    pid = fork();
    if (pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        if (pipe(silence) != 0 || dup2(silence[0], STDIN_FILENO) < 0) {
            _exit(1);
        }
        if (chdir(dir) == 0) {
            execle("/bin/sh", "sh", "-c", script, "server", "-k", "start",
                "-f", "x.conf", (char *) NULL,
                (char *[]) { (char *) "COLOUR=red", (char *) "PATH=/bin",
                NULL });
        }
        _exit(1);
    }
    close(out[1]);
    assert_int_equal(read(out[0], &byte, 1), 1);
    close(out[0]);
    return pid;
}

static void
stop_server(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void
check(pid_t pid, char verdict[ACME_CHECK_MAX + 1])
{
    struct acme_error err = { 0 };
    char text[16];
    ssize_t len;
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    snprintf(text, sizeof(text), "%d", (int) pid);
    if (!acme_check_run(pair[1], text, &err)) {
        fail_msg("%s", err.text);
    }
    len = recv(pair[0], verdict, ACME_CHECK_MAX, 0);
    assert_true(len > 0);
    verdict[len] = '\0';
    close(pair[0]);
    close(pair[1]);
}

static void
the_server_is_run_as_it_was_started_but_with_t(void **state)
{
    pid_t pid = start_server(*state, "[ \"$3\" = -t ] || "
        "{ echo up; read x; }; echo \"$*, $(pwd), $COLOUR\"");
    char verdict[ACME_CHECK_MAX + 1], wanted[128];

    check(pid, verdict);
    snprintf(wanted, sizeof(wanted), "+-f x.conf -t, %s, red",
        (char *) *state);
    assert_string_equal(verdict, wanted);
    stop_server(pid);
}

static void
a_check_that_fails_says_its_last_words(void **state)
{
    pid_t pid = start_server(*state, "[ \"$3\" = -t ] || "
        "{ echo up; read x; }; i=0; while [ $i -lt 3000 ]; do echo line $i; "
        "i=$((i + 1)); done; echo 'Syntax error' >&2; exit 1");
    char verdict[ACME_CHECK_MAX + 1];

    check(pid, verdict);
    assert_int_equal(verdict[0], ACME_CHECK_FAILED);
    assert_int_equal(strlen(verdict), ACME_CHECK_MAX - 1);
    assert_non_null(strstr(verdict, "line 2999 Syntax error"));
    stop_server(pid);
}

static void
a_keeper_that_has_ended_misses_nothing(void **state)
{
    pid_t pid = start_server(*state, "[ \"$3\" = -t ] || "
        "{ echo up; read x; }");
    struct acme_error err = { 0 };
    char text[16];
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    close(pair[0]);
    snprintf(text, sizeof(text), "%d", (int) pid);
    assert_true(acme_check_run(pair[1], text, &err));
    close(pair[1]);
    stop_server(pid);
}

static void
a_server_that_is_gone_is_an_error(void **state)
{
    struct acme_error err;

    (void) state;
    assert_false(acme_check_run(-1, "999999999", &err));
    assert_int_equal(err.verdict, ACME_LOCAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_server_is_run_as_it_was_started_but_with_t),
        TEST(a_check_that_fails_says_its_last_words),
        TEST(a_keeper_that_has_ended_misses_nothing),
        TEST(a_server_that_is_gone_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
