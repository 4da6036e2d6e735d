/* Keys: their types, their PEM, their JWK and ES256 of RFC 7515 and 7518. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/internal.h"
#include "crypto/key.h"
#include "format/base64url.h"

enum { PEM_MAX = 8192 };

static struct acme_key *
new_key(enum acme_key_type type)
{
    struct acme_error err;
    struct acme_key *key = acme_key_new(type, &err);

    assert_non_null(key);
    return key;
}

/* The P-256 key whose private number is `number`. */
static struct acme_key *
key_of_number(const BIGNUM *number)
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    EC_POINT *point = EC_POINT_new(group);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *pkey = NULL;
    struct acme_error err;
    OSSL_PARAM *params;
    uint8_t raw[65];

    assert_int_equal(EC_POINT_mul(group, point, number, NULL, NULL, NULL), 1);
    assert_int_equal(EC_POINT_point2oct(group, point,
        POINT_CONVERSION_UNCOMPRESSED, raw, sizeof(raw), NULL), sizeof(raw));
    OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME,
        "prime256v1", 0);
    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, raw,
        sizeof(raw));
    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, number);
    params = OSSL_PARAM_BLD_to_param(build);
    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params),
        1);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(ctx);
    EC_POINT_free(point);
    EC_GROUP_free(group);
    return acme_key_wrap(pkey, &err);
}

static struct acme_key *
key_of_text(const char *d)
{
    struct acme_buffer raw = ACME_BUFFER(32);
    struct acme_key *key;
    BIGNUM *number;

    assert_true(acme_base64url_decode(&raw, acme_bytes_of(d)));
    number = BN_bin2bn(raw.at, (int) raw.len, NULL);
    key = key_of_number(number);
    BN_free(number);
    acme_buffer_free(&raw);
    return key;
}

/* Is r || s an ES256 signature of the data, as OpenSSL sees it? */
static bool
verifies(const struct acme_key *key, struct acme_bytes data,
    const uint8_t signature[64])
{
    ECDSA_SIG *parts = ECDSA_SIG_new();
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char *der = NULL;
    int len;
    bool ok;

    ECDSA_SIG_set0(parts, BN_bin2bn(signature, 32, NULL),
        BN_bin2bn(signature + 32, 32, NULL));
    len = i2d_ECDSA_SIG(parts, &der);
    assert_true(len > 0);
    assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL,
        key->pkey), 1);
    ok = EVP_DigestVerify(ctx, der, (size_t) len, data.at, data.len) == 1;
    ERR_clear_error();
    OPENSSL_free(der);
    EVP_MD_CTX_free(ctx);
    ECDSA_SIG_free(parts);
    return ok;
}

/* ---- types */

static const struct {
    const char *name;
    enum acme_key_type type;
} types[] = {
    { "ecdsa:256", ACME_KEY_ECDSA_256 },
    { "ecdsa:384", ACME_KEY_ECDSA_384 },
    { "rsa:2048", ACME_KEY_RSA_2048 },
    { "rsa:3072", ACME_KEY_RSA_3072 },
    { "rsa:4096", ACME_KEY_RSA_4096 },
};

static void
every_type_has_its_name(void **state)
{
    static const char *const unknown[] = { "", "ecdsa", "ecdsa:", "ecdsa:521",
        "ECDSA:256", "rsa:1024", "rsa:2048 ", "rsa:20480", "ed25519" };

    (void) state;
    for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        assert_int_equal(acme_key_type_of(types[i].name), types[i].type);
        assert_string_equal(acme_key_type_name(types[i].type),
            types[i].name);
    }
    for (unsigned i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        assert_int_equal(acme_key_type_of(unknown[i]), ACME_KEY_NONE);
    }
    assert_null(acme_key_type_name(ACME_KEY_NONE));
    assert_null(acme_key_type_name((enum acme_key_type) 99));
}

