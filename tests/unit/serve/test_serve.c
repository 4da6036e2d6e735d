/* What workers and masters ask: proofs by path, certificates by store. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../chain_of.h"
#include "crypto/placeholder.h"
#include "crypto/x509.h"
#include "serve/serve.h"
#include "store/store.h"

#define NOW INT64_C(1700000000)
#define PREFIX "/.well-known/acme-challenge/"
#define TOKEN "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"

/* ---- http-01 */

static const struct {
    const char *what;
    const char *path;
    bool found;
} paths[] = {
    { "the token", PREFIX TOKEN, true },
    { "unknown token", PREFIX "x" TOKEN, false },
    { "beginning of the token", PREFIX "evaGxfADs6pSRb2LAv9IZf17", false },
    { "more behind it", PREFIX TOKEN "x", false },
    { "slash behind it", PREFIX TOKEN "/", false },
    { "query", PREFIX TOKEN "?x=1", false },
    { "fragment", PREFIX TOKEN "#x", false },
    { "line break", PREFIX TOKEN "\r\n", false },
    { "no token", PREFIX, false },
    { "no slash", "/.well-known/acme-challenge", false },
    { "two slashes", PREFIX "/" TOKEN, false },
    { "slashes before", "//.well-known/acme-challenge/" TOKEN, false },
    { "capitals", "/.Well-Known/acme-challenge/" TOKEN, false },
    { "percent", "/%2ewell-known/acme-challenge/" TOKEN, false },
    { "token with percent", PREFIX "%65vaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-"
        "PCt92wr-oA", false },
    { "dots", PREFIX "../acme-challenge/" TOKEN, false },
    { "upwards", PREFIX "../../etc/passwd", false },
    { "whole URL", "http://a.test" PREFIX TOKEN, false },
    { "below a folder", "/a" PREFIX TOKEN, false },
    { "root", "/", false },
    { "empty", "", false },
    { "not ASCII", PREFIX "\xff\xfe", false },
};

static struct acme_page *
map_page(void)
{
    struct acme_page *page;
    struct acme_error err;
    int fd;

    assert_true(acme_page_make(&fd, &err));
    page = acme_page_map_writer(fd, &err);
    assert_non_null(page);
    close(fd);
    return page;
}

static void
only_the_very_path_is_answered(void **state)
{
    struct acme_page *page = map_page();
    char body[ACME_KEY_AUTH_MAX + 1];
    struct acme_error err;
    size_t len;

    (void) state;
    assert_true(acme_page_publish(page, acme_bytes_of(TOKEN),
        acme_bytes_of(TOKEN ".print"), &err));
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (acme_serve_http01(page, paths[i].path, strlen(paths[i].path),
                body, &len) != paths[i].found) {
            fail_msg("%s", paths[i].what);
        }
    }
    assert_true(acme_serve_http01(page, PREFIX TOKEN,
        strlen(PREFIX TOKEN), body, &len));
    assert_string_equal(body, TOKEN ".print");
    assert_int_equal(len, strlen(body));
    acme_page_unmap(page);
}

static void
a_path_ends_where_its_length_says(void **state)
{
    struct acme_page *page = map_page();
    char body[ACME_KEY_AUTH_MAX + 1];
    struct acme_error err;
    char *exact;
    size_t len;

    (void) state;
    assert_true(acme_page_publish(page, acme_bytes_of("one"),
        acme_bytes_of("one.print"), &err));
    assert_true(acme_serve_http01(page, PREFIX "one HTTP/1.1",
        strlen(PREFIX "one"), body, &len));
    assert_false(acme_serve_http01(page, PREFIX "one\0",
        strlen(PREFIX "one") + 1, body, &len));
    /* every beginning of it, with nothing readable behind */
    for (size_t i = 0; i < strlen(PREFIX "one"); i++) {
        exact = malloc(i + 1);
        memcpy(exact, PREFIX "one", i);
        assert_false(acme_serve_http01(page, exact, i, body, &len));
        free(exact);
    }
    acme_page_unmap(page);
}

