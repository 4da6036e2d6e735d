/* Generations: whole or not there, one flip, and none pruned too early. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include "scratch.h"
#include "store/store.h"

#define NOW INT64_C(1700000000)

enum { HOUR = 3600 };

struct scene {
    struct scratch *scratch;
    struct acme_store *store;
};

static int
setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    struct acme_error err;
    void *scratch;

    scratch_make(&scratch);
    scene->scratch = scratch;
    scene->store = acme_store_open(scene->scratch->path, &err);
    assert_non_null(scene->store);
    *state = scene;
    return 0;
}

static int
teardown(void **state)
{
    struct scene *scene = *state;
    void *scratch = scene->scratch;

    acme_store_close(scene->store);
    scratch_remove(&scratch);
    free(scene);
    return 0;
}

/* Install "chain-<n>" and "key-<n>"; the number, or 0. */
static unsigned
install(struct scene *scene, int64_t now, struct acme_error *err)
{
    static unsigned n;
    char chain[32], key[32];
    unsigned number;

    snprintf(chain, sizeof(chain), "chain-%u", ++n);
    snprintf(key, sizeof(key), "key-%u", n);
    return acme_store_install(scene->store, "a.test",
        acme_bytes_of("the entry"), &(struct acme_pair) {
            acme_bytes_of(chain), acme_bytes_of(key), acme_bytes_of("{}") },
        1, now, &number, err) ? number : 0;
}

/* Let a generation have been made then. */
static void
date(struct scene *scene, unsigned number, int64_t at)
{
    struct timespec times[2] = { { .tv_sec = at }, { .tv_sec = at } };
    char name[64];

    snprintf(name, sizeof(name), "certs/a.test/%u", number);
    assert_int_equal(utimensat(scene->scratch->fd, name, times, 0), 0);
}

static bool
has_generation(const struct scene *scene, unsigned number)
{
    char name[64];

    snprintf(name, sizeof(name), "certs/a.test/%u", number);
    return is_there(scene->scratch, name);
}

static const char *
live_target(const struct scene *scene)
{
    static char target[300];
    ssize_t len = readlinkat(scene->scratch->fd, "live/a.test", target,
        sizeof(target) - 1);

    target[len > 0 ? len : 0] = '\0';
    return target;
}

/* What a server would read of the first or second pair; false with err. */
static bool
read_pair(const struct scene *scene, size_t index, char *path, char pair[64],
    struct acme_error *err)
{
    struct acme_buffer chain = ACME_BUFFER(1000), key = ACME_BUFFER(1000);
    unsigned number;
    int fd = acme_store_live_open(scene->scratch->path, "a.test", &number,
        path, 300, err);
    bool ok = fd >= 0 && acme_store_pair_read(fd, index, &chain, &key, err);

    if (fd >= 0) {
        close(fd);
    }
    snprintf(pair, 64, "%s %s", acme_buffer_text(&chain),
        acme_buffer_text(&key));
    acme_buffer_free(&chain);
    acme_buffer_free(&key);
    return ok;
}

static bool
read_live(const struct scene *scene, char *path, char pair[64],
    struct acme_error *err)
{
    return read_pair(scene, 0, path, pair, err);
}

/* ---- installing */

static void
a_generation_is_installed_and_read_by_its_own_path(void **state)
{
    struct scene *scene = *state;
    char path[300], expected[300], pair[64];
    struct acme_error err;
    mode_t before = umask(0);

    assert_int_equal(install(scene, NOW, &err), 1);
    umask(before);
    assert_string_equal(live_target(scene), "../certs/a.test/1");
    assert_true(read_live(scene, path, pair, &err));
    snprintf(expected, sizeof(expected), "%s/certs/a.test/1",
        scene->scratch->path);
    assert_string_equal(path, expected);
    assert_int_equal(strncmp(pair, "chain-", 6), 0);
    assert_string_equal(content_of(scene->scratch, "certs/a.test/entry"),
        "the entry");
    assert_int_equal(mode_of(scene->scratch, "certs/a.test/1"),
        S_IFDIR | 0700);
    assert_int_equal(mode_of(scene->scratch, "certs/a.test/1/privkey.pem"),
        S_IFREG | 0600);
    assert_int_equal(mode_of(scene->scratch, "certs/a.test/1/fullchain.pem"),
        S_IFREG | 0600);
    assert_true(is_there(scene->scratch, "certs/a.test/1/meta.json"));
    assert_false(is_there(scene->scratch, "certs/a.test/.new"));
}

