/* From directives to the model, and what -t finds in the whole. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "settings/settings.h"

#define D(id) ACME_DIRECTIVE_##id
#define DEFAULT_HELPER "/bin/sh"

enum { NAMES_MAX = 4 };

/* ---- a configuration, line by line */

static struct acme_scope *
scope_of(enum acme_directive directive, const char *first, const char *second)
{
    struct acme_scope *scope = acme_scope_new();
    const char *argv[] = { first, second };
    struct acme_error err;

    assert_true(acme_scope_set(scope, directive, second != NULL ? 2
        : first != NULL ? 1 : 0, argv, "f:1", &err));
    return scope;
}

static void
set(struct acme_scope *scope, enum acme_directive directive,
    const char *first, const char *second)
{
    const char *argv[] = { first, second };
    struct acme_error err;

    if (!acme_scope_set(scope, directive, second != NULL ? 2 : 1, argv,
            "f:2", &err)) {
        fail_msg("%s", err.text);
    }
}

static struct acme_settings *
settings_of(const struct acme_scope *global)
{
    struct acme_error err;
    struct acme_settings *settings = acme_settings_new(global,
        DEFAULT_HELPER, "www-data", &err);

    assert_non_null(settings);
    return settings;
}

struct warnings {
    int count;
    char text[2000];
};

static void
warn(void *ctx, const char *text)
{
    struct warnings *warnings = ctx;
    size_t len = strlen(warnings->text);

    warnings->count++;
    snprintf(warnings->text + len, sizeof(warnings->text) - len, "%s\n",
        text);
}

static size_t
count(const char *const names[NAMES_MAX])
{
    size_t n = 0;

    while (n < NAMES_MAX && names[n] != NULL) {
        n++;
    }
    return n;
}

/* The certificate of a server that has these scopes and server names. */
static bool
add(struct acme_settings *settings, const struct acme_scope *global,
    struct acme_scope *server, const char *const names[NAMES_MAX],
    struct warnings *warnings, size_t *cert, struct acme_error *err)
{
    bool ok = acme_settings_add_server(settings, global, server, names,
        count(names), warn, warnings, cert, err);

    acme_scope_free(server);
    return ok;
}

static const char *const no_names[NAMES_MAX];

/* Add a server with a bare acme_domain; its certificate. */
static const struct acme_settings_cert *
add_bare(struct acme_settings *settings, const char *first,
    const char *second)
{
    const char *const names[NAMES_MAX] = { first, second };
    struct warnings warnings = { 0 };
    struct acme_error err;
    size_t cert;

    assert_true(add(settings, NULL, scope_of(D(DOMAIN), NULL, NULL), names,
        &warnings, &cert, &err));
    assert_int_equal(warnings.count, 0);
    return &settings->certs[cert];
}

/* ---- defaults and global values */

static void
without_directives_the_defaults_hold(void **state)
{
    struct acme_scope *empty = acme_scope_new();
    struct acme_settings *settings = settings_of(empty);

    (void) state;
    assert_false(settings->accept_terms);
    assert_int_equal(settings->contact_count, 0);
    assert_string_equal(settings->state_path, "/var/lib/acme");
    assert_true(strcmp(settings->user, "_acme") == 0
        || strcmp(settings->user, "nobody") == 0);
    assert_string_equal(settings->helper, DEFAULT_HELPER);
    assert_int_equal(settings->port_http, 80);
    assert_int_equal(settings->port_https, 443);
    assert_true(acme_settings_listens(settings, ACME_HTTP_01));
    assert_true(acme_settings_listens(settings, ACME_TLS_ALPN_01));
    assert_true(settings->reload);
    assert_int_equal(settings->reload_delay_s, 10);
    assert_int_equal(settings->ca_count, 0);
    assert_int_equal(settings->cert_count, 0);
    acme_settings_free(settings);
    acme_scope_free(empty);
    acme_settings_free(settings_of(NULL));
    acme_settings_free(NULL);
}

static void
what_is_written_goes_before_the_defaults(void **state)
{
    struct acme_scope *global = scope_of(D(ACCEPT_TERMS), "on", NULL);
    struct acme_settings *settings;

    (void) state;
    set(global, D(CONTACT), "a@example.com", "mailto:b@example.com");
    set(global, D(STATE_PATH), "/tmp/state", NULL);
    set(global, D(USER), "daemon", NULL);
    set(global, D(HELPER), "/opt/helper", NULL);
    set(global, D(PORT_MAP), "443:8443", "80:5002");
    set(global, D(RELOAD), "graceful", "delay=2m");
    settings = settings_of(global);
    assert_true(settings->accept_terms);
    assert_int_equal(settings->contact_count, 2);
    assert_string_equal(settings->contacts[0], "mailto:a@example.com");
    assert_string_equal(settings->contacts[1], "mailto:b@example.com");
    assert_string_equal(settings->state_path, "/tmp/state");
    assert_string_equal(settings->user, "daemon");
    assert_string_equal(settings->helper, "/opt/helper");
    assert_int_equal(settings->port_http, 5002);
    assert_int_equal(settings->port_https, 8443);
    assert_true(settings->reload);
    assert_int_equal(settings->reload_delay_s, 120);
    acme_settings_free(settings);
    acme_scope_free(global);
}

