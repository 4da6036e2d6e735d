/*
 * What workers and masters ask: the proof for a path, the certificate for a
 * server. Runs inside a web server; never writes.
 */

#include "serve/serve.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/placeholder.h"
#include "crypto/x509.h"
#include "store/store.h"

#define CHALLENGE_PREFIX "/.well-known/acme-challenge/"

bool
acme_serve_http01(const struct acme_page *page, const char *path,
    size_t path_len, char *body, size_t *body_len)
{
    size_t prefix = strlen(CHALLENGE_PREFIX);
    struct acme_bytes token;

    if (!acme_page_has_proofs(page) || path_len <= prefix
        || memcmp(path, CHALLENGE_PREFIX, prefix) != 0) {
        return false;
    }
    token.at = (const uint8_t *) path + prefix;
    token.len = path_len - prefix;
    return acme_page_find(page, token, body, body_len);
}

bool
acme_serve_alpn01(const struct acme_page *page,
    const struct acme_hello *hello, struct acme_page_alpn *pair)
{
    char text[ACME_SERVER_NAME_MAX + 1];
    struct acme_bytes name = { (const uint8_t *) text, 0 };

    return acme_page_has_alpn(page) && acme_hello_is_challenge(hello)
        && acme_hello_name(hello, text, &name.len)
        && acme_page_find_alpn(page, name, pair);
}

/* ---- the live pair, or a placeholder */

static bool
join(char **out, const char *dir, const char *file)
{
    return asprintf(out, "%s/%s", dir, file) >= 0 || (*out = NULL, false);
}

static bool
find_live(const char *state_path, const char *folder,
    struct acme_serve_cert *out, struct acme_error *err)
{
    struct acme_buffer chain = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct acme_buffer key = ACME_BUFFER(ACME_STORE_FILE_MAX);
    char path[PATH_MAX];
    bool ok;

    ok = acme_store_live_read(state_path, folder, path, sizeof(path), &chain,
            &key, err)
        && (acme_pair_matches(acme_buffer_bytes(&chain),
                acme_buffer_bytes(&key), err)
            || acme_while(err, "%s", path));
    if (ok && (!join(&out->cert_path, path, "fullchain.pem")
            || !join(&out->key_path, path, "privkey.pem"))) {
        ok = acme_fail_memory(err);
    }
    acme_buffer_wipe(&key);
    acme_buffer_free(&chain);
    return ok;
}

bool
acme_serve_cert(const struct acme_settings *settings,
    const struct acme_settings_cert *cert, int64_t now,
    acme_settings_warn warn, void *warn_ctx, struct acme_serve_cert *out,
    struct acme_error *err)
{
    memset(out, 0, sizeof(*out));
    out->cert_pem.limit = out->key_pem.limit = ACME_STORE_FILE_MAX;
    if (find_live(settings->state_path, cert->folder, out, err)) {
        return true;
    }
    if (err->sys != ENOENT) {
        acme_while(err, "the stored certificate of %s cannot be served",
            cert->folder);
        warn(warn_ctx, err->text);
    }
    out->placeholder = true;
    if (!acme_placeholder_write(cert->names[0], now, &out->cert_pem,
            &out->key_pem, err)) {
        acme_serve_cert_free(out);
        return false;
    }
    return true;
}

void
acme_serve_cert_free(struct acme_serve_cert *cert)
{
    free(cert->cert_path);
    free(cert->key_path);
    acme_buffer_free(&cert->cert_pem);
    acme_buffer_wipe(&cert->key_pem);
    cert->cert_path = NULL;
    cert->key_path = NULL;
}
