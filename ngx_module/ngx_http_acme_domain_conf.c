
/*
 * Directives -> settings.  What a value may be is the core's business; the
 * file and line of an error are ours.
 */


#include "ngx_http_acme_domain.h"


typedef struct {
    ngx_conf_t          *cf;
    const char          *where;
} ngx_http_acme_domain_warn_ctx_t;


static void ngx_http_acme_domain_free_scope(void *data);
static void ngx_http_acme_domain_free_settings(void *data);
static ngx_int_t ngx_http_acme_domain_full_name(ngx_conf_t *cf,
    ngx_uint_t directive, ngx_uint_t index, ngx_str_t *value);
static ngx_int_t ngx_http_acme_domain_build(ngx_conf_t *cf,
    ngx_http_acme_domain_main_conf_t *amcf, const struct acme_scope *global);
static ngx_int_t ngx_http_acme_domain_add_server(ngx_conf_t *cf,
    struct acme_settings *settings, const struct acme_scope *global,
    ngx_http_core_srv_conf_t *cscf, ngx_uint_t *cert);
static ngx_int_t ngx_http_acme_domain_check(ngx_conf_t *cf,
    struct acme_settings *settings);
static ngx_int_t ngx_http_acme_domain_serve(ngx_conf_t *cf,
    struct acme_settings *settings, struct acme_settings_cert *cert,
    ngx_http_core_srv_conf_t *cscf);
static const char **ngx_http_acme_domain_server_names(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf);
static void ngx_http_acme_domain_set_listeners(ngx_conf_t *cf,
    struct acme_settings *settings);
static ngx_uint_t ngx_http_acme_domain_has_tls(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf);
static ngx_int_t ngx_http_acme_domain_add_listeners(ngx_conf_t *cf,
    struct acme_settings *settings, ngx_uint_t cert,
    ngx_http_core_srv_conf_t *cscf);
static ngx_uint_t ngx_http_acme_domain_is_reached(ngx_http_conf_port_t *port,
    ngx_http_conf_addr_t *addr, char *text);
static void ngx_http_acme_domain_warn(void *ctx, const char *text);
static struct acme_scope *ngx_http_acme_domain_scope(
    ngx_http_core_srv_conf_t *cscf);


void *
ngx_http_acme_domain_create_main_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_acme_domain_main_conf_t));
}


