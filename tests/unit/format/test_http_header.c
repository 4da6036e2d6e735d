/* Header lines of a CA: what is taken, and what is as if never sent. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "format/http_header.h"

enum { NOW = 784111777, YEAR = 366 * 24 * 3600 };

/* Take a line from memory that ends where the line does. */
static void
take_bytes(struct acme_headers *headers, const void *line, size_t len,
    int64_t now)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);

    memcpy(copy, line, len);
    acme_headers_take(headers, (struct acme_bytes) { copy, len }, now);
    free(copy);
}

static void
take(struct acme_headers *headers, const char *line)
{
    take_bytes(headers, line, strlen(line), NOW);
}

static void
the_fields_of_a_reply_are_taken(void **state)
{
    struct acme_headers headers = { 0 };

    (void) state;
    take(&headers, "HTTP/1.1 201 Created\r\n");
    take(&headers, "Server: nginx\r\n");
    take(&headers, "Replay-Nonce: 8_uBBV3N2DBRJczhoiB46ugJKUkUHxGzVe6xIMpjHFM"
        "\r\n");
    take(&headers, "Location: https://ca.test/acct/1\r\n");
    take(&headers, "Content-Type: application/json\r\n");
    take(&headers, "Retry-After: 120\r\n");
    take(&headers, "\r\n");
    assert_string_equal(headers.nonce,
        "8_uBBV3N2DBRJczhoiB46ugJKUkUHxGzVe6xIMpjHFM");
    assert_string_equal(headers.location, "https://ca.test/acct/1");
    assert_string_equal(headers.media_type, "application/json");
    assert_true(headers.retry_at == NOW + 120);
}

static void
a_status_line_begins_anew(void **state)
{
    struct acme_headers headers = { 0 }, empty = { 0 };

    (void) state;
    take(&headers, "Replay-Nonce: abc");
    take(&headers, "Location: https://ca.test/");
    take(&headers, "Content-Type: a/b");
    take(&headers, "Retry-After: 1");
    take(&headers, "HTTP/2 200");
    assert_memory_equal(&headers, &empty, sizeof(empty));
}

static void
the_last_valid_one_wins(void **state)
{
    struct acme_headers headers = { 0 };

    (void) state;
    take(&headers, "Replay-Nonce: first");
    take(&headers, "Replay-Nonce: second");
    take(&headers, "Replay-Nonce: not a nonce");
    take(&headers, "Location: /one");
    take(&headers, "Location: /two words");
    take(&headers, "Retry-After: 5");
    take(&headers, "Retry-After: soon");
    take(&headers, "Content-Type: text/html");
    take(&headers, "Content-Type:");
    assert_string_equal(headers.nonce, "second");
    assert_string_equal(headers.location, "/one");
    assert_string_equal(headers.media_type, "text/html");
    assert_true(headers.retry_at == NOW + 5);
}

static const struct {
    const char *what, *line;
    const char *nonce, *location, *media_type;
} lines[] = {
    { "lower case", "replay-nonce: a", "a", "", "" },
    { "upper case", "REPLAY-NONCE: a", "a", "", "" },
    { "no space", "Replay-Nonce:a", "a", "", "" },
    { "spaces and tabs", "Replay-Nonce: \t a \t \r\n", "a", "", "" },
    { "a new line only", "Replay-Nonce: a\n", "a", "", "" },
    { "a space before the colon", "Replay-Nonce : a", "", "", "" },
    { "a space in front", " Replay-Nonce: a", "", "", "" },
    { "a longer name", "X-Replay-Nonce: a", "", "", "" },
    { "a shorter name", "Replay-Nonc: a", "", "", "" },
    { "a name going on", "Replay-Nonces: a", "", "", "" },
    { "no colon", "Replay-Nonce", "", "", "" },
    { "a colon", ":", "", "", "" },
    { "nothing", "", "", "", "" },
    { "an end of line", "\r\n", "", "", "" },
    { "an empty nonce", "Replay-Nonce: ", "", "", "" },
    { "a nonce with padding", "Replay-Nonce: YQ==", "", "", "" },
    { "a nonce with a quote", "Replay-Nonce: a\"b", "", "", "" },
    { "a nonce with a comma", "Replay-Nonce: a, b", "", "", "" },
    { "a nonce with UTF-8", "Replay-Nonce: \xc3\xa9", "", "", "" },
    { "a location with a colon", "Location: https://a.test:1/", "",
        "https://a.test:1/", "" },
    { "a relative location", "Location: /x", "", "/x", "" },
    { "a location with a space", "Location: /x y", "", "", "" },
    { "a location with a tab", "Location: /x\ty", "", "", "" },
    { "a location over two lines", "Location: /x\r\n y", "", "", "" },
    { "a location with delete", "Location: /x\x7f", "", "", "" },
    { "a location with UTF-8", "Location: /\xc3\xa9", "", "", "" },
    { "a location with escape", "Location: /\x1b[1m", "", "", "" },
    { "parameters", "Content-Type: Application/PROBLEM+json; charset=utf-8",
        "", "", "application/problem+json" },
    { "a space before parameters", "Content-Type: a/b ;c=d", "", "", "a/b" },
    { "only parameters", "Content-Type: ;c=d", "", "", "" },
    { "a type of two words", "Content-Type: a/b c", "", "", "" },
    { "a type with UTF-8", "Content-Type: a/\xc3\xa9", "", "", "" },
};

