/*
 * The administrator's program for events (acme_event), as a short-lived
 * process of its own: the keeper may not start programs, and never waits.
 */

#ifndef ACME_KEEPER_EVENT_RUN_H
#define ACME_KEEPER_EVENT_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum {
    ACME_EVENT_MAX = 60 * 1024,     /* bytes of what is to be told */
    ACME_EVENT_LIMIT_S = 60,        /* a program that takes longer has failed */
    ACME_EVENT_GRACE_S = 5,         /* between SIGTERM and SIGKILL */
    ACME_EVENT_LINES_MAX = 50,      /* of its output */
    ACME_EVENT_LINE_MAX = 512,      /* bytes of one */
    ACME_EVENT_REPLY_MAX = 600,     /* bytes of a message of ours */
    /* The first byte of a message; words follow. */
    ACME_EVENT_LINE = 'l',          /* the program has printed this */
    ACME_EVENT_DONE = '+',          /* it has exited with 0: the last one */
    ACME_EVENT_FAILED = '-'         /* why not: the last one */
};

/* What is run, and as whom: from the settings, not from the keeper. */
struct acme_event_program {
    const char *path, *user;
    unsigned limit_s;
};

/* What it is told: its two arguments, $ACME_LIVE and its standard input. */
struct acme_event_words {
    const char *event, *name, *live, *json;
};

/* The keeper: tell the process at the other end of fd what to run it for. */
bool acme_event_send(int fd, const struct acme_event_words *words,
    struct acme_error *err);

/*
 * The whole life of that process: wait for the words, run the program to its
 * end, send what it prints and how it ended. It is ended when its time is
 * over, and when nobody waits for it any more (the keeper is gone).
 * False when nothing could be said to the keeper.
 */
bool acme_event_run(int fd, const struct acme_event_program *program,
    struct acme_error *err);

#endif
