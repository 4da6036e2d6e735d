
/*
 * Answers http-01 (RFC 8555 8.3) and tls-alpn-01 (RFC 8737) from the shared
 * page.  What is not pending there is the site's: another ACME client's
 * webroot keeps working.
 */


#include "ngx_http_acme_domain.h"


static ngx_int_t ngx_http_acme_domain_send_proof(ngx_http_request_t *r,
    const char *text, size_t len);
#ifdef SSL_CLIENT_HELLO_SUCCESS
static int ngx_http_acme_domain_client_hello(ngx_ssl_conn_t *ssl_conn, int *ad,
    void *arg);
static ngx_int_t ngx_http_acme_domain_show_proof(ngx_ssl_conn_t *ssl_conn,
    const struct acme_page *page);
static struct acme_bytes ngx_http_acme_domain_extension(
    ngx_ssl_conn_t *ssl_conn, unsigned int type);
#endif


ngx_int_t
ngx_http_acme_domain_proof_handler(ngx_http_request_t *r)
{
    char                               body[ACME_KEY_AUTH_MAX + 1];
    size_t                             len;
    ngx_int_t                          rc;
    const struct acme_page            *page;
    ngx_http_acme_domain_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_acme_domain_module);
    page = acme_helper_page(amcf->helper);

    if (!acme_page_has_proofs(page)) {
        return NGX_DECLINED;
    }

    if (r != r->main || !(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_DECLINED;
    }

    if (!acme_serve_http01(page, (const char *) r->uri.data, r->uri.len, body,
                           &len))
    {
        return NGX_DECLINED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_http_finalize_request(r, ngx_http_acme_domain_send_proof(r, body, len));

    return NGX_DONE;
}


static ngx_int_t
ngx_http_acme_domain_send_proof(ngx_http_request_t *r, const char *text,
    size_t len)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "acme: http-01 challenge answered");

    b = ngx_create_temp_buf(r->pool, len);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last = ngx_cpymem(b->pos, text, len);
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = len;
    ngx_str_set(&r->headers_out.content_type, "application/octet-stream");
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, &out);
}


/*
 * A CA may reach any server that listens with TLS, whatever it is for: all
 * look at the hello.  nginx's own callback, where it has one, is called after
 * ours; there is no other way to put something before the choice of a server.
 */

void
ngx_http_acme_domain_watch_hellos(ngx_conf_t *cf,
    ngx_http_acme_domain_main_conf_t *amcf)
{
#ifdef SSL_CLIENT_HELLO_SUCCESS

    ngx_uint_t                   i;
    ngx_http_ssl_srv_conf_t     *sscf;
    ngx_http_core_srv_conf_t   **cscfp;
    ngx_http_core_main_conf_t   *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    cscfp = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {
        sscf = cscfp[i]->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

        if (sscf->ssl.ctx != NULL) {
            SSL_CTX_set_client_hello_cb(sscf->ssl.ctx,
                                        ngx_http_acme_domain_client_hello,
                                        amcf);
        }
    }

#endif
}


#ifdef SSL_CLIENT_HELLO_SUCCESS

static int
ngx_http_acme_domain_client_hello(ngx_ssl_conn_t *ssl_conn, int *ad, void *arg)
{
    ngx_http_acme_domain_main_conf_t  *amcf = arg;

    const struct acme_page  *page;

    page = acme_helper_page(amcf->helper);

    if (acme_page_has_alpn(page)
        && ngx_http_acme_domain_show_proof(ssl_conn, page) == NGX_OK)
    {
        return SSL_CLIENT_HELLO_SUCCESS;
    }

#if (nginx_version >= 1029002)
    return ngx_ssl_client_hello_callback(ssl_conn, ad, NULL);
#else
    return SSL_CLIENT_HELLO_SUCCESS;
#endif
}


static ngx_int_t
ngx_http_acme_domain_show_proof(ngx_ssl_conn_t *ssl_conn,
    const struct acme_page *page)
{
    ngx_connection_t       *c;
    struct acme_bytes       cert, key;
    struct acme_error       err;
    struct acme_hello       hello;
    struct acme_page_alpn   pair;

    c = ngx_ssl_get_connection(ssl_conn);

    /* not by QUIC, whose streams only have c->quic: RFC 8737 is for TCP */

    if (c->type != SOCK_STREAM) {
        return NGX_DECLINED;
    }

    hello.server_name = ngx_http_acme_domain_extension(ssl_conn,
                                                    TLSEXT_TYPE_server_name);
    hello.alpn = ngx_http_acme_domain_extension(ssl_conn,
                          TLSEXT_TYPE_application_layer_protocol_negotiation);

    if (!acme_serve_alpn01(page, &hello, &pair)) {
        return NGX_DECLINED;
    }

    cert.at = pair.cert;
    cert.len = pair.cert_len;
    key.at = pair.key;
    key.len = pair.key_len;

    if (!acme_alpn_show(ssl_conn, cert, key, &err)) {
        ngx_log_error(NGX_LOG_ERR, c->log, 0, "acme: %s", err.text);
        return NGX_DECLINED;
    }

    ngx_log_error(NGX_LOG_INFO, c->log, 0,
                  "acme: tls-alpn-01 challenge answered");

    /* after the handshake, in place of waiting for a request */
    c->close = 1;

    return NGX_OK;
}


static struct acme_bytes
ngx_http_acme_domain_extension(ngx_ssl_conn_t *ssl_conn, unsigned int type)
{
    struct acme_bytes  body;

    if (SSL_client_hello_get0_ext(ssl_conn, type, &body.at, &body.len) == 0) {
        body.at = NULL;
        body.len = 0;
    }

    return body;
}

#endif
