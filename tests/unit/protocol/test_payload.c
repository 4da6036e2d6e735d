/* The JSON that is signed, byte for byte. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "protocol/payload.h"

static struct acme_buffer json = ACME_BUFFER(64 * 1024);

static int
empty(void **state)
{
    (void) state;
    acme_buffer_free(&json);
    return 0;
}

static void
new_account_agrees_to_the_terms(void **state)
{
    struct acme_error err;

    (void) state;
    assert_true(acme_payload_new_account(NULL, 0, NULL, &json, &err));
    assert_string_equal(acme_buffer_text(&json),
        "{\"termsOfServiceAgreed\":true}");
}

static void
contacts_are_in_their_order_and_escaped(void **state)
{
    static const char *const contacts[] = { "mailto:b@a.test",
        "mailto:\"a\\b\"@a.test" };
    struct acme_error err;

    (void) state;
    assert_true(acme_payload_new_account(contacts, 2, NULL, &json, &err));
    assert_string_equal(acme_buffer_text(&json),
        "{\"termsOfServiceAgreed\":true,\"contact\":[\"mailto:b@a.test\","
        "\"mailto:\\\"a\\\\b\\\"@a.test\"]}");
}

static void
a_binding_goes_in_as_it_is(void **state)
{
    static const char *const contacts[] = { "mailto:a@a.test" };
    struct acme_error err;

    (void) state;
    assert_true(acme_payload_new_account(contacts, 1, "{\"a\":1}", &json,
        &err));
    assert_string_equal(acme_buffer_text(&json),
        "{\"termsOfServiceAgreed\":true,\"contact\":[\"mailto:a@a.test\"],"
        "\"externalAccountBinding\":{\"a\":1}}");
}

static void
names_and_addresses_have_their_types(void **state)
{
    static const char *const names[] = { "a.test", "*.a.test", "192.0.2.1",
        "2001:db8::1", "192.0.2.1.test", "1.2.3" };
    const struct acme_order_options options = { 0 };
    struct acme_error err;

    (void) state;
    assert_true(acme_payload_new_order(names, 6, &options, &json, &err));
    assert_string_equal(acme_buffer_text(&json), "{\"identifiers\":["
        "{\"type\":\"dns\",\"value\":\"a.test\"},"
        "{\"type\":\"dns\",\"value\":\"*.a.test\"},"
        "{\"type\":\"ip\",\"value\":\"192.0.2.1\"},"
        "{\"type\":\"ip\",\"value\":\"2001:db8::1\"},"
        "{\"type\":\"dns\",\"value\":\"192.0.2.1.test\"},"
        "{\"type\":\"dns\",\"value\":\"1.2.3\"}]}");
}

static void
a_predecessor_is_named_when_there_is_one(void **state)
{
    static const char *const names[] = { "a.test" };
    const struct acme_order_options options = { .replaces = "aYhb.AIdl" };
    struct acme_error err;

    (void) state;
    assert_true(acme_payload_new_order(names, 1, &options, &json, &err));
    assert_string_equal(acme_buffer_text(&json), "{\"identifiers\":["
        "{\"type\":\"dns\",\"value\":\"a.test\"}],"
        "\"replaces\":\"aYhb.AIdl\"}");
}

static void
a_csr_is_base64url_without_padding(void **state)
{
    static const struct {
        struct acme_bytes der;
        const char *json;
    } rows[] = {
        { { (const uint8_t *) "\xfb\xff", 2 }, "{\"csr\":\"-_8\"}" },
        { { (const uint8_t *) "\0\0\0", 3 }, "{\"csr\":\"AAAA\"}" },
        { { NULL, 0 }, "{\"csr\":\"\"}" },
    };
    struct acme_error err;

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        acme_buffer_clear(&json);
        assert_true(acme_payload_finalize(rows[i].der, &json, &err));
        assert_string_equal(acme_buffer_text(&json), rows[i].json);
    }
}

static void
a_csr_that_is_too_large_is_refused(void **state)
{
    static const uint8_t der[64 * 1024];
    struct acme_bytes bytes = { der, sizeof(der) };
    struct acme_error err;

    (void) state;
    assert_false(acme_payload_finalize(bytes, &json, &err));
    assert_int_equal(json.len, 0);
}

static void
what_does_not_fit_is_refused(void **state)
{
    static const char *const names[] = { "a.test" };
    const struct acme_order_options options = { 0 };
    struct acme_buffer small = ACME_BUFFER(20);
    struct acme_error err;

    (void) state;
    assert_false(acme_payload_new_order(names, 1, &options, &small, &err));
    assert_false(acme_payload_new_account(names, 1, NULL, &small, &err));
    assert_int_equal(small.len, 0);
    acme_buffer_free(&small);
}

#define TEST(name) cmocka_unit_test_teardown(name, empty)

static void
a_look_up_asks_for_existing_accounts_only(void **state)
{
    struct acme_error err;

    (void) state;
    assert_true(acme_payload_find_account(&json, &err));
    assert_string_equal(acme_buffer_text(&json),
        "{\"onlyReturnExisting\":true}");
}

static void
an_update_names_all_contacts_or_an_empty_list(void **state)
{
    static const char *const contacts[] = { "mailto:a@a.test" };
    struct acme_error err;

    (void) state;
    assert_true(acme_payload_contacts(contacts, 1, &json, &err));
    assert_string_equal(acme_buffer_text(&json),
        "{\"contact\":[\"mailto:a@a.test\"]}");
    acme_buffer_clear(&json);
    assert_true(acme_payload_contacts(NULL, 0, &json, &err));
    assert_string_equal(acme_buffer_text(&json), "{\"contact\":[]}");
}

static void
a_key_change_names_account_and_old_key(void **state)
{
    struct acme_error err;

    (void) state;
    assert_true(acme_payload_key_change("https://ca.test/acct/1",
        "{\"kty\":\"EC\"}", &json, &err));
    assert_string_equal(acme_buffer_text(&json), "{\"account\":"
        "\"https://ca.test/acct/1\",\"oldKey\":{\"kty\":\"EC\"}}");
}

static void
a_revocation_holds_the_certificate_and_a_reason_if_any(void **state)
{
    static const uint8_t der[] = { 0x30, 0x03, 0xff, 0xfe, 0xfd };
    struct acme_bytes bytes = { der, sizeof(der) };
    struct acme_error err;

    (void) state;
    assert_true(acme_payload_revoke(bytes, 0, &json, &err));
    assert_string_equal(acme_buffer_text(&json),
        "{\"certificate\":\"MAP__v0\"}");
    acme_buffer_clear(&json);
    assert_true(acme_payload_revoke(bytes, 4, &json, &err));
    assert_string_equal(acme_buffer_text(&json),
        "{\"certificate\":\"MAP__v0\",\"reason\":4}");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(new_account_agrees_to_the_terms),
        TEST(contacts_are_in_their_order_and_escaped),
        TEST(a_binding_goes_in_as_it_is),
        TEST(names_and_addresses_have_their_types),
        TEST(a_predecessor_is_named_when_there_is_one),
        TEST(a_look_up_asks_for_existing_accounts_only),
        TEST(an_update_names_all_contacts_or_an_empty_list),
        TEST(a_key_change_names_account_and_old_key),
        TEST(a_revocation_holds_the_certificate_and_a_reason_if_any),
        TEST(a_csr_is_base64url_without_padding),
        TEST(a_csr_that_is_too_large_is_refused),
        TEST(what_does_not_fit_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
