/* An order under way as a file: what comes back, and what is dropped. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "scene.h"

#define TOKEN "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
#define ORDER_FILE "pending/example.test/order.json"
#define KEY_FILE "pending/example.test/privkey.pem"
#define ENTRY "ca " BASE "/dir\\nkey ecdsa:256\\nname example.test\\n"
#define ORDER(members) "{\"entry\":\"" ENTRY "\"" members "}"
#define PROOF(token) "{\"type\":\"http-01\",\"name\":\"example.test\"," \
    "\"token\":\"" token "\",\"url\":\"" BASE "/chal/1\"}"

/* A job that has its key and order on disk, and this keeper's order.json. */
static void
begin(struct scene *scene)
{
    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    attempt_start(&scene->job, &scene->keeper);
    assert_int_equal(scene->job.state, JOB_READY);
    assert_true(is_there(scene, ORDER_FILE));
    assert_true(is_there(scene, KEY_FILE));
}

/* Load as the next keeper; the caller looks at and frees the job. */
static struct job
load(struct scene *scene)
{
    struct job job = { .cert = &scene->cert, .account = &scene->account,
        .log = { .parent = &scene->keeper.log }, .keygen_fd = -1 };

    scene->line_count = 0;
    pending_load(&job, &scene->keeper);
    return job;
}

static void
key_url_and_proofs_come_back(void **state)
{
    struct scene *scene = *state;
    struct job job;

    begin(scene);
    scribble(scene, ORDER_FILE, ORDER(",\"url\":\"" BASE "/order/1\","
        "\"proofs\":[" PROOF(TOKEN) "," PROOF("two") "]"));
    job = load(scene);
    assert_non_null(job.key);
    assert_string_equal(job.order_url, BASE "/order/1");
    assert_int_equal(job.proof_count, 2);
    assert_true(pending_has_token(&job, acme_bytes_of(TOKEN)));
    assert_true(pending_has_token(&job, acme_bytes_of("two")));
    assert_false(pending_has_token(&job, acme_bytes_of("tw")));
    assert_true(acme_page_has_proofs(scene->keeper.page));
    assert_int_equal(scene->line_count, 0);
    pending_withdraw(&job, &scene->keeper);
    assert_false(acme_page_has_proofs(scene->keeper.page));
    pending_forget(&job);
}

/* RFC 8555 7.1.3 demands "expires" only of some orders. */
static void
when_it_expires_comes_back_or_is_a_week_away(void **state)
{
    static const struct {
        int64_t said, kept;
    } times[] = {
        { NOW + 3600, NOW + 3600 },
        { 0, NOW + 7 * DAY },
        { -1, NOW + 7 * DAY },
    };
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        struct acme_error err;
        struct job job;

        begin(scene);
        assert_true(attempt_save_order(&scene->job, &scene->keeper,
            BASE "/order/1", times[i].said, &err));
        job = load(scene);
        assert_string_equal(job.order_url, BASE "/order/1");
        assert_int_equal(job.order_expires, times[i].kept);
        pending_forget(&job);
        pending_remove(&scene->job, &scene->keeper);
        attempt_free(&scene->job);
    }
}

static void
an_order_that_was_not_yet_sent_comes_back(void **state)
{
    struct scene *scene = *state;
    struct job job;

    begin(scene);
    job = load(scene);
    assert_non_null(job.key);
    assert_null(job.order_url);
    assert_int_equal(job.proof_count, 0);
    pending_forget(&job);
}

static void
nothing_on_disk_is_nothing_to_say(void **state)
{
    struct scene *scene = *state;
    struct job job = load(scene);

    assert_null(job.key);
    assert_int_equal(scene->line_count, 0);
}

static const struct {
    const char *what;
    const char *json;
} damaged[] = {
    { "empty", "" },
    { "cut off", "{\"entry\":\"" ENTRY },
    { "a list", "[]" },
    { "no entry", "{\"url\":\"" BASE "/order/1\"}" },
    { "entry is a number", "{\"entry\":1}" },
    { "another name", "{\"entry\":\"ca " BASE "/dir\\nkey ecdsa:256\\n"
        "name other.test\\n\"}" },
    { "another CA", "{\"entry\":\"ca https://other.test/\\nkey ecdsa:256\\n"
        "name example.test\\n\"}" },
    { "a proof that is a text", ORDER(",\"proofs\":[\"x\"]") },
    { "a proof without a name", ORDER(",\"proofs\":[{\"token\":\"t\","
        "\"url\":\"" BASE "/c\"}]") },
    { "a proof without a URL", ORDER(",\"proofs\":[{\"name\":\"example.test\","
        "\"token\":\"t\"}]") },
    { "a token that is a path", ORDER(",\"proofs\":[" PROOF("../x") "]") },
    { "an empty token", ORDER(",\"proofs\":[" PROOF("") "]") },
    { "good proofs before a bad one", ORDER(",\"proofs\":[" PROOF("one") ","
        PROOF("a b") "]") },
};

