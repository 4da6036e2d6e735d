/*
 * Running the administrator's program. It gets a session, a user and an
 * environment of its own, and none of our descriptors; we stay who we are, so
 * that we can end it, whoever it has become.
 */

#include "keeper/event_run.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "settings/program.h"

#define PATH_OF_PROGRAMS "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:" \
    "/usr/bin:/sbin:/bin"

enum { WORDS = 4, VARIABLES = 6 };

/* Its environment, and whom it becomes. */
struct person {
    char variables[VARIABLES][PATH_MAX + 16];
    char *environment[VARIABLES + 1];
    char name[256];
    uid_t uid;
    gid_t gid;
};

/* The program while it runs. */
struct run {
    int keeper_fd;
    pid_t pid;
    int pid_fd;
    int in, out;                /* our ends of its pipes, or -1 */
    struct acme_bytes rest;     /* of what it has to read */
    int64_t end_ms;             /* then it is ended */
    bool over;                  /* its time is, or its keeper is gone */
    bool killed;
    char line[1 + ACME_EVENT_LINE_MAX + 3];
    size_t line_len;
    bool cut;                   /* the line was longer */
    unsigned lines;
    unsigned long skipped;
};

/* ---- the words */

bool
acme_event_send(int fd, const struct acme_event_words *words,
    struct acme_error *err)
{
    const char *texts[WORDS] = { words->event, words->name, words->live,
        words->json };
    struct acme_buffer message = ACME_BUFFER(ACME_EVENT_MAX);
    bool ok = true;

    for (size_t i = 0; ok && i < WORDS; i++) {
        ok = acme_buffer_add(&message, texts[i], strlen(texts[i]) + 1);
    }
    if (!ok) {
        acme_fail(err, ACME_LOCAL, "it is too long to be told");
    } else if (send(fd, message.at, message.len, MSG_DONTWAIT | MSG_NOSIGNAL)
        != (ssize_t) message.len) {
        ok = acme_fail_sys(err, "telling it");
    }
    acme_buffer_free(&message);
    return ok;
}

/* False: the keeper is gone, or mad. */
static bool
receive(int fd, char *message, struct acme_event_words *words)
{
    const char **texts[WORDS] = { &words->event, &words->name, &words->live,
        &words->json };
    ssize_t len;
    size_t at = 0;

    do {
        len = recv(fd, message, ACME_EVENT_MAX, 0);
    } while (len < 0 && errno == EINTR);
    if (len <= 0 || message[len - 1] != '\0') {
        return false;
    }
    for (size_t i = 0; i < WORDS; i++) {
        if (at >= (size_t) len) {
            return false;
        }
        *texts[i] = message + at;
        at += strlen(message + at) + 1;
    }
    return at == (size_t) len;
}

