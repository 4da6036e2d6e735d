/*
 * Directives -> settings. What a value may be is the core's business; the
 * file and line of an error are ours. What the machine lacks (a helper, a
 * user) is an error at a start and under -t; at a restart httpd would end of
 * it, and goes on with the helper that it has, or without one.
 */

#include "mod_acme.h"

#include "ap_listen.h"
#include "ap_mpm.h"
#include "apr_hash.h"
#include "apr_lib.h"
#include "apr_strings.h"
#include "apr_user.h"
#include "http_core.h"
#include "unixd.h"

APLOG_USE_MODULE(acme);

mod_acme_model_t mod_acme_model;

void mod_acme_log(server_rec *s, int level, const char *text)
{
    char spelled[2048];

    acme_spell(ACME_DIALECT_HTTPD, text, spelled, sizeof(spelled));
    ap_log_error(APLOG_MARK, level, 0, s, "acme: %s", spelled);
}

/* ---- directives */

static apr_status_t free_scope(void *data)
{
    acme_scope_free(data);
    return APR_SUCCESS;
}

void *mod_acme_create_server_config(apr_pool_t *p, server_rec *s)
{
    mod_acme_server_t *server = apr_pcalloc(p, sizeof(*server));

    (void)s;
    server->scope = acme_scope_new();
    if (server->scope == NULL) {
        ap_abort_on_oom();
    }
    apr_pool_cleanup_register(p, server->scope, free_scope,
                              apr_pool_cleanup_null);
    return server;
}

/* What is inherited is the core's business, too. */
void *mod_acme_merge_server_config(apr_pool_t *p, void *base, void *add)
{
    (void)p;
    (void)base;
    return add;
}

/* Relative paths begin at ServerRoot; NULL when there is no such path. */
static const char *full_name(apr_pool_t *p, enum acme_directive directive,
                             apr_size_t index, const char *value)
{
    return acme_directive_has_path(directive, index)
               ? ap_server_root_relative(p, value) : value;
}

const char *mod_acme_directive(cmd_parms *cmd, void *dir, const char *args)
{
    mod_acme_server_t *server = ap_get_module_config(
        cmd->server->module_config, &acme_module);
    enum acme_directive directive = (enum acme_directive)(apr_uintptr_t)
        cmd->info;
    apr_array_header_t *words = apr_array_make(cmd->temp_pool, 8,
                                               sizeof(const char *));
    const char *where = apr_psprintf(cmd->temp_pool, "%s:%d",
                                     cmd->directive->filename,
                                     cmd->directive->line_num);
    struct acme_error err;
    char spelled[1024];

    (void)dir;
    if (acme_directive_is_global(directive)) {
        const char *refused = ap_check_cmd_context(cmd, GLOBAL_ONLY);

        if (refused != NULL) {
            return refused;
        }
    }
    for (;;) {
        const char *word;

        while (apr_isspace(*args)) {
            args++;
        }
        if (*args == '\0') {
            break;
        }
        word = ap_getword_conf(cmd->temp_pool, &args);
        word = full_name(cmd->temp_pool, directive, words->nelts, word);
        if (word == NULL) {
            return apr_pstrcat(cmd->pool, cmd->cmd->name,
                               ": invalid path", NULL);
        }
        APR_ARRAY_PUSH(words, const char *) = word;
    }
    if (!acme_scope_set(server->scope, directive, words->nelts,
                        (const char *const *)words->elts, where, &err)) {
        acme_spell(ACME_DIALECT_HTTPD, err.text, spelled, sizeof(spelled));
        return apr_pstrdup(cmd->pool, spelled);
    }
    return NULL;
}

/* ---- the servers, and their sections of the file */