static void
a_damaged_order_is_dropped_with_a_word(void **state)
{
    struct scene *scene = *state;
    char *key;

    begin(scene);
    key = strdup(content_of(scene, KEY_FILE));
    for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
        struct job job;

        mkdirat(scene->dir_fd, "pending/example.test", 0700);
        scribble(scene, KEY_FILE, key);
        scribble(scene, ORDER_FILE, damaged[i].json);
        job = load(scene);
        if (job.key != NULL || job.order_url != NULL || job.proof_count != 0
            || is_there(scene, "pending/example.test")) {
            fail_msg("%s was kept", damaged[i].what);
        }
        assert_false(acme_page_has_proofs(scene->keeper.page));
        if (!logged(scene, "left by an earlier run is dropped")) {
            fail_msg("%s: nothing was logged", damaged[i].what);
        }
    }
    free(key);
}

static const struct {
    const char *what;
    const char *pem;
} bad_keys[] = {
    { "empty", "" },
    { "garbage", "-----BEGIN PRIVATE KEY-----\nSECRET\n"
        "-----END PRIVATE KEY-----\n" },
};

static void
a_key_that_cannot_be_read_is_dropped_unquoted(void **state)
{
    struct scene *scene = *state;

    begin(scene);
    for (size_t i = 0; i < sizeof(bad_keys) / sizeof(bad_keys[0]); i++) {
        struct job job;

        mkdirat(scene->dir_fd, "pending/example.test", 0700);
        scribble(scene, KEY_FILE, bad_keys[i].pem);
        scribble(scene, ORDER_FILE, ORDER(""));
        job = load(scene);
        assert_null(job.key);
        assert_false(is_there(scene, "pending/example.test"));
        assert_true(logged(scene, "is dropped"));
        assert_false(logged(scene, "SECRET"));
    }
}

static void
a_key_of_another_type_is_dropped(void **state)
{
    struct acme_buffer pem = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct scene *scene = *state;
    struct acme_error err;
    struct acme_key *key = acme_key_new(ACME_KEY_ECDSA_384, &err);
    struct job job;

    begin(scene);
    assert_true(acme_key_write(key, &pem, &err));
    scribble(scene, KEY_FILE, acme_buffer_text(&pem));
    job = load(scene);
    assert_null(job.key);
    assert_true(logged(scene, "another type"));
    acme_buffer_wipe(&pem);
    acme_key_free(key);
}

static void
too_many_proofs_are_refused(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;
    char token[32];

    begin(scene);
    for (int i = 0; i < PROOFS_MAX; i++) {
        snprintf(token, sizeof(token), "token-%d", i);
        assert_true(pending_add_proof(&scene->job, ACME_HTTP_01,
            "example.test", token, BASE "/chal", &err));
    }
    assert_false(pending_add_proof(&scene->job, ACME_HTTP_01,
            "example.test", "more", BASE "/chal", &err));
    assert_int_equal(err.verdict, ACME_PEER_BROKE);
    /* one that is there already is replaced all the same */
    assert_true(pending_add_proof(&scene->job, ACME_HTTP_01,
            "example.test", "token-7", BASE "/other", &err));
    assert_int_equal(scene->job.proof_count, PROOFS_MAX);
    assert_string_equal(scene->job.proofs[7].challenge_url, BASE "/other");
}

static void
two_hundred_proofs_come_back_and_are_taken_off(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;
    struct job job;
    char token[32];

    begin(scene);
    for (int i = 0; i < PROOFS_MAX; i++) {
        snprintf(token, sizeof(token), "token-%d", i);
        assert_true(pending_add_proof(&scene->job, ACME_HTTP_01,
            "example.test", token, BASE "/chal", &err));
    }
    assert_true(pending_save_order(&scene->job, &scene->keeper, &err));
    pending_forget(&scene->job);
    job = load(scene);
    assert_int_equal(job.proof_count, PROOFS_MAX);
    pending_withdraw(&job, &scene->keeper);
    assert_false(acme_page_has_proofs(scene->keeper.page));
    pending_remove(&job, &scene->keeper);
    assert_false(is_there(scene, "pending/example.test"));
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, scene_make, scene_remove)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(key_url_and_proofs_come_back),
        TEST(when_it_expires_comes_back_or_is_a_week_away),
        TEST(an_order_that_was_not_yet_sent_comes_back),
        TEST(nothing_on_disk_is_nothing_to_say),
        TEST(a_damaged_order_is_dropped_with_a_word),
        TEST(a_key_that_cannot_be_read_is_dropped_unquoted),
        TEST(a_key_of_another_type_is_dropped),
        TEST(too_many_proofs_are_refused),
        TEST(two_hundred_proofs_come_back_and_are_taken_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
