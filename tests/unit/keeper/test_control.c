/* Who gets the shared page from the control socket, and how. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "keeper/control.h"
#include "page/page.h"

struct scene {
    char path[160];
    struct keeper keeper;
};

static struct acme_settings no_settings;

/* A state path so long that the socket's own path does not fit an address. */
static int
setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    struct acme_error err;
    size_t len;

    strcpy(scene->path, "/tmp/acme-test-XXXXXX");
    assert_non_null(mkdtemp(scene->path));
    len = strlen(scene->path);
    scene->path[len] = '/';
    memset(scene->path + len + 1, 'x', 110);
    assert_int_equal(mkdir(scene->path, 0700), 0);
    assert_true(acme_page_make(&scene->keeper.page_fd, &err));
    scene->keeper.control_fd = control_open(scene->path, &err);
    assert_true(scene->keeper.control_fd >= 0);
    scene->keeper.settings = &no_settings;
    control_init(&scene->keeper);
    *state = scene;
    return 0;
}

static int
teardown(void **state)
{
    struct scene *scene = *state;
    char command[256];

    control_close(&scene->keeper);
    close(scene->keeper.page_fd);
    *strrchr(scene->path, '/') = '\0';
    snprintf(command, sizeof(command), "rm -rf '%s'", scene->path);
    assert_int_equal(system(command), 0);
    free(scene);
    return 0;
}

static int
call(const struct scene *scene)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(chdir(scene->path), 0);
    strcpy(address.sun_path, "control.sock");
    assert_int_equal(connect(fd, (struct sockaddr *) &address,
        sizeof(address)), 0);
    assert_int_equal(chdir("/"), 0);
    return fd;
}

static void
a_caller_of_our_own_user_gets_the_page(void **state)
{
    struct scene *scene = *state;
    char control[CMSG_SPACE(sizeof(int))], text[32];
    struct iovec iov = { text, sizeof(text) };
    struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1,
        .msg_control = control, .msg_controllen = sizeof(control) };
    struct acme_page *page;
    struct acme_error err;
    int fd = call(scene);
    int page_fd;

    control_serve(&scene->keeper);
    assert_int_equal(recvmsg(fd, &header, 0), 12);
    assert_memory_equal(text, "acme-page 1\n", 12);
    assert_non_null(CMSG_FIRSTHDR(&header));
    memcpy(&page_fd, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(int));
    page = acme_page_map(page_fd, &err);
    assert_non_null(page);
    acme_page_unmap(page);
    close(page_fd);
    close(fd);
}

static void
a_caller_that_is_gone_does_no_harm(void **state)
{
    struct scene *scene = *state;

    close(call(scene));
    control_serve(&scene->keeper);
}

/* What the keeper answers to these words, greeting excepted. */
static const char *
ask(struct scene *scene, const char *words)
{
    static char answer[2000];
    char greeting[32];
    int fd = call(scene);
    ssize_t len;

    control_serve(&scene->keeper);
    assert_int_equal(recv(fd, greeting, sizeof(greeting), 0), 12);
    for (size_t i = 0; words[i] != '\0'; i++) {
        assert_int_equal(send(fd, words + i, 1, MSG_NOSIGNAL), 1);
        control_take(&scene->keeper, &scene->keeper.clients[0]);
    }
    len = recv(fd, answer, sizeof(answer) - 1, MSG_DONTWAIT);
    assert_true(len >= 0);
    answer[len] = '\0';
    close(fd);
    return answer;
}

static void
a_command_that_cannot_be_done_is_answered_in_words(void **state)
{
    static const struct { const char *words, *answer; } rows[] = {
        { "\n", "error: commands are: rollover CA; revoke FOLDER [REASON]\n" },
        { "reboot now\n",
            "error: commands are: rollover CA; revoke FOLDER [REASON]\n" },
        { "rollover\n", "error: the form is: rollover CA\n" },
        { "rollover \"x\n", "error: no server has acme_ca \"\\x22x\"\n" },
        { "revoke\n", "error: the form is: revoke FOLDER [REASON]\n" },
        { "revoke ../x\n",
            "error: no server has a certificate \"../x\"\n" },
        { "revoke x 2\n", "error: reasons are 0 unspecified, 1 "
            "keyCompromise, 3 affiliationChanged, 4 superseded, 5 "
            "cessationOfOperation\n" },
    };
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        assert_string_equal(ask(scene, rows[i].words), rows[i].answer);
        assert_int_equal(scene->keeper.clients[0].fd, -1);
    }
}

static void
a_line_without_end_is_cut_off(void **state)
{
    struct scene *scene = *state;
    char words[600];

    memset(words, 'x', sizeof(words));
    words[511] = '\0';
    assert_string_equal(ask(scene, words), "");
    assert_int_equal(scene->keeper.clients[0].fd, -1);
}

static void
too_many_callers_cost_the_first_one_its_place(void **state)
{
    struct scene *scene = *state;
    int fds[CONTROL_CLIENTS + 1];
    char text[32];

    for (int i = 0; i <= CONTROL_CLIENTS; i++) {
        fds[i] = call(scene);
        control_serve(&scene->keeper);
        assert_int_equal(recv(fds[i], text, sizeof(text), 0), 12);
    }
    assert_int_equal(recv(fds[0], text, sizeof(text), MSG_DONTWAIT), 0);
    assert_int_equal(recv(fds[1], text, sizeof(text), MSG_DONTWAIT), -1);
    for (int i = 0; i <= CONTROL_CLIENTS; i++) {
        close(fds[i]);
    }
    for (int i = 0; i < CONTROL_CLIENTS; i++) {
        control_take(&scene->keeper, &scene->keeper.clients[i]);
        assert_int_equal(scene->keeper.clients[i].fd, -1);
    }
}

static void
the_socket_is_for_its_owner_only(void **state)
{
    struct scene *scene = *state;
    char path[200];
    struct stat info;

    snprintf(path, sizeof(path), "%s/control.sock", scene->path);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void
a_socket_left_behind_is_replaced(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;
    int fd = control_open(scene->path, &err);

    assert_true(fd >= 0);
    close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_caller_of_our_own_user_gets_the_page),
        TEST(a_command_that_cannot_be_done_is_answered_in_words),
        TEST(a_line_without_end_is_cut_off),
        TEST(too_many_callers_cost_the_first_one_its_place),
        TEST(a_caller_that_is_gone_does_no_harm),
        TEST(the_socket_is_for_its_owner_only),
        TEST(a_socket_left_behind_is_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
