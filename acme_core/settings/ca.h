/* The certificate authorities that have a name. */

#ifndef ACME_SETTINGS_CA_H
#define ACME_SETTINGS_CA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/*
 * The directory URL of a preset, or the argument itself when it is an https
 * URL. NULL with an error that names the presets.
 */
const char *acme_ca_url(const char *argument, struct acme_error *err);

/* What people call it: the preset's name, or the URL's host and port. */
bool acme_ca_name(const char *argument, char *name, size_t size);

#endif
