/*
 * The shared page: one memfd that the master makes before it forks. The
 * keeper writes it, workers read it, nobody waits.
 *
 * It holds the challenge table: http-01 token -> key authorization. The table
 * is sparse and of one fixed size, whatever the configuration, so it never has
 * to be replaced. Each slot has a sequence counter (odd while being written);
 * a reader that keeps meeting a writer gives up and answers "unknown".
 *
 * Invariants:
 *  1. Exactly one writer: the keeper that holds the store's lock.
 *  2. A token is found in one of the PROBE slots from its hash on, or nowhere.
 *  3. count is the number of used slots; 0 is the fast way out for readers.
 *  4. Memory is allocated (fallocate) before a slot is first used: no SIGBUS.
 */

#ifndef ACME_PAGE_PAGE_H
#define ACME_PAGE_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

enum {
    ACME_TOKEN_MAX = 128,     /* bytes of a token */
    ACME_KEY_AUTH_MAX = 191,  /* token "." 43 bytes of thumbprint */
    ACME_PAGE_SLOTS = 8192
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

/* Is there anything to find? One load; false for NULL. */
bool acme_page_has_proofs(const struct acme_page *page);

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

/*
 * Writer: take back the tokens that `wanted` does not want. A new keeper
 * first publishes those of its own orders, then sweeps: there is no moment
 * at which a token that a CA may be fetching is missing.
 */
void acme_page_sweep(struct acme_page *page,
    bool (*wanted)(void *ctx, struct acme_bytes token), void *ctx);

#endif
