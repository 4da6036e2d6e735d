/* What is in service for a job, and whether it is what the settings ask for. */

#ifndef ACME_KEEPER_SERVICE_H
#define ACME_KEEPER_SERVICE_H

#include "crypto/x509.h"
#include "keeper/state.h"

/*
 * Read live/<folder> and set .served, .fits, .not_before, .not_after and
 * .obtained_at. True when it fits the settings and is not yet due for renewal.
 */
bool service_is_current(struct job *job, struct keeper *keeper);

/*
 * The certificate in service, to be revoked by the account it is of: appended
 * as DER, and its serial number.
 */
bool service_revocable(const struct job *job, const struct keeper *keeper,
    struct acme_buffer *der, char serial[64], struct acme_error *err);

/* When the certificate that was last read or installed is to be renewed. */
int64_t service_renew_at(const struct job *job, const struct keeper *keeper);

/*
 * Is the key of the order under way the one of the certificate in service?
 * Then that order has been installed, and only its end was missed.
 */
bool service_has_key(const struct job *job, const struct keeper *keeper);

/* meta.json of a new generation: where and when it came from. */
bool service_meta(const struct job *job, const struct acme_leaf *leaf,
    int64_t now, struct acme_buffer *json);

#endif
