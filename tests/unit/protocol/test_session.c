/* A session is talked through directory, account and nonces, with no CA. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "protocol/problem.h"
#include "protocol/session.h"

#define CA "https://ca.test"

enum { NOW = 1000000, MINUTE = 60 * 1000 };

static const char directory_json[] =
    "{\"newNonce\":\"" CA "/nonce\",\"newAccount\":\"" CA "/account\","
    "\"newOrder\":\"" CA ":8443/order\",\"unknown\":17,"
    "\"renewalInfo\":\"https://ari.test/info\","
    "\"meta\":{\"termsOfService\":\"https://www.test/terms\"}}";

static struct acme_reply
make_reply(int status, const char *body)
{
    struct acme_reply reply = { .status = status, .failure = "" };

    reply.body = acme_bytes_of(body);
    return reply;
}

static struct acme_reply
make_account_reply(int status, const char *body, const char *url)
{
    struct acme_reply reply = make_reply(status, body);

    snprintf(reply.headers.location, sizeof(reply.headers.location), "%s",
        url);
    return reply;
}

static void
expect(const struct acme_session *session, enum acme_session_need need,
    const char *url)
{
    const char *got;

    assert_int_equal(acme_session_next(session, &got), need);
    assert_string_equal(got, url);
}

static bool
give(struct acme_session *session, struct acme_reply reply,
    struct acme_error *err)
{
    return acme_session_reply(session, NOW, &reply, err);
}

static struct acme_session *
with_directory(const char *account)
{
    struct acme_session *session = acme_session_new(CA "/dir", account);
    struct acme_error err;

    assert_true(give(session, make_reply(200, directory_json), &err));
    return session;
}

static struct acme_session *
with_said_directory(void)
{
    struct acme_session *session = with_directory(NULL);

    acme_session_done(session);
    return session;
}

/* ---- directory */

static void
a_new_session_reads_says_registers_and_saves(void **state)
{
    struct acme_session *session = acme_session_new(CA "/dir", NULL);
    struct acme_error err;

    (void) state;
    expect(session, ACME_SESSION_GET_DIRECTORY, CA "/dir");
    assert_null(acme_session_directory(session));
    assert_true(give(session, make_reply(200, directory_json), &err));
    expect(session, ACME_SESSION_SAY_DIRECTORY, CA "/dir");
    acme_session_done(session);
    expect(session, ACME_SESSION_NEW_ACCOUNT, CA "/account");
    acme_session_done(session);
    expect(session, ACME_SESSION_NEW_ACCOUNT, CA "/account");
    assert_null(acme_session_account(session));
    assert_true(give(session, make_account_reply(201, "{}", CA "/acct/1"),
        &err));
    expect(session, ACME_SESSION_SAVE_ACCOUNT, CA "/acct/1");
    acme_session_done(session);
    expect(session, ACME_SESSION_READY, CA "/acct/1");
    assert_string_equal(acme_session_account(session), CA "/acct/1");
    acme_session_free(session);
}

/* As many as fit: a search for each would take a CA's time from the others. */
static void
a_directory_of_very_many_members_is_read(void **state)
{
    struct acme_session *session = acme_session_new(CA "/dir", NULL);
    struct acme_buffer body = ACME_BUFFER(ACME_BODY_MAX);
    struct acme_error err;

    (void) state;
    assert_true(acme_buffer_add_text(&body, "{\"newNonce\":\"" CA "/n\","
        "\"newAccount\":\"" CA "/a\",\"newOrder\":\"" CA "/o\""));
    for (int i = 0; body.len < ACME_BODY_MAX - 20; i++) {
        assert_true(acme_buffer_printf(&body, ",\"%d\":1", i));
    }
    assert_true(acme_buffer_add_text(&body, "}"));
    assert_true(give(session, make_reply(200, acme_buffer_text(&body)),
        &err));
    assert_string_equal(acme_session_urls(session), CA "/n\n" CA "/a\n" CA
        "/o");
    acme_buffer_free(&body);
    acme_session_free(session);
}

static void
a_saved_account_is_used(void **state)
{
    struct acme_session *session = with_directory(CA "/acct/9");

    (void) state;
    acme_session_done(session);
    expect(session, ACME_SESSION_READY, CA "/acct/9");
    acme_session_free(session);
}

static void
the_directory_tells_its_urls(void **state)
{
    struct acme_session *session = with_directory(NULL);

    (void) state;
    assert_string_equal(acme_session_directory(session), CA "/dir");
    assert_string_equal(acme_session_new_nonce_url(session), CA "/nonce");
    assert_string_equal(acme_session_new_order_url(session),
        CA ":8443/order");
    assert_string_equal(acme_session_urls(session),
        CA "/nonce\n" CA "/account\n" CA ":8443/order\n"
        "https://ari.test/info");
    acme_session_free(session);
}

