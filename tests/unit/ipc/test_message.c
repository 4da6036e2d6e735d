/* What goes in comes out; what the table does not allow does neither. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "ipc/message.h"
#include "protocol/request.h"

#define BUFFER ACME_BUFFER(ACME_MESSAGE_MAX)

/* Offsets of fields in the datagram, to break them one by one. */
enum { VERSION_AT = 8, TYPE_AT = 10, LEN_AT = 24, HEADER_LEN = 56 };

static const struct acme_message sign = {
    .type = ACME_MESSAGE_SIGN,
    .id = 7,
    .number = ACME_KIND_FINALIZE,
    .status = 404,
    .at = INT64_MIN,
    .text = {
        { (const uint8_t *) "https://ca.test/finalize/1", 26 },
        { (const uint8_t *) "nonce-1", 7 },
    },
    .fd = -1,
};

static void
write_message(const struct acme_message *message, struct acme_buffer *out)
{
    struct acme_error err;

    assert_true(acme_message_write(message, out, &err));
}

static void
a_message_survives_the_wire(void **state)
{
    struct acme_buffer wire = BUFFER;
    struct acme_message got;
    struct acme_error err;
    char text[64];

    (void) state;
    write_message(&sign, &wire);
    assert_true(acme_message_read(acme_buffer_bytes(&wire), ACME_END_KEEPER,
        &got, &err));
    assert_int_equal(got.type, sign.type);
    assert_int_equal(got.id, sign.id);
    assert_int_equal(got.number, sign.number);
    assert_int_equal(got.status, sign.status);
    assert_true(got.at == sign.at);
    assert_int_equal(got.fd, -1);
    assert_true(acme_message_text(&got, 0, text, sizeof(text)));
    assert_string_equal(text, "https://ca.test/finalize/1");
    assert_true(acme_message_text(&got, 1, text, sizeof(text)));
    assert_string_equal(text, "nonce-1");
    assert_true(acme_message_text(&got, 3, text, sizeof(text)));
    assert_string_equal(text, "");
    acme_buffer_free(&wire);
}

static void
a_text_that_does_not_fit_is_refused(void **state)
{
    char text[7];

    (void) state;
    assert_false(acme_message_text(&sign, 1, text, sizeof(text)));
    assert_false(acme_message_text(&sign, 1, text, 0));
    assert_false(acme_message_text(&sign, ACME_MESSAGE_TEXTS, text,
        sizeof(text)));
}

static const struct {
    const char *name;
    enum acme_message_type type;
    enum acme_message_end receiver;
    size_t max[ACME_MESSAGE_TEXTS];
} types[] = {
    { "CA", ACME_MESSAGE_CA, ACME_END_AGENT,
        { 2048, 2048, 1024, 1000, 256, 2048 } },
    { "ORDER", ACME_MESSAGE_ORDER, ACME_END_AGENT,
        { 40 * 1024, 2048, 64, 256 } },
    { "CANCEL", ACME_MESSAGE_CANCEL, ACME_END_AGENT, { 0 } },
    { "SIGNED", ACME_MESSAGE_SIGNED, ACME_END_AGENT, { 60 * 1024, 0, 0, 0 } },
    { "DONE", ACME_MESSAGE_DONE, ACME_END_AGENT, { 0 } },
    { "REFUSED", ACME_MESSAGE_REFUSED, ACME_END_AGENT,
        { 1024, 256, 0, 0 } },
    { "RENEWAL_INFO", ACME_MESSAGE_RENEWAL_INFO, ACME_END_AGENT,
        { 256, 0, 0, 0 } },
    { "TASK", ACME_MESSAGE_TASK, ACME_END_AGENT, { 0 } },
    { "PROBE", ACME_MESSAGE_PROBE, ACME_END_AGENT, { 256, 64 } },
    { "DIRECTORY", ACME_MESSAGE_DIRECTORY, ACME_END_KEEPER,
        { 2048, 16 * 1024, 2048, 2048, 1024, 2048, 2048 } },
    { "SAVE_ACCOUNT", ACME_MESSAGE_SAVE_ACCOUNT, ACME_END_KEEPER,
        { 2048, 0, 0, 0 } },
    { "KEY", ACME_MESSAGE_KEY, ACME_END_KEEPER, { 2048 } },
    { "BINDING", ACME_MESSAGE_BINDING, ACME_END_KEEPER, { 256, 256 } },
    { "UPDATED", ACME_MESSAGE_UPDATED, ACME_END_KEEPER, { 1024 } },
    { "SIGN", ACME_MESSAGE_SIGN, ACME_END_KEEPER, { 2048, 256, 0, 0 } },
    { "SAVE_ORDER", ACME_MESSAGE_SAVE_ORDER, ACME_END_KEEPER,
        { 2048, 0, 0, 0 } },
    { "PUBLISH", ACME_MESSAGE_PUBLISH, ACME_END_KEEPER,
        { 256, 128, 2048, 64 } },
    { "CHAIN", ACME_MESSAGE_CHAIN, ACME_END_KEEPER, { 60 * 1024, 0, 0, 0 } },
    { "TASK_DONE", ACME_MESSAGE_TASK_DONE, ACME_END_KEEPER, { 0 } },
    { "FAILED", ACME_MESSAGE_FAILED, ACME_END_KEEPER,
        { 256, 256, 1024, 256, 64 } },
    { "LOG", ACME_MESSAGE_LOG, ACME_END_KEEPER, { 1024, 0, 0, 0 } },
    { "RENEWAL_WINDOW", ACME_MESSAGE_RENEWAL_WINDOW, ACME_END_KEEPER,
        { 128, 128, 2048, 0 } },
    { "NO_RENEWAL_INFO", ACME_MESSAGE_NO_RENEWAL_INFO, ACME_END_KEEPER,
        { 0 } },
    { "RENEWAL_FAILED", ACME_MESSAGE_RENEWAL_FAILED, ACME_END_KEEPER,
        { 1024, 0, 0, 0 } },
    { "SERVED", ACME_MESSAGE_SERVED, ACME_END_KEEPER, { 64, 256, 256, 64 } },
    { "NOT_SERVED", ACME_MESSAGE_NOT_SERVED, ACME_END_KEEPER, { 1024 } },
};

