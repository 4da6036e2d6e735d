/* Presets for acme_ca. */

#include "settings/ca.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "settings/authority.h"
#include "settings/nearest.h"

static const struct preset {
    const char *name;
    const char *url;        /* NULL: `words` say why not */
    const char *words;      /* where to get what acme_eab wants, or NULL */
    const char *by_mail;    /* or where it is given out for a mail address */
    const char *staging;    /* the preset of its staging directory, or NULL */
} presets[] = {
    { "letsencrypt", "https://acme-v02.api.letsencrypt.org/directory", NULL,
        NULL, "letsencrypt-staging" },
    { "letsencrypt-staging",
        "https://acme-staging-v02.api.letsencrypt.org/directory", NULL,
        NULL, NULL },
    { "zerossl", "https://acme.zerossl.com/v2/DV90",
        "ZeroSSL shows it under Developer, EAB Credentials",
        "https://api.zerossl.com/acme/eab-credentials-email", NULL },
    { "google", "https://dv.acme-v02.api.pki.goog/directory",
        "\"gcloud publicca external-account-keys create\" prints it; it is "
        "good for one account and seven days", NULL, NULL },
    { "google-staging",
        "https://dv.acme-v02.test-api.pki.goog/directory",
        "\"gcloud publicca external-account-keys create\" with the test "
        "endpoint prints it; it is good for one account and seven days",
        NULL, NULL },
    { "actalis", "https://acme-api.actalis.com/acme/directory",
        "Actalis shows it in the ACME settings of your account", NULL, NULL },
    { "sslcom-rsa", "https://acme.ssl.com/sslcom-dv-rsa",
        "SSL.com shows it under API and ACME credentials", NULL, NULL },
    { "sslcom-ecc", "https://acme.ssl.com/sslcom-dv-ecc",
        "SSL.com shows it under API and ACME credentials", NULL, NULL },
    { "buypass", NULL, "Buypass stopped issuing certificates, it was "
        "closed on 2025-10-31", NULL, NULL },
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
