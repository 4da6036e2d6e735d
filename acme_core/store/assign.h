/*
 * Which folder of the store belongs to which certificate of the configuration.
 *
 * A new folder is called after the certificate's first name, with -2, -3 ...
 * when another certificate began with the same name. What a folder is for is
 * written into it (certs/<folder>/entry), so that the order of servers and
 * names never changes it and a changed list of names keeps it: first those
 * whose entry matches exactly, then those with the same names, then, by
 * ordinal, the folders of that first name, then the one with the most names in
 * common, and for what is left a new folder.
 */

#ifndef ACME_STORE_ASSIGN_H
#define ACME_STORE_ASSIGN_H

#include "settings/settings.h"

/* Set .folder of every certificate. Reads the store, writes nothing. */
bool acme_store_assign(struct acme_settings *settings, struct acme_error *err);

/* certs/<folder>/entry: a line each for CA URL, key types, sorted names. */
bool acme_store_entry(const struct acme_settings *settings,
    const struct acme_settings_cert *cert, struct acme_buffer *entry);

#endif
