
/*
 * Starts and keeps the helper.  Each cycle holds one reference to it; when
 * the last one goes, the lifetime pipe closes and the helper ends.  Nothing
 * that goes wrong here may stop nginx.
 */


#include "ngx_http_acme_domain.h"


static void ngx_http_acme_domain_describe(ngx_cycle_t *cycle,
    struct acme_settings *settings, ngx_fd_t *fd);
static void ngx_http_acme_domain_release(void *data);


/*
 * The helper of the newest cycle, borrowed from it.  A static survives
 * reloads, since nginx opens a module again before it closes it.
 */

static struct acme_helper  *ngx_http_acme_domain_helper;


ngx_int_t
ngx_http_acme_domain_init_module(ngx_cycle_t *cycle)
{
    ngx_fd_t                           fd;
    ngx_core_conf_t                   *ccf;
    struct acme_error                  err;
    struct acme_helper                *running;
    ngx_pool_cleanup_t                *cln;
    struct acme_helper_options         options;
    ngx_http_acme_domain_main_conf_t  *amcf;

    if (ngx_test_config) {
        return NGX_OK;
    }

    running = ngx_http_acme_domain_helper;
    ngx_http_acme_domain_helper = NULL;

    amcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_acme_domain_module);

    if (amcf == NULL || amcf->settings == NULL) {
        return NGX_OK;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (!ccf->master) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "acme: \"master_process off\": no helper is started, "
                      "certificates are neither obtained nor renewed");
        return NGX_OK;
    }

    cln = ngx_pool_cleanup_add(cycle->pool, 0);
    if (cln == NULL) {
        return NGX_OK;
    }

    if (running != NULL && acme_helper_has_ended(running)) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "acme: the helper had ended: a new one is started");
    }

    ngx_http_acme_domain_describe(cycle, amcf->settings, &fd);

    options.log_fd = fd;
    options.read_ms = amcf->read_ms;
    options.child = 0;

    amcf->helper = acme_helper_start(amcf->settings, running, &options, &err);
    if (amcf->helper == NULL) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, 0, "acme: %s", err.text);
        return NGX_OK;
    }

    cln->handler = ngx_http_acme_domain_release;
    cln->data = amcf->helper;

    ngx_http_acme_domain_helper = amcf->helper;

    return NGX_OK;
}


static void
ngx_http_acme_domain_release(void *data)
{
    acme_helper_release(data);
}


/* what the helper must know of the server, the first file of its log first */

static void
ngx_http_acme_domain_describe(ngx_cycle_t *cycle,
    struct acme_settings *settings, ngx_fd_t *fd)
{
    ngx_log_t  *log;

    free(settings->server);
    free(settings->log_path);

    settings->server = strdup("nginx/" NGINX_VERSION);
    settings->dialect = ACME_DIALECT_NGINX;
    settings->reload_signal = SIGHUP;
    settings->log_path = NULL;
    settings->log_level = ngx_min(cycle->log->log_level, NGX_LOG_DEBUG);

    *fd = ngx_stderr;

    for (log = cycle->log; log; log = log->next) {

        if (log->file == NULL || log->file->fd == NGX_INVALID_FILE) {
            continue;
        }

        *fd = log->file->fd;
        settings->log_level = ngx_min(log->log_level, NGX_LOG_DEBUG);

        if (log->file->name.len) {
            settings->log_path = strndup((char *) log->file->name.data,
                                         log->file->name.len);
        }

        return;
    }
}


/* workers read the page; the pipe and its writable descriptor are not theirs */

ngx_int_t
ngx_http_acme_domain_init_process(ngx_cycle_t *cycle)
{
    acme_helper_forget(ngx_http_acme_domain_helper);

    return NGX_OK;
}
