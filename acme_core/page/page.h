/*
 * The shared page: one memfd that the master makes before it forks. The
 * keeper writes it, workers read it, nobody waits.
 *
 * It holds two challenge tables: http-01, token -> key authorization; and
 * tls-alpn-01, server name -> certificate and its throw-away key. They are
 * sparse and of one fixed size, whatever the configuration, so they never have
 * to be replaced. Each slot has a sequence counter (odd while being written);
 * a reader that keeps meeting a writer gives up and answers "unknown".
 *
 * Invariants:
 *  1. Exactly one writer: the keeper that holds the store's lock.
 *  2. A name is found in one of the PROBE slots from its hash on, or nowhere.
 *  3. A table's count is that of its used slots; 0 is the fast way out for
 *     readers.
 *  4. Memory is allocated (fallocate) before a slot is first used: no SIGBUS.
 */

#ifndef ACME_PAGE_PAGE_H
#define ACME_PAGE_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "format/client_hello.h"

enum {
    ACME_TOKEN_MAX = 128,     /* bytes of a token */
    ACME_KEY_AUTH_MAX = 191,  /* token "." 43 bytes of thumbprint */
    ACME_PAGE_SLOTS = 8192,
    ACME_PAGE_CERT_MAX = 896,       /* of a certificate, DER */
    ACME_PAGE_KEY_MAX = 192,        /* of its key, DER */
    ACME_PAGE_NAME_SLOTS = 4096
};

struct acme_page;

/*
 * Make an empty page: memfd, MFD_CLOEXEC, mode 0600, sealed against shrinking
 * and growing.
 *   fd_out   the descriptor for the keeper; the caller owns it
 */
bool acme_page_make(int *fd_out, struct acme_error *err);

/*
 * Map a page read-only, from a read-only description of its own (reopened by
 * /proc/self/fd), so that the mapping can never become writable. The size,
 * seals and layout version are checked: false with ACME_PEER_BROKE.
 * The descriptor stays the caller's.
 */
struct acme_page *acme_page_map(int fd, struct acme_error *err);

/*
 * Map for writing, as the keeper does; repairs slots that a dead writer left
 * half-written (they become free).
 */
struct acme_page *acme_page_map_writer(int fd, struct acme_error *err);

void acme_page_unmap(struct acme_page *page);

/*
 * Is there anything to find, by token / by server name? One load; false for
 * NULL.
 */
bool acme_page_has_proofs(const struct acme_page *page);
bool acme_page_has_alpn(const struct acme_page *page);

/*
 * Look a token up; any bytes may be passed, nothing is trusted.
 *   key_auth   at least ACME_KEY_AUTH_MAX + 1 bytes; NUL-terminated
 */
bool acme_page_find(const struct acme_page *page, struct acme_bytes token,
    char *key_auth, size_t *len_out);

/*
 * Writer: publish a token, replacing one with the same name. The token must
 * be [A-Za-z0-9_-], the key authorization printable.
 * Errors: ACME_LOCAL when the table or the memory is full.
 */
bool acme_page_publish(struct acme_page *page, struct acme_bytes token,
    struct acme_bytes key_auth, struct acme_error *err);

/* Writer: take a token back; one that is not there is fine. */
void acme_page_withdraw(struct acme_page *page, struct acme_bytes token);

/* What is shown to a CA that asks for a server name; both are DER. */
struct acme_page_alpn {
    size_t cert_len, key_len;
    uint8_t cert[ACME_PAGE_CERT_MAX];
    uint8_t key[ACME_PAGE_KEY_MAX];
};

/* Look a server name up, in lower case; any bytes may be passed. */
bool acme_page_find_alpn(const struct acme_page *page, struct acme_bytes name,
    struct acme_page_alpn *out);

/*
 * Writer: publish the certificate of a challenge. A CA asks by the server name
 * alone, so of two challenges for one name the later one is shown.
 *   name    as acme_server_name_of() makes it
 *   token   of the challenge: whose entry it is
 * Errors: ACME_LOCAL when the table or the memory is full.
 */
bool acme_page_publish_alpn(struct acme_page *page, struct acme_bytes name,
    struct acme_bytes token, const struct acme_page_alpn *alpn,
    struct acme_error *err);

/* Writer: take it back, unless another challenge has replaced it. */
void acme_page_withdraw_alpn(struct acme_page *page, struct acme_bytes name,
    struct acme_bytes token);

/*
 * Writer: take back, from both tables, what has a token that `wanted` does not
 * want. A new keeper first publishes the proofs of its own orders, then
 * sweeps: there is no moment at which one that a CA may be fetching is
 * missing.
 */
void acme_page_sweep(struct acme_page *page,
    bool (*wanted)(void *ctx, struct acme_bytes token), void *ctx);

#endif
