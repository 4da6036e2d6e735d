/* Opening the store, its lock, and what is kept in it besides generations. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "scratch.h"
#include "store/store.h"

enum { NOBODY = 65534 };

static struct acme_store *
open_at(const struct scratch *scratch, const char *below,
    struct acme_error *err)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", scratch->path, below);
    return acme_store_open(path, err);
}

/* ---- the state path */

static void
an_empty_place_becomes_a_store(void **state)
{
    static const char *const folders[] = { "a/s", "a/s/accounts", "a/s/certs",
        "a/s/pending", "a/s/live", "a/s/plan" };
    static const mode_t umasks[] = { 0, 077 };
    struct scratch *scratch = *state;
    struct acme_error err;

    for (size_t i = 0; i < 2; i++) {
        mode_t before = umask(umasks[i]);
        struct acme_store *store = open_at(scratch, "a/s", &err);

        umask(before);
        assert_non_null(store);
        assert_int_equal(mode_of(scratch, "a"), S_IFDIR | 0755);
        for (size_t j = 0; j < sizeof(folders) / sizeof(folders[0]); j++) {
            assert_int_equal(mode_of(scratch, folders[j]), S_IFDIR | 0700);
        }
        acme_store_close(store);
        assert_int_equal(renameat(scratch->fd, "a", scratch->fd,
            umasks[i] == 0 ? "b" : "c"), 0);
    }
    acme_store_close(NULL);
}

static void
slashes_and_dots_do_not_matter(void **state)
{
    struct scratch *scratch = *state;
    struct acme_error err;
    struct acme_store *store = open_at(scratch, "/a//./b/../s//", &err);

    assert_non_null(store);
    acme_store_close(store);
    assert_true(is_there(scratch, "a/s/live"));
}

static const struct {
    const char *what;
    mode_t mode;
    const char *words;         /* NULL: taken */
} modes[] = {
    { "ours alone", 0700, NULL },
    { "readable by others", 0755, NULL },
    { "writable by the group", 0770, "chmod 0700" },
    { "writable by others", 0702, "chmod 0700" },
    { "like /tmp", 01777, "mode 1777" },
};

static void
a_path_that_others_may_write_is_refused(void **state)
{
    struct scratch *scratch = *state;

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        struct acme_error err = { 0 };
        struct acme_store *store;

        assert_int_equal(fchmod(scratch->fd, modes[i].mode), 0);
        store = acme_store_open(scratch->path, &err);
        if ((store != NULL) != (modes[i].words == NULL)) {
            fail_msg("%s: %s", modes[i].what, err.text);
        }
        if (store == NULL) {
            assert_int_equal(err.verdict, ACME_MISCONFIG);
            assert_non_null(strstr(err.text, modes[i].words));
            assert_non_null(strstr(err.text, scratch->path));
        }
        acme_store_close(store);
    }
}

static void
hear_doubt(void *ctx, const char *text)
{
    bool *heard = ctx;

    *heard = *heard || strstr(text, "belongs to uid 65534") != NULL;
}

static void
a_path_of_another_user_works_and_is_doubted(void **state)
{
    struct scratch *scratch = *state;
    struct acme_store *store;
    struct acme_error err;
    bool heard = false;

    if (geteuid() != 0) {
        skip();
    }
    store = acme_store_open(scratch->path, &err);
    assert_non_null(store);
    acme_store_doubts(store, hear_doubt, &heard);
    assert_false(heard);
    assert_int_equal(fchown(scratch->fd, NOBODY, NOBODY), 0);
    acme_store_doubts(store, hear_doubt, &heard);
    assert_true(heard);
    acme_store_close(store);
}

static void
a_link_on_the_way_must_be_roots_or_ours(void **state)
{
    struct scratch *scratch = *state;
    struct acme_error err;
    struct acme_store *store;

    assert_int_equal(mkdirat(scratch->fd, "real", 0700), 0);
    assert_int_equal(symlinkat("real", scratch->fd, "link"), 0);
    store = open_at(scratch, "link/s", &err);
    assert_non_null(store);
    acme_store_close(store);
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(fchownat(scratch->fd, "link", NOBODY, NOBODY,
        AT_SYMLINK_NOFOLLOW), 0);
    assert_null(open_at(scratch, "link/s", &err));
    assert_int_equal(err.verdict, ACME_MISCONFIG);
    assert_non_null(strstr(err.text, "symbolic link of another user"));
    assert_null(open_at(scratch, "link", &err));
    assert_int_equal(err.verdict, ACME_MISCONFIG);
}

