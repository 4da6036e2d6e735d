/*
 * Directives are spelled in two ways. Our texts use nginx's; where a text
 * leaves us (a log, an error of the configuration), it is spelled as the
 * server at hand spells it.
 */

#ifndef ACME_SETTINGS_SPELLING_H
#define ACME_SETTINGS_SPELLING_H

#include <stddef.h>

enum acme_dialect { ACME_DIALECT_NGINX, ACME_DIALECT_HTTPD };

/*
 * Write `text` with its directives spelled in this dialect, cut at size - 1
 * bytes: for httpd acme_ca becomes AcmeCA, and a quoted line such as
 * "acme_accept_terms on;" loses its semicolon. Parts of longer words or paths
 * are left alone. Returns out.
 */
const char *acme_spell(enum acme_dialect dialect, const char *text, char *out,
    size_t size);

#endif
