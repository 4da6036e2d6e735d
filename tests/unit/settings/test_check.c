/* What may stand behind each directive, and what its values mean. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "settings/check.h"

#define PATH_100 "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PATH_1000 PATH_100 PATH_100 PATH_100 PATH_100 PATH_100 PATH_100 \
    PATH_100 PATH_100 PATH_100 PATH_100
#define MAIL_64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaa"

enum { ARGS_MAX = 5 };

static size_t
count(const char *const argv[ARGS_MAX])
{
    size_t argc = 0;

    while (argc < ARGS_MAX && argv[argc] != NULL) {
        argc++;
    }
    return argc;
}

#define D(id) ACME_DIRECTIVE_##id

static const struct {
    enum acme_directive directive;
    const char *argv[ARGS_MAX];
} good[] = {
    { D(DOMAIN), { NULL } },
    { D(DOMAIN), { "a.test", "www.a.test", "192.0.2.1" } },
    { D(CA), { "letsencrypt" } },
    { D(EAB), { "zerossl", "kid", "/file" } },
    { D(EAB), { "https://ca.test/dir", "k_i-d/+=", "/file", "HS512" } },
    { D(CA), { "https://ca.test/dir" } },
    { D(ACCEPT_TERMS), { "on" } },
    { D(ACCEPT_TERMS), { "off" } },
    { D(ACCEPT_TERMS), { "On" } },
    { D(ACCEPT_TERMS), { "OFF" } },
    { D(CONTACT), { "admin@example.com" } },
    { D(CONTACT), { "mailto:admin@example.com", "a.b+c@sub.example.com" } },
    { D(CONTACT), { MAIL_64 "@example.com" } },
    { D(CA_CERTIFICATE), { "/etc/ca.pem" } },
    { D(PROXY), { "off" } },
    { D(PROXY), { "OFF" } },
    { D(PROXY), { "http://proxy.test:3128" } },
    { D(PROXY), { "http://proxy.test:3128/" } },
    { D(PROXY), { "https://10.0.0.1:443" } },
    { D(PROXY), { "socks5h://[2001:db8::1]:1080" } },
    { D(PROXY), { "http://user@proxy.test:1" } },
    { D(PROXY), { "http://user:p%40ss:w!rd@proxy.test:65535" } },
    { D(KEY), { "ecdsa:256" } },
    { D(KEY), { "ecdsa:384" } },
    { D(KEY), { "rsa:2048" } },
    { D(KEY), { "rsa:3072" } },
    { D(KEY), { "rsa:4096" } },
    { D(KEY), { "ecdsa:384", "rsa:4096" } },
    { D(KEY), { "rsa:2048", "ecdsa:256" } },
    { D(KEY_POLICY), { "rotate" } },
    { D(KEY_POLICY), { "Reuse" } },
    { D(RENEW), { "auto" } },
    { D(RENEW), { "1%" } },
    { D(RENEW), { "50%" } },
    { D(RENEW), { "1d" } },
    { D(RENEW), { "365d" } },
    { D(CA), { "zerossl", "https://ca.test/dir", "letsencrypt" } },
    { D(RELOAD), { "graceful" } },
    { D(RELOAD), { "graceful", "delay=0" } },
    { D(RELOAD), { "graceful", "delay=600" } },
    { D(RELOAD), { "graceful", "delay=30s" } },
    { D(RELOAD), { "graceful", "delay=10m" } },
    { D(RELOAD), { "off" } },
    { D(CHALLENGE), { "http-01" } },
    { D(CHALLENGE), { "tls-alpn-01", "http-01" } },
    { D(PROFILE), { "shortlived" } },
    { D(PROFILE), { "tls-server.2026_1", "require" } },
    { D(PREFERRED_CHAIN), { "ISRG Root X1" } },
    { D(PREFERRED_CHAIN), { "R\xc3\xa9seau" } },
    { D(RELOAD), { "Off" } },
    { D(RELOAD), { "Graceful", "delay=10s" } },
    { D(PORT_MAP), { "80:5002" } },
    { D(PORT_MAP), { "443:65535" } },
    { D(PORT_MAP), { "80:1", "443:1" } },
    { D(PORT_MAP), { "443:8443", "80:8080" } },
    { D(EVENT), { "/usr/local/bin/told" } },
    { D(EVENT), { "/usr/local/bin/told", "user=root" } },
    { D(STATE_PATH), { "/var/lib/acme" } },
    { D(STATE_PATH), { "/" } },
    { D(STATE_PATH), { PATH_1000 PATH_1000 } },
    { D(USER), { "_acme" } },
    { D(USER), { "www-data" } },
    { D(USER), { "machine$" } },
    { D(USER), { "user.name" } },
    { D(USER), { MAIL_64 } },
    { D(HELPER), { "/usr/libexec/acme-helper" } },
};

static void
good_arguments_pass(void **state)
{
    (void) state;
    for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct acme_error err = { 0 };

        if (!acme_check_arguments(good[i].directive, count(good[i].argv),
                good[i].argv, &err)) {
            fail_msg("%s %s: %s",
                acme_directive_infos[good[i].directive].name,
                good[i].argv[0], err.text);
        }
    }
}

static const struct {
    const char *what;
    enum acme_directive directive;
    const char *argv[ARGS_MAX];
    const char *words;
} bad[] = {
    { "an empty name", D(DOMAIN), { "" }, "not a name" },
    { "localhost behind a good name", D(DOMAIN), { "a.test", "localhost" },
        "\"localhost\" cannot be in a certificate" },
    { "a wildcard", D(DOMAIN), { "*.a.test" }, "dns-01" },
    { "an EAB of an unknown CA", D(EAB), { "zerosl", "kid", "/file" },
        "did you mean \"zerossl\"?" },
    { "an EAB without kid", D(EAB), { "zerossl", "", "/file" },
        "the key identifier" },
    { "a kid with a blank", D(EAB), { "zerossl", "k d", "/file" },
        "the key identifier" },
    { "a kid with a new line", D(EAB), { "zerossl", "k\n", "/file" },
        "the key identifier" },
    { "an EAB in a relative file", D(EAB), { "zerossl", "kid", "file" },
        "an absolute path" },
    { "another algorithm", D(EAB), { "zerossl", "kid", "/f", "ES256" },
        "HS256, HS384, HS512" },
    { "no URL of a proxy", D(PROXY), { "proxy.test:3128" },
        "allowed are off, http://host:port" },
    { "a proxy without port", D(PROXY), { "http://proxy.test" },
        "host:port" },
    { "a proxy with an address and no port", D(PROXY), { "http://[::1]" },
        "host:port" },
    { "a proxy with port 0", D(PROXY), { "http://proxy.test:0" },
        "host:port" },
    { "a proxy that does not resolve", D(PROXY), { "socks5://p.test:1080" },
        "socks5h://" },
    { "a proxy with a path", D(PROXY), { "http://proxy.test:1/x" },
        "host:port" },
    { "a proxy of no host", D(PROXY), { "http://:3128" }, "host:port" },
    { "a proxy of an empty user", D(PROXY), { "http://@proxy.test:1" },
        "host:port" },
    { "two at signs before a proxy", D(PROXY), { "http://a@b@proxy.test:1" },
        "%XX" },
    { "a password with a slash", D(PROXY), { "http://a:b/c@proxy.test:1" },
        "%XX" },
    { "a proxy with a blank", D(PROXY), { "http://a b@proxy.test:1" },
        "%XX" },
    { "an empty proxy", D(PROXY), { "" }, "allowed are off" },
    { "a relative program", D(EVENT), { "told" }, "an absolute path" },
    { "a program with something else", D(EVENT), { "/told", "root" },
        "user= and the name of a user" },
    { "a program of nobody", D(EVENT), { "/told", "user=" },
        "user= and the name of a user" },
    { "a program of a strange user", D(EVENT), { "/told", "user=a b" },
        "user= and the name of a user" },
    { "an unknown CA", D(CA), { "encrypt" }, "allowed are letsencrypt" },
    { "a closed CA", D(CA), { "buypass" }, "closed on 2025-10-31" },
    { "an unknown fallback", D(CA), { "letsencrypt", "zerosl" },
        "did you mean \"zerossl\"?" },
    { "a CA twice", D(CA), { "letsencrypt", "letsencrypt" },
        "\"letsencrypt\", allowed is each CA once" },
    { "a CA twice, once as URL", D(CA), { "letsencrypt",
        "https://acme-v02.api.letsencrypt.org/directory" },
        "allowed is each CA once" },
    { "practice as a fallback", D(CA), { "letsencrypt", "zerossl",
        "letsencrypt-staging" }, "\"letsencrypt-staging\", allowed is a "
        "staging directory among its own kind" },
    { "a fallback of practice", D(CA), { "google-staging", "letsencrypt" },
        "\"google-staging\", allowed is a staging directory among" },
    { "another word for auto", D(RENEW), { "autto" },
        "did you mean \"auto\"?" },
    { "more than half of the life", D(RENEW), { "51%" },
        "allowed are auto, 1% to 50% of the certificate's life, 1d to 365d" },
    { "nothing of the life", D(RENEW), { "0%" }, "allowed are auto" },
    { "no days", D(RENEW), { "0d" }, "allowed are auto" },
    { "more than a year", D(RENEW), { "366d" }, "allowed are auto" },
    { "hours", D(RENEW), { "30h" }, "allowed are auto" },
    { "days without a unit", D(RENEW), { "30" }, "allowed are auto" },
    { "days and more", D(RENEW), { "30d " }, "allowed are auto" },
    { "days below nothing", D(RENEW), { "-30d" }, "allowed are auto" },
    { "very many days", D(RENEW), { "4294967326d" }, "allowed are auto" },
    { "yes", D(ACCEPT_TERMS), { "yes" }, "\"yes\", allowed are on, off" },
    { "a letter too many", D(ACCEPT_TERMS), { "offf" },
        "did you mean \"off\"?" },
    { "an empty flag", D(ACCEPT_TERMS), { "" }, "allowed are on, off" },
    { "an empty contact", D(CONTACT), { "" }, "a mail address" },
    { "only mailto:", D(CONTACT), { "mailto:" }, "a mail address" },
    { "no at sign", D(CONTACT), { "example.com" }, "a mail address" },
    { "two at signs", D(CONTACT), { "a@b@example.com" }, "a mail address" },
    { "nobody", D(CONTACT), { "@example.com" }, "a mail address" },
    { "no host", D(CONTACT), { "admin@" }, "a mail address" },
    { "no domain", D(CONTACT), { "admin@localhost" }, "a mail address" },
    { "two addresses in one", D(CONTACT),
        { "a@example.com,b@example.com" }, "a mail address" },
    { "mail headers", D(CONTACT), { "mailto:a@example.com?subject=x" },
        "a mail address" },
    { "a fragment", D(CONTACT), { "a@example.com#x" }, "a mail address" },
    { "a name and an address", D(CONTACT), { "A <a@example.com>" },
        "a mail address" },
    { "a space", D(CONTACT), { "a b@example.com" }, "a mail address" },
    { "a new line", D(CONTACT), { "a@example.com\n" }, "a mail address" },
    { "UTF-8", D(CONTACT), { "\xc3\xa9@example.com" }, "a mail address" },
    { "another scheme", D(CONTACT), { "tel:+49123@example.com" },
        "a mail address" },
    { "a bad one behind a good one", D(CONTACT),
        { "a@example.com", "b" }, "\"b\"" },
    { "an address of 255 bytes", D(CONTACT), { MAIL_64 MAIL_64 MAIL_64
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@example.com" },
        "a mail address" },
    { "a relative file", D(CA_CERTIFICATE), { "ca.pem" },
        "an absolute path" },
    { "an empty file", D(CA_CERTIFICATE), { "" }, "an absolute path" },
    { "an unknown key", D(KEY), { "ecdsa:512" }, "allowed are ecdsa:256" },
    { "a key without size", D(KEY), { "rsa" }, "allowed are ecdsa:256" },
    { "a misspelt key", D(KEY), { "ecsda:256" },
        "did you mean \"ecdsa:256\"?" },
    { "a key in upper case", D(KEY), { "RSA:2048" },
        "did you mean \"rsa:2048\"?" },
    { "an unknown challenge", D(CHALLENGE), { "http-02" },
        "did you mean \"http-01\"?" },
    { "a challenge by DNS", D(CHALLENGE), { "http-01", "dns-01" },
        "this version cannot answer challenges by DNS" },
    { "a challenge twice", D(CHALLENGE), { "http-01", "http-01" },
        "each type once" },
    { "an empty profile", D(PROFILE), { "" }, "the name of a profile" },
    { "a profile with a blank", D(PROFILE), { "a b" },
        "the name of a profile" },
    { "two profiles", D(PROFILE), { "classic", "tlsserver" },
        "allowed are require" },
    { "an empty issuer", D(PREFERRED_CHAIN), { "" }, "common name" },
    { "an issuer with a new line", D(PREFERRED_CHAIN), { "a\nb" },
        "common name" },
    { "a bad key behind a good one", D(KEY), { "ecdsa:256", "rsa:1024" },
        "\"rsa:1024\", allowed are ecdsa:256" },
    { "two of ECDSA", D(KEY), { "ecdsa:256", "ecdsa:384" },
        "\"ecdsa:384\" beside \"ecdsa:256\", allowed are one type, or one of "
        "ecdsa and one of rsa" },
    { "the same RSA twice", D(KEY), { "rsa:2048", "rsa:2048" },
        "one of ecdsa and one of rsa" },
    { "an unknown policy", D(KEY_POLICY), { "keep" },
        "allowed are rotate, reuse" },
    { "a misspelt policy", D(KEY_POLICY), { "rotat" },
        "did you mean \"rotate\"?" },
    { "an unknown reload", D(RELOAD), { "on" }, "allowed are graceful" },
    { "a misspelt reload", D(RELOAD), { "gracefull" },
        "did you mean \"graceful\"?" },
    { "off with a delay", D(RELOAD), { "off", "delay=10s" }, "0s to 10m" },
    { "OFF with a delay", D(RELOAD), { "OFF", "delay=10s" }, "0s to 10m" },
    { "a delay without a name", D(RELOAD), { "graceful", "10s" },
        "0s to 10m" },
    { "an empty delay", D(RELOAD), { "graceful", "delay=" }, "0s to 10m" },
    { "a negative delay", D(RELOAD), { "graceful", "delay=-1" },
        "0s to 10m" },
    { "a delay with a space", D(RELOAD), { "graceful", "delay= 1" },
        "0s to 10m" },
    { "a delay in hours", D(RELOAD), { "graceful", "delay=1h" },
        "0s to 10m" },
    { "a delay in milliseconds", D(RELOAD), { "graceful", "delay=10ms" },
        "0s to 10m" },
    { "a fraction", D(RELOAD), { "graceful", "delay=1.5s" }, "0s to 10m" },
    { "a second too long", D(RELOAD), { "graceful", "delay=601" },
        "0s to 10m" },
    { "a minute too long", D(RELOAD), { "graceful", "delay=11m" },
        "0s to 10m" },
    { "a delay beyond 64 bits", D(RELOAD),
        { "graceful", "delay=18446744073709551616" }, "0s to 10m" },
    { "another outside port", D(PORT_MAP), { "8080:80" }, "80:port" },
    { "one port", D(PORT_MAP), { "5002" }, "80:port" },
    { "no inside port", D(PORT_MAP), { "80:" }, "80:port" },
    { "no outside port", D(PORT_MAP), { ":80" }, "80:port" },
    { "inside port 0", D(PORT_MAP), { "80:0" }, "80:port" },
    { "inside port 65536", D(PORT_MAP), { "80:65536" }, "80:port" },
    { "a port beyond 32 bits", D(PORT_MAP), { "80:4294967297" }, "80:port" },
    { "an outside port beyond 32 bits", D(PORT_MAP), { "4294967376:1" },
        "80:port" },
    { "a negative port", D(PORT_MAP), { "80:-1" }, "80:port" },
    { "a signed port", D(PORT_MAP), { "80:+1" }, "80:port" },
    { "a space", D(PORT_MAP), { "80: 1" }, "80:port" },
    { "three ports", D(PORT_MAP), { "80:1:2" }, "80:port" },
    { "letters behind", D(PORT_MAP), { "80:1a" }, "80:port" },
    { "two for 80", D(PORT_MAP), { "80:1", "80:2" }, "\"80:2\"" },
    { "an empty map", D(PORT_MAP), { "" }, "80:port" },
    { "a relative folder", D(STATE_PATH), { "lib/acme" },
        "an absolute path" },
    { "a folder of 3000 bytes", D(STATE_PATH),
        { PATH_1000 PATH_1000 PATH_1000 }, "an absolute path" },
    { "root", D(USER), { "root" }, "must not be root" },
    { "nobody's name", D(USER), { "" }, "the name of a user" },
    { "a colon", D(USER), { "a:b" }, "the name of a user" },
    { "a slash", D(USER), { "a/b" }, "the name of a user" },
    { "a space in a user", D(USER), { "a b" }, "the name of a user" },
    { "a new line in a user", D(USER), { "a\nb" }, "the name of a user" },
    { "UTF-8 in a user", D(USER), { "\xc3\xa9" }, "the name of a user" },
    { "a user of 65 bytes", D(USER), { MAIL_64 "a" }, "the name of a user" },
    { "a relative helper", D(HELPER), { "acme-helper" },
        "an absolute path" },
};

static void
other_arguments_are_refused_with_what_is_allowed(void **state)
{
    bool seen[ACME_DIRECTIVE_COUNT] = { false };

    (void) state;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct acme_error err = { 0 };

        seen[bad[i].directive] = true;
        if (acme_check_arguments(bad[i].directive, count(bad[i].argv),
                bad[i].argv, &err)) {
            fail_msg("%s was taken", bad[i].what);
        }
        assert_int_equal(err.verdict, ACME_MISCONFIG);
        if (strstr(err.text, bad[i].words) == NULL) {
            fail_msg("%s: %s", bad[i].what, err.text);
        }
    }
    for (unsigned i = 0; i < ACME_DIRECTIVE_COUNT; i++) {
        if (!seen[i]) {
            fail_msg("nothing is refused for %s",
                acme_directive_infos[i].name);
        }
    }
}

static void
a_refused_value_is_shown_escaped_and_cut(void **state)
{
    const char *argv[] = { "a\"\n\x1b" };
    struct acme_error err;

    (void) state;
    assert_false(acme_check_arguments(D(KEY), 1, argv, &err));
    assert_non_null(strstr(err.text, "invalid value \"a\\x22\\x0a\\x1b\","));
    argv[0] = PATH_1000 "\n";
    assert_false(acme_check_arguments(D(ACCEPT_TERMS), 1, argv, &err));
    assert_true(strlen(err.text) < 300);
    assert_non_null(strstr(err.text, "...\", allowed are on, off"));
}

/* ---- values */

