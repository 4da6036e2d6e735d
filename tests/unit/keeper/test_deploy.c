/* When reloads are asked for, and of whom. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper/check.h"
#include "keeper/deploy.h"
#include "keeper/master.h"
#include "keeper/supervised.h"

enum { DELAY_S = 10 };

/* This process plays the server: it holds the write end. */
struct server {
    struct acme_settings settings;
    struct keeper keeper;
    int life_fd;
    int supervisor_fd;
    char line[1024];           /* the last one that was logged */
};

static void
keep_line(void *ctx, enum acme_log_level level, bool always, const char *line)
{
    struct server *server = ctx;

    (void) level;
    (void) always;
    snprintf(server->line, sizeof(server->line), "%s", line);
}

static volatile sig_atomic_t reloads;

static void
count_reload(int signal)
{
    (void) signal;
    reloads++;
}

static int
setup(void **state)
{
    struct server *server = calloc(1, sizeof(*server));
    struct stat info;
    int life[2], pair[2];

    assert_int_equal(pipe2(life, O_CLOEXEC), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
        pair), 0);
    server->supervisor_fd = pair[1];
    assert_int_equal(fstat(life[0], &info), 0);
    server->life_fd = life[1];
    close(life[0]);
    server->settings = (struct acme_settings) { .reload = true,
        .reload_delay_s = DELAY_S, .reload_signal = SIGHUP };
    server->keeper = (struct keeper) { .settings = &server->settings,
        .now = 1000000, .life_inode = info.st_ino,
        .deploy = { .check_fd = -1 }, .supervisor_fd = pair[0],
        .log = { .sink = keep_line, .ctx = server } };
    signal(SIGHUP, count_reload);
    reloads = 0;
    *state = server;
    return 0;
}

static int
teardown(void **state)
{
    struct server *server = *state;

    close(server->life_fd);
    close(server->supervisor_fd);
    close(server->keeper.supervisor_fd);
    free(server);
    signal(SIGHUP, SIG_DFL);
    return 0;
}

static void
run_at(struct server *server, int64_t seconds)
{
    server->keeper.now = 1000000 + seconds;
    deploy_run(&server->keeper);
}

static void
the_last_certificate_of_a_burst_reloads_at_once(void **state)
{
    struct server *server = *state;

    server->keeper.active_count = 1;
    deploy_landed(&server->keeper, true, 0);
    run_at(server, 1);
    assert_int_equal(reloads, 0);
    deploy_landed(&server->keeper, true, 0);
    server->keeper.active_count = 0;
    run_at(server, 2);
    assert_int_equal(reloads, 1);
}

static void
a_slow_order_does_not_hold_back_the_others(void **state)
{
    struct server *server = *state;

    server->keeper.active_count = 1;
    deploy_landed(&server->keeper, true, 0);
    run_at(server, DELAY_S - 1);
    assert_int_equal(reloads, 0);
    run_at(server, DELAY_S);
    assert_int_equal(reloads, 1);
}

/* The second half of a certificate is ordered, the first one has landed. */
static void
land_first_half(struct server *server, struct job jobs[2], int64_t life,
    bool urgent)
{
    memset(jobs, 0, 2 * sizeof(*jobs));
    jobs[0] = (struct job) { .other = &jobs[1], .obtained_at = 1000000 };
    jobs[1] = (struct job) { .other = &jobs[0], .half = 1,
        .state = JOB_ORDERING, .not_after = 1000000 + life };
    server->keeper.active[0] = &jobs[1];
    server->keeper.active_count = 1;
    deploy_landed(&server->keeper, urgent, 0);
}

static void
the_renewal_of_the_other_half_is_waited_for(void **state)
{
    struct server *server = *state;
    struct job jobs[2];

    land_first_half(server, jobs, 30 * 86400, false);
    run_at(server, DELAY_S);
    run_at(server, 300);
    assert_int_equal(reloads, 0);
    assert_int_equal(deploy_wake_at(&server->keeper),
        server->keeper.now + 1);
    deploy_landed(&server->keeper, false, 0);
    server->keeper.active_count = 0;
    run_at(server, 301);
    assert_int_equal(reloads, 1);
    assert_non_null(strstr(server->line, "2 new certificates"));
}

