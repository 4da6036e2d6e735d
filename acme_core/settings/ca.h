/* The certificate authorities that have a name. */

#ifndef ACME_SETTINGS_CA_H
#define ACME_SETTINGS_CA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * The directory URL of a preset, or the argument itself when it is an https
 * URL. NULL with an error that names the presets.
 */
const char *acme_ca_url(const char *argument, struct acme_error *err);

/* What a CA counts. */
enum acme_ca_limit {
    ACME_LIMIT_ORDERS,          /* new orders of an account */
    ACME_LIMIT_DOMAIN,          /* certificates of a registered domain */
    ACME_LIMIT_SET,             /* certificates of exactly these names */
    ACME_LIMIT_FAILURES,        /* failed validations of an account's name */
    ACME_LIMITS_COUNTED,
    ACME_LIMIT_REGISTRATIONS = ACME_LIMITS_COUNTED,   /* new accounts */
    ACME_LIMIT_CA,              /* anything */
    ACME_LIMITS
};

/*
 * So many at once; what was used comes back one by one, all of it within the
 * time. 0: it does not say how many.
 */
struct acme_ca_rate {
    unsigned count;
    int64_t within_s;
};

/*
 * What the preset with this directory URL is known to allow, by
 * enum acme_ca_limit; for a CA of which that is not known there is none.
 */
const struct acme_ca_rate *acme_ca_rates(const char *url);

/* Is this directory one of a preset, a CA for all the world? */
bool acme_ca_is_public(const char *url);

/*
 * Where the operator gets what acme_eab wants, for a CA that is known to
 * demand it; NULL for others.
 */
const char *acme_ca_eab_source(const char *url);

/*
 * Where the CA gives out bindings for a mail address (see
 * protocol/binding.h); NULL for CAs that do not.
 */
const char *acme_ca_eab_by_mail(const char *url);

/*
 * The preset that is this one's staging directory, for practice: it allows
 * many failures, and nobody trusts what it issues. NULL for CAs without.
 */
const char *acme_ca_staging(const char *url);

/* Is it a staging directory of a preset, whose certificates nobody trusts? */
bool acme_ca_is_staging(const char *url);

/* What people call it: the preset's name, or the URL's host and port. */
bool acme_ca_name(const char *argument, char *name, size_t size);

#endif