/* All that have AcmeDomain: the main one, then as the file has them. */
static apr_array_header_t *find_servers(apr_pool_t *p, server_rec *s)
{
    apr_array_header_t *found = apr_array_make(p, 16, sizeof(server_rec *));
    server_rec *vhost;
    int i;

    /* httpd's list of virtual hosts begins with the last */
    for (vhost = s->next; vhost != NULL; vhost = vhost->next) {
        APR_ARRAY_PUSH(found, server_rec *) = vhost;
    }
    APR_ARRAY_PUSH(found, server_rec *) = s;
    for (i = 0; i < found->nelts / 2; i++) {
        server_rec **list = (server_rec **)found->elts;
        server_rec *swap = list[i];

        list[i] = list[found->nelts - 1 - i];
        list[found->nelts - 1 - i] = swap;
    }
    return found;
}

static const char *domain_where(server_rec *s)
{
    mod_acme_server_t *server = ap_get_module_config(s->module_config,
                                                     &acme_module);

    return acme_scope_where(server->scope, ACME_DIRECTIVE_DOMAIN);
}

static const char *section_key(apr_pool_t *p, const char *file, int line)
{
    return apr_psprintf(p, "%s:%d", file != NULL ? file : "", line);
}

static void collect_sections(apr_pool_t *p, apr_hash_t *sections,
                             const ap_directive_t *node)
{
    for (; node != NULL; node = node->next) {
        if (strcasecmp(node->directive, "<VirtualHost") == 0) {
            apr_hash_set(sections, section_key(p, node->filename,
                                               node->line_num),
                         APR_HASH_KEY_STRING, node->first_child);
        }
        else if (node->first_child != NULL) {
            collect_sections(p, sections, node->first_child);
        }
    }
}

static const ap_directive_t *section_of(apr_pool_t *p, apr_hash_t *sections,
                                        server_rec *s)
{
    if (!s->is_virtual) {
        return ap_conftree;
    }
    return apr_hash_get(sections, section_key(p, s->defn_name,
                                              s->defn_line_number),
                        APR_HASH_KEY_STRING);
}

/*
 * httpd makes up a name for a server without ServerName, from DNS or the main
 * server's. Only one that somebody has written down is asked for at a CA.
 */
static int is_named(server_rec *s, server_rec *main_server,
                    const ap_directive_t *section)
{
    if (s->server_hostname == NULL) {
        return 0;
    }
    return mod_acme_find(section, "ServerName") != NULL
        || (s->server_hostname == main_server->server_hostname
            && mod_acme_find(ap_conftree, "ServerName") != NULL);
}

static apr_array_header_t *server_names(apr_pool_t *p, server_rec *s,
                                        int named)
{
    apr_array_header_t *names = apr_array_make(p, 8, sizeof(const char *));

    if (named) {
        APR_ARRAY_PUSH(names, const char *) = s->server_hostname;
    }
    if (s->names != NULL) {
        apr_array_cat(names, s->names);
    }
    if (s->wild_names != NULL) {
        apr_array_cat(names, s->wild_names);
    }
    return names;
}

/* ---- the model */

typedef struct {
    apr_pool_t *p;
    server_rec *s;
    const char *where;
} warning_t;

static void warn(void *ctx, const char *text)
{
    warning_t *warning = ctx;

    mod_acme_log(warning->s, APLOG_WARNING,
                 apr_psprintf(warning->p, "%s in %s", text, warning->where));
}

static apr_status_t forget_model(void *data)
{
    (void)data;
    acme_settings_free(mod_acme_model.settings);
    memset(&mod_acme_model, 0, sizeof(mod_acme_model));
    return APR_SUCCESS;
}

/* As whom httpd's children run, by name; User may also say "#33". */
static const char *children_user(apr_pool_t *p)
{
    char *name;

    if (apr_uid_name_get(&name, ap_unixd_config.user_id, p) == APR_SUCCESS) {
        return name;
    }
    return ap_unixd_config.user_name != NULL ? ap_unixd_config.user_name : "";
}

