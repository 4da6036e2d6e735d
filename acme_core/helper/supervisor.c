/*
 * The supervisor: keeps one keeper running and starts, from a fixed table,
 * the children that the keeper asks for. It has no filter, because filters
 * are inherited and a keeper without network could not start a networked
 * agent. It parses nothing but one-byte requests of the keeper.
 *
 * Everything ends with it: children have PDEATHSIG, and it ends when the
 * server's lifetime pipe closes, or when the master has ended although some
 * other process still holds that pipe.
 */

#include "helper/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "keeper/supervised.h"
#include "serve/spawn.h"

extern char **environ;

/*
 * The children a keeper may ask for. `single`: the old one is ended first.
 * `of_master`: its argument is the master's pid, which is our word. What it
 * finds open ends with `last_fd`: the settings are the master's word.
 */
static const struct child_kind {
    char letter;
    bool single;
    bool of_master;
    int last_fd;
    const char *title;
} child_kinds[] = {
    { ACME_ASK_AGENT, true, false, ACME_FD_PARENT, ACME_TITLE_AGENT },
    { ACME_ASK_KEYGEN, false, false, ACME_FD_PARENT, ACME_TITLE_KEYGEN },
    { ACME_ASK_CHECK, false, true, ACME_FD_PARENT, ACME_TITLE_CHECK },
    { ACME_ASK_EVENT, false, false, ACME_FD_SETTINGS, ACME_TITLE_EVENT },
};

enum { RELOADING_MS = 10 * 60 * 1000 };

struct supervisor {
    int signal_fd;
    pid_t master;             /* 0: not known */
    int master_fd;            /* its pidfd, or -1 */
    int64_t reload_by_ms;     /* a reload that began must end then, or 0 */
    int keeper_fd;            /* SEQPACKET to the keeper, or -1 */
    pid_t keeper;             /* 0: not running */
    pid_t agent;
    unsigned keeper_deaths;   /* in a row, for the pause before a restart */
    int keeper_signal;        /* that ended the last one, or 0 */
    int64_t keeper_started_ms;
    int64_t keeper_start_ms;  /* when to start it next */
    unsigned long long life_inode;
    long long loaded_ms;      /* unix time of the start or the last reload */
    bool reloaded;            /* and no keeper was told yet */
};

static int64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* In the child: exactly the descriptors of its role, then exec ourselves. */
static void
become(const char *title, const char *argument, int parent_fd, pid_t parent,
    int last_fd)
{
    char *argv[] = { (char *) title, (char *) argument, NULL };
    sigset_t none;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(1);  /* it died before we asked to die with it */
    }
    if (dup2(parent_fd, ACME_FD_PARENT) < 0) {
        _exit(1);
    }
    close_range((unsigned) last_fd + 1, ~0U, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve("/proc/self/exe", argv, environ);
    _exit(1);
}

/* Fork a child with one end of a new SEQPACKET pair; the other is fd_out. */
static pid_t
start_child(const char *title, const char *argument, int last_fd, int *fd_out)
{
    pid_t self = getpid();
    pid_t pid;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return -1;
    }
    pid = fork();
    if (pid == 0) {
        become(title, argument, pair[1], self, last_fd);
    }
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return -1;
    }
    *fd_out = pair[0];
    return pid;
}

static void
start_keeper(struct supervisor *self)
{
    char argument[64];
    pid_t pid;

    snprintf(argument, sizeof(argument), "%llu %lld %d %d",
        self->life_inode, self->loaded_ms, self->reloaded,
        self->keeper_signal);
    pid = start_child(ACME_TITLE_KEEPER, argument, ACME_FD_PAGE,
        &self->keeper_fd);

    self->keeper_started_ms = now_ms();
    if (pid < 0) {
        self->keeper_start_ms = self->keeper_started_ms + 1000;
        return;
    }
    self->keeper = pid;
    self->reloaded = false;
}

/* Pauses of 0.2, 0.4 ... 60 s between deaths that follow each other. */
static void
keeper_died(struct supervisor *self, int status)
{
    int64_t now = now_ms();
    int64_t pause = 200;

    if (now - self->keeper_started_ms > 60000) {
        self->keeper_deaths = 0;
    }
    for (unsigned i = 0; i < self->keeper_deaths && pause < 60000; i++) {
        pause *= 2;
    }
    self->keeper_deaths++;
    self->keeper_signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    self->keeper = 0;
    self->keeper_start_ms = now + (pause < 60000 ? pause : 60000);
    if (self->keeper_fd >= 0) {
        close(self->keeper_fd);
        self->keeper_fd = -1;
    }
    if (self->agent > 0) {
        kill(self->agent, SIGKILL);
    }
}

static void
reap(struct supervisor *self)
{
    pid_t pid;
    int status;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == self->keeper) {
            keeper_died(self, status);
        } else if (pid == self->agent) {
            self->agent = 0;
        }
    }
}