static void
a_key_is_of_the_type_asked_for_and_survives_its_pem(void **state)
{
    (void) state;
    /* RSA-3072 and RSA-4096 take too long to be made here */
    for (unsigned i = 0; i < 3; i++) {
        struct acme_key *key = new_key(types[i].type), *read;
        struct acme_buffer pem = ACME_BUFFER(PEM_MAX);
        struct acme_error err;

        assert_int_equal(acme_key_type_of_key(key), types[i].type);
        assert_true(acme_key_write(key, &pem, &err));
        assert_memory_equal(pem.at, "-----BEGIN PRIVATE KEY-----\n", 28);
        read = acme_key_read(acme_buffer_bytes(&pem), &err);
        assert_non_null(read);
        assert_int_equal(acme_key_type_of_key(read), types[i].type);
        assert_int_equal(EVP_PKEY_eq(read->pkey, key->pkey), 1);
        acme_key_free(read);
        acme_key_free(key);
        acme_buffer_wipe(&pem);
    }
}

static void
no_type_makes_no_key(void **state)
{
    struct acme_error err;

    (void) state;
    assert_null(acme_key_new(ACME_KEY_NONE, &err));
    assert_int_equal(err.verdict, ACME_LOCAL);
    assert_null(acme_key_new((enum acme_key_type) 99, &err));
    acme_key_free(NULL);
}

static void
keys_of_other_kinds_have_no_type(void **state)
{
    EVP_PKEY *others[] = {
        EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp256k1"),
        EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-521"),
        EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"),
        EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t) 1024),
    };

    (void) state;
    for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct acme_error err;
        struct acme_key *key = acme_key_wrap(others[i], &err);
        struct acme_buffer jwk = ACME_BUFFER(500);
        uint8_t signature[64];

        assert_non_null(others[i]);
        assert_int_equal(acme_key_type_of_key(key), ACME_KEY_NONE);
        assert_false(acme_key_jwk(key, &jwk, &err));
        assert_false(acme_key_sign(key, acme_bytes_of("x"), signature, &err));
        assert_int_equal(jwk.len, 0);
        acme_key_free(key);
    }
}

/* ---- PEM */

/* The key as PEM of another form; a cipher encrypts it. */
static void
write_other(const struct acme_key *key, bool traditional,
    const EVP_CIPHER *cipher, struct acme_buffer *pem)
{
    BIO *bio = BIO_new(BIO_s_mem());
    unsigned char phrase[] = "secret";
    char *data;
    long len;

    if (traditional) {
        assert_int_equal(PEM_write_bio_PrivateKey_traditional(bio, key->pkey,
            cipher, phrase, 6, NULL, NULL), 1);
    } else {
        assert_int_equal(PEM_write_bio_PrivateKey(bio, key->pkey, cipher,
            phrase, 6, NULL, NULL), 1);
    }
    len = BIO_get_mem_data(bio, &data);
    assert_true(acme_buffer_add(pem, data, (size_t) len));
    BIO_free(bio);
}

static void
the_traditional_form_is_read(void **state)
{
    struct acme_key *key = new_key(ACME_KEY_ECDSA_256), *read;
    struct acme_buffer pem = ACME_BUFFER(PEM_MAX);
    struct acme_error err;

    (void) state;
    assert_true(acme_buffer_add_text(&pem, "a comment\n"));
    write_other(key, true, NULL, &pem);
    assert_non_null(strstr(acme_buffer_text(&pem), "BEGIN EC PRIVATE KEY"));
    read = acme_key_read(acme_buffer_bytes(&pem), &err);
    assert_non_null(read);
    assert_int_equal(EVP_PKEY_eq(read->pkey, key->pkey), 1);
    acme_key_free(read);
    acme_key_free(key);
    acme_buffer_wipe(&pem);
}

static void
an_encrypted_key_is_refused_and_nobody_is_asked(void **state)
{
    struct acme_key *key = new_key(ACME_KEY_ECDSA_256);

    (void) state;
    for (int traditional = 0; traditional < 2; traditional++) {
        struct acme_buffer pem = ACME_BUFFER(PEM_MAX);
        struct acme_error err;

        write_other(key, traditional, EVP_aes_128_cbc(), &pem);
        assert_null(acme_key_read(acme_buffer_bytes(&pem), &err));
        assert_int_equal(err.verdict, ACME_LOCAL);
        assert_int_equal(ERR_peek_error(), 0);
        acme_buffer_wipe(&pem);
    }
    acme_key_free(key);
}