/* A keeper that does not read, or is gone, misses it. */
static void
say(int fd, char kind, const char *words)
{
    char reply[ACME_EVENT_REPLY_MAX];
    int len = snprintf(reply, sizeof(reply), "%c%s", kind, words);

    if ((size_t) len >= sizeof(reply)) {
        len = sizeof(reply) - 1;
    }
    (void) send(fd, reply, (size_t) len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* ---- who it becomes */

static void
set_variables(struct person *person, const struct passwd *entry,
    const char *live)
{
    const struct { const char *name, *value; } rows[] = {
        { "HOME", entry != NULL ? entry->pw_dir : "/" },
        { "USER", entry != NULL ? entry->pw_name : "" },
        { "LOGNAME", entry != NULL ? entry->pw_name : "" },
        { "SHELL", "/bin/sh" },
        { "ACME_LIVE", live },
    };
    size_t count = 0;

    strcpy(person->variables[count++], PATH_OF_PROGRAMS);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        snprintf(person->variables[count++], sizeof(person->variables[0]),
            "%s=%s", rows[i].name, rows[i].value);
    }
    for (size_t i = 0; i < count; i++) {
        person->environment[i] = person->variables[i];
    }
}

static bool
choose_person(struct person *person, const struct acme_event_program *program,
    const char *live, struct acme_error *err)
{
    bool root = geteuid() == 0;
    const struct passwd *entry = root ? getpwnam(program->user)
                                      : getpwuid(geteuid());

    if (root && (entry == NULL
            || strlen(entry->pw_name) >= sizeof(person->name))) {
        return acme_fail(err, ACME_MISCONFIG, "there is no user \"%s\"",
            program->user);
    }
    memset(person, 0, sizeof(*person));
    person->uid = root ? entry->pw_uid : geteuid();
    person->gid = root ? entry->pw_gid : getegid();
    if (entry != NULL) {
        snprintf(person->name, sizeof(person->name), "%s", entry->pw_name);
    }
    set_variables(person, entry, live);
    return true;
}

static bool
become_person(const struct person *person)
{
    uid_t real, effective, saved;

    if (geteuid() != 0) {
        return true;    /* all of us are the same one */
    }
    return initgroups(person->name, person->gid) == 0
        && setresgid(person->gid, person->gid, person->gid) == 0
        && setresuid(person->uid, person->uid, person->uid) == 0
        && getresuid(&real, &effective, &saved) == 0
        && real == person->uid && effective == person->uid
        && saved == person->uid
        && (person->uid == 0 || setresuid((uid_t) -1, 0, (uid_t) -1) != 0);
}

/* ---- starting it */

static void
reset_signals(void)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++) {
        signal(number, SIG_DFL);    /* some cannot be changed */
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void
become_program(const char *path, const struct acme_event_words *words,
    const struct person *person, int in, int out, pid_t parent)
{
    char *argv[] = { (char *) path, (char *) words->event,
        (char *) words->name, NULL };

    reset_signals();
    umask(077);
    if (setsid() < 0 || dup2(in, STDIN_FILENO) < 0
        || dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0
        || close_range(3, ~0U, 0) != 0 || chdir("/") != 0) {
        _exit(127);
    }
    if (!become_person(person)) {
        dprintf(STDERR_FILENO, "becoming user \"%s\": %s\n", person->name,
            strerror(errno));
        _exit(127);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);   /* a change of user clears it */
    if (getppid() != parent) {
        _exit(127);
    }
    execve(path, argv, person->environment);
    dprintf(STDERR_FILENO, "user \"%s\" cannot run %s: %s\n", person->name,
        path, strerror(errno));
    _exit(127);
}

static bool
without_waiting(int fd)
{
    return fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
}

static void
close_both(int pair[2])
{
    if (pair[0] >= 0) {
        close(pair[0]);
        close(pair[1]);
    }
}

static bool
start(struct run *run, const char *path, const struct acme_event_words *words,
    const struct person *person, struct acme_error *err)
{
    int in[2] = { -1, -1 }, out[2] = { -1, -1 };
    pid_t self = getpid();

    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0
        || !without_waiting(in[1]) || !without_waiting(out[0])) {
        acme_fail_sys(err, "pipe");
        goto failed;
    }
    run->pid = fork();
    if (run->pid == 0) {
        become_program(path, words, person, in[0], out[1], self);
    }
    if (run->pid < 0) {
        acme_fail_sys(err, "fork");
        goto failed;
    }
    run->pid_fd = (int) syscall(SYS_pidfd_open, run->pid, 0);
    if (run->pid_fd < 0) {
        acme_fail_sys(err, "pidfd_open");
        kill(run->pid, SIGKILL);
        waitpid(run->pid, NULL, 0);
        goto failed;
    }
    close(in[0]);
    close(out[1]);
    run->in = in[1];
    run->out = out[0];
    return true;

failed:
    close_both(in);
    close_both(out);
    return false;
}

/* ---- its output */

static void
end_line(struct run *run)
{
    if (run->line_len == 0 && !run->cut) {
        return;
    }
    if (run->lines++ < ACME_EVENT_LINES_MAX) {
        strcpy(run->line + run->line_len, run->cut ? "..." : "");
        say(run->keeper_fd, ACME_EVENT_LINE, run->line);
    } else {
        run->skipped++;
    }
    run->line_len = 0;
    run->cut = false;
}

static void
take_output(struct run *run)
{
    char part[4096];
    ssize_t len = read(run->out, part, sizeof(part));

    if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (len <= 0) {
        close(run->out);
        run->out = -1;
        return;
    }
    for (ssize_t i = 0; i < len; i++) {
        if (part[i] == '\n') {
            end_line(run);
        } else if (run->line_len == ACME_EVENT_LINE_MAX) {
            run->cut = true;
        } else {
            /* a NUL would end the line unseen */
            run->line[run->line_len++] = part[i] != '\0' ? part[i] : ' ';
        }
    }
}