static void
paths_that_are_none_are_refused(void **state)
{
    struct scratch *scratch = *state;
    struct acme_error err;
    char path[5000];

    assert_null(acme_store_open("var/lib/acme", &err));
    assert_int_equal(err.verdict, ACME_MISCONFIG);
    assert_non_null(strstr(err.text, "not an absolute path"));
    assert_null(acme_store_open("", &err));
    memset(path, '/', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    assert_null(acme_store_open(path, &err));
    scribble(scratch, "file", "x");
    assert_null(open_at(scratch, "file", &err));
    assert_null(open_at(scratch, "file/s", &err));
    assert_null(acme_store_open("/proc/acme", &err));
    assert_int_equal(err.verdict, ACME_LOCAL);
}

/* ---- the lock, and cleaning up behind it */

static void
only_one_has_the_lock(void **state)
{
    struct scratch *scratch = *state;
    struct acme_error err;
    struct acme_store *one = open_at(scratch, "s", &err);
    struct acme_store *two = open_at(scratch, "s", &err);

    assert_true(acme_store_lock(one, &err));
    assert_int_equal(mode_of(scratch, "s/lock"), S_IFREG | 0600);
    assert_false(acme_store_lock(two, &err));
    assert_int_equal(err.sys, EWOULDBLOCK);
    assert_non_null(strstr(err.text, "another helper"));
    acme_store_close(one);
    assert_true(acme_store_lock(two, &err));
    acme_store_close(two);
}

static void
a_lock_that_was_removed_is_none(void **state)
{
    struct scratch *scratch = *state;
    struct acme_error err;
    struct acme_store *store = open_at(scratch, "s", &err);

    assert_false(acme_store_is_locked(store));
    assert_true(acme_store_lock(store, &err));
    assert_true(acme_store_is_locked(store));
    assert_int_equal(unlinkat(scratch->fd, "s/lock", 0), 0);
    assert_false(acme_store_is_locked(store));
    acme_store_close(store);

    store = open_at(scratch, "s", &err);
    assert_true(acme_store_lock(store, &err));
    assert_int_equal(renameat(scratch->fd, "s", scratch->fd, "moved"), 0);
    assert_false(acme_store_is_locked(store));
    acme_store_close(open_at(scratch, "s", &err));
    assert_false(acme_store_is_locked(store));
    acme_store_close(store);
}

static void
what_a_crash_left_is_removed_with_the_lock(void **state)
{
    static const char *const leftovers[] = { "s/.tmp-1", "s/plan/.tmp-2",
        "s/live/.tmp-3", "s/certs/a.test/.tmp-4", "s/certs/a.test/.new",
        "s/certs/a.test/3/.tmp-5", "s/accounts/ca/default/.tmp-6",
        "s/pending/a.test/.tmp-7" };
    struct scratch *scratch = *state;
    struct acme_error err;
    struct acme_store *store = open_at(scratch, "s", &err);

    assert_int_equal(mkdirat(scratch->fd, "s/certs/a.test", 0700), 0);
    assert_int_equal(mkdirat(scratch->fd, "s/certs/a.test/.new", 0700), 0);
    assert_int_equal(mkdirat(scratch->fd, "s/certs/a.test/3", 0700), 0);
    assert_int_equal(mkdirat(scratch->fd, "s/accounts/ca", 0700), 0);
    assert_int_equal(mkdirat(scratch->fd, "s/accounts/ca/default", 0700), 0);
    assert_int_equal(mkdirat(scratch->fd, "s/pending/a.test", 0700), 0);
    scribble(scratch, "s/certs/a.test/.new/privkey.pem", "half");
    scribble(scratch, "s/certs/a.test/entry", "kept");
    for (size_t i = 0; i < sizeof(leftovers) / sizeof(leftovers[0]); i++) {
        if (!is_there(scratch, leftovers[i])) {
            scribble(scratch, leftovers[i], "half");
        }
    }
    assert_true(acme_store_lock(store, &err));
    for (size_t i = 0; i < sizeof(leftovers) / sizeof(leftovers[0]); i++) {
        if (is_there(scratch, leftovers[i])) {
            fail_msg("%s is still there", leftovers[i]);
        }
    }
    assert_true(is_there(scratch, "s/certs/a.test/3"));
    assert_string_equal(content_of(scratch, "s/certs/a.test/entry"), "kept");
    acme_store_close(store);
}

static void
cleaning_up_follows_no_link(void **state)
{
    struct scratch *scratch = *state;
    struct acme_error err;
    struct acme_store *store = open_at(scratch, "s", &err);

    assert_int_equal(mkdirat(scratch->fd, "outside", 0700), 0);
    scribble(scratch, "outside/.tmp-1", "precious");
    assert_int_equal(symlinkat("../../outside", scratch->fd, "s/certs/x"), 0);
    assert_int_equal(symlinkat("../outside", scratch->fd, "s/.new"), 0);
    assert_true(acme_store_lock(store, &err));
    assert_true(is_there(scratch, "outside/.tmp-1"));
    assert_false(is_there(scratch, "s/.new"));
    acme_store_close(store);
}

/* ---- accounts, pending orders, plans */

static void
files_come_back_and_are_ours_alone(void **state)
{
    struct scratch *scratch = *state;
    struct acme_buffer out = ACME_BUFFER(100);
    struct acme_bytes data = acme_bytes_of("data");
    struct acme_error err;
    struct acme_store *store = open_at(scratch, "s", &err);
    mode_t before = umask(0);

    assert_true(acme_store_account_write(store, "ca", "default",
        "account.key", data, &err));
    assert_true(acme_store_pending_write(store, "a.test", "order.json", data,
        &err));
    assert_true(acme_store_plan_write(store, "a.test", data, &err));
    umask(before);
    assert_int_equal(mode_of(scratch, "s/accounts/ca/default"),
        S_IFDIR | 0700);
    assert_int_equal(mode_of(scratch, "s/accounts/ca/default/account.key"),
        S_IFREG | 0600);
    assert_int_equal(mode_of(scratch, "s/pending/a.test/order.json"),
        S_IFREG | 0600);
    assert_true(acme_store_account_read(store, "ca", "default",
        "account.key", &out, &err));
    assert_true(acme_store_pending_read(store, "a.test", "order.json", &out,
        &err));
    assert_true(acme_store_plan_read(store, "a.test", &out, &err));
    assert_string_equal(acme_buffer_text(&out), "datadatadata");
    assert_true(acme_store_pending_write(store, "a.test", "privkey.pem", data,
        &err));
    assert_true(acme_store_pending_remove(store, "a.test", "order.json",
        &err));
    assert_true(acme_store_pending_remove(store, "a.test", "order.json",
        &err));
    assert_false(is_there(scratch, "s/pending/a.test/order.json"));
    assert_true(is_there(scratch, "s/pending/a.test/privkey.pem"));
    assert_true(acme_store_pending_remove(store, "a.test", "privkey.pem",
        &err));
    assert_false(is_there(scratch, "s/pending/a.test"));
    assert_true(acme_store_pending_remove(store, "a.test", "privkey.pem",
        &err));
    acme_buffer_free(&out);
    acme_store_close(store);
}

static void
a_file_of_an_account_takes_the_place_of_another(void **state)
{
    struct scratch *scratch = *state;
    struct acme_buffer out = ACME_BUFFER(100);
    struct acme_error err;
    struct acme_store *store = open_at(scratch, "s", &err);

    assert_true(acme_store_account_write(store, "ca", "default", "old",
        acme_bytes_of("old"), &err));
    assert_true(acme_store_account_write(store, "ca", "default", "new",
        acme_bytes_of("new"), &err));
    assert_true(acme_store_account_rename(store, "ca", "default", "new",
        "old", &err));
    assert_true(acme_store_account_read(store, "ca", "default", "old", &out,
        &err));
    assert_string_equal(acme_buffer_text(&out), "new");
    assert_false(acme_store_account_rename(store, "ca", "default", "new",
        "old", &err));
    assert_true(acme_store_account_remove(store, "ca", "default", "old",
        &err));
    assert_true(acme_store_account_remove(store, "ca", "default", "old",
        &err));
    assert_false(is_there(scratch, "s/accounts/ca/default/old"));
    acme_buffer_free(&out);
    acme_store_close(store);
}

static void
what_is_absent_is_enoent(void **state)
{
    struct scratch *scratch = *state;
    struct acme_buffer out = ACME_BUFFER(100);
    struct acme_error err;
    struct acme_store *store = open_at(scratch, "s", &err);

    assert_false(acme_store_account_read(store, "ca", "default", "f", &out,
        &err));
    assert_int_equal(err.sys, ENOENT);
    assert_false(acme_store_pending_read(store, "a.test", "f", &out, &err));
    assert_int_equal(err.sys, ENOENT);
    assert_false(acme_store_plan_read(store, "a.test", &out, &err));
    assert_int_equal(err.sys, ENOENT);
    acme_store_close(store);
}

static void
folders_that_are_paths_are_refused(void **state)
{
    static const char *const names[] = { "", ".", "..", "../x", "a/b", "/",
        "/etc", ".new", ".tmp-1" };
    struct scratch *scratch = *state;
    struct acme_buffer out = ACME_BUFFER(100);
    struct acme_bytes data = acme_bytes_of("data");
    struct acme_error err;
    struct acme_store *store = open_at(scratch, "s", &err);
    char longest[257];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *name = names[i];
        unsigned number;

        if (acme_store_pending_write(store, name, "f", data, &err)
            || acme_store_pending_read(store, name, "f", &out, &err)
            || acme_store_pending_remove(store, name, "f", &err)
            || acme_store_plan_write(store, name, data, &err)
            || acme_store_plan_read(store, name, &out, &err)
            || acme_store_account_write(store, name, "x", "f", data, &err)
            || acme_store_account_write(store, "x", name, "f", data, &err)
            || acme_store_entry_write(store, name, data, &err)
            || acme_store_entry_read(scratch->path, name, &out, &err)
            || acme_store_install(store, name, data,
                &(struct acme_pair) { data, data, data }, 1, 0, &number,
                &err)) {
            fail_msg("\"%s\" was taken", name);
        }
    }
    memset(longest, 'x', sizeof(longest));
    longest[256] = '\0';
    assert_false(acme_store_plan_write(store, longest, data, &err));
    longest[251] = '\0';
    assert_false(acme_store_plan_write(store, longest, data, &err));
    longest[250] = '\0';
    assert_true(acme_store_plan_write(store, longest, data, &err));
    acme_store_close(store);
}