enum { TYPES = sizeof(types) / sizeof(types[0]) };

static enum acme_message_end
other_end(enum acme_message_end end)
{
    return end == ACME_END_AGENT ? ACME_END_KEEPER : ACME_END_AGENT;
}

/* A message of types[row] with every text as long as it may be. */
static struct acme_message
longest(unsigned row, const char *filling)
{
    struct acme_message message = { .type = types[row].type, .fd = -1 };

    for (unsigned i = 0; i < ACME_MESSAGE_TEXTS; i++) {
        message.text[i].at = (const uint8_t *) filling;
        message.text[i].len = types[row].max[i];
    }
    return message;
}

static void
every_type_goes_one_way_at_its_longest(void **state)
{
    char *filling = malloc(ACME_MESSAGE_MAX);

    (void) state;
    memset(filling, 'x', ACME_MESSAGE_MAX);
    for (unsigned row = 0; row < TYPES; row++) {
        struct acme_message message = longest(row, filling), got;
        enum acme_message_end end = types[row].receiver;
        struct acme_buffer wire = BUFFER;
        struct acme_error err;

        assert_string_equal(acme_message_name(message.type),
            types[row].name);
        write_message(&message, &wire);
        assert_true(acme_message_read(acme_buffer_bytes(&wire), end, &got,
            &err));
        assert_false(acme_message_read(acme_buffer_bytes(&wire),
            other_end(end), &got, &err));
        assert_int_equal(err.verdict, ACME_PEER_BROKE);
        acme_buffer_free(&wire);
    }
    free(filling);
}

static void
a_text_one_byte_too_long_is_neither_written_nor_read(void **state)
{
    char *filling = malloc(ACME_MESSAGE_MAX);

    (void) state;
    memset(filling, 'x', ACME_MESSAGE_MAX);
    for (unsigned row = 0; row < TYPES * ACME_MESSAGE_TEXTS; row++) {
        unsigned type = row / ACME_MESSAGE_TEXTS;
        unsigned text = row % ACME_MESSAGE_TEXTS;
        struct acme_message message = longest(type, filling), got;
        struct acme_buffer wire = ACME_BUFFER(2 * ACME_MESSAGE_MAX);
        struct acme_error err;
        uint32_t len;

        write_message(&message, &wire);
        len = (uint32_t) message.text[text].len + 1;
        message.text[text].len = len;
        assert_false(acme_message_write(&message, &wire, &err));
        assert_int_equal(err.verdict, ACME_LOCAL);

        memcpy(wire.at + LEN_AT + 4 * text, &len, sizeof(len));
        assert_true(acme_buffer_add(&wire, "x", 1));
        assert_false(acme_message_read(acme_buffer_bytes(&wire),
            types[type].receiver, &got, &err));
        assert_int_equal(err.verdict, ACME_PEER_BROKE);
        acme_buffer_free(&wire);
    }
    free(filling);
}

