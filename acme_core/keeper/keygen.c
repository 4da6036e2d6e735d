/* The key maker's whole life. The keeper's side is in attempt.c. */

#include "keeper/keygen.h"

#include <sys/socket.h>

#include "base/buffer.h"
#include "crypto/key.h"
#include "store/store.h"

bool
acme_keygen_run(int fd, const char *type, struct acme_error *err)
{
    struct acme_buffer pem = ACME_BUFFER(ACME_STORE_FILE_MAX);
    enum acme_key_type key_type = acme_key_type_of(type);
    struct acme_key *key = NULL;
    bool ok = false;

    if (key_type == ACME_KEY_NONE) {
        return acme_fail(err, ACME_PEER_BROKE, "unknown key type");
    }
    key = acme_key_new(key_type, err);
    if (key == NULL || !acme_key_write(key, &pem, err)) {
        goto out;
    }
    if (send(fd, pem.at, pem.len, MSG_NOSIGNAL) != (ssize_t) pem.len) {
        acme_fail_sys(err, "handing over a key");
        goto out;
    }
    ok = true;

out:
    acme_buffer_wipe(&pem);
    acme_key_free(key);
    return ok;
}