static void
a_flag_is_on_or_off_in_any_case(void **state)
{
    (void) state;
    assert_true(acme_value_flag("on"));
    assert_true(acme_value_flag("On"));
    assert_true(acme_value_flag("ON"));
    assert_false(acme_value_flag("off"));
    assert_false(acme_value_flag("Off"));
}

static void
a_delay_is_in_seconds(void **state)
{
    static const struct {
        const char *argument;
        unsigned seconds;
    } delays[] = { { "delay=0", 0 }, { "delay=7", 7 }, { "delay=30s", 30 },
        { "delay=2m", 120 }, { "delay=010", 10 } };

    (void) state;
    for (unsigned i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
        const char *argv[] = { "graceful", delays[i].argument };

        assert_int_equal(acme_value_delay(2, argv, 99), delays[i].seconds);
        assert_int_equal(acme_value_delay(1, argv, 99), 99);
    }
}

static void
ports_that_are_not_given_stay(void **state)
{
    const char *argv[] = { "443:8443", "80:8080" };
    unsigned http = 80, https = 443;

    (void) state;
    acme_value_ports(1, argv, &http, &https);
    assert_int_equal(http, 80);
    assert_int_equal(https, 8443);
    acme_value_ports(2, argv, &http, &https);
    assert_int_equal(http, 8080);
    assert_int_equal(https, 8443);
}

static void
a_contact_is_a_url(void **state)
{
    static const char *const written[] = { "a@example.com",
        "mailto:a@example.com" };

    (void) state;
    for (unsigned i = 0; i < 2; i++) {
        char *url = acme_value_contact(written[i]);

        assert_string_equal(url, "mailto:a@example.com");
        free(url);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_arguments_pass),
        cmocka_unit_test(other_arguments_are_refused_with_what_is_allowed),
        cmocka_unit_test(a_refused_value_is_shown_escaped_and_cut),
        cmocka_unit_test(a_flag_is_on_or_off_in_any_case),
        cmocka_unit_test(a_delay_is_in_seconds),
        cmocka_unit_test(ports_that_are_not_given_stay),
        cmocka_unit_test(a_contact_is_a_url),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
