/* Names that can be in a certificate, and why the others cannot. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "settings/name.h"

#define LABEL63 "abcdefghijklmnopqrstuvwxyz0123456789-" \
    "abcdefghijklmnopqrstuvwxyz"

static const struct {
    const char *what, *name, *lower;
} good[] = {
    { "a host name", "example.test", "example.test" },
    { "upper case", "WWW.Example.TEST", "www.example.test" },
    { "a dot at the end", "example.test.", "example.test" },
    { "digits", "1.2.3.example0", "1.2.3.example0" },
    { "a number as its first label", "1and1.example", "1and1.example" },
    { "an IDN", "xn--bcher-kva.example", "xn--bcher-kva.example" },
    { "an IDN as people write it", "b\xc3\xbc" "cher.example",
        "xn--bcher-kva.example" },
    { "an IDN in upper case", "B\xc3\x9c" "CHER.Example.",
        "xn--bcher-kva.example" },
    { "letters put together (NFC)", "bu\xcc\x88" "cher.example",
        "xn--bcher-kva.example" },
    { "a sharp s, which stays one (nontransitional)",
        "stra\xc3\x9f" "e.example", "xn--strae-oqa.example" },
    { "every label an IDN",
        "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xbc\xd0\xb5\xd1\x80."
        "\xd0\xb8\xd1\x81\xd0\xbf\xd1\x8b\xd1\x82\xd0\xb0\xd0\xbd"
        "\xd0\xb8\xd0\xb5", "xn--e1afmkfd.xn--80akhbyknj4f" },
    { "an ideographic dot", "a\xe3\x80\x82" "example", "a.example" },
    { "wide digits", "\xef\xbc\x91" "92.0.2.1", "192.0.2.1" },
    { "two hyphens", "a--b.example", "a--b.example" },
    { "a label of 63 bytes", LABEL63 ".test", LABEL63 ".test" },
    { "an IDN as its last label", "a.xn--p1ai", "a.xn--p1ai" },
    { "local in front", "local.example", "local.example" },
    { "an end like local", "mylocal.example", "mylocal.example" },
    { "a last label like local", "a.notlocal", "a.notlocal" },
    { "arpa", "1.2.0.192.in-addr.arpa", "1.2.0.192.in-addr.arpa" },
    { "an IPv4 address", "192.0.2.1", "192.0.2.1" },
    { "an IPv6 address", "2001:db8::1", "2001:db8::1" },
    { "an IPv6 address in upper case", "2001:DB8::A", "2001:db8::a" },
    { "an IPv6 address at length (RFC 5952 4)", "2001:0db8:0:0:0:0:0:0001",
        "2001:db8::1" },
    { "an IPv6 address as Host has it", "[2001:DB8::1]", "2001:db8::1" },
    { "loopback", "127.0.0.1", "127.0.0.1" },
    { "loopback of IPv6", "::1", "::1" },
    { "a private address", "10.1.2.3", "10.1.2.3" },
    { "a unique local address", "fd00::1", "fd00::1" },
};

static void
good_names_are_taken_in_lower_case(void **state)
{
    (void) state;
    for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        char lower[ACME_NAME_MAX + 1] = "";
        struct acme_error err = { 0 };

        if (!acme_name_check(good[i].name, lower, &err)
            || strcmp(lower, good[i].lower) != 0) {
            fail_msg("%s: \"%s\" %s", good[i].what, lower, err.text);
        }
    }
}

static const struct {
    const char *what, *name, *words;
} bad[] = {
    { "nothing", "", "is not a name" },
    { "nginx's catch-all", "_", "is not a name" },
    { "a regular expression", "~^www\\d+\\.example$", "regular expression" },
    { "a wildcard", "*.example.test", "needs the dns-01 challenge" },
    { "a wildcard at the end", "www.example.*", "needs the dns-01" },
    { "a leading dot", ".example.test", "write \"acme_domain example.test\"" },
    { "localhost", "localhost", "private use" },
    { "localhost in upper case", "LocalHost.", "private use" },
    { "below localhost", "a.localhost", "private use" },
    { "local", "printer.local", "private use" },
    { "localdomain", "localhost.localdomain", "private use" },
    { "invalid", "a.invalid", "private use" },
    { "onion", "a.onion", "private use" },
    { "internal", "a.internal", "private use" },
    { "home.arpa", "router.home.arpa", "private use" },
    { "home.arpa itself", "home.arpa", "private use" },
    { "no dot", "example", "has no dot" },
    { "no dot but one at the end", "example.", "has no dot" },
    { "no UTF-8", "a\xff.test",
        "\"a\\xff.test\" cannot be in a certificate: string encoding error" },
    { "half a character", "a\xc3.test", "encoding error" },
    { "an emoji", "\xe2\x98\x83.test", "disallowed character" },
    { "an accent in front", "\xcc\x88" "a.test", "combining character" },
    { "directions mixed", "\xd8\xa7" "1a.test", "bi-directional" },
    { "an IDN and an A-label that is none", "xn--a.b\xc3\xbc.test",
        "forbidden" },
    { "an IDN of one label", "b\xc3\xbc" "cher",
        "\"b\\xc3\\xbccher\": \"xn--bcher-kva\" cannot be in a "
        "certificate: it has no dot" },
    { "an IDN with an underscore", "\xc3\xbc_b.test", "only letters" },
    { "an IDN below local", "b\xc3\xbc" "cher.local", "private use" },
    { "a wildcard of an IDN", "*.b\xc3\xbc" "cher.test", "dns-01" },
    { "a wide asterisk", "\xef\xbc\x8a.test", "dns-01" },
    { "a regular expression with an IDN", "~b\xc3\xbc\xff",
        "regular expression" },
    { "an underscore", "_acme.example.test", "only letters" },
    { "a space", "a b.test", "only letters" },
    { "a new line", "a.test\nb", "only letters" },
    { "a tab", "a.test\t", "only letters" },
    { "a slash", "a.test/x", "only letters" },
    { "a folder above", "../a.test", "dns-01" },
    { "a port", "a.test:443", "only letters" },
    { "a scheme", "https://a.test", "only letters" },
    { "a comma", "a.test,b.test", "only letters" },
    { "a semicolon", "a.test;", "only letters" },
    { "a variable", "$host.test", "only letters" },
    { "a mail address", "a@a.test", "only letters" },
    { "an empty label", "a..test", "empty label" },
    { "two dots at the end", "a.test..", "empty label" },
    { "a hyphen in front", "-a.test", "begins with a hyphen" },
    { "a hyphen at the end of a label", "a-.test", "ends with a hyphen" },
    { "a hyphen at the end", "a.test-", "ends with a hyphen" },
    { "a hyphen before the dot at the end", "a.test-.",
        "ends with a hyphen" },
    { "a label of 64 bytes", LABEL63 "x.test", "longer than 63" },
    { "a number as its last label", "a.123", "neither a host name nor" },
    { "half an address", "192.0.2", "neither a host name nor" },
    { "an address out of range", "192.0.2.256", "neither a host name nor" },
    { "an address in octal", "0300.0.2.1", "neither a host name nor" },
    { "an address and a mask", "192.0.2.0/24", "only letters" },
    { "an IPv4 address in brackets", "[192.0.2.1]", "only letters" },
    { "half a bracket", "[2001:db8::1", "only letters" },
    { "brackets around nothing", "[]", "only letters" },
    { "no address", "0.0.0.0", "of no host" },
    { "no address of IPv6", "::", "of no host" },
    { "multicast", "224.0.0.1", "of no host" },
    { "broadcast", "255.255.255.255", "of no host" },
    { "multicast of IPv6", "ff02::1", "of no host" },
    { "an address and a zone", "fe80::1%eth0", "only letters" },
    { "an address of too many groups", "1:2:3:4:5:6:7:8:9", "only letters" },
};

static void
other_names_are_refused_with_the_reason(void **state)
{
    (void) state;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char lower[ACME_NAME_MAX + 1];
        struct acme_error err = { 0 };

        if (acme_name_check(bad[i].name, lower, &err)) {
            fail_msg("%s was taken", bad[i].what);
        }
        assert_int_equal(err.verdict, ACME_MISCONFIG);
        if (strstr(err.text, bad[i].words) == NULL) {
            fail_msg("%s: %s", bad[i].what, err.text);
        }
    }
}

/* A name of `len` bytes: labels of 49 bytes and a dot. */
static void
fill_name(char *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        name[i] = i % 50 == 49 && i + 1 < len ? '.' : 'a';
    }
    name[len] = '\0';
}

