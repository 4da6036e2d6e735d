/*
 * The names and the meaning of every path below acme_state_path:
 *
 *   accounts/<ca>/<id>/{account.json,account.key}
 *   accounts/<ca>/<id>/account.key.new            while the key is changed
 *   certs/<folder>/entry                          what the folder is for
 *   certs/<folder>/<generation>/{fullchain.pem,privkey.pem,meta.json}
 *   certs/<folder>/<generation>/{fullchain.rsa.pem,privkey.rsa.pem,
 *                                meta.rsa.json}   when there is a second pair
 *   pending/<folder>/{order.json,privkey.pem}     synced before newOrder
 *   pending/<folder>/{order.rsa.json,privkey.rsa.pem}   the second one's
 *   live/<folder> -> ../certs/<folder>/<generation>
 *   plan/<folder>.json, plan/<folder>+rsa.json
 *   events/<number>.json                          not yet told to acme_event
 *   limits.json                                   what CAs count
 *   lock
 *
 * A generation is complete or it is not there: it is written as
 * certs/<folder>/.new, synced, renamed, and only then live/ is flipped. One
 * pair is fullchain.pem, whatever its key; of two, the RSA one is the second.
 * Folders 0700, files 0600. Only the keeper writes; the servers read.
 */

#ifndef ACME_STORE_STORE_H
#define ACME_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "settings/settings.h"

enum {
    ACME_STORE_FILE_MAX = 256 * 1024,  /* no file of ours is larger */
    ACME_FOLDER_MAX = 256              /* a folder name with its NUL */
};

struct acme_store;

/*
 * Open the store for writing: make what is missing of the tree, and remove
 * what a crash left half-written (".tmp-*", ".new"). The path's last
 * component is created 0700 (its parents 0755). Refused with ACME_MISCONFIG,
 * and a text that says what to do: a relative path, a directory that is
 * group- or world-writable, a symbolic link owned by another uid than root or
 * ours on the way. Does not take the lock.
 */
struct acme_store *acme_store_open(const char *state_path,
    struct acme_error *err);
void acme_store_close(struct acme_store *store);

/*
 * What is doubtful about the place of the store, though it works: it belongs
 * to another user (as bind mounts may), or is not on a volume of the
 * container. Each one is told to `say` in words for the operator.
 */
void acme_store_doubts(const struct acme_store *store,
    void (*say)(void *ctx, const char *text), void *ctx);

/*
 * Take the store for this process (flock on "lock", which is O_CLOEXEC).
 * False with .sys = EWOULDBLOCK when another keeper has it. Held until
 * acme_store_close or the end of the process.
 */
bool acme_store_lock(struct acme_store *store, struct acme_error *err);

/*
 * Is what was locked still the store? Not when its files were removed, or
 * other ones are in their place: what is written now would be lost, and
 * another keeper could have the lock too.
 */
bool acme_store_is_locked(const struct acme_store *store);

/* ---- accounts: <ca> is made of [a-z0-9._-] by acme_store_ca_folder */

/*
 * The folder for a directory URL: "<host>[_<port>]-<8 hex of the URL's
 * SHA-256>"; what is not [a-z0-9.-] in the host becomes '_'.
 */
bool acme_store_ca_folder(const char *directory_url,
    char folder[ACME_FOLDER_MAX], struct acme_error *err);

/* Read or replace account.key / account.json; ENOENT in .sys when absent. */
bool acme_store_account_read(struct acme_store *store, const char *ca,
    const char *id, const char *file, struct acme_buffer *out,
    struct acme_error *err);
bool acme_store_account_write(struct acme_store *store, const char *ca,
    const char *id, const char *file, struct acme_bytes data,
    struct acme_error *err);

/* Rename one of its files over another, on disk when it returns / remove. */
bool acme_store_account_rename(struct acme_store *store, const char *ca,
    const char *id, const char *from, const char *to, struct acme_error *err);
bool acme_store_account_remove(struct acme_store *store, const char *ca,
    const char *id, const char *file, struct acme_error *err);

/*
 * For -t: can each CA of the settings get what it needs for an account? The
 * file of acme_eab is needed only until there is one: then a missing file is a
 * warning. Reads the store, writes nothing.
 */
bool acme_store_check_accounts(const struct acme_settings *settings,
    acme_settings_warn warn, void *warn_ctx, struct acme_error *err);

/* ---- pending orders and plans, by certificate folder; ENOENT when absent */

bool acme_store_pending_read(struct acme_store *store, const char *folder,
    const char *file, struct acme_buffer *out, struct acme_error *err);
