/*
 * A server's side of tls-alpn-01 (RFC 8737 3): one connection shows the
 * certificate of a challenge in place of the site's.
 */

#ifndef ACME_CRYPTO_ALPN_SHOW_H
#define ACME_CRYPTO_ALPN_SHOW_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"

struct ssl_st;   /* OpenSSL's SSL, so that only crypto/ includes its headers */

/*
 * From here on the connection has nothing of its server's settings: this
 * certificate and key (DER) whatever the server has, TLS 1.2 or 1.3, no
 * certificate asked of the client, "acme-tls/1" or no connection, and no
 * session to be resumed. To be called when the ClientHello has arrived and
 * before OpenSSL acts on it: from a client hello or a message callback.
 * The caller sees to it that nothing is served after the handshake.
 * Errors: ACME_LOCAL; the connection is then as it was.
 */
bool acme_alpn_show(struct ssl_st *ssl, struct acme_bytes cert_der,
    struct acme_bytes key_der, struct acme_error *err);

/* For whom the first message of a client is, before OpenSSL acts on it. */
struct acme_alpn_watch {
    void (*hello)(void *ctx, struct ssl_st *ssl, struct acme_bytes message);
    void *ctx;
};

/*
 * For a server that keeps OpenSSL's client hello callback for itself: this
 * connection's first message is shown to `watch`, which is borrowed until
 * then.
 */
void acme_alpn_watch(struct ssl_st *ssl, struct acme_alpn_watch *watch);

#endif