static void
the_next_number_follows_the_highest(void **state)
{
    static const char *const folders[] = { "certs/a.test", "certs/a.test/7",
        "certs/a.test/07", "certs/a.test/8x", "certs/a.test/-9",
        "certs/a.test/9999999999" };
    struct scene *scene = *state;
    struct acme_error err;

    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        assert_int_equal(mkdirat(scene->scratch->fd, folders[i], 0700), 0);
    }
    assert_int_equal(install(scene, NOW, &err), 8);
    assert_int_equal(install(scene, NOW, &err), 9);
    assert_string_equal(live_target(scene), "../certs/a.test/9");
}

static void
a_half_written_generation_is_replaced(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    assert_int_equal(mkdirat(scene->scratch->fd, "certs/a.test", 0700), 0);
    assert_int_equal(mkdirat(scene->scratch->fd, "certs/a.test/.new", 0755),
        0);
    scribble(scene->scratch, "certs/a.test/.new/privkey.pem", "half");
    scribble(scene->scratch, "certs/a.test/.new/stray", "half");
    assert_int_equal(install(scene, NOW, &err), 1);
    assert_false(is_there(scene->scratch, "certs/a.test/1/stray"));
    assert_int_equal(mode_of(scene->scratch, "certs/a.test/1"),
        S_IFDIR | 0700);
}

static void
a_full_disk_leaves_live_as_it_was(void **state)
{
    static char large[64 * 1024];
    struct scene *scene = *state;
    struct acme_error err;
    struct rlimit before, small;
    unsigned number;
    bool ok;

    memset(large, 'x', sizeof(large) - 1);
    assert_int_equal(install(scene, NOW, &err), 1);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 1000;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    ok = acme_store_install(scene->store, "a.test", acme_bytes_of("e"),
        &(struct acme_pair) { acme_bytes_of("chain"), acme_bytes_of(large),
            acme_bytes_of("{}") }, 1, NOW, &number, &err);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_DFL);
    assert_false(ok);
    assert_int_equal(err.sys, EFBIG);
    assert_non_null(strstr(err.text, "certs/a.test: writing privkey.pem"));
    assert_string_equal(live_target(scene), "../certs/a.test/1");
    assert_false(has_generation(scene, 2));
    assert_false(is_there(scene->scratch, "certs/a.test/.new"));
}

/* ---- two pairs */

static bool
install_two(struct scene *scene, const char *second_key, int64_t now,
    struct acme_error *err)
{
    const struct acme_pair pairs[] = {
        { acme_bytes_of("c1"), acme_bytes_of("k1"), acme_bytes_of("m1") },
        { acme_bytes_of("c2"), acme_bytes_of(second_key),
            acme_bytes_of("m2") },
    };
    unsigned number;

    return acme_store_install(scene->store, "a.test", acme_bytes_of("e"),
        pairs, 2, now, &number, err);
}

static void
a_second_pair_has_its_own_files_in_the_same_generation(void **state)
{
    struct scene *scene = *state;
    struct acme_buffer meta = ACME_BUFFER(100);
    char path[300], pair[64];
    struct acme_error err;
    unsigned number;
    int fd;

    assert_true(install_two(scene, "k2", NOW, &err));
    assert_string_equal(live_target(scene), "../certs/a.test/1");
    assert_true(read_pair(scene, 0, path, pair, &err));
    assert_string_equal(pair, "c1 k1");
    assert_true(read_pair(scene, 1, path, pair, &err));
    assert_string_equal(pair, "c2 k2");
    assert_int_equal(mode_of(scene->scratch,
        "certs/a.test/1/privkey.rsa.pem"), S_IFREG | 0600);
    fd = acme_store_live_open(scene->scratch->path, "a.test", &number, path,
        sizeof(path), &err);
    assert_int_equal(number, 1);
    assert_true(acme_store_meta_read(fd, 1, &meta, &err));
    assert_string_equal(acme_buffer_text(&meta), "m2");
    close(fd);
    acme_buffer_free(&meta);
}

