/*
 * The server's own check of its configuration ("-t"), as a short-lived
 * process of its own: the keeper may not start programs.
 */

#ifndef ACME_KEEPER_CHECK_H
#define ACME_KEEPER_CHECK_H

#include <stdbool.h>

#include "base/error.h"

enum {
    ACME_CHECK_MAX = 400,       /* bytes of a verdict */
    ACME_CHECK_LIMIT_S = 120,   /* a check that takes longer has failed */
    ACME_CHECK_PASSED = '+',
    ACME_CHECK_FAILED = '-'
};

/*
 * The checker: run the program of the process `pid` once more, with its own
 * arguments, environment and directory, and "-t"; then send the verdict to
 * fd, one message: one of the letters above, and the end of what it printed,
 * in one line. As whoever we are: the server reads its configuration as such,
 * too.
 */
bool acme_check_run(int fd, const char *pid, struct acme_error *err);

#endif
