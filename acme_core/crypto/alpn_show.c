/*
 * A context of its own for the one connection of a CA: it is gone with it, so
 * that nothing has to be kept, swapped or locked between challenges.
 */

#include "crypto/alpn_show.h"

#include <openssl/ssl.h>
#include <string.h>

#include "crypto/internal.h"

#define PROTOCOL "acme-tls/1"
#define OFFER "\x0a" PROTOCOL    /* as it is in the hello */

/* Asked for a second hello too: it must still be the only offer. */
static int
select_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
    const unsigned char *in, unsigned int in_len, void *ctx)
{
    static const unsigned char protocol[] = PROTOCOL;

    (void) ssl;
    (void) ctx;
    if (in_len != strlen(OFFER) || memcmp(in, OFFER, in_len) != 0) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *out = protocol;
    *out_len = sizeof(protocol) - 1;
    return SSL_TLSEXT_ERR_OK;
}

/* Without a callback here OpenSSL would ask the server's. */
static int
accept_name(SSL *ssl, int *alert, void *ctx)
{
    (void) ssl;
    (void) alert;
    (void) ctx;
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *
new_context(struct acme_bytes cert_der, struct acme_bytes key_der)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    if (ctx != NULL
        && SSL_CTX_use_certificate_ASN1(ctx, (int) cert_der.len,
            cert_der.at) == 1
        && SSL_CTX_use_PrivateKey_ASN1(EVP_PKEY_EC, ctx, key_der.at,
            (long) key_der.len) == 1
        && SSL_CTX_check_private_key(ctx) == 1) {
        SSL_CTX_set_alpn_select_cb(ctx, select_protocol, NULL);
        SSL_CTX_set_tlsext_servername_callback(ctx, accept_name);
        return ctx;
    }
    SSL_CTX_free(ctx);
    return NULL;
}

bool
acme_alpn_show(struct ssl_st *ssl, struct acme_bytes cert_der,
    struct acme_bytes key_der, struct acme_error *err)
{
    static const unsigned char session_context[] = PROTOCOL;
    SSL_CTX *ctx = new_context(cert_der, key_der);
    bool ok = ctx != NULL && SSL_set_SSL_CTX(ssl, ctx) == ctx;

    if (ok) {
        SSL_clear_options(ssl, SSL_OP_NO_TLSv1_2 | SSL_OP_NO_TLSv1_3);
        SSL_set_min_proto_version(ssl, TLS1_2_VERSION);
        SSL_set_max_proto_version(ssl, 0);
        SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
        SSL_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
        SSL_set_num_tickets(ssl, 0);
        /* no session of the site's goes on here, none of these there */
        SSL_set_session_id_context(ssl, session_context,
            sizeof(session_context) - 1);
    } else {
        acme_crypto_fail(err, "showing the certificate of a challenge");
    }
    SSL_CTX_free(ctx);
    return ok;
}

/* ---- the first message */

static void
see_message(int is_ours, int version, int type, const void *at, size_t len,
    SSL *ssl, void *arg)
{
    struct acme_bytes message = { at, len };
    struct acme_alpn_watch *watch = arg;

    (void) version;
    if (!is_ours && type == SSL3_RT_HANDSHAKE && len > 0
        && message.at[0] == SSL3_MT_CLIENT_HELLO) {
        SSL_set_msg_callback(ssl, NULL);
        watch->hello(watch->ctx, ssl, message);
    }
}

void
acme_alpn_watch(struct ssl_st *ssl, struct acme_alpn_watch *watch)
{
    SSL_set_msg_callback(ssl, see_message);
    SSL_set_msg_callback_arg(ssl, watch);
}