static const struct {
    const char *what, *pem;
} no_keys[] = {
    { "nothing", "" },
    { "text", "hello" },
    { "a beginning", "-----BEGIN PRIVATE KEY-----\n" },
    { "an empty key", "-----BEGIN PRIVATE KEY-----\n"
        "-----END PRIVATE KEY-----\n" },
    { "no base64", "-----BEGIN PRIVATE KEY-----\n!!!!\n"
        "-----END PRIVATE KEY-----\n" },
    { "no DER", "-----BEGIN PRIVATE KEY-----\nZm9v\n"
        "-----END PRIVATE KEY-----\n" },
    { "another end", "-----BEGIN PRIVATE KEY-----\nZm9v\n"
        "-----END CERTIFICATE-----\n" },
    { "a public key", "-----BEGIN PUBLIC KEY-----\n"
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n"
        "6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
        "-----END PUBLIC KEY-----\n" },
};

static void
what_is_no_key_is_refused_without_being_quoted(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(no_keys) / sizeof(no_keys[0]); i++) {
        struct acme_error err;

        if (acme_key_read(acme_bytes_of(no_keys[i].pem), &err) != NULL) {
            fail_msg("%s was taken", no_keys[i].what);
        }
        assert_int_equal(err.verdict, ACME_LOCAL);
        assert_non_null(strstr(err.text, "not a private key in PEM"));
        assert_null(strstr(err.text, "Zm9v"));
        assert_int_equal(ERR_peek_error(), 0);
    }
}

static void
a_key_cut_short_is_refused(void **state)
{
    struct acme_key *key = new_key(ACME_KEY_ECDSA_256);
    struct acme_buffer pem = ACME_BUFFER(PEM_MAX);
    struct acme_error err;

    (void) state;
    assert_true(acme_key_write(key, &pem, &err));
    /* the last new line and hyphens are no part of the key */
    for (size_t len = 0; len < pem.len - 6; len++) {
        uint8_t *part = malloc(len > 0 ? len : 1);

        memcpy(part, pem.at, len);
        assert_null(acme_key_read((struct acme_bytes) { part, len }, &err));
        free(part);
    }
    acme_key_free(key);
    acme_buffer_wipe(&pem);
}

static void
a_full_buffer_takes_no_key(void **state)
{
    struct acme_key *key = new_key(ACME_KEY_ECDSA_256);
    struct acme_buffer pem = ACME_BUFFER(100);
    struct acme_error err;

    (void) state;
    assert_false(acme_key_write(key, &pem, &err));
    assert_int_equal(pem.len, 0);
    assert_int_equal(err.verdict, ACME_LOCAL);
    acme_key_free(key);
}

/* ---- JWK and ES256 */

#define A3_D "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
#define A3_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define A3_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define A3_INPUT "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4" \
    "MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define A3_SIGNATURE "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5d" \
    "jxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"

static void
the_jwk_of_rfc_7515_a_3_has_its_required_members_in_order(void **state)
{
    struct acme_key *key = key_of_text(A3_D);
    struct acme_buffer jwk = ACME_BUFFER(500);
    struct acme_error err;

    (void) state;
    assert_true(acme_key_jwk(key, &jwk, &err));
    assert_string_equal(acme_buffer_text(&jwk), "{\"crv\":\"P-256\","
        "\"kty\":\"EC\",\"x\":\"" A3_X "\",\"y\":\"" A3_Y "\"}");
    acme_buffer_free(&jwk);
    acme_key_free(key);
}

static void
the_signature_of_rfc_7515_a_3_and_ours_verify_alike(void **state)
{
    struct acme_key *key = key_of_text(A3_D);
    struct acme_buffer raw = ACME_BUFFER(64);
    struct acme_bytes input = acme_bytes_of(A3_INPUT);
    struct acme_error err;
    uint8_t signature[64];

    (void) state;
    assert_true(acme_base64url_decode(&raw, acme_bytes_of(A3_SIGNATURE)));
    assert_int_equal(raw.len, 64);
    assert_true(verifies(key, input, raw.at));
    assert_true(acme_key_sign(key, input, signature, &err));
    assert_true(verifies(key, input, signature));
    assert_false(verifies(key, acme_bytes_of("other"), signature));
    acme_buffer_free(&raw);
    acme_key_free(key);
}

/* One of 128 signatures has a short number; four hundred have some. */
static void
short_numbers_are_filled_up_in_signatures(void **state)
{
    struct acme_key *key = new_key(ACME_KEY_ECDSA_256);
    struct acme_bytes data = acme_bytes_of("to be signed");
    struct acme_error err;

    (void) state;
    for (int i = 0; i < 400; i++) {
        uint8_t signature[64];

        assert_true(acme_key_sign(key, data, signature, &err));
        assert_true(verifies(key, data, signature));
    }
    acme_key_free(key);
}

