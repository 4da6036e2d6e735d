/*
 * Starting the helper from a server's master, and keeping it over reloads.
 * Between fork and exec only system calls are made: the master of a server
 * may have threads.
 */

#include "serve/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "serve/neighbour.h"

#define TITLE "acme-helper: supervisor"

enum { SETTINGS_MAX = 64 * 1024 * 1024, ENVIRONMENT_MAX = 8 };

/* The page outlives a helper: its successor goes on with it. */
struct shared_page {
    unsigned references;
    int fd;                      /* -1 in workers */
    struct acme_page *map;
};

struct acme_helper {
    unsigned references;
    pid_t pid;                   /* of a child of ours, or 0 */
    int life_fd;                 /* write end; -1 in workers */
    char *state_path;
    struct acme_buffer wire;
    struct shared_page *page;
};

/* ---- the page */

static struct shared_page *
page_new(const char *state_path, struct acme_error *err)
{
    struct shared_page *page = calloc(1, sizeof(*page));

    if (page == NULL) {
        acme_fail_memory(err);
        return NULL;
    }
    page->references = 1;
    page->fd = acme_neighbour_page(state_path);
    if (page->fd >= 0) {
        page->map = acme_page_map(page->fd, err);
        if (page->map != NULL) {
            return page;
        }
        close(page->fd);
    }
    if (!acme_page_make(&page->fd, err)) {
        free(page);
        return NULL;
    }
    page->map = acme_page_map(page->fd, err);
    if (page->map == NULL) {
        close(page->fd);
        free(page);
        return NULL;
    }
    return page;
}

static void
page_release(struct shared_page *page)
{
    if (page == NULL || --page->references > 0) {
        return;
    }
    if (page->fd >= 0) {
        close(page->fd);
    }
    acme_page_unmap(page->map);
    free(page);
}

/* ---- the child, between fork and exec */

struct start {
    const char *path;
    bool child;
    char *argv[3];
    char *environment[ENVIRONMENT_MAX];
    int fds[ACME_FD_PAGE + 1];   /* what becomes descriptor 0, 1, 2 ... */
    int status_fd;               /* gets errno when exec fails */
};

static void
reset_signals(void)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++) {
        signal(number, SIG_DFL);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/*
 * Move all descriptors out of the way, then to their places: a place may be
 * what another one comes from.
 */
static bool
place_descriptors(struct start *start)
{
    for (int i = 0; i <= ACME_FD_PAGE; i++) {
        start->fds[i] = fcntl(start->fds[i], F_DUPFD, ACME_FD_PAGE + 10);
        if (start->fds[i] < 0) {
            return false;
        }
    }
    start->status_fd = fcntl(start->status_fd, F_DUPFD_CLOEXEC,
        ACME_FD_PAGE + 10);
    if (start->status_fd < 0) {
        return false;
    }
    for (int i = 0; i <= ACME_FD_PAGE; i++) {
        if (dup2(start->fds[i], i) < 0) {
            return false;
        }
    }
    /* listening sockets are inheritable in nginx; they are not for us */
    if (dup2(start->status_fd, ACME_FD_PAGE + 1) < 0) {
        return false;
    }
    start->status_fd = ACME_FD_PAGE + 1;
    fcntl(start->status_fd, F_SETFD, FD_CLOEXEC);
    return close_range(ACME_FD_PAGE + 2, ~0U, 0) == 0;
}

static void
run(struct start *start)
{
    int sys;

    /* in a session of its own; two forks make it nobody's child */
    setsid();
    if (!start->child && fork() != 0) {
        _exit(0);
    }
    reset_signals();
    umask(077);
    if (place_descriptors(start) && chdir("/") == 0) {
        execve(start->path, start->argv, start->environment);
    }
    sys = errno;
    (void) !write(start->status_fd, &sys, sizeof(sys));
    _exit(1);
}

/* ---- the parent */

/* Nothing of the server's environment but what a helper needs. */
static void
choose_environment(struct start *start)
{
    static const char *const names[] = { "TZ=", "ASAN_OPTIONS=",
        "UBSAN_OPTIONS=", "LSAN_OPTIONS=" };
    extern char **environ;
    size_t count = 0;

    start->environment[count++] =
        (char *) "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    for (char **entry = environ; entry != NULL && *entry != NULL
         && count < ENVIRONMENT_MAX - 1; entry++) {
        for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
            if (strncmp(*entry, names[i], strlen(names[i])) == 0
                && count < ENVIRONMENT_MAX - 1) {
                start->environment[count++] = *entry;
            }
        }
    }
    start->environment[count] = NULL;
}

