/*
 * Types shared by the files of the httpd adapter.
 */

#ifndef MOD_ACME_H
#define MOD_ACME_H

#include "httpd.h"
#include "http_config.h"
#include "http_log.h"

#include "include/acme_core.h"

/* The one symbol that this module shows; its other names stay its own. */
extern __attribute__((visibility("default"))) module acme_module;

/* Of a server: the main one holds the global directives. */
typedef struct {
    struct acme_scope *scope;
    int managed;                    /* AcmeDomain is here */
    apr_size_t cert;                /* then: index into settings->certs */
} mod_acme_server_t;

/* What a configuration asks for; it goes with the configuration. */
typedef struct {
    struct acme_settings *settings; /* NULL without AcmeDomain */
    apr_int64_t read_ms;            /* when certificates were looked up */
    const char *refused;            /* why no helper is started with them */
} mod_acme_model_t;

extern mod_acme_model_t mod_acme_model;

/* A line of ours, its directives in httpd's spelling. */
void mod_acme_log(server_rec *s, int level, const char *text);

/* ---- conf: directives -> settings */

void *mod_acme_create_server_config(apr_pool_t *p, server_rec *s);
void *mod_acme_merge_server_config(apr_pool_t *p, void *base, void *add);
const char *mod_acme_directive(cmd_parms *cmd, void *dir, const char *args);
int mod_acme_check_config(apr_pool_t *pconf, apr_pool_t *plog,
                          apr_pool_t *ptemp, server_rec *s);

/* ---- live: certificates -> mod_ssl */

/* Certificates of the administrator beside ours; false when refused. */
int mod_acme_check_certificate(server_rec *s, const ap_directive_t *section,
                               const char *where, int inherited);
/* Does mod_ssl serve TLS here, as far as the configuration says? */
int mod_acme_has_tls(const ap_directive_t *section, int inherited,
                     apr_pool_t *p);
int mod_acme_add_cert_files(server_rec *s, apr_pool_t *p,
                            apr_array_header_t *cert_files,
                            apr_array_header_t *key_files);
void mod_acme_close_placeholder(void);
/* For -t, which asks for no certificates: warn of those that are damaged. */
void mod_acme_test_certs(server_rec *s);

/* The last directive of this name among these and what they contain. */
const ap_directive_t *mod_acme_find(const ap_directive_t *node,
                                    const char *name);

/* ---- proof: answers http-01 and tls-alpn-01 */

int mod_acme_answer(request_rec *r);
int mod_acme_pre_handshake(conn_rec *c, struct ssl_st *ssl, int is_proxy);
void mod_acme_register_filter(void);

/* As in mod_ssl_openssl.h, which not every package of headers has. */
typedef int ssl_HOOK_pre_handshake_t(conn_rec *c, struct ssl_st *ssl,
                                     int is_proxy);

/* ---- helper: starts and keeps the helper */

int mod_acme_post_config(apr_pool_t *pconf, apr_pool_t *plog,
                         apr_pool_t *ptemp, server_rec *s);
void mod_acme_child_init(apr_pool_t *p, server_rec *s);
int mod_acme_monitor(apr_pool_t *p, server_rec *s);
/* From check_config: the configuration that comes has this module. */
void mod_acme_untie_helper(void);

/* The page with the proofs, or NULL. */
const struct acme_page *mod_acme_page(void);

#endif