static void
a_redirected_directory_is_known_by_its_final_url(void **state)
{
    struct acme_session *session = acme_session_new("https://old.test/",
        NULL);
    struct acme_reply reply = make_reply(200, directory_json);
    struct acme_error err;

    (void) state;
    reply.url = "https://new.test/dir";
    assert_true(give(session, reply, &err));
    assert_string_equal(acme_session_directory(session), reply.url);
    assert_true(acme_session_allows(session, "https://new.test/x", &err));
    assert_false(acme_session_allows(session, "https://old.test/x", &err));
    acme_session_free(session);
}

static void
only_origins_of_the_directory_are_allowed(void **state)
{
    struct acme_session *session = with_directory(NULL);
    struct acme_error err;

    (void) state;
    assert_true(acme_session_allows(session, CA "/any", &err));
    assert_true(acme_session_allows(session, CA ":8443/any", &err));
    assert_true(acme_session_allows(session, "https://ari.test/x", &err));
    /* the terms are for people: no request goes there */
    assert_false(acme_session_allows(session, "https://www.test/x", &err));
    assert_false(acme_session_allows(session, "http://ca.test/x", &err));
    acme_session_free(session);
}

static const struct {
    const char *what;
    const char *body;
} bad_directories[] = {
    { "empty", "" },
    { "HTML", "<html>" },
    { "no object", "[]" },
    { "no newOrder", "{\"newNonce\":\"" CA "/n\",\"newAccount\":\"" CA
        "/a\"}" },
    { "newNonce by http", "{\"newNonce\":\"http://ca.test/n\","
        "\"newAccount\":\"" CA "/a\",\"newOrder\":\"" CA "/o\"}" },
    { "newAccount is a number", "{\"newNonce\":\"" CA "/n\","
        "\"newAccount\":1,\"newOrder\":\"" CA "/o\"}" },
};

static void
bad_directories_are_refused(void **state)
{
    (void) state;
    for (size_t i = 0;
         i < sizeof(bad_directories) / sizeof(bad_directories[0]); i++) {
        struct acme_session *session = acme_session_new(CA "/dir", NULL);
        struct acme_error err;

        if (give(session, make_reply(200, bad_directories[i].body), &err)) {
            fail_msg("%s was taken", bad_directories[i].what);
        }
        assert_int_equal(err.verdict, ACME_PEER_BROKE);
        expect(session, ACME_SESSION_GET_DIRECTORY, CA "/dir");
        acme_session_free(session);
    }
}

static void
a_huge_directory_is_kept_within_bounds(void **state)
{
    static char body[64 * 1024];
    struct acme_session *session = acme_session_new(CA "/dir", NULL);
    size_t len = (size_t) snprintf(body, sizeof(body), "{\"newNonce\":\""
        CA "/n\",\"newAccount\":\"" CA "/a\",\"newOrder\":\"" CA "/o\"");
    struct acme_error err;

    (void) state;
    for (unsigned i = 0; i < 200; i++) {
        len += (size_t) snprintf(body + len, sizeof(body) - len,
            ",\"x%u\":\"https://x%u.test/%0200u\"", i, i, 7);
    }
    snprintf(body + len, sizeof(body) - len, "}");
    assert_true(give(session, make_reply(200, body), &err));
    assert_true(strlen(acme_session_urls(session)) <= 16 * 1024);
    assert_true(acme_session_allows(session, "https://x5.test/", &err));
    assert_false(acme_session_allows(session, "https://x150.test/", &err));
    acme_session_free(session);
}

static void
a_directory_that_fails_is_asked_for_again(void **state)
{
    struct acme_session *session = acme_session_new(CA "/dir", NULL);
    struct acme_error err;

    (void) state;
    assert_false(give(session, make_reply(503, "busy"), &err));
    assert_int_equal(err.verdict, ACME_RETRY);
    expect(session, ACME_SESSION_GET_DIRECTORY, CA "/dir");
    acme_session_free(session);
}

static void
what_is_no_directory_has_a_hint(void **state)
{
    static const char *const bodies[] = { "<html>", "{}",
        "{\"newNonce\":\"http://x/\"}" };

    (void) state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct acme_session *session = acme_session_new(CA "/dir", NULL);
        struct acme_error err;
        const char *hint;

        assert_false(give(session, make_reply(200, bodies[i]), &err));
        hint = acme_problem_hint(&err);
        if (hint == NULL || strstr(hint, "URL in acme_ca") == NULL) {
            fail_msg("%s: hint \"%s\"", bodies[i],
                hint != NULL ? hint : "none");
        }
        acme_session_free(session);
    }
}

