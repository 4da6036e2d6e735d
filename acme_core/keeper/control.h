/*
 * <state>/control.sock: a server without a known keeper (after a binary
 * upgrade) asks the one that holds the store for its shared page, so that
 * old and new workers answer the same challenges.
 */

#ifndef ACME_KEEPER_CONTROL_H
#define ACME_KEEPER_CONTROL_H

#include <stdbool.h>

#include "base/error.h"

/* Listen, mode 0600. Returns the descriptor, or -1: only a warning. */
int control_open(const char *state_path, struct acme_error *err);

/* Accept what waits; root and our own user get the page, others nothing. */
void control_serve(int control_fd, int page_fd);

#endif
