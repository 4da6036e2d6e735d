/*
 * The httpd adapter: its tables and hooks. The directives come from the
 * core's one table.
 */

#include "mod_acme.h"

#include "ap_mpm.h"
#include "apr_optional_hooks.h"
#include "http_protocol.h"
#include "http_ssl.h"
#include "mpm_common.h"

/* Words are counted by the core, for its better messages: raw arguments. */
static const command_rec commands[] = {
#define X(id, name, httpd_name, scope, min, max, arguments, otherwise,  \
          meaning)                                                      \
    AP_INIT_RAW_ARGS(httpd_name, mod_acme_directive,                    \
                     (void *)ACME_DIRECTIVE_##id, RSRC_CONF,            \
                     arguments " - " meaning),
    ACME_DIRECTIVES(X)
#undef X
    { .name = NULL }
};

static void register_hooks(apr_pool_t *p)
{
    /* before mod_ssl looks at certificates, names and how the client came */
    static const char *const before_ssl[] = { "mod_ssl.c", NULL };

    (void)p;
    ap_hook_check_config(mod_acme_check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_ssl_add_cert_files(mod_acme_add_cert_files, NULL, NULL,
                               APR_HOOK_LAST);
    ap_hook_post_read_request(mod_acme_answer, NULL, before_ssl,
                              APR_HOOK_REALLY_FIRST);
    APR_OPTIONAL_HOOK(ssl, pre_handshake, mod_acme_pre_handshake, NULL, NULL,
                      APR_HOOK_MIDDLE);
    mod_acme_register_filter();
    /* when nothing can fail any more, and other daemons were forked */
    ap_hook_post_config(mod_acme_post_config, NULL, NULL,
                        APR_HOOK_REALLY_LAST);
    ap_hook_child_init(mod_acme_child_init, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_monitor(mod_acme_monitor, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(acme) = {
    STANDARD20_MODULE_STUFF,
    NULL,                             /* create per-directory config */
    NULL,                             /* merge per-directory config */
    mod_acme_create_server_config,
    mod_acme_merge_server_config,
    commands,
    register_hooks,
    AP_MODULE_FLAG_ALWAYS_MERGE       /* never the main one of another */
};
