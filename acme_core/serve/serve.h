/*
 * What a server process may call: find a proof, find the live certificate.
 * Links settings, page (read), store (read), crypto: no network, no JSON.
 */

#ifndef ACME_SERVE_SERVE_H
#define ACME_SERVE_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "format/client_hello.h"
#include "page/page.h"
#include "settings/settings.h"

/*
 * http-01 (RFC 8555 8.3): the body for this request path, if it is
 * /.well-known/acme-challenge/<token> with a token that is pending now.
 *   body   ACME_KEY_AUTH_MAX + 1 bytes
 * False: not ours, let the site answer.
 */
bool acme_serve_http01(const struct acme_page *page, const char *path,
    size_t path_len, char *body, size_t *body_len);

/*
 * tls-alpn-01 (RFC 8737 3): is this the hello of a CA, for a challenge that is
 * pending now? Then acme_alpn_show() shows it the pair.
 */
bool acme_serve_alpn01(const struct acme_page *page,
    const struct acme_hello *hello, struct acme_page_alpn *pair);

/* A generation's own files. */
struct acme_serve_pair {
    char *cert_path, *key_path;
};

/* What a server hands to its TLS layer. Free with acme_serve_cert_free. */
struct acme_serve_cert {
    struct acme_serve_pair pairs[ACME_KEYS_MAX];  /* ECDSA before RSA */
    size_t pair_count;            /* none: the placeholder */
    bool placeholder;
    struct acme_buffer cert_pem;  /* the placeholder, else empty */
    struct acme_buffer key_pem;
};

/*
 * The certificate to serve now: of the newest generation each pair that is
 * whole and matches; of an older one, where that is damaged; else a
 * placeholder made in memory. A pair that is expired, or whose type acme_key no
 * longer has, is served only where there is no better one: visitors who see an
 * expired certificate know at least whose it was. A damaged pair is a warning,
 * never a failure. Writes nothing.
 *   warn   gets the reason when the store has something unusable, and what is
 *          served in its place
 */
bool acme_serve_cert(const struct acme_settings *settings,
    const struct acme_settings_cert *cert, int64_t now,
    acme_settings_warn warn, void *warn_ctx,
    struct acme_serve_cert *out, struct acme_error *err);
void acme_serve_cert_free(struct acme_serve_cert *cert);

#endif