static void
a_program_runs_as_acme_user_or_as_its_own(void **state)
{
    struct acme_scope *global = scope_of(D(USER), "daemon", NULL);
    struct acme_settings *settings = settings_of(global);

    (void) state;
    assert_null(settings->event);
    assert_null(settings->event_user);
    acme_settings_free(settings);
    set(global, D(EVENT), "/opt/told", NULL);
    settings = settings_of(global);
    assert_string_equal(settings->event, "/opt/told");
    assert_string_equal(settings->event_user, "daemon");
    acme_settings_free(settings);
    acme_scope_free(global);
    global = scope_of(D(EVENT), "/opt/told", "user=root");
    settings = settings_of(global);
    assert_string_equal(settings->event_user, "root");
    acme_settings_free(settings);
    acme_scope_free(global);
}

static void
a_server_that_listens_on_neither_port_is_warned_of(void **state)
{
    struct acme_scope *global = scope_of(D(PORT_MAP), "443:8443", NULL);
    struct acme_settings *settings = settings_of(global);
    struct warnings warnings = { 0 };

    (void) state;
    acme_settings_set_listeners(settings, true, false, warn, &warnings);
    assert_true(acme_settings_listens(settings, ACME_HTTP_01));
    assert_false(acme_settings_listens(settings, ACME_TLS_ALPN_01));
    acme_settings_set_listeners(settings, false, true, warn, &warnings);
    assert_false(acme_settings_listens(settings, ACME_HTTP_01));
    assert_true(acme_settings_listens(settings, ACME_TLS_ALPN_01));
    assert_int_equal(warnings.count, 0);
    acme_settings_set_listeners(settings, false, false, warn, &warnings);
    assert_int_equal(warnings.count, 1);
    assert_non_null(strstr(warnings.text,
        "listens on port 80, or on 8443 with TLS"));
    assert_non_null(strstr(warnings.text, "acme_port_map"));
    acme_settings_free(settings);
    acme_scope_free(global);
}

static void
reloads_can_be_off(void **state)
{
    static const char *const words[] = { "off", "Off", "OFF" };

    (void) state;
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        struct acme_scope *global = scope_of(D(RELOAD), words[i], NULL);
        struct acme_settings *settings = settings_of(global);

        assert_false(settings->reload);
        acme_settings_free(settings);
        acme_scope_free(global);
    }
}

/* ---- names */

static void
the_names_of_the_server_are_those_of_its_certificate(void **state)
{
    struct acme_settings *settings = settings_of(NULL);
    const struct acme_settings_cert *cert = add_bare(settings,
        "WWW.Example.test", "example.test");

    (void) state;
    assert_int_equal(cert->name_count, 2);
    assert_string_equal(cert->names[0], "www.example.test");
    assert_string_equal(cert->names[1], "example.test");
    assert_int_equal(cert->key_types[0], ACME_KEY_ECDSA_256);
    assert_string_equal(cert->where, "f:1");
    assert_null(cert->folder);
    assert_int_equal(settings->ca_count, 2);
    assert_string_equal(settings->cas[cert->ca].name, "letsencrypt");
    assert_null(settings->cas[cert->ca].trust_file);
    acme_settings_free(settings);
}

static void
arguments_go_before_the_names_of_the_server(void **state)
{
    static const char *const names[NAMES_MAX] = { "ignored.test",
        "*.ignored" };
    struct acme_settings *settings = settings_of(NULL);
    struct warnings warnings = { 0 };
    struct acme_error err;
    size_t cert;

    (void) state;
    assert_true(add(settings, NULL, scope_of(D(DOMAIN), "b.test", "a.test"),
        names, &warnings, &cert, &err));
    assert_int_equal(settings->certs[cert].name_count, 2);
    assert_string_equal(settings->certs[cert].names[0], "b.test");
    assert_string_equal(settings->certs[cert].names[1], "a.test");
    assert_int_equal(warnings.count, 0);
    acme_settings_free(settings);
}

static void
a_name_given_twice_is_one(void **state)
{
    struct acme_settings *settings = settings_of(NULL);

    (void) state;
    assert_int_equal(add_bare(settings, "a.test", "A.TEST.")->name_count, 1);
    assert_int_equal(add_bare(settings, "2001:db8::1", "2001:DB8:0::1")
        ->name_count, 1);
    acme_settings_free(settings);
}

static void
server_names_no_ca_certifies_are_left_out_with_a_warning(void **state)
{
    static const char *const names[NAMES_MAX] = { "localhost", "~^x$",
        "*.a.test", "a.test" };
    struct acme_settings *settings = settings_of(NULL);
    struct warnings warnings = { 0 };
    struct acme_error err;
    size_t cert;

    (void) state;
    assert_true(add(settings, NULL, scope_of(D(DOMAIN), NULL, NULL), names,
        &warnings, &cert, &err));
    assert_int_equal(settings->certs[cert].name_count, 1);
    assert_string_equal(settings->certs[cert].names[0], "a.test");
    assert_int_equal(warnings.count, 3);
    assert_non_null(strstr(warnings.text, "acme_domain leaves out a name of "
        "the server: \"localhost\" cannot be in a certificate"));
    assert_non_null(strstr(warnings.text, "\"~^x$\""));
    assert_non_null(strstr(warnings.text, "\"*.a.test\""));
    acme_settings_free(settings);
}

