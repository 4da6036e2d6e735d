/*
 * Starts and keeps the helper. httpd forgets everything at a restart but its
 * retained data: there is the one reference to the helper, which lives on.
 * Nothing that goes wrong here may stop httpd.
 *
 * httpd unloads this module at each restart and only then looks at its list
 * of child processes: what it finds there must not lie in the module.
 */

#include "mod_acme.h"

#include <sys/stat.h>
#include <unistd.h>

#include "ap_mpm.h"
#include "apr_portable.h"
#include "apr_strings.h"
#include "apr_thread_proc.h"
#include "http_core.h"
#include "mpm_common.h"

APLOG_USE_MODULE(acme);

/* Another layout of what is retained needs another name. */
#define RETAINED_KEY "mod_acme-2"

enum { PAUSE_S = 10, PAUSE_MAX_S = 640, LONG_LIFE_S = 600 };

typedef struct {
    struct acme_helper *helper;  /* our one reference, or NULL */
    pid_t pid;                   /* of the helper; 0: its end was seen */
    apr_time_t started;          /* last, or tried to */
    int generation;              /* of the last configuration with us */
    apr_proc_t tied;             /* the helper, or nobody: see tie() */
} retained_t;

static retained_t *retained;
static const struct acme_page *page;
static struct acme_helper_options options;
static server_rec *main_server;
static apr_pool_t *conf_pool;
static pid_t parent;
static int missing;              /* it is to be started again */
static int pause_s = PAUSE_S;    /* before that */

const struct acme_page *mod_acme_page(void)
{
    return page;
}

/* ---- what the helper must know of the server */

static void describe_log(struct acme_settings *settings, apr_pool_t *p,
                         server_rec *s)
{
    apr_os_file_t fd = STDERR_FILENO;
    const char *path = NULL;
    struct stat info;

    if (s->error_log != NULL) {
        apr_os_file_get(&fd, s->error_log);
    }
    options.log_fd = fd;

    free(settings->log_path);
    settings->log_path = NULL;
    settings->log_id = 0;
    if (fstat(fd, &info) != 0) {
        return;
    }
    if (S_ISREG(info.st_mode) && s->error_fname != NULL) {
        path = ap_server_root_relative(p, s->error_fname);
    }
    if (path != NULL) {
        settings->log_path = strdup(path);
    }
    else {
        /* a pipe to a logger is a new one after each restart */
        settings->log_id = (unsigned)(info.st_ino % 1000000000);
    }
}

static void describe(struct acme_settings *settings, apr_pool_t *p,
                     server_rec *s)
{
    int level = ap_get_server_module_loglevel(s, APLOG_MODULE_INDEX);
    ap_version_t version;

    ap_get_server_revision(&version);
    free(settings->server);
    settings->server = strdup(apr_psprintf(p, "Apache/%d.%d.%d",
                                           version.major, version.minor,
                                           version.patch));
    settings->dialect = ACME_DIALECT_HTTPD;
    settings->reload_signal = AP_SIG_GRACEFUL;
    settings->check_first = 1;
    /* the core counts as nginx does, from 1, and knows no trace levels */
    settings->log_level = level < APLOG_DEBUG ? level + 1 : ACME_LOG_DEBUG;
    describe_log(settings, p, s);
    options.read_ms = mod_acme_model.read_ms;
    options.child = 1;
}

/* ---- the helper as a child of httpd */

static void start(void);

/*
 * A configuration without this module runs no code of ours, but clears plog:
 * after check_config, before post_config. A process that is noted there is
 * then killed, so check_config unties the helper when the module is still
 * wanted. No process is a child of itself: ours stands for nobody.
 */
static void tie(void)
{
    retained->tied.pid = retained->pid != 0 ? retained->pid : getpid();
}

void mod_acme_untie_helper(void)
{
    retained_t *kept = ap_retained_data_get(RETAINED_KEY);

    if (kept != NULL) {
        kept->tied.pid = getpid();
    }
}

static void watch(pid_t pid, void (*maintain)(int, void *, int))
{
    apr_proc_t *proc = apr_pcalloc(conf_pool, sizeof(*proc));

    proc->pid = pid;
    apr_proc_other_child_register(proc, maintain, proc, NULL, conf_pool);
}

static void maintain_old(int reason, void *data, int status)
{
    (void)status;
    if (reason == APR_OC_REASON_DEATH || reason == APR_OC_REASON_LOST) {
        apr_proc_other_child_unregister(data);
    }
}

static void maintain(int reason, void *data, int status)
{
    apr_time_t lived = apr_time_now() - retained->started;
    int state;

    (void)status;
    if (reason != APR_OC_REASON_DEATH && reason != APR_OC_REASON_LOST) {
        return;
    }
    apr_proc_other_child_unregister(data);
    retained->pid = 0;
    tie();
    missing = 1;
    if (ap_mpm_query(AP_MPMQ_MPM_STATE, &state) != APR_SUCCESS
        || state == AP_MPMQ_STOPPING) {
        return;
    }
    if (lived >= apr_time_from_sec(LONG_LIFE_S)) {
        pause_s = PAUSE_S;
    }
    if (lived >= apr_time_from_sec(pause_s)) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, main_server,
                     "acme: the helper has ended unexpectedly: it is "
                     "started again");
        start();
    }
    else {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, main_server,
                     "acme: the helper has ended unexpectedly: it is "
                     "started again in %d seconds", pause_s);
    }
}

