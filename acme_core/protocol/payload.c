/*
 * What is inside the signed requests (RFC 8555 7.3, 7.4; RFC 8738 3;
 * RFC 9773 5).
 */

#include "protocol/payload.h"

#include <arpa/inet.h>

#include "format/base64url.h"
#include "format/json.h"

/* Print and free; a NULL or half-built object is "out of memory". */
static bool
finish(cJSON *root, bool ok, struct acme_buffer *json, struct acme_error *err)
{
    ok = ok && root != NULL && acme_json_print(json, root);
    cJSON_Delete(root);
    return ok || acme_fail_memory(err);
}

static bool
append(cJSON *list, cJSON *item)
{
    if (item != NULL && cJSON_AddItemToArray(list, item)) {
        return true;
    }
    cJSON_Delete(item);
    return false;
}

static bool
add_contacts(cJSON *root, const char *const *contacts, size_t contact_count)
{
    cJSON *list = cJSON_AddArrayToObject(root, "contact");
    bool ok = list != NULL;

    for (size_t i = 0; ok && i < contact_count; i++) {
        ok = append(list, cJSON_CreateString(contacts[i]));
    }
    return ok;
}

bool
acme_payload_new_account(const char *const *contacts, size_t contact_count,
    const char *binding, struct acme_buffer *json, struct acme_error *err)
{
    cJSON *root = cJSON_CreateObject();
    bool ok;

    ok = cJSON_AddTrueToObject(root, "termsOfServiceAgreed") != NULL
        && (contact_count == 0
            || add_contacts(root, contacts, contact_count));
    if (ok && binding != NULL) {
        ok = cJSON_AddRawToObject(root, "externalAccountBinding", binding)
            != NULL;
    }
    return finish(root, ok, json, err);
}

bool
acme_payload_find_account(struct acme_buffer *json, struct acme_error *err)
{
    cJSON *root = cJSON_CreateObject();

    return finish(root, cJSON_AddTrueToObject(root, "onlyReturnExisting")
        != NULL, json, err);
}

bool
acme_payload_contacts(const char *const *contacts, size_t contact_count,
    struct acme_buffer *json, struct acme_error *err)
{
    cJSON *root = cJSON_CreateObject();

    return finish(root, add_contacts(root, contacts, contact_count), json,
        err);
}

bool
acme_payload_key_change(const char *account_url, const char *old_jwk,
    struct acme_buffer *json, struct acme_error *err)
{
    cJSON *root = cJSON_CreateObject();

    return finish(root,
        cJSON_AddStringToObject(root, "account", account_url) != NULL
            && cJSON_AddRawToObject(root, "oldKey", old_jwk) != NULL, json,
        err);
}

bool
acme_payload_revoke(struct acme_bytes certificate_der, unsigned reason,
    struct acme_buffer *json, struct acme_error *err)
{
    struct acme_buffer text = ACME_BUFFER(64 * 1024);
    cJSON *root = cJSON_CreateObject();
    bool ok;

    ok = acme_base64url_add(&text, certificate_der)
        && cJSON_AddStringToObject(root, "certificate",
            acme_buffer_text(&text)) != NULL
        && (reason == 0
            || cJSON_AddNumberToObject(root, "reason", reason) != NULL);
    acme_buffer_free(&text);
    return finish(root, ok, json, err);
}

static bool
is_ip(const char *name)
{
    unsigned char address[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, name, address) == 1
        || inet_pton(AF_INET6, name, address) == 1;
}

static bool
add_option(cJSON *root, const char *name, const char *value)
{
    return value == NULL
        || cJSON_AddStringToObject(root, name, value) != NULL;
}

bool
acme_payload_new_order(const char *const *names, size_t name_count,
    const struct acme_order_options *options, struct acme_buffer *json,
    struct acme_error *err)
{
    cJSON *root = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(root, "identifiers");
    bool ok = list != NULL;

    for (size_t i = 0; ok && i < name_count; i++) {
        cJSON *item = cJSON_CreateObject();

        ok = append(list, item)
            && cJSON_AddStringToObject(item, "type",
                is_ip(names[i]) ? "ip" : "dns") != NULL
            && cJSON_AddStringToObject(item, "value", names[i]) != NULL;
    }
    ok = ok && add_option(root, "replaces", options->replaces)
        && add_option(root, "profile", options->profile);
    return finish(root, ok, json, err);
}

bool
acme_payload_deactivate(struct acme_buffer *json, struct acme_error *err)
{
    cJSON *root = cJSON_CreateObject();
    bool ok = cJSON_AddStringToObject(root, "status", "deactivated") != NULL;

    return finish(root, ok, json, err);
}

bool
acme_payload_finalize(struct acme_bytes csr_der, struct acme_buffer *json,
    struct acme_error *err)
{
    struct acme_buffer text = ACME_BUFFER(64 * 1024);
    cJSON *root = cJSON_CreateObject();
    bool ok;

    ok = acme_base64url_add(&text, csr_der)
        && cJSON_AddStringToObject(root, "csr", acme_buffer_text(&text))
            != NULL;
    acme_buffer_free(&text);
    return finish(root, ok, json, err);
}
