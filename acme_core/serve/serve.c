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
#include <unistd.h>

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

/* ---- the live pairs, or a placeholder */

/* What a pair of the store is worth, better ones below. */
enum worth { ABSENT, DAMAGED, WHOLE, WANTED };

static enum worth
worth_of(const struct acme_pair_facts *facts,
    const struct acme_settings_cert *cert, int64_t now)
{
    bool rsa = acme_key_is_rsa(facts->key_type);

    for (size_t i = 0; i < acme_settings_key_count(cert); i++) {
        if (acme_key_is_rsa(cert->key_types[i]) == rsa
            && facts->not_after > now) {
            return WANTED;
        }
    }
    return WHOLE;
}

static enum worth
judge_pair(int generation_fd, size_t index,
    const struct acme_settings_cert *cert, int64_t now,
    struct acme_error *err)
{
    struct acme_buffer chain = ACME_BUFFER(ACME_STORE_FILE_MAX);
    struct acme_buffer key = ACME_BUFFER(ACME_STORE_FILE_MAX);
    enum worth worth = DAMAGED;
    struct acme_pair_facts facts;

    if (!acme_store_pair_read(generation_fd, index, &chain, &key, err)) {
        worth = err->sys == ENOENT ? ABSENT : DAMAGED;
    } else if (acme_pair_read(acme_buffer_bytes(&chain),
            acme_buffer_bytes(&key), &facts, err)) {
        worth = worth_of(&facts, cert, now);
    }
    acme_buffer_wipe(&key);
    acme_buffer_free(&chain);
    return worth;
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

static void
say_unusable(const struct warner *warner, const char *folder,
    struct acme_error *err)
{
    acme_while(err, "the stored certificate of %s cannot be served", folder);
    warner->warn(warner->ctx, err->text);
}

/* The pairs of the live generation; none, with a warning, when in doubt. */
static bool
find_live(const struct acme_settings *settings,
    const struct acme_settings_cert *cert, int64_t now,
    const struct warner *warner, struct acme_serve_cert *out)
{
    enum worth worth[ACME_KEYS_MAX], best = WHOLE;
    char path[PATH_MAX];
    struct acme_error err;
    bool ok = true;
    int fd = acme_store_live_open(settings->state_path, cert->folder, path,
        sizeof(path), &err);

    if (fd < 0) {
        if (err.sys != ENOENT) {
            say_unusable(warner, cert->folder, &err);
        }
        return true;
    }
    for (size_t i = 0; i < ACME_KEYS_MAX; i++) {
        worth[i] = judge_pair(fd, i, cert, now, &err);
        best = worth[i] > best ? worth[i] : best;
        if (worth[i] == DAMAGED) {
            acme_while(&err, "%s/%s", path, acme_pair_files[i].chain);
            say_unusable(warner, cert->folder, &err);
        }
    }
    close(fd);
    for (size_t i = 0; ok && i < ACME_KEYS_MAX; i++) {
        if (worth[i] == best) {
            ok = add_pair(out, path, &acme_pair_files[i]);
        }
    }
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
