/* Unicode names as the DNS has them (RFC 5891, UTS #46). */

#ifndef ACME_SETTINGS_IDN_H
#define ACME_SETTINGS_IDN_H

#include <stdbool.h>

#include "settings/settings.h"

/* Has the name bytes outside ASCII? */
bool acme_idn_is(const char *name);

/*
 * Write a UTF-8 name in ASCII, its labels as A-labels ("xn--...") where they
 * need it; a dot at the end stays. False, with why_out saying why not in
 * libidn2's words (static, not translated), when it is no UTF-8, holds what
 * IDNA does not allow, or gets longer than a name may be.
 */
bool acme_idn_to_ascii(const char *name, char ascii[ACME_NAME_MAX + 2],
    const char **why_out);

#endif
