/* A keeper with a store, one CA and one certificate; no agent yet asked. */

#ifndef ACME_TESTS_KEEPER_SCENE_H
#define ACME_TESTS_KEEPER_SCENE_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/placeholder.h"
#include "keeper/account.h"
#include "keeper/attempt.h"
#include "keeper/pending.h"
#include "keeper/service.h"

#define BASE "https://ca.test:14000"
#define NOW INT64_C(1700000000)

enum { DAY = 86400, LINES = 16 };

struct scene {
    char path[64];
    int dir_fd;                /* of path */
    struct acme_settings settings;
    struct acme_settings_ca ca;
    struct acme_settings_cert cert;
    char *names[2];
    struct keeper keeper;
    struct account account;
    struct job job;
    struct acme_channel *agent;
    int supervisor_fd;         /* its end */
    char lines[LINES][1024];
    size_t line_count;
};

static inline void
keep_line(void *ctx, enum acme_log_level level, bool always, const char *line)
{
    struct scene *scene = ctx;

    (void) level;
    (void) always;
    if (scene->line_count < LINES) {
        snprintf(scene->lines[scene->line_count++], 1024, "%s", line);
    }
}

/* Is one of the lines logged so far about this? */
static inline bool
logged(const struct scene *scene, const char *words)
{
    for (size_t i = 0; i < scene->line_count; i++) {
        if (strstr(scene->lines[i], words) != NULL) {
            return true;
        }
    }
    return false;
}

/* The job is not begun: attempt_init is each test's own. */
static inline int
scene_make(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    struct acme_error err;
    int pair[2];

    strcpy(scene->path, "/tmp/acme-test-XXXXXX");
    assert_non_null(mkdtemp(scene->path));
    scene->dir_fd = open(scene->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    scene->ca = (struct acme_settings_ca) { .name = (char *) "ca.test",
        .url = (char *) BASE "/dir" };
    scene->names[0] = (char *) "example.test";
    scene->names[1] = (char *) "www.example.test";
    scene->cert = (struct acme_settings_cert) { .names = scene->names,
        .name_count = 1, .key_types = { ACME_KEY_ECDSA_256 },
        .challenges = { ACME_HTTP_01, ACME_TLS_ALPN_01 },
        .challenge_count = 2,
        .folder = (char *) "example.test" };
    scene->settings = (struct acme_settings) { .listens_http = true,
        .listens_https = true, .cas = &scene->ca,
        .ca_count = 1, .certs = &scene->cert, .cert_count = 1,
        .state_path = scene->path, .server = (char *) "test/1",
        .reload = true, .reload_delay_s = 10 };
    scene->keeper = (struct keeper) { .settings = &scene->settings,
        .accounts = &scene->account, .jobs = &scene->job, .job_count = 1,
        .control_fd = -1,
        .next_job_id = JOB_ID_FIRST, .now = NOW,
        .log = { .sink = keep_line, .ctx = scene } };
    scene->keeper.store = acme_store_open(scene->path, &err);
    assert_non_null(scene->keeper.store);
    assert_true(acme_page_make(&scene->keeper.page_fd, &err));
    scene->keeper.page = acme_page_map_writer(scene->keeper.page_fd, &err);
    assert_non_null(scene->keeper.page);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    scene->keeper.agent = acme_channel_new(pair[0], ACME_END_KEEPER);
    scene->agent = acme_channel_new(pair[1], ACME_END_AGENT);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    scene->keeper.supervisor_fd = pair[0];
    scene->supervisor_fd = pair[1];
    account_init(&scene->account, &scene->ca, 1, &scene->keeper.log);
    *state = scene;
    return 0;
}

static inline int
scene_remove(void **state)
{
    struct scene *scene = *state;
    char command[128];

    if (scene->job.cert != NULL) {
        attempt_free(&scene->job);
    }
    account_free(&scene->account);
    acme_channel_free(scene->keeper.agent);
    acme_channel_free(scene->agent);
    close(scene->keeper.supervisor_fd);
    close(scene->supervisor_fd);
    acme_limits_free(&scene->keeper.limits);
    acme_page_unmap(scene->keeper.page);
    close(scene->keeper.page_fd);
    acme_store_close(scene->keeper.store);
    close(scene->dir_fd);
    snprintf(command, sizeof(command), "rm -rf '%s'", scene->path);
    assert_int_equal(system(command), 0);
    free(scene);
    return 0;
}

/* The type of the keeper's last word to the agent, and its first text. */
static inline enum acme_message_type
last_word(struct scene *scene, char *text, size_t size)
{
    enum acme_message_type type = 0;
    struct acme_message message;
    struct acme_error err;
    bool got = true;

    while (acme_channel_next(scene->agent, &message, &got, &err) && got) {
        type = message.type;
        if (text != NULL) {
            assert_true(acme_message_text(&message, 0, text, size));
        }
    }
    return type;
}

/* What another keeper, or another hand, has written below the state path. */
static inline void
scribble(const struct scene *scene, const char *name, const char *text)
{
    int fd = openat(scene->dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static inline bool
is_there(const struct scene *scene, const char *name)
{
    return faccessat(scene->dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static inline char *
content_of(const struct scene *scene, const char *name)
{
    static char text[8192];
    int fd = openat(scene->dir_fd, name, O_RDONLY);
    ssize_t len = read(fd, text, sizeof(text) - 1);

    assert_true(len >= 0);
    close(fd);
    text[len] = '\0';
    return text;
}

/* A chain for example.test and its key, valid for a year from now on. */
static inline void
make_pair(struct acme_buffer *chain, struct acme_buffer *key, int64_t now)
{
    struct acme_error err;

    chain->limit = key->limit = ACME_STORE_FILE_MAX;
    assert_true(acme_placeholder_write("example.test", now, chain, key,
        &err));
}

#endif
