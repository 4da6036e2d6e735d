/* Another keeper has the store: our server loads what that one obtains. */

#ifndef ACME_KEEPER_FOLLOW_H
#define ACME_KEEPER_FOLLOW_H

#include "keeper/state.h"

/*
 * To be called now and then while waiting for the store: when a certificate
 * of our settings has landed in live/ since our server read its configuration,
 * the server is asked to reload, as deploy.h says. Names that the other one
 * does not look after are logged, once. Writes nothing.
 */
void follow(struct keeper *keeper);

/*
 * Has this one landed in live/ since our server read its configuration? When
 * in doubt, it has: a reload too many is harmless.
 */
bool follow_landed_since_load(const struct keeper *keeper,
    const struct acme_settings_cert *cert);

#endif
