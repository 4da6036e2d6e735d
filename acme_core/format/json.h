/*
 * Reading JSON that a stranger wrote. Parsing is cJSON's; the bounds and the
 * typed access are here, so that no caller trusts a type or a length.
 */

#ifndef ACME_FORMAT_JSON_H
#define ACME_FORMAT_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

/*
 * Parse one JSON object of at most 1 MiB and 32 levels, followed by nothing
 * but white space. NULL with ACME_PEER_BROKE in err. Free with cJSON_Delete.
 */
cJSON *acme_json_parse(struct acme_bytes text, struct acme_error *err);

/*
 * The string member `name`, borrowed from the object, or NULL when it is
 * absent, no string, longer than `max` bytes, or holds a control byte.
 * Member names compare case-sensitively. `object` may be NULL.
 */
const char *acme_json_text(const cJSON *object, const char *name, size_t max);

/* The same of an item at hand: no search among many members. */
const char *acme_json_text_of(const cJSON *item, size_t max);

/* The member as a whole number in [0, 2^53], or `otherwise`. */
int64_t acme_json_number(const cJSON *object, const char *name,
    int64_t otherwise);

/* The member as an RFC 3339 time, in unix seconds; 0 when it is none. */
int64_t acme_json_time(const cJSON *object, const char *name);

/* Add such a member. False when memory ends. */
bool acme_json_add_time(cJSON *object, const char *name, int64_t at);

/* The member as a boolean; false when absent or of another type. */
bool acme_json_flag(const cJSON *object, const char *name);

/* The member when it is an array / object, else NULL. */
const cJSON *acme_json_array(const cJSON *object, const char *name);
const cJSON *acme_json_object(const cJSON *object, const char *name);

/* Append the value as text without white space; false when memory ends. */
bool acme_json_print(struct acme_buffer *out, const cJSON *value);

#endif
