/*
 * Certificate requests, and reading what came back: names, dates, whether a
 * chain belongs to a key.
 */

#ifndef ACME_CRYPTO_X509_H
#define ACME_CRYPTO_X509_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "crypto/key.h"

enum { ACME_CERT_ID_MAX = 160 };  /* key identifiers of 64 bytes fit */

/*
 * Append a DER certificate request: empty subject, one subjectAltName
 * extension with a dNSName (or iPAddress, when the text is an IP address)
 * per name, no other extension (RFC 8555 7.4, RFC 8738 3).
 */
bool acme_csr_write(const struct acme_key *key, const char *const *names,
    size_t name_count, struct acme_buffer *der, struct acme_error *err);

/* What we want to know of a leaf. Owned names; free with acme_leaf_free. */
struct acme_leaf {
    int64_t not_before;       /* unix seconds */
    int64_t not_after;
    char issuer[128];         /* common name, escaped for logs, or "" */
    char serial[64];          /* lower-case hex */
    char cert_id[ACME_CERT_ID_MAX + 1];  /* RFC 9773 4.1, or "" without a
                                 key identifier of its issuer */
    char **names;             /* dNSNames lower-case, iPAddresses as text */
    size_t name_count;
};

/*
 * Read the first certificate of a PEM chain of at most 64 KiB and 10
 * certificates; all of them must parse. ACME_PEER_BROKE otherwise.
 */
bool acme_leaf_read(struct acme_bytes chain_pem, struct acme_leaf *leaf,
    struct acme_error *err);
void acme_leaf_free(struct acme_leaf *leaf);

/* Append the first certificate of the chain as DER. */
bool acme_leaf_der(struct acme_bytes chain_pem, struct acme_buffer *der,
    struct acme_error *err);

/*
 * Is every name in the leaf? Case-insensitive; "*.example.test" in the leaf
 * covers a name with one label in its place. A leaf with more names than
 * asked for is fine: some CAs add www.
 */
bool acme_leaf_covers(const struct acme_leaf *leaf, const char *const *names,
    size_t name_count, const char **missing_out);

/*
 * The check before a delivered chain is written (and before a stored one is
 * served): it parses, the leaf's public key is that of `key`, each
 * certificate is issued by the next one, the leaf covers the names, is in
 * date at `now` (an hour of clock difference is tolerated for notBefore).
 *   names   may be NULL (name_count 0) to leave them unchecked
 * Errors: ACME_PEER_BROKE, the text says which check failed.
 * On success *leaf is filled when not NULL.
 */
bool acme_chain_check(struct acme_bytes chain_pem, const struct acme_key *key,
    const char *const *names, size_t name_count, int64_t now,
    struct acme_leaf *leaf, struct acme_error *err);

/*
 * Who issued the last certificate of the chain: the common name, escaped for
 * logs. It tells alternate chains apart (RFC 8555 7.4.2).
 */
bool acme_chain_issuer(struct acme_bytes chain_pem, char issuer[128],
    struct acme_error *err);

/*
 * Append the same certificates as plain PEM: one behind the other, each line
 * ended by LF, without the comments, blank lines and CRLF that a CA may send.
 * A chain that is plain already stays as it is.
 */
bool acme_chain_tidy(struct acme_bytes chain_pem, struct acme_buffer *pem,
    struct acme_error *err);

/*
 * Does the leaf of the chain belong to this private key? Dates and names are
 * not looked at: an expired pair still serves better than none.
 */
bool acme_pair_matches(struct acme_bytes chain_pem, struct acme_bytes key_pem,
    struct acme_error *err);

/* What a server wants to know of a pair before it serves it. */
struct acme_pair_facts {
    enum acme_key_type key_type;
    int64_t not_after;        /* unix seconds; 0: the leaf is unreadable */
};

/* The same; *facts is filled when it does. Parses either text only once. */
bool acme_pair_read(struct acme_bytes chain_pem, struct acme_bytes key_pem,
    struct acme_pair_facts *facts, struct acme_error *err);

#endif
