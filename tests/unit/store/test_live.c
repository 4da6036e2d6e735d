/* What is in service, and what is in its place when that is damaged. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "../chain_of.h"
#include "scratch.h"
#include "store/live.h"

#define NOW INT64_C(1700000000)

enum { DAY = 24 * 3600, LIFE = 90 * DAY };

struct scene {
    struct scratch *scratch;
    struct acme_store *store;
    struct acme_settings_cert cert;
    char *names[1];
    struct acme_live live;
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
    scene->names[0] = "a.test";
    scene->cert.folder = "a.test";
    scene->cert.names = scene->names;
    scene->cert.name_count = 1;
    scene->cert.key_types[0] = ACME_KEY_ECDSA_256;
    *state = scene;
    return 0;
}

static int
teardown(void **state)
{
    struct scene *scene = *state;
    void *scratch = scene->scratch;

    acme_live_free(&scene->live);
    acme_store_close(scene->store);
    scratch_remove(&scratch);
    free(scene);
    return 0;
}

/* A generation with pairs for this name that end then; 0: no second pair. */
static void
install(struct scene *scene, const char *name, int64_t ecdsa_end,
    int64_t rsa_end)
{
    static const enum acme_key_type types[] = { ACME_KEY_ECDSA_256,
        ACME_KEY_RSA_2048 };
    const int64_t ends[] = { ecdsa_end, rsa_end };
    struct acme_buffer chains[2], keys[2];
    struct acme_pair pairs[2];
    struct acme_error err;
    unsigned number;
    size_t count = rsa_end != 0 ? 2 : 1;

    for (size_t i = 0; i < count; i++) {
        struct acme_key *key = acme_key_new(types[i], &err);

        chains[i] = chain_of(key, name, ends[i] - LIFE, ends[i]);
        keys[i] = pem_of(key);
        pairs[i] = (struct acme_pair) { acme_buffer_bytes(&chains[i]),
            acme_buffer_bytes(&keys[i]), acme_bytes_of("{}") };
        acme_key_free(key);
    }
    assert_true(acme_store_install(scene->store, "a.test",
        acme_bytes_of("entry"), pairs, count, time(NULL), &number, &err));
    for (size_t i = 0; i < count; i++) {
        acme_buffer_free(&chains[i]);
        acme_buffer_wipe(&keys[i]);
    }
    scene->cert.key_types[1] = count == 2 ? ACME_KEY_RSA_2048 : ACME_KEY_NONE;
}

static void
damage(const struct scene *scene, unsigned number, const char *file)
{
    char path[64];

    snprintf(path, sizeof(path), "certs/a.test/%u/%s", number, file);
    scribble(scene->scratch, path, "garbage");
}

static void
point_to(const struct scene *scene, const char *target)
{
    unlinkat(scene->scratch->fd, "live/a.test", 0);
    assert_int_equal(symlinkat(target, scene->scratch->fd, "live/a.test"), 0);
}

/* Which generation a pair is read from; 0: from none. */
static unsigned
generation_of(struct scene *scene, size_t index)
{
    struct acme_live_pair *pair = &scene->live.pairs[index];
    struct acme_error err;

    acme_live_free(&scene->live);
    if (!acme_live_read(scene->scratch->path, &scene->cert, NOW, &scene->live,
            &err) || !acme_live_is_whole(pair)) {
        return 0;
    }
    assert_true(acme_pair_matches(acme_buffer_bytes(&pair->chain_pem),
        acme_buffer_bytes(&pair->key_pem), &err));
    assert_string_equal(acme_buffer_text(&pair->meta_json), "{}");
    return (unsigned) atoi(strrchr(pair->path, '/') + 1);
}

static void
a_whole_generation_is_read_whatever_its_dates(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(generation_of(scene, 0), 0);
    install(scene, "a.test", NOW + LIFE, 0);
    install(scene, "a.test", NOW - DAY, 0);
    assert_int_equal(generation_of(scene, 0), 2);
    assert_int_equal(scene->live.pairs[0].state, ACME_LIVE_WHOLE);
    assert_int_equal(scene->live.pairs[1].state, ACME_LIVE_ABSENT);
}

static const char *const parts[] = { "fullchain.pem", "privkey.pem" };

static void
an_older_generation_is_there_for_a_damaged_one(void **state)
{
    struct scene *scene = *state;
    const struct acme_live_pair *pair = &scene->live.pairs[0];
    char path[64];

    install(scene, "a.test", NOW + LIFE, 0);
    for (unsigned n = 2; n <= 3; n++) {
        install(scene, "a.test", NOW + LIFE, 0);
        assert_int_equal(generation_of(scene, 0), n);
        damage(scene, n, parts[n - 2]);
        assert_int_equal(generation_of(scene, 0), 1);
        assert_int_equal(pair->state, ACME_LIVE_OLDER);
        snprintf(path, sizeof(path), "/certs/a.test/%u/fullchain.pem: ", n);
        assert_non_null(strstr(pair->damage.text, path));
        assert_int_not_equal(pair->damage.sys, ENOENT);
    }
    /* a file less, both less, a pair that is torn, nothing at all */
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "certs/a.test/3/%s", parts[i]);
        assert_int_equal(unlinkat(scene->scratch->fd, path, 0), 0);
        assert_int_equal(generation_of(scene, 0), 1);
    }
    assert_int_equal(linkat(scene->scratch->fd, "certs/a.test/1/fullchain.pem",
        scene->scratch->fd, "certs/a.test/3/fullchain.pem", 0), 0);
    assert_int_equal(linkat(scene->scratch->fd, "certs/a.test/2/privkey.pem",
        scene->scratch->fd, "certs/a.test/3/privkey.pem", 0), 0);
    assert_int_equal(generation_of(scene, 0), 1);
    point_to(scene, "../certs/a.test/9");
    assert_int_equal(generation_of(scene, 0), 1);
    assert_int_not_equal(pair->damage.sys, ENOENT);
    point_to(scene, "nowhere");
    assert_int_equal(generation_of(scene, 0), 1);
    assert_non_null(strstr(pair->damage.text, "live/a.test does not point"));
}

