/* What is kept of an order over many descriptions of it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "protocol/order_object.h"

#define CA "https://ca.test"
#define IDENTIFIERS "\"identifiers\":[" \
    "{\"type\":\"dns\",\"value\":\"a.test\"}," \
    "{\"type\":\"dns\",\"value\":\"b.test\"}]"
#define AUTHORIZATIONS(a, b) ",\"authorizations\":[\"" a "\",\"" b "\"]"
#define ORDER(status, more) \
    "{\"status\":\"" status "\"," IDENTIFIERS more "}"
#define TWO AUTHORIZATIONS(CA "/1", CA "/2")

static const char *const names[] = { "a.test", "b.test" };

struct scene {
    struct acme_session *session;
    struct acme_order_object object;
    struct acme_error err;
};

static int
setup(void **state)
{
    struct scene *scene = test_calloc(1, sizeof(*scene));
    struct acme_reply reply = { .status = 200, .failure = "" };

    scene->session = acme_session_new(CA "/dir", CA "/acct");
    reply.body = acme_bytes_of("{\"newNonce\":\"" CA "/n\","
        "\"newAccount\":\"" CA "/a\",\"newOrder\":\"" CA "/o\"}");
    assert_true(acme_session_reply(scene->session, 0, &reply, &scene->err));
    assert_true(acme_order_object_init(&scene->object, scene->session, names,
        2));
    *state = scene;
    return 0;
}

static int
teardown(void **state)
{
    struct scene *scene = *state;

    acme_order_object_free(&scene->object);
    acme_session_free(scene->session);
    test_free(scene);
    return 0;
}

static bool
take(struct scene *scene, const char *body)
{
    return acme_order_object_read(&scene->object, acme_bytes_of(body),
        &scene->err);
}

static void
the_first_description_is_kept(void **state)
{
    struct scene *scene = *state;

    assert_true(take(scene, ORDER("pending", TWO
        ",\"finalize\":\"" CA "/f\"")));
    assert_true(scene->object.seen);
    assert_int_equal(scene->object.status, ACME_ORDER_PENDING);
    assert_int_equal(scene->object.authorization_count, 2);
    assert_string_equal(scene->object.authorizations[1].url, CA "/2");
    assert_false(scene->object.authorizations[0].valid);
    assert_string_equal(scene->object.finalize, CA "/f");
    assert_null(scene->object.certificate);
    assert_false(scene->object.has_problem);
}

static void
names_and_authorizations_never_change_later(void **state)
{
    struct scene *scene = *state;

    assert_true(take(scene, ORDER("pending", TWO)));
    assert_true(take(scene, "{\"status\":\"pending\",\"identifiers\":[],"
        "\"authorizations\":[\"https://evil.test/\"]}"));
    assert_int_equal(scene->object.authorization_count, 2);
    assert_string_equal(scene->object.authorizations[0].url, CA "/1");
}

static void
urls_are_replaced_when_they_are_sent_again(void **state)
{
    struct scene *scene = *state;

    assert_true(take(scene, ORDER("ready", ",\"finalize\":\"" CA "/f\"")));
    assert_true(take(scene, ORDER("processing", "")));
    assert_string_equal(scene->object.finalize, CA "/f");
    assert_true(take(scene, ORDER("valid", ",\"finalize\":\"" CA "/g\","
        "\"certificate\":\"" CA "/c\"")));
    assert_string_equal(scene->object.finalize, CA "/g");
    assert_string_equal(scene->object.certificate, CA "/c");
}

/* RFC 8555 7.1.3 wants it said of pending and valid orders only. */
static void
when_it_expires_is_not_forgotten(void **state)
{
    struct scene *scene = *state;

    assert_true(take(scene, ORDER("pending",
        ",\"expires\":\"2027-01-15T08:00:01Z\"")));
    assert_int_equal(scene->object.expires, 1800000001);
    assert_true(take(scene, ORDER("processing", "")));
    assert_int_equal(scene->object.expires, 1800000001);
    assert_true(take(scene, ORDER("valid", ",\"expires\":\"soon\"")));
    assert_int_equal(scene->object.expires, 1800000001);
}

static void
a_foreign_url_does_not_replace_a_good_one(void **state)
{
    struct scene *scene = *state;

    assert_true(take(scene, ORDER("ready", ",\"finalize\":\"" CA "/f\"")));
    assert_false(take(scene, ORDER("ready",
        ",\"finalize\":\"https://evil.test/f\"")));
    assert_string_equal(scene->object.finalize, CA "/f");
}

static const struct {
    const char *status;
    bool valid;
} rows[] = {
    { "pending", false }, { "invalid", false }, { "ready", true },
    { "processing", true }, { "valid", true },
};

static void
an_order_past_pending_has_valid_authorizations(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        void *own = NULL;
        struct scene *scene;
        char body[1024];

        setup(&own);
        scene = own;
        snprintf(body, sizeof(body), "{\"status\":\"%s\"," IDENTIFIERS TWO
            "}", rows[i].status);
        assert_true(take(scene, body));
        if (scene->object.authorizations[1].valid != rows[i].valid) {
            fail_msg("%s", rows[i].status);
        }
        assert_int_equal(acme_order_object_seek(&scene->object, 0),
            rows[i].valid ? 2 : 0);
        teardown(&own);
    }
}

