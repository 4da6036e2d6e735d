/* Any authorization: read, judged and blamed. */

#include <assert.h>
#include <string.h>

#include "format/base64url.h"
#include "protocol/blame.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct acme_challenge_wish wish = {
        { ACME_HTTP_01, ACME_TLS_ALPN_01 }, 2 };
    static char first[] = "a.test", second[] = "2001:db8::1";
    char *const names[] = { first, second };
    struct acme_bytes body = { data, size };
    struct acme_authorization authorization;
    struct acme_blame blame = { 0 };
    struct acme_error err;
    enum acme_challenge_type type;
    const char *name;

    if (!acme_authorization_read(body, &authorization, &err)) {
        assert(err.verdict == ACME_PEER_BROKE);
        return 0;
    }
    if (acme_authorization_provable(&authorization, &wish, names, 2, &name,
            &type, &err)) {
        assert(name == first || name == second);
        assert(acme_is_token(acme_bytes_of(
            authorization.challenges[type].token), 128));
    }
    for (int i = 0; i < 3 && acme_blame_deserved(&authorization); i++) {
        acme_blame_add(&blame, &authorization);
        assert(!acme_blame_error(&blame, &err));
        assert(strlen(err.text) < sizeof(err.text));
    }
    return 0;
}
