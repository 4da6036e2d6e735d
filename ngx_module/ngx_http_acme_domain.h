
/*
 * Types shared by the files of the nginx adapter.
 */


#ifndef _NGX_HTTP_ACME_DOMAIN_H_INCLUDED_
#define _NGX_HTTP_ACME_DOMAIN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "include/acme_core.h"


typedef struct {
    struct acme_settings    *settings;  /* NULL without acme_domain */
    int64_t                  read_ms;   /* when certificates were looked up */
    struct acme_helper      *helper;    /* NULL when not started */
} ngx_http_acme_domain_main_conf_t;


typedef struct {
    struct acme_scope       *scope;     /* at http level: the global one */
} ngx_http_acme_domain_srv_conf_t;


/* conf: directives -> settings */

void *ngx_http_acme_domain_create_main_conf(ngx_conf_t *cf);
void *ngx_http_acme_domain_create_srv_conf(ngx_conf_t *cf);
char *ngx_http_acme_domain_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_acme_domain_init_main_conf(ngx_conf_t *cf, void *conf);

/* live: certificates -> the ssl module */

ngx_int_t ngx_http_acme_domain_set_certificate(ngx_conf_t *cf,
    struct acme_settings *settings, struct acme_settings_cert *cert,
    ngx_http_core_srv_conf_t *cscf, const char *where);
ngx_int_t ngx_http_acme_domain_check_certificate(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf, const char *where);

/* proof: answers http-01 and tls-alpn-01 */

ngx_int_t ngx_http_acme_domain_proof_handler(ngx_http_request_t *r);
void ngx_http_acme_domain_watch_hellos(ngx_conf_t *cf,
    ngx_http_acme_domain_main_conf_t *amcf);

/* helper: starts and keeps the helper */

ngx_int_t ngx_http_acme_domain_init_module(ngx_cycle_t *cycle);
ngx_int_t ngx_http_acme_domain_init_process(ngx_cycle_t *cycle);


extern ngx_module_t  ngx_http_acme_domain_module;


#endif /* _NGX_HTTP_ACME_DOMAIN_H_INCLUDED_ */
