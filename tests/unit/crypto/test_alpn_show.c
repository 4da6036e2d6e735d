/*
 * A server of any kind, a CA that validates: both in one process, with memory
 * between them. The challenge is shown whatever the server has.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <string.h>

#include "crypto/alpn_cert.h"
#include "crypto/alpn_show.h"
#include "crypto/key.h"
#include "format/client_hello.h"

#define ACME_OFFER "\x0a" "acme-tls/1"

enum { NOW = 1800000000, MAX = 16 * 1024 };

/* How a server is told of the hello: by OpenSSL's one callback or the other. */
enum way { HELLO, MESSAGE };

struct scene {
    struct acme_buffer cert, key;    /* of the challenge */
    SSL_CTX *server, *client;
    bool show;                       /* the hello's answer */
    bool asked_for_name;             /* the site's own callback was called */
    bool broken;                     /* the pair is no pair */
    enum way way;
    struct acme_alpn_watch watch;
    int hellos;                      /* messages that were seen */
    bool offered;                    /* the last one is a CA's */
};

/* ---- the server */

static void
show(struct scene *scene, SSL *ssl)
{
    struct acme_bytes key = acme_buffer_bytes(&scene->key);
    struct acme_error err;

    if (!scene->show) {
        return;
    }
    key.len -= scene->broken ? 1 : 0;
    assert_int_equal(acme_alpn_show(ssl, acme_buffer_bytes(&scene->cert), key,
        &err), !scene->broken);
    assert_int_equal(ERR_peek_error(), 0);
}

static int
on_hello(SSL *ssl, int *alert, void *arg)
{
    (void) alert;
    show(arg, ssl);
    return SSL_CLIENT_HELLO_SUCCESS;
}

static void
on_message(void *ctx, SSL *ssl, struct acme_bytes message)
{
    struct scene *scene = ctx;
    struct acme_hello hello;

    assert_true(acme_hello_read(message, &hello));
    scene->hellos++;
    scene->offered = acme_hello_is_challenge(&hello);
    show(scene, ssl);
}

static int
on_name(SSL *ssl, int *alert, void *arg)
{
    struct scene *scene = arg;

    (void) ssl;
    (void) alert;
    scene->asked_for_name = true;
    return SSL_TLSEXT_ERR_OK;
}

static int
refuse_all(SSL *ssl, void *arg)
{
    (void) ssl;
    (void) arg;
    return 0;
}

/* Everything that could be in the way of a CA. */
static SSL_CTX *
new_server(struct scene *scene, enum acme_key_type type)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    struct acme_buffer pem = ACME_BUFFER(MAX);
    struct acme_error err;
    struct acme_key *key = acme_key_new(type, &err);
    EVP_PKEY *pkey;
    BIO *bio;
    X509 *cert = X509_new();

    assert_true(acme_key_write(key, &pem, &err));
    bio = BIO_new_mem_buf(pem.at, (int) pem.len);
    pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    X509_set_pubkey(cert, pkey);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    assert_true(X509_sign(cert, pkey, EVP_sha256()) > 0);
    assert_int_equal(SSL_CTX_use_certificate(ctx, cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, pkey), 1);
    X509_free(cert);
    EVP_PKEY_free(pkey);
    BIO_free(bio);
    acme_key_free(key);
    acme_buffer_wipe(&pem);

    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
        NULL);
    SSL_CTX_set_session_id_context(ctx, (const unsigned char *) "site", 4);
    if (scene->show) {
        SSL_CTX_set_cert_cb(ctx, refuse_all, NULL);
    }
    SSL_CTX_set_tlsext_servername_callback(ctx, on_name);
    SSL_CTX_set_tlsext_servername_arg(ctx, scene);
    if (type == ACME_KEY_RSA_2048) {
        SSL_CTX_set_cipher_list(ctx, "ECDHE-RSA-AES128-GCM-SHA256");
    }
    if (scene->way == HELLO) {
        SSL_CTX_set_client_hello_cb(ctx, on_hello, scene);
    }
    return ctx;
}

/* ---- the CA */

/* Both sides in turn; true when both have finished. */
static bool
shake_hands(SSL *server, SSL *client)
{
    int ours = 0, theirs = 0;

    for (int i = 0; i < 10 && !(ours == 1 && theirs == 1); i++) {
        theirs = SSL_do_handshake(client);
        ours = SSL_do_handshake(server);
    }
    ERR_clear_error();
    return ours == 1 && theirs == 1;
}

static void
connect_both(struct scene *scene, const char *offer, SSL **server,
    SSL **client)
{
    BIO *a, *b;

    assert_int_equal(BIO_new_bio_pair(&a, MAX, &b, MAX), 1);
    *server = SSL_new(scene->server);
    scene->watch = (struct acme_alpn_watch) { on_message, scene };
    if (scene->way == MESSAGE) {
        acme_alpn_watch(*server, &scene->watch);
    }
    *client = SSL_new(scene->client);
    SSL_set_bio(*server, a, a);
    SSL_set_bio(*client, b, b);
    SSL_set_accept_state(*server);
    SSL_set_connect_state(*client);
    SSL_set_tlsext_host_name(*client, "example.test");
    if (offer != NULL) {
        SSL_set_alpn_protos(*client, (const unsigned char *) offer,
            (unsigned) strlen(offer));
    }
}

