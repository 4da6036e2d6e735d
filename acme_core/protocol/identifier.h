/* Identifiers: what a certificate names (RFC 8555 9.7.7, RFC 8738). */

#ifndef ACME_PROTOCOL_IDENTIFIER_H
#define ACME_PROTOCOL_IDENTIFIER_H

#include <stdbool.h>
#include <stddef.h>

#include "format/json.h"

enum { ACME_IDENTIFIER_SIZE = 256 };

/*
 * The value of {"type":..,"value":..}, escaped for logs; one of another type
 * than dns and ip has the type in front ("email:..."). False when the object
 * is none or its value is longer than 253 bytes.
 */
bool acme_identifier_read(const cJSON *object,
    char value[ACME_IDENTIFIER_SIZE]);

/*
 * The name among `names` that is this identifier, or NULL: letter case and
 * the spelling of an IPv6 address do not matter.
 */
const char *acme_identifier_find(const char *value, char *const *names,
    size_t name_count);

#endif
