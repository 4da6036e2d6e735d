/*
 * The pairs in service: those of the generation that live/<folder> names. For
 * one that is damaged there an older generation may still have a whole one.
 * Keeper and servers read by this, so that they agree. Nothing is written.
 */

#ifndef ACME_STORE_LIVE_H
#define ACME_STORE_LIVE_H

#include <limits.h>

#include "crypto/x509.h"
#include "store/store.h"

struct acme_live_pair {
    enum {
        ACME_LIVE_ABSENT,       /* there is none, and there was none */
        ACME_LIVE_DAMAGED,      /* and nothing is in its place: see .damage */
        ACME_LIVE_OLDER,        /* whole, of an older generation: .damage is
                                   what is wrong with the newest */
        ACME_LIVE_WHOLE
    } state;
    struct acme_error damage;   /* names the file */
    char path[PATH_MAX];        /* of the pair's generation, the rest too: set
                                   when it is whole */
    struct acme_buffer chain_pem, key_pem, meta_json;
    struct acme_pair_facts facts;
};

/* By index, as acme_pair_files. */
struct acme_live {
    struct acme_live_pair pairs[ACME_KEYS_MAX];
};

/*
 * Read what is in service for a certificate. A pair is whole when chain and
 * key can be read and belong together, expired or not. Of older ones the
 * newest counts that is in date and covers the certificate's names; where none
 * is, that in date; then the newest.
 * False with .sys = ENOENT when there is no certificate yet. Free it in any
 * case.
 */
bool acme_live_read(const char *state_path,
    const struct acme_settings_cert *cert, int64_t now,
    struct acme_live *live, struct acme_error *err);
void acme_live_free(struct acme_live *live);

/* Is there a pair to be served? */
static inline bool
acme_live_is_whole(const struct acme_live_pair *pair)
{
    return pair->state == ACME_LIVE_WHOLE || pair->state == ACME_LIVE_OLDER;
}

#endif
