/* The account's key is kept whatever happens; its URL can be found again. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "protocol/session.h"
#include "scene.h"

#define KEY_PATH "accounts/%s/default/account.key"
#define JSON_PATH "accounts/%s/default/account.json"

static const char *
path_of(const struct scene *scene, const char *format)
{
    static char path[400];

    snprintf(path, sizeof(path), format, scene->account.folder);
    return path;
}

/* As the keeper that comes next. */
static bool
load_again(struct scene *scene, struct acme_error *err)
{
    account_free(&scene->account);
    memset(&scene->account, 0, sizeof(scene->account));
    account_init(&scene->account, &scene->ca, 1, &scene->keeper.log);
    return account_load(&scene->account, scene->keeper.store, err);
}

static void
a_new_key_is_on_disk_before_it_is_used(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;
    struct stat info;
    char first[8192];

    assert_true(account_load(&scene->account, scene->keeper.store, &err));
    assert_non_null(scene->account.key);
    assert_null(scene->account.url);
    assert_int_equal(acme_key_type_of_key(scene->account.key),
        ACME_KEY_ECDSA_256);
    assert_int_equal(fstatat(scene->dir_fd, path_of(scene, KEY_PATH), &info,
        0), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    strcpy(first, content_of(scene, path_of(scene, KEY_PATH)));

    assert_true(load_again(scene, &err));
    assert_string_equal(content_of(scene, path_of(scene, KEY_PATH)), first);
}

static void
the_url_survives_the_keeper(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    assert_true(account_load(&scene->account, scene->keeper.store, &err));
    assert_true(account_save_url(&scene->account, &scene->keeper,
        BASE "/acct/1", &err));
    assert_true(account_save_url(&scene->account, &scene->keeper,
        BASE "/acct/2", &err));
    assert_true(load_again(scene, &err));
    assert_string_equal(scene->account.url, BASE "/acct/2");
}

/* Signed for with another key, the old account would refuse for ever. */
static void
a_key_that_is_gone_takes_the_account_along(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    assert_true(account_load(&scene->account, scene->keeper.store, &err));
    assert_true(account_save_url(&scene->account, &scene->keeper,
        BASE "/acct/1", &err));
    assert_int_equal(unlinkat(scene->dir_fd, path_of(scene, KEY_PATH), 0),
        0);
    assert_true(load_again(scene, &err));
    assert_non_null(scene->account.key);
    assert_null(scene->account.url);
}

static const char *const broken_keys[] = {
    "", "garbage", "-----BEGIN PRIVATE KEY-----\nSECRET\n"
    "-----END PRIVATE KEY-----\n",
};

static void
a_key_that_cannot_be_read_is_never_replaced(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    assert_true(account_load(&scene->account, scene->keeper.store, &err));
    for (size_t i = 0; i < sizeof(broken_keys) / sizeof(broken_keys[0]);
         i++) {
        scribble(scene, path_of(scene, KEY_PATH), broken_keys[i]);
        assert_false(load_again(scene, &err));
        assert_null(scene->account.key);
        assert_non_null(strstr(err.text, "account key of ca.test"));
        assert_null(strstr(err.text, "SECRET"));
        assert_string_equal(content_of(scene, path_of(scene, KEY_PATH)),
            broken_keys[i]);
    }
}

/* A question about a renewal needs none; the order that follows does. */
static void
the_agent_hears_of_an_account_that_is_read_late(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;
    char key[8192];

    assert_true(account_load(&scene->account, scene->keeper.store, &err));
    assert_true(account_save_url(&scene->account, &scene->keeper,
        BASE "/acct/1", &err));
    strcpy(key, content_of(scene, path_of(scene, KEY_PATH)));
    scribble(scene, path_of(scene, KEY_PATH), "garbage");
    assert_false(load_again(scene, &err));
    assert_true(account_announce(&scene->account, &scene->keeper, &err));
    assert_true(scene->account.announced);
    assert_true(acme_store_ca_folder(scene->ca.url, scene->account.folder,
        &err));
    scribble(scene, path_of(scene, KEY_PATH), key);
    assert_true(account_load(&scene->account, scene->keeper.store, &err));
    assert_false(scene->account.announced);
}

static const char *const broken_jsons[] = {
    "", "{", "[]", "{}", "{\"url\":7}", "{\"url\":\"a\\nb\"}", "\xff",
};

static void
a_broken_url_is_no_loss(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    assert_true(account_load(&scene->account, scene->keeper.store, &err));
    for (size_t i = 0; i < sizeof(broken_jsons) / sizeof(broken_jsons[0]);
         i++) {
        scribble(scene, path_of(scene, JSON_PATH), broken_jsons[i]);
        assert_true(load_again(scene, &err));
        assert_null(scene->account.url);
        assert_non_null(scene->account.key);
    }
}

static void
cas_do_not_share_an_account(void **state)
{
    struct scene *scene = *state;
    struct acme_settings_ca other = { .name = (char *) "other",
        .url = (char *) BASE "/other-dir" };
    struct account account = { 0 };
    struct acme_error err;

    assert_true(account_load(&scene->account, scene->keeper.store, &err));
    account_init(&account, &other, 2, &scene->keeper.log);
    assert_true(account_load(&account, scene->keeper.store, &err));
    assert_string_not_equal(account.folder, scene->account.folder);
    account_free(&account);
}

/* ---- contacts */

static char *const contacts[] = { (char *) "mailto:a@a.test",
    (char *) "mailto:b@a.test" };

static void
set_contacts(struct scene *scene, size_t count)
{
    scene->settings.contacts = (char **) contacts;
    scene->settings.contact_count = count;
}

static bool
wants_update(const struct scene *scene)
{
    return account_wants_update(&scene->account, &scene->settings);
}

static void
contacts_are_news_until_they_were_taken(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    assert_true(account_load(&scene->account, scene->keeper.store, &err));
    set_contacts(scene, 1);
    assert_false(wants_update(scene));  /* newAccount brings them */
    assert_true(account_save_url(&scene->account, &scene->keeper,
        BASE "/acct/1", &err));
    assert_true(wants_update(scene));
    assert_true(account_save_contacts(&scene->account, &scene->keeper, true,
        &err));
    assert_false(wants_update(scene));
    assert_true(load_again(scene, &err));
    assert_false(wants_update(scene));
    set_contacts(scene, 2);
    assert_true(wants_update(scene));
    set_contacts(scene, 0);
    assert_true(wants_update(scene));
    assert_true(account_save_contacts(&scene->account, &scene->keeper, true,
        &err));
    assert_true(load_again(scene, &err));
    assert_false(wants_update(scene));
}

static void
refused_contacts_are_news_when_they_change(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    assert_true(account_load(&scene->account, scene->keeper.store, &err));
    assert_true(account_save_url(&scene->account, &scene->keeper,
        BASE "/acct/1", &err));
    set_contacts(scene, 2);
    assert_true(account_save_contacts(&scene->account, &scene->keeper, false,
        &err));
    assert_true(load_again(scene, &err));
    assert_false(wants_update(scene));
    assert_string_equal(scene->account.url, BASE "/acct/1");
    set_contacts(scene, 1);
    assert_true(wants_update(scene));
    set_contacts(scene, 0);
    assert_false(wants_update(scene));
}

static void
without_any_an_old_account_json_asks_for_no_update(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    assert_true(account_load(&scene->account, scene->keeper.store, &err));
    scribble(scene, path_of(scene, JSON_PATH),
        "{\"url\":\"" BASE "/acct/1\",\"contacts\":7}");
    assert_true(load_again(scene, &err));
    assert_false(wants_update(scene));
    set_contacts(scene, 1);
    assert_true(wants_update(scene));
}

/* ---- two keys */

#define NEW_KEY_PATH "accounts/%s/default/account.key.new"

static void
a_new_key_is_on_disk_beside_the_old_one(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;
    char old[8192], new[8192];

    assert_true(account_load(&scene->account, scene->keeper.store, &err));
    assert_true(account_save_url(&scene->account, &scene->keeper,
        BASE "/acct/1", &err));
    strcpy(old, content_of(scene, path_of(scene, KEY_PATH)));
    assert_true(account_make_new_key(&scene->account, scene->keeper.store,
        &err));
    strcpy(new, content_of(scene, path_of(scene, NEW_KEY_PATH)));
    assert_string_not_equal(old, new);
    assert_string_equal(content_of(scene, path_of(scene, KEY_PATH)), old);

    /* a crash: both are there, and the account is that of the old one */
    assert_true(load_again(scene, &err));
    assert_non_null(scene->account.new_key);
    assert_string_equal(scene->account.url, BASE "/acct/1");

    assert_true(account_take_new_key(&scene->account, &scene->keeper,
        BASE "/acct/1", &err));
    assert_string_equal(content_of(scene, path_of(scene, KEY_PATH)), new);
    assert_false(is_there(scene, path_of(scene, NEW_KEY_PATH)));
    assert_true(load_again(scene, &err));
    assert_null(scene->account.new_key);
    assert_string_equal(scene->account.url, BASE "/acct/1");
}

static void
a_new_key_that_is_not_taken_leaves_no_trace(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    assert_true(account_load(&scene->account, scene->keeper.store, &err));
    assert_true(account_make_new_key(&scene->account, scene->keeper.store,
        &err));
    assert_true(account_drop_new_key(&scene->account, scene->keeper.store,
        &err));
    assert_false(is_there(scene, path_of(scene, NEW_KEY_PATH)));
    assert_null(scene->account.new_key);
    assert_non_null(scene->account.key);
}

static void
a_crash_between_the_files_is_no_loss(void **state)
{
    struct scene *scene = *state;
    char saved[8192], from[400], to[400];
    struct acme_error err;

    assert_true(account_load(&scene->account, scene->keeper.store, &err));
    assert_true(account_save_url(&scene->account, &scene->keeper,
        BASE "/acct/1", &err));
    strcpy(saved, content_of(scene, path_of(scene, JSON_PATH)));
    assert_true(account_make_new_key(&scene->account, scene->keeper.store,
        &err));
    strcpy(from, path_of(scene, NEW_KEY_PATH));
    strcpy(to, path_of(scene, KEY_PATH));
    assert_int_equal(renameat(scene->dir_fd, from, scene->dir_fd, to), 0);
    assert_true(load_again(scene, &err));
    assert_null(scene->account.new_key);
    assert_null(scene->account.url);  /* to be found by the key */
    assert_true(scene->account.used);
}

static void
a_key_that_was_moved_away_makes_room_for_another(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    assert_true(account_load(&scene->account, scene->keeper.store, &err));
    account_look_again(&scene->account, scene->keeper.store);
    assert_non_null(scene->account.key);
    assert_int_equal(unlinkat(scene->dir_fd, path_of(scene, KEY_PATH), 0), 0);
    account_look_again(&scene->account, scene->keeper.store);
    assert_null(scene->account.key);
    assert_true(account_load(&scene->account, scene->keeper.store, &err));
    assert_false(scene->account.used);
    assert_true(is_there(scene, path_of(scene, KEY_PATH)));
}

/* ---- the directory */

static bool
set_directory(struct scene *scene, const char *directory, const char *urls,
    const char *new_account, const char *new_order)
{
    struct acme_error err;
    char *copy = strdup(urls);
    bool ok = account_set_directory(&scene->account, directory, copy,
        new_account, new_order, &err);

    free(copy);
    return ok;
}

static bool
allows(const struct scene *scene, const char *url)
{
    struct acme_error err;

    return account_allows(&scene->account, url, &err);
}

static void
nothing_is_allowed_before_a_directory(void **state)
{
    assert_false(allows(*state, BASE "/dir"));
}

static void
origins_of_the_directory_are_allowed(void **state)
{
    struct scene *scene = *state;

    assert_true(set_directory(scene, BASE "/dir",
        BASE "/n\n\nhttp://plain.test/\nhttps://ari.test/x\nnonsense",
        BASE "/a", BASE "/o"));
    assert_true(allows(scene, BASE "/anything"));
    assert_true(allows(scene, "https://ari.test/y"));
    assert_false(allows(scene, "http://plain.test/"));
    assert_false(allows(scene, "https://plain.test/"));
    assert_false(allows(scene, "https://ca.test/"));
}

static const struct {
    const char *what;
    const char *directory, *new_account, *new_order;
} bad_directories[] = {
    { "directory by http", "http://ca.test/dir", BASE "/a", BASE "/o" },
    { "no directory", "", BASE "/a", BASE "/o" },
    { "newAccount elsewhere", BASE "/dir", "https://evil.test/", BASE "/o" },
    { "newOrder elsewhere", BASE "/dir", BASE "/a", "https://evil.test/" },
    { "newAccount by http", BASE "/dir", "http://ca.test:14000/a",
        BASE "/o" },
    { "no newOrder", BASE "/dir", BASE "/a", "" },
};

static void
bad_directories_leave_nothing_to_sign_for(void **state)
{
    struct scene *scene = *state;

    for (size_t i = 0;
         i < sizeof(bad_directories) / sizeof(bad_directories[0]); i++) {
        assert_true(set_directory(scene, BASE "/dir", "", BASE "/a",
            BASE "/o"));
        if (set_directory(scene, bad_directories[i].directory, "",
                bad_directories[i].new_account,
                bad_directories[i].new_order)) {
            fail_msg("%s was taken", bad_directories[i].what);
        }
        assert_null(scene->account.new_account_url);
        assert_null(scene->account.new_order_url);
    }
}

static void
a_directory_of_many_urls_is_bounded(void **state)
{
    struct scene *scene = *state;
    char urls[8192] = "", url[64];

    for (int i = 0; i < 200; i++) {
        snprintf(url, sizeof(url), "https://x%d.test/\n", i);
        strcat(urls, url);
    }
    assert_true(set_directory(scene, BASE "/dir", urls, BASE "/a",
        BASE "/o"));
    assert_int_equal(scene->account.directory_url_count, DIRECTORY_URLS_MAX);
    assert_true(allows(scene, "https://x5.test/"));
    assert_false(allows(scene, "https://x150.test/"));
}

/* ---- telling the agent */

static void
the_agent_is_told_once_of_a_ca(void **state)
{
    struct scene *scene = *state;
    struct acme_message message;
    struct acme_error err;
    char text[200];
    bool got;

    scene->settings.proxy = (char *) "http://proxy.test:1";
    assert_true(account_load(&scene->account, scene->keeper.store, &err));
    assert_true(account_announce(&scene->account, &scene->keeper, &err));
    assert_true(account_announce(&scene->account, &scene->keeper, &err));
    assert_true(acme_channel_next(scene->agent, &message, &got, &err));
    assert_true(got);
    assert_int_equal(message.type, ACME_MESSAGE_CA);
    assert_true(acme_message_text(&message, 0, text, sizeof(text)));
    assert_string_equal(text, BASE "/dir");
    assert_true(acme_message_text(&message, 3, text, sizeof(text)));
    assert_string_equal(text, "http://proxy.test:1");
    assert_true(acme_channel_next(scene->agent, &message, &got, &err));
    assert_false(got);
}

static struct acme_message
announced(struct scene *scene)
{
    struct acme_message message;
    struct acme_error err;
    bool got;

    scene->account.announced = false;
    assert_true(account_announce(&scene->account, &scene->keeper, &err));
    assert_true(acme_channel_next(scene->agent, &message, &got, &err));
    assert_true(got);
    return message;
}

static void
the_agent_is_told_what_is_known_of_the_account(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    assert_true(account_load(&scene->account, scene->keeper.store, &err));
    assert_int_equal(announced(scene).number, 0);
    assert_true(load_again(scene, &err));
    assert_int_equal(announced(scene).number, ACME_ACCOUNT_MAY_EXIST);
    assert_true(account_save_url(&scene->account, &scene->keeper,
        BASE "/acct/1", &err));
    assert_int_equal(announced(scene).number, 0);
    set_contacts(scene, 1);
    assert_int_equal(announced(scene).number, ACME_ACCOUNT_UPDATE);
    assert_true(account_make_new_key(&scene->account, scene->keeper.store,
        &err));
    assert_int_equal(announced(scene).number,
        ACME_ACCOUNT_UPDATE | ACME_ACCOUNT_KEY_IN_DOUBT);
}

static void
a_ca_that_binds_by_mail_is_asked_for_the_first_contact(void **state)
{
    struct scene *scene = *state;
    struct acme_message message;
    struct acme_error err;
    char mail[100], url[100];

    assert_true(account_load(&scene->account, scene->keeper.store, &err));
    set_contacts(scene, 2);
    message = announced(scene);
    assert_int_equal(message.text[4].len + message.text[5].len, 0);
    scene->ca.url = (char *) "https://acme.zerossl.com/v2/DV90";
    message = announced(scene);
    assert_true(acme_message_text(&message, 4, mail, sizeof(mail)));
    assert_true(acme_message_text(&message, 5, url, sizeof(url)));
    assert_string_equal(mail, "a@a.test");
    assert_string_equal(url,
        "https://api.zerossl.com/acme/eab-credentials-email");
    scene->ca.eab_kid = (char *) "kid";
    message = announced(scene);
    assert_int_equal(message.text[4].len + message.text[5].len, 0);
    scene->ca.eab_kid = NULL;
    set_contacts(scene, 0);
    message = announced(scene);
    assert_int_equal(message.text[4].len + message.text[5].len, 0);
}

static void
a_missing_trust_file_is_named(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    scene->ca.trust_file = (char *) "/nowhere/ca.pem";
    assert_true(account_load(&scene->account, scene->keeper.store, &err));
    assert_false(account_announce(&scene->account, &scene->keeper, &err));
    assert_int_equal(err.sys, ENOENT);
    assert_non_null(strstr(err.text, "acme_ca_certificate /nowhere/ca.pem"));
    assert_false(scene->account.announced);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, scene_make, scene_remove)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_key_is_on_disk_before_it_is_used),
        TEST(the_url_survives_the_keeper),
        TEST(a_key_that_is_gone_takes_the_account_along),
        TEST(a_key_that_cannot_be_read_is_never_replaced),
        TEST(the_agent_hears_of_an_account_that_is_read_late),
        TEST(a_broken_url_is_no_loss),
        TEST(cas_do_not_share_an_account),
        TEST(nothing_is_allowed_before_a_directory),
        TEST(origins_of_the_directory_are_allowed),
        TEST(bad_directories_leave_nothing_to_sign_for),
        TEST(a_directory_of_many_urls_is_bounded),
        TEST(the_agent_is_told_once_of_a_ca),
        TEST(contacts_are_news_until_they_were_taken),
        TEST(refused_contacts_are_news_when_they_change),
        TEST(without_any_an_old_account_json_asks_for_no_update),
        TEST(a_new_key_is_on_disk_beside_the_old_one),
        TEST(a_new_key_that_is_not_taken_leaves_no_trace),
        TEST(a_crash_between_the_files_is_no_loss),
        TEST(a_key_that_was_moved_away_makes_room_for_another),
        TEST(the_agent_is_told_what_is_known_of_the_account),
        TEST(a_ca_that_binds_by_mail_is_asked_for_the_first_contact),
        TEST(a_missing_trust_file_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
