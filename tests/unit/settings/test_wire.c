/* What the master writes the keeper reads, whole or not at all. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "settings/settings.h"

#define VERSION "acme-settings 8"
#define WIRE_MAX (1024 * 1024)

static char *first_names[] = { "a.test", "www.a.test", "2001:db8::1" };
static char *second_names[] = { "b.test" };
static char *contacts[] = { "mailto:a@example.com", "mailto:b@example.com" };

static struct acme_settings_ca cas[] = {
    { .name = "letsencrypt", .url = "https://ca.test/dir", .staging = 2 },
    { .name = "127.0.0.1:14000", .url = "https://127.0.0.1:14000/dir",
        .trust_file = "/etc/ca.pem", .eab_kid = "kid",
        .eab_file = "/etc/eab.key", .eab_algorithm = ACME_HS512 },
};

static struct acme_settings_choice fallbacks[] = {
    { .ca = 0, .profile = "classic", .chain = "Other Root" },
    { .ca = 1, .profile = "tls", .profile_required = true },
};

static struct acme_settings_cert certs[] = {
    { .names = first_names, .name_count = 3, .key_types = {
        ACME_KEY_ECDSA_384, ACME_KEY_RSA_2048 }, .reuse_key = true, .ca = 1,
        .folder = "a.test", .challenges = { ACME_TLS_ALPN_01,
        ACME_HTTP_01 }, .challenge_count = 2, .renew_percent = 30,
        .fallbacks = fallbacks, .fallback_count = 2, .profile = "shortlived",
        .profile_required = true, .chain = "ISRG Root X1",
        .listener = { "www.a.test", "::1", 8443, true } },
    { .names = second_names, .name_count = 1, .key_types = {
        ACME_KEY_RSA_4096 }, .folder = "b.test-2", .challenges = {
        ACME_HTTP_01 }, .challenge_count = 1, .renew_days = 30 },
};

static const struct acme_settings full = {
    .accept_terms = true, .contacts = contacts, .contact_count = 2,
    .state_path = "/var/lib/acme", .user = "_acme", .helper = "/opt/helper",
    .event = "/opt/told", .event_user = "root",
    .proxy = "http://user:word@proxy.test:3128",
    .port_http = 5002, .port_https = 65535, .listens_https = true,
    .reload = true,
    .reload_delay_s = 600, .cas = cas, .ca_count = 2, .certs = certs,
    .cert_count = 2, .server = "Apache/2.4.71", .log_path = "/var/log/x",
    .dialect = ACME_DIALECT_HTTPD, .log_id = 999999999, .log_level = 7,
    .reload_signal = 10, .check_first = true,
};

static void
write_settings(const struct acme_settings *settings, struct acme_buffer *wire)
{
    struct acme_error err;

    assert_true(acme_settings_write(settings, wire, &err));
}

static struct acme_settings *
read_settings(struct acme_bytes wire)
{
    struct acme_error err = { 0 };
    struct acme_settings *settings = acme_settings_read(wire, &err);

    if (settings == NULL) {
        assert_int_equal(err.verdict, ACME_PEER_BROKE);
    }
    return settings;
}

static void
same_text(const char *a, const char *b)
{
    if (a == NULL || b == NULL) {
        assert_ptr_equal(a, b);
    } else {
        assert_string_equal(a, b);
    }
}

static void
same_cert(const struct acme_settings_cert *a,
    const struct acme_settings_cert *b)
{
    assert_int_equal(a->name_count, b->name_count);
    for (size_t i = 0; i < a->name_count; i++) {
        assert_string_equal(a->names[i], b->names[i]);
    }
    assert_memory_equal(a->key_types, b->key_types, sizeof(a->key_types));
    assert_int_equal(a->reuse_key, b->reuse_key);
    assert_int_equal(a->challenge_count, b->challenge_count);
    assert_memory_equal(a->challenges, b->challenges, sizeof(a->challenges));
    assert_int_equal(a->renew_percent, b->renew_percent);
    assert_int_equal(a->renew_days, b->renew_days);
    assert_int_equal(a->fallback_count, b->fallback_count);
    for (size_t i = 0; i < acme_settings_choice_count(a); i++) {
        struct acme_settings_choice one = acme_settings_choice(a, i);
        struct acme_settings_choice other = acme_settings_choice(b, i);

        assert_int_equal(one.ca, other.ca);
        same_text(one.profile, other.profile);
        assert_int_equal(one.profile_required, other.profile_required);
        same_text(one.chain, other.chain);
    }
    same_text(a->folder, b->folder);
    same_text(a->listener.name, b->listener.name);
    same_text(a->listener.address, b->listener.address);
    assert_int_equal(a->listener.port, b->listener.port);
    assert_int_equal(a->listener.proxy_protocol, b->listener.proxy_protocol);
}

static void
same_settings(const struct acme_settings *a, const struct acme_settings *b)
{
    assert_int_equal(a->accept_terms, b->accept_terms);
    assert_int_equal(a->contact_count, b->contact_count);
    for (size_t i = 0; i < a->contact_count; i++) {
        assert_string_equal(a->contacts[i], b->contacts[i]);
    }
    same_text(a->state_path, b->state_path);
    same_text(a->user, b->user);
    same_text(a->helper, b->helper);
    same_text(a->event, b->event);
    same_text(a->event_user, b->event_user);
    same_text(a->proxy, b->proxy);
    assert_int_equal(a->port_http, b->port_http);
    assert_int_equal(a->port_https, b->port_https);
    assert_int_equal(a->listens_http, b->listens_http);
    assert_int_equal(a->listens_https, b->listens_https);
    assert_int_equal(a->reload, b->reload);
    assert_int_equal(a->reload_delay_s, b->reload_delay_s);
    same_text(a->server, b->server);
    same_text(a->log_path, b->log_path);
    assert_int_equal(a->dialect, b->dialect);
    assert_int_equal(a->log_id, b->log_id);
    assert_int_equal(a->log_level, b->log_level);
    assert_int_equal(a->reload_signal, b->reload_signal);
    assert_int_equal(a->check_first, b->check_first);
    assert_int_equal(a->ca_count, b->ca_count);
    for (size_t i = 0; i < a->ca_count; i++) {
        same_text(a->cas[i].name, b->cas[i].name);
        same_text(a->cas[i].url, b->cas[i].url);
        same_text(a->cas[i].trust_file, b->cas[i].trust_file);
        same_text(a->cas[i].eab_kid, b->cas[i].eab_kid);
        same_text(a->cas[i].eab_file, b->cas[i].eab_file);
        assert_int_equal(a->cas[i].eab_algorithm, b->cas[i].eab_algorithm);
        assert_int_equal(a->cas[i].staging, b->cas[i].staging);
    }
    assert_int_equal(a->cert_count, b->cert_count);
    for (size_t i = 0; i < a->cert_count; i++) {
        same_cert(&a->certs[i], &b->certs[i]);
    }
}

static void
check_round_trip(const struct acme_settings *settings)
{
    struct acme_buffer wire = ACME_BUFFER(WIRE_MAX);
    struct acme_buffer again = ACME_BUFFER(WIRE_MAX);
    struct acme_settings *got;

    write_settings(settings, &wire);
    got = read_settings(acme_buffer_bytes(&wire));
    assert_non_null(got);
    same_settings(got, settings);
    write_settings(got, &again);
    assert_true(acme_bytes_equal(acme_buffer_bytes(&wire),
        acme_buffer_bytes(&again)));
    acme_settings_free(got);
    acme_buffer_free(&wire);
    acme_buffer_free(&again);
}

static void
settings_survive_the_wire(void **state)
{
    (void) state;
    check_round_trip(&full);
}

static void
settings_without_the_optional_survive_the_wire(void **state)
{
    struct acme_settings least = full;

    (void) state;
    least.accept_terms = least.reload = false;
    least.contact_count = least.ca_count = least.cert_count = 0;
    least.server = least.log_path = NULL;
    least.reload_delay_s = 0;
    check_round_trip(&least);
}

static void
many_certificates_survive_the_wire(void **state)
{
    struct acme_settings_cert *many = calloc(3000, sizeof(*many));
    struct acme_settings settings = full;

    (void) state;
    for (unsigned i = 0; i < 3000; i++) {
        many[i] = certs[i % 2];
    }
    settings.certs = many;
    settings.cert_count = 3000;
    check_round_trip(&settings);
    free(many);
}

static void
a_difference_is_a_difference_on_the_wire(void **state)
{
    struct acme_buffer wire = ACME_BUFFER(WIRE_MAX);
    struct acme_buffer other = ACME_BUFFER(WIRE_MAX);
    struct acme_settings changed = full;

    (void) state;
    changed.reload_delay_s = 599;
    write_settings(&full, &wire);
    write_settings(&changed, &other);
    assert_false(acme_bytes_equal(acme_buffer_bytes(&wire),
        acme_buffer_bytes(&other)));
    acme_buffer_free(&wire);
    acme_buffer_free(&other);
}

static void
every_other_length_is_refused(void **state)
{
    struct acme_buffer wire = ACME_BUFFER(WIRE_MAX);

    (void) state;
    write_settings(&full, &wire);
    for (size_t len = 0; len < wire.len; len++) {
        uint8_t *part = malloc(len > 0 ? len : 1);

        memcpy(part, wire.at, len);
        if (read_settings((struct acme_bytes) { part, len }) != NULL) {
            fail_msg("%zu of %zu bytes were taken", len, wire.len);
        }
        free(part);
    }
    assert_null(read_settings(acme_bytes_of(NULL)));
    assert_true(acme_buffer_add(&wire, "", 1));
    assert_null(read_settings(acme_buffer_bytes(&wire)));
    acme_buffer_free(&wire);
}

static void
another_version_is_refused_and_named(void **state)
{
    static const char *const versions[] = { "", "acme-settings",
        "acme-settings 0", "acme-settings 1", "acme-settings 10",
        "acme-settings 7", "Acme-settings 8", " acme-settings 8" };
    struct acme_buffer wire = ACME_BUFFER(WIRE_MAX);

    (void) state;
    write_settings(&full, &wire);
    assert_string_equal(acme_buffer_text(&wire), VERSION);
    for (unsigned i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        struct acme_buffer other = ACME_BUFFER(WIRE_MAX);
        struct acme_error err;

        assert_true(acme_buffer_add(&other, versions[i],
            strlen(versions[i]) + 1));
        assert_true(acme_buffer_add(&other, wire.at + sizeof(VERSION),
            wire.len - sizeof(VERSION)));
        assert_null(acme_settings_read(acme_buffer_bytes(&other), &err));
        assert_int_equal(err.verdict, ACME_PEER_BROKE);
        assert_non_null(strstr(err.text, "version"));
        acme_buffer_free(&other);
    }
    acme_buffer_free(&wire);
}

/* The least settings there are, one text a row, to change them one by one. */
static const char *const fields[] = { VERSION, "1", "1", "mailto:a@b.test",
    "/state", "user", "/told", "root", "/helper", "", "80", "443", "0", "1",
    "1", "10", "", "0", "", "0", "6", "1", "0", "1", "ca", "https://ca.test/",
    "", "kid", "/eab", "HS256", "0", "1", "1", "a.test", "ecdsa:256",
    "rsa:2048", "1", "2", "0", "", "0", "", "0", "tls", "1", "", "a.test", "1",
    "http-01", "0", "30", "a.test", "127.0.0.1", "443", "0" };

