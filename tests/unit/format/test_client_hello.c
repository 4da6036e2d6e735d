/* A TLS hello is read within its bounds, and a CA's is told from others. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "format/client_hello.h"

#define ACME "\x0a" "acme-tls/1"
#define EXTENSION(type, len) "\0" type "\0" len
#define CHALLENGE_ALPN EXTENSION("\x10", "\x0d") "\0\x0b" ACME
#define A_TEST EXTENSION("\0", "\x0b") "\0\x09\0\0\x06" "a.TesT"

/* Bytes of a literal, without its NUL. */
#define B(literal) { (const uint8_t *) (literal), sizeof(literal) - 1 }

/* A ClientHello with these extensions, on the heap to its last byte. */
static struct acme_bytes
hello_with(struct acme_bytes extensions)
{
    static const char begin[] = "\x03\x03"
        "0123456789abcdef0123456789abcdef"
        "\x04" "sess" "\0\x02\x13\x01" "\x01\0";
    size_t body = sizeof(begin) - 1 + 2 + extensions.len;
    uint8_t *at = malloc(4 + body), *end = at;

    *end++ = 1;
    *end++ = 0;
    *end++ = (uint8_t) (body >> 8);
    *end++ = (uint8_t) body;
    memcpy(end, begin, sizeof(begin) - 1);
    end += sizeof(begin) - 1;
    *end++ = (uint8_t) (extensions.len >> 8);
    *end++ = (uint8_t) extensions.len;
    memcpy(end, extensions.at, extensions.len);
    return (struct acme_bytes) { at, 4 + body };
}

static const struct {
    const char *what;
    struct acme_bytes extensions;
    bool whole;
    bool challenge;
    const char *name;
} hellos[] = {
    { "a CA's", B(A_TEST CHALLENGE_ALPN), true, true, "a.test" },
    { "in the other order, among others",
        B(CHALLENGE_ALPN EXTENSION("\x2b", "\x02") "\x03\x04" A_TEST),
        true, true, "a.test" },
    { "without a name", B(CHALLENGE_ALPN), true, true, NULL },
    { "a browser's", B(A_TEST EXTENSION("\x10", "\x0e")
        "\0\x0c\x02h2\x08http/1.1"), true, false, "a.test" },
    { "acme-tls/1 and http/1.1", B(EXTENSION("\x10", "\x16")
        "\0\x14" ACME "\x08http/1.1"), true, false, NULL },
    { "acme-tls/1 twice", B(EXTENSION("\x10", "\x18") "\0\x16" ACME ACME),
        true, false, NULL },
    { "acme-tls/2", B(EXTENSION("\x10", "\x0d") "\0\x0b\x0a" "acme-tls/2"),
        true, false, NULL },
    { "empty ALPN", B(EXTENSION("\x10", "\0")), true, false, NULL },
    { "no extensions", B(""), true, false, NULL },
    { "ALPN twice", B(CHALLENGE_ALPN CHALLENGE_ALPN), false, false, NULL },
    { "empty ALPN, then another", B(EXTENSION("\x10", "\0") CHALLENGE_ALPN),
        false, false, NULL },
    { "name twice", B(A_TEST A_TEST CHALLENGE_ALPN), false, false, NULL },
    { "cut extension", B("\0\x10\0\x0d\0"), false, false, NULL },
    { "cut header of an extension", B(A_TEST "\0\x10\0"), false, false,
        NULL },
    { "two names", B(EXTENSION("\0", "\x0a")
        "\0\x08\0\0\x01" "a\0\0\x01" "b"), true, false, NULL },
    { "name of another type", B(EXTENSION("\0", "\x06")
        "\0\x04\x01\0\x01" "a"), true, false, NULL },
    { "empty name", B(EXTENSION("\0", "\x05") "\0\x03\0\0\0"), true, false,
        NULL },
    { "empty list", B(EXTENSION("\0", "\x02") "\0\0"), true, false, NULL },
    { "byte behind the list", B(EXTENSION("\0", "\x07")
        "\0\x04\0\0\x01" "a!"), true, false, NULL },
    { "longer than the extension", B(EXTENSION("\0", "\x06")
        "\0\x04\0\0\x02" "a"), true, false, NULL },
    { "NUL in a name", B(EXTENSION("\0", "\x08") "\0\x06\0\0\x03" "a\0b"),
        true, false, NULL },
    { "line feed in a name", B(EXTENSION("\0", "\x08")
        "\0\x06\0\0\x03" "a\nb"), true, false, NULL },
    { "reverse name", B(EXTENSION("\0", "\x16")
        "\0\x14\0\0\x11" "1.ip6.ARPA-_.arpa"), true, false,
        "1.ip6.arpa-_.arpa" },
};

