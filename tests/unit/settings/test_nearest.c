/* "did you mean": near words are offered, far ones are not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "settings/nearest.h"

static const char *const words[] = { "on", "off", "graceful", "ecdsa:256",
    "ecdsa:384", "letsencrypt", "letsencrypt-staging" };

static const struct {
    const char *what, *text, *expected;
} spellings[] = {
    { "the word itself", "off", "; did you mean \"off\"?" },
    { "a letter too few", "gracful", "; did you mean \"graceful\"?" },
    { "a letter too many", "gracefull", "; did you mean \"graceful\"?" },
    { "another letter", "grateful", "; did you mean \"graceful\"?" },
    { "two letters swapped", "lestencrypt",
        "; did you mean \"letsencrypt\"?" },
    { "upper case", "On", "; did you mean \"on\"?" },
    { "a hyphen", "lets-encrypt", "; did you mean \"letsencrypt\"?" },
    { "underscores", "letsencrypt_staging",
        "; did you mean \"letsencrypt-staging\"?" },
    { "the nearer of two", "ecdsa:385", "; did you mean \"ecdsa:384\"?" },
    { "a third of the letters", "graceXYZ",
        "; did you mean \"graceful\"?" },
    { "more than a third", "graXXXXX", "" },
    { "another word", "yes", "" },
    { "nothing", "", "" },
    { "a long text",
        "onononononononononononononononononononononononononononononononon",
        "" },
};

static void
only_near_words_are_offered(void **state)
{
    (void) state;
    for (unsigned i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
        char out[64];

        assert_ptr_equal(acme_nearest(spellings[i].text, words,
            sizeof(words) / sizeof(words[0]), out, sizeof(out)), out);
        if (strcmp(out, spellings[i].expected) != 0) {
            fail_msg("%s: %s", spellings[i].what, out);
        }
    }
}

static void
without_words_there_is_no_offer(void **state)
{
    char out[64] = "before";

    (void) state;
    assert_string_equal(acme_nearest("on", NULL, 0, out, sizeof(out)), "");
}

static void
words_that_are_too_long_are_passed_over(void **state)
{
    char longest[65];
    const char *some[] = { longest, "aaaaaaaa" };
    char out[64];

    (void) state;
    memset(longest, 'a', 64);
    longest[64] = '\0';
    assert_string_equal(acme_nearest("aaaaaaab", some, 2, out, sizeof(out)),
        "; did you mean \"aaaaaaaa\"?");
    assert_string_equal(acme_nearest(longest, some, 2, out, sizeof(out)), "");
    /* 63 bytes are compared */
    longest[63] = '\0';
    assert_string_equal(acme_nearest(longest + 1, some, 2, out, 12),
        "; did you m");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_near_words_are_offered),
        cmocka_unit_test(without_words_there_is_no_offer),
        cmocka_unit_test(words_that_are_too_long_are_passed_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