static void
without_a_whole_one_it_is_damaged(void **state)
{
    struct scene *scene = *state;

    for (unsigned n = 1; n <= 3; n++) {
        install(scene, "a.test", NOW + LIFE, 0);
        damage(scene, n, "privkey.pem");
        assert_int_equal(generation_of(scene, 0), 0);
        assert_int_equal(scene->live.pairs[0].state, ACME_LIVE_DAMAGED);
        assert_int_equal(scene->live.pairs[1].state, ACME_LIVE_ABSENT);
    }
}

static void
a_generation_that_was_not_yet_live_is_not_taken(void **state)
{
    struct scene *scene = *state;

    install(scene, "a.test", NOW + LIFE, 0);
    install(scene, "a.test", NOW + LIFE, 0);
    install(scene, "a.test", NOW + LIFE, 0);
    point_to(scene, "../certs/a.test/2");
    assert_int_equal(generation_of(scene, 0), 2);
    damage(scene, 2, "fullchain.pem");
    assert_int_equal(generation_of(scene, 0), 1);
}

static void
one_in_date_with_the_names_is_better_than_a_newer_one(void **state)
{
    struct scene *scene = *state;

    install(scene, "a.test", NOW - DAY, 0);
    install(scene, "b.test", NOW - DAY, 0);
    install(scene, "a.test", NOW + LIFE, 0);
    damage(scene, 3, "fullchain.pem");
    assert_int_equal(generation_of(scene, 0), 1);
    install(scene, "b.test", NOW + LIFE, 0);
    install(scene, "a.test", NOW - DAY, 0);
    install(scene, "a.test", NOW - DAY, 0);
    damage(scene, 6, "fullchain.pem");
    assert_int_equal(generation_of(scene, 0), 4);
    install(scene, "a.test", NOW + LIFE, 0);
    install(scene, "a.test", NOW + LIFE, 0);
    install(scene, "a.test", NOW - DAY, 0);
    install(scene, "b.test", NOW + LIFE, 0);
    damage(scene, 10, "fullchain.pem");
    assert_int_equal(generation_of(scene, 0), 8);
}

static void
each_half_has_its_own_generation(void **state)
{
    struct scene *scene = *state;

    install(scene, "a.test", NOW + LIFE, NOW + LIFE);
    install(scene, "a.test", NOW + LIFE, NOW + LIFE);
    install(scene, "a.test", NOW + LIFE, NOW + LIFE);
    damage(scene, 3, "privkey.rsa.pem");
    assert_int_equal(generation_of(scene, 0), 3);
    assert_int_equal(generation_of(scene, 1), 2);
    damage(scene, 2, "fullchain.rsa.pem");
    assert_int_equal(generation_of(scene, 1), 1);
    damage(scene, 3, "fullchain.pem");
    assert_int_equal(generation_of(scene, 0), 2);
    assert_int_equal(generation_of(scene, 1), 1);
    /* the whole generation is gone: both halves are wanted */
    point_to(scene, "../certs/a.test/9");
    assert_int_equal(generation_of(scene, 0), 2);
    assert_int_equal(generation_of(scene, 1), 1);
    assert_int_not_equal(scene->live.pairs[1].damage.text[0], '\0');
}

static void
no_kind_of_key_is_there_twice(void **state)
{
    struct scene *scene = *state;

    install(scene, "a.test", NOW + LIFE, 0);
    /* once its second key came first */
    install(scene, "a.test", NOW + LIFE, NOW + LIFE);
    assert_int_equal(renameat(scene->scratch->fd,
        "certs/a.test/1/fullchain.pem", scene->scratch->fd,
        "certs/a.test/1/fullchain.rsa.pem"), 0);
    assert_int_equal(renameat(scene->scratch->fd,
        "certs/a.test/1/privkey.pem", scene->scratch->fd,
        "certs/a.test/1/privkey.rsa.pem"), 0);
    damage(scene, 2, "fullchain.rsa.pem");
    assert_int_equal(generation_of(scene, 0), 2);
    assert_int_equal(generation_of(scene, 1), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_whole_generation_is_read_whatever_its_dates),
        TEST(an_older_generation_is_there_for_a_damaged_one),
        TEST(without_a_whole_one_it_is_damaged),
        TEST(a_generation_that_was_not_yet_live_is_not_taken),
        TEST(one_in_date_with_the_names_is_better_than_a_newer_one),
        TEST(each_half_has_its_own_generation),
        TEST(no_kind_of_key_is_there_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