static void
a_name_in_unicode_that_no_client_asks_for_is_warned_of(void **state)
{
    static const char *const alone[NAMES_MAX] = { "b\xc3\xbc" "cher.test" };
    static const char *const both[NAMES_MAX] = { "b\xc3\xbc" "cher.test",
        "XN--bcher-kva.test" };
    struct acme_settings *settings = settings_of(NULL);
    struct warnings warnings = { 0 };
    struct acme_error err;
    size_t cert;

    (void) state;
    assert_true(add(settings, NULL, scope_of(D(DOMAIN), NULL, NULL), both,
        &warnings, &cert, &err));
    assert_int_equal(warnings.count, 0);
    assert_int_equal(settings->certs[cert].name_count, 1);
    assert_string_equal(settings->certs[cert].names[0], "xn--bcher-kva.test");
    assert_true(add(settings, NULL, scope_of(D(DOMAIN), "a.test", NULL),
        alone, &warnings, &cert, &err));
    assert_int_equal(warnings.count, 1);
    assert_non_null(strstr(warnings.text, "clients ask for "
        "\"b\xc3\xbc" "cher.test\" as xn--bcher-kva.test: write that, too"));
    acme_settings_free(settings);
}

static void
a_public_ca_is_asked_for_no_private_address(void **state)
{
    static const char *const names[NAMES_MAX] = { "10.0.0.1", "a.test",
        "[::1]", "192.0.2.1" };
    struct acme_scope *global = scope_of(D(CA), "https://10.0.0.2/dir", NULL);
    struct acme_settings *settings = settings_of(NULL);
    struct warnings warnings = { 0 };
    struct acme_error err;
    size_t cert;

    (void) state;
    assert_true(add(settings, NULL, scope_of(D(DOMAIN), NULL, NULL), names,
        &warnings, &cert, &err));
    assert_int_equal(warnings.count, 2);
    assert_non_null(strstr(warnings.text, "leaves out a name of the server: "
        "\"::1\" cannot be in a certificate of letsencrypt"));
    assert_int_equal(settings->certs[cert].name_count, 2);
    assert_string_equal(settings->certs[cert].names[0], "a.test");
    assert_string_equal(settings->certs[cert].names[1], "192.0.2.1");
    assert_false(add(settings, NULL, scope_of(D(DOMAIN), "a.test",
        "10.0.0.1"), names, &warnings, &cert, &err));
    assert_non_null(strstr(err.text, "\"10.0.0.1\" cannot be"));
    assert_false(add(settings, NULL, scope_of(D(DOMAIN), NULL, NULL),
        (const char *const[NAMES_MAX]) { "10.0.0.1" }, &warnings, &cert,
        &err));
    assert_non_null(strstr(err.text, "finds no name"));
    assert_int_equal(warnings.count, 3);
    assert_true(add(settings, global, scope_of(D(DOMAIN), NULL, NULL), names,
        &warnings, &cert, &err));
    assert_int_equal(warnings.count, 3);
    assert_int_equal(settings->certs[cert].name_count, 4);
    acme_scope_free(global);
    acme_settings_free(settings);
}

static const struct {
    const char *what;
    const char *names[NAMES_MAX];
    int warnings;
} nameless[] = {
    { "no names", { NULL }, 0 },
    { "an empty name", { "" }, 0 },
    { "localhost", { "localhost" }, 1 },
    { "an empty name and a catch-all", { "", "_" }, 2 },
};

static void
a_server_without_any_good_name_is_refused(void **state)
{
    (void) state;
    for (unsigned i = 0; i < sizeof(nameless) / sizeof(nameless[0]); i++) {
        struct acme_settings *settings = settings_of(NULL);
        struct warnings warnings = { 0 };
        struct acme_error err;
        size_t cert;

        if (add(settings, NULL, scope_of(D(DOMAIN), NULL, NULL),
                nameless[i].names, &warnings, &cert, &err)) {
            fail_msg("%s was taken", nameless[i].what);
        }
        assert_int_equal(err.verdict, ACME_MISCONFIG);
        assert_non_null(strstr(err.text, "finds no name"));
        if (warnings.count != nameless[i].warnings) {
            fail_msg("%s: %s", nameless[i].what, warnings.text);
        }
        assert_int_equal(settings->cert_count, 0);
        acme_settings_free(settings);
    }
}

static void
a_hundred_names_are_the_most(void **state)
{
    char texts[101][16];
    const char *names[101];

    (void) state;
    for (unsigned i = 0; i < 101; i++) {
        snprintf(texts[i], sizeof(texts[i]), "n%u.test", i);
        names[i] = texts[i];
    }
    for (size_t n = 100; n <= 101; n++) {
        struct acme_settings *settings = settings_of(NULL);
        struct acme_scope *server = scope_of(D(DOMAIN), NULL, NULL);
        struct warnings warnings = { 0 };
        struct acme_error err = { 0 };
        size_t cert;

        assert_int_equal(acme_settings_add_server(settings, NULL, server,
            names, n, warn, &warnings, &cert, &err), n == 100);
        assert_int_equal(err.verdict, n == 100 ? 0 : ACME_MISCONFIG);
        assert_true(n == 100 || strstr(err.text, "more than 100") != NULL);
        acme_scope_free(server);
        acme_settings_free(settings);
    }
}

/* ---- certificates shared between servers */

static void
the_same_set_is_one_certificate(void **state)
{
    struct acme_settings *settings = settings_of(NULL);

    (void) state;
    add_bare(settings, "a.test", "b.test");
    assert_ptr_equal(add_bare(settings, "B.test", "a.test."),
        &settings->certs[0]);
    assert_int_equal(settings->cert_count, 1);
    assert_string_equal(settings->certs[0].names[0], "a.test");
    assert_string_equal(settings->certs[0].where, "f:1");
    acme_settings_free(settings);
}