static void
two_hundred_and_fifty_three_bytes_are_the_longest(void **state)
{
    char name[300], lower[ACME_NAME_MAX + 1];
    struct acme_error err;

    (void) state;
    fill_name(name, 253);
    assert_true(acme_name_check(name, lower, &err));
    assert_string_equal(lower, name);
    strcat(name, ".");
    assert_true(acme_name_check(name, lower, &err));
    assert_int_equal(strlen(lower), 253);
    fill_name(name, 254);
    assert_false(acme_name_check(name, lower, &err));
    assert_non_null(strstr(err.text, "longer than 253"));
    strcat(name, ".");
    assert_false(acme_name_check(name, lower, &err));
}

static void
an_idn_may_be_as_long_in_ascii(void **state)
{
    char name[2000], lower[ACME_NAME_MAX + 1];
    struct acme_error err;

    (void) state;
    name[0] = '\0';
    for (int i = 0; i < 6; i++) {
        strcat(name, "b\xc3\xbc" "cher-bcher-bcher-bcher-abc.");
    }
    strcat(name, "test");
    assert_true(acme_name_check(name, lower, &err));
    memset(name, 'a', sizeof(name));
    memcpy(name, "\xc3\xbc.", 3);
    for (int i = 40; i < 1000; i += 40) {
        name[i] = '.';
    }
    name[999] = '\0';
    assert_false(acme_name_check(name, lower, &err));
    assert_non_null(strstr(err.text, "longer than 255"));
    name[999] = 'a';
    name[1999] = '\0';
    assert_false(acme_name_check(name, lower, &err));
    assert_non_null(strstr(err.text, "longer than 255"));
}

