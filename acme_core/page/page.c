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

#define MAGIC "acme-page 2"

enum {
    PROBE = 32,
    TRIES = 64,          /* of a reader, before it gives up on a slot */
    HEADER_BYTES = 4096,
    TOKEN_SLOT_BYTES = 512,
    NAME_SLOT_BYTES = 1536,
    SLOT_BYTES_MAX = NAME_SLOT_BYTES
};

/* Both map names to values; each has its own place on the page. */
enum which { TOKENS, NAMES, TABLES };

struct table {
    size_t offset;
    uint32_t slots;
    uint32_t slot_bytes;
    size_t name_max;
    size_t value_max;
};

struct header {
    char magic[16];
    uint32_t slots;             /* of the tokens; the magic tells the rest */
    uint32_t slot_bytes;
    uint64_t seed;              /* of the hash, so that no CA can aim */
    _Atomic uint32_t count[TABLES];
};

/* Everything but .sequence is only read between two equal, even sequences. */
struct slot {
    _Atomic uint32_t sequence;
    uint16_t name_len;          /* 0: free */
    uint16_t value_len;
    uint8_t bytes[];            /* the name in name_max of them, the value */
};

/* What a server name maps to: token, certificate and key, one after another. */
struct alpn_lengths {
    uint16_t token, cert, key;
};

enum {
    ALPN_VALUE_MAX = sizeof(struct alpn_lengths) + ACME_TOKEN_MAX
        + ACME_PAGE_CERT_MAX + ACME_PAGE_KEY_MAX
};

_Static_assert(sizeof(struct header) <= HEADER_BYTES, "header fits");
_Static_assert(sizeof(struct slot) + ACME_TOKEN_MAX + ACME_KEY_AUTH_MAX
    <= TOKEN_SLOT_BYTES, "slot fits");
_Static_assert(sizeof(struct slot) + ACME_SERVER_NAME_MAX + ALPN_VALUE_MAX
    <= NAME_SLOT_BYTES, "slot fits");

static const struct table tables[TABLES] = {
    [TOKENS] = { HEADER_BYTES, ACME_PAGE_SLOTS, TOKEN_SLOT_BYTES,
        ACME_TOKEN_MAX, ACME_KEY_AUTH_MAX },
    [NAMES] = { HEADER_BYTES + ACME_PAGE_SLOTS * TOKEN_SLOT_BYTES,
        ACME_PAGE_NAME_SLOTS, NAME_SLOT_BYTES, ACME_SERVER_NAME_MAX,
        ALPN_VALUE_MAX },
};

struct acme_page {
    uint8_t *at;
    size_t size;
    int fd;                     /* writer: a duplicate, for fallocate; or -1 */
};

static size_t
page_size(void)
{
    const struct table *last = &tables[TABLES - 1];

    return last->offset + (size_t) last->slots * last->slot_bytes;
}

static struct header *
header_of(const struct acme_page *page)
{
    return (struct header *) page->at;
}

static struct slot *
slot_at(const struct acme_page *page, enum which which, size_t index)
{
    const struct table *table = &tables[which];

    return (struct slot *) (page->at + table->offset
        + index % table->slots * table->slot_bytes);
}

static struct acme_bytes
name_in(const struct slot *slot)
{
    return (struct acme_bytes) { slot->bytes, slot->name_len };
}

/* False when its lengths cannot be: then it was never written whole. */
static bool
value_in(const struct slot *slot, enum which which, struct acme_bytes *value)
{
    const struct table *table = &tables[which];

    *value = (struct acme_bytes) { slot->bytes + table->name_max,
        slot->value_len };
    return value->len <= table->value_max;
}

/* ---- making and mapping */

