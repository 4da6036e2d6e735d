/*
 * Answers http-01 (RFC 8555 8.3) from the shared page. A token that is not
 * pending is the site's: another ACME client's webroot keeps working.
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
