/* Presets for acme_ca. */

#include "settings/ca.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "settings/nearest.h"

static const struct preset {
    const char *name;
    const char *url;        /* NULL: `closed` says why not */
    const char *closed;
} presets[] = {
    { "letsencrypt", "https://acme-v02.api.letsencrypt.org/directory", NULL },
    { "letsencrypt-staging",
        "https://acme-staging-v02.api.letsencrypt.org/directory", NULL },
    { "buypass", NULL, "Buypass stopped issuing certificates, it was "
        "closed on 2025-10-31" },
};

enum { PRESETS = sizeof(presets) / sizeof(*presets) };

static bool
is_https_url(const char *argument)
{
    size_t len = strlen(argument);

    return strncmp(argument, "https://", 8) == 0 && len > 8 && len <= 2048
        && strspn(argument + 8, "/?#@") == 0
        && strpbrk(argument, " \t\r\n\"<>\\^`{|}#") == NULL;
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
            acme_fail(err, ACME_MISCONFIG, "%s", presets[i].closed);
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
        "letsencrypt, letsencrypt-staging, or the https URL of an ACME "
        "directory%s", shown, acme_nearest(argument, names, count, advice,
        sizeof(advice)));
    return NULL;
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
