/* Which certificate of the configuration gets which folder. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "scratch.h"
#include "store/assign.h"
#include "store/store.h"

enum { CERTS_MAX = 4 };

/* A configuration of a few certificates, over a store. */
struct scene {
    struct scratch *scratch;
    struct acme_store *store;
    struct acme_settings settings;
    struct acme_settings_ca cas[2];
    struct acme_settings_cert certs[CERTS_MAX];
    char *names[CERTS_MAX][4];
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
    scene->cas[0].url = (char *) "https://one.test/dir";
    scene->cas[1].url = (char *) "https://two.test/dir";
    scene->settings.cas = scene->cas;
    scene->settings.ca_count = 2;
    scene->settings.certs = scene->certs;
    scene->settings.state_path = scene->scratch->path;
    *state = scene;
    return 0;
}

static void
forget_configuration(struct scene *scene)
{
    for (size_t i = 0; i < scene->settings.cert_count; i++) {
        free(scene->certs[i].folder);
        scene->certs[i].folder = NULL;
    }
    scene->settings.cert_count = 0;
}

static int
teardown(void **state)
{
    struct scene *scene = *state;
    void *scratch = scene->scratch;

    forget_configuration(scene);
    acme_store_close(scene->store);
    scratch_remove(&scratch);
    free(scene);
    return 0;
}

/* One more certificate, of up to three names. */
static struct acme_settings_cert *
add(struct scene *scene, const char *first, const char *second,
    const char *third)
{
    size_t at = scene->settings.cert_count++;
    struct acme_settings_cert *cert = &scene->certs[at];

    scene->names[at][0] = (char *) first;
    scene->names[at][1] = (char *) second;
    scene->names[at][2] = (char *) third;
    *cert = (struct acme_settings_cert) { .names = scene->names[at],
        .key_types = { ACME_KEY_ECDSA_256 } };
    while (cert->name_count < 3 && cert->names[cert->name_count] != NULL) {
        cert->name_count++;
    }
    return cert;
}

/* Assign, and record what each folder is for, as the keeper does. */
static void
assign(struct scene *scene)
{
    struct acme_buffer entry = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct acme_error err;

    assert_true(acme_store_assign(&scene->settings, &err));
    for (size_t i = 0; i < scene->settings.cert_count; i++) {
        acme_buffer_clear(&entry);
        assert_true(acme_store_entry(&scene->settings, &scene->certs[i],
            &entry));
        assert_true(acme_store_entry_write(scene->store,
            scene->certs[i].folder, acme_buffer_bytes(&entry), &err));
    }
    acme_buffer_free(&entry);
}

static void
expect(const struct scene *scene, size_t at, const char *folder)
{
    assert_string_equal(scene->certs[at].folder, folder);
}

static void
an_entry_says_ca_key_and_sorted_names(void **state)
{
    struct scene *scene = *state;
    struct acme_buffer entry = ACME_BUFFER(1000);
    struct acme_settings_cert *cert = add(scene, "b.test", "a.test", NULL);

    cert->ca = 1;
    cert->key_types[0] = ACME_KEY_RSA_2048;
    assert_true(acme_store_entry(&scene->settings, cert, &entry));
    assert_string_equal(acme_buffer_text(&entry), "ca https://two.test/dir\n"
        "key rsa:2048\nname a.test\nname b.test\n");

    acme_buffer_clear(&entry);
    cert->key_types[0] = ACME_KEY_ECDSA_256;
    cert->key_types[1] = ACME_KEY_RSA_4096;
    assert_true(acme_store_entry(&scene->settings, cert, &entry));
    assert_string_equal(acme_buffer_text(&entry), "ca https://two.test/dir\n"
        "key ecdsa:256 rsa:4096\nname a.test\nname b.test\n");
    acme_buffer_free(&entry);
}

static void
a_folder_is_called_after_the_first_name(void **state)
{
    struct scene *scene = *state;

    add(scene, "b.test", "a.test", NULL);
    add(scene, "a.test", NULL, NULL);
    add(scene, "b.test", NULL, NULL);
    add(scene, "b.test", "c.test", NULL);
    assign(scene);
    expect(scene, 0, "b.test");
    expect(scene, 1, "a.test");
    expect(scene, 2, "b.test-2");
    expect(scene, 3, "b.test-3");
}

