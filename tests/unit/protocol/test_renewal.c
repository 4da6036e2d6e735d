/* What a CA may say about a renewal, and what of it is believed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "protocol/renewal.h"

#define BASE "https://ca.test/renewal-info"
#define CERT_ID "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"
#define WINDOW "\"suggestedWindow\":{\"start\":\"2025-01-02T04:00:00Z\"," \
    "\"end\":\"2025-01-03T04:00:00Z\"}"

static bool
read_text(const char *json, struct acme_renewal *renewal)
{
    struct acme_error err = { 0 };
    bool ok = acme_renewal_read(acme_bytes_of(json), renewal, &err);

    if (!ok) {
        assert_int_equal(err.verdict, ACME_PEER_BROKE);
        assert_true(err.text[0] != '\0');
    }
    return ok;
}

static void
the_answer_of_rfc_9773_is_read(void **state)
{
    struct acme_renewal renewal;

    (void) state;
    assert_true(read_text("{" WINDOW ",\"explanationURL\":"
        "\"https://acme.example.com/docs/ari\"}", &renewal));
    assert_int_equal(renewal.start, 1735790400);
    assert_int_equal(renewal.end, 1735790400 + 86400);
    assert_string_equal(renewal.explanation,
        "https://acme.example.com/docs/ari");
}

static const struct {
    const char *what, *start, *end;
    int64_t length;            /* 0: refused */
} windows[] = {
    { "offset", "2025-01-02T04:00:00+02:00", "2025-01-02T04:00:00Z", 7200 },
    { "fractions", "2025-01-02T04:00:00.123Z", "2025-01-02T04:00:09.9Z", 9 },
    { "long ago", "1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z", 1 },
    { "equal", "2025-01-02T04:00:00Z", "2025-01-02T04:00:00Z", 0 },
    { "equal instants", "2025-01-02T04:00:00+02:00", "2025-01-02T02:00:00Z",
        0 },
    { "inverted", "2025-01-03T04:00:00Z", "2025-01-02T04:00:00Z", 0 },
    { "no date", "tomorrow", "2025-01-02T04:00:00Z", 0 },
    { "no end", "2025-01-02T04:00:00Z", "", 0 },
    { "a number", "1735790400", "1735790500", 0 },
};

static void
a_window_begins_before_it_ends(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
        struct acme_renewal renewal;
        char json[256];
        bool ok;

        snprintf(json, sizeof(json), "{\"suggestedWindow\":{\"start\":\"%s\","
            "\"end\":\"%s\"}}", windows[i].start, windows[i].end);
        ok = read_text(json, &renewal);
        if (ok != (windows[i].length > 0)
            || (ok && renewal.end - renewal.start != windows[i].length)) {
            fail_msg("%s", windows[i].what);
        }
    }
}

static void
what_is_no_renewal_information_is_refused(void **state)
{
    static const char *const rows[] = { "", "{}", "[]", "null", "{\"suggested",
        "{\"suggestedWindow\":[]}", "{\"suggestedWindow\":{}}",
        "{\"suggestedWindow\":{\"start\":1735790400,\"end\":1735790500}}",
        "{\"SuggestedWindow\":{\"start\":\"2025-01-02T04:00:00Z\","
        "\"end\":\"2025-01-03T04:00:00Z\"}}", "{" WINDOW "} and more",
        "<html>503</html>" };
    struct acme_renewal renewal;

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (read_text(rows[i], &renewal)) {
            fail_msg("%s", rows[i]);
        }
    }
}

static const struct {
    const char *json, *read;
} explanations[] = {
    { "\"https://ca.test/why?x=1#y\"", "https://ca.test/why?x=1#y" },
    { "\"HTTP://ca.test/\"", "HTTP://ca.test/" },
    { "\"ftp://ca.test/\"", "" },
    { "\"javascript:alert(1)\"", "" },
    { "\"https://\"", "" },
    { "\"https://ca.test/\\u001b[31m\"", "" },
    { "\"https://ca.test/\\n2025 acme: lie\"", "" },
    { "\"https://ca.test/ acme: lie\"", "" },
    { "\"https://ca.test/\\\"quoted\\\"\"", "" },
    { "\"https://ca.test/\xc3\xa9\"", "" },
    { "\"\"", "" },
    { "17", "" },
    { "null", "" },
};

static void
an_explanation_is_a_url_or_left_out(void **state)
{
    struct acme_renewal renewal;
    char json[1024], url[600] = "https://ca.test/";

    (void) state;
    for (size_t i = 0; i < sizeof(explanations) / sizeof(explanations[0]);
         i++) {
        snprintf(json, sizeof(json), "{" WINDOW ",\"explanationURL\":%s}",
            explanations[i].json);
        assert_true(read_text(json, &renewal));
        assert_string_equal(renewal.explanation, explanations[i].read);
    }
    memset(url + 16, 'x', ACME_EXPLANATION_MAX - 16);
    snprintf(json, sizeof(json), "{" WINDOW ",\"explanationURL\":\"%s\"}",
        url);
    assert_true(read_text(json, &renewal));
    assert_string_equal(renewal.explanation, url);
    url[ACME_EXPLANATION_MAX] = 'x';
    snprintf(json, sizeof(json), "{" WINDOW ",\"explanationURL\":\"%s\"}",
        url);
    assert_true(read_text(json, &renewal));
    assert_string_equal(renewal.explanation, "");
}

static void
it_is_asked_for_below_the_url_of_the_directory(void **state)
{
    struct acme_error err;
    char url[128];

    (void) state;
    assert_true(acme_renewal_url(BASE, acme_bytes_of(CERT_ID), url,
        sizeof(url), &err));
    assert_string_equal(url, BASE "/" CERT_ID);
    assert_true(acme_renewal_url(BASE "/", acme_bytes_of(CERT_ID), url,
        sizeof(url), &err));
    assert_string_equal(url, BASE "/" CERT_ID);
    assert_true(acme_renewal_url(BASE, acme_bytes_of("a.b"), url,
        sizeof(BASE "/a.b"), &err));
    assert_false(acme_renewal_url(BASE, acme_bytes_of("a.bc"), url,
        sizeof(BASE "/a.b"), &err));
}

static void
what_is_no_cert_id_is_not_asked_about(void **state)
{
    static const char *const rows[] = { "", ".", "a", "a.", ".b", "a.b.c",
        "a/../b.c", "a.b?c", "a.b=", "a b.c", "\xc3\xa9.b" };
    struct acme_error err;
    char url[256], large[2 + 200] = "a.";

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (acme_renewal_url(BASE, acme_bytes_of(rows[i]), url, sizeof(url),
                &err)) {
            fail_msg("%s", rows[i]);
        }
    }
    memset(large + 2, 'x', sizeof(large) - 3);
    assert_false(acme_renewal_url(BASE, acme_bytes_of(large), url,
        sizeof(url), &err));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_answer_of_rfc_9773_is_read),
        cmocka_unit_test(a_window_begins_before_it_ends),
        cmocka_unit_test(what_is_no_renewal_information_is_refused),
        cmocka_unit_test(an_explanation_is_a_url_or_left_out),
        cmocka_unit_test(it_is_asked_for_below_the_url_of_the_directory),
        cmocka_unit_test(what_is_no_cert_id_is_not_asked_about),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
