/*
 * What the administrator asked for. Two steps, as in both servers:
 *
 *   scope     the raw arguments of the directives at one level (http{} or a
 *             server{}), each checked when it is read
 *   settings  the model made of all scopes: CAs and certificates
 *
 * Errors are ACME_MISCONFIG and say what is wrong and what is allowed; the
 * adapter adds file:line. Everything is allocated with malloc and freed by
 * the free functions.
 */

#ifndef ACME_SETTINGS_SETTINGS_H
#define ACME_SETTINGS_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "crypto/hmac.h"
#include "crypto/key.h"
#include "format/challenge.h"
#include "settings/directives.h"
#include "settings/spelling.h"

enum acme_directive {
#define X(id, name, httpd, scope, min, max, arguments, otherwise, meaning) \
    ACME_DIRECTIVE_##id,
    ACME_DIRECTIVES(X)
#undef X
    ACME_DIRECTIVE_COUNT
};

enum acme_directive_scope {
    ACME_SCOPE_GLOBAL = 1,
    ACME_SCOPE_SERVER = 2,
    ACME_SCOPE_BOTH = 3,
    ACME_SCOPE_MANY = 5,    /* global, and may be given several times */
    ACME_SCOPE_PER_CA = 11  /* both, and once more for each CA (for=) */
};

struct acme_directive_info {
    const char *name;       /* nginx's spelling */
    const char *httpd_name;
    enum acme_directive_scope scope;
    unsigned min, max;      /* for= is among the arguments */
    const char *arguments, *otherwise, *meaning;
};

extern const struct acme_directive_info
    acme_directive_infos[ACME_DIRECTIVE_COUNT];

/* Does it stand at the top level only? */
bool acme_directive_is_global(enum acme_directive directive);

/* Is its argument number `index` (from 0) a path of a file or folder? */
bool acme_directive_has_path(enum acme_directive directive, size_t index);

/* ---- scopes */

struct acme_scope;

struct acme_scope *acme_scope_new(void);
void acme_scope_free(struct acme_scope *scope);

/*
 * Check and keep one directive: number of arguments, their values ("invalid
 * value "x", allowed are ..., did you mean ...?"), and that it was not given
 * at this level before ("is duplicate").
 *   where   "file:line" for later messages, copied
 */
bool acme_scope_set(struct acme_scope *scope, enum acme_directive directive,
    size_t argc, const char *const *argv, const char *where,
    struct acme_error *err);

bool acme_scope_has(const struct acme_scope *scope,
    enum acme_directive directive);

/* "file:line" of the directive, or NULL; borrowed from the scope. */
const char *acme_scope_where(const struct acme_scope *scope,
    enum acme_directive directive);

/* ---- the model */

enum {
    ACME_NAME_MAX = 253,
    ACME_NAMES_MAX = 100,
    ACME_PROFILE_MAX = 64,
    ACME_CHAIN_ISSUER_MAX = 127,
    ACME_CHOICES_MAX = 8, /* CAs of one certificate */
    ACME_KEYS_MAX = 2     /* types of key, each with a certificate of its own */
};

struct acme_settings_ca {
    char *name;           /* for people: a preset's name, or host[:port] */
    char *url;            /* of the directory */
    char *trust_file;     /* acme_ca_certificate, or NULL */
    char *eab_kid;        /* acme_eab, or NULL: then the rest is nothing */
    char *eab_file;
    enum acme_hmac eab_algorithm;
    size_t staging;       /* index + 1 of its staging directory, where failed
                             validations cost nothing; 0 = none */
    bool implied;         /* no acme_ca names it: it is some other's .staging;
                             not in the wire form */
};

/* A CA of a certificate, and how it is ordered there. */
struct acme_settings_choice {
    size_t ca;            /* index into cas */
    char *profile;        /* acme_profile, or NULL */
    bool profile_required;
    char *chain;          /* acme_preferred_chain, or NULL */
};

/* Where a server shows a certificate to whoever connects with TLS. */
struct acme_settings_listener {
    char *name;           /* one of the certificate's, that the server knows;
                             an address: clients that name nobody see it;
                             NULL: there is no such place that we know of */
    char *address;        /* numeric */
    unsigned port;
    bool proxy_protocol;  /* each connection begins with a PROXY header */
};

struct acme_settings_cert {
    char **names;         /* lower case, as given, without duplicates */
    size_t name_count;    /* at least 1 */
    enum acme_key_type key_types[ACME_KEYS_MAX];  /* one, or an ECDSA and
                             then an RSA type; the rest ACME_KEY_NONE */
    bool reuse_key;       /* a renewal takes its predecessor's key */
    size_t ca;            /* index into cas: the first one of acme_ca */
    struct acme_settings_choice *fallbacks;   /* the others, in order */
    size_t fallback_count;    /* below ACME_CHOICES_MAX */
    unsigned renew_percent;   /* acme_renew: with so much of its life, */
    unsigned renew_days;      /* or so many days left; both 0 = auto */
    enum acme_challenge_type challenges[ACME_CHALLENGE_TYPES];
    size_t challenge_count;   /* at least 1, the preferred type first */
    char *profile;        /* at .ca: acme_profile, or NULL */
    bool profile_required;
    char *chain;          /* at .ca: acme_preferred_chain, or NULL */
    struct acme_settings_listener listener;  /* a fact about the server */
    char *folder;         /* in the store; set by acme_store_assign */
    char *where;          /* file:line of the first acme_domain of it; not
                             in the wire form: lines move */
};

