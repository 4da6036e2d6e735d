/* Which of several chains is taken. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "crypto/placeholder.h"
#include "protocol/chain.h"

#define CA "https://ca.test"

static struct acme_session *session;
static struct acme_chain_choice choice;
static struct acme_reply reply;
static struct acme_buffer pem, key;
static struct acme_error err;

static int
set_up(void **state)
{
    struct acme_reply directory = { .status = 200, .failure = "" };

    (void) state;
    directory.body = acme_bytes_of("{\"newNonce\":\"" CA "/nonce\","
        "\"newAccount\":\"" CA "/account\",\"newOrder\":\"" CA "/order\"}");
    session = acme_session_new(CA "/dir", NULL);
    assert_true(acme_session_reply(session, 0, &directory, &err));
    memset(&choice, 0, sizeof(choice));
    memset(&reply, 0, sizeof(reply));
    pem = key = (struct acme_buffer) ACME_BUFFER(16 * 1024);
    return 0;
}

static int
tear_down(void **state)
{
    (void) state;
    acme_session_free(session);
    acme_chain_free(&choice);
    acme_buffer_free(&pem);
    acme_buffer_free(&key);
    return 0;
}

/* The next reply is a chain that this one has issued. */
static void
issued_by(const char *issuer)
{
    acme_buffer_clear(&pem);
    acme_buffer_clear(&key);
    assert_true(acme_placeholder_write(issuer, 1800000000, &pem, &key,
        &err));
    reply.status = 200;
    reply.body = acme_buffer_bytes(&pem);
}

static void
offer(const char *url)
{
    strcpy(reply.headers.alternates[reply.headers.alternate_count++], url);
}

static bool
took(void)
{
    return acme_bytes_equal(acme_buffer_bytes(&choice.pem), reply.body);
}

static void
without_a_wish_the_first_is_taken(void **state)
{
    (void) state;
    assert_true(acme_chain_init(&choice, NULL));
    issued_by("first");
    offer(CA "/cert/1");
    assert_true(acme_chain_take(&choice, session, &reply, &err));
    assert_null(acme_chain_next(&choice));
    assert_true(took());
    assert_string_equal(choice.issuers, "");
}

static void
the_first_is_taken_when_it_is_the_wanted_one(void **state)
{
    (void) state;
    assert_true(acme_chain_init(&choice, "first"));
    issued_by("first");
    offer(CA "/cert/1");
    assert_true(acme_chain_take(&choice, session, &reply, &err));
    assert_null(acme_chain_next(&choice));
    assert_string_equal(choice.issuers, "");
}

static void
else_the_alternates_are_looked_at_until_it_is_found(void **state)
{
    (void) state;
    assert_true(acme_chain_init(&choice, "wanted"));
    issued_by("first");
    offer(CA "/cert/1");
    offer(CA "/cert/2");
    offer(CA "/cert/3");
    assert_true(acme_chain_take(&choice, session, &reply, &err));
    assert_string_equal(acme_chain_next(&choice), CA "/cert/1");
    issued_by("second");
    assert_true(acme_chain_take_alternate(&choice, &reply, &err));
    assert_string_equal(acme_chain_next(&choice), CA "/cert/2");
    issued_by("wanted");
    assert_true(acme_chain_take_alternate(&choice, &reply, &err));
    assert_null(acme_chain_next(&choice));
    assert_true(took());
    assert_string_equal(choice.issuers, "");
}

static void
the_first_stays_when_none_is_wanted(void **state)
{
    char first[16 * 1024];

    (void) state;
    assert_true(acme_chain_init(&choice, "wanted"));
    issued_by("first");
    snprintf(first, sizeof(first), "%s", acme_buffer_text(&pem));
    offer(CA "/cert/1");
    offer(CA "/cert/2");
    offer(CA "/cert/3");
    assert_true(acme_chain_take(&choice, session, &reply, &err));
    issued_by("second");
    assert_true(acme_chain_take_alternate(&choice, &reply, &err));
    reply.body = acme_bytes_of("<html>");
    assert_true(acme_chain_take_alternate(&choice, &reply, &err));
    assert_true(acme_chain_take_alternate(&choice, NULL, &err));
    assert_null(acme_chain_next(&choice));
    assert_string_equal(acme_buffer_text(&choice.pem), first);
    assert_string_equal(choice.issuers, "\"first\", \"second\"");
}

static void
alternates_of_foreign_origins_are_left_alone(void **state)
{
    (void) state;
    assert_true(acme_chain_init(&choice, "wanted"));
    issued_by("first");
    offer("https://evil.test/cert/1");
    offer("http://ca.test/cert/1");
    assert_true(acme_chain_take(&choice, session, &reply, &err));
    assert_null(acme_chain_next(&choice));
}

static void
what_is_no_chain_is_not_taken(void **state)
{
    (void) state;
    assert_true(acme_chain_init(&choice, "wanted"));
    reply.body = acme_bytes_of("<html>");
    assert_false(acme_chain_take(&choice, session, &reply, &err));
    assert_int_equal(err.verdict, ACME_PEER_BROKE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_wish_the_first_is_taken),
        TEST(the_first_is_taken_when_it_is_the_wanted_one),
        TEST(else_the_alternates_are_looked_at_until_it_is_found),
        TEST(the_first_stays_when_none_is_wanted),
        TEST(alternates_of_foreign_origins_are_left_alone),
        TEST(what_is_no_chain_is_not_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
