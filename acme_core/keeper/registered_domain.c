/* The only user of libpsl; the list is the one built into it. */

#include "keeper/registered_domain.h"

#include <arpa/inet.h>
#include <libpsl.h>
#include <stdio.h>
#include <string.h>

char *
registered_domain(const char *name, char out[ACME_NAME_MAX + 1])
{
    const char *domain = NULL;
    struct in6_addr v6;
    struct in_addr v4;

    if (strncmp(name, "*.", 2) == 0) {
        name += 2;
    }
    if (inet_pton(AF_INET6, name, &v6) == 1) {
        char text[INET6_ADDRSTRLEN];

        memset(v6.s6_addr + 8, 0, 8);
        inet_ntop(AF_INET6, &v6, text, sizeof(text));
        snprintf(out, ACME_NAME_MAX + 1, "%s/64", text);
        return out;
    }
    if (inet_pton(AF_INET, name, &v4) != 1) {
        domain = psl_registrable_domain(psl_builtin(), name);
    }
    snprintf(out, ACME_NAME_MAX + 1, "%s", domain != NULL ? domain : name);
    return out;
}