static void
another_set_is_another_certificate(void **state)
{
    struct acme_settings *settings = settings_of(NULL);

    (void) state;
    add_bare(settings, "a.test", "b.test");
    add_bare(settings, "a.test", NULL);
    add_bare(settings, "b.test", NULL);
    add_bare(settings, "a.test", "c.test");
    assert_int_equal(settings->cert_count, 4);
    assert_int_equal(settings->ca_count, 2);
    acme_settings_free(settings);
}

/* Add a server for a.test with one more directive; its certificate. */
static size_t
add_with(struct acme_settings *settings, const struct acme_scope *global,
    enum acme_directive directive, const char *value)
{
    static const char *const names[NAMES_MAX] = { "a.test" };
    struct acme_scope *server = scope_of(D(DOMAIN), NULL, NULL);
    struct warnings warnings = { 0 };
    struct acme_error err;
    size_t cert;

    if (value != NULL) {
        set(server, directive, value, NULL);
    }
    assert_true(add(settings, global, server, names, &warnings, &cert,
        &err));
    return cert;
}

static void
key_type_and_ca_tell_certificates_apart(void **state)
{
    struct acme_settings *settings = settings_of(NULL);

    (void) state;
    assert_int_equal(add_with(settings, NULL, 0, NULL), 0);
    assert_int_equal(add_with(settings, NULL, D(KEY), "rsa:2048"), 1);
    assert_int_equal(add_with(settings, NULL, D(CA), "letsencrypt-staging"),
        2);
    assert_int_equal(add_with(settings, NULL, D(KEY), "ecdsa:256"), 0);
    assert_int_equal(add_with(settings, NULL, D(CA), "letsencrypt"), 0);
    assert_int_equal(settings->cert_count, 3);
    assert_int_equal(settings->ca_count, 2);
    assert_int_equal(settings->certs[1].key_types[0], ACME_KEY_RSA_2048);
    assert_string_equal(settings->cas[settings->certs[2].ca].name,
        "letsencrypt-staging");
    acme_settings_free(settings);
}

static void
two_key_types_are_one_certificate_in_either_order(void **state)
{
    struct acme_settings *settings = settings_of(NULL);
    static const char *const orders[][2] = { { "rsa:3072", "ecdsa:384" },
        { "ecdsa:384", "rsa:3072" } };
    const struct acme_settings_cert *cert;
    struct warnings warnings = { 0 };
    struct acme_error err;
    size_t at;

    (void) state;
    for (unsigned i = 0; i < 2; i++) {
        struct acme_scope *server = scope_of(D(DOMAIN), "a.test", NULL);

        set(server, D(KEY), orders[i][0], orders[i][1]);
        assert_true(add(settings, NULL, server, no_names, &warnings, &at,
            &err));
        assert_int_equal(at, 0);
    }
    cert = &settings->certs[0];
    assert_int_equal(cert->key_types[0], ACME_KEY_ECDSA_384);
    assert_int_equal(cert->key_types[1], ACME_KEY_RSA_3072);
    assert_int_equal(acme_settings_key_count(cert), 2);

    assert_int_equal(add_with(settings, NULL, D(KEY), "ecdsa:384"), 1);
    assert_int_equal(acme_settings_key_count(&settings->certs[1]), 1);
    acme_settings_free(settings);
}

static void
a_certificate_has_one_policy_for_its_keys(void **state)
{
    struct acme_scope *global = scope_of(D(KEY_POLICY), "reuse", NULL);
    struct acme_settings *settings = settings_of(global);
    struct acme_scope *other = scope_of(D(DOMAIN), "a.test", NULL);
    struct warnings warnings = { 0 };
    struct acme_error err;
    size_t at;

    (void) state;
    assert_int_equal(add_with(settings, global, 0, NULL), 0);
    assert_true(settings->certs[0].reuse_key);
    set(other, D(KEY_POLICY), "rotate", NULL);
    assert_false(add(settings, global, other, no_names, &warnings, &at,
        &err));
    assert_int_equal(err.verdict, ACME_MISCONFIG);
    assert_non_null(strstr(err.text, "acme_key_policy differs"));
    assert_non_null(strstr(err.text, "in f:1"));
    assert_int_equal(settings->cert_count, 1);
    acme_settings_free(settings);
    acme_scope_free(global);
}

static void
a_server_inherits_what_it_does_not_say(void **state)
{
    struct acme_scope *global = scope_of(D(CA), "https://ca.test:14000/dir",
        NULL);
    struct acme_settings *settings;
    size_t cert;

    (void) state;
    set(global, D(CA_CERTIFICATE), "/etc/ca.pem", NULL);
    set(global, D(KEY), "rsa:4096", NULL);
    settings = settings_of(global);
    cert = add_with(settings, global, D(KEY), "ecdsa:384");
    assert_int_equal(settings->certs[cert].key_types[0], ACME_KEY_ECDSA_384);
    cert = add_with(settings, global, 0, NULL);
    assert_int_equal(settings->certs[cert].key_types[0], ACME_KEY_RSA_4096);
    assert_int_equal(settings->ca_count, 1);
    assert_string_equal(settings->cas[0].name, "ca.test:14000");
    assert_string_equal(settings->cas[0].url, "https://ca.test:14000/dir");
    assert_string_equal(settings->cas[0].trust_file, "/etc/ca.pem");
    acme_settings_free(settings);
    acme_scope_free(global);
}

