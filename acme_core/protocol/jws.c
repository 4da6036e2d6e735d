/*
 * Flattened JSON JWS with ES256 (RFC 7515 7.2.2, RFC 7518 3.4, RFC 8555 6.2)
 * and what is derived from the account key (RFC 7638, RFC 8555 8.1).
 */

#include "protocol/jws.h"

#include "format/base64url.h"
#include "format/json.h"

enum { HEADER_MAX = 8 * 1024, BODY_MAX = 64 * 1024 };

static bool
add_key(cJSON *header, const struct acme_jws *jws, const struct acme_key *key,
    struct acme_error *err)
{
    struct acme_buffer jwk = ACME_BUFFER(HEADER_MAX);
    cJSON *item;
    bool ok;

    if (jws->kid != NULL) {
        return cJSON_AddStringToObject(header, "kid", jws->kid) != NULL
            || acme_fail_memory(err);
    }
    if (!acme_key_jwk(key, &jwk, err)) {
        acme_buffer_free(&jwk);
        return false;
    }
    item = cJSON_Parse(acme_buffer_text(&jwk));
    ok = item != NULL && cJSON_AddItemToObject(header, "jwk", item);
    acme_buffer_free(&jwk);
    return ok || acme_fail_memory(err);
}

/* Print as base64url, and free; a half-built object is "out of memory". */
static bool
add_object(cJSON *object, bool ok, struct acme_buffer *out,
    struct acme_error *err)
{
    struct acme_buffer json = ACME_BUFFER(HEADER_MAX);

    ok = ok && acme_json_print(&json, object)
        && acme_base64url_add(out, acme_buffer_bytes(&json));
    cJSON_Delete(object);
    acme_buffer_free(&json);
    return ok || acme_fail_memory(err);
}

/* The protected header (RFC 8555 6.2), base64url. */
static bool
add_protected(const struct acme_jws *jws, const struct acme_key *key,
    struct acme_buffer *out, struct acme_error *err)
{
    cJSON *header = cJSON_CreateObject();
    bool ok;

    ok = cJSON_AddStringToObject(header, "alg", "ES256") != NULL
        && (jws->nonce == NULL
            || cJSON_AddStringToObject(header, "nonce", jws->nonce) != NULL)
        && cJSON_AddStringToObject(header, "url", jws->url) != NULL;
    if (ok && !add_key(header, jws, key, err)) {
        cJSON_Delete(header);
        return false;
    }
    return add_object(header, ok, out, err);
}

/* The flattened form (RFC 7515 7.2.2); base64url needs no escaping in JSON. */
static bool
add_flattened(struct acme_buffer *out, const struct acme_buffer *header,
    const struct acme_buffer *payload, struct acme_bytes signature)
{
    struct acme_buffer text = ACME_BUFFER(128);
    bool ok;

    ok = acme_base64url_add(&text, signature)
        && acme_buffer_printf(out, "{\"protected\":\"%s\",\"payload\":\"%s\","
            "\"signature\":\"%s\"}", acme_buffer_text(header),
            acme_buffer_text(payload), acme_buffer_text(&text));
    acme_buffer_free(&text);
    return ok;
}

bool
acme_jws_write(const struct acme_jws *jws, const struct acme_key *key,
    struct acme_buffer *body, struct acme_error *err)
{
    struct acme_buffer header = ACME_BUFFER(2 * HEADER_MAX);
    struct acme_buffer payload = ACME_BUFFER(BODY_MAX);
    struct acme_buffer input = ACME_BUFFER(2 * BODY_MAX);
    uint8_t raw[64];
    struct acme_bytes raw_bytes = { raw, sizeof(raw) };
    bool ok = false;

    if (!add_protected(jws, key, &header, err)) {
        goto out;
    }
    if (!acme_base64url_add(&payload, jws->payload)
        || !acme_buffer_printf(&input, "%s.%s", acme_buffer_text(&header),
            acme_buffer_text(&payload))) {
        acme_fail(err, ACME_LOCAL, "a request of more than %d bytes",
            BODY_MAX);
        goto out;
    }
    if (!acme_key_sign(key, acme_buffer_bytes(&input), raw, err)) {
        goto out;
    }
    ok = add_flattened(body, &header, &payload, raw_bytes)
        || acme_fail(err, ACME_LOCAL, "a request that is too large");

out:
    acme_buffer_free(&input);
    acme_buffer_free(&payload);
    acme_buffer_free(&header);
    return ok;
}

bool
acme_jws_bind(const struct acme_key *account_key, const char *url,
    const char *kid, enum acme_hmac algorithm, struct acme_bytes mac_key,
    struct acme_buffer *json, struct acme_error *err)
{
    struct acme_buffer header = ACME_BUFFER(2 * HEADER_MAX);
    struct acme_buffer payload = ACME_BUFFER(HEADER_MAX);
    struct acme_buffer input = ACME_BUFFER(4 * HEADER_MAX);
    struct acme_buffer jwk = ACME_BUFFER(HEADER_MAX);
    cJSON *object = cJSON_CreateObject();
    uint8_t code[ACME_HMAC_BYTES_MAX];
    struct acme_bytes bytes = { code, 0 };
    bool ok;

    ok = cJSON_AddStringToObject(object, "alg", acme_hmac_name(algorithm))
            != NULL
        && cJSON_AddStringToObject(object, "kid", kid) != NULL
        && cJSON_AddStringToObject(object, "url", url) != NULL;
    ok = add_object(object, ok, &header, err)
        && acme_key_jwk(account_key, &jwk, err)
        && ((acme_base64url_add(&payload, acme_buffer_bytes(&jwk))
            && acme_buffer_printf(&input, "%s.%s", acme_buffer_text(&header),
                acme_buffer_text(&payload))) || acme_fail_memory(err))
        && acme_hmac(algorithm, mac_key, acme_buffer_bytes(&input), code,
            &bytes.len, err)
        && (add_flattened(json, &header, &payload, bytes)
            || acme_fail_memory(err));
    acme_buffer_free(&jwk);
    acme_buffer_free(&input);
    acme_buffer_free(&payload);
    acme_buffer_free(&header);
    return ok;
}

bool
acme_jws_thumbprint(const struct acme_key *key, struct acme_buffer *out,
    struct acme_error *err)
{
    struct acme_buffer jwk = ACME_BUFFER(HEADER_MAX);
    uint8_t digest[32];
    struct acme_bytes bytes = { digest, sizeof(digest) };
    bool ok;

    ok = acme_key_jwk(key, &jwk, err)
        && acme_sha256(acme_buffer_bytes(&jwk), digest, err)
        && (acme_base64url_add(out, bytes) || acme_fail_memory(err));
    acme_buffer_free(&jwk);
    return ok;
}

bool
acme_key_authorization(const struct acme_key *key, const char *token,
    struct acme_buffer *out, struct acme_error *err)
{
    if (!acme_buffer_add_text(out, token) || !acme_buffer_add_text(out, ".")) {
        return acme_fail_memory(err);
    }
    return acme_jws_thumbprint(key, out, err);
}
