/* Whether what is in service is what the settings ask for. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "format/time_text.h"
#include "scene.h"

enum { YEAR = 365 * DAY };

/* Put a pair in service as obtained then from this CA; now is `now`. */
static void
put_in_service(struct scene *scene, const char *ca_url, const char *meta)
{
    struct acme_buffer chain = { 0 }, key = { 0 };
    struct acme_leaf leaf = { .not_after = NOW + YEAR };
    struct acme_buffer json = ACME_BUFFER(4096);
    struct acme_settings_ca ca = { .url = (char *) ca_url };
    struct account account = { .ca = &ca };
    struct job job = { .account = &account, .cert = &scene->cert };
    struct acme_error err;
    unsigned number;

    make_pair(&chain, &key, NOW);
    strcpy(leaf.serial, "01ab");
    assert_true(service_meta(&job, &leaf, NOW - 5, &json));
    assert_true(acme_store_install(scene->keeper.store, "example.test",
        acme_bytes_of("entry"), &(struct acme_pair) {
            acme_buffer_bytes(&chain), acme_buffer_bytes(&key),
            meta != NULL ? acme_bytes_of(meta) : acme_buffer_bytes(&json) },
        1, NOW, &number, &err));
    acme_buffer_free(&json);
    acme_buffer_free(&chain);
    acme_buffer_wipe(&key);
}

static bool
is_current(struct scene *scene)
{
    scene->line_count = 0;
    scene->job.served = false;
    scene->job.cert = &scene->cert;
    scene->job.account = &scene->account;
    scene->job.keygen_fd = -1;
    scene->job.log = (struct acme_log) { .parent = &scene->keeper.log };
    return service_is_current(&scene->job, &scene->keeper);
}

static void
nothing_in_service_is_not_worth_a_word(void **state)
{
    struct scene *scene = *state;

    assert_false(is_current(scene));
    assert_false(scene->job.served);
    assert_int_equal(scene->line_count, 0);
}

static void
what_fits_is_current_until_it_is_due(void **state)
{
    struct scene *scene = *state;

    put_in_service(scene, BASE "/dir", NULL);
    assert_true(is_current(scene));
    assert_true(scene->job.served);
    assert_int_equal(scene->job.not_before, NOW - 3600);
    assert_int_equal(scene->job.not_after, NOW + YEAR);
    assert_int_equal(scene->job.obtained_at, NOW - 5);
    assert_int_equal(scene->line_count, 0);

    scene->keeper.now = acme_plan_spread(acme_plan_renew_at(NOW - 3600,
        NOW + YEAR), NOW - 3600, NOW + YEAR, NOW - 5, "example.test") - 1;
    assert_true(is_current(scene));
    scene->keeper.now++;
    assert_false(is_current(scene));
    assert_true(scene->job.served);
    /* due is no fault of it */
    assert_int_equal(scene->line_count, 0);
}

static void
a_name_that_was_added_makes_it_due_and_it_goes_on_serving(void **state)
{
    struct scene *scene = *state;

    put_in_service(scene, BASE "/dir", NULL);
    scene->cert.name_count = 2;
    assert_false(is_current(scene));
    assert_true(scene->job.served);
    assert_true(logged(scene, "www.example.test is not in it"));
}

static void
another_key_type_makes_it_due(void **state)
{
    struct scene *scene = *state;

    put_in_service(scene, BASE "/dir", NULL);
    scene->cert.key_types[0] = ACME_KEY_RSA_2048;
    assert_false(is_current(scene));
    assert_true(scene->job.served);
    assert_true(logged(scene, "acme_key is now rsa:2048"));
}

static void
a_revoked_one_is_due_and_goes_on_serving(void **state)
{
    struct scene *scene = *state;
    struct acme_buffer der = ACME_BUFFER(ACME_STORE_FILE_MAX);
    char serial[64];
    struct acme_error err;

    put_in_service(scene, BASE "/dir", NULL);
    assert_true(is_current(scene));
    assert_true(service_revocable(&scene->job, &scene->keeper, &der, serial,
        &err));
    assert_true(der.len > 100 && der.at[0] == 0x30);
    strcpy(scene->job.plan.revoked, "00");
    assert_true(is_current(scene));
    strcpy(scene->job.plan.revoked, serial);
    assert_false(is_current(scene));
    assert_true(scene->job.served);
    assert_false(scene->job.fits);
    assert_true(logged(scene, "to be replaced: it is revoked"));
    acme_buffer_free(&der);
}

static void
what_is_not_there_or_of_another_ca_is_not_revoked(void **state)
{
    struct scene *scene = *state;
    struct acme_buffer der = ACME_BUFFER(ACME_STORE_FILE_MAX);
    char serial[64];
    struct acme_error err;

    assert_false(is_current(scene));
    assert_false(service_revocable(&scene->job, &scene->keeper, &der, serial,
        &err));
    put_in_service(scene, "https://other.test/dir", NULL);
    assert_false(service_revocable(&scene->job, &scene->keeper, &der, serial,
        &err));
    assert_non_null(strstr(err.text, "of another CA than ca.test"));
    acme_buffer_free(&der);
}

