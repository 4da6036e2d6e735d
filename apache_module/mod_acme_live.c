/*
 * Certificates -> mod_ssl, by its hook: the files of the newest generation,
 * or the placeholder in a file without a name. mod_ssl reads the files of a
 * server directly after the hook for it, so that one such file serves all.
 */

#include "mod_acme.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apr_strings.h"
#include "http_ssl.h"

APLOG_USE_MODULE(acme);

/* ---- what the configuration says */

const ap_directive_t *mod_acme_find(const ap_directive_t *node,
                                    const char *name)
{
    const ap_directive_t *found = NULL;

    for (; node != NULL; node = node->next) {
        if (strcasecmp(node->directive, name) == 0) {
            found = node;
        }
        else if (node->first_child != NULL
                 && strcasecmp(node->directive, "<VirtualHost") != 0) {
            const ap_directive_t *inner = mod_acme_find(node->first_child,
                                                        name);

            found = inner != NULL ? inner : found;
        }
    }
    return found;
}

int mod_acme_check_certificate(server_rec *s, const ap_directive_t *section,
                               const char *where, int inherited)
{
    static const char *const names[] = {
        "SSLCertificateFile", "SSLCertificateKeyFile",
        "SSLCertificateChainFile"
    };
    apr_size_t i;

    for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
        const ap_directive_t *line = mod_acme_find(section, names[i]);

        if (line != NULL) {
            ap_log_error(APLOG_MARK, APLOG_ERR, 0, s,
                         "acme: %s in %s:%d and AcmeDomain in %s are in one "
                         "section: drop the %s line, or AcmeDomain",
                         line->directive, line->filename, line->line_num,
                         where, line->directive);
            return 0;
        }
        line = inherited ? mod_acme_find(ap_conftree, names[i]) : NULL;
        if (line != NULL) {
            ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                         "acme: %s of the main server (%s:%d) is not used "
                         "where AcmeDomain is, in %s", line->directive,
                         line->filename, line->line_num, where);
        }
    }
    return 1;
}

int mod_acme_has_tls(const ap_directive_t *section, int inherited,
                     apr_pool_t *p)
{
    const ap_directive_t *line = mod_acme_find(section, "SSLEngine");
    const char *args;

    if (line == NULL && inherited) {
        line = mod_acme_find(ap_conftree, "SSLEngine");
    }
    if (line == NULL) {
        /* mod_ssl switches itself on for https with files of its own */
        return inherited
            && mod_acme_find(ap_conftree, "SSLCertificateFile") != NULL;
    }
    args = line->args;
    return strcasecmp(ap_getword_conf(p, &args), "on") == 0;
}

/* ---- the placeholder */

static int placeholder_fd = -1;

void mod_acme_close_placeholder(void)
{
    if (placeholder_fd >= 0) {
        close(placeholder_fd);
        placeholder_fd = -1;
    }
}

static apr_status_t close_placeholder(void *data)
{
    (void)data;
    mod_acme_close_placeholder();
    return APR_SUCCESS;
}

static int open_placeholder(apr_pool_t *p)
{
    if (placeholder_fd >= 0) {
        return 1;
    }
    placeholder_fd = memfd_create("acme-placeholder", MFD_CLOEXEC);
    if (placeholder_fd < 0) {
        return 0;
    }
    apr_pool_cleanup_register(p, NULL, close_placeholder,
                              apr_pool_cleanup_null);
    return fchmod(placeholder_fd, 0600) == 0;
}

static int write_at(off_t offset, struct acme_bytes bytes)
{
    return pwrite(placeholder_fd, bytes.at, bytes.len, offset)
        == (ssize_t)bytes.len;
}

/* Chain and key in one file, as mod_ssl reads either; NULL: see errno. */
static char *write_placeholder(const struct acme_serve_cert *live,
                               apr_pool_t *p)
{
    struct acme_bytes chain = acme_buffer_bytes(&live->cert_pem);
    struct acme_bytes key = acme_buffer_bytes(&live->key_pem);

    if (!open_placeholder(p) || ftruncate(placeholder_fd, 0) != 0
        || !write_at(0, chain) || !write_at((off_t)chain.len, key)) {
        return NULL;
    }
    return apr_psprintf(p, "/proc/self/fd/%d", placeholder_fd);
}

/* ---- the hook */

static void warn(void *ctx, const char *text)
{
    mod_acme_log(ctx, APLOG_WARNING, text);
}

void mod_acme_test_certs(server_rec *s)
{
    struct acme_settings *settings = mod_acme_model.settings;
    struct acme_serve_cert live;
    struct acme_error err;
    apr_size_t i;

    for (i = 0; i < settings->cert_count; i++) {
        if (!acme_serve_cert(settings, &settings->certs[i],
                             apr_time_sec(apr_time_now()), warn, s, &live,
                             &err)) {
            mod_acme_log(s, APLOG_WARNING, err.text);
            continue;
        }
        acme_serve_cert_free(&live);
    }
}

/*
 * In place of what was inherited. mod_ssl forgets an inherited
 * SSLCertificateChainFile only when it finds more files than there were
 * before: then the same pairs stand there more than once.
 */
static void set_files(apr_array_header_t *cert_files,
                      apr_array_header_t *key_files,
                      const struct acme_serve_pair *pairs,
                      apr_size_t pair_count, apr_pool_t *p)
{
    int inherited = cert_files->nelts;
    apr_size_t i;

    apr_array_clear(cert_files);
    apr_array_clear(key_files);
    do {
        for (i = 0; i < pair_count; i++) {
            APR_ARRAY_PUSH(cert_files, const char *) =
                apr_pstrdup(p, pairs[i].cert_path);
            APR_ARRAY_PUSH(key_files, const char *) =
                apr_pstrdup(p, pairs[i].key_path);
        }
    } while (cert_files->nelts <= inherited);
}

int mod_acme_add_cert_files(server_rec *s, apr_pool_t *p,
                            apr_array_header_t *cert_files,
                            apr_array_header_t *key_files)
{
    mod_acme_server_t *server = ap_get_module_config(s->module_config,
                                                     &acme_module);
    struct acme_settings *settings = mod_acme_model.settings;
    struct acme_serve_cert live;
    struct acme_error err;
    struct acme_serve_pair placeholder;

    if (settings == NULL || !server->managed) {
        return DECLINED;
    }
    if (!acme_serve_cert(settings, &settings->certs[server->cert],
                         apr_time_sec(apr_time_now()), warn, s, &live,
                         &err)) {
        mod_acme_log(s, APLOG_ERR, err.text);
        return DECLINED;
    }
    if (!live.placeholder) {
        set_files(cert_files, key_files, live.pairs, live.pair_count, p);
    }
    else if ((placeholder.cert_path = write_placeholder(&live, p)) != NULL) {
        placeholder.key_path = placeholder.cert_path;
        set_files(cert_files, key_files, &placeholder, 1, p);
    }
    else {
        ap_log_error(APLOG_MARK, APLOG_ERR, errno, s,
                     "acme: the placeholder certificate cannot be made");
    }
    acme_serve_cert_free(&live);
    return OK;
}
