/*
 * What keeper and supervisor say to each other: one letter, sometimes with
 * the child's argument behind it.
 */

#ifndef ACME_KEEPER_SUPERVISED_H
#define ACME_KEEPER_SUPERVISED_H

#include <stdbool.h>

#include "base/error.h"

enum {
    ACME_ASK_AGENT = 'a',    /* argument: user; answer: its channel */
    ACME_ASK_KEYGEN = 'k',   /* argument: key type; answer: the PEM's way */
    ACME_ASK_CHECK = 'c',    /* answer: where the verdict comes, see check.h */
    ACME_ASK_EVENT = 'e',    /* answer: where it is told, see event_run.h */
    ACME_TELL_RELOAD = 'r',  /* the server reloaded with equal settings */
    ACME_ASK_MAX = 128
};

/* Ask for a child; its descriptor comes later by acme_supervised_next. */
bool acme_supervised_ask(int fd, char letter, const char *argument,
    struct acme_error *err);

/*
 * The next word of the supervisor, if there is one; *letter is 0 otherwise.
 *   child_fd   a descriptor that came with it (the caller's), or -1
 * False: the supervisor is gone, and so are we.
 */
bool acme_supervised_next(int fd, char *letter, int *child_fd);

#endif