void *
ngx_http_acme_domain_create_srv_conf(ngx_conf_t *cf)
{
    ngx_pool_cleanup_t               *cln;
    ngx_http_acme_domain_srv_conf_t  *ascf;

    ascf = ngx_pcalloc(cf->pool, sizeof(ngx_http_acme_domain_srv_conf_t));
    if (ascf == NULL) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    ascf->scope = acme_scope_new();
    if (ascf->scope == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_acme_domain_free_scope;
    cln->data = ascf->scope;

    return ascf;
}


static void
ngx_http_acme_domain_free_scope(void *data)
{
    acme_scope_free(data);
}


char *
ngx_http_acme_domain_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_acme_domain_srv_conf_t  *ascf = conf;

    u_char             *p;
    ngx_str_t          *value;
    ngx_uint_t          i;
    const char        **argv;
    u_char              where[NGX_MAX_PATH + NGX_INT64_LEN + 2];
    struct acme_error   err;

    value = cf->args->elts;

    argv = ngx_palloc(cf->pool, cf->args->nelts * sizeof(char *));
    if (argv == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_acme_domain_full_name(cf, cmd->offset, i - 1, &value[i])
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

        argv[i - 1] = (const char *) value[i].data;
    }

    p = ngx_snprintf(where, sizeof(where) - 1, "%V:%ui",
                     &cf->conf_file->file.name, cf->conf_file->line);
    *p = '\0';

    if (!acme_scope_set(ascf->scope, cmd->offset, cf->args->nelts - 1, argv,
                        (const char *) where, &err))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", err.text);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* relative paths begin where nginx's own begin */

static ngx_int_t
ngx_http_acme_domain_full_name(ngx_conf_t *cf, ngx_uint_t directive,
    ngx_uint_t index, ngx_str_t *value)
{
    if (!acme_directive_has_path(directive, index)) {
        return NGX_OK;
    }

    return ngx_conf_full_name(cf->cycle, value,
                              directive == ACME_DIRECTIVE_CA_CERTIFICATE
                              || directive == ACME_DIRECTIVE_EAB);
}


/*
 * All server blocks are parsed and, since this module stands before the ssl
 * module, none is merged there: the place to hand it certificates.
 */

char *
ngx_http_acme_domain_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_acme_domain_main_conf_t  *amcf = conf;

    ngx_uint_t                         i;
    ngx_http_conf_ctx_t               *ctx;
    ngx_http_core_srv_conf_t         **cscfp;
    ngx_http_core_main_conf_t         *cmcf;
    ngx_http_acme_domain_srv_conf_t   *ascf;

    ctx = cf->ctx;
    ascf = ctx->srv_conf[ngx_http_acme_domain_module.ctx_index];

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    cscfp = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {
        if (acme_scope_has(ngx_http_acme_domain_scope(cscfp[i]),
                           ACME_DIRECTIVE_DOMAIN))
        {
            if (ngx_http_acme_domain_build(cf, amcf, ascf->scope) != NGX_OK) {
                return NGX_CONF_ERROR;
            }

            break;
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_acme_domain_build(ngx_conf_t *cf,
    ngx_http_acme_domain_main_conf_t *amcf, const struct acme_scope *global)
{
    ngx_time_t                  *now;
    ngx_uint_t                   i, *certs;
    ngx_core_conf_t             *ccf;
    struct acme_error            err;
    ngx_pool_cleanup_t          *cln;
    struct acme_settings        *settings;
    ngx_http_core_srv_conf_t   **cscfp;
    ngx_http_core_main_conf_t   *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    cscfp = cmcf->servers.elts;

    certs = ngx_pcalloc(cf->pool, cmcf->servers.nelts * sizeof(ngx_uint_t));
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (certs == NULL || cln == NULL) {
        return NGX_ERROR;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                           ngx_core_module);

    settings = acme_settings_new(global, NGX_ACME_HELPER_PATH,
                                 ccf->username ? ccf->username : NGX_USER,
                                 &err);
    if (settings == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "acme: %s", err.text);
        return NGX_ERROR;
    }

    cln->handler = ngx_http_acme_domain_free_settings;
    cln->data = settings;

    for (i = 0; i < cmcf->servers.nelts; i++) {
        if (ngx_http_acme_domain_add_server(cf, settings, global, cscfp[i],
                                            &certs[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (ngx_http_acme_domain_check(cf, settings) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_acme_domain_set_listeners(cf, settings);

    for (i = 0; i < cmcf->servers.nelts; i++) {
        if (ngx_http_acme_domain_add_listeners(cf, settings, certs[i],
                                               cscfp[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    now = ngx_timeofday();
    amcf->read_ms = (int64_t) now->sec * 1000 + now->msec;

    if (!acme_store_assign(settings, &err)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "acme: %s", err.text);
        return NGX_ERROR;
    }

    for (i = 0; i < cmcf->servers.nelts; i++) {
        if (ngx_http_acme_domain_serve(cf, settings,
                                       &settings->certs[certs[i]], cscfp[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    amcf->settings = settings;

    return NGX_OK;
}


static void
ngx_http_acme_domain_free_settings(void *data)
{
    acme_settings_free(data);
}


static struct acme_scope *
ngx_http_acme_domain_scope(ngx_http_core_srv_conf_t *cscf)
{
    ngx_http_acme_domain_srv_conf_t  *ascf;

    ascf = cscf->ctx->srv_conf[ngx_http_acme_domain_module.ctx_index];

    return ascf->scope;
}


static ngx_int_t
ngx_http_acme_domain_add_server(ngx_conf_t *cf,
    struct acme_settings *settings, const struct acme_scope *global,
    ngx_http_core_srv_conf_t *cscf, ngx_uint_t *cert)
{
    size_t                            index;
    const char                      **names;
    struct acme_error                 err;
    struct acme_scope                *scope;
    ngx_http_acme_domain_warn_ctx_t   ctx;

    scope = ngx_http_acme_domain_scope(cscf);

    ctx.cf = cf;
    ctx.where = acme_scope_where(scope, ACME_DIRECTIVE_DOMAIN);

    if (ctx.where == NULL) {
        return NGX_OK;
    }

    if (ngx_http_acme_domain_check_certificate(cf, cscf, ctx.where)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    names = ngx_http_acme_domain_server_names(cf, cscf);
    if (names == NULL) {
        return NGX_ERROR;
    }

    if (!acme_settings_add_server(settings, global, scope, names,
                                  cscf->server_names.nelts,
                                  ngx_http_acme_domain_warn, &ctx, &index,
                                  &err))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "%s in %s", err.text,
                      ctx.where);
        return NGX_ERROR;
    }

    *cert = index;

    return NGX_OK;
}


static ngx_int_t
ngx_http_acme_domain_check(ngx_conf_t *cf, struct acme_settings *settings)
{
    struct acme_error                 err;
    ngx_http_acme_domain_warn_ctx_t   ctx;

    ctx.cf = cf;
    ctx.where = settings->certs[0].where;

    if (!acme_settings_check(settings, &err)
        || !acme_store_check_accounts(settings, ngx_http_acme_domain_warn,
                                      &ctx, &err))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "%s; acme_domain is in %s",
                      err.text, ctx.where);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_acme_domain_serve(ngx_conf_t *cf, struct acme_settings *settings,
    struct acme_settings_cert *cert, ngx_http_core_srv_conf_t *cscf)
{
    const char  *where;

    where = acme_scope_where(ngx_http_acme_domain_scope(cscf),
                             ACME_DIRECTIVE_DOMAIN);

    if (where == NULL) {
        return NGX_OK;
    }

    if (!ngx_http_acme_domain_has_tls(cf, cscf)) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0, "acme_domain in a server "
                      "without \"listen ... ssl\": the certificate is "
                      "obtained but not served here, in %s", where);
        return NGX_OK;
    }

    return ngx_http_acme_domain_set_certificate(cf, settings, cert, cscf,
                                                where);
}


static void
ngx_http_acme_domain_warn(void *data, const char *text)
{
    ngx_http_acme_domain_warn_ctx_t  *ctx = data;

    ngx_log_error(NGX_LOG_WARN, ctx->cf->log, 0, "%s in %s", text,
                  ctx->where);
}


/* nginx has taken the "~" from regular expressions: it is put back */

static const char **
ngx_http_acme_domain_server_names(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf)
{
    u_char                  *p;
    ngx_uint_t               i;
    const char             **names;
    ngx_http_server_name_t  *sn;

    sn = cscf->server_names.elts;

    names = ngx_palloc(cf->pool,
                       (cscf->server_names.nelts + 1) * sizeof(char *));
    if (names == NULL) {
        return NULL;
    }

    for (i = 0; i < cscf->server_names.nelts; i++) {

        p = ngx_pnalloc(cf->pool, sn[i].name.len + 2);
        if (p == NULL) {
            return NULL;
        }

        names[i] = (const char *) p;

#if (NGX_PCRE)
        if (sn[i].regex) {
            *p++ = '~';
        }
#endif

        p = ngx_cpymem(p, sn[i].name.data, sn[i].name.len);
        *p = '\0';
    }

    return names;
}


/* behind a unix socket there may be any port of the world's */

static void
ngx_http_acme_domain_set_listeners(ngx_conf_t *cf,
    struct acme_settings *settings)
{
    ngx_uint_t                        p, a, any, http, https;
    ngx_http_conf_port_t             *port;
    ngx_http_conf_addr_t             *addr;
    ngx_http_core_main_conf_t        *cmcf;
    ngx_http_acme_domain_warn_ctx_t   ctx;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    port = cmcf->ports ? cmcf->ports->elts : NULL;
    http = 0;
    https = 0;

    for (p = 0; port && p < cmcf->ports->nelts; p++) {
        any = (port[p].family != AF_INET && port[p].family != AF_INET6);
        addr = port[p].addrs.elts;

        for (a = 0; a < port[p].addrs.nelts; a++) {

#if (NGX_HTTP_V3)
            if (addr[a].opt.quic) {
                continue;
            }
#endif

            if (addr[a].opt.ssl) {
                https |= (any || port[p].port == settings->port_https);

            } else {
                http |= (any || port[p].port == settings->port_http);
            }
        }
    }

    ctx.cf = cf;
    ctx.where = settings->certs[0].where;

    acme_settings_set_listeners(settings, http, https,
                                ngx_http_acme_domain_warn, &ctx);
}


static ngx_uint_t
ngx_http_acme_domain_has_tls(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf)
{
    ngx_uint_t                   p, a, s;
    ngx_http_conf_port_t        *port;
    ngx_http_conf_addr_t        *addr;
    ngx_http_core_srv_conf_t   **server;
    ngx_http_core_main_conf_t   *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (cmcf->ports == NULL) {
        return 0;
    }

    port = cmcf->ports->elts;

    for (p = 0; p < cmcf->ports->nelts; p++) {
        addr = port[p].addrs.elts;

        for (a = 0; a < port[p].addrs.nelts; a++) {

            if (!addr[a].opt.ssl
#if (NGX_HTTP_V3)
                && !addr[a].opt.quic
#endif
               )
            {
                continue;
            }

            server = addr[a].servers.elts;

            for (s = 0; s < addr[a].servers.nelts; s++) {
                if (server[s] == cscf) {
                    return 1;
                }
            }
        }
    }

    return 0;
}


/* where clients with TLS find the certificate of a server */

static ngx_int_t
ngx_http_acme_domain_add_listeners(ngx_conf_t *cf,
    struct acme_settings *settings, ngx_uint_t cert,
    ngx_http_core_srv_conf_t *cscf)
{
    char                         text[ACME_ADDRESS_SIZE];
    ngx_uint_t                   p, a, s;
    ngx_http_conf_port_t        *port;
    ngx_http_conf_addr_t        *addr;
    struct acme_listener         listener;
    ngx_http_core_srv_conf_t   **server;
    ngx_http_core_main_conf_t   *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (cmcf->ports == NULL
        || !acme_scope_has(ngx_http_acme_domain_scope(cscf),
                           ACME_DIRECTIVE_DOMAIN))
    {
        return NGX_OK;
    }

    ngx_memzero(&listener, sizeof(struct acme_listener));

    listener.address = text;
    listener.name_count = cscf->server_names.nelts;
    listener.names = ngx_http_acme_domain_server_names(cf, cscf);

    if (listener.names == NULL) {
        return NGX_ERROR;
    }

    port = cmcf->ports->elts;

    for (p = 0; p < cmcf->ports->nelts; p++) {
        addr = port[p].addrs.elts;

        for (a = 0; a < port[p].addrs.nelts; a++) {

            if (!addr[a].opt.ssl
#if (NGX_HTTP_V3)
                || addr[a].opt.quic
#endif
                || !ngx_http_acme_domain_is_reached(&port[p], &addr[a], text))
            {
                continue;
            }

            listener.port = port[p].port;
            listener.proxy_protocol = addr[a].opt.proxy_protocol;
            listener.is_default = (addr[a].default_server == cscf);

            server = addr[a].servers.elts;

            for (s = 0; s < addr[a].servers.nelts; s++) {
                if (server[s] == cscf) {
                    acme_settings_add_listener(settings, cert, &listener);
                    break;
                }
            }
        }
    }

    return NGX_OK;
}


/*
 * the address to connect to; there is none behind a unix socket, and none
 * where the loopback stands for all addresses but has a listener of its own
 */

static ngx_uint_t
ngx_http_acme_domain_is_reached(ngx_http_conf_port_t *port,
    ngx_http_conf_addr_t *addr, char *text)
{
    char                   other[ACME_ADDRESS_SIZE];
    ngx_uint_t             a;
    ngx_http_conf_addr_t  *addrs;

    if (!acme_listener_address(addr->opt.sockaddr, text)) {
        return 0;
    }

    addrs = port->addrs.elts;

    for (a = 0; addr->opt.wildcard && a < port->addrs.nelts; a++) {
        if (&addrs[a] != addr
            && acme_listener_address(addrs[a].opt.sockaddr, other)
            && ngx_strcmp(other, text) == 0)
        {
            return 0;
        }
    }

    return 1;
}
