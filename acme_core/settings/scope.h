/* How settings.c reads scopes; no other folder includes it. */

#ifndef ACME_SETTINGS_SCOPE_H
#define ACME_SETTINGS_SCOPE_H

#include "settings/settings.h"

struct acme_scope_value {
    size_t argc;
    char **argv;
    char *where;   /* NULL: not given at this level */
    struct acme_scope_value *next;   /* of a directive of scope MANY */
};

/* The value at the server's level, else the global one, else NULL. */
const struct acme_scope_value *acme_scope_value(
    const struct acme_scope *server, const struct acme_scope *global,
    enum acme_directive directive);

#endif
