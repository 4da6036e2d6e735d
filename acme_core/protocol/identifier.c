/* Reading and comparing identifiers (RFC 8555 9.7.7, RFC 8738). */

#include "protocol/identifier.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "format/json.h"

enum { VALUE_MAX = 253, TYPE_MAX = 32 };

bool
acme_identifier_read(const cJSON *object, char value[ACME_IDENTIFIER_SIZE])
{
    const char *type = acme_json_text(object, "type", TYPE_MAX);
    const char *text = acme_json_text(object, "value", VALUE_MAX);
    char whole[TYPE_MAX + VALUE_MAX + 2];

    if (type == NULL || text == NULL || text[0] == '\0') {
        return false;
    }
    if (strcmp(type, "dns") == 0 || strcmp(type, "ip") == 0) {
        snprintf(whole, sizeof(whole), "%s", text);
    } else {
        snprintf(whole, sizeof(whole), "%s:%s", type, text);
    }
    acme_log_escape(value, ACME_IDENTIFIER_SIZE, acme_bytes_of(whole));
    return true;
}

static bool
same_address(const char *a, const char *b)
{
    struct in6_addr left, right;

    return inet_pton(AF_INET6, a, &left) == 1
        && inet_pton(AF_INET6, b, &right) == 1
        && memcmp(&left, &right, sizeof(left)) == 0;
}

const char *
acme_identifier_find(const char *value, char *const *names,
    size_t name_count)
{
    for (size_t i = 0; i < name_count; i++) {
        if (strcasecmp(value, names[i]) == 0
            || same_address(value, names[i])) {
            return names[i];
        }
    }
    return NULL;
}
