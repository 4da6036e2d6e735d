/*
 * The shared page. Writers are rare and alone; readers are many and never
 * wait: each slot carries a sequence number that is odd while it changes.
 */

#include "page/page.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/base64url.h"

#define MAGIC "acme-page 1"

enum {
    PROBE = 32,
    TRIES = 64,          /* of a reader, before it gives up on a slot */
    HEADER_BYTES = 4096,
    SLOT_BYTES = 512
};

struct header {
    char magic[16];
    uint32_t slots;
    uint32_t slot_bytes;
    uint64_t seed;              /* of the hash, so that no CA can aim */
    _Atomic uint32_t count;
};

/* Everything but .sequence is only read between two equal, even sequences. */
struct slot {
    _Atomic uint32_t sequence;
    uint16_t token_len;         /* 0: free */
    uint16_t key_auth_len;
    char token[ACME_TOKEN_MAX];
    char key_auth[ACME_KEY_AUTH_MAX + 1];
};

_Static_assert(sizeof(struct header) <= HEADER_BYTES, "header fits");
_Static_assert(sizeof(struct slot) <= SLOT_BYTES, "slot fits");

struct acme_page {
    uint8_t *at;
    size_t size;
    int fd;                     /* writer: a duplicate, for fallocate; or -1 */
};

static size_t
page_size(void)
{
    return HEADER_BYTES + (size_t) ACME_PAGE_SLOTS * SLOT_BYTES;
}

static struct header *
header_of(const struct acme_page *page)
{
    return (struct header *) page->at;
}

static struct slot *
slot_at(const struct acme_page *page, size_t index)
{
    return (struct slot *) (page->at + HEADER_BYTES
        + index % ACME_PAGE_SLOTS * SLOT_BYTES);
}

/* ---- making and mapping */

static bool
write_header(int fd, struct acme_error *err)
{
    struct header header = { .magic = MAGIC, .slots = ACME_PAGE_SLOTS,
        .slot_bytes = SLOT_BYTES };

    if (getrandom(&header.seed, sizeof(header.seed), 0)
        != sizeof(header.seed)) {
        return acme_fail_sys(err, "getrandom");
    }
    return pwrite(fd, &header, sizeof(header), 0) == sizeof(header)
        || acme_fail_sys(err, "writing the shared page");
}

bool
acme_page_make(int *fd_out, struct acme_error *err)
{
    int fd = memfd_create("acme-page", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0) {
        return acme_fail_sys(err, "memfd_create");
    }
    /* a memfd's mode is 0777: anybody could open it anew for writing */
    if (fchmod(fd, 0600) != 0 || ftruncate(fd, (off_t) page_size()) != 0) {
        acme_fail_sys(err, "making the shared page");
        goto failed;
    }
    if (!write_header(fd, err)) {
        goto failed;
    }
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0) {
        acme_fail_sys(err, "sealing the shared page");
        goto failed;
    }
    *fd_out = fd;
    return true;

failed:
    close(fd);
    return false;
}

/* Without the seal its owner could shrink it under us: SIGBUS. */
static bool
check_file(int fd, struct acme_error *err)
{
    struct stat info;
    int seals = fcntl(fd, F_GET_SEALS);

    if (fstat(fd, &info) != 0) {
        return acme_fail_sys(err, "the shared page");
    }
    if (info.st_size != (off_t) page_size() || seals < 0
        || (seals & F_SEAL_SHRINK) == 0) {
        return acme_fail(err, ACME_PEER_BROKE, "not a shared page");
    }
    return true;
}

static struct acme_page *
map(int fd, int protection, struct acme_error *err)
{
    struct acme_page *page = calloc(1, sizeof(*page));
    const struct header *header;

    if (page == NULL) {
        acme_fail_memory(err);
        return NULL;
    }
    page->fd = -1;
    page->size = page_size();
    page->at = mmap(NULL, page->size, protection, MAP_SHARED, fd, 0);
    if (page->at == MAP_FAILED) {
        free(page);
        acme_fail_sys(err, "mapping the shared page");
        return NULL;
    }
    header = header_of(page);
    if (memcmp(header->magic, MAGIC, sizeof(MAGIC)) != 0
        || header->slots != ACME_PAGE_SLOTS
        || header->slot_bytes != SLOT_BYTES) {
        acme_page_unmap(page);
        acme_fail(err, ACME_PEER_BROKE,
            "the shared page is of another version");
        return NULL;
    }
    madvise(page->at, page->size, MADV_DONTDUMP);
    return page;
}

