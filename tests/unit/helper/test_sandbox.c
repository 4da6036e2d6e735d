/* What each role can no longer do; each try is a process of its own. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper/sandbox.h"

/* What a try in the sandbox came to: an errno (0: it worked), or a signal. */
enum { KILLED = 1000, NO_SANDBOX = 254, NO_SOCKET = 253 };

static char path[64];          /* of a file that does not exist */

static int
result(int value)
{
    return value >= 0 ? 0 : errno;
}

static int
in_sandbox(bool (*enter)(struct acme_error *), int (*try)(void))
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        struct acme_error err;

        if (!acme_sandbox_common(&err) || !enter(&err)) {
            _exit(NO_SANDBOX);
        }
        _exit(try());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? KILLED + WTERMSIG(status)
                               : WEXITSTATUS(status);
}

/* ---- tries */

static int
run_program(void)
{
    char *const argv[] = { (char *) "true", NULL };

    return result(execv("/bin/true", argv));
}

static int
run_program_by_fd(void)
{
    char *const argv[] = { (char *) "true", NULL };

    return result(fexecve(open("/bin/true", O_RDONLY), argv, argv + 1));
}

static int
read_other_memory(void)
{
    char byte;
    struct iovec iov = { &byte, 1 };

    return result((int) process_vm_readv(getppid(), &iov, 1, &iov, 1, 0));
}

static int
open_internet(void)
{
    return result(socket(AF_INET, SOCK_STREAM, 0));
}

static int
open_internet_6(void)
{
    return result(socket(AF_INET6, SOCK_DGRAM, 0));
}

static int
open_netlink(void)
{
    return result(socket(AF_NETLINK, SOCK_RAW, 0));
}

static int
open_local(void)
{
    return result(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int
read_file(void)
{
    return result(open("/etc/passwd", O_RDONLY));
}

static int
write_file(void)
{
    return result(open("/dev/null", O_WRONLY));
}

static int
change_file(void)
{
    return result(open("/dev/null", O_RDWR));
}

static int
make_file(void)
{
    return result(open(path, O_RDONLY | O_CREAT, 0600));
}

static int
creat_file(void)
{
    return result(creat(path, 0600));
}

/* Flags in memory, where a filter cannot look. */
static int
open_by_struct(void)
{
    uint64_t how[3] = { O_RDONLY };

    return result((int) syscall(SYS_openat2, AT_FDCWD, "/", how,
        sizeof(how)));
}

static int
listen_on_loopback(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    return fd < 0 ? NO_SOCKET : result(listen(fd, 1));
}

static int
bind_loopback(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return fd < 0 ? NO_SOCKET
        : result(bind(fd, (struct sockaddr *) &address, sizeof(address)));
}

static int
bind_path(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    strcpy(address.sun_path, path);
    return fd < 0 ? NO_SOCKET
        : result(bind(fd, (struct sockaddr *) &address, sizeof(address)));
}

static int
gain_privileges(void)
{
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? EPERM : 0;
}

static int
dump_core(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0 ? EPERM
                                                                      : 0;
}

static const struct {
    const char *what;
    int (*try)(void);
    int agent, keeper;         /* what it comes to */
} rows[] = {
    { "run a program", run_program, KILLED + SIGSYS, KILLED + SIGSYS },
    { "run an open file", run_program_by_fd, KILLED + SIGSYS,
        KILLED + SIGSYS },
    { "read another's memory", read_other_memory, KILLED + SIGSYS,
        KILLED + SIGSYS },
    { "open an internet socket", open_internet, 0, EPERM },
    { "open an IPv6 socket", open_internet_6, 0, EPERM },
    { "open a netlink socket", open_netlink, 0, EPERM },
    { "open a local socket", open_local, 0, 0 },
    { "read a file", read_file, 0, 0 },
    { "write a file", write_file, EPERM, 0 },
    { "change a file", change_file, EPERM, 0 },
    { "make a file", make_file, EPERM, 0 },
    { "make a file the old way", creat_file, EPERM, 0 },
    { "open by a struct", open_by_struct, ENOSYS, 0 },
    { "listen", listen_on_loopback, EPERM, NO_SOCKET },
    { "bind a port", bind_loopback, EPERM, NO_SOCKET },
    { "bind a path", bind_path, EPERM, 0 },
    { "gain privileges", gain_privileges, EPERM, EPERM },
    { "dump core", dump_core, EPERM, EPERM },
};

static void
agent_and_keeper_cannot_do_each_others_work(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int got;

        got = in_sandbox(acme_sandbox_agent, rows[i].try);
        if (got != rows[i].agent) {
            fail_msg("agent, %s: %d", rows[i].what, got);
        }
        unlink(path);
        got = in_sandbox(acme_sandbox_keeper, rows[i].try);
        if (got != rows[i].keeper) {
            fail_msg("keeper, %s: %d", rows[i].what, got);
        }
        unlink(path);
    }
}

/* ---- users */

static bool
become_nobody(struct acme_error *err)
{
    return acme_sandbox_user("nobody", err);
}

static int
be_anybody_else(void)
{
    gid_t groups[8];

    if (getuid() == 0 || geteuid() == 0 || getgid() == 0 || getegid() == 0
        || getgroups(8, groups) != 0) {
        return 1;
    }
    return setuid(0) == 0 || setresuid(0, 0, 0) == 0 || setgid(0) == 0
        || setgroups(0, NULL) == 0 ? 2 : 0;
}

static void
a_user_is_changed_for_good(void **state)
{
    (void) state;
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(in_sandbox(become_nobody, be_anybody_else), 0);
}

static void
an_agent_cannot_be_root_or_a_stranger(void **state)
{
    struct acme_error err;

    (void) state;
    if (geteuid() != 0) {
        skip();
    }
    assert_false(acme_sandbox_user("no-such-user-here", &err));
    assert_int_equal(err.verdict, ACME_MISCONFIG);
    assert_non_null(strstr(err.text, "no-such-user-here"));
    assert_false(acme_sandbox_user("root", &err));
    assert_int_equal(err.verdict, ACME_MISCONFIG);
    assert_non_null(strstr(err.text, "name an unprivileged user"));
    assert_int_equal(geteuid(), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agent_and_keeper_cannot_do_each_others_work),
        cmocka_unit_test(a_user_is_changed_for_good),
        cmocka_unit_test(an_agent_cannot_be_root_or_a_stranger),
    };

    snprintf(path, sizeof(path), "/tmp/acme-test-sandbox-%d", (int) getpid());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
