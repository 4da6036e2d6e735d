/* Signed requests by their form, and thumbprints by a known key. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "format/base64url.h"
#include "format/json.h"
#include "protocol/jws.h"

/* The key of RFC 7515 A.3.1; everybody knows it. */
static const char known_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff\n"
    "H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp\n"
    "7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt\n"
    "-----END PRIVATE KEY-----\n";

#define X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define JWK "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"" X "\",\"y\":\"" Y "\"}"

/* printf '%s' "$JWK" | openssl dgst -sha256 -binary | basenc --base64url */
#define THUMBPRINT "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"

#define URL "https://ca.test/order/1?a=\"\\"

static struct acme_key *
read_known_key(void)
{
    struct acme_error err;
    struct acme_key *key = acme_key_read(acme_bytes_of(known_key), &err);

    assert_non_null(key);
    return key;
}

/* A member of the flattened JSON, decoded. */
static void
decode(const cJSON *body, const char *name, struct acme_buffer *out)
{
    const char *text = acme_json_text(body, name, 64 * 1024);

    assert_non_null(text);
    assert_true(acme_base64url_decode(out, acme_bytes_of(text)));
}

static cJSON *
sign(const struct acme_jws *jws)
{
    struct acme_buffer text = ACME_BUFFER(256 * 1024);
    struct acme_key *key = read_known_key();
    struct acme_error err;
    cJSON *body;

    assert_true(acme_jws_write(jws, key, &text, &err));
    body = acme_json_parse(acme_buffer_bytes(&text), &err);
    assert_non_null(body);
    assert_int_equal(cJSON_GetArraySize(body), 3);
    acme_buffer_free(&text);
    acme_key_free(key);
    return body;
}

static void
expect_header(const cJSON *body, const char *expected)
{
    struct acme_buffer header = ACME_BUFFER(16 * 1024);

    decode(body, "protected", &header);
    assert_string_equal(acme_buffer_text(&header), expected);
    acme_buffer_free(&header);
}

static void
a_request_of_an_account_names_it(void **state)
{
    struct acme_jws jws = { .url = URL, .nonce = "bm9uY2U-_",
        .kid = "https://ca.test/acct/1" };
    struct acme_buffer out = ACME_BUFFER(1024);
    cJSON *body;

    (void) state;
    jws.payload = acme_bytes_of("{\"a\":1}");
    body = sign(&jws);
    expect_header(body, "{\"alg\":\"ES256\",\"nonce\":\"bm9uY2U-_\","
        "\"url\":\"https://ca.test/order/1?a=\\\"\\\\\","
        "\"kid\":\"https://ca.test/acct/1\"}");
    decode(body, "payload", &out);
    assert_string_equal(acme_buffer_text(&out), "{\"a\":1}");
    acme_buffer_clear(&out);
    decode(body, "signature", &out);
    assert_int_equal(out.len, 64);
    acme_buffer_free(&out);
    cJSON_Delete(body);
}

static void
new_account_carries_the_public_key_and_no_kid(void **state)
{
    struct acme_jws jws = { .url = "https://ca.test/new", .nonce = "n" };
    cJSON *body;

    (void) state;
    jws.payload = acme_bytes_of("{}");
    body = sign(&jws);
    expect_header(body, "{\"alg\":\"ES256\",\"nonce\":\"n\","
        "\"url\":\"https://ca.test/new\",\"jwk\":" JWK "}");
    cJSON_Delete(body);
}

/* RFC 8555 7.3.5: the inner one of a key change. */
static void
a_request_inside_another_has_no_nonce(void **state)
{
    struct acme_jws jws = { .url = "https://ca.test/key-change" };
    cJSON *body;

    (void) state;
    jws.payload = acme_bytes_of("{}");
    body = sign(&jws);
    expect_header(body, "{\"alg\":\"ES256\","
        "\"url\":\"https://ca.test/key-change\",\"jwk\":" JWK "}");
    cJSON_Delete(body);
}

static void
post_as_get_has_an_empty_payload(void **state)
{
    struct acme_jws jws = { .url = URL, .nonce = "n", .kid = "k" };
    cJSON *body = sign(&jws);

    (void) state;
    assert_string_equal(acme_json_text(body, "payload", 10), "");
    cJSON_Delete(body);
}

static void
a_payload_of_any_bytes_comes_back(void **state)
{
    struct acme_jws jws = { .url = URL, .nonce = "n", .kid = "k" };
    struct acme_buffer out = ACME_BUFFER(1024);
    uint8_t bytes[256];

    (void) state;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t) i;
    }
    for (size_t len = 253; len <= sizeof(bytes); len++) {
        cJSON *body;

        jws.payload = (struct acme_bytes) { bytes, len };
        body = sign(&jws);
        acme_buffer_clear(&out);
        decode(body, "payload", &out);
        assert_true(acme_bytes_equal(acme_buffer_bytes(&out), jws.payload));
        cJSON_Delete(body);
    }
    acme_buffer_free(&out);
}

static void
a_payload_that_is_too_large_is_refused(void **state)
{
    static uint8_t bytes[64 * 1024];
    struct acme_jws jws = { .url = URL, .nonce = "n", .kid = "k",
        .payload = { bytes, sizeof(bytes) } };
    struct acme_buffer text = ACME_BUFFER(256 * 1024);
    struct acme_key *key = read_known_key();
    struct acme_error err;

    (void) state;
    assert_false(acme_jws_write(&jws, key, &text, &err));
    assert_int_equal(text.len, 0);
    acme_buffer_free(&text);
    acme_key_free(key);
}