struct acme_page *
acme_page_map(int fd, struct acme_error *err)
{
    struct acme_page *page = NULL;
    char path[32];
    int reader;

    if (!check_file(fd, err)) {
        return NULL;
    }
    /* a mapping of a read-write description could be made writable again */
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    reader = open(path, O_RDONLY | O_CLOEXEC);
    if (reader < 0) {
        acme_fail_sys(err, "opening the shared page for reading");
        return NULL;
    }
    page = map(reader, PROT_READ, err);
    close(reader);
    return page;
}

/* A writer that died inside a slot left it odd; its content is unknown. */
static void
repair(struct acme_page *page)
{
    uint32_t count = 0;

    for (size_t i = 0; i < ACME_PAGE_SLOTS; i++) {
        struct slot *slot = slot_at(page, i);
        uint32_t sequence = atomic_load(&slot->sequence);

        if (sequence % 2 != 0) {
            slot->token_len = 0;
            atomic_store(&slot->sequence, sequence + 1);
        }
        count += slot->token_len != 0;
    }
    atomic_store(&header_of(page)->count, count);
}

struct acme_page *
acme_page_map_writer(int fd, struct acme_error *err)
{
    struct acme_page *page;

    if (!check_file(fd, err)) {
        return NULL;
    }
    page = map(fd, PROT_READ | PROT_WRITE, err);
    if (page == NULL) {
        return NULL;
    }
    page->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (page->fd < 0) {
        acme_fail_sys(err, "the shared page");
        acme_page_unmap(page);
        return NULL;
    }
    repair(page);
    return page;
}

void
acme_page_unmap(struct acme_page *page)
{
    if (page == NULL) {
        return;
    }
    munmap(page->at, page->size);
    if (page->fd >= 0) {
        close(page->fd);
    }
    free(page);
}

/* ---- looking up */

/* FNV-1a with a seed. */
static size_t
hash(const struct acme_page *page, struct acme_bytes token)
{
    uint64_t h = 0xcbf29ce484222325 ^ header_of(page)->seed;

    for (size_t i = 0; i < token.len; i++) {
        h = (h ^ token.at[i]) * 0x100000001b3;
    }
    return (size_t) (h ^ h >> 32);
}

/* A consistent copy of a slot; false when a writer keeps being in it. */
static bool
copy_slot(struct slot *slot, struct slot *copy)
{
    for (int i = 0; i < TRIES; i++) {
        uint32_t before = atomic_load_explicit(&slot->sequence,
            memory_order_acquire);

        if (before % 2 != 0) {
            continue;
        }
        memcpy((char *) copy + sizeof(copy->sequence),
            (char *) slot + sizeof(slot->sequence),
            sizeof(*slot) - sizeof(slot->sequence));
        atomic_thread_fence(memory_order_acquire);
        if (atomic_load_explicit(&slot->sequence, memory_order_relaxed)
            == before) {
            return true;
        }
    }
    return false;
}

static bool
holds(const struct slot *slot, struct acme_bytes token)
{
    return slot->token_len == token.len && token.len <= ACME_TOKEN_MAX
        && memcmp(slot->token, token.at, token.len) == 0;
}

bool
acme_page_has_proofs(const struct acme_page *page)
{
    return page != NULL && atomic_load_explicit(&header_of(page)->count,
        memory_order_relaxed) != 0;
}