static void
a_directory_url_that_is_gone_makes_it_read_again(void **state)
{
    struct acme_session *session = with_directory(CA "/acct/1");
    struct acme_reply reply = make_reply(404, "");
    struct acme_error err;

    (void) state;
    acme_session_done(session);
    reply.url = CA "/order/of/mine";
    assert_int_equal(acme_session_read(session, NOW, &reply, &err),
        ACME_READ_FAILED);
    expect(session, ACME_SESSION_READY, CA "/acct/1");

    reply.url = CA ":8443/order";
    assert_int_equal(acme_session_read(session, NOW, &reply, &err),
        ACME_READ_FAILED);
    expect(session, ACME_SESSION_GET_DIRECTORY, CA "/dir");
    assert_true(give(session, make_reply(200, directory_json), &err));
    expect(session, ACME_SESSION_SAY_DIRECTORY, CA "/dir");
    acme_session_done(session);
    expect(session, ACME_SESSION_READY, CA "/acct/1");
    acme_session_free(session);
}

/* A host that serves something else by now answers with a problem. */
static void
expect_reading_after(const char *json)
{
    struct acme_session *session = with_directory(CA "/acct/1");
    struct acme_reply reply = make_reply(400, json);
    struct acme_error err;

    acme_session_done(session);
    reply.url = CA "/order/of/mine";
    assert_int_equal(acme_session_read(session, NOW, &reply, &err),
        ACME_READ_FAILED);
    expect(session, ACME_SESSION_READY, CA "/acct/1");
    reply.url = CA ":8443/order";
    assert_int_equal(acme_session_read(session, NOW, &reply, &err),
        ACME_READ_FAILED);
    expect(session, ACME_SESSION_GET_DIRECTORY, CA "/dir");
    acme_session_free(session);
}

static void
a_refusal_of_what_the_directory_offers_makes_it_read_again(void **state)
{
    (void) state;
    expect_reading_after(
        "{\"type\":\"urn:ietf:params:acme:error:malformed\"}");
    expect_reading_after(
        "{\"type\":\"urn:ietf:params:acme:error:invalidProfile\"}");
    expect_reading_after("{\"type\":"
        "\"urn:ietf:params:acme:error:externalAccountRequired\"}");
}

static void
a_directory_is_read_again_after_a_day(void **state)
{
    struct acme_session *session = acme_session_new(CA "/dir", CA "/acct/1");
    struct acme_reply reply = make_reply(200, directory_json);
    struct acme_error err;

    (void) state;
    acme_session_refresh(session, NOW);
    assert_true(give(session, reply, &err));
    acme_session_done(session);
    acme_session_refresh(session, NOW + 24 * 60 * MINUTE);
    expect(session, ACME_SESSION_READY, CA "/acct/1");
    acme_session_refresh(session, NOW + 24 * 60 * MINUTE + 1);
    expect(session, ACME_SESSION_GET_DIRECTORY, CA "/dir");
    assert_true(acme_session_reply(session, NOW + 24 * 60 * MINUTE + 1,
        &reply, &err));
    acme_session_done(session);
    acme_session_refresh(session, NOW + 25 * 60 * MINUTE);
    expect(session, ACME_SESSION_READY, CA "/acct/1");
    acme_session_free(session);
}

/* ---- what a CA can do */

#define NEEDED "\"newNonce\":\"" CA "/n\",\"newAccount\":\"" CA "/a\"," \
    "\"newOrder\":\"" CA "/o\""

static struct acme_session *
with_body(const char *body)
{
    struct acme_session *session = acme_session_new(CA "/dir", NULL);
    struct acme_error err;

    assert_true(give(session, make_reply(200, body), &err));
    return session;
}

static void
the_directory_tells_what_the_ca_can_do(void **state)
{
    struct acme_session *session = with_body("{" NEEDED ",\"renewalInfo\":\""
        CA "/ari\",\"keyChange\":\"" CA "/key\",\"revokeCert\":\"" CA
        "/revoke\",\"meta\":{\"externalAccountRequired\":true,"
        "\"profiles\":{\"classic\":\"x\",\"short-lived\":\"y\"}}}");

    (void) state;
    assert_string_equal(acme_session_renewal_info_url(session), CA "/ari");
    assert_string_equal(acme_session_key_change_url(session), CA "/key");
    assert_string_equal(acme_session_revoke_url(session), CA "/revoke");
    assert_true(acme_session_external_account_required(session));
    assert_string_equal(acme_session_profiles(session),
        "classic, short-lived");
    acme_session_free(session);
}