static void
begin(struct scene *scene, enum acme_key_type type, int version, enum way way)
{
    struct acme_error err;

    scene->cert.limit = scene->key.limit = MAX;
    assert_true(acme_alpn_cert_write("example.test", acme_bytes_of("t.p"),
        NOW, &scene->cert, &scene->key, &err));
    scene->way = way;
    scene->server = new_server(scene, type);
    scene->client = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(scene->client, version);
    SSL_CTX_set_max_proto_version(scene->client, version);
}

static void
end(struct scene *scene)
{
    SSL_CTX_free(scene->server);
    SSL_CTX_free(scene->client);
    acme_buffer_free(&scene->cert);
    acme_buffer_wipe(&scene->key);
}

static const struct {
    const char *what;
    enum acme_key_type type;
    int version;
    enum way way;
} servers[] = {
    { "ECDSA, 1.2, hello", ACME_KEY_ECDSA_256, TLS1_2_VERSION, HELLO },
    { "ECDSA, 1.3, hello", ACME_KEY_ECDSA_256, TLS1_3_VERSION, HELLO },
    { "RSA, 1.2, hello", ACME_KEY_RSA_2048, TLS1_2_VERSION, HELLO },
    { "RSA, 1.3, hello", ACME_KEY_RSA_2048, TLS1_3_VERSION, HELLO },
    { "ECDSA, 1.2, message", ACME_KEY_ECDSA_256, TLS1_2_VERSION, MESSAGE },
    { "ECDSA, 1.3, message", ACME_KEY_ECDSA_256, TLS1_3_VERSION, MESSAGE },
    { "RSA, 1.2, message", ACME_KEY_RSA_2048, TLS1_2_VERSION, MESSAGE },
    { "RSA, 1.3, message", ACME_KEY_RSA_2048, TLS1_3_VERSION, MESSAGE },
};

enum { SERVERS = sizeof(servers) / sizeof(servers[0]) };

/* Is this the certificate of the challenge, to the byte? */
static bool
is_challenge(const struct scene *scene, SSL *client)
{
    X509 *cert = SSL_get1_peer_certificate(client);
    unsigned char *der = NULL;
    int len = i2d_X509(cert, &der);
    bool same = len > 0 && (size_t) len == scene->cert.len
        && memcmp(der, scene->cert.at, scene->cert.len) == 0;

    OPENSSL_free(der);
    X509_free(cert);
    return same;
}

static void
a_ca_sees_the_challenge_on_any_server(void **state)
{
    (void) state;
    for (size_t i = 0; i < SERVERS; i++) {
        struct scene scene = { .show = true };
        const unsigned char *protocol;
        unsigned len;
        SSL *server, *client;

        begin(&scene, servers[i].type, servers[i].version, servers[i].way);
        connect_both(&scene, ACME_OFFER, &server, &client);
        if (!shake_hands(server, client) || !is_challenge(&scene, client)
            || scene.asked_for_name) {
            fail_msg("%s", servers[i].what);
        }
        assert_int_equal(scene.hellos, servers[i].way == MESSAGE);
        assert_int_equal(scene.offered, servers[i].way == MESSAGE);
        SSL_get0_alpn_selected(client, &protocol, &len);
        assert_int_equal(len, 10);
        assert_memory_equal(protocol, "acme-tls/1", 10);
        /* nothing comes after it that a session could be made of */
        assert_int_equal(SSL_read(client, &len, 1), -1);
        assert_false(SSL_SESSION_has_ticket(SSL_get_session(client)));
        SSL_free(server);
        SSL_free(client);
        end(&scene);
    }
}

static void
nobody_else_is_disturbed(void **state)
{
    (void) state;
    for (size_t i = 0; i < SERVERS; i++) {
        struct scene scene = { .show = false };
        SSL *server, *client;

        begin(&scene, servers[i].type, servers[i].version, servers[i].way);
        SSL_CTX_set_verify(scene.server, SSL_VERIFY_NONE, NULL);
        connect_both(&scene, "\x08http/1.1", &server, &client);
        if (!shake_hands(server, client) || is_challenge(&scene, client)
            || !scene.asked_for_name || scene.offered) {
            fail_msg("%s", servers[i].what);
        }
        SSL_free(server);
        SSL_free(client);
        end(&scene);
    }
}

/* The server has no group that the client begins with: two hellos. */
static void
a_ca_that_is_asked_for_another_hello_sees_it_too(void **state)
{
    (void) state;
    for (enum way way = HELLO; way <= MESSAGE; way++) {
        struct scene scene = { .show = true };
        SSL *server, *client;

        begin(&scene, ACME_KEY_ECDSA_256, TLS1_3_VERSION, way);
        assert_int_equal(SSL_CTX_set1_groups_list(scene.server, "P-384"), 1);
        connect_both(&scene, ACME_OFFER, &server, &client);
        assert_true(shake_hands(server, client));
        assert_true(is_challenge(&scene, client));
        assert_int_equal(scene.hellos, way == MESSAGE);
        SSL_free(server);
        SSL_free(client);
        end(&scene);
    }
}