bool
acme_page_find(const struct acme_page *page, struct acme_bytes token,
    char *key_auth, size_t *len_out)
{
    struct slot copy;
    size_t at;

    if (!acme_page_has_proofs(page) || !acme_is_token(token, ACME_TOKEN_MAX)) {
        return false;
    }
    at = hash(page, token);
    for (size_t i = 0; i < PROBE; i++) {
        if (copy_slot(slot_at(page, at + i), &copy) && holds(&copy, token)
            && copy.key_auth_len <= ACME_KEY_AUTH_MAX) {
            memcpy(key_auth, copy.key_auth, copy.key_auth_len);
            key_auth[copy.key_auth_len] = '\0';
            *len_out = copy.key_auth_len;
            return true;
        }
    }
    return false;
}

/* ---- writing */

static void
fill(struct slot *slot, struct acme_bytes token, struct acme_bytes key_auth)
{
    uint32_t sequence = atomic_load_explicit(&slot->sequence,
        memory_order_relaxed);

    atomic_store_explicit(&slot->sequence, sequence + 1,
        memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    slot->token_len = (uint16_t) token.len;
    slot->key_auth_len = (uint16_t) key_auth.len;
    memset(slot->token, 0, sizeof(slot->token));
    memset(slot->key_auth, 0, sizeof(slot->key_auth));
    if (token.len > 0) {
        memcpy(slot->token, token.at, token.len);
        memcpy(slot->key_auth, key_auth.at, key_auth.len);
    }
    atomic_store_explicit(&slot->sequence, sequence + 2,
        memory_order_release);
}

static bool
is_printable(struct acme_bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] <= 0x20 || text.at[i] >= 0x7f) {
            return false;
        }
    }
    return text.len > 0 && text.len <= ACME_KEY_AUTH_MAX;
}

/* The slot of the token, else the first free one, else NULL. */
static struct slot *
find_slot(struct acme_page *page, struct acme_bytes token)
{
    struct slot *free_slot = NULL;
    size_t at = hash(page, token);

    for (size_t i = 0; i < PROBE; i++) {
        struct slot *slot = slot_at(page, at + i);

        if (holds(slot, token)) {
            return slot;
        }
        if (slot->token_len == 0 && free_slot == NULL) {
            free_slot = slot;
        }
    }
    return free_slot;
}

bool
acme_page_publish(struct acme_page *page, struct acme_bytes token,
    struct acme_bytes key_auth, struct acme_error *err)
{
    struct slot *slot;
    bool is_new;

    if (!acme_is_token(token, ACME_TOKEN_MAX) || !is_printable(key_auth)) {
        return acme_fail(err, ACME_LOCAL, "a malformed token");
    }
    slot = find_slot(page, token);
    if (slot == NULL) {
        return acme_fail(err, ACME_LOCAL,
            "too many challenges at once for the shared page");
    }
    if (fallocate(page->fd, 0, (uint8_t *) slot - page->at, SLOT_BYTES) != 0
        && errno != EOPNOTSUPP) {
        return acme_fail_sys(err, "memory for the shared page");
    }
    is_new = slot->token_len == 0;
    fill(slot, token, key_auth);
    if (is_new) {
        atomic_fetch_add(&header_of(page)->count, 1);
    }
    return true;
}

void
acme_page_withdraw(struct acme_page *page, struct acme_bytes token)
{
    struct acme_bytes none = { 0 };
    struct slot *slot;

    if (!acme_is_token(token, ACME_TOKEN_MAX)) {
        return;
    }
    slot = find_slot(page, token);
    if (slot != NULL && slot->token_len != 0) {
        fill(slot, none, none);
        atomic_fetch_sub(&header_of(page)->count, 1);
    }
}

void
acme_page_sweep(struct acme_page *page,
    bool (*wanted)(void *ctx, struct acme_bytes token), void *ctx)
{
    struct acme_bytes none = { 0 };

    for (size_t i = 0; i < ACME_PAGE_SLOTS; i++) {
        struct slot *slot = slot_at(page, i);
        struct acme_bytes token = { (uint8_t *) slot->token,
            slot->token_len };

        if (token.len == 0) {
            continue;
        }
        if (token.len > ACME_TOKEN_MAX || !wanted(ctx, token)) {
            fill(slot, none, none);
            atomic_fetch_sub(&header_of(page)->count, 1);
        }
    }
}
