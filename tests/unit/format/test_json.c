/* JSON of a stranger: the bounds, the types, and what is not there. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "format/json.h"

#define BYTES(text) { (const uint8_t *) text, sizeof(text) - 1 }

enum { MIB = 1024 * 1024 };

static cJSON *
parse(const char *text)
{
    struct acme_error err;
    cJSON *object = acme_json_parse(acme_bytes_of(text), &err);

    if (object == NULL) {
        fail_msg("%s: %s", text, err.text);
    }
    return object;
}

static const struct {
    const char *what;
    struct acme_bytes text;
} refused[] = {
    { "nothing", BYTES("") },
    { "white space", BYTES(" \n") },
    { "an array", BYTES("[]") },
    { "a string", BYTES("\"{}\"") },
    { "a number", BYTES("1") },
    { "null", BYTES("null") },
    { "HTML", BYTES("<html></html>") },
    { "an open object", BYTES("{") },
    { "an open string", BYTES("{\"a\":\"b") },
    { "an open escape", BYTES("{\"a\":\"b\\") },
    { "half an escape", BYTES("{\"a\":\"\\u00\"}") },
    { "half a surrogate pair", BYTES("{\"a\":\"\\ud800\"}") },
    { "an unknown escape", BYTES("{\"a\":\"\\x\"}") },
    { "no value", BYTES("{\"a\"}") },
    { "no name", BYTES("{1:2}") },
    { "a comma too many", BYTES("{\"a\":1,}") },
    { "single quotes", BYTES("{'a':1}") },
    { "a closing bracket", BYTES("{\"a\":1]") },
    { "another object behind it", BYTES("{}{}") },
    { "text behind it", BYTES("{} x") },
    { "a NUL behind it", BYTES("{}\0") },
    { "a bare NUL in a string", BYTES("{\"a\":\"b\0c\"}") },
    { "an escaped NUL in a string", BYTES("{\"a\":\"b\\u0000c\"}") },
    { "an escaped NUL in a name", BYTES("{\"a\\u0000b\":\"c\"}") },
    { "a name with a bare NUL", BYTES("{\"a\0b\":\"c\"}") },
};

static void
what_is_no_json_object_is_refused(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        /* a copy of exactly this size: reading beyond it is seen */
        uint8_t *copy = malloc(refused[i].text.len + 1);
        struct acme_bytes text = { copy, refused[i].text.len };
        struct acme_error err;

        memcpy(copy, refused[i].text.at, text.len);
        copy = realloc(copy, text.len > 0 ? text.len : 1);
        text.at = copy;
        if (acme_json_parse(text, &err) != NULL) {
            fail_msg("%s was taken", refused[i].what);
        }
        assert_int_equal(err.verdict, ACME_PEER_BROKE);
        free(copy);
    }
}

static void
every_beginning_is_refused(void **state)
{
    static const char text[] = "{\"a\":[1,-2.5e3,true,null],"
        "\"b\":{\"c\":\"\\u00e9\\\"\"}}";
    struct acme_error err;

    (void) state;
    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        uint8_t *part = malloc(len > 0 ? len : 1);

        memcpy(part, text, len);
        assert_null(acme_json_parse((struct acme_bytes) { part, len }, &err));
        free(part);
    }
    cJSON_Delete(parse(text));
}

/* `depth` objects, each in the one before. */
static cJSON *
parse_nested(int depth, const char *inner, struct acme_error *err)
{
    struct acme_buffer text = ACME_BUFFER(MIB);
    cJSON *object;

    for (int i = 1; i < depth; i++) {
        assert_true(acme_buffer_add_text(&text, "{\"a\":"));
    }
    assert_true(acme_buffer_add_text(&text, inner));
    for (int i = 1; i < depth; i++) {
        assert_true(acme_buffer_add_text(&text, "}"));
    }
    object = acme_json_parse(acme_buffer_bytes(&text), err);
    acme_buffer_free(&text);
    return object;
}

static void
thirty_two_levels_are_the_most(void **state)
{
    struct acme_error err;
    cJSON *object = parse_nested(32, "{}", &err);

    (void) state;
    assert_non_null(object);
    cJSON_Delete(object);
    assert_null(parse_nested(33, "{}", &err));
    assert_int_equal(err.verdict, ACME_PEER_BROKE);
    assert_non_null(strstr(err.text, "too deep"));
    assert_null(parse_nested(32, "{\"x\\\"}\":[]}", &err));
    assert_null(parse_nested(100000, "{}", &err));
}

