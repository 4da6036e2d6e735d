/* Which programs may run, and as whom. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "settings/program.h"

enum { DAEMON = 1 };

/* dir/told.sh, root's, and dir/theirs/told.sh, whose folder is not. */
struct place {
    char dir[64];
    char path[256];
};

static const char *
in(struct place *place, const char *name)
{
    snprintf(place->path, sizeof(place->path), "%s/%s", place->dir, name);
    return place->path;
}

static void
write_file(struct place *place, const char *name, mode_t mode)
{
    int fd = open(in(place, name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "#!/bin/sh\n", 10), 10);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static int
setup(void **state)
{
    struct place *place = calloc(1, sizeof(*place));

    strcpy(place->dir, "/tmp/acme-test-XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    assert_int_equal(mkdir(in(place, "theirs"), 0755), 0);
    write_file(place, "told.sh", 0755);
    write_file(place, "theirs/told.sh", 0755);
    if (geteuid() == 0) {
        assert_int_equal(chown(in(place, "theirs"), DAEMON, DAEMON), 0);
    }
    *state = place;
    return 0;
}

static int
teardown(void **state)
{
    struct place *place = *state;
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", place->dir);
    assert_int_equal(system(command), 0);
    free(place);
    return 0;
}

static void
good(struct place *place, const char *name, const char *user)
{
    struct acme_error err;

    if (!acme_program_check(in(place, name), user, &err)) {
        fail_msg("%s: %s", name, err.text);
    }
}

static void
bad(struct place *place, const char *name, const char *user,
    const char *words)
{
    struct acme_error err;

    if (acme_program_check(in(place, name), user, &err)) {
        fail_msg("%s is accepted", name);
    }
    if (strstr(err.text, words) == NULL) {
        fail_msg("%s: %s", name, err.text);
    }
}

static void
a_program_is_an_executable_file(void **state)
{
    struct place *place = *state;

    good(place, "told.sh", "nobody");
    bad(place, "missing", "nobody", "No such file");
    bad(place, "theirs", "nobody", "is not an executable file");
    write_file(place, "plain", 0644);
    bad(place, "plain", "nobody", "is not an executable file");
}

static void
its_user_must_be_there(void **state)
{
    if (geteuid() != 0) {
        good(*state, "told.sh", "no-such-user");
        skip();
    }
    bad(*state, "told.sh", "no-such-user", "no user \"no-such-user\"");
}

static void
what_root_runs_is_what_nobody_else_can_change(void **state)
{
    struct place *place = *state;

    if (geteuid() != 0) {
        skip();
    }
    good(place, "told.sh", "root");
    good(place, "theirs/told.sh", "daemon");
    bad(place, "theirs/told.sh", "root", "theirs must belong to root");
    write_file(place, "group", 0775);
    bad(place, "group", "root", "must not be writable by others (mode 775)");
    write_file(place, "foreign", 0755);
    assert_int_equal(chown(in(place, "foreign"), DAEMON, 0), 0);
    bad(place, "foreign", "root", "foreign must belong to root, and belongs "
        "to uid 1");
    /* /tmp has the sticky bit; this has not */
    assert_int_equal(mkdir(in(place, "open"), 0755), 0);
    write_file(place, "open/told.sh", 0755);
    good(place, "open/told.sh", "root");
    assert_int_equal(chmod(in(place, "open"), 0777), 0);
    bad(place, "open/told.sh", "root", "open must not be writable by others");
    assert_int_equal(chmod(in(place, "open"), 01777), 0);
    good(place, "open/told.sh", "root");
}

static void
make_link(struct place *place, const char *name, const char *target)
{
    assert_int_equal(symlink(target, in(place, name)), 0);
}

static void
links_are_followed_by_hand(void **state)
{
    struct place *place = *state;
    char absolute[128];

    make_link(place, "near", "told.sh");
    make_link(place, "far", "theirs/../near");
    make_link(place, "folder", "./theirs");
    make_link(place, "loop", "loop");
    snprintf(absolute, sizeof(absolute), "%s//near", place->dir);
    make_link(place, "absolute", absolute);
    bad(place, "loop", "root", "symbolic links");
    if (geteuid() != 0) {
        skip();
    }
    good(place, "near", "root");
    good(place, "absolute", "root");
    /* its folder's owner can make theirs/.. lead elsewhere */
    bad(place, "far", "root", "theirs must belong to root");
    bad(place, "folder/told.sh", "root", "theirs must belong to root");
    make_link(place, "given", "told.sh");
    assert_int_equal(lchown(in(place, "given"), DAEMON, DAEMON), 0);
    bad(place, "given", "root", "given must belong to root");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_program_is_an_executable_file),
        TEST(its_user_must_be_there),
        TEST(what_root_runs_is_what_nobody_else_can_change),
        TEST(links_are_followed_by_hand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
