/* Asking whoever listens on control.sock, which may be anybody. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "serve/neighbour.h"

#define GREETING "acme-page 1\n"

enum { NOBODY = 65534 };

struct scene {
    char path[64];
    int listen_fd;
    int file_fd;               /* what the keeper gives away */
};

static int
listen_at(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/control.sock",
        path);
    return fd >= 0 && bind(fd, (struct sockaddr *) &address, sizeof(address))
        == 0 && listen(fd, 5) == 0 ? fd : -1;
}

static int
setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));

    strcpy(scene->path, "/tmp/acme-test-XXXXXX");
    assert_non_null(mkdtemp(scene->path));
    scene->listen_fd = listen_at(scene->path);
    assert_true(scene->listen_fd >= 0);
    scene->file_fd = memfd_create("given", MFD_CLOEXEC);
    assert_int_equal(write(scene->file_fd, "page", 4), 4);
    *state = scene;
    return 0;
}

static int
teardown(void **state)
{
    struct scene *scene = *state;
    char command[128];

    if (scene->listen_fd >= 0) {
        close(scene->listen_fd);
    }
    close(scene->file_fd);
    snprintf(command, sizeof(command), "rm -rf '%s'", scene->path);
    assert_int_equal(system(command), 0);
    free(scene);
    return 0;
}

/* Say text with so many copies of the descriptor. */
static void
say(int fd, const char *text, int given, int copies)
{
    char control[CMSG_SPACE(8 * sizeof(int))] = { 0 };
    struct iovec iov = { (void *) text, strlen(text) };
    struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (copies > 0) {
        struct cmsghdr *item;

        header.msg_control = control;
        header.msg_controllen = CMSG_SPACE((size_t) copies * sizeof(int));
        item = CMSG_FIRSTHDR(&header);
        item->cmsg_level = SOL_SOCKET;
        item->cmsg_type = SCM_RIGHTS;
        item->cmsg_len = CMSG_LEN((size_t) copies * sizeof(int));
        for (int i = 0; i < copies; i++) {
            memcpy(CMSG_DATA(item) + i * (int) sizeof(int), &given,
                sizeof(int));
        }
    }
    sendmsg(fd, &header, MSG_NOSIGNAL);
}

/* A keeper that accepts one caller, says this, and waits for the end. */
static pid_t
start_keeper(const struct scene *scene, const char *text, int copies)
{
    pid_t pid = fork();

    if (pid == 0) {
        int fd = accept(scene->listen_fd, NULL, NULL);
        char byte;

        say(fd, text, scene->file_fd, copies);
        (void) !read(fd, &byte, 1);
        _exit(0);
    }
    return pid;
}

static int
ask(const struct scene *scene, const char *text, int copies)
{
    pid_t pid = start_keeper(scene, text, copies);
    int fd = acme_neighbour_page(scene->path);

    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return fd;
}

static int
count_descriptors(void)
{
    int count = 0;

    for (int fd = 0; fd < 256; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

static void
a_keeper_gives_its_page(void **state)
{
    struct scene *scene = *state;
    int fd = ask(scene, GREETING, 1);
    char text[5] = "";

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, text, 4, 0), 4);
    assert_string_equal(text, "page");
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    close(fd);
}

static const struct {
    const char *what;
    const char *text;
    int copies;
} rows[] = {
    { "no descriptor", GREETING, 0 },
    { "two descriptors", GREETING, 2 },
    { "eight descriptors", GREETING, 8 },
    { "another version", "acme-page 2\n", 1 },
    { "half a greeting", "acme-page", 1 },
    { "more than a greeting", GREETING "x", 1 },
    { "far more", GREETING GREETING GREETING GREETING, 1 },
};

static void
other_answers_give_nothing_and_leave_nothing_open(void **state)
{
    struct scene *scene = *state;
    int before = count_descriptors();

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (ask(scene, rows[i].text, rows[i].copies) >= 0) {
            fail_msg("%s was taken", rows[i].what);
        }
        if (count_descriptors() != before) {
            fail_msg("%s left %d descriptors open", rows[i].what,
                count_descriptors() - before);
        }
    }
}

static void
nobody_there_is_no_page(void **state)
{
    struct scene *scene = *state;

    close(scene->listen_fd);
    scene->listen_fd = -1;
    /* the socket file of a dead keeper, then none, then no folder */
    assert_int_equal(acme_neighbour_page(scene->path), -1);
    assert_int_equal(acme_neighbour_page("/proc/self"), -1);
    assert_int_equal(acme_neighbour_page("/nowhere"), -1);
    assert_int_equal(acme_neighbour_page("/dev/null"), -1);
    assert_int_equal(acme_neighbour_page(""), -1);
}

/* Nobody accepts: the answer is no, after a second and not never. */
static void
a_silent_keeper_is_given_up(void **state)
{
    const struct scene *scene = *state;

    alarm(60);
    assert_int_equal(acme_neighbour_page(scene->path), -1);
    alarm(0);
}

static void
a_long_state_path_is_reached(void **state)
{
    struct scene *scene = *state;
    char path[300], moved[400];
    struct stat info;
    pid_t pid;
    int fd;

    snprintf(path, sizeof(path), "%s/%0200d", scene->path, 7);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(moved, sizeof(moved), "%s/control.sock", path);
    snprintf(path, sizeof(path), "%s/control.sock", scene->path);
    assert_int_equal(rename(path, moved), 0);
    *strrchr(moved, '/') = '\0';
    pid = start_keeper(scene, GREETING, 1);
    fd = acme_neighbour_page(moved);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &info), 0);
    assert_int_equal(info.st_size, 4);
    close(fd);
}

static void
be_a_keeper_of_nobody(const struct scene *scene, int ready_fd)
{
    int fd, caller;

    if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0) {
        _exit(1);
    }
    fd = listen_at(scene->path);
    (void) !write(ready_fd, fd >= 0 ? "y" : "n", 1);
    caller = accept(fd, NULL, NULL);
    say(caller, GREETING, scene->file_fd, 1);
    (void) !read(caller, &(char) { 0 }, 1);
    _exit(0);
}

static void
a_keeper_of_another_user_is_not_believed(void **state)
{
    struct scene *scene = *state;
    char path[128], ready;
    int pair[2];
    pid_t pid;

    if (geteuid() != 0) {
        skip();
    }
    snprintf(path, sizeof(path), "%s/control.sock", scene->path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(chmod(scene->path, 0777), 0);
    assert_int_equal(pipe(pair), 0);
    pid = fork();
    if (pid == 0) {
        be_a_keeper_of_nobody(scene, pair[1]);
    }
    assert_int_equal(read(pair[0], &ready, 1), 1);
    assert_int_equal(ready, 'y');
    assert_int_equal(acme_neighbour_page(scene->path), -1);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(pair[0]);
    close(pair[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_keeper_gives_its_page),
        TEST(other_answers_give_nothing_and_leave_nothing_open),
        TEST(nobody_there_is_no_page),
        TEST(a_silent_keeper_is_given_up),
        TEST(a_long_state_path_is_reached),
        TEST(a_keeper_of_another_user_is_not_believed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
