/* Directives at one level: counted, checked, given once, and kept. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "settings/scope.h"

static const char *const good_argv[] = { "letsencrypt" };

static void
the_table_is_whole(void **state)
{
    (void) state;
    for (unsigned i = 0; i < ACME_DIRECTIVE_COUNT; i++) {
        const struct acme_directive_info *info = &acme_directive_infos[i];

        assert_memory_equal(info->name, "acme_", 5);
        assert_in_range(info->scope, ACME_SCOPE_GLOBAL, ACME_SCOPE_PER_CA);
        assert_int_equal(acme_directive_is_global(i),
            info->scope == ACME_SCOPE_GLOBAL
            || info->scope == ACME_SCOPE_MANY);
        assert_true(info->min <= info->max);
        assert_true(info->max > 0 && info->max <= 100);
        assert_true(strlen(info->arguments) > 0);
        assert_true(strlen(info->otherwise) > 0);
        assert_true(strlen(info->meaning) > 0);
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(info->name,
                acme_directive_infos[j].name);
        }
    }
}

static void
what_was_set_is_kept_as_a_copy(void **state)
{
    struct acme_scope *scope = acme_scope_new();
    const struct acme_scope_value *value;
    char name[] = "a.test", where[] = "nginx.conf:7";
    const char *argv[] = { name, "b.test" };
    struct acme_error err;

    (void) state;
    assert_false(acme_scope_has(scope, ACME_DIRECTIVE_DOMAIN));
    assert_null(acme_scope_where(scope, ACME_DIRECTIVE_DOMAIN));
    assert_true(acme_scope_set(scope, ACME_DIRECTIVE_DOMAIN, 2, argv, where,
        &err));
    memset(name, 'x', 6);
    memset(where, 'x', 12);
    assert_true(acme_scope_has(scope, ACME_DIRECTIVE_DOMAIN));
    assert_string_equal(acme_scope_where(scope, ACME_DIRECTIVE_DOMAIN),
        "nginx.conf:7");
    value = acme_scope_value(scope, NULL, ACME_DIRECTIVE_DOMAIN);
    assert_int_equal(value->argc, 2);
    assert_string_equal(value->argv[0], "a.test");
    assert_string_equal(value->argv[1], "b.test");
    acme_scope_free(scope);
}

static void
a_directive_without_arguments_is_there(void **state)
{
    struct acme_scope *scope = acme_scope_new();
    struct acme_error err;

    (void) state;
    assert_true(acme_scope_set(scope, ACME_DIRECTIVE_DOMAIN, 0, NULL, "f:1",
        &err));
    assert_true(acme_scope_has(scope, ACME_DIRECTIVE_DOMAIN));
    assert_int_equal(acme_scope_value(scope, NULL,
        ACME_DIRECTIVE_DOMAIN)->argc, 0);
    acme_scope_free(scope);
}

static void
a_second_one_is_a_duplicate_and_says_where_the_first_is(void **state)
{
    struct acme_scope *scope = acme_scope_new();
    const char *other[] = { "letsencrypt-staging" };
    struct acme_error err;

    (void) state;
    assert_true(acme_scope_set(scope, ACME_DIRECTIVE_CA, 1, good_argv,
        "nginx.conf:7", &err));
    assert_false(acme_scope_set(scope, ACME_DIRECTIVE_CA, 1, other,
        "nginx.conf:9", &err));
    assert_int_equal(err.verdict, ACME_MISCONFIG);
    assert_string_equal(err.text,
        "\"acme_ca\" is duplicate: it was given in nginx.conf:7");
    assert_string_equal(acme_scope_value(scope, NULL,
        ACME_DIRECTIVE_CA)->argv[0], "letsencrypt");
    acme_scope_free(scope);
}

static void
one_that_may_be_given_often_is_kept_in_its_order(void **state)
{
    struct acme_scope *scope = acme_scope_new();
    const char *argv[] = { "zerossl", "kid", "/file" };
    const struct acme_scope_value *value;
    struct acme_error err;

    (void) state;
    for (unsigned i = 0; i < 3; i++) {
        char kid[2] = { (char) ('a' + i), 0 };

        argv[1] = kid;
        assert_true(acme_scope_set(scope, ACME_DIRECTIVE_EAB, 3, argv, "f:1",
            &err));
    }
    value = acme_scope_value(NULL, scope, ACME_DIRECTIVE_EAB);
    for (unsigned i = 0; i < 3; i++, value = value->next) {
        assert_int_equal(value->argv[1][0], 'a' + i);
    }
    assert_null(value);
    acme_scope_free(scope);
}

static void
paths_are_known_by_their_place(void **state)
{
    (void) state;
    assert_true(acme_directive_has_path(ACME_DIRECTIVE_EAB, 2));
    assert_false(acme_directive_has_path(ACME_DIRECTIVE_EAB, 1));
    assert_true(acme_directive_has_path(ACME_DIRECTIVE_STATE_PATH, 0));
    assert_false(acme_directive_has_path(ACME_DIRECTIVE_STATE_PATH, 1));
    assert_false(acme_directive_has_path(ACME_DIRECTIVE_DOMAIN, 0));
}

static void
every_directive_counts_its_arguments(void **state)
{
    const char *argv[102];

    (void) state;
    for (unsigned i = 0; i < 102; i++) {
        argv[i] = "x";
    }
    for (unsigned i = 0; i < ACME_DIRECTIVE_COUNT; i++) {
        const struct acme_directive_info *info = &acme_directive_infos[i];
        size_t counts[] = { info->max + 1, info->min - 1 };
        struct acme_scope *scope = acme_scope_new();
        char form[200];

        snprintf(form, sizeof(form), "invalid number of arguments in "
            "\"%s\", its form is: %s %s", info->name, info->name,
            info->arguments);
        for (unsigned j = 0; j < (info->min > 0 ? 2 : 1); j++) {
            struct acme_error err;

            assert_false(acme_scope_set(scope, i, counts[j], argv, "f:1",
                &err));
            assert_int_equal(err.verdict, ACME_MISCONFIG);
            assert_memory_equal(err.text, form, strlen(form));
        }
        assert_false(acme_scope_has(scope, i));
        acme_scope_free(scope);
    }
}

static void
a_bad_value_names_the_directive_and_is_not_kept(void **state)
{
    struct acme_scope *scope = acme_scope_new();
    const char *bad[] = { "letsencrpt" };
    struct acme_error err;

    (void) state;
    assert_false(acme_scope_set(scope, ACME_DIRECTIVE_CA, 1, bad, "f:1",
        &err));
    assert_int_equal(err.verdict, ACME_MISCONFIG);
    assert_memory_equal(err.text, "acme_ca: invalid value \"letsencrpt\"",
        35);
    assert_non_null(strstr(err.text, "did you mean \"letsencrypt\"?"));
    assert_false(acme_scope_has(scope, ACME_DIRECTIVE_CA));
    assert_true(acme_scope_set(scope, ACME_DIRECTIVE_CA, 1, good_argv, "f:2",
        &err));
    acme_scope_free(scope);
}

static void
the_servers_value_goes_before_the_global_one(void **state)
{
    struct acme_scope *global = acme_scope_new(), *server = acme_scope_new();
    const char *staging[] = { "letsencrypt-staging" };
    struct acme_error err;

    (void) state;
    assert_null(acme_scope_value(server, global, ACME_DIRECTIVE_CA));
    assert_true(acme_scope_set(global, ACME_DIRECTIVE_CA, 1, good_argv,
        "f:1", &err));
    assert_string_equal(acme_scope_value(server, global,
        ACME_DIRECTIVE_CA)->argv[0], "letsencrypt");
    assert_string_equal(acme_scope_value(NULL, global,
        ACME_DIRECTIVE_CA)->argv[0], "letsencrypt");
    assert_null(acme_scope_value(server, NULL, ACME_DIRECTIVE_CA));
    assert_true(acme_scope_set(server, ACME_DIRECTIVE_CA, 1, staging, "f:2",
        &err));
    assert_string_equal(acme_scope_value(server, global,
        ACME_DIRECTIVE_CA)->argv[0], "letsencrypt-staging");
    acme_scope_free(global);
    acme_scope_free(server);
}

static void
no_scope_has_nothing(void **state)
{
    (void) state;
    assert_false(acme_scope_has(NULL, ACME_DIRECTIVE_CA));
    assert_null(acme_scope_where(NULL, ACME_DIRECTIVE_CA));
    assert_null(acme_scope_value(NULL, NULL, ACME_DIRECTIVE_CA));
    acme_scope_free(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_may_be_given_often_is_kept_in_its_order),
        cmocka_unit_test(paths_are_known_by_their_place),
        cmocka_unit_test(the_table_is_whole),
        cmocka_unit_test(what_was_set_is_kept_as_a_copy),
        cmocka_unit_test(a_directive_without_arguments_is_there),
        cmocka_unit_test(
            a_second_one_is_a_duplicate_and_says_where_the_first_is),
        cmocka_unit_test(every_directive_counts_its_arguments),
        cmocka_unit_test(a_bad_value_names_the_directive_and_is_not_kept),
        cmocka_unit_test(the_servers_value_goes_before_the_global_one),
        cmocka_unit_test(no_scope_has_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
