/*
 * Reading and keeping an order object (RFC 8555 7.1.3). What follows from
 * its status is decided in order.c.
 */

#include "protocol/order_object.h"

#include <stdlib.h>
#include <string.h>

#include "format/json.h"
#include "protocol/identifier.h"
#include "protocol/problem.h"
#include "protocol/request.h"

bool
acme_order_object_init(struct acme_order_object *object,
    const struct acme_session *session, const char *const *names,
    size_t name_count)
{
    memset(object, 0, sizeof(*object));
    object->session = session;
    object->names = calloc(name_count > 0 ? name_count : 1,
        sizeof(*object->names));
    if (object->names == NULL) {
        return false;
    }
    for (; object->name_count < name_count; object->name_count++) {
        char *name = strdup(names[object->name_count]);

        if (name == NULL) {
            return false;
        }
        object->names[object->name_count] = name;
    }
    return true;
}

static void
forget_authorizations(struct acme_order_object *object)
{
    for (size_t i = 0; i < object->authorization_count; i++) {
        free(object->authorizations[i].url);
    }
    free(object->authorizations);
    object->authorizations = NULL;
    object->authorization_count = 0;
}

void
acme_order_object_free(struct acme_order_object *object)
{
    for (size_t i = 0; i < object->name_count; i++) {
        free(object->names[i]);
    }
    forget_authorizations(object);
    free(object->names);
    free(object->finalize);
    free(object->certificate);
    memset(object, 0, sizeof(*object));
}

/* ---- the first sight */

static bool
has_identifier(const cJSON *identifiers, char *name)
{
    const cJSON *identifier;
    char value[ACME_IDENTIFIER_SIZE];

    cJSON_ArrayForEach(identifier, identifiers) {
        if (acme_identifier_read(identifier, value)
            && acme_identifier_find(value, &name, 1) != NULL) {
            return true;
        }
    }
    return false;
}

static bool
check_identifiers(const struct acme_order_object *object, const cJSON *json,
    struct acme_error *err)
{
    const cJSON *identifiers = acme_json_array(json, "identifiers");
    int count = cJSON_GetArraySize(identifiers);

    if (count > ACME_AUTHORIZATIONS_MAX) {
        return acme_fail(err, ACME_PEER_BROKE,
            "the CA's order has %d identifiers, at most %d are taken",
            count, ACME_AUTHORIZATIONS_MAX);
    }
    for (size_t i = 0; i < object->name_count; i++) {
        if (!has_identifier(identifiers, object->names[i])) {
            return acme_fail(err, ACME_REFUSED,
                "the CA's order does not have the name %s",
                object->names[i]);
        }
    }
    return true;
}

static bool
keep_authorization(struct acme_order_object *object, const cJSON *url,
    struct acme_error *err)
{
    struct acme_order_authorization *kept
        = &object->authorizations[object->authorization_count];

    if (!cJSON_IsString(url)) {
        return acme_fail(err, ACME_PEER_BROKE,
            "an authorization URL of the CA's order is no text");
    }
    if (!acme_session_allows(object->session, url->valuestring, err)) {
        return acme_while(err, "an authorization URL of the CA's order");
    }
    kept->url = strdup(url->valuestring);
    if (kept->url == NULL) {
        return acme_fail_memory(err);
    }
    object->authorization_count++;
    return true;
}

static bool
keep_authorizations(struct acme_order_object *object, const cJSON *json,
    struct acme_error *err)
{
    const cJSON *urls = acme_json_array(json, "authorizations");
    int count = cJSON_GetArraySize(urls);
    const cJSON *url;

    if (count > ACME_AUTHORIZATIONS_MAX) {
        return acme_fail(err, ACME_PEER_BROKE,
            "the CA's order has %d authorizations, at most %d are taken",
            count, ACME_AUTHORIZATIONS_MAX);
    }
    object->authorizations = calloc(count > 0 ? (size_t) count : 1,
        sizeof(*object->authorizations));
    if (object->authorizations == NULL) {
        return acme_fail_memory(err);
    }
    cJSON_ArrayForEach(url, urls) {
        if (!keep_authorization(object, url, err)) {
            return false;
        }
    }
    return true;
}

static bool
take_first_sight(struct acme_order_object *object, const cJSON *json,
    struct acme_error *err)
{
    if (object->seen) {
        return true;
    }
    if (!check_identifiers(object, json, err)) {
        return false;
    }
    if (!keep_authorizations(object, json, err)) {
        forget_authorizations(object);
        return false;
    }
    object->seen = true;
    return true;
}

/* ---- every sight */

/* Replace *copy by the member, if it is there. */
static bool
keep_url(const struct acme_order_object *object, const cJSON *json,
    const char *member, char **copy, struct acme_error *err)
{
    const char *url = acme_json_text(json, member, ACME_URL_MAX);
    char *fresh;

    if (url == NULL) {
        return true;
    }
    if (!acme_session_allows(object->session, url, err)) {
        return acme_while(err, "the %s URL of the CA's order", member);
    }
    fresh = strdup(url);
    if (fresh == NULL) {
        return acme_fail_memory(err);
    }
    free(*copy);
    *copy = fresh;
    return true;
}

/* An order past pending has all its authorizations valid (7.1.6). */
static void
note_valid_authorizations(struct acme_order_object *object)
{
    switch (object->status) {
    case ACME_ORDER_READY:
    case ACME_ORDER_PROCESSING:
    case ACME_ORDER_VALID:
        for (size_t i = 0; i < object->authorization_count; i++) {
            object->authorizations[i].valid = true;
        }
        break;
    case ACME_ORDER_PENDING:
    case ACME_ORDER_INVALID:
        break;
    }
}

static bool
take(struct acme_order_object *object, const cJSON *json,
    struct acme_error *err)
{
    const cJSON *problem = acme_json_object(json, "error");
    int64_t expires = acme_json_time(json, "expires");

    if (!acme_order_status_read(json, &object->status, err)
        || !take_first_sight(object, json, err)
        || !keep_url(object, json, "finalize", &object->finalize, err)
        || !keep_url(object, json, "certificate", &object->certificate,
            err)) {
        return false;
    }
    if (expires != 0) {
        object->expires = expires;
    }
    object->has_problem = problem != NULL;
    if (problem != NULL) {
        acme_problem_of_object(problem, &object->problem);
    }
    note_valid_authorizations(object);
    return true;
}

bool
acme_order_object_read(struct acme_order_object *object,
    struct acme_bytes body, struct acme_error *err)
{
    cJSON *json = acme_json_parse(body, err);
    bool ok;

    if (json == NULL) {
        return acme_while(err, "the CA's order");
    }
    ok = take(object, json, err);
    cJSON_Delete(json);
    return ok;
}

size_t
acme_order_object_seek(const struct acme_order_object *object, size_t from)
{
    while (from < object->authorization_count
        && object->authorizations[from].valid) {
        from++;
    }
    return from;
}