/* nginx's own choice was without TLS 1.3 for long; a CA may do without 1.2. */
static void
a_ca_speaks_what_the_server_does_not(void **state)
{
    (void) state;
    for (size_t i = 0; i < SERVERS; i++) {
        struct scene scene = { .show = true };
        int other = servers[i].version == TLS1_2_VERSION ? TLS1_3_VERSION
            : TLS1_2_VERSION;
        SSL *server, *client;

        begin(&scene, servers[i].type, servers[i].version, servers[i].way);
        if (i % 2 == 0) {
            SSL_CTX_set_min_proto_version(scene.server, other);
            SSL_CTX_set_max_proto_version(scene.server, other);
        } else {
            SSL_CTX_set_options(scene.server, other == TLS1_2_VERSION
                ? SSL_OP_NO_TLSv1_3 : SSL_OP_NO_TLSv1_2);
        }
        connect_both(&scene, ACME_OFFER, &server, &client);
        if (!shake_hands(server, client) || !is_challenge(&scene, client)) {
            fail_msg("%s", servers[i].what);
        }
        SSL_free(server);
        SSL_free(client);
        end(&scene);
    }
}

/* One handshake that may go on with a session; its own session afterwards. */
static SSL_SESSION *
connect_with(struct scene *scene, bool show, SSL_SESSION *session,
    bool *reused)
{
    SSL *server, *client;

    scene->show = show;
    connect_both(scene, show ? ACME_OFFER : NULL, &server, &client);
    if (session != NULL) {
        SSL_set_session(client, session);
    }
    assert_true(shake_hands(server, client));
    *reused = SSL_session_reused(client);
    session = SSL_get1_session(client);
    SSL_shutdown(server);
    SSL_shutdown(client);
    SSL_free(server);
    SSL_free(client);
    return session;
}

/* Or who was asked for no certificate would go on where one is needed. */
static void
no_session_leads_from_a_challenge_to_the_site_or_back(void **state)
{
    struct scene scene = { .show = false };
    SSL_SESSION *site, *again, *challenge, *other;
    bool reused;

    (void) state;
    begin(&scene, ACME_KEY_ECDSA_256, TLS1_2_VERSION, HELLO);
    SSL_CTX_set_verify(scene.server, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_session_id_context(scene.server, NULL, 0);
    SSL_CTX_set_options(scene.server, SSL_OP_NO_TICKET);
    site = connect_with(&scene, false, NULL, &reused);
    again = connect_with(&scene, false, site, &reused);
    assert_true(reused);
    challenge = connect_with(&scene, true, site, &reused);
    assert_false(reused);
    other = connect_with(&scene, false, challenge, &reused);
    assert_false(reused);
    SSL_SESSION_free(site);
    SSL_SESSION_free(again);
    SSL_SESSION_free(challenge);
    SSL_SESSION_free(other);
    end(&scene);
}

/* Should a caller err about the offer, there is no connection at all. */
static void
other_protocols_get_no_connection(void **state)
{
    static const char *const offers[] = { "\x08http/1.1",
        ACME_OFFER "\x08http/1.1" };

    (void) state;
    for (size_t i = 0; i < 2; i++) {
        struct scene scene = { .show = true };
        SSL *server, *client;

        begin(&scene, ACME_KEY_ECDSA_256, TLS1_3_VERSION, HELLO);
        connect_both(&scene, offers[i], &server, &client);
        assert_false(shake_hands(server, client));
        SSL_free(server);
        SSL_free(client);
        end(&scene);
    }
}

static void
what_is_no_pair_leaves_the_connection_as_it_was(void **state)
{
    struct scene scene = { .show = true, .broken = true };
    SSL *server, *client;

    (void) state;
    begin(&scene, ACME_KEY_ECDSA_256, TLS1_3_VERSION, HELLO);
    SSL_CTX_set_verify(scene.server, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_cert_cb(scene.server, NULL, NULL);
    connect_both(&scene, ACME_OFFER, &server, &client);
    assert_true(shake_hands(server, client));
    assert_false(is_challenge(&scene, client));
    assert_true(scene.asked_for_name);
    SSL_free(server);
    SSL_free(client);
    end(&scene);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ca_sees_the_challenge_on_any_server),
        cmocka_unit_test(nobody_else_is_disturbed),
        cmocka_unit_test(a_ca_that_is_asked_for_another_hello_sees_it_too),
        cmocka_unit_test(a_ca_speaks_what_the_server_does_not),
        cmocka_unit_test(
            no_session_leads_from_a_challenge_to_the_site_or_back),
        cmocka_unit_test(other_protocols_get_no_connection),
        cmocka_unit_test(what_is_no_pair_leaves_the_connection_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