static void
the_other_half_is_not_waited_for_when_it_fails_or_takes_long(void **state)
{
    struct server *server = *state;
    struct job jobs[2];

    land_first_half(server, jobs, 30 * 86400, false);
    run_at(server, 599);
    assert_int_equal(reloads, 0);
    run_at(server, 600);
    assert_int_equal(reloads, 1);
}

static void
what_ends_soon_does_not_wait_for_the_other_half(void **state)
{
    struct server *server = *state;
    struct job jobs[2];

    land_first_half(server, jobs, 300, false);
    run_at(server, 29);
    assert_int_equal(reloads, 0);
    run_at(server, 30);
    assert_int_equal(reloads, 1);
}

static void
a_placeholder_waits_for_the_other_half_no_longer_than_the_delay(void **state)
{
    struct server *server = *state;
    struct job jobs[2];

    land_first_half(server, jobs, 0, true);
    run_at(server, DELAY_S - 1);
    assert_int_equal(reloads, 0);
    run_at(server, DELAY_S);
    assert_int_equal(reloads, 1);
}

static void
a_clock_that_is_set_back_holds_no_reload_back(void **state)
{
    struct server *server = *state;
    const int64_t year = 365 * 86400;

    server->keeper.active_count = 1;
    run_at(server, year);
    deploy_landed(&server->keeper, true, 0);
    server->keeper.now -= year;
    deploy_clock_set_back(&server->keeper, year);
    run_at(server, DELAY_S - 1);
    assert_int_equal(reloads, 0);
    run_at(server, DELAY_S);
    assert_int_equal(reloads, 1);

    /* and so is the answer that it waits for, and the next one's distance */
    run_at(server, year);
    assert_int_equal(reloads, 2);
    server->keeper.now -= year;
    deploy_clock_set_back(&server->keeper, year);
    run_at(server, 90);
    assert_int_equal(reloads, 3);
}

static void
reloads_keep_their_distance(void **state)
{
    struct server *server = *state;

    deploy_landed(&server->keeper, true, 0);
    run_at(server, 0);
    assert_int_equal(reloads, 1);
    assert_false(deploy_reloaded(&server->keeper));
    server->keeper.now += 1;
    deploy_landed(&server->keeper, true, 0);
    run_at(server, 2);
    assert_int_equal(reloads, 1);
    run_at(server, DELAY_S + 1);
    assert_int_equal(reloads, 2);
}

static void
renewals_reload_once_a_minute(void **state)
{
    struct server *server = *state;

    deploy_landed(&server->keeper, false, 0);
    run_at(server, 0);
    assert_int_equal(reloads, 1);
    assert_false(deploy_reloaded(&server->keeper));
    deploy_landed(&server->keeper, false, 0);
    run_at(server, 59);
    assert_int_equal(reloads, 1);
    assert_true(deploy_wake_at(&server->keeper) == 1000000 + 60);
    run_at(server, 60);
    assert_int_equal(reloads, 2);
}

/* Nothing is under way, and the last reload was at second 0. */
static void
begin_with_a_reload(struct server *server)
{
    deploy_landed(&server->keeper, true, 0);
    run_at(server, 0);
    assert_int_equal(reloads, 1);
    assert_false(deploy_reloaded(&server->keeper));
}

static void
a_certificate_of_short_life_does_not_wait_for_the_minute(void **state)
{
    struct server *server = *state;

    begin_with_a_reload(server);
    run_at(server, 20);
    deploy_landed(&server->keeper, false, 1000000 + 24);
    deploy_landed(&server->keeper, false, 1000000 + 9000);
    run_at(server, 23);
    assert_int_equal(reloads, 1);
    assert_true(deploy_wake_at(&server->keeper) == 1000000 + 24);
    run_at(server, 24);
    assert_int_equal(reloads, 2);
    assert_non_null(strstr(server->line, "2 new certificates"));
    assert_false(deploy_reloaded(&server->keeper));

    /* what came after that has all the time again */
    deploy_landed(&server->keeper, false, 1000000 + 9000);
    run_at(server, 83);
    assert_int_equal(reloads, 2);
    run_at(server, 84);
    assert_int_equal(reloads, 3);
}