static void
a_folder_that_is_a_link_is_refused(void **state)
{
    struct scratch *scratch = *state;
    struct acme_bytes data = acme_bytes_of("data");
    struct acme_error err;
    struct acme_store *store = open_at(scratch, "s", &err);

    assert_int_equal(mkdirat(scratch->fd, "outside", 0700), 0);
    assert_int_equal(symlinkat("../../outside", scratch->fd,
        "s/pending/a.test"), 0);
    assert_false(acme_store_pending_write(store, "a.test", "f", data, &err));
    assert_false(is_there(scratch, "outside/f"));
    scribble(scratch, "outside/f", "x");
    assert_false(acme_store_pending_remove(store, "a.test", "f", &err));
    assert_true(is_there(scratch, "outside/f"));
    acme_store_close(store);
}

/* ---- folders of CAs */

static const struct {
    const char *what;
    const char *url;
    const char *start;
} urls[] = {
    { "plain", "https://acme-v02.api.letsencrypt.org/directory",
        "acme-v02.api.letsencrypt.org-" },
    { "port", "https://127.0.0.1:14000/dir", "127.0.0.1_14000-" },
    { "capitals", "https://CA.Test/dir", "ca.test-" },
    { "IPv6", "https://[::1]/dir", "___1_-" },
    { "hidden", "https://.ca/dir", "_ca-" },
    { "upwards", "https://../dir", "_.-" },
    { "userinfo", "https://a@b%2f/", "a_b_2f-" },
    { "no scheme", "ca.test/dir", "ca.test-" },
    { "empty", "", "-" },
};

