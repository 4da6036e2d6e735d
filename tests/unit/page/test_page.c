/* The shared page: one writer that may die, many readers that never wait. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "page/page.h"

enum {
    HEADER_BYTES = 4096,
    SLOT_BYTES = 512,
    NAME_SLOT_BYTES = 1536,
    PAGE_BYTES = HEADER_BYTES + ACME_PAGE_SLOTS * SLOT_BYTES
        + ACME_PAGE_NAME_SLOTS * NAME_SLOT_BYTES,
    NOBODY = 65534
};

struct scene {
    int fd;
    struct acme_page *writer;
    struct acme_page *reader;
};

static int
setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    struct acme_error err;

    assert_true(acme_page_make(&scene->fd, &err));
    scene->writer = acme_page_map_writer(scene->fd, &err);
    scene->reader = acme_page_map(scene->fd, &err);
    assert_non_null(scene->writer);
    assert_non_null(scene->reader);
    *state = scene;
    return 0;
}

static int
teardown(void **state)
{
    struct scene *scene = *state;

    acme_page_unmap(scene->writer);
    acme_page_unmap(scene->reader);
    close(scene->fd);
    free(scene);
    return 0;
}

static bool
publish(struct scene *scene, const char *token, const char *text)
{
    struct acme_error err;

    return acme_page_publish(scene->writer, acme_bytes_of(token),
        acme_bytes_of(text), &err);
}

/* The reader's value of a token, or NULL. */
static const char *
find(const struct scene *scene, const char *token)
{
    static char text[ACME_KEY_AUTH_MAX + 1];
    size_t len = 77;

    if (!acme_page_find(scene->reader, acme_bytes_of(token), text, &len)) {
        return NULL;
    }
    assert_int_equal(len, strlen(text));
    return text;
}

static bool
exited_well(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* ---- tokens come and go */

static void
what_is_published_is_found_until_it_is_withdrawn(void **state)
{
    struct scene *scene = *state;

    assert_false(acme_page_has_proofs(scene->reader));
    assert_null(find(scene, "one"));
    assert_true(publish(scene, "one", "one.print"));
    assert_true(acme_page_has_proofs(scene->reader));
    assert_string_equal(find(scene, "one"), "one.print");
    assert_null(find(scene, "on"));
    assert_null(find(scene, "one1"));
    acme_page_withdraw(scene->writer, acme_bytes_of("other"));
    assert_string_equal(find(scene, "one"), "one.print");
    acme_page_withdraw(scene->writer, acme_bytes_of("one"));
    assert_null(find(scene, "one"));
    assert_false(acme_page_has_proofs(scene->reader));
    acme_page_withdraw(scene->writer, acme_bytes_of("one"));
    assert_false(acme_page_has_proofs(scene->reader));
}

static void
publishing_again_replaces(void **state)
{
    struct scene *scene = *state;

    assert_true(publish(scene, "one", "a-long-value-that-goes"));
    assert_true(publish(scene, "one", "b"));
    assert_string_equal(find(scene, "one"), "b");
    acme_page_withdraw(scene->writer, acme_bytes_of("one"));
    assert_false(acme_page_has_proofs(scene->reader));
}

static void
there_is_nothing_on_no_page(void **state)
{
    char text[ACME_KEY_AUTH_MAX + 1];
    size_t len;

    (void) state;
    assert_false(acme_page_has_proofs(NULL));
    assert_false(acme_page_find(NULL, acme_bytes_of("t"), text, &len));
    acme_page_unmap(NULL);
}

static const struct {
    const char *what;
    const char *token;
    const char *text;
} malformed[] = {
    { "empty token", "", "x" },
    { "path", "../etc/passwd", "x" },
    { "slash", "a/b", "x" },
    { "padding", "YQ==", "x" },
    { "not ASCII", "\xc3\xa4", "x" },
    { "empty text", "t", "" },
    { "space", "t", "a b" },
    { "header", "t", "a\r\nX: y" },
    { "control byte", "t", "a\x01" },
    { "DEL", "t", "a\x7f" },
};

static void
malformed_tokens_are_refused(void **state)
{
    struct scene *scene = *state;
    struct acme_bytes with_nul = { (const uint8_t *) "a\0b", 3 };
    struct acme_error err;

    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        if (publish(scene, malformed[i].token, malformed[i].text)) {
            fail_msg("%s was taken", malformed[i].what);
        }
        acme_page_withdraw(scene->writer, acme_bytes_of(malformed[i].token));
    }
    assert_false(acme_page_publish(scene->writer, with_nul,
        acme_bytes_of("x"), &err));
    assert_false(acme_page_publish(scene->writer, acme_bytes_of("t"),
        with_nul, &err));
    assert_false(acme_page_has_proofs(scene->reader));
}

