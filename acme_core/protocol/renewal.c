/*
 * Reading what a CA says about the renewal of one certificate (RFC 9773 4.1,
 * 4.2). What becomes of it is decided elsewhere: see plan/ari.h.
 */

#include "protocol/renewal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "format/base64url.h"
#include "format/json.h"
#include "format/time_text.h"

enum { TIME_MAX = 64, PART_MAX = 128 };

/* ---- asking */

/* Two tokens with a dot between them. */
static bool
is_cert_id(struct acme_bytes text)
{
    const uint8_t *dot = text.len > 0 ? memchr(text.at, '.', text.len) : NULL;
    struct acme_bytes key_id = { text.at, 0 }, serial = { NULL, 0 };

    if (dot == NULL) {
        return false;
    }
    key_id.len = (size_t) (dot - text.at);
    serial.at = dot + 1;
    serial.len = text.len - key_id.len - 1;
    return acme_is_token(key_id, PART_MAX) && acme_is_token(serial, PART_MAX);
}

bool
acme_renewal_url(const char *renewal_info_url, struct acme_bytes cert_id,
    char *url, size_t size, struct acme_error *err)
{
    size_t len = strlen(renewal_info_url);
    int written;

    if (!is_cert_id(cert_id)) {
        return acme_fail(err, ACME_PEER_BROKE, "a malformed certID");
    }
    written = snprintf(url, size, "%s%s%.*s", renewal_info_url,
        len > 0 && renewal_info_url[len - 1] == '/' ? "" : "/",
        (int) cert_id.len, (const char *) cert_id.at);
    return (written >= 0 && (size_t) written < size)
        || acme_fail(err, ACME_PEER_BROKE,
            "the CA's renewalInfo URL is too long");
}

/* ---- the answer */

static bool
begins_with(struct acme_bytes text, const char *start)
{
    size_t len = strlen(start);

    return text.len > len && strncasecmp((const char *) text.at, start, len)
        == 0;
}

/* Visible ASCII without quotes and backslashes: safe to log as it is. */
static bool
is_url_text(struct acme_bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];

        if (c <= 0x20 || c >= 0x7f || c == '"' || c == '\\') {
            return false;
        }
    }
    return begins_with(text, "https://") || begins_with(text, "http://");
}

bool
acme_renewal_of(struct acme_bytes start, struct acme_bytes end,
    struct acme_bytes explanation, struct acme_renewal *renewal,
    struct acme_error *err)
{
    if (!acme_time_read(start, &renewal->start)
        || !acme_time_read(end, &renewal->end)) {
        return acme_fail(err, ACME_PEER_BROKE,
            "a renewal window without start and end");
    }
    if (renewal->end <= renewal->start) {
        return acme_fail(err, ACME_PEER_BROKE,
            "a renewal window that ends before it begins");
    }
    /* cut off, it would lead elsewhere: too long is as good as absent */
    renewal->explanation[0] = '\0';
    if (explanation.len <= ACME_EXPLANATION_MAX && is_url_text(explanation)) {
        memcpy(renewal->explanation, explanation.at, explanation.len);
        renewal->explanation[explanation.len] = '\0';
    }
    return true;
}

bool
acme_renewal_read(struct acme_bytes body, struct acme_renewal *renewal,
    struct acme_error *err)
{
    cJSON *object = acme_json_parse(body, err);
    const cJSON *window = acme_json_object(object, "suggestedWindow");
    bool ok;

    if (object == NULL) {
        return acme_while(err, "renewal information");
    }
    ok = acme_renewal_of(
        acme_bytes_of(acme_json_text(window, "start", TIME_MAX)),
        acme_bytes_of(acme_json_text(window, "end", TIME_MAX)),
        acme_bytes_of(acme_json_text(object, "explanationURL",
            ACME_EXPLANATION_MAX)), renewal, err);
    cJSON_Delete(object);
    return ok;
}
