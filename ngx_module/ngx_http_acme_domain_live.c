
/*
 * Certificates -> the ssl module, by its own means: the files of the newest
 * generation, or the placeholder as "data:" values, which live in memory.
 */


#include "ngx_http_acme_domain.h"


static ngx_int_t ngx_http_acme_domain_set(ngx_conf_t *cf, ngx_array_t **array,
    const char *prefix, struct acme_bytes value);
static void ngx_http_acme_domain_live_warn(void *ctx, const char *text);


/* certificates of the same server block are a contradiction */

ngx_int_t
ngx_http_acme_domain_check_certificate(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf, const char *where)
{
    ngx_http_conf_ctx_t      *ctx;
    ngx_http_ssl_srv_conf_t  *sscf, *hscf;

    sscf = cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    if (sscf->certificates != NGX_CONF_UNSET_PTR
        || sscf->certificate_keys != NGX_CONF_UNSET_PTR)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"ssl_certificate\" and \"acme_domain\" are in one "
                      "server block: drop the \"ssl_certificate\" and "
                      "\"ssl_certificate_key\" lines, or \"acme_domain\" "
                      "in %s", where);
        return NGX_ERROR;
    }

    ctx = cf->ctx;
    hscf = ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    if (hscf->certificates != NGX_CONF_UNSET_PTR) {
        ngx_log_error(NGX_LOG_NOTICE, cf->log, 0,
                      "\"ssl_certificate\" of the http block is not used "
                      "where \"acme_domain\" is, in %s", where);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_acme_domain_set_certificate(ngx_conf_t *cf,
    struct acme_settings *settings, struct acme_settings_cert *cert,
    ngx_http_core_srv_conf_t *cscf, const char *where)
{
    ngx_int_t                 rc;
    const char               *prefix;
    struct acme_bytes         chain, key;
    struct acme_error         err;
    struct acme_serve_cert    live;
    ngx_http_ssl_srv_conf_t  *sscf;

    if (!acme_serve_cert(settings, cert, ngx_time(),
                         ngx_http_acme_domain_live_warn, cf, &live, &err))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "acme: %s in %s", err.text,
                      where);
        return NGX_ERROR;
    }

    if (live.placeholder) {
        prefix = "data:";
        chain = acme_buffer_bytes(&live.cert_pem);
        key = acme_buffer_bytes(&live.key_pem);

    } else {
        prefix = "";
        chain = acme_bytes_of(live.cert_path);
        key = acme_bytes_of(live.key_path);
    }

    sscf = cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    if (live.placeholder) {
        /* nobody can vouch for it: nginx would log all of it to say so */
        sscf->stapling = 0;
    }

    rc = NGX_ERROR;

    if (ngx_http_acme_domain_set(cf, &sscf->certificates, prefix, chain)
        == NGX_OK
        && ngx_http_acme_domain_set(cf, &sscf->certificate_keys, prefix, key)
           == NGX_OK)
    {
        rc = NGX_OK;
    }

    acme_serve_cert_free(&live);

    return rc;
}


static ngx_int_t
ngx_http_acme_domain_set(ngx_conf_t *cf, ngx_array_t **array,
    const char *prefix, struct acme_bytes value)
{
    u_char     *p;
    ngx_str_t  *s;

    *array = ngx_array_create(cf->pool, 1, sizeof(ngx_str_t));
    if (*array == NULL) {
        return NGX_ERROR;
    }

    s = ngx_array_push(*array);
    if (s == NULL) {
        return NGX_ERROR;
    }

    s->len = ngx_strlen(prefix) + value.len;

    s->data = ngx_pnalloc(cf->pool, s->len + 1);
    if (s->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(s->data, prefix, ngx_strlen(prefix));
    p = ngx_cpymem(p, value.at, value.len);
    *p = '\0';

    return NGX_OK;
}


static void
ngx_http_acme_domain_live_warn(void *ctx, const char *text)
{
    ngx_conf_t  *cf = ctx;

    ngx_log_error(NGX_LOG_WARN, cf->log, 0, "acme: %s", text);
}