static void
a_generation_without_a_second_pair_has_none(void **state)
{
    struct scene *scene = *state;
    char path[300], pair[64];
    struct acme_error err;

    assert_true(install_two(scene, "k2", NOW, &err));
    assert_int_equal(install(scene, NOW, &err), 2);
    assert_false(read_pair(scene, 1, path, pair, &err));
    assert_int_equal(err.sys, ENOENT);
}

static void
a_half_of_a_second_pair_is_damage(void **state)
{
    static const char *const parts[] = { "certs/a.test/1/privkey.rsa.pem",
        "certs/a.test/1/fullchain.rsa.pem" };
    struct scene *scene = *state;
    char path[300], pair[64];
    struct acme_error err;

    assert_true(install_two(scene, "k2", NOW, &err));
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(unlinkat(scene->scratch->fd, parts[i], 0), 0);
        assert_false(read_pair(scene, 1, path, pair, &err));
        assert_int_not_equal(err.sys, ENOENT);
        assert_true(read_pair(scene, 0, path, pair, &err));
        scribble(scene->scratch, parts[i], "again");
        assert_true(read_pair(scene, 1, path, pair, &err));
    }
}

static void
a_generation_that_cannot_go_live_is_removed(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    assert_int_equal(mkdirat(scene->scratch->fd, "live/a.test", 0700), 0);
    assert_int_equal(install(scene, NOW, &err), 0);
    assert_non_null(strstr(err.text, "linking a.test"));
    assert_false(has_generation(scene, 1));
    assert_int_equal(unlinkat(scene->scratch->fd, "live/a.test",
        AT_REMOVEDIR), 0);
    assert_int_equal(install(scene, NOW, &err), 1);
}

static void
a_full_disk_at_the_second_pair_leaves_live_as_it_was(void **state)
{
    static char large[64 * 1024];
    struct scene *scene = *state;
    struct rlimit before, small;
    struct acme_error err;
    bool ok;

    memset(large, 'x', sizeof(large) - 1);
    assert_int_equal(install(scene, NOW, &err), 1);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 1000;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    ok = install_two(scene, large, NOW, &err);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_DFL);
    assert_false(ok);
    assert_non_null(strstr(err.text, "writing privkey.rsa.pem"));
    assert_string_equal(live_target(scene), "../certs/a.test/1");
    assert_false(has_generation(scene, 2));
    assert_false(is_there(scene->scratch, "certs/a.test/.new"));
}

/* ---- pruning: three stay, and what was live less than an hour ago */

static void
three_generations_stay(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    for (unsigned n = 1; n <= 6; n++) {
        assert_int_equal(install(scene, NOW + n * 24 * HOUR, &err), n);
        date(scene, n, NOW + n * 24 * HOUR);
    }
    for (unsigned n = 1; n <= 6; n++) {
        assert_int_equal(has_generation(scene, n), n >= 4);
    }
}

static void
what_was_live_an_hour_ago_stays(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    for (unsigned n = 1; n <= 5; n++) {
        assert_int_equal(install(scene, NOW, &err), n);
        date(scene, n, NOW);
    }
    assert_true(has_generation(scene, 1));
    /* 1 and 2 ended with 2 and 3, which are old now; 3 is among the last */
    date(scene, 2, NOW - HOUR - 1);
    assert_int_equal(install(scene, NOW, &err), 6);
    assert_false(has_generation(scene, 1));
    assert_true(has_generation(scene, 2));
    assert_true(has_generation(scene, 3));
    date(scene, 6, NOW);
    assert_int_equal(install(scene, NOW + HOUR - 1, &err), 7);
    assert_true(has_generation(scene, 2));
    date(scene, 7, NOW + HOUR - 1);
    assert_int_equal(install(scene, NOW + HOUR, &err), 8);
    for (unsigned n = 2; n <= 5; n++) {
        assert_false(has_generation(scene, n));
    }
    assert_true(has_generation(scene, 6));
}

static void
a_clock_that_was_set_back_prunes_nothing(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    for (unsigned n = 1; n <= 5; n++) {
        assert_int_equal(install(scene, NOW, &err), n);
        date(scene, n, NOW);
    }
    assert_int_equal(install(scene, NOW - 365 * 24 * HOUR, &err), 6);
    assert_true(has_generation(scene, 1));
}