static void
a_preset_and_its_url_are_one_ca(void **state)
{
    struct acme_settings *settings = settings_of(NULL);

    (void) state;
    add_with(settings, NULL, D(CA), "letsencrypt");
    add_with(settings, NULL, D(CA),
        "https://acme-v02.api.letsencrypt.org/directory");
    assert_int_equal(settings->ca_count, 2);   /* and its staging */
    assert_int_equal(settings->cert_count, 1);
    acme_settings_free(settings);
}

static void
two_trust_files_for_one_ca_are_refused(void **state)
{
    static const char *const names[NAMES_MAX] = { "b.test" };
    struct acme_settings *settings = settings_of(NULL);
    struct acme_scope *server = scope_of(D(DOMAIN), NULL, NULL);
    struct warnings warnings = { 0 };
    struct acme_error err;
    size_t cert;

    (void) state;
    add_with(settings, NULL, 0, NULL);
    set(server, D(CA_CERTIFICATE), "/etc/ca.pem", NULL);
    assert_false(add(settings, NULL, server, names, &warnings, &cert, &err));
    assert_int_equal(err.verdict, ACME_MISCONFIG);
    assert_non_null(strstr(err.text, "acme_ca_certificate differs"));
    assert_int_equal(settings->cert_count, 1);
    acme_settings_free(settings);
}

static void
a_host_that_is_too_long_is_refused_and_leaves_no_ca(void **state)
{
    static const char *const names[NAMES_MAX] = { "b.test" };
    struct acme_settings *settings = settings_of(NULL);
    struct acme_scope *server = scope_of(D(DOMAIN), NULL, NULL);
    struct warnings warnings = { 0 };
    struct acme_error err;
    char url[300] = "https://";
    size_t cert;

    (void) state;
    memset(url + 8, 'a', 256);
    set(server, D(CA), url, NULL);
    assert_false(add(settings, NULL, server, names, &warnings, &cert, &err));
    assert_int_equal(err.verdict, ACME_MISCONFIG);
    assert_non_null(strstr(err.text, "host is too long"));
    assert_int_equal(settings->ca_count, 0);
    add_with(settings, NULL, 0, NULL);
    assert_int_equal(settings->ca_count, 2);
    acme_settings_free(settings);
}

/* ---- the check of the whole */

static char folder[] = "/tmp/acme_test_settings_XXXXXX";

static int
make_folder(void **state)
{
    (void) state;
    return mkdtemp(folder) == NULL;
}

static int
remove_folder(void **state)
{
    char path[100];

    (void) state;
    snprintf(path, sizeof(path), "%s/file", folder);
    unlink(path);
    return rmdir(folder);
}

/* The one file in the folder, with this content. */
static const char *
write_file(const char *content, mode_t mode)
{
    static char path[100];
    FILE *file;

    snprintf(path, sizeof(path), "%s/file", folder);
    unlink(path);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
    chmod(path, mode);
    return path;
}

/* Check settings with one certificate and these global directives. */
static bool
check(const char *terms, enum acme_directive directive, const char *value,
    struct acme_error *err)
{
    struct acme_scope *global = scope_of(D(ACCEPT_TERMS), terms, NULL);
    struct acme_settings *settings;
    bool ok;

    set(global, directive, value, NULL);
    if (directive != D(USER)) {
        set(global, D(USER), "nobody", NULL);
    }
    settings = settings_of(global);
    add_with(settings, global, 0, NULL);
    ok = acme_settings_check(settings, err);
    acme_settings_free(settings);
    acme_scope_free(global);
    return ok;
}

static void
settings_without_certificates_pass(void **state)
{
    struct acme_settings *settings = settings_of(NULL);
    struct acme_error err;

    (void) state;
    assert_true(acme_settings_check(settings, &err));
    acme_settings_free(settings);
}

static void
terms_must_be_accepted_and_the_error_says_how(void **state)
{
    struct acme_error err;

    (void) state;
    assert_true(check("on", D(CA), "letsencrypt", &err));
    assert_false(check("off", D(CA), "letsencrypt", &err));
    assert_int_equal(err.verdict, ACME_MISCONFIG);
    assert_non_null(strstr(err.text, "\"acme_accept_terms on;\""));
    assert_non_null(strstr(err.text, "letsencrypt"));
}

static void
the_helper_must_be_an_executable_file(void **state)
{
    struct acme_error err;

    (void) state;
    assert_true(check("on", D(HELPER), "/bin/sh", &err));
    assert_false(check("on", D(HELPER), write_file("x", 0644), &err));
    assert_non_null(strstr(err.text, "not an executable file"));
    assert_false(check("on", D(HELPER), folder, &err));
    assert_non_null(strstr(err.text, "not an executable file"));
    assert_false(check("on", D(HELPER), "/nonexistent/helper", &err));
    assert_non_null(strstr(err.text, "/nonexistent/helper"));
    assert_non_null(strstr(err.text, "No such file"));
}

static void
the_program_for_events_must_be_one(void **state)
{
    struct acme_error err;

    (void) state;
    assert_true(check("on", D(EVENT), "/bin/sh", &err));
    assert_false(check("on", D(EVENT), write_file("x", 0644), &err));
    assert_non_null(strstr(err.text, "acme_event: "));
    assert_non_null(strstr(err.text, "not an executable file"));
}

static void
the_user_must_exist_and_not_be_root(void **state)
{
    struct acme_error err;

    (void) state;
    if (geteuid() != 0) {
        skip();
    }
    assert_false(check("on", D(USER), "no-such-user-here", &err));
    assert_non_null(strstr(err.text, "no user \"no-such-user-here\""));
    assert_true(check("on", D(USER), "nobody", &err));
}