static void
seeking_finds_the_next_that_is_not_valid(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(acme_order_object_seek(&scene->object, 0), 0);
    assert_true(take(scene, ORDER("pending", TWO)));
    scene->object.authorizations[0].valid = true;
    assert_int_equal(acme_order_object_seek(&scene->object, 0), 1);
    assert_int_equal(acme_order_object_seek(&scene->object, 2), 2);
    assert_int_equal(acme_order_object_seek(&scene->object, 99), 99);
}

static void
an_error_is_that_of_the_last_description(void **state)
{
    struct scene *scene = *state;

    assert_true(take(scene, ORDER("invalid", ",\"error\":{\"type\":"
        "\"urn:ietf:params:acme:error:caa\",\"detail\":\"no\"}")));
    assert_true(scene->object.has_problem);
    assert_string_equal(scene->object.problem.text, "caa: no");
    assert_true(take(scene, ORDER("invalid", "")));
    assert_false(scene->object.has_problem);
}

static void
a_failed_first_description_leaves_nothing_behind(void **state)
{
    struct scene *scene = *state;

    for (int i = 0; i < 3; i++) {
        assert_false(take(scene, ORDER("pending",
            AUTHORIZATIONS(CA "/1", "https://evil.test/"))));
        assert_int_equal(scene->err.verdict, ACME_PEER_BROKE);
    }
    assert_true(take(scene, ORDER("pending", TWO)));
    assert_int_equal(scene->object.authorization_count, 2);
    assert_string_equal(scene->object.authorizations[0].url, CA "/1");
    assert_string_equal(scene->object.authorizations[1].url, CA "/2");
}

static const struct {
    const char *what;
    const char *body;
    enum acme_verdict verdict;
} refused[] = {
    { "empty", "", ACME_PEER_BROKE },
    { "HTML", "<html>", ACME_PEER_BROKE },
    { "no status", "{" IDENTIFIERS "}", ACME_PEER_BROKE },
    { "status of an authorization", ORDER("revoked", ""), ACME_PEER_BROKE },
    { "identifiers are an object", "{\"status\":\"pending\","
        "\"identifiers\":{}}", ACME_REFUSED },
    { "identifiers of anything", "{\"status\":\"pending\",\"identifiers\":"
        "[1,null,\"a.test\",[],{\"value\":\"a.test\"}]}", ACME_REFUSED },
    { "a name below", "{\"status\":\"pending\",\"identifiers\":["
        "{\"type\":\"dns\",\"value\":\"a.test\"},"
        "{\"type\":\"dns\",\"value\":\"x.b.test\"}]}", ACME_REFUSED },
    { "finalize by http", ORDER("ready", ",\"finalize\":\"http://ca.test/\""),
        ACME_PEER_BROKE },
    { "authorization of null", ORDER("pending",
        ",\"authorizations\":[null]"), ACME_PEER_BROKE },
    { "authorization with a space", ORDER("pending",
        ",\"authorizations\":[\"" CA "/ x\"]"), ACME_PEER_BROKE },
};

static void
what_is_no_order_of_ours_is_refused(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        void *own = NULL;
        struct scene *scene;

        setup(&own);
        scene = own;
        if (take(scene, refused[i].body)) {
            fail_msg("%s was taken", refused[i].what);
        }
        if (scene->err.verdict != refused[i].verdict) {
            fail_msg("%s: verdict %d", refused[i].what, scene->err.verdict);
        }
        teardown(&own);
    }
}

/* Each is compared with each of ours. */
static void
an_order_of_very_many_identifiers_is_refused(void **state)
{
    struct acme_buffer body = ACME_BUFFER(ACME_BODY_MAX);
    struct scene *scene = *state;

    for (int count = ACME_AUTHORIZATIONS_MAX; count < 202; count++) {
        acme_buffer_clear(&body);
        assert_true(acme_buffer_add_text(&body, "{\"status\":\"pending\","
            IDENTIFIERS));
        body.len--;  /* the bracket */
        for (int i = 2; i < count; i++) {
            assert_true(acme_buffer_printf(&body,
                ",{\"type\":\"dns\",\"value\":\"%d.test\"}", i));
        }
        assert_true(acme_buffer_add_text(&body, "]}"));
        assert_int_equal(take(scene, acme_buffer_text(&body)),
            count == ACME_AUTHORIZATIONS_MAX);
        scene->object.seen = false;  /* anew */
    }
    assert_int_equal(scene->err.verdict, ACME_PEER_BROKE);
    assert_non_null(strstr(scene->err.text, "201 identifiers"));
    acme_buffer_free(&body);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_description_is_kept),
        TEST(names_and_authorizations_never_change_later),
        TEST(urls_are_replaced_when_they_are_sent_again),
        TEST(when_it_expires_is_not_forgotten),
        TEST(a_foreign_url_does_not_replace_a_good_one),
        cmocka_unit_test(an_order_past_pending_has_valid_authorizations),
        TEST(seeking_finds_the_next_that_is_not_valid),
        TEST(an_error_is_that_of_the_last_description),
        TEST(a_failed_first_description_leaves_nothing_behind),
        TEST(an_order_of_very_many_identifiers_is_refused),
        cmocka_unit_test(what_is_no_order_of_ours_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
