/* The table of directives as data, and the raw arguments at one level. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings/check.h"
#include "settings/scope.h"

#define GLOBAL ACME_SCOPE_GLOBAL
#define SERVER ACME_SCOPE_SERVER
#define BOTH ACME_SCOPE_BOTH
#define MANY ACME_SCOPE_MANY

const struct acme_directive_info
    acme_directive_infos[ACME_DIRECTIVE_COUNT] = {
#define X(id, name, httpd, scope, min, max, arguments, otherwise, meaning) \
    { name, httpd, scope, min, max, arguments, otherwise, meaning },
    ACME_DIRECTIVES(X)
#undef X
};

bool
acme_directive_is_global(enum acme_directive directive)
{
    return (acme_directive_infos[directive].scope & ACME_SCOPE_SERVER) == 0;
}

bool
acme_directive_has_path(enum acme_directive directive, size_t index)
{
    switch (directive) {
    case ACME_DIRECTIVE_CA_CERTIFICATE:
    case ACME_DIRECTIVE_STATE_PATH:
    case ACME_DIRECTIVE_HELPER:
        return index == 0;
    case ACME_DIRECTIVE_EAB:
        return index == 2;
    default:
        return false;
    }
}

struct acme_scope {
    struct acme_scope_value values[ACME_DIRECTIVE_COUNT];
};

struct acme_scope *
acme_scope_new(void)
{
    return calloc(1, sizeof(struct acme_scope));
}

static void
free_value(struct acme_scope_value *value)
{
    if (value->next != NULL) {
        free_value(value->next);
        free(value->next);
    }
    for (size_t i = 0; i < value->argc; i++) {
        free(value->argv[i]);
    }
    free(value->argv);
    free(value->where);
    memset(value, 0, sizeof(*value));
}

void
acme_scope_free(struct acme_scope *scope)
{
    for (size_t i = 0; scope != NULL && i < ACME_DIRECTIVE_COUNT; i++) {
        free_value(&scope->values[i]);
    }
    free(scope);
}

static bool
keep(struct acme_scope_value *value, size_t argc, const char *const *argv,
    const char *where)
{
    value->argv = calloc(argc + 1, sizeof(*value->argv));
    value->where = strdup(where);
    if (value->argv == NULL || value->where == NULL) {
        free_value(value);
        return false;
    }
    for (; value->argc < argc; value->argc++) {
        value->argv[value->argc] = strdup(argv[value->argc]);
        if (value->argv[value->argc] == NULL) {
            free_value(value);
            return false;
        }
    }
    return true;
}

bool
acme_scope_set(struct acme_scope *scope, enum acme_directive directive,
    size_t argc, const char *const *argv, const char *where,
    struct acme_error *err)
{
    const struct acme_directive_info *info = &acme_directive_infos[directive];
    struct acme_scope_value *value = &scope->values[directive];

    if (value->where != NULL && info->scope != ACME_SCOPE_MANY) {
        return acme_fail(err, ACME_MISCONFIG,
            "\"%s\" is duplicate: it was given in %s", info->name,
            value->where);
    }
    if (argc < info->min || argc > info->max) {
        char most[32] = "";

        if (argc > info->max && info->max > 2) {
            snprintf(most, sizeof(most), ", at most %u arguments", info->max);
        }
        return acme_fail(err, ACME_MISCONFIG, "invalid number of arguments "
            "in \"%s\", its form is: %s %s%s", info->name, info->name,
            info->arguments, most);
    }
    if (!acme_check_arguments(directive, argc, argv, err)) {
        return acme_while(err, "%s", info->name);
    }
    while (value->where != NULL) {
        if (value->next == NULL) {
            value->next = calloc(1, sizeof(*value));
            if (value->next == NULL) {
                return acme_fail_memory(err);
            }
        }
        value = value->next;
    }
    return keep(value, argc, argv, where) || acme_fail_memory(err);
}

bool
acme_scope_has(const struct acme_scope *scope, enum acme_directive directive)
{
    return scope != NULL && scope->values[directive].where != NULL;
}

const char *
acme_scope_where(const struct acme_scope *scope,
    enum acme_directive directive)
{
    return scope != NULL ? scope->values[directive].where : NULL;
}

const struct acme_scope_value *
acme_scope_value(const struct acme_scope *server,
    const struct acme_scope *global, enum acme_directive directive)
{
    if (acme_scope_has(server, directive)) {
        return &server->values[directive];
    }
    return acme_scope_has(global, directive) ? &global->values[directive]
                                             : NULL;
}