/* Of the keys 1, 2, 3, ... the first whose x begins with a zero byte. */
static void
short_numbers_are_filled_up_in_the_jwk(void **state)
{
    BIGNUM *number = BN_new();
    bool found = false;

    (void) state;
    for (unsigned long i = 1; i < 2000 && !found; i++) {
        struct acme_buffer jwk = ACME_BUFFER(500);
        struct acme_error err;
        struct acme_key *key;

        BN_set_word(number, i);
        key = key_of_number(number);
        assert_true(acme_key_jwk(key, &jwk, &err));
        assert_int_equal(jwk.len, 126);
        found = strstr(acme_buffer_text(&jwk), "\"x\":\"AA") != NULL
            || strstr(acme_buffer_text(&jwk), "\"x\":\"AB") != NULL
            || strstr(acme_buffer_text(&jwk), "\"x\":\"AC") != NULL
            || strstr(acme_buffer_text(&jwk), "\"x\":\"AD") != NULL;
        acme_buffer_free(&jwk);
        acme_key_free(key);
    }
    assert_true(found);
    BN_free(number);
}

static void
only_p_256_is_an_account_key(void **state)
{
    static const enum acme_key_type others[] = { ACME_KEY_ECDSA_384,
        ACME_KEY_RSA_2048 };

    (void) state;
    for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct acme_key *key = new_key(others[i]);
        struct acme_buffer jwk = ACME_BUFFER(500);
        struct acme_error err;
        uint8_t signature[64];

        assert_false(acme_key_jwk(key, &jwk, &err));
        assert_non_null(strstr(err.text, "P-256"));
        assert_false(acme_key_sign(key, acme_bytes_of("x"), signature, &err));
        assert_non_null(strstr(err.text, "P-256"));
        acme_key_free(key);
    }
}

static void
a_full_buffer_fails_the_jwk(void **state)
{
    struct acme_key *key = new_key(ACME_KEY_ECDSA_256);

    (void) state;
    for (size_t limit = 0; limit < 126; limit += 25) {
        struct acme_buffer jwk = ACME_BUFFER(limit);
        struct acme_error err;

        assert_false(acme_key_jwk(key, &jwk, &err));
        acme_buffer_free(&jwk);
    }
    acme_key_free(key);
}

static void
sha_256_of_fips_180(void **state)
{
    static const uint8_t empty[4] = { 0xe3, 0xb0, 0xc4, 0x42 };
    static const uint8_t abc[4] = { 0xba, 0x78, 0x16, 0xbf };
    struct acme_error err;
    uint8_t digest[32];

    (void) state;
    assert_true(acme_sha256(acme_bytes_of("abc"), digest, &err));
    assert_memory_equal(digest, abc, 4);
    assert_int_equal(digest[31], 0xad);
    assert_true(acme_sha256(acme_bytes_of(NULL), digest, &err));
    assert_memory_equal(digest, empty, 4);
    assert_int_equal(digest[31], 0x55);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_has_its_name),
        cmocka_unit_test(a_key_is_of_the_type_asked_for_and_survives_its_pem),
        cmocka_unit_test(no_type_makes_no_key),
        cmocka_unit_test(keys_of_other_kinds_have_no_type),
        cmocka_unit_test(the_traditional_form_is_read),
        cmocka_unit_test(an_encrypted_key_is_refused_and_nobody_is_asked),
        cmocka_unit_test(what_is_no_key_is_refused_without_being_quoted),
        cmocka_unit_test(a_key_cut_short_is_refused),
        cmocka_unit_test(a_full_buffer_takes_no_key),
        cmocka_unit_test(
            the_jwk_of_rfc_7515_a_3_has_its_required_members_in_order),
        cmocka_unit_test(the_signature_of_rfc_7515_a_3_and_ours_verify_alike),
        cmocka_unit_test(short_numbers_are_filled_up_in_signatures),
        cmocka_unit_test(short_numbers_are_filled_up_in_the_jwk),
        cmocka_unit_test(only_p_256_is_an_account_key),
        cmocka_unit_test(a_full_buffer_fails_the_jwk),
        cmocka_unit_test(sha_256_of_fips_180),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
