/*
 * Privileges and system call filters. A filter is inherited by children and
 * cannot be taken off, which is why the supervisor has none.
 */

#include "helper/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1   /* the leak checker traces its own process */
#else
#define SANITIZED 0
#endif

bool
acme_sandbox_common(struct acme_error *err)
{
    struct rlimit none = { 0, 0 };

    if (setrlimit(RLIMIT_CORE, &none) != 0) {
        return acme_fail_sys(err, "setrlimit");
    }
    if (!SANITIZED && prctl(PR_SET_DUMPABLE, 0) != 0) {
        return acme_fail_sys(err, "prctl(PR_SET_DUMPABLE)");
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return acme_fail_sys(err, "prctl(PR_SET_NO_NEW_PRIVS)");
    }
    return true;
}

bool
acme_sandbox_user(const char *user, struct acme_error *err)
{
    const struct passwd *entry;

    if (geteuid() != 0) {
        return true;
    }
    errno = 0;
    entry = getpwnam(user);
    if (entry == NULL) {
        return acme_fail(err, ACME_MISCONFIG, "no user \"%s\"", user);
    }
    if (entry->pw_uid == 0) {
        return acme_fail(err, ACME_MISCONFIG,
            "acme_user \"%s\" is root: name an unprivileged user", user);
    }
    if (setgroups(0, NULL) != 0
        || setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) != 0
        || setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) != 0) {
        return acme_fail_sys(err, "becoming user \"%s\"", user);
    }
    if (setresuid((uid_t) -1, 0, (uid_t) -1) == 0) {
        return acme_fail(err, ACME_LOCAL, "root could be regained");
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    return true;
}

/* One line of a filter: an action for a call, where one argument compares. */
struct rule {
    uint32_t action;
    int call;
    unsigned count;           /* 0: whatever the arguments, else 1 */
    struct scmp_arg_cmp arg;
};

#define DENY SCMP_ACT_ERRNO(EPERM)
#define ALWAYS 0, { 0 }
#define WHEN(...) 1, __VA_ARGS__
#define HAS(arg, bits) SCMP_CMP64(arg, SCMP_CMP_MASKED_EQ, bits, bits)

static const struct rule no_program[] = {
    { SCMP_ACT_KILL_PROCESS, SCMP_SYS(execve), ALWAYS },
    { SCMP_ACT_KILL_PROCESS, SCMP_SYS(execveat), ALWAYS },
#if !SANITIZED
    { SCMP_ACT_KILL_PROCESS, SCMP_SYS(ptrace), ALWAYS },
#endif
    { SCMP_ACT_KILL_PROCESS, SCMP_SYS(process_vm_readv), ALWAYS },
    { SCMP_ACT_KILL_PROCESS, SCMP_SYS(process_vm_writev), ALWAYS },
    { 0, 0, ALWAYS }
};

static const struct rule no_ports_no_files[] = {
    { DENY, SCMP_SYS(listen), ALWAYS },
    /* getaddrinfo binds a netlink socket; its address alone has 12 bytes */
    { DENY, SCMP_SYS(bind), WHEN(SCMP_A2_64(SCMP_CMP_NE, 12, 0)) },
    { DENY, SCMP_SYS(open), WHEN(HAS(1, O_WRONLY)) },
    { DENY, SCMP_SYS(open), WHEN(HAS(1, O_RDWR)) },
    { DENY, SCMP_SYS(open), WHEN(HAS(1, O_CREAT)) },
    { DENY, SCMP_SYS(creat), ALWAYS },
    /* flags that a filter cannot see */
    { SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2), ALWAYS },
    { SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(io_uring_setup), ALWAYS },
    { DENY, SCMP_SYS(openat), WHEN(HAS(2, O_WRONLY)) },
    { DENY, SCMP_SYS(openat), WHEN(HAS(2, O_RDWR)) },
    { DENY, SCMP_SYS(openat), WHEN(HAS(2, O_CREAT)) },
    { 0, 0, ALWAYS }
};

static const struct rule no_network[] = {
    { DENY, SCMP_SYS(socket), WHEN(SCMP_A0_64(SCMP_CMP_NE, AF_UNIX, 0)) },
    { 0, 0, ALWAYS }
};

static int
add_rules(scmp_filter_ctx filter, const struct rule *rule)
{
    for (; rule->action != 0; rule++) {
        int rc = seccomp_rule_add_array(filter, rule->action, rule->call,
            rule->count, &rule->arg);

        /* a call that this architecture does not have needs no rule */
        if (rc != 0 && rc != -EDOM) {
            return rc;
        }
    }
    return 0;
}

static bool
load_filter(const struct rule *first, const struct rule *second,
    struct acme_error *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int rc;

    if (filter == NULL) {
        return acme_fail_memory(err);
    }
    rc = add_rules(filter, first);
    if (rc == 0) {
        rc = add_rules(filter, second);
    }
    if (rc == 0) {
        rc = seccomp_load(filter);
    }
    seccomp_release(filter);
    if (rc != 0) {
        errno = -rc;
        return acme_fail_sys(err, "loading the system call filter");
    }
    return true;
}

bool
acme_sandbox_agent(struct acme_error *err)
{
    return load_filter(no_program, no_ports_no_files, err);
}

bool
acme_sandbox_keeper(struct acme_error *err)
{
    return load_filter(no_program, no_network, err);
}