static void
a_directory_may_offer_nothing_beyond_the_needed(void **state)
{
    static const char *const bodies[] = {
        "{" NEEDED "}",
        "{" NEEDED ",\"renewalInfo\":\"http://ca.test/\",\"keyChange\":7,"
            "\"revokeCert\":null,\"meta\":[]}",
        "{" NEEDED ",\"meta\":{\"externalAccountRequired\":\"true\","
            "\"profiles\":[\"classic\"]}}",
    };

    (void) state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct acme_session *session = with_body(bodies[i]);

        assert_null(acme_session_renewal_info_url(session));
        assert_null(acme_session_key_change_url(session));
        assert_null(acme_session_revoke_url(session));
        assert_false(acme_session_external_account_required(session));
        assert_string_equal(acme_session_profiles(session), "");
        acme_session_free(session);
    }
}

static void
odd_profile_names_are_left_out(void **state)
{
    struct acme_session *session = with_body("{" NEEDED ",\"meta\":{"
        "\"profiles\":{\"\":1,\"a b\":1,\"a,b\":1,\"a\\u001bb\":1,"
        "\"\\u00e9\":1,\"0123456789012345678901234567890123456789"
        "0123456789012345678901234\":1,\"a\\\"b\":1,\"good\":null}}}");

    (void) state;
    assert_string_equal(acme_session_profiles(session), "good");
    acme_session_free(session);
}

static void
very_many_profiles_are_kept_within_bounds(void **state)
{
    struct acme_buffer body = ACME_BUFFER(ACME_BODY_MAX);
    struct acme_session *session;

    (void) state;
    assert_true(acme_buffer_add_text(&body,
        "{" NEEDED ",\"meta\":{\"profiles\":{\"p\":1"));
    for (int i = 0; i < 10000; i++) {
        assert_true(acme_buffer_printf(&body, ",\"profile-%d\":1", i));
    }
    assert_true(acme_buffer_add_text(&body, "}}}"));
    session = with_body(acme_buffer_text(&body));
    assert_memory_equal(acme_session_profiles(session), "p, profile-0, ",
        14);
    assert_in_range(strlen(acme_session_profiles(session)), 900, 1024);
    acme_session_free(session);
    acme_buffer_free(&body);
}

/* ---- account */

static const struct {
    const char *what;
    const char *url;
    const char *body;
    int status;
    bool ok;
} account_replies[] = {
    { "created", CA "/acct/1", "{\"status\":\"valid\"}", 201, true },
    { "exists", CA "/acct/1", "{\"status\":\"valid\"}", 200, true },
    { "no body", CA "/acct/1", "", 201, true },
    { "no Location", "", "{\"status\":\"valid\"}", 201, false },
    { "foreign Location", "https://evil.test/a", "{}", 201, false },
    { "http Location", "http://ca.test/a", "{}", 201, false },
    { "deactivated", CA "/acct/1", "{\"status\":\"deactivated\"}", 200,
        false },
    { "refused", CA "/acct/1", "{\"type\":"
        "\"urn:ietf:params:acme:error:externalAccountRequired\"}", 403,
        false },
};

static void
replies_to_new_account(void **state)
{
    (void) state;
    for (size_t i = 0;
         i < sizeof(account_replies) / sizeof(account_replies[0]); i++) {
        struct acme_session *session = with_said_directory();
        struct acme_error err;

        if (give(session, make_account_reply(account_replies[i].status,
            account_replies[i].body, account_replies[i].url), &err)
            != account_replies[i].ok) {
            fail_msg("account %s", account_replies[i].what);
        }
        if (!account_replies[i].ok) {
            expect(session, ACME_SESSION_NEW_ACCOUNT, CA "/account");
        }
        acme_session_free(session);
    }
}

static void
a_forgotten_account_is_registered_again_once_an_hour(void **state)
{
    struct acme_session *session = with_directory(CA "/acct/1");
    struct acme_error err;

    (void) state;
    acme_session_done(session);
    assert_true(acme_session_forget_account(session, NOW));
    expect(session, ACME_SESSION_NEW_ACCOUNT, CA "/account");
    /* a second order meets the same, before the new account is there */
    assert_true(acme_session_forget_account(session, NOW + 1));
    assert_true(give(session, make_account_reply(201, "", CA "/acct/2"),
        &err));
    acme_session_done(session);
    expect(session, ACME_SESSION_READY, CA "/acct/2");
    assert_false(acme_session_forget_account(session, NOW + 59 * MINUTE));
    expect(session, ACME_SESSION_READY, CA "/acct/2");
    assert_true(acme_session_forget_account(session, NOW + 60 * MINUTE));
    acme_session_free(session);
}

