/*
 * Certificates of the configuration to folders of the store. A pure function
 * of the settings and of what the folders say they are for.
 */

#include "store/assign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/store.h"

enum { ORDINALS_MAX = 1000 };

/* ---- the entry text */

static int
by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* The names, sorted, a line each: the part that tells sets apart. */
static bool
add_names(const struct acme_settings_cert *cert, struct acme_buffer *out)
{
    const char **sorted = calloc(cert->name_count, sizeof(*sorted));
    bool ok = sorted != NULL;

    for (size_t i = 0; ok && i < cert->name_count; i++) {
        sorted[i] = cert->names[i];
    }
    if (ok) {
        qsort(sorted, cert->name_count, sizeof(*sorted), by_text);
    }
    for (size_t i = 0; ok && i < cert->name_count; i++) {
        ok = acme_buffer_printf(out, "name %s\n", sorted[i]);
    }
    free(sorted);
    return ok;
}

bool
acme_store_entry(const struct acme_settings *settings,
    const struct acme_settings_cert *cert, struct acme_buffer *entry)
{
    return acme_buffer_printf(entry, "ca %s\nkey %s\n",
            settings->cas[cert->ca].url, acme_key_type_name(cert->key_type))
        && add_names(cert, entry);
}

/* ---- claims */

/* What a folder may be claimed by, best first. */
enum claim { SAME_ENTRY, SAME_NAMES, SAME_FIRST_NAME, CLAIMS };

static const char *
names_part(const char *entry)
{
    const char *at = strstr(entry, "\nname ");

    return at != NULL ? at : "";
}

static bool
claims(enum claim claim, const char *wanted, const char *stored)
{
    switch (claim) {
    case SAME_ENTRY:
        return strcmp(wanted, stored) == 0;
    case SAME_NAMES:
        return strcmp(names_part(wanted), names_part(stored)) == 0;
    case SAME_FIRST_NAME:
    case CLAIMS:
        break;
    }
    return true;
}

static bool
folder_name(const char *name, unsigned ordinal, char out[ACME_FOLDER_MAX])
{
    int len = ordinal == 1
        ? snprintf(out, ACME_FOLDER_MAX, "%s", name)
        : snprintf(out, ACME_FOLDER_MAX, "%s-%u", name, ordinal);

    return len > 0 && len < ACME_FOLDER_MAX;
}

static bool
is_taken(const struct acme_settings *settings, const char *folder)
{
    for (size_t i = 0; i < settings->cert_count; i++) {
        const char *other = settings->certs[i].folder;

        if (other != NULL && strcmp(other, folder) == 0) {
            return true;
        }
    }
    return false;
}

static bool
take(struct acme_settings_cert *cert, const char *folder,
    struct acme_error *err)
{
    cert->folder = strdup(folder);
    return cert->folder != NULL || acme_fail_memory(err);
}

/*
 * Look through the folders of the certificate's first name for one that it
 * may claim. A free folder (no entry) ends the search and goes to the
 * weakest claim only.
 */
static bool
try_claim(struct acme_settings *settings, struct acme_settings_cert *cert,
    enum claim claim, const char *wanted, struct acme_error *err)
{
    struct acme_buffer stored = ACME_BUFFER(ACME_STORE_FILE_MAX);
    char folder[ACME_FOLDER_MAX];
    bool ok = true;

    for (unsigned n = 1; ok && cert->folder == NULL; n++) {
        struct acme_error why = { 0 };
        bool present;

        if (n > ORDINALS_MAX || !folder_name(cert->names[0], n, folder)) {
            ok = claim != SAME_FIRST_NAME || acme_fail(err, ACME_MISCONFIG,
                "no folder left for %s", cert->names[0]);
            break;
        }
        acme_buffer_clear(&stored);
        present = acme_store_entry_read(settings->state_path, folder, &stored,
            &why);
        if (!present && claim != SAME_FIRST_NAME) {
            break;
        }
        if (!is_taken(settings, folder) && (!present
                || claims(claim, wanted, acme_buffer_text(&stored)))) {
            ok = take(cert, folder, err);
        }
    }
    acme_buffer_free(&stored);
    return ok;
}

bool
acme_store_assign(struct acme_settings *settings, struct acme_error *err)
{
    struct acme_buffer wanted = ACME_BUFFER(ACME_STORE_FILE_MAX);
    bool ok = true;

    for (size_t i = 0; i < settings->cert_count; i++) {
        free(settings->certs[i].folder);
        settings->certs[i].folder = NULL;
    }
    for (int claim = SAME_ENTRY; ok && claim < CLAIMS; claim++) {
        for (size_t i = 0; ok && i < settings->cert_count; i++) {
            struct acme_settings_cert *cert = &settings->certs[i];

            if (cert->folder != NULL) {
                continue;
            }
            acme_buffer_clear(&wanted);
            ok = acme_store_entry(settings, cert, &wanted)
                || acme_fail_memory(err);
            ok = ok && try_claim(settings, cert, claim,
                acme_buffer_text(&wanted), err);
        }
    }
    acme_buffer_free(&wanted);
    return ok;
}