static const struct {
    const char *what, *content;
    bool good;
} trust_files[] = {
    { "a certificate", "-----BEGIN CERTIFICATE-----\nZm9v\n", true },
    { "a certificate behind text",
        "a comment\n-----BEGIN CERTIFICATE-----\nZm9v\n", true },
    { "OpenSSL's own form", "-----BEGIN TRUSTED CERTIFICATE-----\nZm9v\n",
        true },
    { "nothing", "", false },
    { "text", "hello\n", false },
    { "a key", "-----BEGIN PRIVATE KEY-----\nZm9v\n", false },
    { "a request", "-----BEGIN CERTIFICATE REQUEST-----\nZm9v\n", false },
};

enum { TRUST_FILES = sizeof(trust_files) / sizeof(trust_files[0]) };

static void
trust_files_must_hold_a_certificate(void **state)
{
    struct acme_error err;

    (void) state;
    for (unsigned i = 0; i < TRUST_FILES; i++) {
        if (check("on", D(CA_CERTIFICATE),
                write_file(trust_files[i].content, 0644), &err)
            != trust_files[i].good) {
            fail_msg("%s", trust_files[i].what);
        }
    }
    assert_non_null(strstr(err.text, "holds no certificate"));
    assert_false(check("on", D(CA_CERTIFICATE), "/nonexistent/ca", &err));
    assert_non_null(strstr(err.text, "No such file"));
    assert_false(check("on", D(CA_CERTIFICATE), folder, &err));
    assert_false(check("on", D(CA_CERTIFICATE), "/dev/null", &err));
}

static void
how_a_certificate_is_ordered_is_inherited(void **state)
{
    struct acme_scope *global = scope_of(D(CHALLENGE), "tls-alpn-01", NULL);
    struct acme_settings *settings = settings_of(global);
    const char *const names[NAMES_MAX] = { "a.test" };
    const struct acme_settings_cert *cert;
    struct warnings warnings = { 0 };
    struct acme_scope *server = scope_of(D(DOMAIN), NULL, NULL);
    struct acme_error err;
    size_t index;

    (void) state;
    cert = add_bare(settings, "b.test", NULL);
    assert_int_equal(cert->challenge_count, 2);
    assert_int_equal(cert->challenges[0], ACME_HTTP_01);
    assert_null(cert->profile);
    assert_null(cert->chain);

    set(global, D(PREFERRED_CHAIN), "Root X", NULL);
    set(server, D(PROFILE), "shortlived", "require");
    assert_true(add(settings, global, server, names, &warnings, &index, &err));
    cert = &settings->certs[index];
    assert_int_equal(cert->challenge_count, 1);
    assert_int_equal(cert->challenges[0], ACME_TLS_ALPN_01);
    assert_string_equal(cert->profile, "shortlived");
    assert_true(cert->profile_required);
    assert_string_equal(cert->chain, "Root X");

    server = scope_of(D(DOMAIN), NULL, NULL);
    assert_false(add(settings, global, server, names, &warnings, &index,
        &err));
    assert_non_null(strstr(err.text, "acme_profile differs from that of "
        "another server with the same certificate, in f:1"));
    acme_settings_free(settings);
    acme_scope_free(global);
}

/* ---- several CAs */

/* The arguments of one more line, the rest NULL. */
static bool
line(struct acme_scope *scope, enum acme_directive directive,
    const char *const argv[4], struct acme_error *err)
{
    size_t argc = 0;

    while (argc < 4 && argv[argc] != NULL) {
        argc++;
    }
    return acme_scope_set(scope, directive, argc, argv, "f:3", err);
}

#define LINE(scope, id, ...) \
    line(scope, D(id), (const char *const [4]) { __VA_ARGS__ }, &err)

static void
the_cas_behind_the_first_are_fallbacks(void **state)
{
    static const char *const names[NAMES_MAX] = { "a.test" };
    struct acme_scope *global = acme_scope_new();
    struct acme_scope *server = scope_of(D(DOMAIN), NULL, NULL);
    struct acme_settings *settings = settings_of(global);
    struct warnings warnings = { 0 };
    const struct acme_settings_cert *cert;
    struct acme_error err;
    size_t at;

    (void) state;
    assert_true(LINE(global, CA, "letsencrypt", "https://b.test/dir",
        "zerossl"));
    assert_true(add(settings, global, server, names, &warnings, &at, &err));
    cert = &settings->certs[at];
    assert_int_equal(acme_settings_choice_count(cert), 3);
    assert_string_equal(settings->cas[cert->ca].name, "letsencrypt");
    assert_string_equal(settings->cas[cert->fallbacks[0].ca].name, "b.test");
    assert_string_equal(settings->cas[acme_settings_choice(cert, 2).ca].name,
        "zerossl");
    acme_settings_free(settings);
    acme_scope_free(global);
}

static void
a_staging_directory_comes_with_its_ca(void **state)
{
    struct acme_settings *settings = settings_of(NULL);
    const struct acme_settings_ca *staging;

    (void) state;
    add_with(settings, NULL, D(CA), "letsencrypt");
    add_with(settings, NULL, D(CA), "https://ca.test/dir");
    assert_int_equal(settings->ca_count, 3);
    assert_int_equal(settings->cas[0].staging, 2);
    staging = &settings->cas[1];
    assert_string_equal(staging->name, "letsencrypt-staging");
    assert_true(staging->implied);
    assert_int_equal(staging->staging, 0);
    assert_int_equal(settings->cas[2].staging, 0);
    acme_settings_free(settings);
}