static void
lengths_are_bounded(void **state)
{
    struct scene *scene = *state;
    char token[ACME_TOKEN_MAX + 2], text[ACME_KEY_AUTH_MAX + 2];

    memset(token, 't', sizeof(token));
    memset(text, 'k', sizeof(text));
    token[ACME_TOKEN_MAX + 1] = text[ACME_KEY_AUTH_MAX + 1] = '\0';
    assert_false(publish(scene, token, "x"));
    assert_false(publish(scene, "t", text));
    token[ACME_TOKEN_MAX] = text[ACME_KEY_AUTH_MAX] = '\0';
    assert_true(publish(scene, token, text));
    assert_string_equal(find(scene, token), text);
}

/* ---- many */

static void
hundreds_of_tokens_are_all_found(void **state)
{
    struct scene *scene = *state;
    char token[32], text[32];

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 800; i++) {
            snprintf(token, sizeof(token), "token-%d", i);
            snprintf(text, sizeof(text), "token-%d.%d", i, round);
            assert_true(publish(scene, token, text));
        }
        for (int i = 0; i < 800; i++) {
            snprintf(token, sizeof(token), "token-%d", i);
            snprintf(text, sizeof(text), "token-%d.%d", i, round);
            assert_string_equal(find(scene, token), text);
        }
        for (int i = round; i < 800; i += 3) {
            snprintf(token, sizeof(token), "token-%d", i);
            acme_page_withdraw(scene->writer, acme_bytes_of(token));
            assert_null(find(scene, token));
        }
    }
}

/* Publish until one is refused; returns how many were taken. */
static int
fill_page(struct scene *scene)
{
    char token[32];

    for (int i = 0; i < 10 * ACME_PAGE_SLOTS; i++) {
        snprintf(token, sizeof(token), "fill-%d", i);
        if (!publish(scene, token, token)) {
            return i;
        }
    }
    fail_msg("the page has no end");
    return 0;
}

static void
a_crowded_page_refuses_and_loses_nothing(void **state)
{
    struct scene *scene = *state;
    int count = fill_page(scene);
    struct acme_error err;
    char token[32];

    assert_true(count > ACME_PAGE_SLOTS / 4);
    for (int i = 0; i < count; i++) {
        snprintf(token, sizeof(token), "fill-%d", i);
        assert_string_equal(find(scene, token), token);
    }
    snprintf(token, sizeof(token), "fill-%d", count);
    assert_null(find(scene, token));
    assert_false(acme_page_publish(scene->writer, acme_bytes_of(token),
        acme_bytes_of("x"), &err));
    assert_int_equal(err.verdict, ACME_LOCAL);
    assert_non_null(strstr(err.text, "too many challenges"));
    /* one that is there already can be replaced all the same */
    assert_true(publish(scene, "fill-0", "new"));
    assert_string_equal(find(scene, "fill-0"), "new");
}

/* In slots that others pass over, a token stays findable when they go. */
static void
tokens_that_collide_survive_each_others_end(void **state)
{
    struct scene *scene = *state;
    int count = fill_page(scene);
    char token[32];

    for (int i = 0; i < count; i += 2) {
        snprintf(token, sizeof(token), "fill-%d", i);
        acme_page_withdraw(scene->writer, acme_bytes_of(token));
    }
    for (int i = 1; i < count; i += 2) {
        snprintf(token, sizeof(token), "fill-%d", i);
        assert_string_equal(find(scene, token), token);
        /* in place, not a second time in a slot that became free */
        assert_true(publish(scene, token, "again"));
        acme_page_withdraw(scene->writer, acme_bytes_of(token));
        assert_null(find(scene, token));
    }
    assert_false(acme_page_has_proofs(scene->reader));
}

