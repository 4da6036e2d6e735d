/* The words of RFC 8555 7.1.6, and no others. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "format/json.h"
#include "protocol/status.h"

enum { NONE = 0 };

/* What each of the three objects takes a word for; NONE: refused. */
static const struct {
    const char *word;
    int order, authorization, challenge;
} rows[] = {
    { "pending", ACME_ORDER_PENDING, ACME_AUTHORIZATION_PENDING,
        ACME_CHALLENGE_PENDING },
    { "ready", ACME_ORDER_READY, NONE, NONE },
    { "processing", ACME_ORDER_PROCESSING, NONE, ACME_CHALLENGE_PROCESSING },
    { "valid", ACME_ORDER_VALID, ACME_AUTHORIZATION_VALID,
        ACME_CHALLENGE_VALID },
    { "invalid", ACME_ORDER_INVALID, ACME_AUTHORIZATION_INVALID,
        ACME_CHALLENGE_INVALID },
    { "deactivated", NONE, ACME_AUTHORIZATION_DEACTIVATED, NONE },
    { "expired", NONE, ACME_AUTHORIZATION_EXPIRED, NONE },
    { "revoked", NONE, ACME_AUTHORIZATION_REVOKED, NONE },
    { "Valid", NONE, NONE, NONE },
    { "valid ", NONE, NONE, NONE },
    { "", NONE, NONE, NONE },
    { "a word of more than thirty-two bytes", NONE, NONE, NONE },
};

static void
words_are_read_by_kind_of_object(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum acme_order_status order;
        enum acme_authorization_status authorization;
        enum acme_challenge_status challenge;
        struct acme_error err = { 0 };
        char text[100];
        cJSON *json;

        snprintf(text, sizeof(text), "{\"status\":\"%s\"}", rows[i].word);
        json = acme_json_parse(acme_bytes_of(text), &err);
        assert_non_null(json);
        if (acme_order_status_read(json, &order, &err)
                != (rows[i].order != NONE)
            || (int) order != rows[i].order) {
            fail_msg("order \"%s\": %d", rows[i].word, (int) order);
        }
        if (acme_authorization_status_read(json, &authorization, &err)
                != (rows[i].authorization != NONE)
            || (int) authorization != rows[i].authorization) {
            fail_msg("authorization \"%s\": %d", rows[i].word,
                (int) authorization);
        }
        if (acme_challenge_status_read(json, &challenge, &err)
                != (rows[i].challenge != NONE)
            || (int) challenge != rows[i].challenge) {
            fail_msg("challenge \"%s\": %d", rows[i].word, (int) challenge);
        }
        cJSON_Delete(json);
    }
}

static void
names_of_statuses_are_the_words(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].order != NONE) {
            assert_string_equal(acme_order_status_name(
                (enum acme_order_status) rows[i].order), rows[i].word);
        }
        if (rows[i].authorization != NONE) {
            assert_string_equal(acme_authorization_status_name(
                (enum acme_authorization_status) rows[i].authorization),
                rows[i].word);
        }
    }
}

static void
an_unknown_word_is_quoted_safely(void **state)
{
    enum acme_order_status status;
    struct acme_error err;
    cJSON *json = acme_json_parse(
        acme_bytes_of("{\"status\":\"\xff\\\"x\"}"), &err);

    (void) state;
    assert_false(acme_order_status_read(json, &status, &err));
    assert_int_equal(err.verdict, ACME_PEER_BROKE);
    assert_non_null(strstr(err.text, "\"\\xff\\x22x\""));
    cJSON_Delete(json);
    assert_false(acme_order_status_read(NULL, &status, &err));
    assert_non_null(strstr(err.text, "has no status"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_read_by_kind_of_object),
        cmocka_unit_test(names_of_statuses_are_the_words),
        cmocka_unit_test(an_unknown_word_is_quoted_safely),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
