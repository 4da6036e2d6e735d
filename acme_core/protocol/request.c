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
    case ACME_KIND_FIND_ACCOUNT:
        return "account look-up";
    case ACME_KIND_TRY_NEW_KEY:
        return "account look-up by the new key";
    case ACME_KIND_UPDATE_ACCOUNT:
        return "account update";
    case ACME_KIND_KEY_CHANGE:
        return "keyChange";
    case ACME_KIND_REVOKE:
        return "revokeCert";
    }
    return "?";
}

bool
acme_reply_is_success(const struct acme_reply *reply)
{
    return reply->status >= 200 && reply->status <= 299;
}