static void
malformed_lines_are_as_if_not_sent(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct acme_headers headers = { 0 };

        take(&headers, lines[i].line);
        if (strcmp(headers.nonce, lines[i].nonce) != 0
            || strcmp(headers.location, lines[i].location) != 0
            || strcmp(headers.media_type, lines[i].media_type) != 0) {
            fail_msg("%s: \"%s\" \"%s\" \"%s\"", lines[i].what,
                headers.nonce, headers.location, headers.media_type);
        }
    }
}

static void
nul_bytes_end_no_value(void **state)
{
    static const char *const values[] = { "Replay-Nonce: a\0b",
        "Location: /a\0b", "Content-Type: a\0b", "Retry-After: 1\0a",
        "Replay-Nonce\0 : a" };
    struct acme_headers headers = { 0 }, empty = { 0 };

    (void) state;
    for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        take_bytes(&headers, values[i], strlen(values[i]) + 2, NOW);
        assert_memory_equal(&headers, &empty, sizeof(empty));
    }
}

static const struct {
    const char *name;
    size_t offset, max;
} bounded[] = {
    { "Replay-Nonce: ", offsetof(struct acme_headers, nonce), 256 },
    { "Location: ", offsetof(struct acme_headers, location), 2048 },
    { "Content-Type: ", offsetof(struct acme_headers, media_type), 64 },
};

static void
values_that_are_too_long_are_not_taken(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(bounded) / sizeof(bounded[0]); i++) {
        struct acme_headers headers = { 0 };
        const char *got = (const char *) &headers + bounded[i].offset;
        size_t name_len = strlen(bounded[i].name);
        char line[3000];

        memset(line, 'x', sizeof(line));
        memcpy(line, bounded[i].name, name_len);
        take_bytes(&headers, line, name_len + bounded[i].max + 1, NOW);
        assert_string_equal(got, "");
        take_bytes(&headers, line, name_len + bounded[i].max, NOW);
        assert_int_equal(strlen(got), bounded[i].max);
    }
}

static const struct {
    const char *what, *value;
    int64_t retry_at;
} retries[] = {
    { "seconds", "120", NOW + 120 },
    { "no seconds", "0", NOW },
    { "leading zeros", "0007", NOW + 7 },
    { "a year", "31622400", NOW + YEAR },
    { "more than a year", "31622401", NOW + YEAR },
    { "more than 32 bits", "4294967297", NOW + YEAR },
    { "more than 64 bits", "18446744073709551617", NOW + YEAR },
    { "very many digits", "9999999999999999999999999999999999999999999",
        NOW + YEAR },
    { "a date", "Sun, 06 Nov 1994 08:50:37 GMT", NOW + 60 },
    { "a date before", "Sun, 06 Nov 1994 08:48:37 GMT", NOW - 60 },
    { "a date far ahead", "Fri, 31 Dec 9999 23:59:59 GMT", NOW + YEAR },
    { "an old date", "Sunday, 06-Nov-94 08:49:38 GMT", NOW + 1 },
    { "nothing", "", 0 },
    { "negative", "-1", 0 },
    { "a sign", "+1", 0 },
    { "a fraction", "1.5", 0 },
    { "a unit", "10s", 0 },
    { "hexadecimal", "0x10", 0 },
    { "two", "1, 2", 0 },
    { "digits of another script", "\xd9\xa1", 0 },
    { "a word", "soon", 0 },
    { "a date of RFC 3339", "1994-11-06T08:49:37Z", 0 },
};

