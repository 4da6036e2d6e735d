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
    const char *second = acme_key_type_name(cert->key_types[1]);

    return acme_buffer_printf(entry, "ca %s\nkey %s%s%s\n",
            settings->cas[cert->ca].url,
            acme_key_type_name(cert->key_types[0]),
            second != NULL ? " " : "", second != NULL ? second : "")
        && add_names(cert, entry);
}

/* ---- what is in the store */

struct folder {
    char *name;               /* borrowed from the list */
    struct acme_buffer entry;
    bool taken;
};

struct folders {
    char **list;              /* sorted */
    struct folder *at;        /* those that have an entry, in that order */
    size_t count;
};

static void
folders_free(struct folders *folders)
{
    for (size_t i = 0; i < folders->count; i++) {
        acme_buffer_free(&folders->at[i].entry);
    }
    free(folders->at);
    free(folders->list);
}

static bool
folders_read(struct folders *folders, const char *state_path)
{
    size_t listed = 0;

    folders->list = acme_store_folders(state_path);
    while (folders->list != NULL && folders->list[listed] != NULL) {
        listed++;
    }
    folders->at = calloc(listed + 1, sizeof(*folders->at));
    if (folders->list == NULL || folders->at == NULL) {
        return false;
    }
    for (size_t i = 0; i < listed; i++) {
        struct folder *folder = &folders->at[folders->count];
        struct acme_error ignored;

        folder->entry.limit = ACME_STORE_FILE_MAX;
        folder->name = folders->list[i];
        if (acme_store_entry_read(state_path, folder->name, &folder->entry,
                &ignored)) {
            folders->count++;
        } else {
            acme_buffer_free(&folder->entry);
        }
    }
    return true;
}

static int
by_name(const void *name, const void *folder)
{
    return strcmp(name, ((const struct folder *) folder)->name);
}

static struct folder *
folders_find(const struct folders *folders, const char *name)
{
    return bsearch(name, folders->at, folders->count, sizeof(*folders->at),
        by_name);
}

static bool
folder_name(const char *name, unsigned ordinal, char out[ACME_FOLDER_MAX])
{
    int len = ordinal == 1
        ? snprintf(out, ACME_FOLDER_MAX, "%s", name)
        : snprintf(out, ACME_FOLDER_MAX, "%s-%u", name, ordinal);

    return len > 0 && len < ACME_FOLDER_MAX;
}

/* ---- claims */

/* From the line break in front of the first name to the end. */
static const char *
names_part(const char *entry)
{
    const char *at = strstr(entry, "\nname ");

    return at != NULL ? at : "";
}

static struct folder *
claim_same_entry(struct folders *folders,
    const struct acme_settings_cert *cert, const char *wanted)
{
    (void) cert;
    for (size_t i = 0; i < folders->count; i++) {
        if (!folders->at[i].taken
            && strcmp(wanted, acme_buffer_text(&folders->at[i].entry)) == 0) {
            return &folders->at[i];
        }
    }
    return NULL;
}

static struct folder *
claim_same_names(struct folders *folders,
    const struct acme_settings_cert *cert, const char *wanted)
{
    (void) cert;
    for (size_t i = 0; i < folders->count; i++) {
        const char *stored = acme_buffer_text(&folders->at[i].entry);

        if (!folders->at[i].taken
            && strcmp(names_part(wanted), names_part(stored)) == 0) {
            return &folders->at[i];
        }
    }
    return NULL;
}

static struct folder *
claim_first_name(struct folders *folders,
    const struct acme_settings_cert *cert, const char *wanted)
{
    char name[ACME_FOLDER_MAX];

    (void) wanted;
    for (unsigned n = 1; n <= ORDINALS_MAX
         && folder_name(cert->names[0], n, name); n++) {
        struct folder *folder = folders_find(folders, name);

        if (folder == NULL) {
            break;
        }
        if (!folder->taken) {
            return folder;
        }
    }
    return NULL;
}

static size_t
count_common(const struct acme_settings_cert *cert, const char *stored)
{
    size_t count = 0;

    for (size_t i = 0; i < cert->name_count; i++) {
        char line[ACME_NAME_MAX + sizeof("\nname \n")];

        snprintf(line, sizeof(line), "\nname %s\n", cert->names[i]);
        count += strstr(stored, line) != NULL;
    }
    return count;
}

static struct folder *
claim_common_names(struct folders *folders,
    const struct acme_settings_cert *cert, const char *wanted)
{
    struct folder *best = NULL;
    size_t most = 0;

    (void) wanted;
    for (size_t i = 0; i < folders->count; i++) {
        struct folder *folder = &folders->at[i];
        size_t common = folder->taken ? 0
            : count_common(cert, names_part(acme_buffer_text(&folder->entry)));

        if (common > most) {
            most = common;
            best = folder;
        }
    }
    return best;
}

/* Best first; each is tried for all certificates before the next one. */
static struct folder *(*const claims[])(struct folders *folders,
    const struct acme_settings_cert *cert, const char *wanted) = {
    claim_same_entry, claim_same_names, claim_first_name, claim_common_names
};

enum { CLAIMS = sizeof(claims) / sizeof(*claims) };

/* ---- the assignment */

static bool
take(struct acme_settings_cert *cert, const char *folder,
    struct acme_error *err)
{
    cert->folder = strdup(folder);
    return cert->folder != NULL || acme_fail_memory(err);
}

static bool
try_claim(struct acme_settings *settings, struct acme_settings_cert *cert,
    struct folders *folders, int claim, struct acme_error *err)
{
    struct acme_buffer wanted = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct folder *folder;
    bool ok = true;

    if (!acme_store_entry(settings, cert, &wanted)) {
        acme_buffer_free(&wanted);
        return acme_fail_memory(err);
    }
    folder = claims[claim](folders, cert, acme_buffer_text(&wanted));
    if (folder != NULL) {
        folder->taken = true;
        ok = take(cert, folder->name, err);
    }
    acme_buffer_free(&wanted);
    return ok;
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
take_new(struct acme_settings *settings, struct acme_settings_cert *cert,
    const struct folders *folders, struct acme_error *err)
{
    char name[ACME_FOLDER_MAX];

    for (unsigned n = 1; n <= ORDINALS_MAX
         && folder_name(cert->names[0], n, name); n++) {
        if (folders_find(folders, name) == NULL && !is_taken(settings, name)) {
            return take(cert, name, err);
        }
    }
    return acme_fail(err, ACME_MISCONFIG, "no folder left for %s",
        cert->names[0]);
}

bool
acme_store_assign(struct acme_settings *settings, struct acme_error *err)
{
    struct folders folders = { 0 };
    bool ok = folders_read(&folders, settings->state_path)
        || acme_fail_memory(err);

    for (size_t i = 0; i < settings->cert_count; i++) {
        free(settings->certs[i].folder);
        settings->certs[i].folder = NULL;
    }
    for (int claim = 0; ok && claim < CLAIMS; claim++) {
        for (size_t i = 0; ok && i < settings->cert_count; i++) {
            if (settings->certs[i].folder == NULL) {
                ok = try_claim(settings, &settings->certs[i], &folders, claim,
                    err);
            }
        }
    }
    for (size_t i = 0; ok && i < settings->cert_count; i++) {
        ok = settings->certs[i].folder != NULL
            || take_new(settings, &settings->certs[i], &folders, err);
    }
    folders_free(&folders);
    return ok;
}
