/*
 * The keeper: touches THE MACHINE (store, keys, shared page, the server's
 * reload) and decides what is due when. No network, no HTTP, no DNS.
 */

#ifndef ACME_KEEPER_KEEPER_H
#define ACME_KEEPER_KEEPER_H

#include <stdint.h>

#include "base/log.h"
#include "settings/settings.h"

/*
 * Run until the supervisor goes away. Waits for the store when another keeper has it.
 *   settings       borrowed
 *   supervisor_fd  SEQPACKET, see supervised.h
 *   page_fd        the shared page, writable
 *   life_inode     of the lifetime pipe, whose write end the server holds
 *   loaded_at      unix seconds, when the server last read its configuration:
 *                  certificates obtained since then are not served yet
 * Returns the process's exit status, never 2.
 */
int acme_keeper_run(struct acme_settings *settings, int supervisor_fd,
    int page_fd, unsigned long long life_inode, int64_t loaded_at,
    const struct acme_log *log);

#endif