struct acme_settings {
    bool accept_terms;
    char **contacts;      /* as URLs: "mailto:..." */
    size_t contact_count;
    char *state_path;
    char *user;           /* resolved default: "_acme" or "nobody" */
    char *event;          /* acme_event's program, an absolute path, or NULL */
    char *event_user;     /* as whom it runs; NULL without it */
    char *helper;         /* absolute path */
    char *proxy;          /* URL, perhaps with a password, or NULL */
    unsigned port_http;   /* acme_port_map: our port for the world's 80 */
    unsigned port_https;
    bool listens_http;    /* a fact about the server: is there a listener on */
    bool listens_https;   /* these ports, of this kind? Perhaps is yes */
    bool reload;
    unsigned reload_delay_s;

    struct acme_settings_ca *cas;
    size_t ca_count;
    struct acme_settings_cert *certs;
    size_t cert_count;

    /* facts about the server, set by the adapter */
    char *server;         /* "nginx/1.22.1", "Apache/2.4.71": User-Agent */
    enum acme_dialect dialect;  /* of log lines and directives in them */
    char *log_path;       /* error log to reopen after rotation, or NULL */
    unsigned log_id;      /* 9 digits that change when a log without a path
                             (a pipe) is another one, or 0 */
    int log_level;        /* enum acme_log_level */
    int reload_signal;    /* what makes the master reload gracefully */
    bool check_first;     /* a broken configuration would end a reload badly:
                             the server's own check (-t) must pass before */
};

/*
 * Begin the model from the global scope.
 *   default_helper   when acme_helper is not given
 *   server_user      as whom the server's own workers run: acme_user is
 *                    another one, by default and when it is given (unless we
 *                    are not root, when all run as we do)
 */
struct acme_settings *acme_settings_new(const struct acme_scope *global,
    const char *default_helper, const char *server_user,
    struct acme_error *err);
void acme_settings_free(struct acme_settings *settings);

/* A warning about the configuration; the adapter logs it with file:line. */
typedef void (*acme_settings_warn)(void *ctx, const char *text);

/*
 * Add the certificate of one server that has acme_domain in `server`.
 *   names   the names of the server (nginx's server_name), used when
 *           acme_domain has no arguments: those no CA can certify (regular
 *           expressions, "", "_", localhost, wildcards without dns-01, ...)
 *           are left out, each with a warning naming it; there is a warning,
 *           too, for one in Unicode whose ASCII form the server does not have
 *   cert_out  index of its certificate; servers that name the same set with
 *             the same key types and CA share one
 * Errors: an argument of acme_domain that cannot be in a certificate; no
 * name left; an order in another manner (acme_challenge, acme_profile,
 * acme_preferred_chain, acme_key_policy, acme_renew, the further ones of
 * acme_ca) than the one it is shared with; for= of a CA that this server
 * does not have.
 */
bool acme_settings_add_server(struct acme_settings *settings,
    const struct acme_scope *global, const struct acme_scope *server,
    const char *const *names, size_t name_count, acme_settings_warn warn,
    void *warn_ctx, size_t *cert_out, struct acme_error *err);

/*
 * Say on which of its two ports (port_http without TLS, port_https with it)
 * the server listens; where nobody says, it does on both. A challenge by a
 * port without a listener is tried last; with neither there is a warning.
 */
void acme_settings_set_listeners(struct acme_settings *settings, bool http,
    bool https, acme_settings_warn warn, void *warn_ctx);

/* Is there a listener for challenges of this type? */
bool acme_settings_listens(const struct acme_settings *settings,
    enum acme_challenge_type type);

/* Is it one of the names, as it is spelled? */
bool acme_settings_has_name(const struct acme_settings_cert *cert,
    const char *name);

/*
 * The CAs of a certificate, the wanted one first: how many there are, and the
 * one with this number, from 0, and how it is ordered there. What it points to
 * is the certificate's.
 */
size_t acme_settings_choice_count(const struct acme_settings_cert *cert);
struct acme_settings_choice acme_settings_choice(
    const struct acme_settings_cert *cert, size_t number);

/* Is there a CA that both may be ordered from? */
bool acme_settings_share_ca(const struct acme_settings_cert *a,
    const struct acme_settings_cert *b);

/* How many key types it has. */
size_t acme_settings_key_count(const struct acme_settings_cert *cert);

/* Do both name the same set? */
bool acme_settings_same_names(const struct acme_settings_cert *a,
    const struct acme_settings_cert *b);

/*
 * The checks that need the whole, for -t: accept_terms is on (the error says
 * which line to add and what it means), the helper is an executable file,
 * acme_user exists (when we are root), so do acme_event's program and user
 * (see program.h), trust files can be read and hold a PEM certificate. Writes
 * nothing. Settings without certificates pass.
 */
bool acme_settings_check(const struct acme_settings *settings,
    struct acme_error *err);

/*
 * The wire form that the master hands to the keeper, and back. Two equal
 * settings have equal wire forms. Reading distrusts nothing less than a file:
 * bounded, complete, exact version.
 */
bool acme_settings_write(const struct acme_settings *settings,
    struct acme_buffer *wire, struct acme_error *err);
struct acme_settings *acme_settings_read(struct acme_bytes wire,
    struct acme_error *err);

#endif