static void
a_huge_path_and_no_page_are_not_ours(void **state)
{
    struct acme_page *page = map_page();
    char body[ACME_KEY_AUTH_MAX + 1];
    static char path[1024 * 1024];
    struct acme_error err;
    size_t len;

    (void) state;
    memset(path, 'a', sizeof(path));
    memcpy(path, PREFIX, strlen(PREFIX));
    assert_true(acme_page_publish(page, acme_bytes_of("one"),
        acme_bytes_of("one.print"), &err));
    assert_false(acme_serve_http01(page, path, sizeof(path), body, &len));
    assert_false(acme_serve_http01(NULL, PREFIX "one", strlen(PREFIX "one"),
        body, &len));
    acme_page_unmap(page);
}

/* ---- hellos */

#define ACME_ALPN "\0\x0b\x0a" "acme-tls/1"

static const struct {
    const char *what;
    struct acme_hello hello;
    bool found;
} hellos[] = {
#define B(literal) { (const uint8_t *) (literal), sizeof(literal) - 1 }
    { "the CA's", { B("\0\x09\0\0\x06" "a.test"), B(ACME_ALPN) }, true },
    { "the CA's, shouting", { B("\0\x09\0\0\x06" "A.TEST"),
        B(ACME_ALPN) }, true },
    { "for another name", { B("\0\x09\0\0\x06" "b.test"), B(ACME_ALPN) },
        false },
    { "without a name", { { NULL, 0 }, B(ACME_ALPN) }, false },
    { "a browser's", { B("\0\x09\0\0\x06" "a.test"), B("\0\x03\x02h2") },
        false },
    { "one that offers more", { B("\0\x09\0\0\x06" "a.test"),
        B("\0\x0e\x0a" "acme-tls/1\x02h2") }, false },
    { "without protocols", { B("\0\x09\0\0\x06" "a.test"), { NULL, 0 } },
        false },
#undef B
};

static void
only_the_hello_of_a_ca_finds_a_pair(void **state)
{
    struct acme_page_alpn pair = { 3, 4, "crt", "key4" }, found;
    struct acme_page *page = map_page();
    struct acme_error err;

    (void) state;
    assert_false(acme_serve_alpn01(NULL, &hellos[0].hello, &found));
    assert_false(acme_serve_alpn01(page, &hellos[0].hello, &found));
    assert_true(acme_page_publish_alpn(page, acme_bytes_of("a.test"),
        acme_bytes_of(TOKEN), &pair, &err));
    for (size_t i = 0; i < sizeof(hellos) / sizeof(hellos[0]); i++) {
        if (acme_serve_alpn01(page, &hellos[i].hello, &found)
            != hellos[i].found) {
            fail_msg("%s", hellos[i].what);
        }
    }
    assert_int_equal(found.cert_len, 3);
    assert_int_equal(found.key_len, 4);
    assert_memory_equal(found.cert, "crt", 3);
    assert_memory_equal(found.key, "key4", 4);
    acme_page_unmap(page);
}

/* ---- certificates */

struct scene {
    char path[64];
    struct acme_settings settings;
    struct acme_settings_cert cert;
    char *names[1];
    struct acme_store *store;
    struct acme_serve_cert served;
    char warning[1024];
    int warnings;
};

static void
take_warning(void *ctx, const char *text)
{
    struct scene *scene = ctx;

    snprintf(scene->warning, sizeof(scene->warning), "%s", text);
    scene->warnings++;
}

static int
setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    struct acme_error err;

    strcpy(scene->path, "/tmp/acme-test-XXXXXX");
    assert_non_null(mkdtemp(scene->path));
    scene->names[0] = (char *) "a.test";
    scene->cert.names = scene->names;
    scene->cert.name_count = 1;
    scene->cert.folder = (char *) "a.test";
    scene->settings.state_path = scene->path;
    scene->store = acme_store_open(scene->path, &err);
    assert_non_null(scene->store);
    *state = scene;
    return 0;
}

