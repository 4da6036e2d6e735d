/* What is in service for a job, and whether it is what the settings ask for. */

#ifndef ACME_KEEPER_SERVICE_H
#define ACME_KEEPER_SERVICE_H

#include "crypto/x509.h"
#include "keeper/state.h"

/*
 * Read live/<folder> and set .served, .fits, .not_before and .not_after. True
 * when it fits the settings and is not yet due for renewal.
 */
bool service_is_current(struct job *job, struct keeper *keeper);

/* meta.json of a new generation: where and when it came from. */
bool service_meta(const struct job *job, const struct acme_leaf *leaf,
    int64_t now, struct acme_buffer *json);

#endif