enum {
    TERMS = 1, CONTACTS, CONTACT, STATE_PATH, USER, EVENT, EVENT_USER, HELPER, PROXY, PORT_HTTP,
    PORT_HTTPS, LISTENS_HTTP, LISTENS_HTTPS, RELOAD, DELAY, SERVER, DIALECT,
    LOG_PATH, LOG_ID, LOG_LEVEL, RELOAD_SIGNAL, CHECK_FIRST, CAS, CA_NAME, CA_URL, TRUST, EAB_KID, EAB_FILE,
    EAB_ALGORITHM, STAGING, CERTS, NAMES,
    NAME, KEY, SECOND_KEY, REUSE_KEY, CHOICES, CA, PROFILE, PROFILE_REQUIRED,
    CHAIN, FALLBACK, FALLBACK_PROFILE, FALLBACK_REQUIRED, FALLBACK_CHAIN,
    FOLDER, CHALLENGES, CHALLENGE, RENEW_PERCENT, RENEW_DAYS, AT_NAME,
    AT_ADDRESS, AT_PORT, AT_PROXY, FIELDS
};

/* Are the least settings taken with another text in this place? */
static bool
takes(unsigned field, const char *text)
{
    struct acme_buffer wire = ACME_BUFFER(WIRE_MAX);
    struct acme_settings *settings;

    for (unsigned i = 0; i < FIELDS; i++) {
        const char *part = i == field ? text : fields[i];

        assert_true(acme_buffer_add(&wire, part, strlen(part) + 1));
    }
    settings = read_settings(acme_buffer_bytes(&wire));
    acme_settings_free(settings);
    acme_buffer_free(&wire);
    return settings != NULL;
}