static void
assigning_writes_nothing(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    add(scene, "a.test", NULL, NULL);
    assert_true(acme_store_assign(&scene->settings, &err));
    assert_false(is_there(scene->scratch, "certs/a.test"));
}

static void
the_order_of_the_configuration_does_not_matter(void **state)
{
    struct scene *scene = *state;

    add(scene, "a.test", NULL, NULL);
    add(scene, "a.test", "b.test", NULL);
    add(scene, "a.test", "c.test", NULL);
    assign(scene);
    forget_configuration(scene);

    add(scene, "a.test", "c.test", NULL);
    add(scene, "a.test", "b.test", NULL);
    add(scene, "a.test", NULL, NULL);
    assign(scene);
    expect(scene, 0, "a.test-3");
    expect(scene, 1, "a.test-2");
    expect(scene, 2, "a.test");
}

static void
the_order_of_names_does_not_matter(void **state)
{
    struct scene *scene = *state;

    add(scene, "a.test", "b.test", "c.test");
    add(scene, "a.test", "d.test", NULL);
    assign(scene);
    forget_configuration(scene);

    add(scene, "a.test", "d.test", NULL);
    add(scene, "a.test", "c.test", "b.test");
    assign(scene);
    expect(scene, 0, "a.test-2");
    expect(scene, 1, "a.test");
}

static void
changed_names_keep_their_folder(void **state)
{
    struct scene *scene = *state;

    add(scene, "a.test", NULL, NULL);
    add(scene, "a.test", "b.test", NULL);
    assign(scene);
    forget_configuration(scene);

    /* the one that did not change keeps its own, wherever it stands */
    add(scene, "a.test", "new.test", NULL);
    add(scene, "a.test", NULL, NULL);
    assign(scene);
    expect(scene, 0, "a.test-2");
    expect(scene, 1, "a.test");
}

static void
a_changed_key_or_ca_keeps_its_folder(void **state)
{
    struct scene *scene = *state;

    add(scene, "a.test", NULL, NULL);
    add(scene, "a.test", "b.test", NULL);
    assign(scene);
    forget_configuration(scene);

    add(scene, "a.test", "b.test", NULL)->key_types[0] = ACME_KEY_RSA_2048;
    add(scene, "a.test", NULL, NULL)->ca = 1;
    assign(scene);
    expect(scene, 0, "a.test-2");
    expect(scene, 1, "a.test");
}

static void
the_same_names_with_two_keys_keep_theirs(void **state)
{
    struct scene *scene = *state;

    add(scene, "a.test", NULL, NULL);
    add(scene, "a.test", NULL, NULL)->key_types[0] = ACME_KEY_RSA_2048;
    assign(scene);
    forget_configuration(scene);

    add(scene, "a.test", NULL, NULL)->key_types[0] = ACME_KEY_RSA_2048;
    add(scene, "a.test", NULL, NULL);
    assign(scene);
    expect(scene, 0, "a.test-2");
    expect(scene, 1, "a.test");
}

static void
a_new_certificate_takes_nobodys_folder(void **state)
{
    struct scene *scene = *state;

    add(scene, "a.test", "b.test", NULL);
    assign(scene);
    forget_configuration(scene);

    add(scene, "a.test", "c.test", NULL);
    add(scene, "a.test", "b.test", NULL);
    assign(scene);
    expect(scene, 0, "a.test-2");
    expect(scene, 1, "a.test");
}

static void
a_name_that_looks_like_an_ordinal_is_told_apart(void **state)
{
    struct scene *scene = *state;

    add(scene, "a.test", NULL, NULL);
    add(scene, "a.test", "b.test", NULL);
    add(scene, "a.test-2", NULL, NULL);
    assign(scene);
    expect(scene, 1, "a.test-2");
    expect(scene, 2, "a.test-2-2");
    forget_configuration(scene);

    add(scene, "a.test-2", NULL, NULL);
    add(scene, "a.test", "b.test", NULL);
    assign(scene);
    expect(scene, 0, "a.test-2-2");
    expect(scene, 1, "a.test-2");
}