/* What is in the pipe when it has ended; others may hold its other end. */
static void
end_output(struct run *run)
{
    struct pollfd out = { run->out, POLLIN, 0 };
    char words[64];

    for (int i = 0; run->out >= 0 && i < 64 && poll(&out, 1, 0) > 0; i++) {
        take_output(run);
    }
    end_line(run);
    if (run->skipped > 0) {
        snprintf(words, sizeof(words), "(%lu more lines)", run->skipped);
        say(run->keeper_fd, ACME_EVENT_LINE, words);
    }
}

/* ---- while it runs */

static int64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* It need not read what it is told. */
static void
feed(struct run *run)
{
    ssize_t len = write(run->in, run->rest.at, run->rest.len);

    if (len > 0) {
        run->rest.at += len;
        run->rest.len -= (size_t) len;
    }
    if (run->rest.len == 0 || (len < 0 && errno != EAGAIN
            && errno != EINTR)) {
        close(run->in);
        run->in = -1;
    }
}

/* All that is in its session's first group; ask first. */
static void
put_end(struct run *run)
{
    kill(-run->pid, run->over ? SIGKILL : SIGTERM);
    run->killed = run->over;
    run->over = true;
    run->end_ms = now_ms() + ACME_EVENT_GRACE_S * 1000;
}

static void
run_to_end(struct run *run)
{
    enum { KEEPER, END, IN, OUT, FDS };

    for (;;) {
        struct pollfd fds[FDS] = {
            [KEEPER] = { run->over ? -1 : run->keeper_fd, POLLIN, 0 },
            [END] = { run->pid_fd, POLLIN, 0 },
            [IN] = { run->in, POLLOUT, 0 },
            [OUT] = { run->out, POLLIN, 0 },
        };
        int64_t left = run->end_ms - now_ms();

        if (run->killed) {
            left = -1;  /* that cannot be ignored */
        } else if (left <= 0) {
            put_end(run);
            continue;
        }
        if (poll(fds, FDS, (int) left) < 0 && errno != EINTR) {
            kill(-run->pid, SIGKILL);
            return;
        }
        if (fds[OUT].revents != 0) {
            take_output(run);
        }
        if (fds[IN].revents != 0) {
            feed(run);
        }
        if (fds[END].revents != 0) {
            return;
        }
        if (fds[KEEPER].revents != 0) {
            put_end(run);   /* it has nothing to say but that it is gone */
        }
    }
}

static void
end(struct run *run, unsigned limit_s)
{
    char words[96] = "";
    int status = -1;

    end_output(run);
    if (run->over) {
        kill(-run->pid, SIGKILL);   /* what it has left behind */
    }
    while (waitpid(run->pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (run->over) {
        snprintf(words, sizeof(words), "it was ended, because it took longer "
            "than %u seconds", limit_s);
    } else if (WIFSIGNALED(status)) {
        snprintf(words, sizeof(words), "it was ended by signal %d (%s)",
            WTERMSIG(status), strsignal(WTERMSIG(status)));
    } else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        snprintf(words, sizeof(words), "exit status %d",
            WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    }
    say(run->keeper_fd, words[0] == '\0' ? ACME_EVENT_DONE
        : ACME_EVENT_FAILED, words);
    close(run->pid_fd);
    if (run->in >= 0) {
        close(run->in);
    }
    if (run->out >= 0) {
        close(run->out);
    }
}

static bool
run_program(int fd, const struct acme_event_program *program,
    const struct acme_event_words *words, struct acme_error *err)
{
    struct run run = { .keeper_fd = fd, .in = -1, .out = -1,
        .rest = acme_bytes_of(words->json),
        .end_ms = now_ms() + (int64_t) program->limit_s * 1000 };
    struct person person;

    if (!acme_program_check(program->path, program->user, err)
        || !choose_person(&person, program, words->live, err)
        || !start(&run, program->path, words, &person, err)) {
        return false;
    }
    run_to_end(&run);
    end(&run, program->limit_s);
    return true;
}

bool
acme_event_run(int fd, const struct acme_event_program *program,
    struct acme_error *err)
{
    struct acme_event_words words;
    char *message = malloc(ACME_EVENT_MAX);

    if (message == NULL) {
        return acme_fail_memory(err);
    }
    signal(SIGPIPE, SIG_IGN);
    /* the supervisor takes the keeper with it, whose end we see */
    prctl(PR_SET_PDEATHSIG, 0);
    if (receive(fd, message, &words)
        && !run_program(fd, program, &words, err)) {
        say(fd, ACME_EVENT_FAILED, err->text);
    }
    free(message);
    return true;
}
