/* From nginx's spelling of directives to httpd's. */

#include "settings/spelling.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "settings/settings.h"

struct output {
    char *at;
    size_t left;   /* without the NUL */
};

static void
put(struct output *output, const char *text, size_t len)
{
    len = len < output->left ? len : output->left;
    memcpy(output->at, text, len);
    output->at += len;
    output->left -= len;
}

static bool
is_word(char c)
{
    return isalnum((unsigned char) c) || c == '_' || c == '-';
}

/* The directive that is the whole word at `text`, or NULL. */
static const struct acme_directive_info *
directive_at(const char *text)
{
    for (size_t i = 0; i < ACME_DIRECTIVE_COUNT; i++) {
        const struct acme_directive_info *info = &acme_directive_infos[i];
        size_t len = strlen(info->name);

        if (strncmp(text, info->name, len) == 0 && !is_word(text[len])
            && text[len] != '/') {
            return info;
        }
    }
    return NULL;
}

const char *
acme_spell(enum acme_dialect dialect, const char *text, char *out, size_t size)
{
    struct output output = { out, size - 1 };
    bool quoted_line = false;
    char before = '\0';

    if (dialect == ACME_DIALECT_NGINX) {
        snprintf(out, size, "%s", text);
        return out;
    }
    while (*text != '\0') {
        const struct acme_directive_info *info = is_word(before)
            || before == '/' || before == '.' ? NULL : directive_at(text);

        if (info != NULL) {
            put(&output, info->httpd_name, strlen(info->httpd_name));
            quoted_line = before == '"';
            text += strlen(info->name);
            before = text[-1];
            continue;
        }
        before = *text++;
        if (before == ';' && *text == '"' && quoted_line) {
            continue;
        }
        put(&output, &before, 1);
        quoted_line = quoted_line && before != '"';
    }
    *output.at = '\0';
    return out;
}
