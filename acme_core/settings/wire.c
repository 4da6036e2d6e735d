/*
 * The settings as bytes for the helper: a version, then texts that each end
 * in NUL, in the order of the model; numbers in decimal. Not JSON, because
 * this is linked into the server, which parses none.
 */

#include "settings/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings/name.h"

#define VERSION "acme-settings 8"

enum { CAS_MAX = 1000, CERTS_MAX = 100000, CONTACTS_MAX = 10,
    TEXT_MAX = 4096, LOG_ID_MAX = 999999999 };

/* ---- writing */

static bool
put(struct acme_buffer *wire, const char *text)
{
    return acme_buffer_add(wire, text, strlen(text) + 1);
}

static bool
put_number(struct acme_buffer *wire, unsigned long number)
{
    char text[24];

    snprintf(text, sizeof(text), "%lu", number);
    return put(wire, text);
}

/* An absent text is an empty one; none of ours is empty. */
static bool
put_optional(struct acme_buffer *wire, const char *text)
{
    return put(wire, text != NULL ? text : "");
}

static bool
put_texts(struct acme_buffer *wire, char *const *texts, size_t count)
{
    bool ok = put_number(wire, count);

    for (size_t i = 0; ok && i < count; i++) {
        ok = put(wire, texts[i]);
    }
    return ok;
}

static bool
put_ca(struct acme_buffer *wire, const struct acme_settings_ca *ca)
{
    return put(wire, ca->name) && put(wire, ca->url)
        && put_optional(wire, ca->trust_file)
        && put_optional(wire, ca->eab_kid)
        && (ca->eab_kid == NULL || (put(wire, ca->eab_file)
            && put(wire, acme_hmac_name(ca->eab_algorithm))))
        && put_number(wire, ca->staging);
}

static bool
put_manner(struct acme_buffer *wire, const struct acme_settings_cert *cert)
{
    bool ok = put_number(wire, cert->challenge_count);

    for (size_t i = 0; ok && i < cert->challenge_count; i++) {
        ok = put(wire, acme_challenge_type_name(cert->challenges[i]));
    }
    return ok && put_number(wire, cert->renew_percent)
        && put_number(wire, cert->renew_days);
}

static bool
put_choices(struct acme_buffer *wire, const struct acme_settings_cert *cert)
{
    size_t count = acme_settings_choice_count(cert);
    bool ok = put_number(wire, count);

    for (size_t i = 0; ok && i < count; i++) {
        struct acme_settings_choice choice = acme_settings_choice(cert, i);

        ok = put_number(wire, choice.ca) && put_optional(wire, choice.profile)
            && put_number(wire, choice.profile_required)
            && put_optional(wire, choice.chain);
    }
    return ok;
}

static bool
put_listener(struct acme_buffer *wire,
    const struct acme_settings_listener *listener)
{
    return put_optional(wire, listener->name)
        && (listener->name == NULL || (put(wire, listener->address)
            && put_number(wire, listener->port)
            && put_number(wire, listener->proxy_protocol)));
}

static bool
put_cert(struct acme_buffer *wire, const struct acme_settings_cert *cert)
{
    return put_texts(wire, cert->names, cert->name_count)
        && put(wire, acme_key_type_name(cert->key_types[0]))
        && put_optional(wire, acme_key_type_name(cert->key_types[1]))
        && put_number(wire, cert->reuse_key)
        && put_choices(wire, cert) && put_optional(wire, cert->folder)
        && put_manner(wire, cert) && put_listener(wire, &cert->listener);
}

static bool
put_event(struct acme_buffer *wire, const struct acme_settings *settings)
{
    return put_optional(wire, settings->event)
        && (settings->event == NULL || put(wire, settings->event_user));
}

static bool
put_all(const struct acme_settings *settings, struct acme_buffer *wire)
{
    bool ok = put(wire, VERSION) && put_number(wire, settings->accept_terms)
        && put_texts(wire, settings->contacts, settings->contact_count)
        && put(wire, settings->state_path) && put(wire, settings->user)
        && put_event(wire, settings)
        && put(wire, settings->helper) && put_optional(wire, settings->proxy)
        && put_number(wire, settings->port_http)
        && put_number(wire, settings->port_https)
        && put_number(wire, settings->listens_http)
        && put_number(wire, settings->listens_https)
        && put_number(wire, settings->reload)
        && put_number(wire, settings->reload_delay_s)
        && put_optional(wire, settings->server)
        && put_number(wire, settings->dialect)
        && put_optional(wire, settings->log_path)
        && put_number(wire, settings->log_id)
        && put_number(wire, (unsigned long) settings->log_level)
        && put_number(wire, (unsigned long) settings->reload_signal)
        && put_number(wire, settings->check_first)
        && put_number(wire, settings->ca_count);

    for (size_t i = 0; ok && i < settings->ca_count; i++) {
        ok = put_ca(wire, &settings->cas[i]);
    }
    ok = ok && put_number(wire, settings->cert_count);
    for (size_t i = 0; ok && i < settings->cert_count; i++) {
        ok = put_cert(wire, &settings->certs[i]);
    }
    return ok;
}