bool acme_store_pending_write(struct acme_store *store, const char *folder,
    const char *file, struct acme_bytes data, struct acme_error *err);
/* The folder goes with its last file. What is not there is fine. */
bool acme_store_pending_remove(struct acme_store *store, const char *folder,
    const char *file, struct acme_error *err);

/* `name` is the folder, "+rsa" behind it for a second pair. */
bool acme_store_plan_read(struct acme_store *store, const char *name,
    struct acme_buffer *out, struct acme_error *err);
bool acme_store_plan_write(struct acme_store *store, const char *name,
    struct acme_bytes json, struct acme_error *err);

/* limits.json; ENOENT when absent. */
bool acme_store_limits_read(struct acme_store *store, struct acme_buffer *out,
    struct acme_error *err);
bool acme_store_limits_write(struct acme_store *store, struct acme_bytes json,
    struct acme_error *err);

/*
 * ---- events, by numbers from 1 on, in the order in which they happened. The
 * folder is made with the first one.
 */
bool acme_store_event_write(struct acme_store *store, unsigned number,
    struct acme_bytes json, struct acme_error *err);
bool acme_store_event_read(struct acme_store *store, unsigned number,
    struct acme_buffer *json, struct acme_error *err);
/* One / all of them. What is not there is fine. */
bool acme_store_event_remove(struct acme_store *store, unsigned number,
    struct acme_error *err);
bool acme_store_events_remove(struct acme_store *store,
    struct acme_error *err);
/* Those that there are, ascending; free the numbers. */
bool acme_store_event_numbers(struct acme_store *store, unsigned **numbers,
    size_t *count, struct acme_error *err);

/* ---- generations */

/* A certificate's chain, its key, and where and when it came from. */
struct acme_pair {
    struct acme_bytes chain_pem, key_pem, meta_json;
};

/* How the files of a generation's first and second pair are called. */
struct acme_pair_files {
    const char *chain, *key, *meta;
};

extern const struct acme_pair_files acme_pair_files[ACME_KEYS_MAX];

/*
 * Write a whole generation of one or two pairs, flip live/<folder> to it,
 * record `entry` as what the folder is for (see assign.h), and prune: the
 * three newest stay, anything whose live flip is less than an hour before
 * `now`, and what was live when the server last loaded.
 *   number_out   the new generation: one more than the highest there is
 * After false live/ is as it was.
 */
bool acme_store_install(struct acme_store *store, const char *folder,
    struct acme_bytes entry, const struct acme_pair *pairs,
    size_t pair_count, int64_t now, unsigned *number_out,
    struct acme_error *err);

/* When the server last loaded what was live, unix seconds. */
void acme_store_note_load(struct acme_store *store, int64_t at);

/* Record `entry` as what the folder is for, before its first order. */
bool acme_store_entry_write(struct acme_store *store, const char *folder,
    struct acme_bytes entry, struct acme_error *err);

/*
 * ---- reading, also by a server process without a struct acme_store.
 *
 * Resolve live/<folder> once and open that generation. The link must have
 * the form ../certs/<folder>/<digits>. What is read there is in store/live.h.
 *   number_out  its number; UINT_MAX where the link says none, also after -1
 *   path_out    the generation's own absolute path
 * -1 with .sys = ENOENT when there is no certificate yet.
 */
int acme_store_live_open(const char *state_path, const char *folder,
    unsigned *number_out, char *path_out, size_t path_size,
    struct acme_error *err);

/*
 * Open the newest generation whose number is below *number, and make that its
 * number. -1 with .sys = ENOENT when there is none.
 */
int acme_store_older_open(const char *state_path, const char *folder,
    unsigned *number, char *path_out, size_t path_size,
    struct acme_error *err);

/*
 * Chain and key of an open generation's first (0) or second (1) pair. False
 * with .sys = ENOENT when it has no second one; a half of a pair is damage.
 */
bool acme_store_pair_read(int generation_fd, size_t index,
    struct acme_buffer *chain_pem, struct acme_buffer *key_pem,
    struct acme_error *err);

/* What is known of that pair; ENOENT when nothing is. */
bool acme_store_meta_read(int generation_fd, size_t index,
    struct acme_buffer *meta_json, struct acme_error *err);

/*
 * The folders of certs/, sorted, in one NULL-terminated block: free the block.
 * Without a store that can be read there are none. NULL when memory ends.
 */
char **acme_store_folders(const char *state_path);

/* certs/<folder>/entry; ENOENT when the folder is free. */
bool acme_store_entry_read(const char *state_path, const char *folder,
    struct acme_buffer *entry, struct acme_error *err);

#endif