static bool
is_odd(void *ctx, struct acme_bytes token)
{
    ++*(int *) ctx;
    return token.at[token.len - 1] % 2 != 0;
}

static void
a_sweep_takes_what_is_not_wanted(void **state)
{
    struct scene *scene = *state;
    char token[32];
    int asked = 0;

    for (int i = 0; i < 100; i++) {
        snprintf(token, sizeof(token), "token-%d", i);
        assert_true(publish(scene, token, token));
    }
    acme_page_sweep(scene->writer, is_odd, &asked);
    assert_int_equal(asked, 100);
    for (int i = 0; i < 100; i++) {
        snprintf(token, sizeof(token), "token-%d", i);
        assert_int_equal(find(scene, token) != NULL, i % 2);
    }
    acme_page_sweep(scene->writer, is_odd, &asked);
    assert_int_equal(asked, 150);
    assert_true(acme_page_has_proofs(scene->reader));
}

/* ---- writers that die, readers beside a writer */

/* The sequence number of the first used slot, found as a writer's heir. */
static volatile uint32_t *
sequence_of_used_slot(uint8_t *map)
{
    for (size_t i = 0; i < ACME_PAGE_SLOTS; i++) {
        uint8_t *slot = map + HEADER_BYTES + i * SLOT_BYTES;

        if (slot[4] != 0 || slot[5] != 0) {
            return (volatile uint32_t *) slot;
        }
    }
    fail_msg("no slot is used");
    return NULL;
}

static void
a_slot_left_half_written_is_unknown_then_repaired(void **state)
{
    struct scene *scene = *state;
    volatile uint32_t *sequence;
    struct acme_error err;
    uint8_t *map;

    assert_true(publish(scene, "half", "half.print"));
    map = mmap(NULL, PAGE_BYTES,
        PROT_READ | PROT_WRITE, MAP_SHARED, scene->fd, 0);
    assert_true(map != MAP_FAILED);
    sequence = sequence_of_used_slot(map);
    assert_int_equal(*sequence % 2, 0);
    ++*sequence;

    assert_null(find(scene, "half"));
    acme_page_unmap(scene->writer);
    scene->writer = acme_page_map_writer(scene->fd, &err);
    assert_non_null(scene->writer);
    assert_int_equal(*sequence % 2, 0);
    assert_false(acme_page_has_proofs(scene->reader));
    assert_true(publish(scene, "half", "half.again"));
    assert_string_equal(find(scene, "half"), "half.again");
    munmap(map, PAGE_BYTES);
}

static void
write_for_ever(int fd)
{
    struct acme_error err;
    struct acme_page *page = acme_page_map_writer(fd, &err);
    char text[ACME_KEY_AUTH_MAX + 1];

    for (unsigned i = 0; page != NULL; i++) {
        size_t len = i % 2 != 0 ? ACME_KEY_AUTH_MAX : 50;

        memset(text, 'a' + (int) (i % 26), len);
        text[len] = '\0';
        acme_page_publish(page, acme_bytes_of("busy"), acme_bytes_of(text),
            &err);
        if (i % 5 == 0) {
            acme_page_withdraw(page, acme_bytes_of("busy"));
        }
    }
    _exit(1);
}

static void
writers_that_are_killed_leave_a_page_that_works(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    for (int i = 0; i < 40; i++) {
        pid_t pid = fork();

        if (pid == 0) {
            write_for_ever(scene->fd);
        }
        usleep((useconds_t) (500 + 317 * i % 3000));
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        acme_page_unmap(scene->writer);
        scene->writer = acme_page_map_writer(scene->fd, &err);
        assert_non_null(scene->writer);
        acme_page_withdraw(scene->writer, acme_bytes_of("busy"));
        assert_null(find(scene, "busy"));
        assert_false(acme_page_has_proofs(scene->reader));
    }
}