bool
acme_settings_write(const struct acme_settings *settings,
    struct acme_buffer *wire, struct acme_error *err)
{
    return put_all(settings, wire)
        || acme_fail(err, ACME_LOCAL, "no memory for the settings");
}

/* ---- reading */

struct reader {
    struct acme_bytes rest;
    bool broken;
};

/* The next text, borrowed; "" and .broken when there is none. */
static const char *
get(struct reader *reader)
{
    const char *text = (const char *) reader->rest.at;
    size_t len = reader->rest.len > 0
        ? strnlen(text, reader->rest.len) : 0;

    if (reader->broken || len >= reader->rest.len || len > TEXT_MAX) {
        reader->broken = true;
        return "";
    }
    reader->rest.at += len + 1;
    reader->rest.len -= len + 1;
    return text;
}

static unsigned long
get_number(struct reader *reader, unsigned long max)
{
    const char *text = get(reader);
    unsigned long number;

    if (text[0] == '\0' || strlen(text) > 10
        || strspn(text, "0123456789") != strlen(text)) {
        reader->broken = true;
        return 0;
    }
    number = strtoul(text, NULL, 10);
    if (number > max) {
        reader->broken = true;
        return 0;
    }
    return number;
}

static char *
get_copy(struct reader *reader)
{
    const char *text = get(reader);
    char *copy = reader->broken ? NULL : strdup(text);

    if (copy == NULL) {
        reader->broken = true;
    }
    return copy;
}

/* A text that must be there. */
static char *
get_text(struct reader *reader)
{
    char *copy = get_copy(reader);

    if (copy != NULL && copy[0] == '\0') {
        reader->broken = true;
    }
    return copy;
}

static char *
get_path(struct reader *reader)
{
    char *copy = get_copy(reader);

    if (copy != NULL && copy[0] != '/') {
        reader->broken = true;
    }
    return copy;
}

static unsigned
get_port(struct reader *reader)
{
    unsigned port = (unsigned) get_number(reader, 65535);

    if (port == 0) {
        reader->broken = true;
    }
    return port;
}

static char *
get_optional(struct reader *reader)
{
    char *copy = get_copy(reader);

    if (copy != NULL && copy[0] == '\0') {
        free(copy);
        return NULL;
    }
    return copy;
}

static void
get_texts(struct reader *reader, size_t max, char ***texts, size_t *count)
{
    unsigned long wanted = get_number(reader, max);

    *texts = calloc(wanted + 1, sizeof(**texts));
    if (*texts == NULL) {
        reader->broken = true;
        return;
    }
    for (unsigned long i = 0; i < wanted && !reader->broken; i++) {
        (*texts)[i] = get_copy(reader);
        *count += (*texts)[i] != NULL;
    }
}

static void
get_cas(struct reader *reader, struct acme_settings *settings)
{
    unsigned long count = get_number(reader, CAS_MAX);

    settings->cas = calloc(count + 1, sizeof(*settings->cas));
    if (settings->cas == NULL) {
        reader->broken = true;
        return;
    }
    for (unsigned long i = 0; i < count && !reader->broken; i++) {
        struct acme_settings_ca *ca = &settings->cas[settings->ca_count++];

        ca->name = get_text(reader);
        ca->url = get_text(reader);
        ca->trust_file = get_optional(reader);
        ca->eab_kid = get_optional(reader);
        if (ca->eab_kid != NULL) {
            ca->eab_file = get_path(reader);
            ca->eab_algorithm = acme_hmac_of(get(reader));
            reader->broken |= ca->eab_algorithm == ACME_HMAC_NONE;
        }
        ca->staging = get_number(reader, count);
    }
}

/* One component of a path, and no hidden one. */
static bool
is_folder(const char *folder)
{
    return folder != NULL && folder[0] != '.' && strchr(folder, '/') == NULL;
}

/* One type, or one ECDSA and then one RSA type. */
static void
get_keys(struct reader *reader, struct acme_settings_cert *cert)
{
    const char *second;

    cert->key_types[0] = acme_key_type_of(get(reader));
    second = get(reader);
    cert->key_types[1] = acme_key_type_of(second);
    if (cert->key_types[0] == ACME_KEY_NONE || (second[0] != '\0'
            && (acme_key_is_rsa(cert->key_types[0])
                || !acme_key_is_rsa(cert->key_types[1])))) {
        reader->broken = true;
    }
}

static void
get_manner(struct reader *reader, struct acme_settings_cert *cert)
{
    cert->challenge_count = get_number(reader, ACME_CHALLENGE_TYPES - 1);
    reader->broken |= cert->challenge_count == 0;
    for (size_t i = 0; i < cert->challenge_count; i++) {
        cert->challenges[i] = acme_challenge_type_of(get(reader));
        reader->broken |= cert->challenges[i] == ACME_CHALLENGE_NONE;
    }
    cert->renew_percent = (unsigned) get_number(reader, 100);
    cert->renew_days = (unsigned) get_number(reader, 1000);
}