static void
a_reply_that_nobody_waits_for_is_refused(void **state)
{
    struct acme_session *session = with_directory(NULL);
    struct acme_error err;

    (void) state;
    assert_false(give(session, make_reply(200, directory_json), &err));
    expect(session, ACME_SESSION_SAY_DIRECTORY, CA "/dir");
    acme_session_free(session);
}

/* ---- the life of the account */

/* A session with these hints, at its first need after the directory. */
static struct acme_session *
with_hints(const char *account, unsigned hints)
{
    struct acme_session *session = with_directory(account);

    acme_session_hint(session, hints);
    acme_session_done(session);
    return session;
}

static struct acme_error
problem(const char *type, enum acme_verdict verdict, int status)
{
    struct acme_error why;

    acme_fail(&why, verdict, "says the CA");
    snprintf(why.problem, sizeof(why.problem), "%s", type);
    why.http_status = status;
    return why;
}

static void
a_used_key_is_looked_up_first(void **state)
{
    struct acme_session *session = with_hints(NULL, ACME_ACCOUNT_MAY_EXIST);
    struct acme_error err;

    (void) state;
    expect(session, ACME_SESSION_FIND_ACCOUNT, CA "/account");
    assert_true(give(session, make_account_reply(200, "{}", CA "/acct/1"),
        &err));
    expect(session, ACME_SESSION_SAVE_ACCOUNT, CA "/acct/1");
    assert_false(acme_session_account_is_new(session));
    acme_session_free(session);
}

static const struct {
    const char *what;
    const char *type;
    enum acme_verdict verdict;
    int status;
    bool registers;
} look_ups[] = {
    { "none", "accountDoesNotExist", ACME_RETRY, 400, true },
    { "none without a binding", "externalAccountRequired", ACME_MISCONFIG,
        403, true },
    { "refused in other words", "malformed", ACME_REFUSED, 400, true },
    { "refused without words", "", ACME_REFUSED, 404, true },
    { "deactivated", "unauthorized", ACME_MISCONFIG, 403, false },
    { "too many", "rateLimited", ACME_RETRY, 429, false },
    { "broken", "", ACME_RETRY, 503, false },
    { "no reply", "", ACME_RETRY, 0, false },
};

static void
a_look_up_in_vain_leads_to_a_new_account(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(look_ups) / sizeof(look_ups[0]); i++) {
        struct acme_session *session = with_hints(NULL,
            ACME_ACCOUNT_MAY_EXIST);
        struct acme_error why = problem(look_ups[i].type,
            look_ups[i].verdict, look_ups[i].status);

        if (acme_session_failed(session, ACME_SESSION_FIND_ACCOUNT, &why)
            != look_ups[i].registers) {
            fail_msg("%s", look_ups[i].what);
        }
        expect(session, look_ups[i].registers ? ACME_SESSION_NEW_ACCOUNT
            : ACME_SESSION_FIND_ACCOUNT, CA "/account");
        acme_session_free(session);
    }
}

static void
an_account_that_is_bound_already_is_looked_up_once(void **state)
{
    struct acme_session *session = with_said_directory();
    struct acme_error why = problem("malformed", ACME_REFUSED, 400);

    (void) state;
    snprintf(why.text, sizeof(why.text), "malformed: The account is not "
        "awaiting external account binding");
    assert_true(acme_session_failed(session, ACME_SESSION_NEW_ACCOUNT, &why));
    expect(session, ACME_SESSION_FIND_ACCOUNT, CA "/account");
    why = problem("accountDoesNotExist", ACME_RETRY, 400);
    assert_true(acme_session_failed(session, ACME_SESSION_FIND_ACCOUNT,
        &why));
    expect(session, ACME_SESSION_NEW_ACCOUNT, CA "/account");
    snprintf(why.text, sizeof(why.text), "not awaiting external account "
        "binding");
    assert_false(acme_session_failed(session, ACME_SESSION_NEW_ACCOUNT,
        &why));
    acme_session_free(session);
}

static void
of_two_keys_the_ca_is_asked_which_it_knows(void **state)
{
    struct acme_session *session = with_hints(CA "/acct/1",
        ACME_ACCOUNT_KEY_IN_DOUBT);
    struct acme_error err;

    (void) state;
    expect(session, ACME_SESSION_TRY_NEW_KEY, CA "/account");
    assert_true(give(session, make_account_reply(200, "{}", CA "/acct/1"),
        &err));
    expect(session, ACME_SESSION_SAY_KEY, CA "/account");
    assert_true(acme_session_new_key_is_known(session));
    assert_string_equal(acme_session_account(session), CA "/acct/1");
    acme_session_done(session);
    expect(session, ACME_SESSION_READY, CA "/acct/1");
    acme_session_free(session);
}

