/* What a CA answers that gives out bindings, or does not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "protocol/binding.h"

#define KID "gd1A4uNWv6Mfj5TNqJ8bBQ"
#define KEY "Z0nN3Ac1bWH-_wfr7Vxcxk5wtIKz6JcSwGm1zKsDEJE"

static struct acme_reply
make_reply(int status, const char *body)
{
    struct acme_reply reply = { .status = status, .failure = "cut off" };

    reply.body = acme_bytes_of(body);
    return reply;
}

static void
the_form_holds_the_address_and_nothing_else(void **state)
{
    struct acme_buffer form = ACME_BUFFER(1024);
    struct acme_error err;

    (void) state;
    assert_true(acme_binding_form("o.k-_~+&=%\xc3@a.test", &form, &err));
    assert_string_equal(acme_buffer_text(&form),
        "email=o.k-_~%2B%26%3D%25%C3%40a.test");
    acme_buffer_free(&form);
}

static void
a_binding_is_read(void **state)
{
    struct acme_reply reply = make_reply(200, "{\"success\":true,"
        "\"eab_kid\":\"" KID "\",\"eab_hmac_key\":\"" KEY "\",\"x\":[]}");
    struct acme_binding binding = { "", "" };
    struct acme_error err;

    (void) state;
    assert_true(acme_binding_read(&reply, &binding, &err));
    assert_string_equal(binding.kid, KID);
    assert_string_equal(binding.key, KEY);
}

static const struct {
    const char *what;
    int status;
    const char *body;
    enum acme_verdict verdict;
    const char *words;
} refusals[] = {
    { "no mail", 200, "{\"success\":false,\"error\":{\"code\":2900,"
        "\"type\":\"missing_email\"}}", ACME_MISCONFIG,
        "acme_contact: missing_email (code 2900)" },
    { "the same with a status", 400, "{\"success\":false,\"error\":{\"code\":"
        "2900,\"type\":\"missing\\u00e9\"}}", ACME_MISCONFIG, "missing" },
    { "too many", 429, "{\"success\":false,\"error\":{\"code\":104,"
        "\"type\":\"usage_limit_reached\"}}", ACME_RETRY,
        "usage_limit_reached" },
    { "a success that is refused", 403, "{\"success\":true,\"eab_kid\":\""
        KID "\",\"eab_hmac_key\":\"" KEY "\"}", ACME_REFUSED, "403" },
    { "HTML", 200, "<html>", ACME_PEER_BROKE, "cannot be understood" },
    { "a gateway's HTML", 504, "<html>", ACME_RETRY, "504" },
    { "nothing", 0, "", ACME_RETRY, "cut off" },
    { "no kid", 200, "{\"success\":true,\"eab_hmac_key\":\"" KEY "\"}",
        ACME_PEER_BROKE, "malformed" },
    { "no key", 200, "{\"success\":true,\"eab_kid\":\"" KID "\"}",
        ACME_PEER_BROKE, "malformed" },
    { "an empty kid", 200, "{\"success\":true,\"eab_kid\":\"\","
        "\"eab_hmac_key\":\"" KEY "\"}", ACME_PEER_BROKE, "malformed" },
    { "a kid with a space", 200, "{\"success\":true,\"eab_kid\":\"a b\","
        "\"eab_hmac_key\":\"" KEY "\"}", ACME_PEER_BROKE, "malformed" },
    { "a key that is none", 200, "{\"success\":true,\"eab_kid\":\"" KID
        "\",\"eab_hmac_key\":\"a!b\"}", ACME_PEER_BROKE, "malformed" },
    { "an empty key", 200, "{\"success\":true,\"eab_kid\":\"" KID
        "\",\"eab_hmac_key\":\"\"}", ACME_PEER_BROKE, "malformed" },
};

static void
a_refusal_is_told_in_the_words_of_the_ca(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct acme_reply reply = make_reply(refusals[i].status,
            refusals[i].body);
        struct acme_binding binding = { "old", "old" };
        struct acme_error err;

        if (acme_binding_read(&reply, &binding, &err)) {
            fail_msg("%s was taken", refusals[i].what);
        }
        if (err.verdict != refusals[i].verdict
            || strstr(err.text, refusals[i].words) == NULL) {
            fail_msg("%s: %d, %s", refusals[i].what, err.verdict, err.text);
        }
        assert_string_equal(binding.kid, "old");
        assert_null(strstr(err.text, KEY));
    }
}

static void
a_binding_of_any_length_is_kept_within_bounds(void **state)
{
    char kid[300], key[300];

    (void) state;
    memset(kid, 'k', sizeof(kid));
    memset(key, 'A', sizeof(key));
    kid[255] = '\0';
    key[252] = '\0';
    assert_true(acme_binding_is_good(kid, key));
    kid[255] = 'k';
    kid[256] = '\0';
    assert_false(acme_binding_is_good(kid, key));
    kid[1] = '\0';
    key[252] = 'A';
    key[256] = '\0';
    assert_false(acme_binding_is_good(kid, key));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_form_holds_the_address_and_nothing_else),
        cmocka_unit_test(a_binding_is_read),
        cmocka_unit_test(a_refusal_is_told_in_the_words_of_the_ca),
        cmocka_unit_test(a_binding_of_any_length_is_kept_within_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
