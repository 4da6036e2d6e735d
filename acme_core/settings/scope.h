/* How settings.c reads scopes; no other folder includes it. */

#ifndef ACME_SETTINGS_SCOPE_H
#define ACME_SETTINGS_SCOPE_H

#include "settings/settings.h"

struct acme_scope_value {
    size_t argc;
    char **argv;
    char *where;   /* NULL: not given at this level */
    char *for_ca;  /* of scope PER_CA: as for= names it, or NULL: any; it is
                      not among the arguments here */
    struct acme_scope_value *next;   /* of scope MANY or PER_CA */
};

/* The value at the server's level, else the global one, else NULL. */
const struct acme_scope_value *acme_scope_value(
    const struct acme_scope *server, const struct acme_scope *global,
    enum acme_directive directive);

/* The same, of scope PER_CA, for the CA with this directory URL. */
const struct acme_scope_value *acme_scope_value_for(
    const struct acme_scope *server, const struct acme_scope *global,
    enum acme_directive directive, const char *url);

#endif