static void
only_a_cas_hello_is_a_challenge(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(hellos) / sizeof(hellos[0]); i++) {
        struct acme_bytes message = hello_with(hellos[i].extensions);
        char name[ACME_SERVER_NAME_MAX + 1] = "";
        struct acme_hello hello;
        size_t len = 0;
        bool whole = acme_hello_read(message, &hello);
        bool named = whole && acme_hello_name(&hello, name, &len);

        if (whole != hellos[i].whole
            || (whole && acme_hello_is_challenge(&hello)
                != hellos[i].challenge)
            || named != (hellos[i].name != NULL)
            || (named && (strcmp(name, hellos[i].name) != 0
                || len != strlen(name)))) {
            fail_msg("%s", hellos[i].what);
        }
        free((void *) message.at);
    }
}

static void
every_shorter_message_is_no_hello(void **state)
{
    struct acme_bytes whole = hello_with((struct acme_bytes)
        B(A_TEST CHALLENGE_ALPN));
    struct acme_hello hello;

    (void) state;
    for (size_t len = 0; len < whole.len; len++) {
        uint8_t *cut = malloc(len + 1);

        memcpy(cut, whole.at, len);
        assert_false(acme_hello_read((struct acme_bytes) { cut, len },
            &hello));
        free(cut);
    }
    assert_true(acme_hello_read(whole, &hello));
    ((uint8_t *) whole.at)[0] = 2;
    assert_false(acme_hello_read(whole, &hello));
    free((void *) whole.at);
}

static void
names_are_bounded(void **state)
{
    uint8_t body[5 + ACME_SERVER_NAME_MAX + 1] = { 0 };
    char name[ACME_SERVER_NAME_MAX + 1];
    size_t len;

    (void) state;
    for (size_t i = 0; i < 2; i++) {
        size_t host = ACME_SERVER_NAME_MAX + i;
        struct acme_hello hello = { .server_name = { body, 5 + host } };

        memset(body, 'a', sizeof(body));
        body[0] = (uint8_t) ((host + 3) >> 8);
        body[1] = (uint8_t) (host + 3);
        body[2] = body[3] = 0;
        body[4] = (uint8_t) host;
        assert_int_equal(acme_hello_name(&hello, name, &len), i == 0);
    }
    assert_int_equal(len, ACME_SERVER_NAME_MAX);
    assert_int_equal(strlen(name), ACME_SERVER_NAME_MAX);
}

static void
without_extensions_nothing_is_asked_for(void **state)
{
    static const uint8_t old[] = "\x01\0\0\x29\x03\x03"
        "0123456789abcdef0123456789abcdef\0\0\x02\0\x2f\x01\0";
    struct acme_hello hello;
    char name[ACME_SERVER_NAME_MAX + 1];
    size_t len;

    (void) state;
    assert_true(acme_hello_read((struct acme_bytes) { old, sizeof(old) - 1 },
        &hello));
    assert_false(acme_hello_is_challenge(&hello));
    assert_false(acme_hello_name(&hello, name, &len));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_cas_hello_is_a_challenge),
        cmocka_unit_test(every_shorter_message_is_no_hello),
        cmocka_unit_test(names_are_bounded),
        cmocka_unit_test(without_extensions_nothing_is_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
