/*
 * What workers and masters ask: the proof for a path, the certificate for a
 * server. Runs inside a web server; never writes.
 */

#include "serve/serve.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/placeholder.h"
#include "crypto/x509.h"
#include "store/live.h"

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

/* ---- the live pairs, or a placeholder */

/* Is this pair what acme_key asks for, and in date? */
static bool
is_wanted(const struct acme_pair_facts *facts,
    const struct acme_settings_cert *cert, int64_t now)
{
    bool rsa = acme_key_is_rsa(facts->key_type);

    for (size_t i = 0; i < acme_settings_key_count(cert); i++) {
        if (acme_key_is_rsa(cert->key_types[i]) == rsa
            && facts->not_after > now) {
            return true;
        }
    }
    return false;
}

static bool
join(char **out, const char *dir, const char *file)
{
    return asprintf(out, "%s/%s", dir, file) >= 0 || (*out = NULL, false);
}

static bool
add_pair(struct acme_serve_cert *out, const char *path,
    const struct acme_pair_files *files)
{
    struct acme_serve_pair *pair = &out->pairs[out->pair_count++];

    return join(&pair->cert_path, path, files->chain)
        && join(&pair->key_path, path, files->key);
}

struct warner {
    acme_settings_warn warn;
    void *ctx;
};

/* What is wrong with the newest pair, and what is served in its place. */
static void
say_damaged(const struct warner *warner, const char *folder,
    const struct acme_live_pair *pair, const struct acme_pair_files *files)
{
    char text[sizeof(pair->damage.text) + 2 * PATH_MAX];

    if (pair->state == ACME_LIVE_OLDER) {
        snprintf(text, sizeof(text), "the stored certificate of %s is damaged "
            "(%s): the older %s/%s is served in its place", folder,
            pair->damage.text, pair->path, files->chain);
    } else if (pair->state == ACME_LIVE_DAMAGED) {
        snprintf(text, sizeof(text), "the stored certificate of %s cannot be "
            "served: %s", folder, pair->damage.text);
    } else {
        return;
    }
    warner->warn(warner->ctx, text);
}

/* The pairs that are whole; none when there is no certificate yet. */
static bool
find_live(const struct acme_settings *settings,
    const struct acme_settings_cert *cert, int64_t now,
    const struct warner *warner, struct acme_serve_cert *out)
{
    bool some_wanted = false, ok = true;
    struct acme_live live;
    struct acme_error err;

    if (!acme_live_read(settings->state_path, cert, now, &live, &err)) {
        goto out;
    }
    for (size_t i = 0; i < ACME_KEYS_MAX; i++) {
        const struct acme_live_pair *pair = &live.pairs[i];

        say_damaged(warner, cert->folder, pair, &acme_pair_files[i]);
        some_wanted = some_wanted || (acme_live_is_whole(pair)
            && is_wanted(&pair->facts, cert, now));
    }
    for (size_t i = 0; ok && i < ACME_KEYS_MAX; i++) {
        const struct acme_live_pair *pair = &live.pairs[i];

        if (acme_live_is_whole(pair)
            && (!some_wanted || is_wanted(&pair->facts, cert, now))) {
            ok = add_pair(out, pair->path, &acme_pair_files[i]);
        }
    }

out:
    acme_live_free(&live);
    return ok;
}

bool
acme_serve_cert(const struct acme_settings *settings,
    const struct acme_settings_cert *cert, int64_t now,
    acme_settings_warn warn, void *warn_ctx, struct acme_serve_cert *out,
    struct acme_error *err)
{
    const struct warner warner = { warn, warn_ctx };
    bool ok;

    memset(out, 0, sizeof(*out));
    out->cert_pem.limit = out->key_pem.limit = ACME_STORE_FILE_MAX;
    ok = find_live(settings, cert, now, &warner, out)
        || acme_fail_memory(err);
    if (ok && out->pair_count == 0) {
        out->placeholder = true;
        ok = acme_placeholder_write(cert->names[0], now, &out->cert_pem,
            &out->key_pem, err);
    }
    if (!ok) {
        acme_serve_cert_free(out);
    }
    return ok;
}

void
acme_serve_cert_free(struct acme_serve_cert *cert)
{
    for (size_t i = 0; i < cert->pair_count; i++) {
        free(cert->pairs[i].cert_path);
        free(cert->pairs[i].key_path);
    }
    cert->pair_count = 0;
    acme_buffer_free(&cert->cert_pem);
    acme_buffer_wipe(&cert->key_pem);
}
