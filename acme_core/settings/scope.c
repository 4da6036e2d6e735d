/* The table of directives as data, and the raw arguments at one level. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings/ca.h"
#include "settings/check.h"
#include "settings/scope.h"

#define GLOBAL ACME_SCOPE_GLOBAL
#define SERVER ACME_SCOPE_SERVER
#define BOTH ACME_SCOPE_BOTH
#define MANY ACME_SCOPE_MANY
#define PER_CA ACME_SCOPE_PER_CA

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
    free(value->for_ca);
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
    const char *for_ca, const char *where)
{
    value->argv = calloc(argc + 1, sizeof(*value->argv));
    value->where = strdup(where);
    value->for_ca = for_ca != NULL ? strdup(for_ca) : NULL;
    if (value->argv == NULL || value->where == NULL
        || (for_ca != NULL && value->for_ca == NULL)) {
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

static bool
check_count(const struct acme_directive_info *info, size_t argc, size_t max,
    struct acme_error *err)
{
    char most[32] = "";

    if (argc >= info->min && argc <= max) {
        return true;
    }
    if (argc > max && max > 2) {
        snprintf(most, sizeof(most), ", at most %zu arguments", max);
    }
    return acme_fail(err, ACME_MISCONFIG, "invalid number of arguments "
        "in \"%s\", its form is: %s %s%s", info->name, info->name,
        info->arguments, most);
}

/* Is it of the CA with this directory URL; without one: of any? */
static bool
is_for(const struct acme_scope_value *value, const char *url)
{
    struct acme_error ignored;

    return value->for_ca == NULL || url == NULL ? value->for_ca == url
        : strcmp(acme_ca_url(value->for_ca, &ignored), url) == 0;
}

/* The one for this CA at one level, or NULL. */
static const struct acme_scope_value *
find_for(const struct acme_scope *scope, enum acme_directive directive,
    const char *url)
{
    const struct acme_scope_value *value = acme_scope_has(scope, directive)
        ? &scope->values[directive] : NULL;

    while (value != NULL && !is_for(value, url)) {
        value = value->next;
    }
    return value;
}

/* Was it given at this level before, when it may be given once? */
static bool
check_once(const struct acme_scope *scope, enum acme_directive directive,
    const char *for_ca, struct acme_error *err)
{
    const struct acme_directive_info *info = &acme_directive_infos[directive];
    const struct acme_scope_value *before;
    struct acme_error ignored;

    if (info->scope == ACME_SCOPE_MANY) {
        return true;
    }
    before = find_for(scope, directive,
        for_ca != NULL ? acme_ca_url(for_ca, &ignored) : NULL);
    return before == NULL || acme_fail(err, ACME_MISCONFIG, "\"%s\"%s%s is "
        "duplicate: it was given in %s", info->name,
        for_ca != NULL ? " for=" : "", for_ca != NULL ? for_ca : "",
        before->where);
}

/* The CA of for=, checked, or NULL without; false for none that is allowed. */
static bool
read_for(const struct acme_directive_info *info, size_t argc,
    const char *const *argv, const char **for_ca, struct acme_error *err)
{
    *for_ca = NULL;
    if (info->scope != ACME_SCOPE_PER_CA || argc < 1
        || strncmp(argv[argc - 1], "for=", 4) != 0) {
        return true;
    }
    *for_ca = argv[argc - 1] + 4;
    return acme_ca_url(*for_ca, err) != NULL
        || acme_while(err, "%s: for=", info->name);
}

bool
acme_scope_set(struct acme_scope *scope, enum acme_directive directive,
    size_t argc, const char *const *argv, const char *where,
    struct acme_error *err)
{
    const struct acme_directive_info *info = &acme_directive_infos[directive];
    struct acme_scope_value *value = &scope->values[directive];
    size_t max = info->max;
    const char *for_ca;

    if (!read_for(info, argc, argv, &for_ca, err)
        || !check_once(scope, directive, for_ca, err)) {
        return false;
    }
    argc -= for_ca != NULL;
    max -= info->scope == ACME_SCOPE_PER_CA;
    if (!check_count(info, argc, max, err)) {
        return false;
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
    return keep(value, argc, argv, for_ca, where) || acme_fail_memory(err);
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

const struct acme_scope_value *
acme_scope_value_for(const struct acme_scope *server,
    const struct acme_scope *global, enum acme_directive directive,
    const char *url)
{
    const struct acme_scope *const levels[] = { server, global };

    for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
        const struct acme_scope_value *value = find_for(levels[i], directive,
            url);

        value = value != NULL ? value : find_for(levels[i], directive, NULL);
        if (value != NULL) {
            return value;
        }
    }
    return NULL;
}