static int add_server(apr_pool_t *p, server_rec *s, server_rec *main_server,
                      const ap_directive_t *section)
{
    mod_acme_server_t *server = ap_get_module_config(s->module_config,
                                                     &acme_module);
    mod_acme_server_t *global = ap_get_module_config(
        main_server->module_config, &acme_module);
    const char *where = domain_where(s);
    warning_t warning = { p, s, where };
    apr_array_header_t *names;
    struct acme_error err;
    size_t cert;

    if (!mod_acme_check_certificate(s, section, where, s->is_virtual)) {
        return 0;
    }
    names = server_names(p, s, is_named(s, main_server, section));
    if (!acme_settings_add_server(mod_acme_model.settings, global->scope,
                                  server->scope,
                                  (const char *const *)names->elts,
                                  names->nelts, warn, &warning, &cert,
                                  &err)) {
        mod_acme_log(s, APLOG_ERR,
                     apr_psprintf(p, "%s in %s", err.text, where));
        return 0;
    }
    server->managed = 1;
    server->cert = cert;
    if (!mod_acme_has_tls(section, s->is_virtual, p)) {
        warn(&warning, "acme_domain in a server without \"SSLEngine on\": "
             "the certificate is obtained but not served here,");
    }
    return 1;
}

static int add_servers(apr_pool_t *p, server_rec *s,
                       const apr_array_header_t *servers,
                       apr_hash_t *sections)
{
    int i;

    for (i = 0; i < servers->nelts; i++) {
        server_rec *one = APR_ARRAY_IDX(servers, i, server_rec *);

        if (domain_where(one) != NULL
            && !add_server(p, one, s, section_of(p, sections, one))) {
            return 0;
        }
    }
    return 1;
}

/* ---- where the world reaches us */

static int is_listening(apr_port_t port)
{
    ap_listen_rec *listener;

    for (listener = ap_listeners; listener; listener = listener->next) {
        if (listener->bind_addr->port == port) {
            return 1;
        }
    }
    return 0;
}

static int is_at(server_rec *s, apr_port_t port)
{
    server_addr_rec *address;

    for (address = s->addrs; address != NULL; address = address->next) {
        if (address->host_port == 0 || address->host_port == port) {
            return 1;
        }
    }
    return 0;
}

/*
 * Does a server answer on this port, with TLS or without? Without a virtual
 * host there it is the main server. A section that is not found, such as that
 * of a macro, may be either.
 */
static int answers(apr_pool_t *p, server_rec *main_server,
                   apr_hash_t *sections, unsigned port, int tls)
{
    server_rec *s;
    int found = 0;

    if (!is_listening((apr_port_t)port)) {
        return 0;
    }
    for (s = main_server->next; s != NULL; s = s->next) {
        const ap_directive_t *section = section_of(p, sections, s);

        if (!is_at(s, (apr_port_t)port)) {
            continue;
        }
        found = 1;
        if (section == NULL || mod_acme_has_tls(section, 1, p) == tls) {
            return 1;
        }
    }
    return !found && mod_acme_has_tls(ap_conftree, 0, p) == tls;
}

static void set_listeners(apr_pool_t *p, server_rec *s, apr_hash_t *sections)
{
    struct acme_settings *settings = mod_acme_model.settings;
    warning_t warning = { p, s, settings->certs[0].where };

    acme_settings_set_listeners(settings,
                                answers(p, s, sections, settings->port_http,
                                        0),
                                answers(p, s, sections, settings->port_https,
                                        1), warn, &warning);
}

/* Of a wildcard address ("*") only the length of its family's is known. */
static int is_any(const apr_sockaddr_t *address)
{
    static const struct in6_addr any;

    return memcmp(address->ipaddr_ptr, &any, address->ipaddr_len) == 0;
}

/*
 * How well is it for connections to this address and port? httpd looks at the
 * address first, then at the port; 0: they are not for it.
 */
