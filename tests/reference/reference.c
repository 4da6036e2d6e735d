/*
 * Prints the README's table of directives, in markdown, from the table that
 * the servers parse their configuration with. See tests/lint/readme.sh.
 */

#include <stdio.h>

#include "settings/settings.h"

static const char *
place(enum acme_directive_scope scope)
{
    switch (scope) {
    case ACME_SCOPE_GLOBAL:
        return "global";
    case ACME_SCOPE_MANY:
        return "global, repeatable";
    case ACME_SCOPE_SERVER:
        return "server";
    case ACME_SCOPE_PER_CA:
        return "both, repeatable";
    case ACME_SCOPE_BOTH:
        break;
    }
    return "both";
}

/* A bar would end the cell, even inside a code span. */
static void
print_cell(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|') {
            putchar('\\');
        }
        putchar(*text);
    }
}

static void
print_row(const struct acme_directive_info *info)
{
    printf("| `%s` | `%s` | ", info->name, info->httpd_name);
    print_cell(info->arguments);
    printf(" | %s | ", place(info->scope));
    print_cell(info->otherwise);
    printf(" | ");
    print_cell(info->meaning);
    printf(" |\n");
}

int
main(void)
{
    printf("| nginx | httpd | arguments | where | default | meaning |\n"
        "|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < ACME_DIRECTIVE_COUNT; i++) {
        print_row(&acme_directive_infos[i]);
    }
    return ferror(stdout) != 0 || fflush(stdout) != 0;
}