/* Every value is one letter repeated, 50 or 191 times; false for others. */
static bool
is_whole(const char *text, size_t len)
{
    if (len != 50 && len != ACME_KEY_AUTH_MAX) {
        return false;
    }
    for (size_t i = 1; i < len; i++) {
        if (text[i] != text[0]) {
            return false;
        }
    }
    return text[0] >= 'a' && text[0] <= 'z' && text[len] == '\0';
}

static void
read_until_enough(const struct acme_page *page)
{
    char text[ACME_KEY_AUTH_MAX + 1];
    unsigned found = 0;
    size_t len;

    for (unsigned i = 0; i < 50000000 && found < 100000; i++) {
        if (acme_page_find(page, acme_bytes_of("busy"), text, &len)) {
            if (!is_whole(text, len)) {
                _exit(2);
            }
            found++;
        }
    }
    _exit(found > 0 ? 0 : 3);
}

static void
readers_never_see_a_torn_value(void **state)
{
    struct scene *scene = *state;
    pid_t readers[3], writer = fork();
    bool well = true;

    if (writer == 0) {
        write_for_ever(scene->fd);
    }
    for (int i = 0; i < 3; i++) {
        readers[i] = fork();
        if (readers[i] == 0) {
            read_until_enough(scene->reader);
        }
    }
    for (int i = 0; i < 3; i++) {
        well = exited_well(readers[i]) && well;
    }
    kill(writer, SIGKILL);
    waitpid(writer, NULL, 0);
    assert_true(well);
}

/* ---- server names */

/* A pair of these lengths, each byte the same. */
static struct acme_page_alpn
pair_of(char byte, size_t cert_len, size_t key_len)
{
    struct acme_page_alpn pair = { cert_len, key_len, { 0 }, { 0 } };

    memset(pair.cert, byte, cert_len);
    memset(pair.key, byte, key_len);
    return pair;
}

static bool
publish_pair(struct acme_page *page, const char *name, const char *token,
    struct acme_page_alpn pair)
{
    struct acme_error err;

    return acme_page_publish_alpn(page, acme_bytes_of(name),
        acme_bytes_of(token), &pair, &err);
}

/* The byte of what a name shows, 0 when there is nothing. */
static char
shown(const struct acme_page *page, const char *name)
{
    struct acme_page_alpn pair;

    if (!acme_page_find_alpn(page, acme_bytes_of(name), &pair)) {
        return 0;
    }
    for (size_t i = 0; i < pair.cert_len; i++) {
        assert_int_equal(pair.cert[i], pair.cert[0]);
    }
    for (size_t i = 0; i < pair.key_len; i++) {
        assert_int_equal(pair.key[i], pair.cert[0]);
    }
    return (char) pair.cert[0];
}

static void
a_server_name_shows_its_pair_until_that_is_withdrawn(void **state)
{
    struct scene *scene = *state;
    struct acme_page_alpn pair;

    assert_false(acme_page_has_alpn(NULL));
    assert_false(acme_page_find_alpn(NULL, acme_bytes_of("a.test"), &pair));
    assert_false(acme_page_has_alpn(scene->reader));
    assert_true(publish_pair(scene->writer, "a.test", "one",
        pair_of('a', 500, 138)));
    assert_true(acme_page_has_alpn(scene->reader));
    assert_false(acme_page_has_proofs(scene->reader));
    assert_null(find(scene, "one"));
    assert_true(acme_page_find_alpn(scene->reader, acme_bytes_of("a.test"),
        &pair));
    assert_int_equal(pair.cert_len, 500);
    assert_int_equal(pair.key_len, 138);
    assert_int_equal(shown(scene->reader, "a.test"), 'a');
    assert_int_equal(shown(scene->reader, "b.test"), 0);
    assert_int_equal(shown(scene->reader, "a.tes"), 0);
    assert_int_equal(shown(scene->reader, ""), 0);
    acme_page_withdraw_alpn(scene->writer, acme_bytes_of("a.test"),
        acme_bytes_of("one"));
    assert_int_equal(shown(scene->reader, "a.test"), 0);
    assert_false(acme_page_has_alpn(scene->reader));
}

