/* A keeper that runs already and whose page we should share. */

#ifndef ACME_SERVE_NEIGHBOUR_H
#define ACME_SERVE_NEIGHBOUR_H

/*
 * Ask the keeper that holds the store for its shared page, for at most a
 * second. Returns a descriptor, or -1 when there is none to be had.
 */
int acme_neighbour_page(const char *state_path);

/*
 * A connection, non-blocking, to the keeper that has this store; what comes
 * first is its greeting. -1 when there is none, or it is run by a stranger.
 */
int acme_neighbour_connect(const char *state_path);

#endif