static const struct {
    const char *what;
    unsigned field;
    const char *text;
} bad_fields[] = {
    { "terms of two", TERMS, "2" },
    { "terms of a word", TERMS, "on" },
    { "no terms", TERMS, "" },
    { "a negative number", TERMS, "-1" },
    { "a signed number", TERMS, "+1" },
    { "a space before a number", TERMS, " 1" },
    { "a number and a letter", TERMS, "1x" },
    { "a hexadecimal number", TERMS, "0x1" },
    { "a number too long", TERMS, "00000000001" },
    { "eleven contacts", CONTACTS, "11" },
    { "no challenges", CHALLENGES, "0" },
    { "three challenges", CHALLENGES, "3" },
    { "an unknown challenge", CHALLENGE, "http-02" },
    { "a profile that is half required", PROFILE_REQUIRED, "2" },
    { "one of a fallback", FALLBACK_REQUIRED, "2" },
    { "a fallback that is not there", FALLBACK, "1" },
    { "no CA of a certificate", CHOICES, "0" },
    { "one CA too few", CHOICES, "1" },
    { "one CA too many", CHOICES, "3" },
    { "nine CAs", CHOICES, "9" },
    { "a staging directory that is not there", STAGING, "2" },
    { "more than all of the life", RENEW_PERCENT, "101" },
    { "more than a thousand days", RENEW_DAYS, "1001" },
    { "no word about renewals", RENEW_DAYS, "" },
    { "a contact too few", CONTACTS, "2" },
    { "a contact too many", CONTACTS, "0" },
    { "no state path", STATE_PATH, "" },
    { "a relative state path", STATE_PATH, "state" },
    { "no user", USER, "" },
    { "a relative program", EVENT, "told" },
    { "a program of nobody", EVENT_USER, "" },
    { "a user of no program", EVENT, "" },
    { "no helper", HELPER, "" },
    { "a relative helper", HELPER, "helper" },
    { "port 0", PORT_HTTP, "0" },
    { "port 65536", PORT_HTTP, "65536" },
    { "a port beyond 32 bits", PORT_HTTPS, "4294967739" },
    { "a port beyond 64 bits", PORT_HTTPS, "18446744073709552059" },
    { "listening twice", LISTENS_HTTP, "2" },
    { "listening without an answer", LISTENS_HTTPS, "" },
    { "reload of two", RELOAD, "2" },
    { "a long delay", DELAY, "3601" },
    { "a large level", LOG_LEVEL, "101" },
    { "a negative level", LOG_LEVEL, "-1" },
    { "an unknown dialect", DIALECT, "2" },
    { "ten digits of a log", LOG_ID, "1000000000" },
    { "signal 65", RELOAD_SIGNAL, "65" },
    { "a check of two", CHECK_FIRST, "2" },
    { "no CA", CAS, "0" },
    { "a CA too many", CAS, "2" },
    { "a thousand and one CAs", CAS, "1001" },
    { "very many CAs", CAS, "4294967295" },
    { "a CA without name", CA_NAME, "" },
    { "a CA without URL", CA_URL, "" },
    { "an external account without a file", EAB_FILE, "" },
    { "one with a relative file", EAB_FILE, "eab" },
    { "one without an algorithm", EAB_ALGORITHM, "" },
    { "one with another algorithm", EAB_ALGORITHM, "hs256" },
    { "no certificate", CERTS, "0" },
    { "a certificate too many", CERTS, "2" },
    { "very many certificates", CERTS, "4294967295" },
    { "no names", NAMES, "0" },
    { "a name too many", NAMES, "2" },
    { "a hundred and one names", NAMES, "101" },
    { "very many names", NAMES, "4294967295" },
    { "an empty name", NAME, "" },
    { "a wildcard", NAME, "*.test" },
    { "a folder for a name", NAME, "../a.test" },
    { "a name in upper case", NAME, "A.test" },
    { "a name with a dot at its end", NAME, "a.test." },
    { "no key type", KEY, "" },
    { "another key type", KEY, "dsa:1024" },
    { "RSA in front of another type", KEY, "rsa:3072" },
    { "another second type", SECOND_KEY, "dsa:1024" },
    { "two of ECDSA", SECOND_KEY, "ecdsa:384" },
    { "no policy for keys", REUSE_KEY, "" },
    { "a policy of two", REUSE_KEY, "2" },
    { "a CA that is not there", CA, "1" },
    { "a CA far away", CA, "4294967295" },
    { "no folder", FOLDER, "" },
    { "a folder above", FOLDER, ".." },
    { "this folder", FOLDER, "." },
    { "a path for a folder", FOLDER, "../../etc" },
    { "an absolute path for a folder", FOLDER, "/etc" },
    { "served with a foreign name", AT_NAME, "b.test" },
    { "served at a name", AT_ADDRESS, "a.test" },
    { "served nowhere", AT_ADDRESS, "" },
    { "served at no port", AT_PORT, "0" },
    { "served with half a header", AT_PROXY, "2" },
};

