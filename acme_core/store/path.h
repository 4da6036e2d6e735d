/* Names of folders in the store; shared by the files of store/ only. */

#ifndef ACME_STORE_PATH_H
#define ACME_STORE_PATH_H

#include <stdbool.h>

#include "base/error.h"

/* One path component that may be a folder of ours: no "/", no leading dot. */
bool acme_path_check(const char *folder, struct acme_error *err);

/* Open a directory below dir_fd, following no link; -1 with err filled. */
int acme_path_open(int dir_fd, const char *name, struct acme_error *err);

/* The same for a state path, which must be absolute. */
int acme_path_open_state(const char *state_path, struct acme_error *err);

#endif