static void
of_two_challenges_for_a_name_the_later_one_is_shown(void **state)
{
    struct scene *scene = *state;
    struct acme_bytes name = acme_bytes_of("a.test");

    assert_true(publish_pair(scene->writer, "a.test", "one",
        pair_of('a', 500, 138)));
    assert_true(publish_pair(scene->writer, "a.test", "two",
        pair_of('b', 400, 138)));
    assert_int_equal(shown(scene->reader, "a.test"), 'b');
    /* the first one's end does not end the second one */
    acme_page_withdraw_alpn(scene->writer, name, acme_bytes_of("one"));
    assert_int_equal(shown(scene->reader, "a.test"), 'b');
    acme_page_withdraw_alpn(scene->writer, name, acme_bytes_of("two"));
    assert_false(acme_page_has_alpn(scene->reader));
    acme_page_withdraw_alpn(scene->writer, name, acme_bytes_of("two"));
    acme_page_withdraw_alpn(scene->writer, acme_bytes_of(""),
        acme_bytes_of("two"));
    assert_false(acme_page_has_alpn(scene->reader));
}

static void
pairs_are_bounded(void **state)
{
    struct scene *scene = *state;
    char name[ACME_SERVER_NAME_MAX + 2], token[ACME_TOKEN_MAX + 1];
    struct acme_page_alpn pair = pair_of('x', ACME_PAGE_CERT_MAX,
        ACME_PAGE_KEY_MAX);

    memset(name, 'n', sizeof(name));
    memset(token, 't', sizeof(token));
    name[ACME_SERVER_NAME_MAX + 1] = token[ACME_TOKEN_MAX] = '\0';
    assert_false(publish_pair(scene->writer, name, token, pair));
    assert_false(publish_pair(scene->writer, "", token, pair));
    assert_false(publish_pair(scene->writer, "n", "no token", pair));
    pair.cert_len++;
    assert_false(publish_pair(scene->writer, "n", token, pair));
    pair.cert_len = 0;
    assert_false(publish_pair(scene->writer, "n", token, pair));
    pair.cert_len = ACME_PAGE_CERT_MAX;
    pair.key_len++;
    assert_false(publish_pair(scene->writer, "n", token, pair));
    pair.key_len = 0;
    assert_false(publish_pair(scene->writer, "n", token, pair));
    pair.key_len = ACME_PAGE_KEY_MAX;
    assert_false(acme_page_has_alpn(scene->reader));

    name[ACME_SERVER_NAME_MAX] = '\0';
    assert_true(publish_pair(scene->writer, name, token, pair));
    assert_int_equal(shown(scene->reader, name), 'x');
}

static void
a_page_crowded_with_names_refuses_and_loses_nothing(void **state)
{
    struct scene *scene = *state;
    struct acme_page_alpn pair = pair_of('x', 500, 138);
    char name[32];
    int count = 0;

    while (snprintf(name, sizeof(name), "%d.test", count),
           publish_pair(scene->writer, name, "t", pair)) {
        count++;
        assert_true(count <= ACME_PAGE_NAME_SLOTS);
    }
    assert_true(count > ACME_PAGE_NAME_SLOTS / 4);
    assert_true(publish(scene, "token", "token.print"));
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "%d.test", i);
        assert_int_equal(shown(scene->reader, name), 'x');
        acme_page_withdraw_alpn(scene->writer, acme_bytes_of(name),
            acme_bytes_of("t"));
    }
    assert_false(acme_page_has_alpn(scene->reader));
    assert_string_equal(find(scene, "token"), "token.print");
}

static void
a_sweep_takes_names_by_their_tokens(void **state)
{
    struct scene *scene = *state;
    char name[32], token[32];
    int asked = 0;

    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "%d.test", i);
        snprintf(token, sizeof(token), "token-%d", i);
        assert_true(publish(scene, token, token));
        assert_true(publish_pair(scene->writer, name, token,
            pair_of('x', 500, 138)));
    }
    acme_page_sweep(scene->writer, is_odd, &asked);
    assert_int_equal(asked, 200);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "%d.test", i);
        assert_int_equal(shown(scene->reader, name), i % 2 ? 'x' : 0);
    }
    asked = 0;
    acme_page_sweep(scene->writer, is_odd, &asked);
    assert_int_equal(asked, 100);
}