static void
a_key_that_the_ca_does_not_know_leaves_the_old_one(void **state)
{
    struct acme_session *session = with_hints(NULL,
        ACME_ACCOUNT_KEY_IN_DOUBT | ACME_ACCOUNT_MAY_EXIST);
    struct acme_error why = problem("malformed", ACME_REFUSED, 400);

    (void) state;
    assert_false(acme_session_failed(session, ACME_SESSION_TRY_NEW_KEY,
        &why));
    expect(session, ACME_SESSION_TRY_NEW_KEY, CA "/account");
    why = problem("accountDoesNotExist", ACME_RETRY, 400);
    assert_true(acme_session_failed(session, ACME_SESSION_TRY_NEW_KEY, &why));
    expect(session, ACME_SESSION_SAY_KEY, CA "/account");
    assert_false(acme_session_new_key_is_known(session));
    acme_session_done(session);
    expect(session, ACME_SESSION_FIND_ACCOUNT, CA "/account");
    acme_session_free(session);
}

static void
changed_contacts_are_sent_before_the_orders(void **state)
{
    struct acme_session *session = with_hints(CA "/acct/1",
        ACME_ACCOUNT_UPDATE);
    struct acme_error err;

    (void) state;
    expect(session, ACME_SESSION_UPDATE_ACCOUNT, CA "/acct/1");
    assert_true(give(session, make_reply(200, "{\"status\":\"valid\"}"),
        &err));
    expect(session, ACME_SESSION_SAVE_UPDATE, CA "/acct/1");
    assert_string_equal(acme_session_update_refused(session), "");
    acme_session_done(session);
    expect(session, ACME_SESSION_READY, CA "/acct/1");
    acme_session_free(session);
}

static const struct {
    const char *type;
    enum acme_verdict verdict;
    int status;
    enum acme_session_need next;
} updates[] = {
    { "invalidContact", ACME_MISCONFIG, 400, ACME_SESSION_SAVE_UPDATE },
    { "unsupportedContact", ACME_MISCONFIG, 400, ACME_SESSION_SAVE_UPDATE },
    { "malformed", ACME_REFUSED, 400, ACME_SESSION_SAVE_UPDATE },
    { "serverInternal", ACME_RETRY, 500, ACME_SESSION_READY },
    { "rateLimited", ACME_RETRY, 429, ACME_SESSION_READY },
    { "", ACME_RETRY, 0, ACME_SESSION_READY },
    { "unauthorized", ACME_MISCONFIG, 403, ACME_SESSION_UPDATE_ACCOUNT },
    { "accountDoesNotExist", ACME_RETRY, 400, ACME_SESSION_UPDATE_ACCOUNT },
};

static void
refused_contacts_do_not_stop_the_orders(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(updates) / sizeof(updates[0]); i++) {
        struct acme_session *session = with_hints(CA "/acct/1",
            ACME_ACCOUNT_UPDATE);
        struct acme_error why = problem(updates[i].type, updates[i].verdict,
            updates[i].status);

        assert_int_equal(acme_session_failed(session,
            ACME_SESSION_UPDATE_ACCOUNT, &why),
            updates[i].next != ACME_SESSION_UPDATE_ACCOUNT);
        expect(session, updates[i].next, CA "/acct/1");
        if (updates[i].next == ACME_SESSION_SAVE_UPDATE) {
            assert_string_equal(acme_session_update_refused(session),
                "says the CA");
            acme_session_done(session);
            expect(session, ACME_SESSION_READY, CA "/acct/1");
        }
        acme_session_free(session);
    }
}

