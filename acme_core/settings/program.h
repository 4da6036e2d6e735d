/* The administrator's program, and whether it may run as a user. */

#ifndef ACME_SETTINGS_PROGRAM_H
#define ACME_SETTINGS_PROGRAM_H

#include <stdbool.h>

#include "base/error.h"

/*
 * Is the program an executable file, and is there such a user? For one that
 * is root, nobody else may be able to change it: the file, the folders on the
 * way to it and links there are root's, and not writable by others (the
 * sticky bit of a folder such as /tmp keeps what is root's in it). Who is not
 * root runs everything as who they are: then the user is not looked at.
 */
bool acme_program_check(const char *program, const char *user,
    struct acme_error *err);

#endif