static void
fields_out_of_their_bounds_are_refused(void **state)
{
    (void) state;
    assert_true(takes(FIELDS, ""));
    assert_true(takes(PORT_HTTP, "65535"));
    assert_true(takes(FOLDER, "a.test-2"));
    assert_true(takes(SECOND_KEY, ""));
    for (unsigned i = 0; i < sizeof(bad_fields) / sizeof(bad_fields[0]);
        i++) {
        if (takes(bad_fields[i].field, bad_fields[i].text)) {
            fail_msg("%s was taken", bad_fields[i].what);
        }
    }
}

static void
texts_of_4096_bytes_are_the_longest(void **state)
{
    char path[4098] = "/";

    (void) state;
    memset(path + 1, 'x', 4095);
    assert_true(takes(LOG_PATH, path));
    path[4096] = 'x';
    assert_false(takes(LOG_PATH, path));
}

static void
a_text_without_end_is_refused(void **state)
{
    char *endless = malloc(10000);

    (void) state;
    memset(endless, '1', 10000);
    memcpy(endless, VERSION, sizeof(VERSION));
    assert_null(read_settings((struct acme_bytes) {
        (const uint8_t *) endless, 10000 }));
    free(endless);
}

static void
a_certificate_without_folder_is_not_for_the_keeper(void **state)
{
    struct acme_settings_cert cert = certs[0];
    struct acme_settings settings = full;
    struct acme_buffer wire = ACME_BUFFER(WIRE_MAX);

    (void) state;
    cert.folder = NULL;
    settings.certs = &cert;
    settings.cert_count = 1;
    write_settings(&settings, &wire);
    assert_null(read_settings(acme_buffer_bytes(&wire)));
    acme_buffer_free(&wire);
}

static void
a_full_buffer_fails(void **state)
{
    (void) state;
    for (size_t limit = 0; limit < 300; limit += 20) {
        struct acme_buffer wire = ACME_BUFFER(limit);
        struct acme_error err;

        assert_false(acme_settings_write(&full, &wire, &err));
        assert_int_equal(err.verdict, ACME_LOCAL);
        acme_buffer_free(&wire);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_survive_the_wire),
        cmocka_unit_test(settings_without_the_optional_survive_the_wire),
        cmocka_unit_test(many_certificates_survive_the_wire),
        cmocka_unit_test(a_difference_is_a_difference_on_the_wire),
        cmocka_unit_test(every_other_length_is_refused),
        cmocka_unit_test(another_version_is_refused_and_named),
        cmocka_unit_test(fields_out_of_their_bounds_are_refused),
        cmocka_unit_test(texts_of_4096_bytes_are_the_longest),
        cmocka_unit_test(a_text_without_end_is_refused),
        cmocka_unit_test(a_certificate_without_folder_is_not_for_the_keeper),
        cmocka_unit_test(a_full_buffer_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
