/* Which URLs of a CA are followed, and which are not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "protocol/request.h"
#include "protocol/url.h"

static const struct {
    const char *what;
    const char *url;
    const char *origin;        /* NULL: refused */
} rows[] = {
    { "plain", "https://ca.test/dir", "https://ca.test:443" },
    { "no path", "https://ca.test", "https://ca.test:443" },
    { "query only", "https://ca.test?x=1", "https://ca.test:443" },
    { "capitals", "HTTPS://CA.Test/Dir", "https://ca.test:443" },
    { "port", "https://ca.test:14000/dir", "https://ca.test:14000" },
    { "default port", "https://ca.test:443/", "https://ca.test:443" },
    { "port with zeros", "https://ca.test:0443/", "https://ca.test:443" },
    { "highest port", "https://ca.test:65535/", "https://ca.test:65535" },
    { "IPv4", "https://192.0.2.1/x", "https://192.0.2.1:443" },
    { "IPv6", "https://[2001:DB8::1]:8443/x", "https://[2001:db8::1]:8443" },
    { "IPv6 at length", "https://[0:0:0:0:0:0:0:1]:14000/dir",
        "https://[::1]:14000" },
    { "IPv6 with an IPv4 end", "https://[::ffff:192.0.2.1]/",
        "https://[::ffff:192.0.2.1]:443" },
    { "at sign in the path", "https://ca.test/@x:1", "https://ca.test:443" },

    { "http", "http://ca.test/", NULL },
    { "file", "file:///etc/passwd", NULL },
    { "no scheme", "//ca.test/", NULL },
    { "relative", "/acme/order/1", NULL },
    { "empty", "", NULL },
    { "scheme alone", "https://", NULL },
    { "part of a scheme", "https:", NULL },
    { "one slash", "https:/ca.test/", NULL },
    { "three slashes", "https:///ca.test/", NULL },
    { "userinfo", "https://ca.test@evil.test/", NULL },
    { "password", "https://ca.test:443@evil.test/", NULL },
    { "fragment", "https://ca.test/#x", NULL },
    { "fragment as host", "https://evil.test#ca.test/", NULL },
    { "backslash", "https://evil.test\\ca.test/", NULL },
    { "space", "https://ca.test/a b", NULL },
    { "line break", "https://ca.test/\r\nX: y", NULL },
    { "tab", "https://ca.test/\t", NULL },
    { "DEL", "https://ca.test/\x7f", NULL },
    { "not ASCII", "https://c\xc3\xa4.test/", NULL },
    { "quote", "https://ca.test/\"", NULL },
    { "percent in the host", "https://ca%2etest/", NULL },
    { "port 0", "https://ca.test:0/", NULL },
    { "no port", "https://ca.test:/", NULL },
    { "port too high", "https://ca.test:65536/", NULL },
    { "port that overflows", "https://ca.test:4294967739/", NULL },
    { "port that overflows twice",
        "https://ca.test:18446744073709552059/", NULL },
    { "negative port", "https://ca.test:-443/", NULL },
    { "port with a word", "https://ca.test:443x/", NULL },
    { "two ports", "https://ca.test:1:2/", NULL },
    { "open bracket", "https://[2001:db8::1/", NULL },
    { "empty brackets", "https://[]/", NULL },
    { "no address in brackets", "https://[1:2]/", NULL },
    { "IPv4 in brackets", "https://[192.0.2.1]/", NULL },
    { "a very long address", "https://[0000000000000000000000000000000000"
        "00000000000000000000000000000000000::1]/", NULL },
    { "zone", "https://[fe80::1%25eth0]/", NULL },
    { "text behind the bracket", "https://[::1]x/", NULL },
};

static void
urls_have_an_origin_or_are_refused(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct acme_error err = { 0 };
        char origin[300];
        bool ok = acme_url_origin(rows[i].url, origin, sizeof(origin), &err);

        if (ok != (rows[i].origin != NULL)
            || (ok && strcmp(origin, rows[i].origin) != 0)) {
            fail_msg("%s: %s", rows[i].what, ok ? origin : err.text);
        }
        if (!ok) {
            assert_int_equal(err.verdict, ACME_PEER_BROKE);
            assert_null(strpbrk(err.text, "\r\n\t\x7f"));
        }
    }
}

static void
a_url_over_2048_bytes_is_refused(void **state)
{
    char url[ACME_URL_MAX + 2], origin[300];
    struct acme_error err;

    (void) state;
    memset(url, 'x', sizeof(url));
    memcpy(url, "https://ca.test/", 16);
    url[ACME_URL_MAX + 1] = '\0';
    assert_false(acme_url_origin(url, origin, sizeof(origin), &err));
    url[ACME_URL_MAX] = '\0';
    assert_true(acme_url_origin(url, origin, sizeof(origin), &err));
}

static void
a_host_over_253_bytes_is_refused(void **state)
{
    char url[300], origin[300];
    struct acme_error err;

    (void) state;
    for (int len = 253; len <= 254; len++) {
        snprintf(url, sizeof(url), "https://%0*d/", len, 7);
        assert_int_equal(acme_url_origin(url, origin, sizeof(origin), &err),
            len == 253);
    }
}

static void
an_origin_that_does_not_fit_is_refused(void **state)
{
    char origin[20];
    struct acme_error err;

    (void) state;
    assert_true(acme_url_origin("https://ca.test/", origin, 20, &err));
    assert_false(acme_url_origin("https://ca.test/", origin, 19, &err));
}

static const struct {
    const char *what;
    const char *url;
    bool allowed;
} origins[] = {
    { "the directory's", "https://ca.test/any", true },
    { "of a URL in it", "https://CA.test:8443/any", true },
    { "another port", "https://ca.test:8444/", false },
    { "a name below", "https://x.ca.test/", false },
    { "a name that begins alike", "https://ca.test.evil.test/", false },
    { "a dot more", "https://ca.test./", false },
    { "http", "http://ca.test/", false },
    { "userinfo", "https://ca.test@evil.test/", false },
};

static void
only_known_origins_are_allowed(void **state)
{
    static const char *const known[] = { "https://ca.test/dir", "broken",
        "https://ca.test:8443/order" };
    struct acme_error err;

    (void) state;
    for (size_t i = 0; i < sizeof(origins) / sizeof(origins[0]); i++) {
        if (acme_url_allowed(origins[i].url, known, 3, &err)
            != origins[i].allowed) {
            fail_msg("%s", origins[i].what);
        }
    }
}

static void
a_foreign_url_is_named_with_its_origin(void **state)
{
    static const char *const known[] = { "https://ca.test/dir" };
    struct acme_error err;

    (void) state;
    assert_false(acme_url_allowed("https://evil.test/x", known, 1, &err));
    assert_int_equal(err.verdict, ACME_PEER_BROKE);
    assert_non_null(strstr(err.text, "\"https://evil.test/x\""));
    assert_non_null(strstr(err.text, "https://evil.test:443"));
    assert_non_null(strstr(err.text, "https://ca.test/dir"));
    assert_false(acme_url_allowed("https://evil.test/x", NULL, 0, &err));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_have_an_origin_or_are_refused),
        cmocka_unit_test(a_url_over_2048_bytes_is_refused),
        cmocka_unit_test(a_host_over_253_bytes_is_refused),
        cmocka_unit_test(an_origin_that_does_not_fit_is_refused),
        cmocka_unit_test(only_known_origins_are_allowed),
        cmocka_unit_test(a_foreign_url_is_named_with_its_origin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
