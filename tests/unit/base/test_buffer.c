/* A buffer grows up to its limit, and a refused addition leaves no trace. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/buffer.h"

static void
the_bytes_of_a_text_are_without_its_nul(void **state)
{
    (void) state;
    assert_int_equal(acme_bytes_of("abc").len, 3);
    assert_int_equal(acme_bytes_of("").len, 0);
    assert_int_equal(acme_bytes_of(NULL).len, 0);
    assert_null(acme_bytes_of(NULL).at);
}

static const struct {
    const char *what;
    struct acme_bytes a, b;
    bool equal;
} pairs[] = {
    { "the same", { (const uint8_t *) "ab", 2 },
        { (const uint8_t *) "ab", 2 }, true },
    { "another byte", { (const uint8_t *) "ab", 2 },
        { (const uint8_t *) "ac", 2 }, false },
    { "a beginning", { (const uint8_t *) "ab", 2 },
        { (const uint8_t *) "abc", 3 }, false },
    { "a difference behind a NUL", { (const uint8_t *) "a\0b", 3 },
        { (const uint8_t *) "a\0c", 3 }, false },
    { "nothing and nothing", { NULL, 0 }, { (const uint8_t *) "x", 0 },
        true },
    { "nothing and something", { NULL, 0 }, { (const uint8_t *) "x", 1 },
        false },
};

static void
bytes_are_equal_when_all_are(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (acme_bytes_equal(pairs[i].a, pairs[i].b) != pairs[i].equal
            || acme_bytes_equal(pairs[i].b, pairs[i].a) != pairs[i].equal) {
            fail_msg("%s", pairs[i].what);
        }
    }
}

static void
an_empty_buffer_reads_as_an_empty_text(void **state)
{
    struct acme_buffer buffer = ACME_BUFFER(10);

    (void) state;
    assert_string_equal(acme_buffer_text(&buffer), "");
    assert_int_equal(acme_buffer_bytes(&buffer).len, 0);
    acme_buffer_clear(&buffer);
    acme_buffer_wipe(&buffer);
    acme_buffer_free(&buffer);
    assert_true(acme_buffer_add(&buffer, NULL, 0));
    assert_string_equal(acme_buffer_text(&buffer), "");
    acme_buffer_free(&buffer);
}

static void
what_is_added_stands_in_its_order(void **state)
{
    struct acme_buffer buffer = ACME_BUFFER(100);

    (void) state;
    assert_true(acme_buffer_add_text(&buffer, "one"));
    assert_true(acme_buffer_add(&buffer, " two...", 4));
    assert_true(acme_buffer_printf(&buffer, " %s %d", "three", 4));
    assert_string_equal(acme_buffer_text(&buffer), "one two three 4");
    assert_int_equal(buffer.len, 15);
    acme_buffer_free(&buffer);
}

static void
nul_bytes_are_bytes(void **state)
{
    struct acme_buffer buffer = ACME_BUFFER(100);

    (void) state;
    assert_true(acme_buffer_add(&buffer, "a\0b", 3));
    assert_int_equal(buffer.len, 3);
    assert_memory_equal(buffer.at, "a\0b", 4);
    acme_buffer_free(&buffer);
}

static void
many_small_additions_grow_it(void **state)
{
    struct acme_buffer buffer = ACME_BUFFER(100000);

    (void) state;
    for (unsigned i = 0; i < 100000; i++) {
        uint8_t byte = (uint8_t) ('a' + i % 26);

        assert_true(acme_buffer_add(&buffer, &byte, 1));
    }
    assert_false(acme_buffer_add(&buffer, "x", 1));
    assert_int_equal(buffer.len, 100000);
    for (unsigned i = 0; i < 100000; i++) {
        assert_int_equal(buffer.at[i], 'a' + i % 26);
    }
    assert_int_equal(buffer.at[100000], '\0');
    acme_buffer_free(&buffer);
}

static void
the_limit_itself_is_allowed_and_one_more_is_not(void **state)
{
    struct acme_buffer buffer = ACME_BUFFER(5);

    (void) state;
    assert_false(acme_buffer_add_text(&buffer, "123456"));
    assert_null(buffer.at);
    assert_true(acme_buffer_add_text(&buffer, "12345"));
    assert_false(acme_buffer_add_text(&buffer, "6"));
    assert_false(acme_buffer_printf(&buffer, "%d", 6));
    assert_true(acme_buffer_add_text(&buffer, ""));
    assert_string_equal(acme_buffer_text(&buffer), "12345");
    acme_buffer_free(&buffer);
}

static void
a_refused_print_leaves_it_as_it_was(void **state)
{
    struct acme_buffer buffer = ACME_BUFFER(8);

    (void) state;
    assert_true(acme_buffer_add_text(&buffer, "abc"));
    assert_false(acme_buffer_printf(&buffer, "%s", "123456"));
    assert_string_equal(acme_buffer_text(&buffer), "abc");
    assert_int_equal(buffer.len, 3);
    assert_true(acme_buffer_printf(&buffer, "%s", "12345"));
    assert_string_equal(acme_buffer_text(&buffer), "abc12345");
    acme_buffer_free(&buffer);
}

static void
lengths_that_overflow_are_refused(void **state)
{
    struct acme_buffer small = ACME_BUFFER(10);
    struct acme_buffer huge = ACME_BUFFER(SIZE_MAX - 1);

    (void) state;
    assert_true(acme_buffer_add_text(&small, "abc"));
    assert_false(acme_buffer_add(&small, "x", SIZE_MAX));
    assert_false(acme_buffer_add(&small, "x", SIZE_MAX - 2));
    assert_string_equal(acme_buffer_text(&small), "abc");
    assert_true(acme_buffer_add_text(&huge, "abc"));
    assert_false(acme_buffer_add(&huge, "x", SIZE_MAX - 1));
    assert_string_equal(acme_buffer_text(&huge), "abc");
    acme_buffer_free(&small);
    acme_buffer_free(&huge);
}

static void
a_limit_of_zero_takes_nothing(void **state)
{
    struct acme_buffer buffer = ACME_BUFFER(0);

    (void) state;
    assert_false(acme_buffer_add(&buffer, "x", 1));
    assert_string_equal(acme_buffer_text(&buffer), "");
}

static void
clearing_keeps_the_memory_and_forgets_the_content(void **state)
{
    struct acme_buffer buffer = ACME_BUFFER(10);
    const uint8_t *at;

    (void) state;
    assert_true(acme_buffer_add_text(&buffer, "0123456789"));
    at = buffer.at;
    acme_buffer_clear(&buffer);
    assert_int_equal(buffer.len, 0);
    assert_string_equal(acme_buffer_text(&buffer), "");
    assert_true(acme_buffer_add_text(&buffer, "9876543210"));
    assert_ptr_equal(buffer.at, at);
    assert_string_equal(acme_buffer_text(&buffer), "9876543210");
    acme_buffer_free(&buffer);
}

static void
the_limit_outlives_free_and_wipe(void **state)
{
    struct acme_buffer buffer = ACME_BUFFER(3);

    (void) state;
    assert_true(acme_buffer_add_text(&buffer, "abc"));
    acme_buffer_free(&buffer);
    assert_null(buffer.at);
    assert_int_equal(buffer.len, 0);
    assert_false(acme_buffer_add_text(&buffer, "abcd"));
    assert_true(acme_buffer_add_text(&buffer, "abc"));
    acme_buffer_wipe(&buffer);
    assert_null(buffer.at);
    assert_int_equal(buffer.size, 0);
    assert_false(acme_buffer_add_text(&buffer, "abcd"));
    assert_true(acme_buffer_add_text(&buffer, "abc"));
    acme_buffer_free(&buffer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_of_a_text_are_without_its_nul),
        cmocka_unit_test(bytes_are_equal_when_all_are),
        cmocka_unit_test(an_empty_buffer_reads_as_an_empty_text),
        cmocka_unit_test(what_is_added_stands_in_its_order),
        cmocka_unit_test(nul_bytes_are_bytes),
        cmocka_unit_test(many_small_additions_grow_it),
        cmocka_unit_test(the_limit_itself_is_allowed_and_one_more_is_not),
        cmocka_unit_test(a_refused_print_leaves_it_as_it_was),
        cmocka_unit_test(lengths_that_overflow_are_refused),
        cmocka_unit_test(a_limit_of_zero_takes_nothing),
        cmocka_unit_test(clearing_keeps_the_memory_and_forgets_the_content),
        cmocka_unit_test(the_limit_outlives_free_and_wipe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
