/* What is in service for a job, and whether it is what the settings ask for. */

#ifndef ACME_KEEPER_SERVICE_H
#define ACME_KEEPER_SERVICE_H

#include "crypto/x509.h"
#include "keeper/state.h"

/* A pair that is in service. */
struct service_pair {
    struct acme_buffer chain_pem, key_pem, meta_json;
    enum acme_key_type key_type;
    bool older;     /* than the newest one, which is damaged */
};

/*
 * Read the pair in service whose key is RSA, or is not, when it is whole and
 * matches; where it is older, err says what is damaged. False with .sys =
 * ENOENT when there is none. Free it in any case.
 */
bool service_pair_read(const struct job *job, const struct keeper *keeper,
    bool rsa, struct service_pair *pair, struct acme_error *err);
void service_pair_free(struct service_pair *pair);

/*
 * Read live/<folder> and set .served, .fits, .serial, .not_before, .not_after,
 * .obtained_at, .issuer and whose .plan.ari is. True when it fits the settings
 * and is not yet due for renewal.
 */
bool service_is_current(struct job *job, struct keeper *keeper);

/* The account at the CA that issued it, or where we do not know, the job's. */
struct account *service_issuer(const struct job *job);

/*
 * The certificate in service, to be revoked by the account it is of: appended
 * as DER, and its serial number.
 */
bool service_revocable(const struct job *job, const struct keeper *keeper,
    struct acme_buffer *der, char serial[64], struct acme_error *err);

/*
 * When the certificate that was last read or installed is to be renewed, with
 * one decision for both halves: when one is to be renewed, the other one is
 * too, unless it has been obtained since.
 */
int64_t service_due_at(const struct job *job, const struct keeper *keeper);

/* Does the CA's wish count, be it that acme_renew has one of its own? */
bool service_follows_ari(const struct job *job);

/* Say so when acme_renew would renew it in the first half of its life. */
void service_warn_of_renew(const struct job *job);

/*
 * Is what is in service the predecessor of what is to be ordered: from the
 * same account, with a name of ours, and with a certID? That goes to cert_id.
 */
bool service_predecessor(const struct job *job, const struct keeper *keeper,
    char cert_id[ACME_CERT_ID_MAX + 1]);

/*
 * Is what is in service a certificate of that account's CA for exactly the
 * job's names?
 */
bool service_renews(const struct job *job, const struct account *account,
    const struct keeper *keeper);

/*
 * Is the key of the order under way the one of the certificate in service,
 * which is another one than when it began? Then that order has been
 * installed, and only its end was missed.
 */
bool service_has_key(const struct job *job, const struct keeper *keeper);

/* May the order go on with its key, or was that revoked in the meantime? */
bool service_allows_key(const struct job *job, const struct keeper *keeper,
    struct acme_error *err);

/*
 * The number of the generation that is live, and whether it has a second pair;
 * 0 = there is none.
 */
unsigned service_generation(const struct job *job,
    const struct keeper *keeper, bool *has_second);

/* meta.json of a new generation: where and when it came from. */
bool service_meta(const struct job *job, const struct acme_leaf *leaf,
    int64_t now, struct acme_buffer *json);

#endif
