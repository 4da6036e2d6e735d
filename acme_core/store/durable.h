/*
 * The only writer of files in the project. Each call that returned true has
 * reached the disk: it survives a power cut. Modes are set at creation and
 * do not depend on the umask.
 */

#ifndef ACME_STORE_DURABLE_H
#define ACME_STORE_DURABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

/*
 * Make one directory with this mode (fchmod, so whatever the umask) and sync
 * its parent. One that exists already is left as it is.
 */
bool acme_durable_mkdir(int dir_fd, const char *name, unsigned mode,
    struct acme_error *err);

/*
 * Replace the file `name` in the directory by `data`: temporary file, write,
 * fsync, rename, fsync of the directory. After false the old content (or
 * absence) is untouched and the temporary file is gone, or is ".tmp-..." and
 * removed by acme_store_open.
 */
bool acme_durable_write(int dir_fd, const char *name, struct acme_bytes data,
    unsigned mode, struct acme_error *err);

/* Rename within the store and sync both directories. */
bool acme_durable_rename(int from_fd, const char *from, int to_fd,
    const char *to, struct acme_error *err);

/* Point the symbolic link `name` at `target` by one rename. */
bool acme_durable_link(int dir_fd, const char *name, const char *target,
    struct acme_error *err);

/*
 * Remove a file, a link, or a directory with the plain files in it (not
 * deeper), and sync the directory. What is not there is fine.
 */
bool acme_durable_remove(int dir_fd, const char *name, struct acme_error *err);

/* Remove a directory when nothing is in it; otherwise leave it. */
bool acme_durable_rmdir(int dir_fd, const char *name, struct acme_error *err);

/*
 * Append a regular file's content; no link is followed, FIFOs and devices
 * are refused. False with .sys = ENOENT when it does not exist, EFBIG when
 * it does not fit into the buffer.
 */
bool acme_durable_read(int dir_fd, const char *name, struct acme_buffer *out,
    struct acme_error *err);

#endif
