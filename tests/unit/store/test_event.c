/* Files of events that wait to be told. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "scratch.h"
#include "store/store.h"

static struct acme_store *
open_store(const struct scratch *scratch)
{
    struct acme_error err;
    struct acme_store *store = acme_store_open(scratch->path, &err);

    assert_non_null(store);
    return store;
}

static void
write_event(struct acme_store *store, unsigned number, const char *json)
{
    struct acme_error err;

    assert_true(acme_store_event_write(store, number, acme_bytes_of(json),
        &err));
}

static void
the_folder_comes_with_the_first_event(void **state)
{
    struct scratch *scratch = *state;
    struct acme_store *store = open_store(scratch);
    struct acme_buffer json = ACME_BUFFER(100);
    struct acme_error err;
    unsigned *numbers;
    size_t count;

    assert_false(is_there(scratch, "events"));
    assert_true(acme_store_event_numbers(store, &numbers, &count, &err));
    assert_int_equal(count, 0);
    free(numbers);
    assert_true(acme_store_event_remove(store, 1, &err));
    assert_true(acme_store_events_remove(store, &err));
    assert_false(acme_store_event_read(store, 1, &json, &err));
    assert_int_equal(err.sys, ENOENT);
    assert_false(is_there(scratch, "events"));

    write_event(store, 1, "{}");
    assert_int_equal(mode_of(scratch, "events"), S_IFDIR | 0700);
    assert_int_equal(mode_of(scratch, "events/1.json"), S_IFREG | 0600);
    assert_true(acme_store_event_read(store, 1, &json, &err));
    assert_string_equal(acme_buffer_text(&json), "{}");
    acme_buffer_free(&json);
    acme_store_close(store);
}

static void
events_come_in_the_order_of_their_numbers(void **state)
{
    struct scratch *scratch = *state;
    struct acme_store *store = open_store(scratch);
    struct acme_error err;
    unsigned *numbers;
    size_t count;

    write_event(store, 10, "a");
    write_event(store, 9, "b");
    write_event(store, 999999999, "c");
    scribble(scratch, "events/1000000000.json", "not ours");
    scribble(scratch, "events/0.json", "not ours");
    scribble(scratch, "events/7", "not ours");
    scribble(scratch, "events/x.json", "not ours");
    assert_true(acme_store_event_numbers(store, &numbers, &count, &err));
    assert_int_equal(count, 3);
    assert_int_equal(numbers[0], 9);
    assert_int_equal(numbers[1], 10);
    assert_int_equal(numbers[2], 999999999);
    free(numbers);

    assert_true(acme_store_event_remove(store, 10, &err));
    assert_false(is_there(scratch, "events/10.json"));
    assert_true(acme_store_events_remove(store, &err));
    assert_false(is_there(scratch, "events"));
    acme_store_close(store);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, scratch_make, scratch_remove)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_folder_comes_with_the_first_event),
        TEST(events_come_in_the_order_of_their_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
