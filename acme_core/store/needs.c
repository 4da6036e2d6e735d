/* What a CA without an account of ours will ask for. */

#include "store/store.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "settings/ca.h"
#include "settings/eab.h"

/* One that cannot be looked for, by a user who may not, counts as there. */
static bool
has_account(const char *state_path, const char *url, struct acme_error *err)
{
    char folder[ACME_FOLDER_MAX], path[PATH_MAX];
    int len;

    if (!acme_store_ca_folder(url, folder, err)) {
        return false;
    }
    len = snprintf(path, sizeof(path), "%s/accounts/%s/default/account.json",
        state_path, folder);
    return len > 0 && (size_t) len < sizeof(path)
        && (access(path, F_OK) == 0 || errno == EACCES);
}

static bool
check_eab(const struct acme_settings_ca *ca, struct acme_error *err)
{
    struct acme_buffer key = ACME_BUFFER(ACME_STORE_FILE_MAX);
    const char *source = acme_ca_eab_source(ca->url);
    bool ok;

    if (ca->eab_kid == NULL) {
        return source == NULL || acme_fail(err, ACME_MISCONFIG,
            "acme_ca %s demands an external account binding: add \"acme_eab "
            "%s KID FILE;\" with the key identifier and a file with the HMAC "
            "key; %s", ca->name, ca->name, source);
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

        if (check_eab(ca, err)) {
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