static void
unknown_types_are_refused(void **state)
{
    static const uint16_t unknown[] = { 0, 20, 31, 60, 1000, 65535 };
    struct acme_buffer wire = BUFFER;
    struct acme_message got;
    struct acme_error err;

    (void) state;
    write_message(&sign, &wire);
    for (unsigned i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        struct acme_message message = { .type = unknown[i], .fd = -1 };

        memcpy(wire.at + TYPE_AT, &unknown[i], sizeof(unknown[i]));
        assert_false(acme_message_read(acme_buffer_bytes(&wire),
            ACME_END_KEEPER, &got, &err));
        assert_false(acme_message_write(&message, &wire, &err));
        assert_string_equal(acme_message_name(message.type), "?");
        assert_false(acme_message_has_fd(message.type));
    }
    acme_buffer_free(&wire);
}

static void
another_version_is_refused(void **state)
{
    struct acme_buffer wire = BUFFER;
    struct acme_message got;
    struct acme_error err;

    (void) state;
    write_message(&sign, &wire);
    wire.at[VERSION_AT]++;
    assert_false(acme_message_read(acme_buffer_bytes(&wire), ACME_END_KEEPER,
        &got, &err));
    assert_non_null(strstr(err.text, "version"));
    acme_buffer_free(&wire);
}

static void
every_other_length_is_refused(void **state)
{
    struct acme_buffer wire = BUFFER;
    struct acme_message got;
    struct acme_error err;
    size_t whole;

    (void) state;
    write_message(&sign, &wire);
    whole = wire.len;
    assert_true(acme_buffer_add(&wire, "x", 1));
    for (size_t len = 0; len <= wire.len; len++) {
        struct acme_bytes part = { wire.at, len };

        assert_int_equal(acme_message_read(part, ACME_END_KEEPER, &got, &err),
            len == whole);
    }
    acme_buffer_free(&wire);
}

static void
lengths_that_add_up_to_an_overflow_are_refused(void **state)
{
    struct acme_buffer wire = BUFFER;
    struct acme_message got;
    struct acme_error err;
    uint32_t huge = UINT32_MAX;

    (void) state;
    write_message(&sign, &wire);
    memcpy(wire.at + LEN_AT, &huge, sizeof(huge));
    assert_false(acme_message_read(acme_buffer_bytes(&wire), ACME_END_KEEPER,
        &got, &err));
    acme_buffer_free(&wire);
}

static void
a_nul_in_a_text_is_neither_written_nor_read(void **state)
{
    struct acme_message message = sign, got;
    struct acme_buffer wire = BUFFER;
    struct acme_error err;

    (void) state;
    message.text[0] = (struct acme_bytes) { (const uint8_t *) "a\0b", 3 };
    assert_false(acme_message_write(&message, &wire, &err));
    write_message(&sign, &wire);
    wire.at[HEADER_LEN + 3] = '\0';
    assert_false(acme_message_read(acme_buffer_bytes(&wire), ACME_END_KEEPER,
        &got, &err));
    acme_buffer_free(&wire);
}

static void
only_ca_brings_a_descriptor(void **state)
{
    (void) state;
    for (unsigned row = 0; row < TYPES; row++) {
        struct acme_message message = longest(row, "");
        struct acme_buffer wire = BUFFER;
        struct acme_error err;
        bool is_ca = types[row].type == ACME_MESSAGE_CA;

        memset(message.text, 0, sizeof(message.text));
        message.fd = 0;
        assert_int_equal(acme_message_has_fd(message.type), is_ca);
        assert_int_equal(acme_message_write(&message, &wire, &err), is_ca);
        acme_buffer_free(&wire);
    }
}

static void
a_full_buffer_is_left_as_it_was(void **state)
{
    struct acme_buffer wire = ACME_BUFFER(HEADER_LEN + 10);
    struct acme_error err;

    (void) state;
    assert_true(acme_buffer_add_text(&wire, "before"));
    assert_false(acme_message_write(&sign, &wire, &err));
    assert_int_equal(err.verdict, ACME_LOCAL);
    assert_string_equal(acme_buffer_text(&wire), "before");
    acme_buffer_free(&wire);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_survives_the_wire),
        cmocka_unit_test(a_text_that_does_not_fit_is_refused),
        cmocka_unit_test(every_type_goes_one_way_at_its_longest),
        cmocka_unit_test(
            a_text_one_byte_too_long_is_neither_written_nor_read),
        cmocka_unit_test(unknown_types_are_refused),
        cmocka_unit_test(another_version_is_refused),
        cmocka_unit_test(every_other_length_is_refused),
        cmocka_unit_test(lengths_that_add_up_to_an_overflow_are_refused),
        cmocka_unit_test(a_nul_in_a_text_is_neither_written_nor_read),
        cmocka_unit_test(only_ca_brings_a_descriptor),
        cmocka_unit_test(a_full_buffer_is_left_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
