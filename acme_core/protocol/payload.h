/* The JSON payloads that the keeper signs. */

#ifndef ACME_PROTOCOL_PAYLOAD_H
#define ACME_PROTOCOL_PAYLOAD_H

#include "base/buffer.h"
#include "base/error.h"

/*
 * RFC 8555 7.3: termsOfServiceAgreed, contact.
 *   binding   the externalAccountBinding as JSON, or NULL (7.3.4)
 */
bool acme_payload_new_account(const char *const *contacts,
    size_t contact_count, const char *binding, struct acme_buffer *json,
    struct acme_error *err);

/* RFC 8555 7.3.1: {"onlyReturnExisting": true}. */
bool acme_payload_find_account(struct acme_buffer *json,
    struct acme_error *err);

/* RFC 8555 7.3.2: {"contact": [...]}, an empty list for none. */
bool acme_payload_contacts(const char *const *contacts, size_t contact_count,
    struct acme_buffer *json, struct acme_error *err);

/*
 * RFC 8555 7.3.5: {"account": .., "oldKey": ..}, what the new key signs.
 *   old_jwk   the old public key as JSON
 */
bool acme_payload_key_change(const char *account_url, const char *old_jwk,
    struct acme_buffer *json, struct acme_error *err);

/* RFC 8555 7.6: {"certificate": .., "reason": ..}; reason 0 is left out. */
bool acme_payload_revoke(struct acme_bytes certificate_der, unsigned reason,
    struct acme_buffer *json, struct acme_error *err);

/* What a newOrder says beside its names; NULL = not said. */
struct acme_order_options {
    const char *replaces;  /* certID of the predecessor (RFC 9773 5) */
    const char *profile;   /* of the directory's meta.profiles */
};

/* RFC 8555 7.4: identifiers of type dns, or ip (RFC 8738). */
bool acme_payload_new_order(const char *const *names, size_t name_count,
    const struct acme_order_options *options, struct acme_buffer *json,
    struct acme_error *err);

/* RFC 8555 7.5.2: {"status": "deactivated"}. */
bool acme_payload_deactivate(struct acme_buffer *json, struct acme_error *err);

/* RFC 8555 7.4: {"csr": base64url(der)}. */
bool acme_payload_finalize(struct acme_bytes csr_der, struct acme_buffer *json,
    struct acme_error *err);

#endif
