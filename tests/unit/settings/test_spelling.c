/* Directives as httpd spells them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "settings/settings.h"

static const struct {
    const char *what, *text, *httpd;
} rows[] = {
    { "a word", "name it in acme_ca", "name it in AcmeCA" },
    { "the longest counts", "acme_ca_certificate: x",
        "AcmeCACertificate: x" },
    { "in quotes", "\"acme_key\" is duplicate", "\"AcmeKey\" is duplicate" },
    { "a quoted line", "needs \"acme_accept_terms on;\" at the top; really;",
        "needs \"AcmeAcceptTerms on\" at the top; really;" },
    { "another semicolon", "acme_reload is off; \"x;\"",
        "AcmeReload is off; \"x;\"" },
    { "none of ours", "acme_cat and acme_foo", "acme_cat and acme_foo" },
    { "a part of a word", "my_acme_ca", "my_acme_ca" },
    { "a path", "/etc/acme_user/key, ./acme_key, acme_key/x",
        "/etc/acme_user/key, ./acme_key, acme_key/x" },
    { "nothing", "", "" },
};

static void
texts_are_spelled_as_httpd_does(void **state)
{
    char out[128];

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        acme_spell(ACME_DIALECT_HTTPD, rows[i].text, out, sizeof(out));
        if (strcmp(out, rows[i].httpd) != 0) {
            fail_msg("%s: %s", rows[i].what, out);
        }
        acme_spell(ACME_DIALECT_NGINX, rows[i].text, out, sizeof(out));
        assert_string_equal(out, rows[i].text);
    }
}

static void
what_is_too_long_is_cut(void **state)
{
    char out[10] = "#########";

    (void) state;
    acme_spell(ACME_DIALECT_HTTPD, "in acme_ca_certificate", out, 8);
    assert_string_equal(out, "in Acme");
    assert_int_equal(out[8], '#');
    acme_spell(ACME_DIALECT_NGINX, "in acme_ca_certificate", out, 8);
    assert_string_equal(out, "in acme");
}

/* The letters are the same: only case and underscores differ. */
static void
both_spellings_are_the_same_words(void **state)
{
    (void) state;
    for (size_t i = 0; i < ACME_DIRECTIVE_COUNT; i++) {
        const char *httpd = acme_directive_infos[i].httpd_name;
        char letters[64];
        size_t len = 0;

        for (const char *at = acme_directive_infos[i].name; *at != '\0';
             at++) {
            if (*at != '_') {
                letters[len++] = *at;
            }
        }
        letters[len] = '\0';
        assert_int_equal(strcasecmp(letters, httpd), 0);
        assert_true(isupper((unsigned char) httpd[0]));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_spelled_as_httpd_does),
        cmocka_unit_test(what_is_too_long_is_cut),
        cmocka_unit_test(both_spellings_are_the_same_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
