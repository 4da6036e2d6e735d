/* Times of RFC 3339 and RFC 9110, and all that only look like them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "format/time_text.h"

#define LAST 253402300799 /* 9999-12-31T23:59:59Z */

static const struct {
    const char *what, *text;
    int64_t at;
} times[] = {
    { "the first second", "1970-01-01T00:00:00Z", 0 },
    { "the last second", "9999-12-31T23:59:59Z", LAST },
    { "beyond 2038", "2038-01-19T03:14:08Z", 2147483648 },
    { "a leap day", "2024-02-29T12:00:00Z", 1709208000 },
    { "a leap day of a 400th year", "2000-02-29T00:00:00Z", 951782400 },
    { "RFC 3339 5.8, fraction", "1985-04-12T23:20:50.52Z", 482196050 },
    { "RFC 3339 5.8, offset", "1996-12-19T16:39:57-08:00", 851042397 },
    { "RFC 3339 5.8, leap second", "1990-12-31T23:59:60Z", 662688000 },
    { "RFC 3339 5.8, leap second with offset", "1990-12-31T15:59:60-08:00",
        662688000 },
    { "an eastern offset", "1970-01-01T05:45:00+05:45", 0 },
    { "lower case", "1985-04-12t23:20:50z", 482196050 },
    { "a space for T", "1985-04-12 23:20:50Z", 482196050 },
    { "nanoseconds", "1985-04-12T23:20:50.123456789Z", 482196050 },
    { "an offset of nothing", "1985-04-12T23:20:50-00:00", 482196050 },
};

static void
rfc_3339_times_are_read(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        int64_t at = -1;

        if (!acme_time_read(acme_bytes_of(times[i].text), &at)
            || at != times[i].at) {
            fail_msg("%s: %lld", times[i].what, (long long) at);
        }
    }
}

static const struct {
    const char *what, *text;
} no_times[] = {
    { "nothing", "" },
    { "a date", "2024-02-29" },
    { "no offset", "2024-02-29T12:00:00" },
    { "no seconds", "2024-02-29T12:00Z" },
    { "a short year", "224-02-29T12:00:00Z" },
    { "a long year", "12024-02-29T12:00:00Z" },
    { "a year before 1970", "1969-12-31T23:59:59Z" },
    { "a year before 1970 by its offset", "1970-01-01T00:00:00+00:01" },
    { "a year after 9999 by its offset", "9999-12-31T23:59:59-00:01" },
    { "year 0", "0000-01-01T00:00:00Z" },
    { "month 0", "2024-00-10T12:00:00Z" },
    { "month 13", "2024-13-10T12:00:00Z" },
    { "day 0", "2024-01-00T12:00:00Z" },
    { "day 32", "2024-01-32T12:00:00Z" },
    { "31 April", "2024-04-31T12:00:00Z" },
    { "29 February of another year", "2023-02-29T12:00:00Z" },
    { "the leap second behind the last second", "9999-12-31T23:59:60Z" },
    { "29 February of 2100", "2100-02-29T12:00:00Z" },
    { "29 February at 23:59:60 of another year", "2023-02-29T23:59:60Z" },
    { "hour 24", "2024-01-01T24:00:00Z" },
    { "minute 60", "2024-01-01T12:60:00Z" },
    { "second 61", "2024-01-01T12:00:61Z" },
    { "a negative hour", "2024-01-01T-1:00:00Z" },
    { "a signed hour", "2024-01-01T+1:00:00Z" },
    { "a space in front", " 2024-01-01T12:00:00Z" },
    { "a space for a digit", "2024-01- 1T12:00:00Z" },
    { "a space behind", "2024-01-01T12:00:00Z " },
    { "a new line behind", "2024-01-01T12:00:00Z\n" },
    { "an empty fraction", "2024-01-01T12:00:00.Z" },
    { "a comma", "2024-01-01T12:00:00,5Z" },
    { "a second fraction", "2024-01-01T12:00:00.5.5Z" },
    { "an offset of one digit", "2024-01-01T12:00:00+1:00" },
    { "an offset without colon", "2024-01-01T12:00:00+0100" },
    { "an offset of 24 hours", "2024-01-01T12:00:00+24:00" },
    { "an offset of 60 minutes", "2024-01-01T12:00:00+01:60" },
    { "a name of a zone", "2024-01-01T12:00:00 UTC" },
    { "Z and an offset", "2024-01-01T12:00:00Z+00:00" },
    { "slashes", "2024/01/01T12:00:00Z" },
    { "an HTTP date", "Sun, 06 Nov 1994 08:49:37 GMT" },
    { "a fraction without end",
        "2024-01-01T12:00:00.0000000000000000000000000000000000000000000000Z" },
};

static void
other_texts_are_no_times(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(no_times) / sizeof(no_times[0]); i++) {
        int64_t at;

        if (acme_time_read(acme_bytes_of(no_times[i].text), &at)) {
            fail_msg("%s was taken", no_times[i].what);
        }
    }
}