static void
brackets_in_strings_are_no_levels(void **state)
{
    cJSON *object = parse("{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\","
        "\"b\":\"\\\"{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{\"}");

    (void) state;
    assert_non_null(acme_json_text(object, "a", 100));
    cJSON_Delete(object);
}

static void
one_mebibyte_is_the_most(void **state)
{
    char *text = malloc(MIB + 1);
    struct acme_bytes bytes = { (const uint8_t *) text, MIB };
    struct acme_error err;
    cJSON *object;

    (void) state;
    memset(text, ' ', MIB + 1);
    memcpy(text, "{}", 2);
    object = acme_json_parse(bytes, &err);
    assert_non_null(object);
    cJSON_Delete(object);
    bytes.len++;
    assert_null(acme_json_parse(bytes, &err));
    assert_non_null(strstr(err.text, "too large"));
    free(text);
}

static const struct {
    const char *what, *json;
    size_t max;
    const char *expected;
} texts[] = {
    { "a text", "{\"a\":\"x\"}", 1, "x" },
    { "an empty text", "{\"a\":\"\"}", 0, "" },
    { "an escape", "{\"a\":\"\\u0041\\/\\\\\"}", 3, "A/\\" },
    { "no escaped NUL", "{\"a\":\"\\\\u0000\"}", 6, "\\u0000" },
    { "UTF-8", "{\"a\":\"\xc3\xa9\"}", 2, "\xc3\xa9" },
    { "an escape beyond ASCII", "{\"a\":\"\\u00e9\"}", 2, "\xc3\xa9" },
    { "the first of two", "{\"a\":\"x\",\"a\":\"y\"}", 1, "x" },
    { "absent", "{\"b\":\"x\"}", 9, NULL },
    { "of another case", "{\"A\":\"x\"}", 9, NULL },
    { "too long", "{\"a\":\"xy\"}", 1, NULL },
    { "too long by an escape", "{\"a\":\"\\u00e9\"}", 1, NULL },
    { "a new line", "{\"a\":\"x\\ny\"}", 9, NULL },
    { "a bare new line", "{\"a\":\"x\ny\"}", 9, NULL },
    { "a carriage return at the end", "{\"a\":\"x\\r\"}", 9, NULL },
    { "escape", "{\"a\":\"\\u001b[31m\"}", 9, NULL },
    { "delete", "{\"a\":\"\\u007f\"}", 9, NULL },
    { "a number", "{\"a\":1}", 9, NULL },
    { "true", "{\"a\":true}", 9, NULL },
    { "null", "{\"a\":null}", 9, NULL },
    { "an array", "{\"a\":[\"x\"]}", 9, NULL },
    { "an object", "{\"a\":{\"a\":\"x\"}}", 9, NULL },
};

static void
a_text_is_a_string_within_its_bounds(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        cJSON *object = parse(texts[i].json);
        const char *got = acme_json_text(object, "a", texts[i].max);

        if ((got == NULL) != (texts[i].expected == NULL)
            || (got != NULL && strcmp(got, texts[i].expected) != 0)) {
            fail_msg("%s: %s", texts[i].what, got != NULL ? got : "NULL");
        }
        cJSON_Delete(object);
    }
}

static const struct {
    const char *what, *json;
    int64_t expected;
} numbers[] = {
    { "zero", "{\"a\":0}", 0 },
    { "minus zero", "{\"a\":-0}", 0 },
    { "a number", "{\"a\":4711}", 4711 },
    { "more than 32 bits", "{\"a\":4294967296}", 4294967296 },
    { "two to the 53", "{\"a\":9007199254740992}", 9007199254740992 },
    { "an exponent", "{\"a\":1.5e3}", 1500 },
    { "more than two to the 53", "{\"a\":9007199254740994}", -7 },
    { "more than 64 bits", "{\"a\":18446744073709551616}", -7 },
    { "infinite", "{\"a\":1e999}", -7 },
    { "negative", "{\"a\":-1}", -7 },
    { "very negative", "{\"a\":-1e308}", -7 },
    { "a fraction", "{\"a\":0.5}", -7 },
    { "a small fraction", "{\"a\":1e-300}", -7 },
    { "a text", "{\"a\":\"1\"}", -7 },
    { "true", "{\"a\":true}", -7 },
    { "null", "{\"a\":null}", -7 },
    { "absent", "{}", -7 },
};

