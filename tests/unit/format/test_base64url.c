/* base64url of RFC 4648 and RFC 7515, and every text that is none. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "format/base64url.h"

#define BYTES(text) { (const uint8_t *) text, sizeof(text) - 1 }

static const struct {
    const char *what;
    struct acme_bytes data;
    const char *text;
} vectors[] = {
    { "RFC 4648 10, empty", BYTES(""), "" },
    { "RFC 4648 10, f", BYTES("f"), "Zg" },
    { "RFC 4648 10, fo", BYTES("fo"), "Zm8" },
    { "RFC 4648 10, foo", BYTES("foo"), "Zm9v" },
    { "RFC 4648 10, foob", BYTES("foob"), "Zm9vYg" },
    { "RFC 4648 10, fooba", BYTES("fooba"), "Zm9vYmE" },
    { "RFC 4648 10, foobar", BYTES("foobar"), "Zm9vYmFy" },
    { "RFC 4648 9", BYTES("\x14\xfb\x9c\x03\xd9\x7e"), "FPucA9l-" },
    { "RFC 7515 A.1.1, header",
        BYTES("{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}"),
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9" },
    { "RFC 7515 A.2.1, header", BYTES("{\"alg\":\"RS256\"}"),
        "eyJhbGciOiJSUzI1NiJ9" },
    { "RFC 7515 A.3.1, header", BYTES("{\"alg\":\"ES256\"}"),
        "eyJhbGciOiJFUzI1NiJ9" },
    { "RFC 7515 A.1.1, payload",
        BYTES("{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n "
            "\"http://example.com/is_root\":true}"),
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
        "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ" },
    { "RFC 7515 C", BYTES("\x03\xec\xff\xe0\xc1"), "A-z_4ME" },
    { "NUL bytes", BYTES("\0\0\0"), "AAAA" },
    { "the last two of the alphabet", BYTES("\xff\xff\xfe"), "___-" },
};

static void
the_vectors_of_the_rfcs_hold_both_ways(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        struct acme_buffer text = ACME_BUFFER(200), data = ACME_BUFFER(200);

        if (!acme_base64url_add(&text, vectors[i].data)
            || strcmp(acme_buffer_text(&text), vectors[i].text) != 0) {
            fail_msg("%s: wrote %s", vectors[i].what,
                acme_buffer_text(&text));
        }
        if (!acme_base64url_decode(&data, acme_bytes_of(vectors[i].text))
            || !acme_bytes_equal(acme_buffer_bytes(&data),
                vectors[i].data)) {
            fail_msg("%s: read something else", vectors[i].what);
        }
        acme_buffer_free(&text);
        acme_buffer_free(&data);
    }
}

static const struct {
    const char *what;
    struct acme_bytes text;
} refused[] = {
    { "one character", BYTES("Z") },
    { "one character left over", BYTES("Zm9vY") },
    { "padding", BYTES("Zg==") },
    { "padding of one", BYTES("Zm8=") },
    { "padding behind whole groups", BYTES("Zm9v=") },
    { "stray bits of two characters", BYTES("Zh") },
    { "a stray bit of two characters", BYTES("Zo") },
    { "stray bits of three characters", BYTES("Zm9") },
    { "plus, of base64", BYTES("FPucA9l+") },
    { "slash, of base64", BYTES("A/z_") },
    { "a space", BYTES("Zm 9v") },
    { "a space in front", BYTES(" Zm9v") },
    { "a new line behind", BYTES("Zm9v\n") },
    { "a new line between", BYTES("Zm9v\r\nZm9v") },
    { "a NUL", BYTES("Zm9\0") },
    { "a NUL in front", BYTES("\0m9v") },
    { "a dot", BYTES("Zm9v.Zm9v") },
    { "a tilde", BYTES("Zm9~") },
    { "UTF-8", BYTES("Zm\xc3\xa9") },
    { "a high byte", BYTES("Zm9\xff") },
};

static void
other_texts_are_refused_and_leave_no_trace(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct acme_buffer out = ACME_BUFFER(100), fresh = ACME_BUFFER(100);

        assert_true(acme_buffer_add_text(&out, "before"));
        if (acme_base64url_decode(&out, refused[i].text)
            || acme_base64url_decode(&fresh, refused[i].text)) {
            fail_msg("%s was taken", refused[i].what);
        }
        if (out.len != 6 || strcmp(acme_buffer_text(&out), "before") != 0
            || strcmp(acme_buffer_text(&fresh), "") != 0) {
            fail_msg("%s left %s", refused[i].what, acme_buffer_text(&out));
        }
        acme_buffer_free(&out);
        acme_buffer_free(&fresh);
    }
}

static void
every_byte_survives_in_every_place(void **state)
{
    (void) state;
    for (unsigned i = 0; i < 256 * 4; i++) {
        uint8_t raw[4] = { 0x55, 0xaa, 0x55, 0xaa };
        struct acme_buffer text = ACME_BUFFER(8), data = ACME_BUFFER(8);
        struct acme_bytes bytes = { raw, sizeof(raw) };

        raw[i % 4] = (uint8_t) (i / 4);
        assert_true(acme_base64url_add(&text, bytes));
        assert_true(acme_base64url_decode(&data, acme_buffer_bytes(&text)));
        assert_true(acme_bytes_equal(acme_buffer_bytes(&data), bytes));
        acme_buffer_free(&text);
        acme_buffer_free(&data);
    }
}

static void
a_full_buffer_is_left_as_it_was(void **state)
{
    struct acme_buffer out = ACME_BUFFER(9);

    (void) state;
    assert_true(acme_buffer_add_text(&out, "ab"));
    assert_false(acme_base64url_add(&out, acme_bytes_of("foobar")));
    assert_int_equal(out.len, 2);
    assert_string_equal(acme_buffer_text(&out), "ab");
    assert_false(acme_base64url_decode(&out, acme_bytes_of("Zm9vYmFyZm9v")));
    assert_int_equal(out.len, 2);
    assert_string_equal(acme_buffer_text(&out), "ab");
    assert_true(acme_base64url_add(&out, acme_bytes_of("fooba")));
    assert_string_equal(acme_buffer_text(&out), "abZm9vYmE");
    acme_buffer_free(&out);
}

static const struct {
    const char *what;
    struct acme_bytes text;
    size_t max;
    bool is_token;
} tokens[] = {
    { "RFC 8555 8.3", BYTES("LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"),
        43, true },
    { "one character", BYTES("_"), 1, true },
    { "no base64url", BYTES("a"), 100, true },
    { "one too long", BYTES("abcd"), 3, false },
    { "nothing", BYTES(""), 100, false },
    { "a dot", BYTES("ab.c"), 100, false },
    { "a folder", BYTES("../x"), 100, false },
    { "a slash", BYTES("a/b"), 100, false },
    { "a backslash", BYTES("a\\b"), 100, false },
    { "padding", BYTES("Zg=="), 100, false },
    { "a space", BYTES("a b"), 100, false },
    { "a new line", BYTES("ab\n"), 100, false },
    { "a NUL", BYTES("ab\0"), 100, false },
    { "a quote", BYTES("a\"b"), 100, false },
    { "per cent", BYTES("a%2fb"), 100, false },
    { "UTF-8", BYTES("\xc3\xa9"), 100, false },
};

static void
a_token_has_its_alphabet_and_length(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        if (acme_is_token(tokens[i].text, tokens[i].max)
            != tokens[i].is_token) {
            fail_msg("%s", tokens[i].what);
        }
    }
}

static const struct {
    const char *what, *text, *bytes;   /* NULL: refused */
} copied[] = {
    { "base64url", "-_-_", "\xfb\xff\xbf" },
    { "base64", "+/+/", "\xfb\xff\xbf" },
    { "both at once", "+_-/", "\xfb\xff\xbf" },
    { "padding of one", "Zm8=", "fo" },
    { "padding of two", "Zg==", "f" },
    { "no padding", "Zm8", "fo" },
    { "a line break at the end", "Zm9v\n", "foo" },
    { "line breaks and blanks within", " Zm\r\n9v\tYmFy ", "foobar" },
    { "padding and a line break", "Zg==\r\n", "f" },
    { "nothing", "", "" },
    { "padding of three", "Zg===", NULL },
    { "padding within", "Zg==Zg==", NULL },
    { "one character too many", "Zm9vZ", NULL },
    { "another character", "Zm9*", NULL },
    { "words", "kid: 1", NULL },
};

static void
what_people_copy_is_decoded_in_each_form(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(copied) / sizeof(*copied); i++) {
        struct acme_buffer out = ACME_BUFFER(64);
        bool ok = acme_base64_decode(&out, acme_bytes_of(copied[i].text));

        if (ok != (copied[i].bytes != NULL) || (ok && !acme_bytes_equal(
                acme_buffer_bytes(&out), acme_bytes_of(copied[i].bytes)))) {
            fail_msg("%s", copied[i].what);
        }
        acme_buffer_free(&out);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_people_copy_is_decoded_in_each_form),
        cmocka_unit_test(the_vectors_of_the_rfcs_hold_both_ways),
        cmocka_unit_test(other_texts_are_refused_and_leave_no_trace),
        cmocka_unit_test(every_byte_survives_in_every_place),
        cmocka_unit_test(a_full_buffer_is_left_as_it_was),
        cmocka_unit_test(a_token_has_its_alphabet_and_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
