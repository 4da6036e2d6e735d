/* What a CA without an account of ours will ask for. */

#include "store/store.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "settings/ca.h"
#include "settings/eab.h"

static bool
has_file(const char *state_path, const char *folder, const char *name)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof(path), "%s/accounts/%s/default/%s",
        state_path, folder, name);

    return len > 0 && (size_t) len < sizeof(path)
        && (access(path, F_OK) == 0 || errno == EACCES);
}

/*
 * One that cannot be looked for, by a user who may not, counts as there. So
 * does one of which there is the key: the CA finds it.
 */
static bool
has_account(const char *state_path, const char *url, struct acme_error *err)
{
    char folder[ACME_FOLDER_MAX];

    return acme_store_ca_folder(url, folder, err)
        && (has_file(state_path, folder, "account.json")
            || has_file(state_path, folder, "account.key"));
}

/* Does the CA give out a binding for a mail address, and is there one? */
static bool
gets_one_by_mail(const struct acme_settings *settings,
    const struct acme_settings_ca *ca)
{
    return acme_ca_eab_by_mail(ca->url) != NULL
        && settings->contact_count > 0;
}

static bool
check_eab(const struct acme_settings *settings,
    const struct acme_settings_ca *ca, struct acme_error *err)
{
    struct acme_buffer key = ACME_BUFFER(ACME_STORE_FILE_MAX);
    const char *source = acme_ca_eab_source(ca->url);
    bool ok;

    if (ca->eab_kid == NULL) {
        return source == NULL || gets_one_by_mail(settings, ca)
            || acme_fail(err, ACME_MISCONFIG, "acme_ca %s demands an "
            "external account binding: add %s\"acme_eab %s KID FILE;\" with "
            "the key identifier and a file with the HMAC key; %s", ca->name,
            acme_ca_eab_by_mail(ca->url) == NULL ? "" : "\"acme_contact "
            "MAIL;\" with your mail address, for which it gives one out, or ",
            ca->name, source);
    }
    ok = acme_eab_read(ca->eab_file, &key, err);
    acme_buffer_wipe(&key);
    return ok;
}

bool
acme_store_check_accounts(const struct acme_settings *settings,
    acme_settings_warn warn, void *warn_ctx, struct acme_error *err)
{
    for (size_t i = 0; i < settings->ca_count; i++) {
        const struct acme_settings_ca *ca = &settings->cas[i];

        if (check_eab(settings, ca, err)) {
            continue;
        }
        if (!has_account(settings->state_path, ca->url, err)) {
            return false;
        }
        if (ca->eab_kid != NULL) {
            warn(warn_ctx, err->text);
        }
    }
    return true;
}
