/* Authorization objects: what is taken from them (for refusals see order). */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "protocol/authorization.h"

#define CA "https://ca.test"
#define HEAD "{\"identifier\":{\"type\":\"dns\",\"value\":\"a.test\"}," \
    "\"status\":\"pending\""
#define HTTP_01(token) "{\"type\":\"http-01\",\"status\":\"pending\"," \
    "\"token\":\"" token "\",\"url\":\"" CA "/c/" token "\"}"
#define ALPN_01(status) "{\"type\":\"tls-alpn-01\",\"status\":\"" status \
    "\",\"token\":\"alpn\",\"url\":\"" CA "/c/alpn\"}"
#define ERROR(type, detail) "\"error\":{\"type\":" \
    "\"urn:ietf:params:acme:error:" type "\",\"detail\":\"" detail "\"}"

static struct acme_authorization authorization;
static const struct acme_challenge *const http
    = &authorization.challenges[ACME_HTTP_01];

static bool
take(const char *body)
{
    struct acme_error err;

    memset(&authorization, 0xee, sizeof(authorization));
    return acme_authorization_read(acme_bytes_of(body), &authorization, &err);
}

static void
the_http_01_challenge_is_picked_from_others(void **state)
{
    (void) state;
    assert_true(take(HEAD ",\"challenges\":[{\"type\":\"dns-01\",\"token\":"
        "\"d\"},17,{}," HTTP_01("one") "," HTTP_01("two")
        ",{\"type\":\"tls-alpn-01\"}]}"));
    assert_string_equal(authorization.name, "a.test");
    assert_int_equal(authorization.status, ACME_AUTHORIZATION_PENDING);
    assert_true(http->offered);
    assert_int_equal(http->status, ACME_CHALLENGE_PENDING);
    assert_string_equal(http->token, "one");
    assert_string_equal(http->url, CA "/c/one");
    assert_false(authorization.challenges[ACME_TLS_ALPN_01].offered);
    assert_string_equal(authorization.types,
        "dns-01, http-01, http-01, tls-alpn-01");
    assert_false(authorization.wildcard);
    assert_false(authorization.has_problem);
}

static void
a_broken_challenge_of_another_type_does_not_matter(void **state)
{
    (void) state;
    assert_true(take(HEAD ",\"challenges\":[{\"type\":\"dns-01\",\"status\":"
        "\"odd\",\"token\":\"../x\",\"url\":1}," HTTP_01("one") "]}"));
    assert_string_equal(http->token, "one");
}

static void
the_words_about_a_known_type_count_more(void **state)
{
    (void) state;
    assert_true(take(HEAD ",\"challenges\":["
        "{\"type\":\"dns-01\"," ERROR("dns", "first") "},"
        "{\"type\":\"dns-99\"," ERROR("tls", "second") "}]}"));
    assert_true(authorization.has_problem);
    assert_string_equal(authorization.problem.text, "dns: first");
    assert_int_equal(authorization.problem_type, ACME_CHALLENGE_NONE);

    assert_true(take(HEAD ",\"challenges\":["
        "{\"type\":\"dns-01\"," ERROR("dns", "first") "},"
        "{\"type\":\"http-01\",\"status\":\"invalid\",\"token\":\"t\","
        "\"url\":\"" CA "/c\"," ERROR("connection", "second") "},"
        "{\"type\":\"tls-alpn-01\"," ERROR("tls", "third") "}]}"));
    assert_string_equal(authorization.problem.text, "connection: second");
    assert_int_equal(authorization.problem_type, ACME_HTTP_01);
    assert_int_equal(http->status, ACME_CHALLENGE_INVALID);
}

static void
names_of_many_types_are_cut(void **state)
{
    static char body[16 * 1024];
    size_t len = (size_t) sprintf(body, HEAD ",\"challenges\":[");

    (void) state;
    for (unsigned i = 0; i < 200; i++) {
        len += (size_t) sprintf(body + len, "{\"type\":\"\\\"%030u\"},", i);
    }
    sprintf(body + len, HTTP_01("one") "]}");
    assert_true(take(body));
    assert_true(strlen(authorization.types) < sizeof(authorization.types));
    assert_null(strchr(authorization.types, '"'));
    assert_string_equal(http->token, "one");
}

static void
a_url_over_2048_bytes_is_not_taken(void **state)
{
    static char body[8 * 1024];

    (void) state;
    for (int len = ACME_URL_MAX; len <= ACME_URL_MAX + 1; len++) {
        sprintf(body, HEAD ",\"challenges\":[{\"type\":\"http-01\","
            "\"status\":\"pending\",\"token\":\"t\",\"url\":\"%0*d\"}]}",
            len, 7);
        assert_true(take(body));
        assert_int_equal(http->offered, len == ACME_URL_MAX);
    }
}

static const struct {
    const char *what;
    const char *body;
} refused[] = {
    { "empty", "" },
    { "a list", "[" HEAD "}]" },
    { "cut off", HEAD },
    { "status only", "{\"status\":\"pending\"}" },
    { "identifier is a text", "{\"identifier\":\"a.test\",\"status\":"
        "\"pending\"}" },
    { "identifier is a list", "{\"identifier\":[\"a.test\"],\"status\":"
        "\"pending\"}" },
    { "status of an order", "{\"identifier\":{\"type\":\"dns\",\"value\":"
        "\"a.test\"},\"status\":\"processing\"}" },
};

