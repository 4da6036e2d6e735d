/*
 * Answers http-01 (RFC 8555 8.3) and tls-alpn-01 (RFC 8737) from the shared
 * page. What is not pending there is the site's: another ACME client's webroot
 * keeps working.
 */

#include "mod_acme.h"

#include "apr_buckets.h"
#include "http_protocol.h"
#include "http_request.h"
#include "util_filter.h"

APLOG_USE_MODULE(acme);

static int send_proof(request_rec *r, const char *text, apr_size_t len)
{
    conn_rec *c = r->connection;
    apr_bucket_brigade *bb;

    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                  "acme: http-01 challenge answered");

    /* httpd ends a connection after an answer that is made this early */
    if (c->master == NULL) {
        c->keepalive = AP_CONN_CLOSE;
    }
    ap_set_content_type(r, "application/octet-stream");
    ap_set_content_length(r, (apr_off_t)len);

    bb = apr_brigade_create(r->pool, c->bucket_alloc);
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_heap_create(text, len, NULL,
                                                       c->bucket_alloc));
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(c->bucket_alloc));
    ap_pass_brigade(r->output_filters, bb);

    return DONE;
}

int mod_acme_answer(request_rec *r)
{
    const struct acme_page *page = mod_acme_page();
    char body[ACME_KEY_AUTH_MAX + 1];
    size_t len;

    if (!acme_page_has_proofs(page)) {
        return DECLINED;
    }
    if (!ap_is_initial_req(r) || r->method_number != M_GET
        || r->parsed_uri.path == NULL) {
        return DECLINED;
    }
    if (!acme_serve_http01(page, r->parsed_uri.path,
                           strlen(r->parsed_uri.path), body, &len)) {
        return DECLINED;
    }
    return send_proof(r, body, len);
}

/*
 * ---- tls-alpn-01
 *
 * mod_ssl keeps OpenSSL's client hello callback for itself, and asks others
 * about protocols and challenges when TLS 1.2 has chosen the vhost's kind of
 * certificate already. So the hello is looked at as it arrives, on connections
 * that begin while a challenge is pending: that of a CA goes on without
 * mod_ssl's vhosts, and is closed after the handshake.
 */

typedef struct {
    struct acme_alpn_watch watch;
    conn_rec *c;
    int shown;                      /* the client is a CA, and was shown it */
    int shaken;                     /* the handshake is over */
} hello_t;

static ap_filter_rec_t *end_filter;

static void see_hello(void *ctx, struct ssl_st *ssl, struct acme_bytes message)
{
    hello_t *mine = ctx;
    struct acme_hello hello;
    struct acme_page_alpn pair;
    struct acme_bytes cert = { pair.cert, 0 };
    struct acme_bytes key = { pair.key, 0 };
    struct acme_error err;

    if (!acme_hello_read(message, &hello)
        || !acme_serve_alpn01(mod_acme_page(), &hello, &pair)) {
        return;
    }
    cert.len = pair.cert_len;
    key.len = pair.key_len;
    if (!acme_alpn_show(ssl, cert, key, &err)) {
        ap_log_cerror(APLOG_MARK, APLOG_ERR, 0, mine->c, "acme: %s", err.text);
        return;
    }
    mine->shown = 1;
    ap_log_cerror(APLOG_MARK, APLOG_INFO, 0, mine->c,
                  "acme: tls-alpn-01 challenge answered");
}

/*
 * Above mod_ssl's: the first read makes the handshake, and is the last one of
 * a CA. For everybody else the filter is gone after it. What mod_ssl puts into
 * the brigade is its answer to a request without TLS.
 */
static apr_status_t end_after_handshake(ap_filter_t *f, apr_bucket_brigade *bb,
                                        ap_input_mode_t mode,
                                        apr_read_type_e block,
                                        apr_off_t readbytes)
{
    hello_t *mine = f->ctx;

    if (!mine->shaken) {
        apr_status_t rv = ap_get_brigade(f->next, bb, AP_MODE_INIT, block, 0);

        if (APR_STATUS_IS_EAGAIN(rv)) {
            return rv;
        }
        mine->shaken = 1;
        if (!mine->shown) {
            ap_remove_input_filter(f);
            return rv != APR_SUCCESS || mode == AP_MODE_INIT
                    || !APR_BRIGADE_EMPTY(bb)
                ? rv : ap_get_brigade(f->next, bb, mode, block, readbytes);
        }
    }
    f->c->keepalive = AP_CONN_CLOSE;
    return APR_EOF;
}

int mod_acme_pre_handshake(conn_rec *c, struct ssl_st *ssl, int is_proxy)
{
    hello_t *mine;

    if (is_proxy || !acme_page_has_alpn(mod_acme_page())) {
        return DECLINED;
    }
    mine = apr_pcalloc(c->pool, sizeof(*mine));
    mine->c = c;
    mine->watch.hello = see_hello;
    mine->watch.ctx = mine;
    acme_alpn_watch(ssl, &mine->watch);
    ap_add_input_filter_handle(end_filter, mine, NULL, c);
    return OK;
}

void mod_acme_register_filter(void)
{
    end_filter = ap_register_input_filter("ACME_END", end_after_handshake,
                                          NULL, AP_FTYPE_CONNECTION);
}
