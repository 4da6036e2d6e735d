/* Keys that take seconds are made in a short-lived process of their own. */

#ifndef ACME_KEEPER_KEYGEN_H
#define ACME_KEEPER_KEYGEN_H

#include <stdbool.h>

#include "base/error.h"

/* The key maker: send the PEM of a new key of this type to fd, one message. */
bool acme_keygen_run(int fd, const char *type, struct acme_error *err);

#endif
