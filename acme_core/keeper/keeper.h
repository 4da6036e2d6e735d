/*
 * The keeper: touches THE MACHINE (store, keys, shared page, the server's
 * reload) and decides what is due when. No network, no HTTP, no DNS.
 */

#ifndef ACME_KEEPER_KEEPER_H
#define ACME_KEEPER_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "settings/settings.h"

/* What a keeper is started with; nothing of it is taken over. */
struct acme_keeper_start {
    int supervisor_fd;              /* SEQPACKET, see supervised.h */
    int page_fd;                    /* the shared page, writable */
    unsigned long long life_inode;  /* of the lifetime pipe, whose write end
                                       the server holds */
    int64_t loaded_ms;              /* unix milliseconds, when the server last
                                       read its configuration: certificates
                                       that landed since are not served yet */
    bool reloaded;                  /* it did so because it was reloaded */
};

/*
 * Run until the supervisor goes away. Waits for the store when another keeper
 * has it. Settings are borrowed. Returns the process's exit status, never 2.
 */
int acme_keeper_run(struct acme_settings *settings,
    const struct acme_keeper_start *start, const struct acme_log *log);

#endif