static void
a_certificate_of_short_life_does_not_wait_for_other_orders(void **state)
{
    struct server *server = *state;

    server->keeper.active_count = 1;
    deploy_landed(&server->keeper, false, 1000000 + 4);
    run_at(server, 3);
    assert_int_equal(reloads, 0);
    assert_true(deploy_wake_at(&server->keeper) == 1000000 + 4);
    run_at(server, 4);
    assert_int_equal(reloads, 1);
}

static void
a_certificate_of_short_life_does_not_wait_for_its_other_half(void **state)
{
    struct server *server = *state;
    struct job jobs[2];

    land_first_half(server, jobs, 300, false);
    deploy_landed(&server->keeper, false, 1000000 + 12);
    run_at(server, 11);
    assert_int_equal(reloads, 0);
    run_at(server, 12);
    assert_int_equal(reloads, 1);
}

static void
what_lands_late_in_a_reload_keeps_its_hurry(void **state)
{
    struct server *server = *state;

    begin_with_a_reload(server);
    run_at(server, 20);
    deploy_landed(&server->keeper, false, 1000000 + 24);
    run_at(server, 24);
    assert_int_equal(reloads, 2);
    deploy_landed(&server->keeper, false, 1000000 + 28);
    run_at(server, 26);
    assert_false(deploy_reloaded(&server->keeper));
    run_at(server, 27);
    assert_int_equal(reloads, 2);
    run_at(server, 28);
    assert_int_equal(reloads, 3);
}

static void
a_clock_that_is_set_back_takes_the_hurry_along(void **state)
{
    struct server *server = *state;
    const int64_t year = 365 * 86400;

    server->keeper.active_count = 1;
    run_at(server, year);
    deploy_landed(&server->keeper, false, 1000000 + year + 4);
    server->keeper.now -= year;
    deploy_clock_set_back(&server->keeper, year);
    run_at(server, 3);
    assert_int_equal(reloads, 0);
    run_at(server, 4);
    assert_int_equal(reloads, 1);
}

static void
an_urgent_certificate_takes_the_renewals_along(void **state)
{
    struct server *server = *state;

    deploy_landed(&server->keeper, false, 0);
    run_at(server, 0);
    assert_false(deploy_reloaded(&server->keeper));
    deploy_landed(&server->keeper, false, 0);
    deploy_landed(&server->keeper, true, 0);
    run_at(server, DELAY_S);
    assert_int_equal(reloads, 2);
}

static void
what_lands_during_a_reload_gets_another_one(void **state)
{
    struct server *server = *state;

    deploy_landed(&server->keeper, true, 0);
    run_at(server, 0);
    deploy_landed(&server->keeper, true, 0);
    assert_false(deploy_reloaded(&server->keeper));
    run_at(server, DELAY_S);
    assert_int_equal(reloads, 2);
}

static void
a_server_that_does_not_answer_is_asked_again(void **state)
{
    struct server *server = *state;

    deploy_landed(&server->keeper, true, 0);
    run_at(server, 0);
    run_at(server, 29);
    assert_int_equal(reloads, 1);
    run_at(server, 30);
    assert_int_equal(reloads, 2);
    run_at(server, 89);
    assert_int_equal(reloads, 2);
    run_at(server, 90);
    assert_int_equal(reloads, 3);
    assert_false(deploy_reloaded(&server->keeper));
    run_at(server, 10000);
    assert_int_equal(reloads, 3);
}

static void
a_reload_in_vain_is_asked_for_again_unless_one_is_due(void **state)
{
    struct server *server = *state;

    assert_true(deploy_is_done(&server->keeper));
    deploy_again(&server->keeper, 3);
    assert_false(deploy_is_done(&server->keeper));
    run_at(server, 0);
    assert_int_equal(reloads, 1);
    assert_non_null(strstr(server->line, "3 new certificates"));
    deploy_again(&server->keeper, 3);
    assert_false(deploy_reloaded(&server->keeper));
    assert_true(deploy_is_done(&server->keeper));
    run_at(server, 10000);
    assert_int_equal(reloads, 1);
}

