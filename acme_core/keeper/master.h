/* Finding the server's master and asking it to reload. */

#ifndef ACME_KEEPER_MASTER_H
#define ACME_KEEPER_MASTER_H

#include <stdbool.h>

#include "base/error.h"

/*
 * Send the signal to the master: the process that holds the write end of the
 * lifetime pipe with this inode. No pid file is read: USR2 renames it, and
 * pids are reused.
 */
bool master_reload(unsigned long long life_inode, int signal,
    struct acme_error *err);

/*
 * Is a binary upgrade of the master under way (nginx's USR2)? Until one of the
 * two masters ends, a SIGHUP makes the old one start workers and load nothing.
 */
bool master_is_upgrading(unsigned long long life_inode);

#endif