static void
malformed_authorizations_are_refused(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct acme_error err;

        if (acme_authorization_read(acme_bytes_of(refused[i].body),
                &authorization, &err)) {
            fail_msg("%s was taken", refused[i].what);
        }
        assert_int_equal(err.verdict, ACME_PEER_BROKE);
    }
}

static const struct {
    const char *what;
    const char *body;
    const char *name;          /* NULL: not provable */
    const char *words;
    enum acme_challenge_type type;
} provable[] = {
    { "ours", HEAD ",\"challenges\":[" HTTP_01("t") "]}", "a.test", NULL,
        ACME_HTTP_01 },
    { "the one that is wanted more", HEAD ",\"challenges\":["
        ALPN_01("pending") "," HTTP_01("t") "]}", "a.test", NULL,
        ACME_HTTP_01 },
    { "the other one is all there is", HEAD ",\"challenges\":["
        ALPN_01("pending") "]}", "a.test", NULL, ACME_TLS_ALPN_01 },
    { "the other one is under way", HEAD ",\"challenges\":[" HTTP_01("t") ","
        ALPN_01("processing") "]}", "a.test", NULL, ACME_TLS_ALPN_01 },
    { "the one that is wanted more is broken", HEAD ",\"challenges\":["
        HTTP_01("..") "," ALPN_01("pending") "]}", "a.test", NULL,
        ACME_TLS_ALPN_01 },
    { "not offered", HEAD "}", NULL,
        "does not offer the http-01 or tls-alpn-01 challenge",
        ACME_CHALLENGE_NONE },
    { "wildcard", HEAD ",\"wildcard\":true,\"challenges\":[" HTTP_01("t")
        "]}", NULL, "*.a.test", ACME_CHALLENGE_NONE },
    { "wildcard is a text", HEAD ",\"wildcard\":\"true\",\"challenges\":["
        HTTP_01("t") "]}", "a.test", NULL, ACME_HTTP_01 },
    { "foreign", "{\"identifier\":{\"type\":\"dns\",\"value\":\"b.test\"},"
        "\"status\":\"pending\",\"challenges\":[" HTTP_01("t") "]}", NULL,
        "b.test, which is no name of this certificate", ACME_CHALLENGE_NONE },
};

static const struct acme_challenge_wish wish = {
    { ACME_HTTP_01, ACME_TLS_ALPN_01 }, 2 };

static void
only_our_names_by_what_is_wanted_are_provable(void **state)
{
    static char ours[] = "a.test";
    char *const names[] = { ours };

    (void) state;
    for (size_t i = 0; i < sizeof(provable) / sizeof(provable[0]); i++) {
        struct acme_error err = { 0 };
        enum acme_challenge_type type;
        const char *name;
        bool ok;

        assert_true(take(provable[i].body));
        ok = acme_authorization_provable(&authorization, &wish, names, 1,
            &name, &type, &err);
        if (ok != (provable[i].name != NULL)) {
            fail_msg("%s: %s", provable[i].what, err.text);
        }
        if (ok) {
            assert_ptr_equal(name, ours);
            if (type != provable[i].type) {
                fail_msg("%s: by %s", provable[i].what,
                    acme_challenge_type_name(type));
            }
        } else {
            assert_int_equal(err.verdict, ACME_REFUSED);
            assert_string_equal(err.name, authorization.name);
            assert_non_null(strstr(err.text, provable[i].words));
        }
    }
}

static const char *const broken[] = {
    HTTP_01("a.b"), HTTP_01(""), HTTP_01("YQ=="), HTTP_01("a\\n"),
    "{\"type\":\"http-01\"}",
    "{\"type\":\"http-01\",\"status\":\"ready\",\"token\":\"t\","
        "\"url\":\"" CA "/c\"}",
    "{\"type\":\"http-01\",\"status\":\"pending\",\"token\":\"t\"}",
};

static void
a_broken_challenge_proves_nothing(void **state)
{
    static char ours[] = "a.test";
    char *const names[] = { ours };
    char body[1024];

    (void) state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct acme_error err = { 0 };
        enum acme_challenge_type type;
        const char *name;

        snprintf(body, sizeof(body), HEAD ",\"challenges\":[%s]}", broken[i]);
        assert_true(take(body));
        assert_false(http->offered);
        assert_false(acme_authorization_provable(&authorization, &wish, names,
            1, &name, &type, &err));
        assert_int_equal(err.verdict, ACME_PEER_BROKE);
        assert_non_null(strstr(err.text, "http-01 challenge"));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_http_01_challenge_is_picked_from_others),
        cmocka_unit_test(a_broken_challenge_of_another_type_does_not_matter),
        cmocka_unit_test(the_words_about_a_known_type_count_more),
        cmocka_unit_test(names_of_many_types_are_cut),
        cmocka_unit_test(a_url_over_2048_bytes_is_not_taken),
        cmocka_unit_test(malformed_authorizations_are_refused),
        cmocka_unit_test(only_our_names_by_what_is_wanted_are_provable),
        cmocka_unit_test(a_broken_challenge_proves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
