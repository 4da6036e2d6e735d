
/*
 * Answers http-01 (RFC 8555 8.3) from the shared page.  A token that is not
 * pending is the site's: another ACME client's webroot keeps working.
 */


#include "ngx_http_acme_domain.h"


static ngx_int_t ngx_http_acme_domain_send_proof(ngx_http_request_t *r,
    const char *text, size_t len);


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
