/*
 * How a master starts, keeps and ends the helper. The lifetime pipe is all
 * that ties them: the master holds its write end, the supervisor sees it
 * close. No pid is remembered, nobody is anybody's child.
 */

#ifndef ACME_SERVE_SPAWN_H
#define ACME_SERVE_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "page/page.h"
#include "settings/settings.h"

/* Exchanged by module and helper: a mismatch ends the helper with a message. */
#define ACME_HELPER_VERSION "acme-helper 2"

/* What the helper finds open. */
enum {
    ACME_FD_LOG = 2,
    ACME_FD_LIFE = 3,      /* read end of the lifetime pipe */
    ACME_FD_SETTINGS = 4,  /* memfd: the wire form of the settings */
    ACME_FD_PAGE = 5       /* memfd: the shared page */
};

/*
 * The argument of a helper: when the server began to read its configuration
 * (unix milliseconds), then these words where they apply.
 */
#define ACME_ARGUMENT_RELOAD "reload"   /* a reload started it */
#define ACME_ARGUMENT_CHILD "child"     /* its parent is the server's master */

/* Bytes on the lifetime pipe. */
enum {
    ACME_LIFE_RELOADED = 'r',
    ACME_LIFE_RELOADING = 'c',
    ACME_LIFE_END = 'e'      /* as its end does; a daemon of the server may
                                hold a copy and keep it open */
};

struct acme_helper;   /* refcounted: one reference a server configuration */

struct acme_helper_options {
    int log_fd;        /* where its log lines go */
    int64_t read_ms;   /* unix milliseconds, before the certificates were
                          looked up: one that is newer is not served yet */
    bool child;        /* it is to be a child of ours, whose end we wait for,
                          and not nobody's */
};

/*
 * A helper for these settings. When `running` (may be NULL) was started with
 * equal settings and still lives, it is told of the reload ('r' on the pipe)
 * and gets one more reference; else a new one is started on running's page (or
 * on a new page) and waits for the store until the old one has ended.
 * Errors: ACME_LOCAL when it cannot be started, with what that means for the
 * operator in front; never fatal to a server.
 */
struct acme_helper *acme_helper_start(const struct acme_settings *settings,
    struct acme_helper *running, const struct acme_helper_options *options,
    struct acme_error *err);

/* Has it ended by itself, or been killed? Asked by the master only. */
bool acme_helper_has_ended(const struct acme_helper *helper);

/*
 * For a server that cannot start a helper with these settings now: the running
 * one (may be NULL), as above, when it can go on with them, else NULL.
 */
struct acme_helper *acme_helper_keep(const struct acme_settings *settings,
    struct acme_helper *running);

/* The pid of one that was started as a child, else 0. */
pid_t acme_helper_pid(const struct acme_helper *helper);

/*
 * For a server that forgets its old configuration before it reads the new
 * one: the helper goes on, and ends by itself when acme_helper_start does not
 * follow within 10 minutes.
 */
void acme_helper_reloading(struct acme_helper *helper);

/* The read-only page of this helper; borrowed. */
const struct acme_page *acme_helper_page(const struct acme_helper *helper);

/*
 * Drop one reference; with the last one the pipe closes and the helper ends.
 */
void acme_helper_release(struct acme_helper *helper);

/*
 * In a worker after fork: close the pipe and the page's descriptor, keep the
 * read-only mapping. release() in a worker then touches nothing.
 */
void acme_helper_forget(struct acme_helper *helper);

#endif
