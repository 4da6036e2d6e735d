/*
 * <state>/control.sock: an operator's command, one line; and a server without
 * a known keeper (after a binary upgrade) asks the one that holds the store
 * for its shared page, so that old and new workers answer the same challenges.
 */

#ifndef ACME_KEEPER_CONTROL_H
#define ACME_KEEPER_CONTROL_H

#include "keeper/state.h"

/* Listen, mode 0600. Returns the descriptor, or -1: only a warning. */
int control_open(const char *state_path, struct acme_error *err);

/* No client is connected. */
void control_init(struct keeper *keeper);

/*
 * Accept what waits; root and our own user get the page, others nothing. A
 * server that asked for it closes the connection; whoever wants more is one of
 * keeper->clients. When there are too many, the first one has to go.
 */
void control_serve(struct keeper *keeper);

/* Read what a client says; its command is begun with the line's end. */
void control_take(struct keeper *keeper, struct control_client *client);

void control_close(struct keeper *keeper);

#endif