static void
a_name_in_front_or_taken_from_it_keeps_the_folder(void **state)
{
    struct scene *scene = *state;

    add(scene, "a.test", "b.test", NULL);
    add(scene, "d.test", NULL, NULL);
    assign(scene);
    forget_configuration(scene);

    add(scene, "d.test", NULL, NULL);
    add(scene, "c.test", "b.test", "a.test");
    assign(scene);
    expect(scene, 0, "d.test");
    expect(scene, 1, "a.test");
    forget_configuration(scene);

    add(scene, "b.test", NULL, NULL);
    add(scene, "d.test", NULL, NULL);
    assign(scene);
    expect(scene, 0, "a.test");
}

static void
a_folder_goes_to_who_has_most_names_in_common(void **state)
{
    struct scene *scene = *state;

    add(scene, "a.test", "x.test", NULL);
    add(scene, "b.test", "x.test", "y.test");
    assign(scene);
    forget_configuration(scene);

    add(scene, "x.test", "y.test", NULL);
    add(scene, "n.test", NULL, NULL);
    assign(scene);
    expect(scene, 0, "b.test");
    expect(scene, 1, "n.test");
}

static void
a_damaged_entry_is_like_another_one(void **state)
{
    struct scene *scene = *state;

    add(scene, "a.test", NULL, NULL);
    assign(scene);
    forget_configuration(scene);
    scribble(scene->scratch, "certs/a.test/entry", "\x01 garbage");
    add(scene, "a.test", NULL, NULL);
    assign(scene);
    expect(scene, 0, "a.test");
    forget_configuration(scene);

    assert_int_equal(unlinkat(scene->scratch->fd, "certs/a.test/entry", 0),
        0);
    assert_int_equal(mkfifoat(scene->scratch->fd, "certs/a.test/entry",
        0600), 0);
    add(scene, "a.test", NULL, NULL);
    assign(scene);
    expect(scene, 0, "a.test");
}

static void
without_a_store_folders_go_by_ordinal(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;
    char nowhere[100];

    snprintf(nowhere, sizeof(nowhere), "%s/nowhere", scene->scratch->path);
    scene->settings.state_path = nowhere;
    add(scene, "a.test", NULL, NULL);
    add(scene, "a.test", "b.test", NULL);
    assert_true(acme_store_assign(&scene->settings, &err));
    assert_true(acme_store_assign(&scene->settings, &err));
    expect(scene, 0, "a.test");
    expect(scene, 1, "a.test-2");
}

static void
the_longest_name_has_room_for_an_ordinal(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;
    char name[254];

    memset(name, 'x', 253);
    name[253] = '\0';
    add(scene, name, NULL, NULL);
    add(scene, name, "b.test", NULL);
    add(scene, name, "c.test", NULL);
    assert_true(acme_store_assign(&scene->settings, &err));
    assert_int_equal(strlen(scene->certs[2].folder), 255);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_entry_says_ca_key_and_sorted_names),
        TEST(a_folder_is_called_after_the_first_name),
        TEST(assigning_writes_nothing),
        TEST(the_order_of_the_configuration_does_not_matter),
        TEST(the_order_of_names_does_not_matter),
        TEST(changed_names_keep_their_folder),
        TEST(a_changed_key_or_ca_keeps_its_folder),
        TEST(the_same_names_with_two_keys_keep_theirs),
        TEST(a_new_certificate_takes_nobodys_folder),
        TEST(a_name_that_looks_like_an_ordinal_is_told_apart),
        TEST(a_name_in_front_or_taken_from_it_keeps_the_folder),
        TEST(a_folder_goes_to_who_has_most_names_in_common),
        TEST(a_damaged_entry_is_like_another_one),
        TEST(without_a_store_folders_go_by_ordinal),
        TEST(the_longest_name_has_room_for_an_ordinal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