static void
a_ca_has_a_folder_of_its_own(void **state)
{
    char folder[ACME_FOLDER_MAX], other[ACME_FOLDER_MAX];
    struct acme_error err;

    (void) state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        assert_true(acme_store_ca_folder(urls[i].url, folder, &err));
        if (strncmp(folder, urls[i].start, strlen(urls[i].start)) != 0
            || strlen(folder) != strlen(urls[i].start) + 8) {
            fail_msg("%s: %s", urls[i].what, folder);
        }
    }
    assert_true(acme_store_ca_folder("https://ca.test/a", folder, &err));
    assert_true(acme_store_ca_folder("https://ca.test/b", other, &err));
    assert_string_not_equal(folder, other);
}

static void
a_ca_with_a_long_name_has_a_folder_that_fits(void **state)
{
    char url[2049] = "https://", folder[ACME_FOLDER_MAX];
    struct acme_error err;

    (void) state;
    memset(url + 8, 'x', sizeof(url) - 9);
    url[2048] = '\0';
    assert_true(acme_store_ca_folder(url, folder, &err));
    assert_int_equal(strlen(folder), 209);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, scratch_make, scratch_remove)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_place_becomes_a_store),
        TEST(slashes_and_dots_do_not_matter),
        TEST(a_path_that_others_may_write_is_refused),
        TEST(a_path_of_another_user_works_and_is_doubted),
        TEST(a_link_on_the_way_must_be_roots_or_ours),
        TEST(paths_that_are_none_are_refused),
        TEST(only_one_has_the_lock),
        TEST(a_lock_that_was_removed_is_none),
        TEST(what_a_crash_left_is_removed_with_the_lock),
        TEST(cleaning_up_follows_no_link),
        TEST(files_come_back_and_are_ours_alone),
        TEST(a_file_of_an_account_takes_the_place_of_another),
        TEST(what_is_absent_is_enoent),
        TEST(folders_that_are_paths_are_refused),
        TEST(a_folder_that_is_a_link_is_refused),
        cmocka_unit_test(a_ca_has_a_folder_of_its_own),
        cmocka_unit_test(a_ca_with_a_long_name_has_a_folder_that_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