static void
retry_after_is_seconds_or_a_date_and_a_year_at_most(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(retries) / sizeof(retries[0]); i++) {
        struct acme_headers headers = { 0 };
        char line[200] = "Retry-After: ";

        take(&headers, strcat(line, retries[i].value));
        if (headers.retry_at != retries[i].retry_at) {
            fail_msg("%s: %lld", retries[i].what,
                (long long) headers.retry_at);
        }
    }
}

static const struct {
    const char *value;
    const char *urls[2];
} links[] = {
    { "<https://ca.test/1>;rel=\"alternate\"", { "https://ca.test/1" } },
    { "<https://ca.test/1>; rel=alternate", { "https://ca.test/1" } },
    { "<https://ca.test/1>;Rel=\"Alternate\"", { "https://ca.test/1" } },
    { "<https://ca.test/1> ; rel = \"alternate\" ", { "https://ca.test/1" } },
    { "<https://ca.test/1>;title=\"x, y;\\\"\"; rel=\"alternate\"",
        { "https://ca.test/1" } },
    { "<https://ca.test/1>;rel=\"next alternate\"", { "https://ca.test/1" } },
    { "<https://ca.test/1>;rel=\"alternates\"", { NULL } },
    { "<https://ca.test/1>;title=\"rel=alternate\"", { NULL } },
    { "<https://ca.test/1>;title=\"a\\", { NULL } },
    { "<https://ca.test/1>;rel", { NULL } },
    { "<https://ca.test/1>;rel=", { NULL } },
    { "<https://ca.test/dir>;rel=\"index\"", { NULL } },
    { "<https://ca.test/i>;rel=\"up\", <https://ca.test/1>;title=\"a\" ;"
        "rel=\"alternate\",<https://ca.test/2>;rel=\"alternate\"",
        { "https://ca.test/1", "https://ca.test/2" } },
    { "<https://ca.test/1", { NULL } },
    { "<>;rel=\"alternate\"", { NULL } },
    { "<https://ca.test/a b>;rel=\"alternate\"", { NULL } },
    { "https://ca.test/1;rel=\"alternate\"", { NULL } },
    { "<https://ca.test/1>;rel=\"alternate", { NULL } },
    { "<https://ca.test/1>;rel=\"alternate\"<https://ca.test/2>",
        { NULL } },
    { "", { NULL } },
};

static void
alternates_are_taken_from_links(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        struct acme_headers headers = { 0 };
        unsigned count = (links[i].urls[0] != NULL)
            + (links[i].urls[1] != NULL);
        char line[512];

        snprintf(line, sizeof(line), "Link: %s\r\n", links[i].value);
        acme_headers_take(&headers, acme_bytes_of(line), 0);
        if (headers.alternate_count != count) {
            fail_msg("%s: %u alternates", links[i].value,
                headers.alternate_count);
        }
        for (unsigned j = 0; j < count; j++) {
            assert_string_equal(headers.alternates[j], links[i].urls[j]);
        }
    }
}

static void
alternates_are_gathered_as_long_as_there_is_room(void **state)
{
    static const char line[] = "link: <https://ca.test/1>;rel=\"alternate\"";
    struct acme_headers headers = { 0 };

    (void) state;
    for (unsigned i = 0; i < 100; i++) {
        acme_headers_take(&headers, acme_bytes_of(line), 0);
    }
    assert_int_equal(headers.alternate_count, ACME_ALTERNATES_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fields_of_a_reply_are_taken),
        cmocka_unit_test(a_status_line_begins_anew),
        cmocka_unit_test(the_last_valid_one_wins),
        cmocka_unit_test(malformed_lines_are_as_if_not_sent),
        cmocka_unit_test(nul_bytes_end_no_value),
        cmocka_unit_test(values_that_are_too_long_are_not_taken),
        cmocka_unit_test(retry_after_is_seconds_or_a_date_and_a_year_at_most),
        cmocka_unit_test(alternates_are_taken_from_links),
        cmocka_unit_test(alternates_are_gathered_as_long_as_there_is_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
