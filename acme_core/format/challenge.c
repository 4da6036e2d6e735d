/* The words for challenge types, as CAs and the configuration spell them. */

#include "format/challenge.h"

#include <string.h>

static const char *const names[ACME_CHALLENGE_TYPES] = {
    [ACME_CHALLENGE_NONE] = "",
    [ACME_HTTP_01] = "http-01",
    [ACME_TLS_ALPN_01] = "tls-alpn-01",
};

const char *
acme_challenge_type_name(enum acme_challenge_type type)
{
    return names[type < ACME_CHALLENGE_TYPES ? type : ACME_CHALLENGE_NONE];
}

enum acme_challenge_type
acme_challenge_type_of(const char *name)
{
    for (int type = ACME_HTTP_01; name != NULL && type < ACME_CHALLENGE_TYPES;
         type++) {
        if (strcmp(names[type], name) == 0) {
            return (enum acme_challenge_type) type;
        }
    }
    return ACME_CHALLENGE_NONE;
}
