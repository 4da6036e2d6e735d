
/*
 * Certificates -> the ssl module, by its own means: the files of the newest
 * generation, or the placeholder as "data:" values, which live in memory.
 */


#include "ngx_http_acme_domain.h"


static ngx_int_t ngx_http_acme_domain_push(ngx_conf_t *cf,
    ngx_http_ssl_srv_conf_t *sscf, const char *prefix,
    struct acme_bytes chain, struct acme_bytes key);
static ngx_int_t ngx_http_acme_domain_push_value(ngx_conf_t *cf,
    ngx_array_t *array, const char *prefix, struct acme_bytes value);
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
    size_t                    i;
    ngx_int_t                 rc;
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

    sscf = cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    rc = NGX_ERROR;

    sscf->certificates = ngx_array_create(cf->pool, 2, sizeof(ngx_str_t));
    sscf->certificate_keys = ngx_array_create(cf->pool, 2, sizeof(ngx_str_t));

    if (sscf->certificates == NULL || sscf->certificate_keys == NULL) {
        goto done;
    }

    if (live.placeholder) {
        /* nobody can vouch for it: nginx would log all of it to say so */
        sscf->stapling = 0;

        rc = ngx_http_acme_domain_push(cf, sscf, "data:",
                                       acme_buffer_bytes(&live.cert_pem),
                                       acme_buffer_bytes(&live.key_pem));
        goto done;
    }

    /* of several, the ssl module picks by what the client can verify */

    for (i = 0; i < live.pair_count; i++) {
        rc = ngx_http_acme_domain_push(cf, sscf, "",
                                   acme_bytes_of(live.pairs[i].cert_path),
                                   acme_bytes_of(live.pairs[i].key_path));
        if (rc != NGX_OK) {
            break;
        }
    }

done:

    acme_serve_cert_free(&live);

    return rc;
}


static ngx_int_t
ngx_http_acme_domain_push(ngx_conf_t *cf, ngx_http_ssl_srv_conf_t *sscf,
    const char *prefix, struct acme_bytes chain, struct acme_bytes key)
{
    if (ngx_http_acme_domain_push_value(cf, sscf->certificates, prefix, chain)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_acme_domain_push_value(cf, sscf->certificate_keys, prefix,
                                           key);
}


static ngx_int_t
ngx_http_acme_domain_push_value(ngx_conf_t *cf, ngx_array_t *array,
    const char *prefix, struct acme_bytes value)
{
    u_char     *p;
    ngx_str_t  *s;

    s = ngx_array_push(array);
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