/* An heir looks at what was used only: an empty page stays without memory. */
static void
an_unused_page_costs_no_memory(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;
    struct stat info;
    int asked = 0;

    assert_true(publish_pair(scene->writer, "a.test", "t",
        pair_of('x', 500, 138)));
    acme_page_unmap(scene->writer);
    scene->writer = acme_page_map_writer(scene->fd, &err);
    assert_non_null(scene->writer);
    acme_page_sweep(scene->writer, is_odd, &asked);
    assert_int_equal(fstat(scene->fd, &info), 0);
    assert_true(info.st_blocks * 512 <= 64 * 4096);
}

static void
write_pairs_for_ever(int fd)
{
    struct acme_error err;
    struct acme_page *page = acme_page_map_writer(fd, &err);

    for (unsigned i = 0; page != NULL; i++) {
        publish_pair(page, "busy.test", "busy", pair_of(
            (char) ('a' + i % 26), i % 2 != 0 ? ACME_PAGE_CERT_MAX : 50,
            i % 3 != 0 ? ACME_PAGE_KEY_MAX : 20));
        if (i % 5 == 0) {
            acme_page_withdraw_alpn(page, acme_bytes_of("busy.test"),
                acme_bytes_of("busy"));
        }
    }
    _exit(1);
}

static bool
all_the_same(const struct acme_page_alpn *pair)
{
    for (size_t i = 1; i < pair->cert_len; i++) {
        if (pair->cert[i] != pair->cert[0]) {
            return false;
        }
    }
    for (size_t i = 0; i < pair->key_len; i++) {
        if (pair->key[i] != pair->cert[0]) {
            return false;
        }
    }
    return pair->cert_len == 50 || pair->cert_len == ACME_PAGE_CERT_MAX;
}

/* A writer in its loop, killed again and again beside readers. */
static void
pairs_are_never_torn_though_writers_die(void **state)
{
    struct scene *scene = *state;
    struct acme_page_alpn pair;
    struct acme_error err;
    unsigned found = 0;

    for (int i = 0; i < 40; i++) {
        pid_t pid = fork();

        if (pid == 0) {
            write_pairs_for_ever(scene->fd);
        }
        /* on a busy machine the writer comes late */
        for (int n = 0; n < 2000 + 317 * i || (found == 0 && n < 1000000);
             n++) {
            if (acme_page_find_alpn(scene->reader,
                    acme_bytes_of("busy.test"), &pair)) {
                assert_true(all_the_same(&pair));
                found++;
            } else if (found == 0) {
                sched_yield();
            }
        }
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        acme_page_unmap(scene->writer);
        scene->writer = acme_page_map_writer(scene->fd, &err);
        assert_non_null(scene->writer);
        acme_page_withdraw_alpn(scene->writer, acme_bytes_of("busy.test"),
            acme_bytes_of("busy"));
        assert_false(acme_page_has_alpn(scene->reader));
    }
    assert_true(found > 0);
}

/* ---- who may write */

static void
a_readers_mapping_cannot_become_writable(void **state)
{
    struct scene *scene = *state;
    FILE *maps = fopen("/proc/self/maps", "re");
    unsigned long start, end;
    char line[512], mode[8];
    int readers = 0, writers = 0;

    assert_non_null(maps);
    (void) scene;
    while (fgets(line, sizeof(line), maps) != NULL) {
        if (strstr(line, "memfd:acme-page") == NULL
            || sscanf(line, "%lx-%lx %7s", &start, &end, mode) != 3) {
            continue;
        }
        if (mode[1] == 'w') {
            writers++;
            continue;
        }
        readers++;
        assert_int_equal(mprotect((void *) start, end - start,
            PROT_READ | PROT_WRITE), -1);
        assert_int_equal(errno, EACCES);
    }
    fclose(maps);
    assert_int_equal(readers, 1);
    assert_int_equal(writers, 1);
}