static int takes(server_rec *s, const char *address, apr_port_t port)
{
    enum { ANY = 1, PORT = 1, ADDRESS = 2 };
    char text[ACME_ADDRESS_SIZE];
    server_addr_rec *at;
    int best = 0;

    for (at = s->addrs; s->is_virtual && at != NULL; at = at->next) {
        int how = ANY + (at->host_port == port ? PORT : 0);

        if (at->host_port != 0 && at->host_port != port) {
            continue;
        }
        if (!is_any(at->host_addr)) {
            if (!acme_listener_address((const struct sockaddr *)
                                       &at->host_addr->sa, text)
                || strcmp(text, address) != 0) {
                continue;
            }
            how += ADDRESS;
        }
        best = how > best ? how : best;
    }
    return best;
}

/*
 * One address and port to connect to. Of the servers that are best for it the
 * first one in the file is its default; where there are none it is the main
 * server.
 */
typedef struct {
    const char *address;
    apr_port_t port;
    int best;                   /* how well they take it */
    server_rec *is_default;
    int proxy_protocol;         /* mod_remoteip has it for addresses: where
                                   one virtual host says it, all have it */
} target_t;

static void find_default(target_t *target, const apr_array_header_t *servers)
{
    int i;

    target->is_default = APR_ARRAY_IDX(servers, 0, server_rec *);
    for (i = 1; i < servers->nelts; i++) {
        server_rec *one = APR_ARRAY_IDX(servers, i, server_rec *);
        int how = takes(one, target->address, target->port);

        if (how > target->best) {
            target->best = how;
            target->is_default = one;
        }
    }
}

static void add_listener(target_t *target, apr_pool_t *p, server_rec *s)
{
    mod_acme_server_t *server = ap_get_module_config(s->module_config,
                                                     &acme_module);
    apr_array_header_t *names = server_names(p, s, 1);
    struct acme_listener listener = {
        .address = target->address, .port = target->port,
        .proxy_protocol = target->proxy_protocol,
        .is_default = target->is_default == s,
        .names = (const char *const *)names->elts,
        .name_count = names->nelts
    };

    acme_settings_add_listener(mod_acme_model.settings, server->cert,
                               &listener);
}

/* Who serves TLS with a certificate of ours, who wants a PROXY header. */
typedef struct {
    apr_pool_t *p;
    const apr_array_header_t *servers;
    apr_array_header_t *managed, *proxied;
    apr_hash_t *targets;        /* that were looked at */
} search_t;

static void look_at(search_t *search, const apr_sockaddr_t *address,
                    apr_port_t port)
{
    char text[ACME_ADDRESS_SIZE], *key;
    target_t target = { text, port, 0, NULL, 0 };
    int i;

    if (!acme_listener_address((const struct sockaddr *)&address->sa, text)) {
        return;
    }
    key = apr_psprintf(search->p, "%s %d", text, port);
    if (apr_hash_get(search->targets, key, APR_HASH_KEY_STRING) != NULL) {
        return;
    }
    apr_hash_set(search->targets, key, APR_HASH_KEY_STRING, key);
    find_default(&target, search->servers);
    for (i = 0; i < search->proxied->nelts; i++) {
        target.proxy_protocol |= takes(APR_ARRAY_IDX(search->proxied, i,
                                                     server_rec *),
                                       text, port) != 0;
    }
    for (i = 0; i < search->managed->nelts; i++) {
        server_rec *s = APR_ARRAY_IDX(search->managed, i, server_rec *);

        if (takes(s, text, port) == target.best) {
            add_listener(&target, search->p, s);
        }
    }
}

/* A listener for all addresses is one for those that servers name, too. */
static void look_at_listener(search_t *search, const ap_listen_rec *listener)
{
    const apr_sockaddr_t *bound = listener->bind_addr;
    server_addr_rec *at;
    int i;

    look_at(search, bound, bound->port);
    for (i = 0; is_any(bound) && i < search->managed->nelts; i++) {
        server_rec *s = APR_ARRAY_IDX(search->managed, i, server_rec *);

        for (at = s->addrs; s->is_virtual && at != NULL; at = at->next) {
            if (!is_any(at->host_addr)
                && (at->host_port == 0 || at->host_port == bound->port)) {
                look_at(search, at->host_addr, bound->port);
            }
        }
    }
}