/* A certificate has landed, and the supervisor was asked for a check. */
static void
begin_check(struct server *server)
{
    char asked[8];

    server->settings.check_first = true;
    deploy_landed(&server->keeper, true, 0);
    run_at(server, 0);
    assert_int_equal(recv(server->supervisor_fd, asked, sizeof(asked),
        MSG_DONTWAIT), 1);
    assert_int_equal(asked[0], ACME_ASK_CHECK);
    assert_int_equal(reloads, 0);
}

static void
give_verdict(struct server *server, const char *verdict)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    deploy_watch_check(&server->keeper, pair[0]);
    deploy_take_check(&server->keeper);  /* too early: nothing */
    assert_int_equal(server->keeper.deploy.state, DEPLOY_CHECKING);
    assert_int_equal(send(pair[1], verdict, strlen(verdict), 0),
        strlen(verdict));
    close(pair[1]);
    deploy_take_check(&server->keeper);
    assert_int_equal(server->keeper.deploy.check_fd, -1);
}

static void
a_server_that_asks_for_it_is_checked_first(void **state)
{
    struct server *server = *state;

    begin_check(server);
    give_verdict(server, "+Syntax OK");
    assert_int_equal(reloads, 1);
    assert_false(deploy_reloaded(&server->keeper));
    assert_int_equal(server->keeper.deploy.state, DEPLOY_IDLE);
}

static void
a_broken_configuration_is_never_reloaded_and_tried_again(void **state)
{
    struct server *server = *state;

    begin_check(server);
    give_verdict(server, "-AH00526: Syntax error on line 3\n");
    assert_int_equal(reloads, 0);
    assert_non_null(strstr(server->line, "AH00526: Syntax error on line 3"));
    assert_null(strchr(server->line, '\n'));
    run_at(server, 29);
    assert_int_equal(server->keeper.deploy.state, DEPLOY_ASKED);
    run_at(server, 30);
    assert_int_equal(server->keeper.deploy.state, DEPLOY_CHECKING);
    give_verdict(server, "+");
    assert_int_equal(reloads, 1);
}

static void
a_check_that_cannot_be_made_is_no_permission(void **state)
{
    struct server *server = *state;

    begin_check(server);
    deploy_watch_check(&server->keeper, -1);
    assert_int_equal(server->keeper.deploy.state, DEPLOY_ASKED);
    run_at(server, 30);
    give_verdict(server, "");
    assert_int_equal(server->keeper.deploy.state, DEPLOY_ASKED);
    assert_int_equal(reloads, 0);
}

static void
a_check_that_never_ends_is_given_up(void **state)
{
    struct server *server = *state;

    begin_check(server);
    run_at(server, ACME_CHECK_LIMIT_S);
    assert_int_equal(server->keeper.deploy.state, DEPLOY_CHECKING);
    run_at(server, ACME_CHECK_LIMIT_S + 30);
    assert_int_equal(server->keeper.deploy.state, DEPLOY_ASKED);
    assert_int_equal(reloads, 0);
}

static void
an_operators_reload_is_told_apart(void **state)
{
    struct server *server = *state;

    assert_true(deploy_reloaded(&server->keeper));
}

/* Whoever has mended the configuration reloads, not we. */
static void
a_reload_after_one_in_vain_is_an_operators(void **state)
{
    struct server *server = *state;

    deploy_landed(&server->keeper, true, 0);
    run_at(server, 0);
    run_at(server, 30);
    assert_int_equal(reloads, 2);
    run_at(server, 61);
    assert_true(deploy_reloaded(&server->keeper));
    assert_true(deploy_is_done(&server->keeper));
}

static void
a_reload_after_a_failed_check_is_an_operators(void **state)
{
    struct server *server = *state;

    begin_check(server);
    give_verdict(server, "-AH00526: Syntax error on line 3\n");
    run_at(server, 5);
    assert_true(deploy_reloaded(&server->keeper));
    assert_true(deploy_is_done(&server->keeper));
    /* and the next one that is asked for in vain is told */
    server->settings.check_first = false;
    deploy_landed(&server->keeper, true, 0);
    run_at(server, 20);
    assert_int_equal(reloads, 1);
    run_at(server, 50);
    assert_int_equal(reloads, 2);
    assert_int_equal(server->keeper.deploy.unanswered, 1);
}