/* Take the helper that runs now in place of the one that we had. */
static void take(struct acme_helper *helper)
{
    struct acme_helper *old = retained->helper;

    if (helper == old) {
        acme_helper_release(helper);  /* one reference is enough */
        return;
    }
    if (old != NULL && retained->pid != 0) {
        watch(retained->pid, maintain_old);
    }
    retained->helper = helper;
    retained->pid = acme_helper_pid(helper);
    acme_helper_release(old);
}

static void go_on_with(struct acme_helper *helper)
{
    take(helper);
    tie();
    page = acme_helper_page(helper);
    watch(retained->pid, maintain);
}

static void start(void)
{
    struct acme_error err;
    struct acme_helper *helper = acme_helper_start(mod_acme_model.settings,
                                                   retained->helper,
                                                   &options, &err);

    if (helper != retained->helper) {
        retained->started = apr_time_now();
    }
    missing = helper == NULL;
    if (helper == NULL) {
        mod_acme_log(main_server, APLOG_ALERT, err.text);
        return;
    }
    go_on_with(helper);
}

/* Called every ten seconds or so. */
int mod_acme_monitor(apr_pool_t *p, server_rec *s)
{
    (void)p;
    (void)s;
    if (missing && apr_time_now() - retained->started
                       >= apr_time_from_sec(pause_s)) {
        pause_s = pause_s * 2 < PAUSE_MAX_S ? pause_s * 2 : PAUSE_MAX_S;
        start();
    }
    return DECLINED;
}

/* ---- configurations come and go */

static void end(void)
{
    if (retained->helper != NULL && retained->pid != 0) {
        watch(retained->pid, maintain_old);
    }
    acme_helper_release(retained->helper);
    retained->helper = NULL;
    retained->pid = 0;
    tie();
}

/* What is left of the helper when a configuration had no place for us. */
static void take_stock(apr_pool_t *plog)
{
    int generation = ap_state_query(AP_SQ_CONFIG_GEN);

    if (retained->helper != NULL
        && generation != retained->generation + 1) {
        /* it was killed; children of that time have its page open */
        acme_helper_release(retained->helper);
        retained->helper = NULL;
        retained->pid = 0;
    }
    retained->generation = generation;
    tie();
    apr_pool_note_subprocess(plog, &retained->tied, APR_KILL_ALWAYS);
}

/* None can be started: is the one that runs right? */
static void keep(void)
{
    struct acme_helper *helper = acme_helper_keep(mod_acme_model.settings,
                                                  retained->helper);

    mod_acme_log(main_server, helper != NULL ? APLOG_ERR : APLOG_ALERT,
                 apr_pstrcat(conf_pool, mod_acme_model.refused, "; ",
                             helper != NULL
                                 ? "the helper that runs goes on, another "
                                   "one could not be started"
                                 : "the helper is not running: until this is "
                                   "right and httpd is restarted, "
                                   "certificates are neither obtained nor "
                                   "renewed", NULL));
    if (helper == NULL) {
        end();
        return;
    }
    go_on_with(helper);
}

/* The configuration ends: at a restart another one follows soon. */
static apr_status_t leave(void *data)
{
    (void)data;
    if (getpid() == parent && retained->helper != NULL) {
        acme_helper_reloading(retained->helper);
    }
    page = NULL;
    missing = 0;
    return APR_SUCCESS;
}

int mod_acme_post_config(apr_pool_t *pconf, apr_pool_t *plog,
                         apr_pool_t *ptemp, server_rec *s)
{
    mod_acme_close_placeholder();
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK;
    }
    retained = ap_retained_data_get(RETAINED_KEY);
    if (retained == NULL) {
        retained = ap_retained_data_create(RETAINED_KEY, sizeof(*retained));
    }
    main_server = s;
    conf_pool = pconf;
    parent = getpid();
    take_stock(plog);
    apr_pool_cleanup_register(pconf, NULL, leave, apr_pool_cleanup_null);

    if (mod_acme_model.settings == NULL) {
        end();
        return OK;
    }
    describe(mod_acme_model.settings, ptemp, s);
    if (mod_acme_model.refused != NULL) {
        keep();
    }
    else {
        start();
    }
    return OK;
}

/*
 * Children read the page; the pipe and the writable descriptor are not
 * theirs. With -X the parent is the child.
 */
void mod_acme_child_init(apr_pool_t *p, server_rec *s)
{
    (void)p;
    (void)s;
    if (retained != NULL && retained->helper != NULL && getpid() != parent) {
        acme_helper_forget(retained->helper);
    }
}