/* Where clients with TLS find the certificates. */
static void add_listeners(apr_pool_t *p, apr_hash_t *sections,
                          const apr_array_header_t *servers)
{
    search_t search = {
        p, servers, apr_array_make(p, 16, sizeof(server_rec *)),
        apr_array_make(p, 16, sizeof(server_rec *)), apr_hash_make(p)
    };
    ap_listen_rec *listener;
    int i;

    for (i = 0; i < servers->nelts; i++) {
        server_rec *s = APR_ARRAY_IDX(servers, i, server_rec *);
        const ap_directive_t *section = section_of(p, sections, s);
        const ap_directive_t *line = section == NULL ? NULL
            : mod_acme_find(section, "RemoteIPProxyProtocol");

        if (line != NULL && s->is_virtual
            && strcasecmp(line->args, "off") != 0) {
            APR_ARRAY_PUSH(search.proxied, server_rec *) = s;
        }
        /* a section that is not found may have TLS: it is looked at */
        if (domain_where(s) != NULL && (section == NULL
                || mod_acme_has_tls(section, s->is_virtual, p))) {
            APR_ARRAY_PUSH(search.managed, server_rec *) = s;
        }
    }
    for (listener = ap_listeners; listener; listener = listener->next) {
        look_at_listener(&search, listener);
    }
}

/* What depends on the machine. At a restart it must not end httpd. */
static int check_machine(apr_pool_t *pconf, server_rec *s, int restart)
{
    struct acme_settings *settings = mod_acme_model.settings;
    warning_t warning = { pconf, s, settings->certs[0].where };
    struct acme_error err;
    const char *text;

    if (acme_settings_check(settings, &err)
        && acme_store_check_accounts(settings, warn, &warning, &err)) {
        return 1;
    }
    text = apr_psprintf(pconf, "%s; acme_domain is in %s", err.text,
                        settings->certs[0].where);
    if (restart) {
        mod_acme_model.refused = text;
        return 1;
    }
    mod_acme_log(s, APLOG_ERR, text);
    return 0;
}

static int has_domain(const apr_array_header_t *servers)
{
    int i;

    for (i = 0; i < servers->nelts; i++) {
        if (domain_where(APR_ARRAY_IDX(servers, i, server_rec *)) != NULL) {
            return 1;
        }
    }
    return 0;
}

/* Runs under -t, in both passes of a start, and at each restart. */
int mod_acme_check_config(apr_pool_t *pconf, apr_pool_t *plog,
                          apr_pool_t *ptemp, server_rec *s)
{
    apr_array_header_t *servers = find_servers(ptemp, s);
    apr_hash_t *sections = apr_hash_make(ptemp);
    mod_acme_server_t *global = ap_get_module_config(s->module_config,
                                                     &acme_module);
    /* 0 is the first pass of a start or -t, 1 its second */
    int restart = ap_state_query(AP_SQ_CONFIG_GEN) > 1;
    struct acme_error err;

    (void)plog;
    mod_acme_untie_helper();
    if (!has_domain(servers)) {
        return OK;
    }
    mod_acme_model.settings = acme_settings_new(global->scope,
                                                ACME_HELPER_PATH,
                                                children_user(ptemp), &err);
    if (mod_acme_model.settings == NULL) {
        mod_acme_log(s, APLOG_ERR, err.text);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    apr_pool_cleanup_register(pconf, NULL, forget_model,
                              apr_pool_cleanup_null);
    collect_sections(ptemp, sections, ap_conftree);
    if (!add_servers(ptemp, s, servers, sections)
        || !check_machine(pconf, s, restart)) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    set_listeners(ptemp, s, sections);
    add_listeners(ptemp, sections, servers);
    mod_acme_model.read_ms = apr_time_as_msec(apr_time_now());
    if (!acme_store_assign(mod_acme_model.settings, &err)) {
        mod_acme_log(s, APLOG_ERR, err.text);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST) {
        mod_acme_test_certs(s);
    }
    return OK;
}