static int
teardown(void **state)
{
    struct scene *scene = *state;
    char command[128];

    acme_serve_cert_free(&scene->served);
    acme_store_close(scene->store);
    snprintf(command, sizeof(command), "rm -rf '%s'", scene->path);
    assert_int_equal(system(command), 0);
    free(scene);
    return 0;
}

static void
serve(struct scene *scene)
{
    struct acme_error err;

    acme_serve_cert_free(&scene->served);
    scene->warnings = 0;
    assert_true(acme_serve_cert(&scene->settings, &scene->cert, NOW,
        take_warning, scene, &scene->served, &err));
}

/* Install these; NULL: those of a pair made for it. */
static void
install(struct scene *scene, const char *chain, const char *key)
{
    struct acme_buffer good_chain = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct acme_buffer good_key = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct acme_error err;
    unsigned number;

    assert_true(acme_placeholder_write("a.test", NOW, &good_chain, &good_key,
        &err));
    assert_true(acme_store_install(scene->store, "a.test",
        acme_bytes_of("entry"), &(struct acme_pair) { chain != NULL
                ? acme_bytes_of(chain) : acme_buffer_bytes(&good_chain),
            key != NULL ? acme_bytes_of(key) : acme_buffer_bytes(&good_key),
            acme_bytes_of("{}") }, 1, NOW, &number, &err));
    acme_buffer_free(&good_chain);
    acme_buffer_wipe(&good_key);
}

static void
expect_placeholder(struct scene *scene)
{
    struct acme_leaf leaf;
    struct acme_error err;

    assert_true(scene->served.placeholder);
    assert_int_equal(scene->served.pair_count, 0);
    assert_true(acme_pair_matches(acme_buffer_bytes(&scene->served.cert_pem),
        acme_buffer_bytes(&scene->served.key_pem), &err));
    assert_true(acme_leaf_read(acme_buffer_bytes(&scene->served.cert_pem),
        &leaf, &err));
    assert_true(acme_leaf_covers(&leaf,
        (const char *const *) scene->cert.names, 1, &(const char *) { 0 }));
    assert_true(leaf.not_before < NOW && leaf.not_after > NOW);
    acme_leaf_free(&leaf);
}

static void
without_a_certificate_a_placeholder_is_served_silently(void **state)
{
    struct scene *scene = *state;
    char nowhere[100];

    serve(scene);
    expect_placeholder(scene);
    assert_int_equal(scene->warnings, 0);

    snprintf(nowhere, sizeof(nowhere), "%s/nowhere", scene->path);
    scene->settings.state_path = nowhere;
    serve(scene);
    expect_placeholder(scene);
    assert_int_equal(scene->warnings, 0);
    assert_int_equal(access(nowhere, F_OK), -1);
}

static void
the_newest_generation_is_served_by_its_own_path(void **state)
{
    struct scene *scene = *state;
    char expected[128];

    install(scene, NULL, NULL);
    install(scene, NULL, NULL);
    serve(scene);
    assert_false(scene->served.placeholder);
    snprintf(expected, sizeof(expected), "%s/certs/a.test/2/fullchain.pem",
        scene->path);
    assert_int_equal(scene->served.pair_count, 1);
    assert_string_equal(scene->served.pairs[0].cert_path, expected);
    snprintf(expected, sizeof(expected), "%s/certs/a.test/2/privkey.pem",
        scene->path);
    assert_string_equal(scene->served.pairs[0].key_path, expected);
    assert_int_equal(scene->served.key_pem.len, 0);
    assert_int_equal(scene->warnings, 0);
}

static void
an_expired_certificate_is_still_served(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    install(scene, NULL, NULL);
    acme_serve_cert_free(&scene->served);
    assert_true(acme_serve_cert(&scene->settings, &scene->cert,
        NOW + 10 * INT64_C(31536000), take_warning, scene, &scene->served,
        &err));
    assert_false(scene->served.placeholder);
}

