/*
 * Bounds around cJSON, and typed access. Knows no member names.
 */

#include "format/json.h"

#include <string.h>

#include "format/time_text.h"

enum { TEXT_MAX = 1024 * 1024, DEPTH_MAX = 32 };

/* cJSON's own limit of depth is 1000; this one costs one pass. */
static bool
is_shallow(struct acme_bytes text)
{
    bool in_string = false;
    int depth = 0;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];

        if (in_string) {
            if (c == '\\') {
                i++;
            } else if (c == '"') {
                in_string = false;
            }
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > DEPTH_MAX) {
                return false;
            }
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return true;
}

/* A NUL, bare or escaped: the text it is in would end there unseen. */
static bool
holds_nul(struct acme_bytes text)
{
    static const char escaped[] = "\\u0000";
    const size_t len = sizeof(escaped) - 1;

    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '\0' || (text.len - i >= len
            && memcmp(text.at + i, escaped, len) == 0)) {
            return true;
        }
        if (text.at[i] == '\\') {
            i++;
        }
    }
    return false;
}

static bool
only_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r'
        || *at == '\n')) {
        at++;
    }
    return at == end;
}

cJSON *
acme_json_parse(struct acme_bytes text, struct acme_error *err)
{
    const char *start = (const char *) text.at;
    const char *end = NULL;
    cJSON *root;

    if (text.len == 0 || text.len > TEXT_MAX || !is_shallow(text)) {
        acme_fail(err, ACME_PEER_BROKE, "%s", text.len == 0 ? "empty JSON"
            : "JSON that is too large or too deep");
        return NULL;
    }
    if (holds_nul(text)) {
        acme_fail(err, ACME_PEER_BROKE, "JSON with a NUL in a text");
        return NULL;
    }
    root = cJSON_ParseWithLengthOpts(start, text.len, &end, 0);
    if (!cJSON_IsObject(root) || !only_space(end, start + text.len)) {
        cJSON_Delete(root);
        acme_fail(err, ACME_PEER_BROKE, "not a JSON object");
        return NULL;
    }
    return root;
}

const char *
acme_json_text(const cJSON *object, const char *name, size_t max)
{
    return acme_json_text_of(cJSON_GetObjectItemCaseSensitive(object, name),
        max);
}

const char *
acme_json_text_of(const cJSON *item, size_t max)
{
    if (!cJSON_IsString(item) || strlen(item->valuestring) > max) {
        return NULL;
    }
    for (const char *at = item->valuestring; *at != '\0'; at++) {
        if ((unsigned char) *at < 0x20 || *at == 0x7f) {
            return NULL;
        }
    }
    return item->valuestring;
}

int64_t
acme_json_number(const cJSON *object, const char *name, int64_t otherwise)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    double value;

    if (!cJSON_IsNumber(item)) {
        return otherwise;
    }
    value = item->valuedouble;
    if (!(value >= 0 && value <= 9007199254740992.0)
        || value != (double) (int64_t) value) {
        return otherwise;
    }
    return (int64_t) value;
}

int64_t
acme_json_time(const cJSON *object, const char *name)
{
    const char *text = acme_json_text(object, name, ACME_TIME_TEXT_SIZE);
    int64_t at;

    return text != NULL && acme_time_read(acme_bytes_of(text), &at) ? at : 0;
}

bool
acme_json_add_time(cJSON *object, const char *name, int64_t at)
{
    char text[ACME_TIME_TEXT_SIZE];

    return cJSON_AddStringToObject(object, name, acme_time_write(text, at))
        != NULL;
}

bool
acme_json_flag(const cJSON *object, const char *name)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, name));
}

const cJSON *
acme_json_array(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsArray(item) ? item : NULL;
}

const cJSON *
acme_json_object(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsObject(item) ? item : NULL;
}

bool
acme_json_print(struct acme_buffer *out, const cJSON *value)
{
    char *text = cJSON_PrintUnformatted(value);
    bool ok = text != NULL && acme_buffer_add_text(out, text);

    cJSON_free(text);
    return ok;
}