static void
an_older_one_serves_for_a_damaged_one_and_is_to_be_replaced(void **state)
{
    struct scene *scene = *state;
    char cert_id[ACME_CERT_ID_MAX + 1];
    struct acme_error err;

    put_in_service(scene, BASE "/dir", NULL);
    put_in_service(scene, BASE "/dir", NULL);
    assert_true(is_current(scene));
    scribble(scene, "certs/example.test/2/privkey.pem", "garbage");
    assert_false(is_current(scene));
    assert_true(scene->job.served);
    assert_false(scene->job.fits);
    assert_int_equal(scene->job.not_after, NOW + YEAR);
    assert_true(logged(scene, "to be replaced: /tmp/")
        && logged(scene, "/2/fullchain.pem: ")
        && logged(scene, "/1/fullchain.pem is served in its place"));
    /* the CA would not hear of it as a predecessor, or as this order's end */
    assert_false(service_predecessor(&scene->job, &scene->keeper, cert_id));
    scene->job.key = acme_key_read(acme_bytes_of(content_of(scene,
        "certs/example.test/1/privkey.pem")), &err);
    assert_non_null(scene->job.key);
    assert_false(service_has_key(&scene->job, &scene->keeper));
    scribble(scene, "certs/example.test/1/privkey.pem", "garbage");
    assert_false(is_current(scene));
    assert_false(scene->job.served);
}

static void
another_ca_makes_it_due(void **state)
{
    struct scene *scene = *state;

    put_in_service(scene, "https://staging.test/dir", NULL);
    assert_false(is_current(scene));
    assert_true(scene->job.served);
    assert_true(logged(scene, "acme_ca is now ca.test"));
}

static void
another_profile_makes_it_due(void **state)
{
    struct scene *scene = *state;

    put_in_service(scene, BASE "/dir", NULL);
    scene->cert.profile = (char *) "shortlived";
    assert_false(is_current(scene));
    assert_true(scene->job.served);
    assert_true(logged(scene, "acme_profile is now shortlived"));
    put_in_service(scene, BASE "/dir", "{\"ca\":\"" BASE "/dir\","
        "\"profile\":\"shortlived\",\"proven_by\":\"tls-alpn-01\"}");
    assert_true(is_current(scene));
    assert_int_equal(scene->job.proven_by, ACME_TLS_ALPN_01);
    scene->cert.profile = NULL;
    assert_false(is_current(scene));
    assert_true(logged(scene, "acme_profile is now the CA's default"));
}

static const char *const metas[] = {
    "", "garbage", "[]", "{}", "{\"ca\":7,\"obtained\":7}",
    "{\"obtained\":\"yesterday\"}", "{\"ca\":\"a\\nb\"}",
};

static void
without_a_readable_meta_it_is_taken_as_ours(void **state)
{
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof(metas) / sizeof(metas[0]); i++) {
        put_in_service(scene, BASE "/dir", metas[i]);
        if (!is_current(scene)) {
            fail_msg("\"%s\"", metas[i]);
        }
        assert_int_equal(scene->job.obtained_at, 0);
    }
}

static const struct {
    const char *what;
    const char *file;
    const char *content;
} damages[] = {
    { "chain of garbage", "fullchain.pem", "garbage" },
    { "empty chain", "fullchain.pem", "" },
    { "key of garbage", "privkey.pem", "SECRET" },
    { "empty key", "privkey.pem", "" },
};

static void
a_damaged_pair_counts_as_none(void **state)
{
    struct scene *scene = *state;
    char path[128];

    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        put_in_service(scene, BASE "/dir", NULL);
        snprintf(path, sizeof(path), "live/example.test/%s",
            damages[i].file);
        scribble(scene, path, damages[i].content);
        if (is_current(scene) || scene->job.served) {
            fail_msg("%s is in service", damages[i].what);
        }
        assert_int_equal(scene->line_count, 1);
        assert_true(logged(scene, "is to be replaced"));
        assert_false(logged(scene, "SECRET"));
    }
}

static void
meta_says_where_and_when_it_came_from(void **state)
{
    struct scene *scene = *state;

    put_in_service(scene, BASE "/dir", NULL);
    assert_string_equal(content_of(scene, "live/example.test/meta.json"),
        "{\"ca\":\"" BASE "/dir\",\"obtained\":\"2023-11-14T22:13:15Z\","
        "\"not_after\":\"2024-11-13T22:13:20Z\",\"serial\":\"01ab\"}");
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, scene_make, scene_remove)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_in_service_is_not_worth_a_word),
        TEST(what_fits_is_current_until_it_is_due),
        TEST(a_name_that_was_added_makes_it_due_and_it_goes_on_serving),
        TEST(another_key_type_makes_it_due),
        TEST(a_revoked_one_is_due_and_goes_on_serving),
        TEST(what_is_not_there_or_of_another_ca_is_not_revoked),
        TEST(an_older_one_serves_for_a_damaged_one_and_is_to_be_replaced),
        TEST(another_ca_makes_it_due),
        TEST(another_profile_makes_it_due),
        TEST(without_a_readable_meta_it_is_taken_as_ours),
        TEST(a_damaged_pair_counts_as_none),
        TEST(meta_says_where_and_when_it_came_from),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
