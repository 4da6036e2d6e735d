/* subjectAltName: each name is one dNSName or iPAddress, whatever it says. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "crypto/san.h"

static const struct {
    const char *what, *name;
    int type;
    const char *data;
    int len;
} kinds[] = {
    { "a host name", "a.test", GEN_DNS, "a.test", 6 },
    { "a wildcard", "*.a.test", GEN_DNS, "*.a.test", 8 },
    { "an IPv4 address", "192.0.2.1", GEN_IPADD, "\xc0\0\2\1", 4 },
    { "an IPv6 address", "2001:db8::1", GEN_IPADD,
        "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16 },
    { "an IPv6 address with an IPv4 one", "::ffff:192.0.2.1", GEN_IPADD,
        "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1", 16 },
    { "half an address", "192.0.2", GEN_DNS, "192.0.2", 7 },
    { "an address in brackets", "[::1]", GEN_DNS, "[::1]", 5 },
    { "another kind of name", "email:a@a.test", GEN_DNS, "email:a@a.test",
        14 },
    { "two names in one", "a.test,DNS:b.test", GEN_DNS, "a.test,DNS:b.test",
        17 },
    { "a file", "@/etc/passwd", GEN_DNS, "@/etc/passwd", 12 },
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static void
check_name(const GENERAL_NAME *name, unsigned kind)
{
    const ASN1_STRING *value = name->type == GEN_DNS ? name->d.dNSName
                                                     : name->d.iPAddress;

    if (name->type != kinds[kind].type
        || ASN1_STRING_length(value) != kinds[kind].len
        || memcmp(ASN1_STRING_get0_data(value), kinds[kind].data,
            (size_t) kinds[kind].len) != 0) {
        fail_msg("%s", kinds[kind].what);
    }
}

static void
each_name_is_one_entry_in_its_order(void **state)
{
    const char *names[KINDS];
    X509_EXTENSION *extension;
    GENERAL_NAMES *list;

    (void) state;
    for (unsigned i = 0; i < KINDS; i++) {
        names[i] = kinds[i].name;
    }
    extension = acme_san_new(names, KINDS);
    assert_non_null(extension);
    assert_int_equal(X509_EXTENSION_get_critical(extension), 0);
    assert_int_equal(OBJ_obj2nid(X509_EXTENSION_get_object(extension)),
        NID_subject_alt_name);
    list = X509V3_EXT_d2i(extension);
    assert_int_equal(sk_GENERAL_NAME_num(list), KINDS);
    for (unsigned i = 0; i < KINDS; i++) {
        check_name(sk_GENERAL_NAME_value(list, (int) i), i);
    }
    GENERAL_NAMES_free(list);
    X509_EXTENSION_free(extension);
    assert_int_equal(ERR_peek_error(), 0);
}

static void
a_hundred_long_names_fit(void **state)
{
    char longest[254];
    const char *names[100];
    X509_EXTENSION *extension;
    GENERAL_NAMES *list;

    (void) state;
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    for (unsigned i = 0; i < 100; i++) {
        names[i] = longest;
    }
    extension = acme_san_new(names, 100);
    assert_non_null(extension);
    list = X509V3_EXT_d2i(extension);
    assert_int_equal(sk_GENERAL_NAME_num(list), 100);
    assert_int_equal(ASN1_STRING_length(
        sk_GENERAL_NAME_value(list, 99)->d.dNSName), 253);
    GENERAL_NAMES_free(list);
    X509_EXTENSION_free(extension);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_name_is_one_entry_in_its_order),
        cmocka_unit_test(a_hundred_long_names_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
