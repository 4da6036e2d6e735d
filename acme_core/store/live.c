/*
 * What is in service, by one look at the link. Older generations are opened
 * only when something is wrong with the one that it names.
 */

#include "store/live.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { OLDER_MAX = 16 };    /* generations looked at, to find a whole pair */

/* What an older pair is worth, better ones below. */
enum worth { WORTH_NOTHING, WORTH_WHOLE, WORTH_IN_DATE = 3, WORTH_MOST = 4 };

static void
pair_init(struct acme_live_pair *pair)
{
    pair->state = ACME_LIVE_ABSENT;
    pair->path[0] = '\0';
    pair->chain_pem = pair->key_pem = pair->meta_json =
        (struct acme_buffer) ACME_BUFFER(ACME_STORE_FILE_MAX);
}

static void
pair_free(struct acme_live_pair *pair)
{
    acme_buffer_free(&pair->chain_pem);
    acme_buffer_wipe(&pair->key_pem);
    acme_buffer_free(&pair->meta_json);
}

/* Of an open generation, into a pair that is empty; true: it is whole. */
static bool
read_pair(int generation_fd, size_t index, struct acme_live_pair *pair,
    struct acme_error *err)
{
    struct acme_error ignored;

    if (!acme_store_pair_read(generation_fd, index, &pair->chain_pem,
            &pair->key_pem, err)
        || !acme_pair_read(acme_buffer_bytes(&pair->chain_pem),
            acme_buffer_bytes(&pair->key_pem), &pair->facts, err)) {
        return false;
    }
    (void) acme_store_meta_read(generation_fd, index, &pair->meta_json,
        &ignored);
    pair->state = ACME_LIVE_WHOLE;
    return true;
}

/* The pairs of the generation that the link names. True: some are damaged. */
static bool
read_newest(int generation_fd, struct acme_live *live, const char *path)
{
    bool damaged = false;

    for (size_t i = 0; i < ACME_KEYS_MAX; i++) {
        struct acme_live_pair *pair = &live->pairs[i];

        if (read_pair(generation_fd, i, pair, &pair->damage)) {
            strcpy(pair->path, path);
        } else if (pair->damage.sys != ENOENT) {
            acme_while(&pair->damage, "%s/%s", path,
                acme_pair_files[i].chain);
            pair->state = ACME_LIVE_DAMAGED;
            damaged = true;
        }
    }
    return damaged;
}

/* ---- older ones */

static enum worth
worth_of(const struct acme_live_pair *pair,
    const struct acme_settings_cert *cert, int64_t now)
{
    enum worth worth = pair->facts.not_after > now ? WORTH_IN_DATE
                                                   : WORTH_WHOLE;
    struct acme_error ignored;
    struct acme_leaf leaf;
    const char *missing;

    if (acme_leaf_read(acme_buffer_bytes(&pair->chain_pem), &leaf, &ignored)) {
        worth += acme_leaf_covers(&leaf, (const char *const *) cert->names,
            cert->name_count, &missing);
        acme_leaf_free(&leaf);
    }
    return worth;
}

/* Two keys of a kind are of no use beside each other. */
static bool
is_of_another_kind(const struct acme_live *live, size_t index,
    const struct acme_live_pair *pair)
{
    for (size_t i = 0; i < ACME_KEYS_MAX; i++) {
        if (i != index && acme_live_is_whole(&live->pairs[i])
            && acme_key_is_rsa(live->pairs[i].facts.key_type)
                == acme_key_is_rsa(pair->facts.key_type)) {
            return false;
        }
    }
    return true;
}

/* Take the pair of an older generation when it is worth more than before. */
static void
consider(int generation_fd, const char *path, size_t index,
    const struct acme_settings_cert *cert, int64_t now,
    struct acme_live *live, enum worth *best)
{
    struct acme_live_pair *pair = &live->pairs[index];
    struct acme_live_pair older;
    struct acme_error ignored;
    enum worth worth;

    pair_init(&older);
    if (read_pair(generation_fd, index, &older, &ignored)
        && is_of_another_kind(live, index, &older)
        && (worth = worth_of(&older, cert, now)) > *best) {
        *best = worth;
        older.state = ACME_LIVE_OLDER;
        older.damage = pair->damage;
        strcpy(older.path, path);
        pair_free(pair);
        *pair = older;
        return;
    }
    pair_free(&older);
}

/*
 * For what is damaged, and for what is wanted and may have gone with it.
 *   number   of the generation that the link names
 */
static void
look_for_older(const char *state_path, const struct acme_settings_cert *cert,
    int64_t now, unsigned number, struct acme_live *live)
{
    enum worth best[ACME_KEYS_MAX];
    char path[PATH_MAX];
    struct acme_error ignored;
    bool sought = true;

    for (size_t i = 0; i < ACME_KEYS_MAX; i++) {
        struct acme_live_pair *pair = &live->pairs[i];

        best[i] = pair->state == ACME_LIVE_WHOLE
            || (pair->state == ACME_LIVE_ABSENT
                && i >= acme_settings_key_count(cert)) ? WORTH_MOST
                                                       : WORTH_NOTHING;
        if (pair->state == ACME_LIVE_ABSENT) {
            pair->damage = live->pairs[0].damage;  /* it went with that */
        }
    }
    for (size_t round = 0; sought && round < OLDER_MAX; round++) {
        int fd = acme_store_older_open(state_path, cert->folder, &number,
            path, sizeof(path), &ignored);

        if (fd < 0) {
            return;
        }
        sought = false;
        for (size_t i = 0; i < ACME_KEYS_MAX; i++) {
            if (best[i] < WORTH_MOST) {
                consider(fd, path, i, cert, now, live, &best[i]);
            }
            sought = sought || best[i] < WORTH_MOST;
        }
        close(fd);
    }
}

bool
acme_live_read(const char *state_path, const struct acme_settings_cert *cert,
    int64_t now, struct acme_live *live, struct acme_error *err)
{
    char path[PATH_MAX];
    unsigned number;
    bool damaged;
    int fd;

    for (size_t i = 0; i < ACME_KEYS_MAX; i++) {
        pair_init(&live->pairs[i]);
    }
    fd = acme_store_live_open(state_path, cert->folder, &number, path,
        sizeof(path), err);
    if (fd < 0 && err->sys == ENOENT) {
        return false;
    }
    if (fd < 0) {
        live->pairs[0].state = ACME_LIVE_DAMAGED;
        live->pairs[0].damage = *err;
        if (number != UINT_MAX) {
            acme_while(&live->pairs[0].damage, "%s/certs/%s/%u", state_path,
                cert->folder, number);
        }
        damaged = true;
    } else {
        damaged = read_newest(fd, live, path);
        close(fd);
    }
    if (damaged) {
        look_for_older(state_path, cert, now, number, live);
    }
    return true;
}

void
acme_live_free(struct acme_live *live)
{
    for (size_t i = 0; i < ACME_KEYS_MAX; i++) {
        pair_free(&live->pairs[i]);
    }
}
