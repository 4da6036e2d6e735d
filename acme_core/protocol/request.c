/* Names of the kinds of request, as RFC 8555 has them. */

#include "protocol/request.h"

const char *
acme_kind_name(enum acme_kind kind)
{
    switch (kind) {
    case ACME_KIND_NEW_ACCOUNT:
        return "newAccount";
    case ACME_KIND_NEW_ORDER:
        return "newOrder";
    case ACME_KIND_POST_AS_GET:
        return "POST-as-GET";
    case ACME_KIND_RESPOND:
        return "challenge response";
    case ACME_KIND_FINALIZE:
        return "finalize";
    case ACME_KIND_DEACTIVATE:
        return "authorization deactivation";
    }
    return "?";
}
