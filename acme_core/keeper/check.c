/*
 * Asking the server whether a reload would go well. A httpd that meets a
 * broken configuration when it reloads ends, and all of its sites with it.
 */

#include "keeper/check.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"

enum { PROC_MAX = 1024 * 1024, WORDS_MAX = 4096 };

/* ---- what the server was started with */

static bool
read_proc(const char *pid, const char *file, struct acme_buffer *out,
    struct acme_error *err)
{
    char path[64], part[4096];
    ssize_t len;
    int fd;

    snprintf(path, sizeof(path), "/proc/%.16s/%s", pid, file);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return acme_fail_sys(err, "%s", path);
    }
    while ((len = read(fd, part, sizeof(part))) > 0) {
        if (!acme_buffer_add(out, part, (size_t) len)) {
            close(fd);
            return acme_fail(err, ACME_LOCAL, "%s is too long", path);
        }
    }
    close(fd);
    return len == 0 || acme_fail_sys(err, "%s", path);
}

/* Words that each end in NUL -> an array that points into the buffer. */
static char **
words_of(const struct acme_buffer *buffer, size_t *count_out)
{
    char **words = calloc(WORDS_MAX + 2, sizeof(*words));
    size_t count = 0;

    for (size_t at = 0; words != NULL && at < buffer->len
         && count < WORDS_MAX; at += strlen((char *) buffer->at + at) + 1) {
        words[count++] = (char *) buffer->at + at;
    }
    *count_out = count;
    return words;
}

/* "-k start" is what it was told to do, not how it is configured. */
static void
make_check(char **argv, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (i > 0 && strcmp(argv[i], "-k") == 0) {
            i++;
        } else {
            argv[kept++] = argv[i];
        }
    }
    argv[kept++] = (char *) "-t";
    argv[kept] = NULL;
}

/* ---- running it */

static void
become(const char *pid, char **argv, char **environment, int out)
{
    int null_fd = open("/dev/null", O_RDWR);
    char path[64];

    snprintf(path, sizeof(path), "/proc/%.16s/cwd", pid);
    if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0
        || dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0
        || chdir(path) != 0 || close_range(3, ~0U, 0) != 0) {
        _exit(127);
    }
    snprintf(path, sizeof(path), "/proc/%.16s/exe", pid);
    execve(path, argv, environment);
    dprintf(STDERR_FILENO, "%s: %s", path, strerror(errno));
    _exit(127);
}

static int64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Keep the last bytes of all it prints, until it ends or its time is over. */
static size_t
listen_to(int fd, char *last, size_t size)
{
    int64_t end_ms = now_ms() + ACME_CHECK_LIMIT_S * 1000;
    char part[4096];
    size_t kept = 0;

    for (;;) {
        struct pollfd in = { fd, POLLIN, 0 };
        int64_t left = end_ms - now_ms();
        ssize_t len;
        size_t over;

        if (left <= 0 || poll(&in, 1, (int) left) <= 0) {
            return kept;
        }
        len = read(fd, part, sizeof(part));
        if (len <= 0) {
            return kept;
        }
        if ((size_t) len >= size) {
            memcpy(last, part + len - size, size);
            kept = size;
            continue;
        }
        over = kept + (size_t) len > size ? kept + (size_t) len - size : 0;
        memmove(last, last + over, kept - over);
        memcpy(last + kept - over, part, (size_t) len);
        kept += (size_t) len - over;
    }
}

/* What was printed, as part of a line of the log. */
static size_t
one_line(char *text, size_t len)
{
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' ')) {
        len--;
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n') {
            text[i] = ' ';
        }
    }
    return len;
}

static bool
run(const char *pid, char **argv, char **environment, char *verdict,
    size_t *len_out, struct acme_error *err)
{
    int status = -1;
    int out[2];
    pid_t child;

    if (pipe2(out, O_CLOEXEC) != 0) {
        return acme_fail_sys(err, "pipe");
    }
    child = fork();
    if (child == 0) {
        become(pid, argv, environment, out[1]);
    }
    close(out[1]);
    if (child < 0) {
        close(out[0]);
        return acme_fail_sys(err, "fork");
    }
    *len_out = 1 + one_line(verdict + 1,
        listen_to(out[0], verdict + 1, ACME_CHECK_MAX - 1));
    close(out[0]);
    kill(child, SIGKILL);  /* nothing, when it has ended */
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    verdict[0] = WIFEXITED(status) && WEXITSTATUS(status) == 0
        ? ACME_CHECK_PASSED : ACME_CHECK_FAILED;
    return true;
}

bool
acme_check_run(int fd, const char *pid, struct acme_error *err)
{
    struct acme_buffer arguments = ACME_BUFFER(PROC_MAX);
    struct acme_buffer environment = ACME_BUFFER(PROC_MAX);
    char **argv = NULL, **envp = NULL;
    char verdict[ACME_CHECK_MAX];
    size_t argc, count, len = 0;
    bool ok;

    ok = read_proc(pid, "cmdline", &arguments, err)
        && read_proc(pid, "environ", &environment, err);
    if (ok) {
        argv = words_of(&arguments, &argc);
        envp = words_of(&environment, &count);
        ok = (argv != NULL && envp != NULL) || acme_fail_memory(err);
    }
    if (ok) {
        make_check(argv, argc);
        ok = run(pid, argv, envp, verdict, &len, err)
            /* a keeper that has ended wants it no more */
            && (send(fd, verdict, len, MSG_NOSIGNAL) == (ssize_t) len
                || errno == EPIPE || errno == ECONNRESET
                || acme_fail_sys(err, "handing over the verdict"));
    }
    free(argv);
    free(envp);
    acme_buffer_free(&arguments);
    acme_buffer_free(&environment);
    return ok;
}