static void
a_binding_is_got_for_the_mail_address(void **state)
{
    struct acme_session *session = with_said_directory();
    struct acme_error err;

    (void) state;
    assert_true(acme_session_bind_by_mail(session, "https://api.test/eab",
        "a@b.test"));
    expect(session, ACME_SESSION_GET_BINDING, "https://api.test/eab");
    assert_string_equal(acme_session_mail(session), "a@b.test");
    assert_false(give(session, make_reply(400, "{\"success\":false,"
        "\"error\":{\"code\":2900,\"type\":\"missing_email\"}}"), &err));
    assert_non_null(strstr(err.text, "missing_email"));
    expect(session, ACME_SESSION_GET_BINDING, "https://api.test/eab");
    assert_true(give(session, make_reply(200, "{\"success\":true,"
        "\"eab_kid\":\"kid\",\"eab_hmac_key\":\"AAAA\"}"), &err));
    expect(session, ACME_SESSION_SAY_BINDING, "https://api.test/eab");
    assert_string_equal(acme_session_binding(session)->kid, "kid");
    assert_string_equal(acme_session_binding(session)->key, "AAAA");
    acme_session_done(session);
    assert_string_equal(acme_session_binding(session)->key, "");
    expect(session, ACME_SESSION_NEW_ACCOUNT, CA "/account");

    /* refused: the next attempt gets another one */
    err = problem("unauthorized", ACME_REFUSED, 403);
    assert_false(acme_session_failed(session, ACME_SESSION_NEW_ACCOUNT,
        &err));
    expect(session, ACME_SESSION_GET_BINDING, "https://api.test/eab");
    acme_session_free(session);
}

static void
no_binding_is_got_for_an_account_that_there_is(void **state)
{
    struct acme_session *session = with_directory(CA "/acct/1");

    (void) state;
    assert_true(acme_session_bind_by_mail(session, "https://api.test/eab",
        "a@b.test"));
    acme_session_done(session);
    expect(session, ACME_SESSION_READY, CA "/acct/1");
    acme_session_free(session);
}

/* ---- nonces */

static void
give_nonce(struct acme_session *session, int64_t now_ms, const char *nonce)
{
    struct acme_reply reply = make_reply(200, "");
    struct acme_error err;

    snprintf(reply.headers.nonce, sizeof(reply.headers.nonce), "%s", nonce);
    assert_int_equal(acme_session_read(session, now_ms, &reply, &err),
        ACME_READ_OK);
}

static void
expect_nonce(struct acme_session *session, int64_t now_ms, const char *nonce)
{
    char got[257];

    assert_true(acme_session_take_nonce(session, now_ms, got));
    assert_string_equal(got, nonce);
}

static void
the_newest_nonce_is_taken_first_and_once(void **state)
{
    struct acme_session *session = acme_session_new(CA "/dir", NULL);
    char got[257];

    (void) state;
    assert_false(acme_session_take_nonce(session, NOW, got));
    give_nonce(session, NOW, "one");
    give_nonce(session, NOW, "two");
    give_nonce(session, NOW, "");
    expect_nonce(session, NOW, "two");
    expect_nonce(session, NOW, "one");
    assert_false(acme_session_take_nonce(session, NOW, got));
    acme_session_free(session);
}

static void
nonces_older_than_five_minutes_are_dropped(void **state)
{
    struct acme_session *session = acme_session_new(CA "/dir", NULL);
    char got[257];

    (void) state;
    give_nonce(session, NOW, "old");
    give_nonce(session, NOW + MINUTE, "newer");
    expect_nonce(session, NOW + 6 * MINUTE, "newer");
    assert_false(acme_session_take_nonce(session, NOW + 6 * MINUTE, got));
    give_nonce(session, NOW + 6 * MINUTE, "fresh");
    expect_nonce(session, NOW + 6 * MINUTE, "fresh");
    assert_false(acme_session_take_nonce(session, NOW, got));
    acme_session_free(session);
}

static void
the_oldest_of_too_many_nonces_are_lost(void **state)
{
    struct acme_session *session = acme_session_new(CA "/dir", NULL);
    char text[257];

    (void) state;
    for (unsigned i = 0; i < 300; i++) {
        snprintf(text, sizeof(text), "nonce-%u", i);
        give_nonce(session, NOW, text);
    }
    for (unsigned i = 299; i > 299 - 128; i--) {
        snprintf(text, sizeof(text), "nonce-%u", i);
        expect_nonce(session, NOW, text);
    }
    assert_false(acme_session_take_nonce(session, NOW, text));
    acme_session_free(session);
}

static void
a_nonce_of_full_length_is_kept_whole(void **state)
{
    struct acme_session *session = acme_session_new(CA "/dir", NULL);
    char text[257];

    (void) state;
    memset(text, 'n', 256);
    text[256] = '\0';
    give_nonce(session, NOW, text);
    expect_nonce(session, NOW, text);
    acme_session_free(session);
}

/* ---- every reply */

static void
bad_nonce_repeats_the_request_with_the_nonce_of_the_error(void **state)
{
    struct acme_session *session = acme_session_new(CA "/dir", NULL);
    struct acme_reply reply = make_reply(400,
        "{\"type\":\"urn:ietf:params:acme:error:badNonce\"}");
    struct acme_error err;

    (void) state;
    give_nonce(session, NOW, "older");
    snprintf(reply.headers.nonce, sizeof(reply.headers.nonce), "better");
    assert_int_equal(acme_session_read(session, NOW, &reply, &err),
        ACME_READ_REPEAT);
    expect_nonce(session, NOW, "better");
    acme_session_free(session);
}