/* What was read belongs to the certificate at once, be it broken. */
static void
get_choices(struct reader *reader, const struct acme_settings *settings,
    struct acme_settings_cert *cert)
{
    unsigned long count = get_number(reader, ACME_CHOICES_MAX);

    cert->fallbacks = calloc(ACME_CHOICES_MAX, sizeof(*cert->fallbacks));
    reader->broken |= count == 0 || cert->fallbacks == NULL;
    for (unsigned long i = 0; i < count && !reader->broken; i++) {
        struct acme_settings_choice choice;

        choice.ca = get_number(reader, CAS_MAX);
        choice.profile = get_optional(reader);
        choice.profile_required = get_number(reader, 1);
        choice.chain = get_optional(reader);
        reader->broken |= choice.ca >= settings->ca_count;
        if (i > 0) {
            cert->fallbacks[cert->fallback_count++] = choice;
        } else {
            cert->ca = choice.ca;
            cert->profile = choice.profile;
            cert->profile_required = choice.profile_required;
            cert->chain = choice.chain;
        }
    }
}

static void
get_listener(struct reader *reader, struct acme_settings_cert *cert)
{
    struct acme_settings_listener *listener = &cert->listener;

    listener->name = get_optional(reader);
    if (listener->name == NULL) {
        return;
    }
    listener->address = get_text(reader);
    listener->port = get_port(reader);
    listener->proxy_protocol = get_number(reader, 1);
    reader->broken |= !acme_settings_has_name(cert, listener->name)
        || listener->address == NULL || !acme_name_is_ip(listener->address);
}

static void
get_cert(struct reader *reader, const struct acme_settings *settings,
    struct acme_settings_cert *cert)
{
    char lower[ACME_NAME_MAX + 1];
    struct acme_error err;

    get_texts(reader, ACME_NAMES_MAX, &cert->names, &cert->name_count);
    get_keys(reader, cert);
    cert->reuse_key = get_number(reader, 1);
    get_choices(reader, settings, cert);
    cert->folder = get_optional(reader);
    get_manner(reader, cert);
    get_listener(reader, cert);
    if (cert->name_count == 0 || !is_folder(cert->folder)) {
        reader->broken = true;
    }
    for (size_t i = 0; i < cert->name_count && !reader->broken; i++) {
        reader->broken = !acme_name_check(cert->names[i], lower, &err)
            || strcmp(cert->names[i], lower) != 0;
    }
}

static void
get_certs(struct reader *reader, struct acme_settings *settings)
{
    unsigned long count = get_number(reader, CERTS_MAX);

    settings->certs = calloc(count + 1, sizeof(*settings->certs));
    if (settings->certs == NULL) {
        reader->broken = true;
        return;
    }
    for (unsigned long i = 0; i < count && !reader->broken; i++) {
        get_cert(reader, settings, &settings->certs[settings->cert_count++]);
    }
}

static void
get_event(struct reader *reader, struct acme_settings *settings)
{
    settings->event = get_optional(reader);
    if (settings->event != NULL) {
        reader->broken |= settings->event[0] != '/';
        settings->event_user = get_text(reader);
    }
}

static void
get_all(struct reader *reader, struct acme_settings *settings)
{
    settings->accept_terms = get_number(reader, 1);
    get_texts(reader, CONTACTS_MAX, &settings->contacts,
        &settings->contact_count);
    settings->state_path = get_path(reader);
    settings->user = get_text(reader);
    get_event(reader, settings);
    settings->helper = get_path(reader);
    settings->proxy = get_optional(reader);
    settings->port_http = get_port(reader);
    settings->port_https = get_port(reader);
    settings->listens_http = get_number(reader, 1);
    settings->listens_https = get_number(reader, 1);
    settings->reload = get_number(reader, 1);
    settings->reload_delay_s = (unsigned) get_number(reader, 3600);
    settings->server = get_optional(reader);
    settings->dialect = (enum acme_dialect) get_number(reader,
        ACME_DIALECT_HTTPD);
    settings->log_path = get_optional(reader);
    settings->log_id = (unsigned) get_number(reader, LOG_ID_MAX);
    settings->log_level = (int) get_number(reader, 100);
    settings->reload_signal = (int) get_number(reader, 64);
    settings->check_first = get_number(reader, 1);
    get_cas(reader, settings);
    get_certs(reader, settings);
}

struct acme_settings *
acme_settings_read(struct acme_bytes wire, struct acme_error *err)
{
    struct acme_settings *settings = calloc(1, sizeof(*settings));
    struct reader reader = { .rest = wire };

    if (settings == NULL) {
        acme_fail_memory(err);
        return NULL;
    }
    if (strcmp(get(&reader), VERSION) != 0) {
        acme_settings_free(settings);
        acme_fail(err, ACME_PEER_BROKE, "settings of another version");
        return NULL;
    }
    get_all(&reader, settings);
    if (reader.broken || reader.rest.len != 0) {
        acme_settings_free(settings);
        acme_fail(err, ACME_PEER_BROKE, "malformed settings");
        return NULL;
    }
    return settings;
}
