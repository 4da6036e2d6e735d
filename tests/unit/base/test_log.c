/* One message is one line with its context, whatever a stranger wrote. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/log.h"

struct heard {
    enum acme_log_level level;
    bool always;
    char line[4096];
    int count;
};

static void
hear(void *ctx, enum acme_log_level level, bool always, const char *line)
{
    struct heard *heard = ctx;

    heard->level = level;
    heard->always = always;
    snprintf(heard->line, sizeof(heard->line), "%s", line);
    heard->count++;
}

static void
a_line_begins_with_acme(void **state)
{
    struct heard heard = { 0 };
    struct acme_log root = { .sink = hear, .ctx = &heard };

    (void) state;
    acme_log(&root, ACME_LOG_NOTICE, "%d names", 3);
    assert_string_equal(heard.line, "acme: 3 names");
    assert_int_equal(heard.level, ACME_LOG_NOTICE);
    assert_false(heard.always);
    acme_log_always(&root, ACME_LOG_ERROR, "failed");
    assert_string_equal(heard.line, "acme: failed");
    assert_int_equal(heard.level, ACME_LOG_ERROR);
    assert_true(heard.always);
    assert_int_equal(heard.count, 2);
}

static void
context_is_inherited_from_the_root_down(void **state)
{
    struct heard heard = { 0 };
    struct acme_log root = { .sink = hear, .ctx = &heard };
    struct acme_log ca = { .parent = &root, .label = "letsencrypt" };
    struct acme_log none = { .parent = &ca };
    struct acme_log order = { .parent = &none, .label = "a.test" };

    (void) state;
    acme_log(&order, ACME_LOG_INFO, "ready");
    assert_string_equal(heard.line, "acme: letsencrypt: a.test: ready");
    acme_log(&ca, ACME_LOG_INFO, "ready");
    assert_string_equal(heard.line, "acme: letsencrypt: ready");
}

static void
without_a_sink_nothing_happens(void **state)
{
    struct acme_log root = { .label = "x" };
    struct acme_log child = { .parent = &root, .sink = hear };

    (void) state;
    acme_log(&root, ACME_LOG_ALERT, "%s", "unheard");
    acme_log_always(&child, ACME_LOG_ALERT, "%s", "unheard");
}

static void
control_bytes_do_not_begin_another_line(void **state)
{
    struct heard heard = { 0 };
    struct acme_log root = { .label = "a\nb", .sink = hear, .ctx = &heard };

    (void) state;
    acme_log(&root, ACME_LOG_WARN, "x\r\ny\t\x1b[31m\x7fz");
    assert_string_equal(heard.line, "acme: a b: x  y  [31m z");
}

static void
a_message_that_is_too_long_is_cut(void **state)
{
    struct heard heard = { 0 };
    struct acme_log root = { .sink = hear, .ctx = &heard };
    char text[5000];

    (void) state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    acme_log(&root, ACME_LOG_WARN, "%s", text);
    assert_int_equal(strlen(heard.line), 2047);
    assert_memory_equal(heard.line, "acme: xxx", 9);
}

static void
labels_that_are_too_long_are_cut(void **state)
{
    struct heard heard = { 0 };
    char text[1500];
    struct acme_log root = { .label = text, .sink = hear, .ctx = &heard };
    struct acme_log middle = { .parent = &root, .label = text };
    struct acme_log leaf = { .parent = &middle, .label = text };

    (void) state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    acme_log(&leaf, ACME_LOG_WARN, "message");
    assert_int_equal(heard.count, 1);
    assert_int_equal(strlen(heard.line), 2047);
}

static const struct {
    const char *what;
    struct acme_bytes text;
    size_t size;
    const char *expected;
} escapes[] = {
    { "plain", { (const uint8_t *) "a b~", 4 }, 64, "a b~" },
    { "nothing", { NULL, 0 }, 64, "" },
    { "control", { (const uint8_t *) "a\n\r\t\x1b\x7f", 6 }, 64,
        "a\\x0a\\x0d\\x09\\x1b\\x7f" },
    { "NUL", { (const uint8_t *) "a\0b", 3 }, 64, "a\\x00b" },
    { "quote", { (const uint8_t *) "\"\\", 2 }, 64, "\\x22\\x5c" },
    { "UTF-8", { (const uint8_t *) "\xc3\xa9", 2 }, 64, "\\xc3\\xa9" },
    { "high", { (const uint8_t *) "\xff\x80", 2 }, 64, "\\xff\\x80" },
    { "what just fits", { (const uint8_t *) "abcdefg", 7 }, 8, "abcdefg" },
    { "an escape that just fits", { (const uint8_t *) "abc\xff", 4 }, 8,
        "abc\\xff" },
    { "cut", { (const uint8_t *) "abcdefgh", 8 }, 8, "abcd..." },
    { "an escape that does not fit", { (const uint8_t *) "abcd\xff", 5 }, 8,
        "abcd..." },
    { "dots in place of an escape", { (const uint8_t *) "abc\xff.", 5 }, 8,
        "abc..." },
    { "no room for dots", { (const uint8_t *) "abcd", 4 }, 3, "" },
    { "room for the NUL", { (const uint8_t *) "abcd", 4 }, 1, "" },
};

static void
escaped_text_is_printable_and_fits(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
        char out[64];

        memset(out, '#', sizeof(out));
        assert_ptr_equal(acme_log_escape(out, escapes[i].size,
            escapes[i].text), out);
        if (strcmp(out, escapes[i].expected) != 0) {
            fail_msg("%s: \"%s\"", escapes[i].what, out);
        }
    }
}

static void
a_sentence_keeps_its_quotes_and_is_not_escaped_twice(void **state)
{
    char out[64], again[64];

    (void) state;
    acme_log_sentence(out, sizeof(out), acme_bytes_of("Get \"x\": \xff\n"));
    assert_string_equal(out, "Get \"x\": \\xff\\x0a");
    acme_log_sentence(again, sizeof(again), acme_bytes_of(out));
    assert_string_equal(again, out);
    acme_log_sentence(out, 8, acme_bytes_of("\"abcdefg"));
    assert_string_equal(out, "\"abc...");
}

static void
every_size_is_kept_to(void **state)
{
    (void) state;
    for (size_t size = 0; size < 60; size++) {
        char out[64];

        memset(out, '#', sizeof(out));
        acme_log_escape(out, size, acme_bytes_of("one\ntwo\xff\"three\"four"));
        assert_true(size == 0 || strlen(out) < size);
        for (size_t i = size; i < sizeof(out); i++) {
            assert_int_equal(out[i], '#');
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_begins_with_acme),
        cmocka_unit_test(context_is_inherited_from_the_root_down),
        cmocka_unit_test(without_a_sink_nothing_happens),
        cmocka_unit_test(control_bytes_do_not_begin_another_line),
        cmocka_unit_test(a_message_that_is_too_long_is_cut),
        cmocka_unit_test(labels_that_are_too_long_are_cut),
        cmocka_unit_test(escaped_text_is_printable_and_fits),
        cmocka_unit_test(a_sentence_keeps_its_quotes_and_is_not_escaped_twice),
        cmocka_unit_test(every_size_is_kept_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