static void
open_as_nobody(int fd)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0) {
        _exit(9);
    }
    /* else /proc/self is root's, and nothing is tested */
    prctl(PR_SET_DUMPABLE, 1);
    if (open(path, O_RDWR) >= 0 || errno != EACCES) {
        _exit(1);
    }
    if (open(path, O_RDONLY) >= 0 || errno != EACCES) {
        _exit(2);
    }
    _exit(0);
}

static void
another_user_cannot_open_the_page_anew(void **state)
{
    struct scene *scene = *state;
    pid_t pid;

    if (geteuid() != 0) {
        skip();
    }
    pid = fork();
    if (pid == 0) {
        open_as_nobody(scene->fd);
    }
    assert_true(exited_well(pid));
}

static void
the_page_can_neither_shrink_nor_be_inherited_by_exec(void **state)
{
    struct scene *scene = *state;
    struct stat info;

    assert_int_equal(fcntl(scene->fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(fstat(scene->fd, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    assert_int_equal(ftruncate(scene->fd, 0), -1);
    assert_int_equal(ftruncate(scene->fd, info.st_size + 1), -1);
}

/* ---- what is no page */

static void
expect_no_page(const char *what, int fd)
{
    struct acme_error err = { 0 };

    if (acme_page_map(fd, &err) != NULL
        || acme_page_map_writer(fd, &err) != NULL) {
        fail_msg("%s was mapped", what);
    }
    assert_true(strlen(err.text) > 0);
    close(fd);
}

/* A copy of an empty page with one byte of its header changed. */
static int
forge(off_t at, bool sealed)
{
    int fd = memfd_create("forged", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    struct acme_error err;
    uint8_t header[64];
    struct stat info;
    int page_fd;

    assert_true(acme_page_make(&page_fd, &err));
    assert_int_equal(fstat(page_fd, &info), 0);
    assert_int_equal(pread(page_fd, header, sizeof(header), 0), 64);
    if (at >= 0) {
        header[at] ^= 1;
    }
    assert_int_equal(ftruncate(fd, info.st_size), 0);
    assert_int_equal(pwrite(fd, header, sizeof(header), 0), 64);
    if (sealed) {
        assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    }
    close(page_fd);
    return fd;
}

static void
what_is_no_page_of_this_version_is_refused(void **state)
{
    struct acme_error err;
    struct acme_page *page;
    int fd = forge(-1, true);

    (void) state;
    page = acme_page_map(fd, &err);
    assert_non_null(page);
    acme_page_unmap(page);
    close(fd);

    expect_no_page("one that can shrink", forge(-1, false));
    expect_no_page("another magic", forge(10, true));
    expect_no_page("another number of slots", forge(16, true));
    expect_no_page("another size of slots", forge(20, true));
    expect_no_page("a device", open("/dev/zero", O_RDWR | O_CLOEXEC));
    expect_no_page("an empty file", memfd_create("x", MFD_CLOEXEC));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_published_is_found_until_it_is_withdrawn),
        TEST(publishing_again_replaces),
        cmocka_unit_test(there_is_nothing_on_no_page),
        TEST(malformed_tokens_are_refused),
        TEST(lengths_are_bounded),
        TEST(hundreds_of_tokens_are_all_found),
        TEST(a_crowded_page_refuses_and_loses_nothing),
        TEST(tokens_that_collide_survive_each_others_end),
        TEST(a_sweep_takes_what_is_not_wanted),
        TEST(a_slot_left_half_written_is_unknown_then_repaired),
        TEST(writers_that_are_killed_leave_a_page_that_works),
        TEST(readers_never_see_a_torn_value),
        TEST(a_server_name_shows_its_pair_until_that_is_withdrawn),
        TEST(of_two_challenges_for_a_name_the_later_one_is_shown),
        TEST(pairs_are_bounded),
        TEST(a_page_crowded_with_names_refuses_and_loses_nothing),
        TEST(a_sweep_takes_names_by_their_tokens),
        TEST(an_unused_page_costs_no_memory),
        TEST(pairs_are_never_torn_though_writers_die),
        TEST(a_readers_mapping_cannot_become_writable),
        TEST(another_user_cannot_open_the_page_anew),
        TEST(the_page_can_neither_shrink_nor_be_inherited_by_exec),
        cmocka_unit_test(what_is_no_page_of_this_version_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
