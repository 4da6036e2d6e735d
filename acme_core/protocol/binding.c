/*
 * A binding for a mail address: {"success":true,"eab_kid":..,
 * "eab_hmac_key":..}, or {"success":false,"error":{"code":..,"type":..}}.
 */

#include "protocol/binding.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "format/base64url.h"
#include "format/json.h"
#include "protocol/problem.h"

enum { WORDS_MAX = 200 };

bool
acme_binding_is_good(const char *kid, const char *key)
{
    struct acme_buffer raw = ACME_BUFFER(ACME_BINDING_TEXT_MAX);
    size_t len = strlen(kid);
    bool ok = len > 0 && len <= ACME_BINDING_TEXT_MAX
        && strlen(key) <= ACME_BINDING_TEXT_MAX;

    for (size_t i = 0; ok && i < len; i++) {
        ok = kid[i] > ' ' && kid[i] < 0x7f && strchr("\"\\", kid[i]) == NULL;
    }
    ok = ok && acme_base64_decode(&raw, acme_bytes_of(key)) && raw.len > 0;
    acme_buffer_wipe(&raw);
    return ok;
}

bool
acme_binding_form(const char *mail, struct acme_buffer *form,
    struct acme_error *err)
{
    bool ok = acme_buffer_add_text(form, "email=");

    for (const char *at = mail; ok && *at != '\0'; at++) {
        unsigned char byte = (unsigned char) *at;

        ok = isalnum(byte) || strchr("-._~", byte) != NULL
            ? acme_buffer_add(form, at, 1)
            : acme_buffer_printf(form, "%%%02X", byte);
    }
    return ok || acme_fail_memory(err);
}

/* In the CA's words, where there are some. */
static bool
fail_in_words(const cJSON *root, const struct acme_reply *reply,
    struct acme_error *err)
{
    const cJSON *error = acme_json_object(root, "error");
    const char *type = acme_json_text(error, "type", WORDS_MAX);
    char words[2 * WORDS_MAX];
    int64_t code = acme_json_number(error, "code", 0);

    if (type == NULL) {
        if (acme_reply_is_success(reply)) {
            acme_fail(err, ACME_PEER_BROKE, "an answer that cannot be "
                "understood");
        } else {
            acme_problem_of_reply(reply, err);
        }
        return acme_while(err, "asking the CA for an account binding");
    }
    acme_fail(err, reply->status >= 500 || reply->status == 429 ? ACME_RETRY
        : ACME_MISCONFIG, "the CA gives no account binding for the mail "
        "address in acme_contact: %s (code %lld)",
        acme_log_sentence(words, sizeof(words), acme_bytes_of(type)),
        (long long) code);
    err->http_status = reply->status;
    err->retry_at = reply->headers.retry_at;
    return false;
}

bool
acme_binding_read(const struct acme_reply *reply,
    struct acme_binding *binding, struct acme_error *err)
{
    struct acme_error ignored;
    cJSON *root = NULL;
    const char *kid, *key;
    bool ok = false;

    if (reply->status != 0) {
        root = acme_json_parse(reply->body, &ignored);
    }
    kid = acme_json_text(root, "eab_kid", ACME_BINDING_TEXT_MAX);
    key = acme_json_text(root, "eab_hmac_key", ACME_BINDING_TEXT_MAX);
    if (!acme_reply_is_success(reply) || !acme_json_flag(root, "success")) {
        fail_in_words(root, reply, err);
    } else if (kid == NULL || key == NULL || !acme_binding_is_good(kid, key)) {
        acme_fail(err, ACME_PEER_BROKE, "the account binding that the CA "
            "gave out is malformed");
    } else {
        snprintf(binding->kid, sizeof(binding->kid), "%s", kid);
        snprintf(binding->key, sizeof(binding->key), "%s", key);
        ok = true;
    }
    cJSON_Delete(root);
    return ok;
}
