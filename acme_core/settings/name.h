/* Which names can be in a certificate (RFC 8555 7.1.4, CA/B BR 7.1.4). */

#ifndef ACME_SETTINGS_NAME_H
#define ACME_SETTINGS_NAME_H

#include <stdbool.h>

#include "base/error.h"
#include "settings/settings.h"

/*
 * Check a name and write its lower-case form: Unicode (UTF-8) in ASCII, its
 * labels as A-labels ("xn--..."), an IPv6 address, with or without brackets,
 * as RFC 5952 spells it.
 * Accepted: host names with at least one dot (LDH labels of 1 to
 * 63 bytes, no all-numeric last label, at most 253 bytes, one trailing dot is
 * dropped) and IP addresses. Refused with words that say why: regular
 * expressions, "", "_", localhost, .local and the other names reserved for
 * private use by RFC 6761/8375 -- except .test and .example, which private
 * CAs certify --, wildcards ("needs the dns-01 challenge, which this version
 * cannot do"), a leading dot ("write
 * acme_domain x"), and what libidn2 refuses, in its words.
 */
bool acme_name_check(const char *name, char lower[ACME_NAME_MAX + 1],
    struct acme_error *err);

/* Is this text an IPv4 or IPv6 address? */
bool acme_name_is_ip(const char *name);

/*
 * Is it an address of private networks, this host's own (loopback) or this
 * link's? Only a CA of the same network can certify it.
 */
bool acme_name_is_private_ip(const char *name);

#endif
