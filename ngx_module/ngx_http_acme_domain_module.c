
/*
 * The nginx adapter: its tables and hooks.  The directives come from the
 * core's one table.
 */


#include "ngx_http_acme_domain.h"


static ngx_int_t ngx_http_acme_domain_postconfiguration(ngx_conf_t *cf);


#define GLOBAL  NGX_HTTP_MAIN_CONF
#define SERVER  NGX_HTTP_SRV_CONF
#define MANY    NGX_HTTP_MAIN_CONF
#define BOTH    NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF
#define PER_CA  NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF


/* arguments are counted by the core, for its better words: NGX_CONF_ANY */

static ngx_command_t  ngx_http_acme_domain_commands[] = {

#define X(id, name, httpd_name, scope, min, max, arguments, otherwise,        \
          meaning)                                                            \
    { ngx_string(name),                                                       \
      scope|NGX_CONF_ANY,                                                     \
      ngx_http_acme_domain_directive,                                         \
      NGX_HTTP_SRV_CONF_OFFSET,                                               \
      ACME_DIRECTIVE_##id,                                                    \
      NULL },

    ACME_DIRECTIVES(X)
#undef X

      ngx_null_command
};


static ngx_http_module_t  ngx_http_acme_domain_module_ctx = {
    NULL,                                   /* preconfiguration */
    ngx_http_acme_domain_postconfiguration, /* postconfiguration */

    ngx_http_acme_domain_create_main_conf,  /* create main configuration */
    ngx_http_acme_domain_init_main_conf,    /* init main configuration */

    ngx_http_acme_domain_create_srv_conf,   /* create server configuration */
    NULL,                                   /* merge server configuration */

    NULL,                                   /* create location configuration */
    NULL                                    /* merge location configuration */
};


ngx_module_t  ngx_http_acme_domain_module = {
    NGX_MODULE_V1,
    &ngx_http_acme_domain_module_ctx,       /* module context */
    ngx_http_acme_domain_commands,          /* module directives */
    NGX_HTTP_MODULE,                        /* module type */
    NULL,                                   /* init master */
    ngx_http_acme_domain_init_module,       /* init module */
    ngx_http_acme_domain_init_process,      /* init process */
    NULL,                                   /* init thread */
    NULL,                                   /* exit thread */
    NULL,                                   /* exit process */
    NULL,                                   /* exit master */
    NGX_MODULE_V1_PADDING
};


/*
 * http-01 in the first phase of all: before redirects, rewrites, access rules
 * and authentication, on every server and listener.
 */

static ngx_int_t
ngx_http_acme_domain_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_handler_pt               *h;
    ngx_http_core_main_conf_t         *cmcf;
    ngx_http_acme_domain_main_conf_t  *amcf;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_acme_domain_module);

    if (amcf->settings == NULL) {
        return NGX_OK;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_POST_READ_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_acme_domain_proof_handler;

    /* the ssl module has made its contexts */
    ngx_http_acme_domain_watch_hellos(cf, amcf);

    return NGX_OK;
}