static void
a_refused_name_is_shown_escaped_and_cut(void **state)
{
    char name[2000], lower[ACME_NAME_MAX + 1];
    struct acme_error err;

    (void) state;
    assert_false(acme_name_check("a\"\x1b[1m.test", lower, &err));
    assert_non_null(strstr(err.text, "\"a\\x22\\x1b[1m.test\" cannot"));
    memset(name, '*', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_false(acme_name_check(name, lower, &err));
    assert_non_null(strstr(err.text, "***...\" cannot"));
    name[0] = '.';
    assert_false(acme_name_check(name, lower, &err));
    assert_true(strlen(err.text) < sizeof(err.text) - 1);
}

static void
addresses_are_told_from_host_names(void **state)
{
    (void) state;
    assert_true(acme_name_is_ip("192.0.2.1"));
    assert_true(acme_name_is_ip("::1"));
    assert_true(acme_name_is_ip("2001:db8::192.0.2.1"));
    assert_false(acme_name_is_ip(""));
    assert_false(acme_name_is_ip("192.0.2"));
    assert_false(acme_name_is_ip("192.0.2.1.test"));
    assert_false(acme_name_is_ip("192.0.2.1 "));
    assert_false(acme_name_is_ip("[::1]"));
    assert_false(acme_name_is_ip("a.test"));
}

static const struct {
    const char *ip;
    bool private;
} ips[] = {
    { "127.0.0.1", true }, { "10.255.255.255", true }, { "11.0.0.0", false },
    { "172.15.255.255", false }, { "172.16.0.0", true },
    { "172.31.255.255", true }, { "172.32.0.0", false },
    { "192.168.1.1", true }, { "192.169.0.0", false },
    { "169.254.1.1", true }, { "100.64.0.1", true }, { "100.128.0.0", false },
    { "192.0.2.1", false }, { "::1", true }, { "::2", false },
    { "fc00::1", true }, { "fdff::1", true }, { "fe00::1", false },
    { "fe80::1", true }, { "febf::1", true }, { "fec0::1", false },
    { "2001:db8::1", false }, { "::ffff:10.0.0.1", true },
    { "a.test", false }, { "", false }
};

static void
private_addresses_are_told_from_public_ones(void **state)
{
    (void) state;
    for (unsigned i = 0; i < sizeof(ips) / sizeof(ips[0]); i++) {
        if (acme_name_is_private_ip(ips[i].ip) != ips[i].private) {
            fail_msg("%s", ips[i].ip);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_names_are_taken_in_lower_case),
        cmocka_unit_test(other_names_are_refused_with_the_reason),
        cmocka_unit_test(two_hundred_and_fifty_three_bytes_are_the_longest),
        cmocka_unit_test(a_refused_name_is_shown_escaped_and_cut),
        cmocka_unit_test(an_idn_may_be_as_long_in_ascii),
        cmocka_unit_test(addresses_are_told_from_host_names),
        cmocka_unit_test(private_addresses_are_told_from_public_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