static void
a_failed_reply_gives_its_nonce_and_its_error(void **state)
{
    struct acme_session *session = acme_session_new(CA "/dir", NULL);
    struct acme_reply reply = make_reply(403, "{\"type\":"
        "\"urn:ietf:params:acme:error:rejectedIdentifier\","
        "\"detail\":\"not this one\"}");
    struct acme_error err;

    (void) state;
    snprintf(reply.headers.nonce, sizeof(reply.headers.nonce), "kept");
    assert_int_equal(acme_session_read(session, NOW, &reply, &err),
        ACME_READ_FAILED);
    assert_string_equal(err.problem, "rejectedIdentifier");
    assert_int_equal(err.http_status, 403);
    assert_non_null(strstr(err.text, "not this one"));
    expect_nonce(session, NOW, "kept");
    acme_session_free(session);
}

static void
only_2xx_is_a_success(void **state)
{
    static const struct { int status; enum acme_read read; } rows[] = {
        { 0, ACME_READ_FAILED }, { 199, ACME_READ_FAILED },
        { 200, ACME_READ_OK }, { 201, ACME_READ_OK }, { 204, ACME_READ_OK },
        { 299, ACME_READ_OK }, { 301, ACME_READ_FAILED },
        { 404, ACME_READ_FAILED }, { 500, ACME_READ_FAILED },
    };
    struct acme_session *session = acme_session_new(CA "/dir", NULL);
    struct acme_error err;

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct acme_reply reply = make_reply(rows[i].status, "");

        assert_int_equal(acme_session_read(session, NOW, &reply, &err),
            rows[i].read);
    }
    acme_session_free(session);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_session_reads_says_registers_and_saves),
        cmocka_unit_test(a_directory_of_very_many_members_is_read),
        cmocka_unit_test(a_saved_account_is_used),
        cmocka_unit_test(the_directory_tells_its_urls),
        cmocka_unit_test(a_redirected_directory_is_known_by_its_final_url),
        cmocka_unit_test(only_origins_of_the_directory_are_allowed),
        cmocka_unit_test(bad_directories_are_refused),
        cmocka_unit_test(a_huge_directory_is_kept_within_bounds),
        cmocka_unit_test(a_directory_that_fails_is_asked_for_again),
        cmocka_unit_test(what_is_no_directory_has_a_hint),
        cmocka_unit_test(a_directory_url_that_is_gone_makes_it_read_again),
        cmocka_unit_test(
            a_refusal_of_what_the_directory_offers_makes_it_read_again),
        cmocka_unit_test(a_directory_is_read_again_after_a_day),
        cmocka_unit_test(the_directory_tells_what_the_ca_can_do),
        cmocka_unit_test(a_directory_may_offer_nothing_beyond_the_needed),
        cmocka_unit_test(odd_profile_names_are_left_out),
        cmocka_unit_test(very_many_profiles_are_kept_within_bounds),
        cmocka_unit_test(replies_to_new_account),
        cmocka_unit_test(
            a_forgotten_account_is_registered_again_once_an_hour),
        cmocka_unit_test(a_reply_that_nobody_waits_for_is_refused),
        cmocka_unit_test(a_used_key_is_looked_up_first),
        cmocka_unit_test(a_look_up_in_vain_leads_to_a_new_account),
        cmocka_unit_test(an_account_that_is_bound_already_is_looked_up_once),
        cmocka_unit_test(of_two_keys_the_ca_is_asked_which_it_knows),
        cmocka_unit_test(a_key_that_the_ca_does_not_know_leaves_the_old_one),
        cmocka_unit_test(changed_contacts_are_sent_before_the_orders),
        cmocka_unit_test(refused_contacts_do_not_stop_the_orders),
        cmocka_unit_test(a_binding_is_got_for_the_mail_address),
        cmocka_unit_test(no_binding_is_got_for_an_account_that_there_is),
        cmocka_unit_test(the_newest_nonce_is_taken_first_and_once),
        cmocka_unit_test(nonces_older_than_five_minutes_are_dropped),
        cmocka_unit_test(the_oldest_of_too_many_nonces_are_lost),
        cmocka_unit_test(a_nonce_of_full_length_is_kept_whole),
        cmocka_unit_test(
            bad_nonce_repeats_the_request_with_the_nonce_of_the_error),
        cmocka_unit_test(a_failed_reply_gives_its_nonce_and_its_error),
        cmocka_unit_test(only_2xx_is_a_success),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