static bool
fork_helper(struct start *start, pid_t *pid_out, struct acme_error *err)
{
    int status[2];
    int sys = 0;
    ssize_t len;
    pid_t pid;

    if (pipe2(status, O_CLOEXEC) != 0) {
        return acme_fail_sys(err, "pipe");
    }
    start->status_fd = status[1];
    pid = fork();
    if (pid == 0) {
        run(start);
    }
    close(status[1]);
    if (pid < 0) {
        close(status[0]);
        return acme_fail_sys(err, "fork");
    }
    do {
        len = read(status[0], &sys, sizeof(sys));
    } while (len < 0 && errno == EINTR);
    close(status[0]);
    /* a server without a master may have reaped it already */
    while ((!start->child || len == sizeof(sys))
        && waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
    if (len == sizeof(sys)) {
        errno = sys;
        return acme_fail_sys(err, "starting %s", start->path);
    }
    *pid_out = start->child ? pid : 0;
    return true;
}

static int
settings_file(struct acme_bytes wire, struct acme_error *err)
{
    int fd = memfd_create("acme-settings", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0) {
        acme_fail_sys(err, "memfd_create");
        return -1;
    }
    if (fchmod(fd, 0600) != 0 || write(fd, wire.at, wire.len)
            != (ssize_t) wire.len
        || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
            != 0) {
        acme_fail_sys(err, "writing the settings");
        close(fd);
        return -1;
    }
    return fd;
}

static bool
launch(struct acme_helper *helper, const char *path, bool reload,
    const struct acme_helper_options *options, struct acme_error *err)
{
    char argument[64];
    struct start start = { .path = path, .child = options->child,
        .argv = { (char *) TITLE, argument } };
    int life[2] = { -1, -1 };
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    int settings_fd = settings_file(acme_buffer_bytes(&helper->wire), err);
    bool ok = false;

    if (null_fd < 0) {
        acme_fail_sys(err, "/dev/null");
        goto out;
    }
    if (settings_fd < 0) {
        goto out;
    }
    if (pipe2(life, O_CLOEXEC) != 0) {
        acme_fail_sys(err, "pipe");
        goto out;
    }
    snprintf(argument, sizeof(argument), "%lld%s%s",
        (long long) options->read_ms, reload ? " " ACME_ARGUMENT_RELOAD : "",
        options->child ? " " ACME_ARGUMENT_CHILD : "");
    start.fds[0] = start.fds[1] = null_fd;
    start.fds[ACME_FD_LOG] = options->log_fd >= 0 ? options->log_fd : null_fd;
    start.fds[ACME_FD_LIFE] = life[0];
    start.fds[ACME_FD_SETTINGS] = settings_fd;
    start.fds[ACME_FD_PAGE] = helper->page->fd;
    choose_environment(&start);
    ok = fork_helper(&start, &helper->pid, err);
    if (ok) {
        fcntl(life[1], F_SETFL, O_NONBLOCK);
        helper->life_fd = life[1];
        life[1] = -1;
    }

out:
    for (int i = 0; i < 2; i++) {
        if (life[i] >= 0) {
            close(life[i]);
        }
    }
    if (settings_fd >= 0) {
        close(settings_fd);
    }
    if (null_fd >= 0) {
        close(null_fd);
    }
    return ok;
}

/* ---- the handle */

/* The read end is held by the supervisor alone. */
static bool
is_alive(const struct acme_helper *helper)
{
    struct pollfd life = { helper->life_fd, 0, 0 };

    return helper->life_fd >= 0 && poll(&life, 1, 0) == 0;
}

/* Nothing to a dead one: the server may not have ignored SIGPIPE. */
static void
say(const struct acme_helper *helper, char word)
{
    if (is_alive(helper)) {
        (void) !write(helper->life_fd, &word, 1);
    }
}

static void
helper_free(struct acme_helper *helper)
{
    if (helper->life_fd >= 0) {
        say(helper, ACME_LIFE_END);
        close(helper->life_fd);
    }
    page_release(helper->page);
    acme_buffer_free(&helper->wire);
    free(helper->state_path);
    free(helper);
}

static struct acme_helper *
helper_new(const struct acme_settings *settings, struct acme_helper *running,
    struct acme_error *err)
{
    struct acme_helper *helper = calloc(1, sizeof(*helper));

    if (helper == NULL) {
        acme_fail_memory(err);
        return NULL;
    }
    helper->references = 1;
    helper->life_fd = -1;
    helper->wire.limit = SETTINGS_MAX;
    helper->state_path = strdup(settings->state_path);
    if (helper->state_path == NULL) {
        helper_free(helper);
        acme_fail_memory(err);
        return NULL;
    }
    if (!acme_settings_write(settings, &helper->wire, err)) {
        helper_free(helper);
        return NULL;
    }
    /* one store, one writer, one page */
    if (running != NULL
        && strcmp(running->state_path, helper->state_path) == 0) {
        helper->page = running->page;
        helper->page->references++;
        return helper;
    }
    helper->page = page_new(settings->state_path, err);
    if (helper->page == NULL) {
        helper_free(helper);
        return NULL;
    }
    return helper;
}

struct acme_helper *
acme_helper_keep(const struct acme_settings *settings,
    struct acme_helper *running)
{
    struct acme_buffer wire = ACME_BUFFER(SETTINGS_MAX);
    struct acme_error err;
    bool same;

    same = running != NULL && is_alive(running)
        && acme_settings_write(settings, &wire, &err)
        && acme_bytes_equal(acme_buffer_bytes(&running->wire),
            acme_buffer_bytes(&wire));
    acme_buffer_free(&wire);
    if (!same) {
        return NULL;
    }
    running->references++;
    say(running, ACME_LIFE_RELOADED);
    return running;
}

static struct acme_helper *
launch_new(const struct acme_settings *settings, struct acme_helper *running,
    const struct acme_helper_options *options, struct acme_error *err)
{
    struct acme_helper *helper = helper_new(settings, running, err);

    if (helper != NULL && !launch(helper, settings->helper, running != NULL,
        options, err)) {
        helper_free(helper);
        return NULL;
    }
    return helper;
}

struct acme_helper *
acme_helper_start(const struct acme_settings *settings,
    struct acme_helper *running, const struct acme_helper_options *options,
    struct acme_error *err)
{
    struct acme_helper *helper = acme_helper_keep(settings, running);

    if (helper == NULL) {
        helper = launch_new(settings, running, options, err);
    }
    if (helper == NULL) {
        acme_while(err, "the helper is not running, certificates are neither "
            "obtained nor renewed");
    }
    return helper;
}

bool
acme_helper_has_ended(const struct acme_helper *helper)
{
    return !is_alive(helper);
}

void
acme_helper_reloading(struct acme_helper *helper)
{
    say(helper, ACME_LIFE_RELOADING);
}

pid_t
acme_helper_pid(const struct acme_helper *helper)
{
    return helper->pid;
}

const struct acme_page *
acme_helper_page(const struct acme_helper *helper)
{
    return helper != NULL ? helper->page->map : NULL;
}

void
acme_helper_release(struct acme_helper *helper)
{
    if (helper != NULL && --helper->references == 0) {
        helper_free(helper);
    }
}

void
acme_helper_forget(struct acme_helper *helper)
{
    if (helper == NULL) {
        return;
    }
    if (helper->life_fd >= 0) {
        close(helper->life_fd);
        helper->life_fd = -1;
    }
    if (helper->page->fd >= 0) {
        close(helper->page->fd);
        helper->page->fd = -1;
    }
}