static const struct {
    const char *what;
    const char *chain;
    const char *key;
} damaged[] = {
    { "empty chain", "", NULL },
    { "empty key", NULL, "" },
    { "garbage as chain", "-----BEGIN CERTIFICATE-----\nAAAA\n"
        "-----END CERTIFICATE-----\n", NULL },
    { "garbage as key", NULL, "-----BEGIN PRIVATE KEY-----\nAAAA\n"
        "-----END PRIVATE KEY-----\n" },
    { "zeros", "\0", "\0" },
};

static void
a_damaged_pair_is_a_warning_and_a_placeholder(void **state)
{
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
        install(scene, damaged[i].chain, damaged[i].key);
        serve(scene);
        if (!scene->served.placeholder || scene->warnings != 1
            || strstr(scene->warning,
                "the stored certificate of a.test cannot be served") == NULL) {
            fail_msg("%s: %d warnings, \"%s\"", damaged[i].what,
                scene->warnings, scene->warning);
        }
        assert_null(strstr(scene->warning, "AAAA"));
        expect_placeholder(scene);
    }
}

static void
a_key_of_another_certificate_is_not_served(void **state)
{
    struct acme_buffer chain = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct acme_buffer key = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct scene *scene = *state;
    struct acme_error err;

    assert_true(acme_placeholder_write("a.test", NOW, &chain, &key, &err));
    install(scene, NULL, acme_buffer_text(&key));
    serve(scene);
    assert_int_equal(scene->warnings, 1);
    expect_placeholder(scene);
    acme_buffer_free(&chain);
    acme_buffer_wipe(&key);
}

static void
a_live_link_that_leads_elsewhere_is_not_followed(void **state)
{
    struct scene *scene = *state;
    char path[128];

    install(scene, NULL, NULL);
    snprintf(path, sizeof(path), "%s/live/a.test", scene->path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("../certs/b.test/1", path), 0);
    serve(scene);
    assert_int_equal(scene->warnings, 1);
    assert_non_null(strstr(scene->warning, "live/a.test"));
    assert_non_null(strstr(scene->served.pairs[0].cert_path,
        "/certs/a.test/1/fullchain.pem"));
}

/* ---- two key types */

enum { FIRST, SECOND, LIFE = 90 * 86400 };

/* Install an ECDSA and an RSA pair that end then. */
static void
install_two(struct scene *scene, int64_t ecdsa_end, int64_t rsa_end)
{
    static const enum acme_key_type types[] = { ACME_KEY_ECDSA_256,
        ACME_KEY_RSA_2048 };
    const int64_t ends[] = { ecdsa_end, rsa_end };
    struct acme_buffer chains[2], keys[2];
    struct acme_pair pairs[2];
    struct acme_error err;
    unsigned number;

    for (size_t i = 0; i < 2; i++) {
        struct acme_key *key = acme_key_new(types[i], &err);

        chains[i] = chain_of(key, "a.test", ends[i] - LIFE, ends[i]);
        keys[i] = pem_of(key);
        pairs[i] = (struct acme_pair) { acme_buffer_bytes(&chains[i]),
            acme_buffer_bytes(&keys[i]), acme_bytes_of("{}") };
        acme_key_free(key);
    }
    assert_true(acme_store_install(scene->store, "a.test",
        acme_bytes_of("entry"), pairs, 2, NOW, &number, &err));
    for (size_t i = 0; i < 2; i++) {
        acme_buffer_free(&chains[i]);
        acme_buffer_wipe(&keys[i]);
    }
    scene->cert.key_types[0] = ACME_KEY_ECDSA_256;
    scene->cert.key_types[1] = ACME_KEY_RSA_2048;
}

static bool
is_served(const struct scene *scene, int place)
{
    static const char *const chains[] = { "/fullchain.pem",
        "/fullchain.rsa.pem" };
    static const char *const keys[] = { "/privkey.pem", "/privkey.rsa.pem" };

    for (size_t i = 0; i < scene->served.pair_count; i++) {
        const struct acme_serve_pair *pair = &scene->served.pairs[i];

        if (strstr(pair->cert_path, chains[place]) != NULL) {
            assert_non_null(strstr(pair->key_path, keys[place]));
            return true;
        }
    }
    return false;
}

