/* The roles of the one executable; main.c chooses by argv[0]. */

#ifndef ACME_HELPER_HELPER_H
#define ACME_HELPER_HELPER_H

/* What a child of the supervisor finds open, besides the log; some of them the
 * settings, too, and the keeper the page. */
enum { ACME_FD_PARENT = 3 };

/* Titles are the first argument of exec: what ps shows, and the role. */
#define ACME_TITLE_SUPERVISOR "acme-helper: supervisor"
#define ACME_TITLE_KEEPER "acme-helper: keeper"
#define ACME_TITLE_AGENT "acme-helper: agent"
#define ACME_TITLE_KEYGEN "acme-helper: keygen"
#define ACME_TITLE_CHECK "acme-helper: check"
#define ACME_TITLE_EVENT "acme-helper: event"

/*
 * Start and restart keeper, agent and key makers until the server is gone.
 *   argument   as serve/spawn.h says
 * Returns the exit status; never 2, which nginx misreads.
 */
int acme_supervisor_run(const char *argument);

#endif