static void
a_body_that_does_not_fit_leaves_the_buffer_as_it_was(void **state)
{
    struct acme_jws jws = { .url = URL, .nonce = "n", .kid = "k" };
    struct acme_buffer text = ACME_BUFFER(100);
    struct acme_key *key = read_known_key();
    struct acme_error err;

    (void) state;
    assert_false(acme_jws_write(&jws, key, &text, &err));
    assert_int_equal(text.len, 0);
    acme_buffer_free(&text);
    acme_key_free(key);
}

static void
signatures_of_the_same_text_differ(void **state)
{
    struct acme_jws jws = { .url = URL, .nonce = "n", .kid = "k" };
    cJSON *one = sign(&jws), *two = sign(&jws);

    (void) state;
    assert_string_equal(acme_json_text(one, "protected", 9999),
        acme_json_text(two, "protected", 9999));
    assert_string_not_equal(acme_json_text(one, "signature", 99),
        acme_json_text(two, "signature", 99));
    cJSON_Delete(one);
    cJSON_Delete(two);
}

static void
a_key_of_another_kind_signs_nothing(void **state)
{
    struct acme_jws jws = { .url = URL, .nonce = "n" };
    struct acme_buffer out = ACME_BUFFER(64 * 1024);
    struct acme_error err;
    struct acme_key *key = acme_key_new(ACME_KEY_ECDSA_384, &err);

    (void) state;
    assert_non_null(key);
    assert_false(acme_jws_write(&jws, key, &out, &err));
    jws.kid = "k";
    assert_false(acme_jws_write(&jws, key, &out, &err));
    assert_false(acme_jws_thumbprint(key, &out, &err));
    assert_int_equal(out.len, 0);
    acme_buffer_free(&out);
    acme_key_free(key);
}

static void
the_thumbprint_is_that_of_rfc_7638(void **state)
{
    struct acme_buffer out = ACME_BUFFER(1024);
    struct acme_key *key = read_known_key();
    struct acme_error err;

    (void) state;
    assert_true(acme_jws_thumbprint(key, &out, &err));
    assert_string_equal(acme_buffer_text(&out), THUMBPRINT);
    acme_buffer_clear(&out);
    assert_true(acme_key_authorization(key, "token-1", &out, &err));
    assert_string_equal(acme_buffer_text(&out), "token-1." THUMBPRINT);
    acme_buffer_free(&out);
    acme_key_free(key);
}

static void
a_key_authorization_that_does_not_fit_is_refused(void **state)
{
    struct acme_key *key = read_known_key();
    struct acme_error err;

    (void) state;
    for (size_t limit = 1; limit < strlen("token-1." THUMBPRINT); limit++) {
        struct acme_buffer out = ACME_BUFFER(limit);

        assert_false(acme_key_authorization(key, "token-1", &out, &err));
        acme_buffer_free(&out);
    }
    acme_key_free(key);
}

/* RFC 8555 7.3.4; the code was computed by another program. */
static void
an_external_account_is_bound_to_the_accounts_key(void **state)
{
    struct acme_buffer json = ACME_BUFFER(64 * 1024);
    struct acme_buffer part = ACME_BUFFER(64 * 1024);
    struct acme_key *key = read_known_key();
    struct acme_error err;
    cJSON *body;

    (void) state;
    assert_true(acme_jws_bind(key, "https://ca.test/new-account", "kid-1",
        ACME_HS256, acme_bytes_of("secret"), &json, &err));
    body = cJSON_Parse(acme_buffer_text(&json));
    assert_non_null(body);
    decode(body, "protected", &part);
    assert_string_equal(acme_buffer_text(&part), "{\"alg\":\"HS256\","
        "\"kid\":\"kid-1\",\"url\":\"https://ca.test/new-account\"}");
    acme_buffer_clear(&part);
    decode(body, "payload", &part);
    assert_string_equal(acme_buffer_text(&part), JWK);
    assert_string_equal(acme_json_text(body, "signature", 100),
        "7b4QgkWpTkq7rzsbqajzBjVHYjCJYNWMrIOnKmaWo8E");
    cJSON_Delete(body);
    acme_buffer_free(&part);
    acme_buffer_free(&json);
    acme_key_free(key);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_external_account_is_bound_to_the_accounts_key),
        cmocka_unit_test(a_request_of_an_account_names_it),
        cmocka_unit_test(new_account_carries_the_public_key_and_no_kid),
        cmocka_unit_test(a_request_inside_another_has_no_nonce),
        cmocka_unit_test(post_as_get_has_an_empty_payload),
        cmocka_unit_test(a_payload_of_any_bytes_comes_back),
        cmocka_unit_test(a_payload_that_is_too_large_is_refused),
        cmocka_unit_test(
            a_body_that_does_not_fit_leaves_the_buffer_as_it_was),
        cmocka_unit_test(signatures_of_the_same_text_differ),
        cmocka_unit_test(a_key_of_another_kind_signs_nothing),
        cmocka_unit_test(the_thumbprint_is_that_of_rfc_7638),
        cmocka_unit_test(a_key_authorization_that_does_not_fit_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
