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
    int page_fd;
    int control_fd;
};

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
    assert_true(acme_page_make(&scene->page_fd, &err));
    scene->control_fd = control_open(scene->path, &err);
    assert_true(scene->control_fd >= 0);
    *state = scene;
    return 0;
}

static int
teardown(void **state)
{
    struct scene *scene = *state;
    char command[256];

    close(scene->control_fd);
    close(scene->page_fd);
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

    control_serve(scene->control_fd, scene->page_fd);
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
    control_serve(scene->control_fd, scene->page_fd);
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
        TEST(a_caller_that_is_gone_does_no_harm),
        TEST(the_socket_is_for_its_owner_only),
        TEST(a_socket_left_behind_is_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