static void
what_the_server_has_loaded_stays(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;
    unsigned n;

    /* one a day, loaded once between the second and the third */
    acme_store_note_load(scene->store, NOW + 2 * 24 * HOUR + 12 * HOUR);
    for (n = 1; n <= 8; n++) {
        assert_int_equal(install(scene, NOW + n * 24 * HOUR, &err), n);
        date(scene, n, NOW + n * 24 * HOUR);
    }
    assert_int_equal(install(scene, NOW + n * 24 * HOUR, &err), n);
    for (n = 1; n <= 9; n++) {
        if (has_generation(scene, n) != (n == 2 || n >= 7)) {
            fail_msg("%u", n);
        }
    }
    acme_store_note_load(scene->store, NOW + 9 * 24 * HOUR + HOUR);
    date(scene, 9, NOW + 9 * 24 * HOUR);
    assert_int_equal(install(scene, NOW + 10 * 24 * HOUR, &err), 10);
    assert_false(has_generation(scene, 2));
    assert_true(has_generation(scene, 8) && !has_generation(scene, 7));
}

static void
only_numbers_are_pruned(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    assert_int_equal(install(scene, NOW, &err), 1);
    date(scene, 1, NOW - 48 * HOUR);
    assert_int_equal(mkdirat(scene->scratch->fd, "certs/a.test/keep", 0700),
        0);
    for (unsigned n = 2; n <= 5; n++) {
        assert_int_equal(install(scene, NOW, &err), n);
        date(scene, n, NOW - 24 * HOUR);
    }
    assert_false(has_generation(scene, 1));
    assert_true(is_there(scene->scratch, "certs/a.test/keep"));
    assert_true(is_there(scene->scratch, "certs/a.test/entry"));
}

/* ---- reading */

static void
without_a_certificate_it_is_enoent(void **state)
{
    struct scene *scene = *state;
    char path[300], pair[64], nowhere[100];
    struct acme_buffer out = ACME_BUFFER(100);
    struct acme_error err;
    unsigned number;

    assert_false(read_live(scene, path, pair, &err));
    assert_int_equal(err.sys, ENOENT);
    assert_false(acme_store_entry_read(scene->scratch->path, "a.test", &out,
        &err));
    assert_int_equal(err.sys, ENOENT);
    snprintf(nowhere, sizeof(nowhere), "%s/nowhere", scene->scratch->path);
    assert_int_equal(acme_store_live_open(nowhere, "a.test", &number,
        path, sizeof(path), &err), -1);
    assert_int_equal(err.sys, ENOENT);
}

static const char *const wrong_links[] = {
    "../certs/a.test/2",               /* not there */
    "../certs/a.test/0", "../certs/a.test/01", "../certs/a.test/-1",
    "../certs/a.test/+1", "../certs/a.test/1/", "../certs/a.test/1/.",
    "../certs/a.test/./1", "../certs/a.test//1", "../certs/a.test/1x",
    "../certs/a.test/", "../certs/a.test", "../certs/b.test/1",
    "../certs/../certs/a.test/1", "certs/a.test/1", "1", "/", "..",
    "../certs/a.test/link", "../certs/a.test/4294967297",
    "../certs/a.test/18446744073709551617", "/etc/ssl",
};

static void
a_live_link_of_another_form_is_refused(void **state)
{
    struct scene *scene = *state;
    char path[300], pair[64], absolute[300];
    struct acme_error err;

    assert_int_equal(install(scene, NOW, &err), 1);
    assert_int_equal(symlinkat("1", scene->scratch->fd,
        "certs/a.test/link"), 0);
    for (size_t i = 0; i < sizeof(wrong_links) / sizeof(wrong_links[0]);
         i++) {
        assert_int_equal(unlinkat(scene->scratch->fd, "live/a.test", 0), 0);
        assert_int_equal(symlinkat(wrong_links[i], scene->scratch->fd,
            "live/a.test"), 0);
        if (read_live(scene, path, pair, &err)) {
            fail_msg("\"%s\" was followed", wrong_links[i]);
        }
        /* damaged, which is not the same as absent */
        if (err.sys == ENOENT) {
            fail_msg("\"%s\" is as if absent", wrong_links[i]);
        }
    }
    snprintf(absolute, sizeof(absolute), "%s/certs/a.test/1",
        scene->scratch->path);
    assert_int_equal(unlinkat(scene->scratch->fd, "live/a.test", 0), 0);
    assert_int_equal(symlinkat(absolute, scene->scratch->fd, "live/a.test"),
        0);
    assert_false(read_live(scene, path, pair, &err));
}

