/* Names as a CA spells them against ours. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "format/json.h"
#include "protocol/identifier.h"

static const struct {
    const char *what;
    const char *json;
    const char *value;         /* NULL: refused */
} rows[] = {
    { "dns", "{\"type\":\"dns\",\"value\":\"a.test\"}", "a.test" },
    { "ip", "{\"type\":\"ip\",\"value\":\"2001:db8::1\"}", "2001:db8::1" },
    { "another type", "{\"type\":\"email\",\"value\":\"a.test\"}",
        "email:a.test" },
    { "type in capitals", "{\"type\":\"DNS\",\"value\":\"a.test\"}",
        "DNS:a.test" },
    { "quote", "{\"type\":\"dns\",\"value\":\"a\\\"b\"}", "a\\x22b" },
    { "not ASCII", "{\"type\":\"dns\",\"value\":\"\xc3\xa4\"}",
        "\\xc3\\xa4" },

    { "line break", "{\"type\":\"dns\",\"value\":\"a\\nb\"}", NULL },
    { "no type", "{\"value\":\"a.test\"}", NULL },
    { "no value", "{\"type\":\"dns\"}", NULL },
    { "empty value", "{\"type\":\"dns\",\"value\":\"\"}", NULL },
    { "value is a number", "{\"type\":\"dns\",\"value\":7}", NULL },
    { "type is a list", "{\"type\":[],\"value\":\"a.test\"}", NULL },
    { "long type", "{\"type\":\"ddddddddddddddddddddddddddddddddd\","
        "\"value\":\"a.test\"}", NULL },
};

static void
identifiers_are_read_or_refused(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct acme_error err;
        cJSON *json = acme_json_parse(acme_bytes_of(rows[i].json), &err);
        char value[ACME_IDENTIFIER_SIZE] = "";
        bool ok = acme_identifier_read(json, value);

        assert_non_null(json);
        if (ok != (rows[i].value != NULL)
            || (ok && strcmp(value, rows[i].value) != 0)) {
            fail_msg("%s: \"%s\"", rows[i].what, value);
        }
        cJSON_Delete(json);
    }
}

static void
nothing_is_no_identifier(void **state)
{
    char value[ACME_IDENTIFIER_SIZE];

    (void) state;
    assert_false(acme_identifier_read(NULL, value));
}

static void
a_value_over_253_bytes_is_refused(void **state)
{
    char text[400], value[ACME_IDENTIFIER_SIZE];

    (void) state;
    for (int len = 253; len <= 254; len++) {
        struct acme_error err;
        cJSON *json;

        snprintf(text, sizeof(text), "{\"type\":\"dns\",\"value\":"
            "\"%0*d\"}", len, 7);
        json = acme_json_parse(acme_bytes_of(text), &err);
        assert_int_equal(acme_identifier_read(json, value), len == 253);
        cJSON_Delete(json);
    }
}

static void
a_value_that_grows_by_escaping_stays_in_bounds(void **state)
{
    char text[400], value[ACME_IDENTIFIER_SIZE];
    struct acme_error err;
    cJSON *json;

    (void) state;
    sprintf(text, "{\"type\":\"email\",\"value\":\"%0253d\"}", 7);
    memset(strstr(text, "0000"), '\xfe', 250);
    json = acme_json_parse(acme_bytes_of(text), &err);
    assert_true(acme_identifier_read(json, value));
    assert_true(strlen(value) < sizeof(value));
    assert_string_equal(value + strlen(value) - 3, "...");
    cJSON_Delete(json);
}

static const struct {
    const char *what;
    const char *value;
    const char *found;
} finds[] = {
    { "the same", "a.test", "a.test" },
    { "capitals", "WWW.A.TEST", "www.a.test" },
    { "long IPv6", "2001:0DB8:0:0::0001", "2001:db8::1" },
    { "IPv4", "192.0.2.1", "192.0.2.1" },
    { "another address", "2001:db8::2", NULL },
    { "mapped IPv4", "::ffff:192.0.2.1", NULL },
    { "a name below", "x.a.test", NULL },
    { "the beginning of a name", "a.tes", NULL },
    { "a dot more", "a.test.", NULL },
    { "wildcard", "*.a.test", NULL },
    { "another type", "email:a.test", NULL },
    { "empty", "", NULL },
};

static void
identifiers_are_found_among_our_names(void **state)
{
    static char first[] = "a.test", second[] = "www.a.test",
        third[] = "2001:db8::1", fourth[] = "192.0.2.1";
    char *const names[] = { first, second, third, fourth };

    (void) state;
    for (size_t i = 0; i < sizeof(finds) / sizeof(finds[0]); i++) {
        const char *found = acme_identifier_find(finds[i].value, names, 4);

        if ((found == NULL) != (finds[i].found == NULL)
            || (found != NULL && strcmp(found, finds[i].found) != 0)) {
            fail_msg("%s: %s", finds[i].what, found != NULL ? found : "-");
        }
    }
    assert_null(acme_identifier_find("a.test", NULL, 0));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identifiers_are_read_or_refused),
        cmocka_unit_test(nothing_is_no_identifier),
        cmocka_unit_test(a_value_over_253_bytes_is_refused),
        cmocka_unit_test(a_value_that_grows_by_escaping_stays_in_bounds),
        cmocka_unit_test(identifiers_are_found_among_our_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
