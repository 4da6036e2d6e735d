/* Presets for acme_ca. */

#include "settings/ca.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "settings/authority.h"
#include "settings/nearest.h"

enum { HOUR_S = 3600, WEEK_S = 7 * 24 * HOUR_S };

static const struct acme_ca_rate letsencrypt_rates[ACME_LIMITS_COUNTED] = {
    [ACME_LIMIT_ORDERS] = { 300, 3 * HOUR_S },
    [ACME_LIMIT_DOMAIN] = { 50, WEEK_S },
    [ACME_LIMIT_SET] = { 5, WEEK_S },
    [ACME_LIMIT_FAILURES] = { 5, HOUR_S },
};

static const struct acme_ca_rate staging_rates[ACME_LIMITS_COUNTED] = {
    [ACME_LIMIT_ORDERS] = { 1500, 3 * HOUR_S },
    [ACME_LIMIT_DOMAIN] = { 30000, WEEK_S },
    [ACME_LIMIT_SET] = { 30000, WEEK_S },
    [ACME_LIMIT_FAILURES] = { 60, HOUR_S },
};

static const struct acme_ca_rate no_rates[ACME_LIMITS_COUNTED];

static const struct preset {
    const char *name;
    const char *url;        /* NULL: `words` say why not */
    const char *words;      /* where to get what acme_eab wants, or NULL */
    const char *by_mail;    /* or where it is given out for a mail address */
    const char *staging;    /* the preset of its staging directory, or NULL */
    const struct acme_ca_rate *rates;   /* what it allows, or NULL */
} presets[] = {
    { .name = "letsencrypt",
        .url = "https://acme-v02.api.letsencrypt.org/directory",
        .staging = "letsencrypt-staging", .rates = letsencrypt_rates },
    { .name = "letsencrypt-staging",
        .url = "https://acme-staging-v02.api.letsencrypt.org/directory",
        .rates = staging_rates },
    { .name = "zerossl", .url = "https://acme.zerossl.com/v2/DV90",
        .words = "ZeroSSL shows it under Developer, EAB Credentials",
        .by_mail = "https://api.zerossl.com/acme/eab-credentials-email" },
    { .name = "google", .url = "https://dv.acme-v02.api.pki.goog/directory",
        .words = "\"gcloud publicca external-account-keys create\" prints it; "
            "it is good for one account and seven days" },
    { .name = "google-staging",
        .url = "https://dv.acme-v02.test-api.pki.goog/directory",
        .words = "\"gcloud publicca external-account-keys create\" with the "
            "test endpoint prints it; it is good for one account and seven "
            "days" },
    { .name = "actalis", .url = "https://acme-api.actalis.com/acme/directory",
        .words = "Actalis shows it in the ACME settings of your account" },
    { .name = "sslcom-rsa", .url = "https://acme.ssl.com/sslcom-dv-rsa",
        .words = "SSL.com shows it under API and ACME credentials" },
    { .name = "sslcom-ecc", .url = "https://acme.ssl.com/sslcom-dv-ecc",
        .words = "SSL.com shows it under API and ACME credentials" },
    { .name = "buypass", .words = "Buypass stopped issuing certificates, it "
        "was closed on 2025-10-31" },
};

enum { PRESETS = sizeof(presets) / sizeof(*presets) };

/* As the CA's own URLs must be: no user, no fragment, nothing to escape. */
static bool
is_https_url(const char *argument)
{
    const char *host, *path;
    size_t len;

    if (strncmp(argument, "https://", 8) != 0 || strlen(argument) > 2048
        || !acme_authority_plain(argument)) {
        return false;
    }
    host = argument + 8;
    len = acme_authority_host(host);
    path = len > 0 ? acme_authority_skip_port(host + len) : NULL;
    return path != NULL && (*path == '\0' || *path == '/' || *path == '?');
}

const char *
acme_ca_url(const char *argument, struct acme_error *err)
{
    const char *names[PRESETS];
    char shown[128], advice[128];
    size_t count = 0;

    for (size_t i = 0; i < PRESETS; i++) {
        if (strcmp(presets[i].name, argument) != 0) {
            if (presets[i].url != NULL) {
                names[count++] = presets[i].name;
            }
            continue;
        }
        if (presets[i].url == NULL) {
            acme_fail(err, ACME_MISCONFIG, "%s", presets[i].words);
        }
        return presets[i].url;
    }
    if (is_https_url(argument)) {
        return argument;
    }
    acme_log_escape(shown, sizeof(shown), acme_bytes_of(argument));
    if (strncmp(argument, "http://", 7) == 0) {
        acme_fail(err, ACME_MISCONFIG, "\"%s\" is not https, and ACME is "
            "never spoken over plain http", shown);
        return NULL;
    }
    acme_fail(err, ACME_MISCONFIG, "invalid value \"%s\", allowed are "
        "letsencrypt, letsencrypt-staging, zerossl, google, google-staging, "
        "actalis, sslcom-rsa, sslcom-ecc, or the https URL of an ACME "
        "directory%s", shown, acme_nearest(argument, names, count, advice,
        sizeof(advice)));
    return NULL;
}

static const struct preset *
preset_of_url(const char *url)
{
    for (size_t i = 0; i < PRESETS; i++) {
        if (presets[i].url != NULL && strcmp(presets[i].url, url) == 0) {
            return &presets[i];
        }
    }
    return NULL;
}

const char *
acme_ca_eab_source(const char *url)
{
    const struct preset *preset = preset_of_url(url);

    return preset != NULL ? preset->words : NULL;
}

const char *
acme_ca_eab_by_mail(const char *url)
{
    const struct preset *preset = preset_of_url(url);

    return preset != NULL ? preset->by_mail : NULL;
}

const char *
acme_ca_staging(const char *url)
{
    const struct preset *preset = preset_of_url(url);

    return preset != NULL ? preset->staging : NULL;
}

bool
acme_ca_is_staging(const char *url)
{
    const struct preset *preset = preset_of_url(url);

    return preset != NULL && strstr(preset->name, "-staging") != NULL;
}

const struct acme_ca_rate *
acme_ca_rates(const char *url)
{
    const struct preset *preset = preset_of_url(url);

    return preset != NULL && preset->rates != NULL ? preset->rates : no_rates;
}

bool
acme_ca_is_public(const char *url)
{
    return preset_of_url(url) != NULL;
}

bool
acme_ca_name(const char *argument, char *name, size_t size)
{
    const char *host = strncmp(argument, "https://", 8) == 0 ? argument + 8
                                                             : argument;
    size_t len = strcspn(host, "/?");

    if (len == 0 || len >= size) {
        return false;
    }
    memcpy(name, host, len);
    name[len] = '\0';
    return true;
}