static void
a_live_that_is_no_link_is_refused(void **state)
{
    struct scene *scene = *state;
    char path[300], pair[64];
    struct acme_error err;

    assert_int_equal(mkdirat(scene->scratch->fd, "live/a.test", 0700), 0);
    assert_false(read_live(scene, path, pair, &err));
    assert_int_not_equal(err.sys, ENOENT);
}

static void
a_generation_with_parts_missing_is_damaged(void **state)
{
    static const char *const parts[] = { "certs/a.test/1/privkey.pem",
        "certs/a.test/1/fullchain.pem" };
    struct scene *scene = *state;
    char path[300], pair[64];
    struct acme_error err;

    assert_int_equal(install(scene, NOW, &err), 1);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(unlinkat(scene->scratch->fd, parts[i], 0), 0);
        assert_false(read_live(scene, path, pair, &err));
        assert_int_not_equal(err.sys, ENOENT);
        assert_int_not_equal(err.sys, 0);
        assert_int_equal(symlinkat("/dev/zero", scene->scratch->fd,
            parts[i]), 0);
        assert_false(read_live(scene, path, pair, &err));
        assert_int_equal(unlinkat(scene->scratch->fd, parts[i], 0), 0);
        scribble(scene->scratch, parts[i], "again");
        assert_true(read_live(scene, path, pair, &err));
    }
}

static void
a_generation_that_is_a_link_is_refused(void **state)
{
    struct scene *scene = *state;
    char path[300], pair[64];
    struct acme_error err;

    assert_int_equal(install(scene, NOW, &err), 1);
    assert_int_equal(renameat(scene->scratch->fd, "certs/a.test/1",
        scene->scratch->fd, "moved"), 0);
    assert_int_equal(symlinkat("../../moved", scene->scratch->fd,
        "certs/a.test/1"), 0);
    assert_false(read_live(scene, path, pair, &err));
}

static void
a_path_that_does_not_fit_is_refused(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;
    unsigned number;
    char path[20];

    assert_int_equal(install(scene, NOW, &err), 1);
    assert_int_equal(acme_store_live_open(scene->scratch->path, "a.test",
        &number, path, sizeof(path), &err), -1);
    assert_int_not_equal(err.sys, ENOENT);
}

/* ---- the entry */

static void
the_entry_is_recorded_before_the_first_order(void **state)
{
    struct scene *scene = *state;
    struct acme_buffer out = ACME_BUFFER(100);
    struct acme_error err;

    assert_true(acme_store_entry_write(scene->store, "a.test",
        acme_bytes_of("one"), &err));
    assert_true(acme_store_entry_write(scene->store, "a.test",
        acme_bytes_of("one"), &err));
    assert_true(acme_store_entry_write(scene->store, "a.test",
        acme_bytes_of("two"), &err));
    assert_true(acme_store_entry_read(scene->scratch->path, "a.test", &out,
        &err));
    assert_string_equal(acme_buffer_text(&out), "two");
    acme_buffer_free(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_generation_is_installed_and_read_by_its_own_path),
        TEST(the_next_number_follows_the_highest),
        TEST(a_half_written_generation_is_replaced),
        TEST(a_full_disk_leaves_live_as_it_was),
        TEST(a_generation_that_cannot_go_live_is_removed),
        TEST(a_second_pair_has_its_own_files_in_the_same_generation),
        TEST(a_generation_without_a_second_pair_has_none),
        TEST(a_half_of_a_second_pair_is_damage),
        TEST(a_full_disk_at_the_second_pair_leaves_live_as_it_was),
        TEST(three_generations_stay),
        TEST(what_was_live_an_hour_ago_stays),
        TEST(a_clock_that_was_set_back_prunes_nothing),
        TEST(what_the_server_has_loaded_stays),
        TEST(only_numbers_are_pruned),
        TEST(without_a_certificate_it_is_enoent),
        TEST(a_live_link_of_another_form_is_refused),
        TEST(a_live_that_is_no_link_is_refused),
        TEST(a_generation_with_parts_missing_is_damaged),
        TEST(a_generation_that_is_a_link_is_refused),
        TEST(a_path_that_does_not_fit_is_refused),
        TEST(the_entry_is_recorded_before_the_first_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