static void
no_staging_directory_comes_with_a_binding(void **state)
{
    struct acme_scope *global = acme_scope_new();
    struct acme_settings *settings = settings_of(global);
    struct acme_error err;

    (void) state;
    assert_true(LINE(global, EAB, "letsencrypt", "kid", "/eab"));
    add_with(settings, global, D(CA), "letsencrypt");
    assert_int_equal(settings->ca_count, 1);
    assert_int_equal(settings->cas[0].staging, 0);
    acme_settings_free(settings);
    acme_scope_free(global);
}

static void
a_staging_directory_that_is_asked_for_has_its_own_trust(void **state)
{
    static const char *const names[NAMES_MAX] = { "b.test" };
    struct acme_settings *settings = settings_of(NULL);
    struct acme_scope *server = scope_of(D(DOMAIN), NULL, NULL);
    struct warnings warnings = { 0 };
    struct acme_error err;
    size_t cert;

    (void) state;
    add_with(settings, NULL, D(CA), "letsencrypt");
    assert_true(LINE(server, CA, "letsencrypt-staging"));
    assert_true(LINE(server, CA_CERTIFICATE, "/etc/s.pem"));
    assert_true(add(settings, NULL, server, names, &warnings, &cert, &err));
    assert_int_equal(settings->ca_count, 2);
    assert_false(settings->cas[1].implied);
    assert_string_equal(settings->cas[1].trust_file, "/etc/s.pem");
    acme_settings_free(settings);
}

static void
what_is_for_one_ca_goes_before_what_is_for_all(void **state)
{
    static const char *const names[NAMES_MAX] = { "a.test" };
    struct acme_scope *global = acme_scope_new();
    struct acme_scope *server = scope_of(D(DOMAIN), NULL, NULL);
    struct acme_settings *settings = settings_of(global);
    struct warnings warnings = { 0 };
    const struct acme_settings_cert *cert;
    struct acme_error err;
    size_t at;

    (void) state;
    assert_true(LINE(global, CA, "letsencrypt", "https://b.test/dir",
        "https://c.test/dir"));
    assert_true(LINE(global, PROFILE, "all"));
    assert_true(LINE(global, PROFILE, "short", "require", "for=letsencrypt"));
    assert_true(LINE(global, CA_CERTIFICATE, "/b.pem",
        "for=https://b.test/dir"));
    assert_true(LINE(server, PREFERRED_CHAIN, "B", "for=https://b.test/dir"));
    assert_true(LINE(server, PROFILE, "mine", "for=https://c.test/dir"));
    assert_true(add(settings, global, server, names, &warnings, &at, &err));
    cert = &settings->certs[at];
    assert_string_equal(cert->profile, "short");
    assert_true(cert->profile_required);
    assert_null(cert->chain);
    assert_string_equal(cert->fallbacks[0].profile, "all");
    assert_false(cert->fallbacks[0].profile_required);
    assert_string_equal(cert->fallbacks[0].chain, "B");
    assert_string_equal(cert->fallbacks[1].profile, "mine");
    assert_null(settings->cas[cert->ca].trust_file);
    assert_string_equal(settings->cas[cert->fallbacks[0].ca].trust_file,
        "/b.pem");
    acme_settings_free(settings);
    acme_scope_free(global);
}

static void
what_a_server_says_for_all_goes_before_what_is_global_for_one(void **state)
{
    static const char *const names[NAMES_MAX] = { "a.test" };
    struct acme_scope *global = acme_scope_new();
    struct acme_scope *server = scope_of(D(DOMAIN), NULL, NULL);
    struct acme_settings *settings = settings_of(global);
    struct warnings warnings = { 0 };
    struct acme_error err;
    size_t at;

    (void) state;
    assert_true(LINE(global, PROFILE, "short", "for=letsencrypt"));
    assert_true(LINE(server, PROFILE, "classic"));
    assert_true(add(settings, global, server, names, &warnings, &at, &err));
    assert_string_equal(settings->certs[at].profile, "classic");
    acme_settings_free(settings);
    acme_scope_free(global);
}

static void
for_is_of_a_ca_that_there_is(void **state)
{
    static const char *const names[NAMES_MAX] = { "a.test" };
    struct acme_scope *server = scope_of(D(DOMAIN), NULL, NULL);
    struct acme_settings *settings = settings_of(NULL);
    struct warnings warnings = { 0 };
    struct acme_error err;
    size_t at;

    (void) state;
    assert_false(LINE(server, PROFILE, "short", "for=letsencript"));
    assert_non_null(strstr(err.text, "acme_profile: for=: invalid value "
        "\"letsencript\", allowed are letsencrypt, letsencrypt-staging, "));
    assert_non_null(strstr(err.text, "did you mean \"letsencrypt\"?"));
    assert_false(LINE(server, PROFILE, "for=letsencrypt"));
    assert_non_null(strstr(err.text, "invalid number of arguments"));
    assert_true(LINE(server, PROFILE, "short", "for=letsencrypt"));
    assert_false(LINE(server, PROFILE, "long",
        "for=https://acme-v02.api.letsencrypt.org/directory"));
    assert_non_null(strstr(err.text, "duplicate: it was given in f:3"));
    assert_true(LINE(server, PROFILE, "short", "for=letsencrypt-staging"));
    assert_true(LINE(server, PREFERRED_CHAIN, "Root", "for=zerossl"));
    assert_false(add(settings, NULL, server, names, &warnings, &at, &err));
    assert_non_null(strstr(err.text, "acme_preferred_chain: for=zerossl is "
        "none of acme_ca of this server, allowed are letsencrypt, in f:3"));
    assert_int_equal(settings->cert_count, 0);
    acme_settings_free(settings);
}