static bool
write_header(int fd, struct acme_error *err)
{
    struct header header = { .magic = MAGIC, .slots = ACME_PAGE_SLOTS,
        .slot_bytes = TOKEN_SLOT_BYTES };

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
        || header->slot_bytes != TOKEN_SLOT_BYTES) {
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

/*
 * The first slot from `index` on that may be used, or NULL. Those that never
 * were have no memory, and reading them would give them some.
 */
static struct slot *
next_slot(const struct acme_page *page, enum which which, size_t *index)
{
    const struct table *table = &tables[which];
    off_t at = (off_t) (table->offset + *index * table->slot_bytes);
    off_t used;

    if (*index >= table->slots) {
        return NULL;
    }
    used = lseek(page->fd, at, SEEK_DATA);
    if (used < 0 && errno == ENXIO) {
        return NULL;
    }
    if (used > at) {
        *index += (size_t) (used - at) / table->slot_bytes;
    }
    return *index < table->slots ? slot_at(page, which, *index) : NULL;
}

/* A writer that died inside a slot left it odd; its content is unknown. */
static void
repair(struct acme_page *page, enum which which)
{
    uint32_t count = 0;
    struct slot *slot;

    for (size_t i = 0; (slot = next_slot(page, which, &i)) != NULL; i++) {
        uint32_t sequence = atomic_load(&slot->sequence);

        if (sequence % 2 != 0) {
            slot->name_len = 0;
            atomic_store(&slot->sequence, sequence + 1);
        }
        count += slot->name_len != 0;
    }
    atomic_store(&header_of(page)->count[which], count);
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
    repair(page, TOKENS);
    repair(page, NAMES);
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
hash(const struct acme_page *page, struct acme_bytes name)
{
    uint64_t h = 0xcbf29ce484222325 ^ header_of(page)->seed;

    for (size_t i = 0; i < name.len; i++) {
        h = (h ^ name.at[i]) * 0x100000001b3;
    }
    return (size_t) (h ^ h >> 32);
}

/* A consistent copy of a slot; false when a writer keeps being in it. */
static bool
copy_slot(struct slot *slot, struct slot *copy, size_t size)
{
    for (int i = 0; i < TRIES; i++) {
        uint32_t before = atomic_load_explicit(&slot->sequence,
            memory_order_acquire);

        if (before % 2 != 0) {
            continue;
        }
        memcpy((char *) copy + sizeof(copy->sequence),
            (char *) slot + sizeof(slot->sequence),
            size - sizeof(slot->sequence));
        atomic_thread_fence(memory_order_acquire);
        if (atomic_load_explicit(&slot->sequence, memory_order_relaxed)
            == before) {
            return true;
        }
    }
    return false;
}

static bool
has(const struct acme_page *page, enum which which)
{
    return page != NULL && atomic_load_explicit(
        &header_of(page)->count[which], memory_order_relaxed) != 0;
}

bool
acme_page_has_proofs(const struct acme_page *page)
{
    return has(page, TOKENS);
}

bool
acme_page_has_alpn(const struct acme_page *page)
{
    return has(page, NAMES);
}

/* A reader's copy of a slot, and the value in it. */
struct found {
    struct acme_bytes value;
    union {
        uint8_t room[SLOT_BYTES_MAX];
        struct slot slot;
    } copy;
};

static bool
find(const struct acme_page *page, enum which which, struct acme_bytes name,
    struct found *found)
{
    struct slot *copy = &found->copy.slot;
    size_t at = hash(page, name);

    for (size_t i = 0; i < PROBE; i++) {
        if (copy_slot(slot_at(page, which, at + i), copy,
                tables[which].slot_bytes)
            && acme_bytes_equal(name_in(copy), name)
            && value_in(copy, which, &found->value)) {
            return true;
        }
    }
    return false;
}

bool
acme_page_find(const struct acme_page *page, struct acme_bytes token,
    char *key_auth, size_t *len_out)
{
    struct found found;

    if (!acme_page_has_proofs(page) || !acme_is_token(token, ACME_TOKEN_MAX)
        || !find(page, TOKENS, token, &found)) {
        return false;
    }
    memcpy(key_auth, found.value.at, found.value.len);
    key_auth[found.value.len] = '\0';
    *len_out = found.value.len;
    return true;
}

static bool
is_name(struct acme_bytes name)
{
    return name.len > 0 && name.len <= ACME_SERVER_NAME_MAX;
}

/* What a server name maps to, in parts; false for what was not written so. */
static bool
split(struct acme_bytes value, struct alpn_lengths *lengths,
    const uint8_t **parts)
{
    if (value.len < sizeof(*lengths)) {
        return false;
    }
    memcpy(lengths, value.at, sizeof(*lengths));
    *parts = value.at + sizeof(*lengths);
    return lengths->token <= ACME_TOKEN_MAX
        && lengths->cert <= ACME_PAGE_CERT_MAX
        && lengths->key <= ACME_PAGE_KEY_MAX
        && value.len == sizeof(*lengths) + lengths->token + lengths->cert
            + lengths->key;
}

bool
acme_page_find_alpn(const struct acme_page *page, struct acme_bytes name,
    struct acme_page_alpn *out)
{
    struct alpn_lengths lengths;
    const uint8_t *parts;
    struct found found;

    if (!acme_page_has_alpn(page) || !is_name(name)
        || !find(page, NAMES, name, &found)
        || !split(found.value, &lengths, &parts)) {
        return false;
    }
    out->cert_len = lengths.cert;
    out->key_len = lengths.key;
    memcpy(out->cert, parts + lengths.token, lengths.cert);
    memcpy(out->key, parts + lengths.token + lengths.cert, lengths.key);
    return true;
}

/* ---- writing */

static void
fill(struct slot *slot, enum which which, struct acme_bytes name,
    struct acme_bytes value)
{
    const struct table *table = &tables[which];
    uint32_t sequence = atomic_load_explicit(&slot->sequence,
        memory_order_relaxed);

    atomic_store_explicit(&slot->sequence, sequence + 1,
        memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    slot->name_len = (uint16_t) name.len;
    slot->value_len = (uint16_t) value.len;
    memset(slot->bytes, 0, table->slot_bytes - sizeof(*slot));
    if (name.len > 0) {
        memcpy(slot->bytes, name.at, name.len);
        memcpy(slot->bytes + table->name_max, value.at, value.len);
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

/* The slot of the name, else the first free one, else NULL. */
static struct slot *
find_slot(struct acme_page *page, enum which which, struct acme_bytes name)
{
    struct slot *free_slot = NULL;
    size_t at = hash(page, name);

    for (size_t i = 0; i < PROBE; i++) {
        struct slot *slot = slot_at(page, which, at + i);

        if (acme_bytes_equal(name_in(slot), name)) {
            return slot;
        }
        if (slot->name_len == 0 && free_slot == NULL) {
            free_slot = slot;
        }
    }
    return free_slot;
}

static bool
put(struct acme_page *page, enum which which, struct acme_bytes name,
    struct acme_bytes value, struct acme_error *err)
{
    struct slot *slot = find_slot(page, which, name);
    bool is_new;

    if (slot == NULL) {
        return acme_fail(err, ACME_LOCAL,
            "too many challenges at once for the shared page");
    }
    if (fallocate(page->fd, 0, (uint8_t *) slot - page->at,
            tables[which].slot_bytes) != 0 && errno != EOPNOTSUPP) {
        return acme_fail_sys(err, "memory for the shared page");
    }
    is_new = slot->name_len == 0;
    fill(slot, which, name, value);
    if (is_new) {
        atomic_fetch_add(&header_of(page)->count[which], 1);
    }
    return true;
}

static void
take_back(struct acme_page *page, enum which which, struct slot *slot)
{
    struct acme_bytes none = { 0 };

    fill(slot, which, none, none);
    atomic_fetch_sub(&header_of(page)->count[which], 1);
}

bool
acme_page_publish(struct acme_page *page, struct acme_bytes token,
    struct acme_bytes key_auth, struct acme_error *err)
{
    if (!acme_is_token(token, ACME_TOKEN_MAX) || !is_printable(key_auth)) {
        return acme_fail(err, ACME_LOCAL, "a malformed token");
    }
    return put(page, TOKENS, token, key_auth, err);
}

void
acme_page_withdraw(struct acme_page *page, struct acme_bytes token)
{
    struct slot *slot;

    if (!acme_is_token(token, ACME_TOKEN_MAX)) {
        return;
    }
    slot = find_slot(page, TOKENS, token);
    if (slot != NULL && slot->name_len != 0) {
        take_back(page, TOKENS, slot);
    }
}

static void
add(uint8_t *value, size_t *len, const void *bytes, size_t count)
{
    memcpy(value + *len, bytes, count);
    *len += count;
}

bool
acme_page_publish_alpn(struct acme_page *page, struct acme_bytes name,
    struct acme_bytes token, const struct acme_page_alpn *alpn,
    struct acme_error *err)
{
    struct alpn_lengths lengths = { (uint16_t) token.len,
        (uint16_t) alpn->cert_len, (uint16_t) alpn->key_len };
    uint8_t value[ALPN_VALUE_MAX];
    size_t len = 0;

    if (!is_name(name) || !acme_is_token(token, ACME_TOKEN_MAX)
        || alpn->cert_len == 0 || alpn->cert_len > ACME_PAGE_CERT_MAX
        || alpn->key_len == 0 || alpn->key_len > ACME_PAGE_KEY_MAX) {
        return acme_fail(err, ACME_LOCAL, "a malformed challenge");
    }
    add(value, &len, &lengths, sizeof(lengths));
    add(value, &len, token.at, token.len);
    add(value, &len, alpn->cert, alpn->cert_len);
    add(value, &len, alpn->key, alpn->key_len);
    return put(page, NAMES, name, (struct acme_bytes) { value, len }, err);
}

/* The token of an entry; empty for what has none. */
static struct acme_bytes
owner_of(const struct slot *slot, enum which which)
{
    struct acme_bytes none = { 0 }, value;
    struct alpn_lengths lengths;
    const uint8_t *parts;

    if (slot->name_len > tables[which].name_max) {
        return none;
    }
    if (which == TOKENS) {
        return name_in(slot);
    }
    return value_in(slot, which, &value) && split(value, &lengths, &parts)
        ? (struct acme_bytes) { parts, lengths.token } : none;
}

void
acme_page_withdraw_alpn(struct acme_page *page, struct acme_bytes name,
    struct acme_bytes token)
{
    struct slot *slot = is_name(name) ? find_slot(page, NAMES, name) : NULL;

    if (slot != NULL && slot->name_len != 0
        && acme_bytes_equal(owner_of(slot, NAMES), token)) {
        take_back(page, NAMES, slot);
    }
}

void
acme_page_sweep(struct acme_page *page,
    bool (*wanted)(void *ctx, struct acme_bytes token), void *ctx)
{
    struct slot *slot;

    for (enum which which = TOKENS; which < TABLES; which++) {
        for (size_t i = 0; (slot = next_slot(page, which, &i)) != NULL; i++) {
            struct acme_bytes token = owner_of(slot, which);

            if (slot->name_len != 0
                && (token.len == 0 || !wanted(ctx, token))) {
                take_back(page, which, slot);
            }
        }
    }
}
