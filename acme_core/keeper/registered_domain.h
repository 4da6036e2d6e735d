/* What CAs count certificates by: the domain that somebody has registered. */

#ifndef ACME_KEEPER_REGISTERED_DOMAIN_H
#define ACME_KEEPER_REGISTERED_DOMAIN_H

#include "settings/settings.h"

/*
 * Of a name as acme_domain takes it: "example.co.uk" for "*.a.example.co.uk"
 * (by the Public Suffix List; a public suffix is its own), an IPv4 address
 * itself, the /64 of an IPv6 address. Returns out.
 */
char *registered_domain(const char *name, char out[ACME_NAME_MAX + 1]);

#endif