static void
nothing_is_asked_with_acme_reload_off(void **state)
{
    struct server *server = *state;

    server->settings.reload = false;
    deploy_landed(&server->keeper, true, 0);
    run_at(server, 1000);
    assert_int_equal(reloads, 0);
    assert_true(deploy_wake_at(&server->keeper) == INT64_MAX);
}

/* A worker that was just forked still holds the pipe; it gets no signal. */
static void
a_child_of_the_master_is_not_the_master(void **state)
{
    struct server *server = *state;
    struct acme_error err;
    int status;
    pid_t child = fork();

    if (child == 0) {
        signal(SIGHUP, SIG_DFL);
        pause();
        _exit(0);
    }
    assert_true(master_reload(server->keeper.life_inode, SIGHUP, &err));
    assert_int_equal(reloads, 1);
    assert_int_equal(waitpid(child, &status, WNOHANG), 0);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
}

static void
without_a_master_nobody_is_signalled(void **state)
{
    struct server *server = *state;
    struct acme_error err;

    close(server->life_fd);
    assert_false(master_reload(server->keeper.life_inode, SIGHUP, &err));
    assert_int_equal(reloads, 0);
    server->life_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* nginx after USR2: a SIGHUP would make the old master start workers. */
static void
a_master_that_is_being_upgraded_is_not_asked(void **state)
{
    struct server *server = *state;
    char *argv[] = { "nginx: master process nginx", "1000", NULL };
    char *environment[] = { NULL };
    pid_t child;
    int status;

    assert_int_equal(posix_spawn(&child, "/bin/sleep", NULL, NULL, argv,
        environment), 0);
    deploy_landed(&server->keeper, true, 0);
    run_at(server, 0);
    run_at(server, 1000);
    assert_int_equal(reloads, 0);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    run_at(server, 1030);
    assert_int_equal(reloads, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_last_certificate_of_a_burst_reloads_at_once),
        TEST(a_slow_order_does_not_hold_back_the_others),
        TEST(the_renewal_of_the_other_half_is_waited_for),
        TEST(the_other_half_is_not_waited_for_when_it_fails_or_takes_long),
        TEST(what_ends_soon_does_not_wait_for_the_other_half),
        TEST(a_placeholder_waits_for_the_other_half_no_longer_than_the_delay),
        TEST(a_clock_that_is_set_back_holds_no_reload_back),
        TEST(reloads_keep_their_distance),
        TEST(renewals_reload_once_a_minute),
        TEST(a_certificate_of_short_life_does_not_wait_for_the_minute),
        TEST(a_certificate_of_short_life_does_not_wait_for_other_orders),
        TEST(a_certificate_of_short_life_does_not_wait_for_its_other_half),
        TEST(what_lands_late_in_a_reload_keeps_its_hurry),
        TEST(a_clock_that_is_set_back_takes_the_hurry_along),
        TEST(an_urgent_certificate_takes_the_renewals_along),
        TEST(what_lands_during_a_reload_gets_another_one),
        TEST(a_server_that_does_not_answer_is_asked_again),
        TEST(a_reload_in_vain_is_asked_for_again_unless_one_is_due),
        TEST(a_server_that_asks_for_it_is_checked_first),
        TEST(a_broken_configuration_is_never_reloaded_and_tried_again),
        TEST(a_check_that_cannot_be_made_is_no_permission),
        TEST(a_check_that_never_ends_is_given_up),
        TEST(an_operators_reload_is_told_apart),
        TEST(a_reload_after_one_in_vain_is_an_operators),
        TEST(a_reload_after_a_failed_check_is_an_operators),
        TEST(nothing_is_asked_with_acme_reload_off),
        TEST(a_child_of_the_master_is_not_the_master),
        TEST(without_a_master_nobody_is_signalled),
        TEST(a_master_that_is_being_upgraded_is_not_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
