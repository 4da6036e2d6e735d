/* The only writer of files: modes, and what a failure leaves behind. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "scratch.h"
#include "store/durable.h"

static bool
save(const struct scratch *scratch, const char *name, const char *text,
    unsigned mode, struct acme_error *err)
{
    return acme_durable_write(scratch->fd, name, acme_bytes_of(text), mode,
        err);
}

/* How many entries the folder has, hidden ones too. */
static int
count_entries(const struct scratch *scratch)
{
    DIR *dir = opendir(scratch->path);
    struct dirent *entry;
    int count = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        count += strcmp(entry->d_name, ".") != 0
            && strcmp(entry->d_name, "..") != 0;
    }
    closedir(dir);
    return count;
}

/* ---- modes */

static void
modes_do_not_depend_on_the_umask(void **state)
{
    static const mode_t umasks[] = { 0, 022, 077, 0777 };
    struct scratch *scratch = *state;
    struct acme_error err;
    char name[32];

    for (size_t i = 0; i < sizeof(umasks) / sizeof(umasks[0]); i++) {
        mode_t before = umask(umasks[i]);
        bool ok;

        snprintf(name, sizeof(name), "file-%zu", i);
        ok = save(scratch, name, "x", 0600, &err)
            && save(scratch, "again", "x", 0640, &err);
        assert_true(ok);
        assert_int_equal(mode_of(scratch, name), S_IFREG | 0600);
        assert_int_equal(mode_of(scratch, "again"), S_IFREG | 0640);
        snprintf(name, sizeof(name), "folder-%zu", i);
        ok = acme_durable_mkdir(scratch->fd, name, 0700, &err);
        umask(before);
        assert_true(ok);
        assert_int_equal(mode_of(scratch, name), S_IFDIR | 0700);
    }
}

static void
a_folder_that_is_there_is_left_as_it_is(void **state)
{
    struct scratch *scratch = *state;
    struct acme_error err;

    assert_int_equal(mkdirat(scratch->fd, "d", 0750), 0);
    assert_true(acme_durable_mkdir(scratch->fd, "d", 0700, &err));
    assert_int_equal(mode_of(scratch, "d") & 0777, 0750);
    assert_false(acme_durable_mkdir(scratch->fd, "no/d", 0700, &err));
    assert_int_equal(err.sys, ENOENT);
}

/* ---- writing */

static void
a_file_is_replaced_whole(void **state)
{
    struct scratch *scratch = *state;
    struct acme_error err;

    assert_true(save(scratch, "f", "a longer old content", 0600, &err));
    assert_true(save(scratch, "f", "new", 0600, &err));
    assert_string_equal(content_of(scratch, "f"), "new");
    assert_true(save(scratch, "f", "", 0600, &err));
    assert_string_equal(content_of(scratch, "f"), "");
    assert_int_equal(count_entries(scratch), 1);
}

static void
a_link_is_replaced_and_not_followed(void **state)
{
    struct scratch *scratch = *state;
    struct acme_error err;

    scribble(scratch, "target", "precious");
    assert_int_equal(symlinkat("target", scratch->fd, "f"), 0);
    assert_true(save(scratch, "f", "new", 0600, &err));
    assert_string_equal(content_of(scratch, "target"), "precious");
    assert_true(S_ISREG(mode_of(scratch, "f")));
}

/* A disk without room, as a limit on the size of files. */
static void
a_disk_that_is_full_leaves_the_old_content(void **state)
{
    static char large[64 * 1024];
    struct scratch *scratch = *state;
    struct rlimit before, small;
    struct acme_error err = { 0 };
    bool ok;

    assert_true(save(scratch, "f", "old", 0600, &err));
    memset(large, 'x', sizeof(large) - 1);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 1000;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    ok = save(scratch, "f", large, 0600, &err);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_DFL);
    assert_false(ok);
    assert_int_equal(err.verdict, ACME_LOCAL);
    assert_int_equal(err.sys, EFBIG);
    assert_non_null(strstr(err.text, "writing f"));
    assert_string_equal(content_of(scratch, "f"), "old");
    assert_int_equal(count_entries(scratch), 1);
}

static void
what_cannot_be_replaced_stays(void **state)
{
    struct scratch *scratch = *state;
    struct acme_error err;

    assert_int_equal(mkdirat(scratch->fd, "d", 0700), 0);
    scribble(scratch, "d/f", "x");
    assert_false(save(scratch, "d", "new", 0600, &err));
    assert_int_equal(err.sys, EISDIR);
    assert_false(acme_durable_link(scratch->fd, "d", "target", &err));
    assert_string_equal(content_of(scratch, "d/f"), "x");
    assert_int_equal(count_entries(scratch), 1);
}

/* ---- links, renaming, removing */