static void
expect_served(const struct scene *scene, bool ecdsa, bool rsa, int warnings)
{
    assert_int_equal(is_served(scene, FIRST), ecdsa);
    assert_int_equal(is_served(scene, SECOND), rsa);
    assert_int_equal(scene->served.pair_count, ecdsa + rsa);
    assert_int_equal(scene->warnings, warnings);
}

static void
damage(const struct scene *scene, const char *file)
{
    char path[128];
    FILE *out;

    snprintf(path, sizeof(path), "%s/live/a.test/%s", scene->path, file);
    out = fopen(path, "w");
    assert_non_null(out);
    fputs("garbage", out);
    fclose(out);
}

static void
both_key_types_are_served(void **state)
{
    struct scene *scene = *state;

    install_two(scene, NOW + LIFE, NOW + LIFE);
    serve(scene);
    expect_served(scene, true, true, 0);
    assert_non_null(strstr(scene->served.pairs[0].cert_path, "/1/fullchain.pem"));
}

static void
a_damaged_half_leaves_the_other_one_in_service(void **state)
{
    struct scene *scene = *state;

    install_two(scene, NOW + LIFE, NOW + LIFE);
    damage(scene, "fullchain.rsa.pem");
    serve(scene);
    expect_served(scene, true, false, 1);
    assert_non_null(strstr(scene->warning,
        "the stored certificate of a.test cannot be served"));
    assert_non_null(strstr(scene->warning, "/1/fullchain.rsa.pem: "));

    install_two(scene, NOW + LIFE, NOW + LIFE);
    damage(scene, "privkey.pem");
    serve(scene);
    expect_served(scene, true, true, 1);
    assert_non_null(strstr(scene->warning,
        "the stored certificate of a.test is damaged ("));
    assert_non_null(strstr(scene->warning, "/2/fullchain.pem: "));
    assert_non_null(strstr(scene->warning, "): the older "));
    assert_non_null(strstr(scene->warning,
        "/1/fullchain.pem is served in its place"));
    damage(scene, "privkey.rsa.pem");
    serve(scene);
    expect_served(scene, true, false, 2);
}

static void
an_expired_half_is_left_out_for_the_other_one(void **state)
{
    struct scene *scene = *state;

    install_two(scene, NOW + LIFE, NOW);
    serve(scene);
    expect_served(scene, true, false, 0);
    install_two(scene, NOW, NOW + LIFE);
    serve(scene);
    expect_served(scene, false, true, 0);
    install_two(scene, NOW, NOW);
    serve(scene);
    expect_served(scene, true, true, 0);
}

static void
a_type_that_is_taken_away_is_served_where_nothing_else_is(void **state)
{
    struct scene *scene = *state;

    install_two(scene, NOW + LIFE, NOW + LIFE);
    scene->cert.key_types[1] = ACME_KEY_NONE;
    serve(scene);
    expect_served(scene, true, false, 0);
    scene->cert.key_types[0] = ACME_KEY_RSA_4096;
    serve(scene);
    expect_served(scene, false, true, 0);
    damage(scene, "privkey.rsa.pem");
    serve(scene);
    expect_served(scene, true, false, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_very_path_is_answered),
        cmocka_unit_test(a_path_ends_where_its_length_says),
        cmocka_unit_test(a_huge_path_and_no_page_are_not_ours),
        cmocka_unit_test(only_the_hello_of_a_ca_finds_a_pair),
        TEST(without_a_certificate_a_placeholder_is_served_silently),
        TEST(the_newest_generation_is_served_by_its_own_path),
        TEST(an_expired_certificate_is_still_served),
        TEST(a_damaged_pair_is_a_warning_and_a_placeholder),
        TEST(a_key_of_another_certificate_is_not_served),
        TEST(a_live_link_that_leads_elsewhere_is_not_followed),
        TEST(both_key_types_are_served),
        TEST(a_damaged_half_leaves_the_other_one_in_service),
        TEST(an_expired_half_is_left_out_for_the_other_one),
        TEST(a_type_that_is_taken_away_is_served_where_nothing_else_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