/* Two servers for a.test, the second with one more line: what differs? */
static const struct {
    enum acme_directive directive;
    const char *argv[3], *words;
} differing[] = {
    { D(CA), { "letsencrypt", "https://b.test/dir" }, "acme_ca differs" },
    { D(RENEW), { "30%" }, "acme_renew differs" },
    { D(RENEW), { "20d" }, "acme_renew differs" },
    { D(PROFILE), { "x", "for=letsencrypt" }, "acme_profile differs" },
    { D(PREFERRED_CHAIN), { "x" }, "acme_preferred_chain differs" },
};

static void
servers_with_one_certificate_agree_on_all_of_it(void **state)
{
    static const char *const names[NAMES_MAX] = { "a.test" };

    (void) state;
    for (size_t i = 0; i < sizeof(differing) / sizeof(*differing); i++) {
        struct acme_settings *settings = settings_of(NULL);
        struct acme_scope *server = scope_of(D(DOMAIN), NULL, NULL);
        struct warnings warnings = { 0 };
        struct acme_error err;
        size_t at;

        add_bare(settings, "a.test", NULL);
        assert_true(LINE(server, CHALLENGE, "http-01", "tls-alpn-01"));
        assert_true(line(server, differing[i].directive,
            (const char *const [4]) { differing[i].argv[0],
            differing[i].argv[1], differing[i].argv[2] }, &err));
        assert_false(add(settings, NULL, server, names, &warnings, &at,
            &err));
        if (strstr(err.text, differing[i].words) == NULL) {
            fail_msg("%s: %s", differing[i].words, err.text);
        }
        acme_settings_free(settings);
    }
}

static void
how_a_certificate_is_renewed_is_inherited(void **state)
{
    static const char *const names[NAMES_MAX] = { "a.test" };
    struct acme_scope *global = scope_of(D(RENEW), "25%", NULL);
    struct acme_scope *server = scope_of(D(DOMAIN), NULL, NULL);
    struct acme_settings *settings = settings_of(global);
    struct warnings warnings = { 0 };
    struct acme_error err;
    size_t at;

    (void) state;
    assert_true(add(settings, global, server, names, &warnings, &at, &err));
    assert_int_equal(settings->certs[at].renew_percent, 25);
    assert_int_equal(settings->certs[at].renew_days, 0);
    assert_int_equal(add_bare(settings, "b.test", NULL)->renew_percent, 0);
    acme_settings_free(settings);
    acme_scope_free(global);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_directives_the_defaults_hold),
        cmocka_unit_test(what_is_written_goes_before_the_defaults),
        cmocka_unit_test(a_program_runs_as_acme_user_or_as_its_own),
        cmocka_unit_test(a_server_that_listens_on_neither_port_is_warned_of),
        cmocka_unit_test(reloads_can_be_off),
        cmocka_unit_test(the_names_of_the_server_are_those_of_its_certificate),
        cmocka_unit_test(arguments_go_before_the_names_of_the_server),
        cmocka_unit_test(a_name_given_twice_is_one),
        cmocka_unit_test(
            server_names_no_ca_certifies_are_left_out_with_a_warning),
        cmocka_unit_test(
            a_name_in_unicode_that_no_client_asks_for_is_warned_of),
        cmocka_unit_test(a_public_ca_is_asked_for_no_private_address),
        cmocka_unit_test(a_server_without_any_good_name_is_refused),
        cmocka_unit_test(a_hundred_names_are_the_most),
        cmocka_unit_test(the_same_set_is_one_certificate),
        cmocka_unit_test(another_set_is_another_certificate),
        cmocka_unit_test(key_type_and_ca_tell_certificates_apart),
        cmocka_unit_test(two_key_types_are_one_certificate_in_either_order),
        cmocka_unit_test(a_certificate_has_one_policy_for_its_keys),
        cmocka_unit_test(a_server_inherits_what_it_does_not_say),
        cmocka_unit_test(a_preset_and_its_url_are_one_ca),
        cmocka_unit_test(two_trust_files_for_one_ca_are_refused),
        cmocka_unit_test(a_host_that_is_too_long_is_refused_and_leaves_no_ca),
        cmocka_unit_test(the_cas_behind_the_first_are_fallbacks),
        cmocka_unit_test(a_staging_directory_comes_with_its_ca),
        cmocka_unit_test(no_staging_directory_comes_with_a_binding),
        cmocka_unit_test(
            a_staging_directory_that_is_asked_for_has_its_own_trust),
        cmocka_unit_test(what_is_for_one_ca_goes_before_what_is_for_all),
        cmocka_unit_test(
            what_a_server_says_for_all_goes_before_what_is_global_for_one),
        cmocka_unit_test(for_is_of_a_ca_that_there_is),
        cmocka_unit_test(servers_with_one_certificate_agree_on_all_of_it),
        cmocka_unit_test(how_a_certificate_is_renewed_is_inherited),
        cmocka_unit_test(settings_without_certificates_pass),
        cmocka_unit_test(terms_must_be_accepted_and_the_error_says_how),
        cmocka_unit_test(the_helper_must_be_an_executable_file),
        cmocka_unit_test(the_program_for_events_must_be_one),
        cmocka_unit_test(the_user_must_exist_and_not_be_root),
        cmocka_unit_test(trust_files_must_hold_a_certificate),
        cmocka_unit_test(how_a_certificate_is_ordered_is_inherited),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
