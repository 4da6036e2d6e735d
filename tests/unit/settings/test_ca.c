/* The CAs that have a name, and URLs of those that have none. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "settings/ca.h"

static const struct {
    const char *what, *argument, *url;
} good[] = {
    { "Let's Encrypt", "letsencrypt",
        "https://acme-v02.api.letsencrypt.org/directory" },
    { "its staging", "letsencrypt-staging",
        "https://acme-staging-v02.api.letsencrypt.org/directory" },
    { "a URL", "https://ca.test/directory", "https://ca.test/directory" },
    { "a host", "https://ca.test", "https://ca.test" },
    { "a port", "https://127.0.0.1:14000/dir",
        "https://127.0.0.1:14000/dir" },
    { "the last port", "https://ca.test:65535/", "https://ca.test:65535/" },
    { "an IPv6 address", "https://[::1]:14000/dir",
        "https://[::1]:14000/dir" },
    { "an underscore", "https://my_ca/dir", "https://my_ca/dir" },
    { "a query", "https://ca.test/dir?eab=1@2",
        "https://ca.test/dir?eab=1@2" },
    { "a query without path", "https://ca.test?a", "https://ca.test?a" },
    { "an at sign in the path", "https://ca.test/@/dir",
        "https://ca.test/@/dir" },
};

static void
presets_and_https_urls_are_taken(void **state)
{
    (void) state;
    for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct acme_error err = { 0 };
        const char *url = acme_ca_url(good[i].argument, &err);

        if (url == NULL || strcmp(url, good[i].url) != 0) {
            fail_msg("%s: %s", good[i].what, err.text);
        }
    }
}

static const struct {
    const char *what, *argument, *words;
} bad[] = {
    { "nothing", "", "allowed are letsencrypt, letsencrypt-staging" },
    { "a misspelling", "letencrypt", "did you mean \"letsencrypt\"?" },
    { "upper case", "LetsEncrypt", "did you mean \"letsencrypt\"?" },
    { "a misspelt staging", "letsencrypt_staging",
        "did you mean \"letsencrypt-staging\"?" },
    { "a CA that has closed", "buypass", "closed on 2025-10-31" },
    { "plain http", "http://ca.test/dir", "not https" },
    { "another scheme", "ftp://ca.test/dir", "allowed are" },
    { "no scheme", "ca.test/dir", "allowed are" },
    { "a file", "file:///etc/passwd", "allowed are" },
    { "no host", "https://", "allowed are" },
    { "no host but a path", "https:///dir", "allowed are" },
    { "no host but a port", "https://:443/dir", "allowed are" },
    { "no host but a query", "https://?dir", "allowed are" },
    { "a user", "https://admin@ca.test/dir", "allowed are" },
    { "a user and a password", "https://admin:secret@ca.test/dir",
        "allowed are" },
    { "a fragment", "https://ca.test/dir#x", "allowed are" },
    { "a space", "https://ca.test/ dir", "allowed are" },
    { "a new line", "https://ca.test/dir\n", "allowed are" },
    { "a control byte", "https://ca.test/\x01", "allowed are" },
    { "UTF-8", "https://ca.test/\xc3\xa9", "allowed are" },
    { "UTF-8 in the host", "https://c\xc3\xa9.test/", "allowed are" },
    { "a quote", "https://ca.test/\"", "allowed are" },
    { "a backslash", "https://ca.test\\@evil.test/", "allowed are" },
    { "an empty port", "https://ca.test:/dir", "allowed are" },
    { "port 0", "https://ca.test:0/dir", "allowed are" },
    { "port 65536", "https://ca.test:65536/dir", "allowed are" },
    { "a port beyond 64 bits", "https://ca.test:18446744073709552059/",
        "allowed are" },
    { "a port of letters", "https://ca.test:https/dir", "allowed are" },
    { "an open bracket", "https://[::1/dir", "allowed are" },
    { "empty brackets", "https://[]/dir", "allowed are" },
};

static void
other_arguments_are_refused_and_the_presets_told(void **state)
{
    (void) state;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct acme_error err = { 0 };

        if (acme_ca_url(bad[i].argument, &err) != NULL) {
            fail_msg("%s was taken", bad[i].what);
        }
        assert_int_equal(err.verdict, ACME_MISCONFIG);
        if (strstr(err.text, bad[i].words) == NULL) {
            fail_msg("%s: %s", bad[i].what, err.text);
        }
    }
}

static void
urls_of_2048_bytes_are_the_longest(void **state)
{
    char url[2100] = "https://ca.test/";
    struct acme_error err;

    (void) state;
    memset(url + 16, 'x', 2048 - 16);
    assert_ptr_equal(acme_ca_url(url, &err), url);
    url[2048] = 'x';
    assert_null(acme_ca_url(url, &err));
    assert_true(strlen(err.text) < 400);
}

static void
one_ca_binds_an_account_by_mail(void **state)
{
    struct acme_error err;

    (void) state;
    assert_string_equal(acme_ca_eab_by_mail(acme_ca_url("zerossl", &err)),
        "https://api.zerossl.com/acme/eab-credentials-email");
    assert_non_null(acme_ca_eab_source(acme_ca_url("google", &err)));
    assert_null(acme_ca_eab_by_mail(acme_ca_url("google", &err)));
    assert_null(acme_ca_eab_by_mail(acme_ca_url("letsencrypt", &err)));
    assert_null(acme_ca_eab_by_mail("https://ca.test/dir"));
}

static const struct {
    const char *argument, *name;
} names[] = {
    { "letsencrypt", "letsencrypt" },
    { "https://ca.test/directory", "ca.test" },
    { "https://ca.test", "ca.test" },
    { "https://ca.test?x", "ca.test" },
    { "https://127.0.0.1:14000/dir", "127.0.0.1:14000" },
    { "https://[::1]:14000/dir", "[::1]:14000" },
};

static void
people_call_it_by_preset_or_by_host(void **state)
{
    char name[16];

    (void) state;
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_true(acme_ca_name(names[i].argument, name, sizeof(name)));
        assert_string_equal(name, names[i].name);
    }
    assert_true(acme_ca_name("https://123456789012345/", name, sizeof(name)));
    assert_false(acme_ca_name("https://1234567890123456/", name,
        sizeof(name)));
    assert_false(acme_ca_name("https:///", name, sizeof(name)));
}

static void
only_what_is_known_of_a_ca_is_counted(void **state)
{
    static const struct {
        const char *argument;
        unsigned counts[ACME_LIMITS_COUNTED];
    } cas[] = {
        { "letsencrypt", { 300, 50, 5, 5 } },
        { "letsencrypt-staging", { 1500, 30000, 30000, 60 } },
        { "google", { 0, 0, 0, 0 } },
        { "https://ca.test/directory", { 0, 0, 0, 0 } },
    };

    (void) state;
    for (size_t i = 0; i < sizeof(cas) / sizeof(cas[0]); i++) {
        struct acme_error err;
        const struct acme_ca_rate *rates = acme_ca_rates(
            acme_ca_url(cas[i].argument, &err));

        for (size_t k = 0; k < ACME_LIMITS_COUNTED; k++) {
            assert_int_equal(rates[k].count, cas[i].counts[k]);
            /* one of them is a whole number of milliseconds */
            assert_true(rates[k].count == 0
                || rates[k].within_s * 1000 % rates[k].count == 0);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(presets_and_https_urls_are_taken),
        cmocka_unit_test(other_arguments_are_refused_and_the_presets_told),
        cmocka_unit_test(urls_of_2048_bytes_are_the_longest),
        cmocka_unit_test(one_ca_binds_an_account_by_mail),
        cmocka_unit_test(people_call_it_by_preset_or_by_host),
        cmocka_unit_test(only_what_is_known_of_a_ca_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