static const struct {
    const char *what, *text;
    int64_t at;
} dates[] = {
    { "RFC 9110 5.6.7, IMF-fixdate", "Sun, 06 Nov 1994 08:49:37 GMT",
        784111777 },
    { "RFC 9110 5.6.7, RFC 850", "Sunday, 06-Nov-94 08:49:37 GMT",
        784111777 },
    { "RFC 9110 5.6.7, asctime", "Sun Nov  6 08:49:37 1994", 784111777 },
    { "asctime with two digits", "Wed Nov 16 08:49:37 1994", 784975777 },
    { "the first second", "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
    { "the last second", "Fri, 31 Dec 9999 23:59:59 GMT", LAST },
    { "a leap second", "Mon, 31 Dec 1990 23:59:60 GMT", 662688000 },
    { "RFC 850 of this century", "Monday, 31-Jan-50 00:00:00 GMT",
        2527200000 },
    { "RFC 850, first of its years", "Thursday, 01-Jan-70 00:00:00 GMT", 0 },
};

static void
http_dates_are_read_in_all_three_forms(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
        int64_t at = -1;

        if (!acme_time_read_http(acme_bytes_of(dates[i].text), &at)
            || at != dates[i].at) {
            fail_msg("%s: %lld", dates[i].what, (long long) at);
        }
    }
}

static const struct {
    const char *what, *text;
} no_dates[] = {
    { "nothing", "" },
    { "a comma", "," },
    { "a day", "Sun" },
    { "a day and a comma", "Sun," },
    { "seconds", "120" },
    { "RFC 3339", "1994-11-06T08:49:37Z" },
    { "no zone", "Sun, 06 Nov 1994 08:49:37" },
    { "another zone", "Sun, 06 Nov 1994 08:49:37 CET" },
    { "an offset", "Sun, 06 Nov 1994 08:49:37 +0000" },
    { "a day of one digit", "Sun, 6 Nov 1994 08:49:37 GMT" },
    { "a month in another language", "Son, 06 Okt 1994 08:49:37 GMT" },
    { "a month in lower case", "Sun, 06 nov 1994 08:49:37 GMT" },
    { "a long month", "Sun, 06 November 1994 08:49:37 GMT" },
    { "a short year", "Sun, 06 Nov 94 08:49:37 GMT" },
    { "a year before 1970", "Wed, 31 Dec 1969 23:59:59 GMT" },
    { "31 April", "Sun, 31 Apr 1994 08:49:37 GMT" },
    { "the leap second behind the last second",
        "Fri, 31 Dec 9999 23:59:60 GMT" },
    { "29 February of another year", "Wed, 29 Feb 2023 08:49:37 GMT" },
    { "day 0", "Sun, 00 Nov 1994 08:49:37 GMT" },
    { "hour 24", "Sun, 06 Nov 1994 24:49:37 GMT" },
    { "a space behind", "Sun, 06 Nov 1994 08:49:37 GMT " },
    { "two spaces", "Sun,  06 Nov 1994 08:49:37 GMT" },
    { "RFC 850 with four digits", "Sunday, 06-Nov-1994 08:49:37 GMT" },
    { "asctime with a zone", "Sun Nov  6 08:49:37 1994 GMT" },
    { "asctime with one space", "Sun Nov 6 08:49:37 1994" },
    { "asctime with a short year", "Sun Nov  6 08:49:37 94" },
};

static void
other_texts_are_no_http_dates(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(no_dates) / sizeof(no_dates[0]); i++) {
        int64_t at;

        if (acme_time_read_http(acme_bytes_of(no_dates[i].text), &at)) {
            fail_msg("%s was taken", no_dates[i].what);
        }
    }
}

static void
every_beginning_is_refused(void **state)
{
    static const char *const texts[] = { "1985-04-12T23:20:50+01:00",
        "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994" };

    (void) state;
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        for (size_t len = 0; len < strlen(texts[i]); len++) {
            struct acme_bytes part = { (const uint8_t *) texts[i], len };
            int64_t at;

            assert_false(acme_time_read(part, &at));
            assert_false(acme_time_read_http(part, &at));
        }
    }
}

static void
a_nul_is_no_end(void **state)
{
    static const char nul[] = "1985-04-12T23:20:50Z\0";
    static const char http[] = "Sun, 06 Nov 1994 08:49:37 GMT\0x";
    int64_t at;

    (void) state;
    assert_false(acme_time_read((struct acme_bytes) {
        (const uint8_t *) nul, sizeof(nul) - 1 }, &at));
    assert_false(acme_time_read_http((struct acme_bytes) {
        (const uint8_t *) http, sizeof(http) - 1 }, &at));
}

static void
what_is_written_is_read_again(void **state)
{
    static const int64_t seconds[] = { 0, 1, 59, 951782400, 1709208000,
        2147483647, 2147483648, LAST };
    char text[ACME_TIME_TEXT_SIZE];

    (void) state;
    assert_string_equal(acme_time_write(text, 482196050),
        "1985-04-12T23:20:50Z");
    for (unsigned i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
        int64_t at = -1;

        assert_true(acme_time_read(acme_bytes_of(acme_time_write(text,
            seconds[i])), &at));
        assert_true(at == seconds[i]);
    }
}

static void
times_beyond_any_calendar_are_written_as_unknown(void **state)
{
    char text[ACME_TIME_TEXT_SIZE];

    (void) state;
    assert_string_equal(acme_time_write(text, INT64_MAX), "?");
    assert_string_equal(acme_time_write(text, INT64_MIN), "?");
    assert_true(strlen(acme_time_write(text, INT64_MAX / 300)) > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_3339_times_are_read),
        cmocka_unit_test(other_texts_are_no_times),
        cmocka_unit_test(http_dates_are_read_in_all_three_forms),
        cmocka_unit_test(other_texts_are_no_http_dates),
        cmocka_unit_test(every_beginning_is_refused),
        cmocka_unit_test(a_nul_is_no_end),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(times_beyond_any_calendar_are_written_as_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
