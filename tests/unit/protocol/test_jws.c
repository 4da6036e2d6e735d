/*
 * Signed requests by their form and the vectors of RFC 7515; thumbprints by
 * known keys.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#include "crypto/internal.h"
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

/* ---- the vectors of the RFCs */

/* RFC 7515 A.1 and A.3 sign the same claims. */
#define CLAIMS "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6" \
    "Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

/* Does the base64url of r and s (RFC 7518 3.4) sign the text by known_key? */
static bool
verifies(const char *text, const char *signature)
{
    BIO *bio = BIO_new_mem_buf(known_key, -1);
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    struct acme_buffer raw = ACME_BUFFER(64);
    ECDSA_SIG *numbers = ECDSA_SIG_new();
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char *der = NULL;
    bool ok;
    int len;

    assert_true(acme_base64url_decode(&raw, acme_bytes_of(signature)));
    assert_int_equal(raw.len, 64);
    assert_int_equal(ECDSA_SIG_set0(numbers, BN_bin2bn(raw.at, 32, NULL),
        BN_bin2bn(raw.at + 32, 32, NULL)), 1);
    len = i2d_ECDSA_SIG(numbers, &der);
    assert_true(len > 0);
    assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL,
        pkey), 1);
    ok = EVP_DigestVerify(ctx, der, (size_t) len,
        (const unsigned char *) text, strlen(text)) == 1;
    OPENSSL_free(der);
    EVP_MD_CTX_free(ctx);
    ECDSA_SIG_free(numbers);
    acme_buffer_free(&raw);
    EVP_PKEY_free(pkey);
    BIO_free(bio);
    return ok;
}

/*
 * ES256 gives another signature each time, so the vector of RFC 7515 A.3
 * shows that this test can tell, and then ours must pass it too.
 */
static void
signatures_verify_as_the_one_of_rfc_7515_a_3(void **state)
{
    static const char vector[] = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4Gaw"
        "xaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    struct acme_jws jws = { .url = URL, .nonce = "n", .kid = "k" };
    char text[4096];
    const char *signature;
    cJSON *body;

    (void) state;
    assert_true(verifies("eyJhbGciOiJFUzI1NiJ9." CLAIMS, vector));
    assert_false(verifies("eyJhbGciOiJFUzI1NiJ8." CLAIMS, vector));
    for (unsigned i = 0; i < 300; i++) {  /* with r and s that begin with 0 */
        jws.payload = acme_bytes_of(i % 2 ? "" : "{\"a\":1}");
        body = sign(&jws);
        snprintf(text, sizeof(text), "%s.%s",
            acme_json_text(body, "protected", 4000),
            acme_json_text(body, "payload", 4000));
        signature = acme_json_text(body, "signature", 100);
        if (!verifies(text, signature)) {
            fail_msg("%s does not verify", signature);
        }
        cJSON_Delete(body);
    }
}

/* What the external account binding is signed by. */
static void
hs256_gives_the_code_of_rfc_7515_a_1(void **state)
{
    struct acme_buffer key = ACME_BUFFER(64), text = ACME_BUFFER(64);
    uint8_t code[ACME_HMAC_BYTES_MAX];
    struct acme_error err;
    size_t len;

    (void) state;
    assert_true(acme_base64url_decode(&key, acme_bytes_of(
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75"
        "aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")));
    assert_true(acme_hmac(ACME_HS256, acme_buffer_bytes(&key), acme_bytes_of(
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." CLAIMS), code, &len,
        &err));
    assert_true(acme_base64url_add(&text,
        (struct acme_bytes) { code, len }));
    assert_string_equal(acme_buffer_text(&text),
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    acme_buffer_free(&text);
    acme_buffer_free(&key);
}

/*
 * The example of RFC 7638 3.1 is an RSA key and that of RFC 8037 A.3 an
 * Ed25519 key; account keys are P-256, of which RFC 9449 6.1 has one with its
 * thumbprint ("jkt").
 */
static void
the_thumbprint_is_that_of_rfc_9449(void **state)
{
    static const char public_key[] = "-----BEGIN PUBLIC KEY-----\n"
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEl8tFrhx+34tV3hRICRDY9zCkDlpB\n"
        "hF42UQUfWVAWBFv1UTiN/86T+jrjNtNOVy40lqMea3q/1MNWtTQJ28ZEMA==\n"
        "-----END PUBLIC KEY-----\n";
    BIO *bio = BIO_new_mem_buf(public_key, -1);
    struct acme_buffer out = ACME_BUFFER(64);
    struct acme_error err;
    struct acme_key *key = acme_key_wrap(PEM_read_bio_PUBKEY(bio, NULL, NULL,
        NULL), &err);

    (void) state;
    assert_non_null(key);
    assert_true(acme_jws_thumbprint(key, &out, &err));
    assert_string_equal(acme_buffer_text(&out),
        "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    acme_buffer_free(&out);
    acme_key_free(key);
    BIO_free(bio);
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
        cmocka_unit_test(signatures_verify_as_the_one_of_rfc_7515_a_3),
        cmocka_unit_test(hs256_gives_the_code_of_rfc_7515_a_1),
        cmocka_unit_test(the_thumbprint_is_that_of_rfc_9449),
        cmocka_unit_test(the_thumbprint_is_that_of_rfc_7638),
        cmocka_unit_test(a_key_authorization_that_does_not_fit_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
