/* What -t says of accounts that are still to be made. */

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

#include "store/store.h"

struct scene {
    char path[64], eab[80];
    struct acme_settings settings;
    struct acme_settings_ca ca;
    char warning[512];
};

static int
setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));

    strcpy(scene->path, "/tmp/acme-test-XXXXXX");
    assert_non_null(mkdtemp(scene->path));
    snprintf(scene->eab, sizeof(scene->eab), "%s/eab", scene->path);
    scene->ca = (struct acme_settings_ca) { .name = "ca",
        .url = "https://ca.test/dir", .eab_kid = "kid",
        .eab_file = scene->eab, .eab_algorithm = ACME_HS256 };
    scene->settings = (struct acme_settings) { .cas = &scene->ca,
        .ca_count = 1, .state_path = scene->path };
    *state = scene;
    return 0;
}

static int
teardown(void **state)
{
    struct scene *scene = *state;
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", scene->path);
    assert_int_equal(system(command), 0);
    free(scene);
    return 0;
}

static void
put_eab(const struct scene *scene, const char *text, unsigned mode)
{
    int fd = open(scene->eab, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void
keep(void *ctx, const char *text)
{
    struct scene *scene = ctx;

    snprintf(scene->warning, sizeof(scene->warning), "%s", text);
}

static bool
check(struct scene *scene, struct acme_error *err)
{
    scene->warning[0] = '\0';
    return acme_store_check_accounts(&scene->settings, keep, scene, err);
}

static void
make_file(struct scene *scene, const char *name)
{
    struct acme_store *store;
    struct acme_error err;
    char folder[ACME_FOLDER_MAX];

    store = acme_store_open(scene->path, &err);
    assert_non_null(store);
    assert_true(acme_store_ca_folder(scene->ca.url, folder, &err));
    assert_true(acme_store_account_write(store, folder, "default",
        name, acme_bytes_of("{}"), &err));
    acme_store_close(store);
}

static const struct {
    const char *what, *text;
    unsigned mode;
    const char *words;   /* NULL: fine */
} files[] = {
    { "a key", "c2VjcmV0", 0600, NULL },
    { "one that a group may read", "c2VjcmV0", 0640, NULL },
    { "one that all may read", "c2VjcmV0", 0604, "chmod 0600" },
    { "one that all may write", "c2VjcmV0", 0602, "chmod 0600" },
    { "none", "", 0600, "does not hold the HMAC key" },
    { "a blank", " \n", 0600, "does not hold the HMAC key" },
    { "something else", "key = c2VjcmV0", 0600, "does not hold the HMAC key" },
};

static void
the_file_of_acme_eab_holds_a_key_and_is_no_ones_else(void **state)
{
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        struct acme_error err;
        bool ok;

        put_eab(scene, files[i].text, files[i].mode);
        ok = check(scene, &err);
        if (ok != (files[i].words == NULL)
            || (!ok && strstr(err.text, files[i].words) == NULL)) {
            fail_msg("%s: %s", files[i].what, ok ? "taken" : err.text);
        }
        assert_string_equal(scene->warning, "");
    }
}

/* The CA finds the account by it, without a binding. */
static void
a_missing_file_is_a_warning_once_there_is_a_key(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    make_file(scene, "account.key");
    assert_true(check(scene, &err));
    assert_non_null(strstr(scene->warning, "No such file"));
}

static void
a_ca_that_binds_by_mail_needs_a_contact_or_a_file(void **state)
{
    static char *contacts[] = { (char *) "mailto:a@a.test" };
    struct scene *scene = *state;
    struct acme_error err;

    scene->ca.url = "https://acme.zerossl.com/v2/DV90";
    scene->ca.name = "zerossl";
    scene->ca.eab_kid = NULL;
    assert_false(check(scene, &err));
    assert_int_equal(err.verdict, ACME_MISCONFIG);
    assert_non_null(strstr(err.text, "add \"acme_contact MAIL;\""));
    assert_non_null(strstr(err.text, "\"acme_eab zerossl KID FILE;\""));
    scene->settings.contacts = contacts;
    scene->settings.contact_count = 1;
    assert_true(check(scene, &err));
    scene->ca.url = "https://acme-api.actalis.com/acme/directory";
    assert_false(check(scene, &err));
    assert_null(strstr(err.text, "acme_contact"));
}

static void
a_missing_file_is_a_warning_once_there_is_an_account(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    assert_false(check(scene, &err));
    assert_non_null(strstr(err.text, "No such file"));
    make_file(scene, "account.json");
    assert_true(check(scene, &err));
    assert_non_null(strstr(scene->warning, "No such file"));
}

static void
a_ca_that_demands_a_binding_says_which_line_to_add(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    scene->ca.eab_kid = NULL;
    assert_true(check(scene, &err));
    scene->ca.name = "zerossl";
    scene->ca.url = "https://acme.zerossl.com/v2/DV90";
    assert_false(check(scene, &err));
    assert_int_equal(err.verdict, ACME_MISCONFIG);
    assert_non_null(strstr(err.text, "\"acme_eab zerossl KID FILE;\""));
    make_file(scene, "account.json");
    assert_true(check(scene, &err));
    assert_string_equal(scene->warning, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_file_of_acme_eab_holds_a_key_and_is_no_ones_else),
        TEST(a_missing_file_is_a_warning_once_there_is_an_account),
        TEST(a_missing_file_is_a_warning_once_there_is_a_key),
        TEST(a_ca_that_binds_by_mail_needs_a_contact_or_a_file),
        TEST(a_ca_that_demands_a_binding_says_which_line_to_add),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
