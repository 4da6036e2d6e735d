/*
 * Times as text (RFC 3339 5.6, RFC 9110 5.6.7). Reads no clock and no locale.
 */

#include "format/time_text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define END_OF_9999 INT64_C(253402300799)

enum { TEXT_MAX = 64 };

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

char *
acme_time_write(char out[ACME_TIME_TEXT_SIZE], int64_t at)
{
    time_t seconds = (time_t) at;
    struct tm tm;

    if (gmtime_r(&seconds, &tm) == NULL
        || strftime(out, ACME_TIME_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm)
            == 0) {
        snprintf(out, ACME_TIME_TEXT_SIZE, "?");
    }
    return out;
}

/* Fixed-width digits: sscanf would take signs and spaces for digits. */
static bool
read_digits(const char **at, int count, int *value)
{
    *value = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (**at < '0' || **at > '9') {
            return false;
        }
        *value = *value * 10 + (**at - '0');
    }
    return true;
}

static bool
skip(const char **at, const char *text)
{
    size_t len = strlen(text);

    if (strncmp(*at, text, len) != 0) {
        return false;
    }
    *at += len;
    return true;
}

static bool
copy(struct acme_bytes text, char out[TEXT_MAX])
{
    if (text.len == 0 || text.len >= TEXT_MAX
        || memchr(text.at, '\0', text.len) != NULL) {
        return false;
    }
    memcpy(out, text.at, text.len);
    out[text.len] = '\0';
    return true;
}

static bool
to_seconds(const struct tm *tm, int64_t *at_out)
{
    static const int days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30,
        31 };
    struct tm copy = *tm;

    if (tm->tm_year < 70 || tm->tm_year > 9999 - 1900 || tm->tm_mon < 0
        || tm->tm_mon > 11 || tm->tm_mday < 1
        || tm->tm_mday > days[tm->tm_mon] || tm->tm_hour > 23
        || tm->tm_min > 59 || tm->tm_sec > 60) {
        return false;
    }
    *at_out = (int64_t) timegm(&copy);
    return *at_out >= 0 && copy.tm_mon == tm->tm_mon;
}

static bool
read_clock(const char **at, struct tm *tm)
{
    return read_digits(at, 2, &tm->tm_hour) && skip(at, ":")
        && read_digits(at, 2, &tm->tm_min) && skip(at, ":")
        && read_digits(at, 2, &tm->tm_sec);
}

/* "Z" or "+hh:mm" / "-hh:mm", as seconds east of Greenwich. */
static bool
read_offset(const char **at, int64_t *offset)
{
    int sign = **at == '-' ? -1 : 1;
    int hours, minutes;

    *offset = 0;
    if (**at == 'Z' || **at == 'z') {
        (*at)++;
        return true;
    }
    if (**at != '+' && **at != '-') {
        return false;
    }
    (*at)++;
    if (!read_digits(at, 2, &hours) || !skip(at, ":")
        || !read_digits(at, 2, &minutes) || hours > 23 || minutes > 59) {
        return false;
    }
    *offset = sign * (hours * 3600 + minutes * 60);
    return true;
}

bool
acme_time_read(struct acme_bytes text, int64_t *at_out)
{
    char buffer[TEXT_MAX];
    const char *at = buffer;
    struct tm tm = { 0 };
    int64_t offset;

    if (!copy(text, buffer) || !read_digits(&at, 4, &tm.tm_year)
        || !skip(&at, "-") || !read_digits(&at, 2, &tm.tm_mon)
        || !skip(&at, "-") || !read_digits(&at, 2, &tm.tm_mday)
        || (*at != 'T' && *at != 't' && *at != ' ')) {
        return false;
    }
    at++;
    if (!read_clock(&at, &tm)) {
        return false;
    }
    if (*at == '.') {
        at++;
        if (!isdigit((unsigned char) *at)) {
            return false;
        }
        while (isdigit((unsigned char) *at)) {
            at++;
        }
    }
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    if (!read_offset(&at, &offset) || *at != '\0'
        || !to_seconds(&tm, at_out)) {
        return false;
    }
    *at_out -= offset;
    return *at_out >= 0 && *at_out <= END_OF_9999;
}

static bool
read_month(const char **at, int *month)
{
    for (int i = 0; i < 12; i++) {
        if (strncmp(*at, months + 3 * i, 3) == 0) {
            *month = i;
            *at += 3;
            return true;
        }
    }
    return false;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool
read_fixdate(const char *at, struct tm *tm)
{
    at = strchr(at, ',');
    return at != NULL && skip(&at, ", ") && read_digits(&at, 2, &tm->tm_mday)
        && skip(&at, " ") && read_month(&at, &tm->tm_mon) && skip(&at, " ")
        && read_digits(&at, 4, &tm->tm_year) && skip(&at, " ")
        && read_clock(&at, tm) && skip(&at, " GMT") && *at == '\0';
}

/* "Sunday, 06-Nov-94 08:49:37 GMT"; we write after 2000 */
static bool
read_rfc850(const char *at, struct tm *tm)
{
    at = strchr(at, ',');
    if (at == NULL || !skip(&at, ", ") || !read_digits(&at, 2, &tm->tm_mday)
        || !skip(&at, "-") || !read_month(&at, &tm->tm_mon)
        || !skip(&at, "-") || !read_digits(&at, 2, &tm->tm_year)
        || !skip(&at, " ") || !read_clock(&at, tm) || !skip(&at, " GMT")) {
        return false;
    }
    tm->tm_year += tm->tm_year < 70 ? 2000 : 1900;
    return *at == '\0';
}

/* "Sun Nov  6 08:49:37 1994" */
static bool
read_asctime(const char *at, struct tm *tm)
{
    if (strlen(at) < 4) {
        return false;
    }
    at += 3;
    if (!skip(&at, " ") || !read_month(&at, &tm->tm_mon) || !skip(&at, " ")) {
        return false;
    }
    if (*at == ' ') {
        at++;
        if (!read_digits(&at, 1, &tm->tm_mday)) {
            return false;
        }
    } else if (!read_digits(&at, 2, &tm->tm_mday)) {
        return false;
    }
    return skip(&at, " ") && read_clock(&at, tm) && skip(&at, " ")
        && read_digits(&at, 4, &tm->tm_year) && *at == '\0';
}

bool
acme_time_read_http(struct acme_bytes text, int64_t *at_out)
{
    static bool (*const forms[])(const char *, struct tm *) = {
        read_fixdate, read_rfc850, read_asctime
    };
    char buffer[TEXT_MAX];

    if (!copy(text, buffer)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
        struct tm tm = { 0 };

        if (forms[i](buffer, &tm)) {
            tm.tm_year -= 1900;
            return to_seconds(&tm, at_out);
        }
    }
    return false;
}