/* Send the keeper its end of a new child's channel, or the letter alone. */
static void
answer(const struct supervisor *self, char letter, int fd)
{
    char control[CMSG_SPACE(sizeof(int))] = { 0 };
    struct iovec iov = { &letter, 1 };
    struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (fd >= 0) {
        struct cmsghdr *item;

        header.msg_control = control;
        header.msg_controllen = sizeof(control);
        item = CMSG_FIRSTHDR(&header);
        item->cmsg_level = SOL_SOCKET;
        item->cmsg_type = SCM_RIGHTS;
        item->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(item), &fd, sizeof(int));
    }
    /* A keeper that does not read loses its answer, not the supervisor. */
    (void) sendmsg(self->keeper_fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
serve_request(struct supervisor *self, const struct child_kind *kind,
    const char *argument)
{
    char master[16];
    int fd = -1;
    pid_t pid = 0;

    if (kind->single && self->agent > 0) {
        kill(self->agent, SIGKILL);
    }
    if (kind->of_master) {
        snprintf(master, sizeof(master), "%d", (int) self->master);
        argument = master;
    }
    if (!kind->of_master || self->master > 0) {
        pid = start_child(kind->title, argument, kind->last_fd, &fd);
    }
    if (kind->single && pid > 0) {
        self->agent = pid;
    }
    answer(self, kind->letter, fd);
    if (fd >= 0) {
        close(fd);
    }
}

/* One request: a letter of the table, and the child's one argument. */
static void
serve_keeper(struct supervisor *self)
{
    char request[ACME_ASK_MAX + 1];
    ssize_t len = recv(self->keeper_fd, request, ACME_ASK_MAX, MSG_DONTWAIT);

    if (len <= 0) {
        if (len == 0 && self->keeper > 0) {
            kill(self->keeper, SIGKILL);  /* reaped and restarted as usual */
            close(self->keeper_fd);
            self->keeper_fd = -1;
        }
        return;
    }
    request[len] = '\0';
    for (size_t i = 0; i < sizeof(child_kinds) / sizeof(*child_kinds); i++) {
        if (child_kinds[i].letter == request[0]) {
            serve_request(self, &child_kinds[i], request + 1);
        }
    }
}

/* What the master says of reloads; false when it lets go of us. */
static bool
take_word(struct supervisor *self, char word)
{
    switch (word) {
    case ACME_LIFE_END:
        return false;
    case ACME_LIFE_RELOADED:
        self->reload_by_ms = 0;
        self->loaded_ms = (long long) time(NULL) * 1000;
        self->reloaded = self->keeper_fd < 0;  /* for the next keeper */
        answer(self, ACME_TELL_RELOAD, -1);
        break;
    case ACME_LIFE_RELOADING:
        self->reload_by_ms = now_ms() + RELOADING_MS;
        break;
    }
    return true;
}

/* The end of the pipe is ours. */
static bool
server_lives(struct supervisor *self)
{
    char words[64];
    ssize_t len = read(ACME_FD_LIFE, words, sizeof(words));

    for (ssize_t i = 0; i < len; i++) {
        if (!take_word(self, words[i])) {
            return false;
        }
    }
    return len > 0 || (len < 0 && (errno == EAGAIN || errno == EINTR));
}

static int
watch_children(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    /* Our life is the pipe: signals meant for the server do not end us. */
    sigprocmask(SIG_BLOCK, &set, NULL);
    sigdelset(&set, SIGHUP);
    sigdelset(&set, SIGINT);
    sigdelset(&set, SIGTERM);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Milliseconds until something is to be done, -1 = nothing. */
static int
time_to_wait(const struct supervisor *self)
{
    int64_t wake_ms = INT64_MAX;
    int64_t left;

    if (self->keeper == 0) {
        wake_ms = self->keeper_start_ms;
    }
    if (self->reload_by_ms > 0 && self->reload_by_ms < wake_ms) {
        wake_ms = self->reload_by_ms;
    }
    if (wake_ms == INT64_MAX) {
        return -1;
    }
    left = wake_ms - now_ms();
    return left > 0 ? (int) left : 0;
}

static void
loop(struct supervisor *self)
{
    enum { LIFE, MASTER, SIGNALS, KEEPER, FDS };

    for (;;) {
        struct pollfd fds[FDS] = {
            [LIFE] = { ACME_FD_LIFE, POLLIN, 0 },
            [MASTER] = { self->master_fd, POLLIN, 0 },
            [SIGNALS] = { self->signal_fd, POLLIN, 0 },
            [KEEPER] = { self->keeper_fd, POLLIN, 0 },
        };
        struct signalfd_siginfo info;

        if (poll(fds, FDS, time_to_wait(self)) < 0 && errno != EINTR) {
            return;
        }
        if ((fds[LIFE].revents != 0 && !server_lives(self))
            || fds[MASTER].revents != 0
            || (self->reload_by_ms > 0 && now_ms() >= self->reload_by_ms)) {
            return;
        }
        while (read(self->signal_fd, &info, sizeof(info)) > 0) {
        }
        if (self->keeper_fd >= 0 && fds[KEEPER].revents != 0) {
            serve_keeper(self);
        }
        reap(self);
        if (self->keeper == 0 && now_ms() >= self->keeper_start_ms) {
            start_keeper(self);
        }
    }
}

int
acme_supervisor_run(const char *argument)
{
    struct supervisor self = { .master_fd = -1, .keeper_fd = -1,
        .loaded_ms = strtoll(argument, NULL, 10),
        .reloaded = strstr(argument, ACME_ARGUMENT_RELOAD) != NULL };
    struct stat life;

    if (fstat(ACME_FD_LIFE, &life) != 0 || !S_ISFIFO(life.st_mode)) {
        fprintf(stderr, "acme-helper is started by the web server\n");
        return 1;
    }
    self.life_inode = life.st_ino;
    fcntl(ACME_FD_LIFE, F_SETFL, O_NONBLOCK);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (strstr(argument, ACME_ARGUMENT_CHILD) != NULL) {
        self.master = getppid();
        self.master_fd = (int) syscall(SYS_pidfd_open, self.master, 0);
    }
    self.signal_fd = watch_children();
    if (self.signal_fd < 0) {
        return 1;
    }
    loop(&self);
    return 0;
}