static void
a_link_is_flipped(void **state)
{
    struct scratch *scratch = *state;
    struct acme_error err;
    char target[32] = "";

    assert_true(acme_durable_link(scratch->fd, "l", "one", &err));
    assert_true(acme_durable_link(scratch->fd, "l", "two", &err));
    assert_int_equal(readlinkat(scratch->fd, "l", target, 31), 3);
    assert_string_equal(target, "two");
    assert_int_equal(count_entries(scratch), 1);
}

static void
renaming_onto_a_full_folder_fails(void **state)
{
    struct scratch *scratch = *state;
    struct acme_error err;

    assert_int_equal(mkdirat(scratch->fd, "a", 0700), 0);
    assert_int_equal(mkdirat(scratch->fd, "b", 0700), 0);
    scribble(scratch, "b/f", "x");
    assert_false(acme_durable_rename(scratch->fd, "a", scratch->fd, "b",
        &err));
    assert_true(acme_durable_rename(scratch->fd, "a", scratch->fd, "c",
        &err));
    assert_false(is_there(scratch, "a"));
    assert_true(is_there(scratch, "c"));
}

static void
removing_takes_files_links_and_flat_folders(void **state)
{
    struct scratch *scratch = *state;
    struct acme_error err;

    scribble(scratch, "f", "x");
    assert_int_equal(mkdirat(scratch->fd, "d", 0700), 0);
    scribble(scratch, "d/f", "x");
    assert_int_equal(symlinkat("d", scratch->fd, "l"), 0);
    assert_true(acme_durable_remove(scratch->fd, "l", &err));
    assert_true(is_there(scratch, "d/f"));
    assert_true(acme_durable_remove(scratch->fd, "f", &err));
    assert_true(acme_durable_remove(scratch->fd, "d", &err));
    assert_true(acme_durable_remove(scratch->fd, "not there", &err));
    assert_int_equal(count_entries(scratch), 0);
}

static void
removing_goes_no_deeper(void **state)
{
    struct scratch *scratch = *state;
    struct acme_error err;

    assert_int_equal(mkdirat(scratch->fd, "d", 0700), 0);
    assert_int_equal(mkdirat(scratch->fd, "d/d", 0700), 0);
    scribble(scratch, "d/d/f", "x");
    assert_false(acme_durable_remove(scratch->fd, "d", &err));
    assert_string_equal(content_of(scratch, "d/d/f"), "x");
}

/* ---- reading */

static bool
load(const struct scratch *scratch, const char *name, size_t limit,
    struct acme_error *err)
{
    struct acme_buffer out = ACME_BUFFER(limit);
    bool ok = acme_durable_read(scratch->fd, name, &out, err);

    acme_buffer_free(&out);
    return ok;
}

static void
only_plain_files_are_read(void **state)
{
    struct scratch *scratch = *state;
    struct acme_error err;

    scribble(scratch, "f", "content");
    assert_int_equal(symlinkat("f", scratch->fd, "link"), 0);
    assert_int_equal(mkfifoat(scratch->fd, "fifo", 0600), 0);
    assert_int_equal(mkdirat(scratch->fd, "d", 0700), 0);
    assert_true(load(scratch, "f", 100, &err));
    assert_false(load(scratch, "link", 100, &err));
    assert_int_equal(err.sys, ELOOP);
    assert_false(load(scratch, "fifo", 100, &err));
    assert_non_null(strstr(err.text, "not a plain file"));
    assert_false(load(scratch, "d", 100, &err));
    assert_false(load(scratch, "missing", 100, &err));
    assert_int_equal(err.sys, ENOENT);
    assert_false(load(scratch, "f/f", 100, &err));
    assert_int_equal(err.sys, ENOTDIR);
}

static void
a_file_that_is_too_large_is_refused(void **state)
{
    struct scratch *scratch = *state;
    struct acme_error err;
    int fd;

    scribble(scratch, "f", "0123456789");
    assert_true(load(scratch, "f", 10, &err));
    assert_false(load(scratch, "f", 9, &err));
    assert_int_equal(err.sys, EFBIG);
    fd = openat(scratch->fd, "sparse", O_RDWR | O_CREAT, 0600);
    assert_int_equal(ftruncate(fd, 1L << 40), 0);
    close(fd);
    assert_false(load(scratch, "sparse", 256 * 1024, &err));
    assert_int_equal(err.sys, EFBIG);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, scratch_make, scratch_remove)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(modes_do_not_depend_on_the_umask),
        TEST(a_folder_that_is_there_is_left_as_it_is),
        TEST(a_file_is_replaced_whole),
        TEST(a_link_is_replaced_and_not_followed),
        TEST(a_disk_that_is_full_leaves_the_old_content),
        TEST(what_cannot_be_replaced_stays),
        TEST(a_link_is_flipped),
        TEST(renaming_onto_a_full_folder_fails),
        TEST(removing_takes_files_links_and_flat_folders),
        TEST(removing_goes_no_deeper),
        TEST(only_plain_files_are_read),
        TEST(a_file_that_is_too_large_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
