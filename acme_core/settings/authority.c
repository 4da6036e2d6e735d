/* The parts of a URL that says which machine. Resolves nothing. */

#include "settings/authority.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

bool
acme_authority_plain(const char *url)
{
    for (const char *at = url; *at != '\0'; at++) {
        if (*at <= 0x20 || *at >= 0x7f
            || strchr("\"<>\\^`{|}#", *at) != NULL) {
            return false;
        }
    }
    return true;
}

size_t
acme_authority_host(const char *text)
{
    size_t len;

    if (*text == '[') {
        len = strspn(text + 1, "0123456789abcdefABCDEF:.");
        return len > 0 && text[len + 1] == ']' ? len + 2 : 0;
    }
    for (len = 0; isalnum((unsigned char) text[len])
         || (text[len] != '\0' && strchr("-._", text[len]) != NULL); len++) {
    }
    return len;
}

const char *
acme_authority_skip_port(const char *text)
{
    size_t len;
    long port;

    if (*text != ':') {
        return text;
    }
    len = strspn(++text, "0123456789");
    port = len > 0 && len <= 5 ? strtol(text, NULL, 10) : 0;
    return port >= 1 && port <= 65535 ? text + len : NULL;
}