static void
a_number_is_whole_and_in_range(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        cJSON *object = parse(numbers[i].json);

        if (acme_json_number(object, "a", -7) != numbers[i].expected) {
            fail_msg("%s", numbers[i].what);
        }
        cJSON_Delete(object);
    }
}

static void
only_true_is_true(void **state)
{
    cJSON *object = parse("{\"t\":true,\"f\":false,\"n\":1,\"s\":\"true\","
        "\"a\":[true]}");

    (void) state;
    assert_true(acme_json_flag(object, "t"));
    assert_false(acme_json_flag(object, "f"));
    assert_false(acme_json_flag(object, "n"));
    assert_false(acme_json_flag(object, "s"));
    assert_false(acme_json_flag(object, "a"));
    assert_false(acme_json_flag(object, "T"));
    cJSON_Delete(object);
}

static void
a_time_is_text_that_is_one(void **state)
{
    cJSON *object = parse("{\"t\":\"2027-01-15T08:00:01.5+00:00\","
        "\"soon\":\"soon\",\"n\":1800000001}");

    (void) state;
    assert_non_null(object);
    assert_int_equal(acme_json_time(object, "t"), 1800000001);
    assert_int_equal(acme_json_time(object, "soon"), 0);
    assert_int_equal(acme_json_time(object, "n"), 0);
    assert_int_equal(acme_json_time(object, "none"), 0);
    assert_true(acme_json_add_time(object, "again", 1800000001));
    assert_string_equal(acme_json_text(object, "again", 32),
        "2027-01-15T08:00:01Z");
    cJSON_Delete(object);
}

static void
arrays_and_objects_are_told_apart(void **state)
{
    cJSON *object = parse("{\"a\":[{\"x\":1}],\"o\":{\"x\":1},\"s\":\"[]\"}");

    (void) state;
    assert_int_equal(cJSON_GetArraySize(acme_json_array(object, "a")), 1);
    assert_int_equal(acme_json_number(acme_json_object(object, "o"), "x", 0),
        1);
    assert_null(acme_json_array(object, "o"));
    assert_null(acme_json_object(object, "a"));
    assert_null(acme_json_array(object, "s"));
    assert_null(acme_json_object(object, "s"));
    assert_null(acme_json_array(object, "none"));
    cJSON_Delete(object);
}

static void
nothing_has_no_members(void **state)
{
    cJSON *object = parse("{\"a\":[\"x\"]}");
    const cJSON *text = cJSON_GetArrayItem(acme_json_array(object, "a"), 0);

    (void) state;
    assert_null(acme_json_text(NULL, "a", 9));
    assert_true(acme_json_number(NULL, "a", 3) == 3);
    assert_false(acme_json_flag(NULL, "a"));
    assert_null(acme_json_array(NULL, "a"));
    assert_null(acme_json_object(NULL, "a"));
    assert_null(acme_json_text(text, "a", 9));
    assert_true(acme_json_number(text, "a", 3) == 3);
    cJSON_Delete(object);
}

static void
printing_is_without_white_space_and_whole_or_not_at_all(void **state)
{
    cJSON *object = parse("{ \"a\" : [ 1 , \"x\\n\" ] }");
    struct acme_buffer out = ACME_BUFFER(100), small = ACME_BUFFER(10);

    (void) state;
    assert_true(acme_json_print(&out, object));
    assert_string_equal(acme_buffer_text(&out), "{\"a\":[1,\"x\\n\"]}");
    assert_false(acme_json_print(&small, object));
    assert_int_equal(small.len, 0);
    acme_buffer_free(&out);
    acme_buffer_free(&small);
    cJSON_Delete(object);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_json_object_is_refused),
        cmocka_unit_test(every_beginning_is_refused),
        cmocka_unit_test(thirty_two_levels_are_the_most),
        cmocka_unit_test(brackets_in_strings_are_no_levels),
        cmocka_unit_test(one_mebibyte_is_the_most),
        cmocka_unit_test(a_text_is_a_string_within_its_bounds),
        cmocka_unit_test(a_number_is_whole_and_in_range),
        cmocka_unit_test(only_true_is_true),
        cmocka_unit_test(a_time_is_text_that_is_one),
        cmocka_unit_test(arrays_and_objects_are_told_apart),
        cmocka_unit_test(nothing_has_no_members),
        cmocka_unit_test(
            printing_is_without_white_space_and_whole_or_not_at_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
