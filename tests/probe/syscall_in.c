/*
 * Makes one system call in another process and prints what it returned:
 *
 *     syscall_in PID NUMBER [ARGUMENT ...]
 *
 * An argument is a number, or a string when it begins with a slash; strings
 * lie below that process's stack while the call is made. So a test can try
 * what a worker could do that an attacker has taken over. x86-64 only; 77 is
 * the exit status where tracing is not possible.
 */

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

enum { ARGUMENTS = 6, TEXT_MAX = 256, RED_ZONE = 1024, SKIP = 77 };

#if defined(__x86_64__)

static void
fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(SKIP);
}

/* Into the other process, word by word. */
static void
put(pid_t pid, uint64_t at, const char *text)
{
    char padded[TEXT_MAX] = "";
    uint64_t word;

    strncpy(padded, text, sizeof(padded) - 1);
    for (size_t i = 0; i < sizeof(padded); i += sizeof(word)) {
        memcpy(&word, padded + i, sizeof(word));
        if (ptrace(PTRACE_POKEDATA, pid, at + i, word) != 0) {
            fail("writing an argument");
        }
    }
}

static uint64_t
argument(pid_t pid, const char *text, uint64_t room)
{
    if (text[0] != '/') {
        return strtoull(text, NULL, 0);
    }
    put(pid, room, text);
    return room;
}

/* "syscall; int3" at the present instruction, then everything as it was. */
static long long
call(pid_t pid, int argc, char **argv)
{
    struct user_regs_struct saved, regs;
    uint64_t value[ARGUMENTS] = { 0 };
    int status;
    long code;

    if (ptrace(PTRACE_GETREGS, pid, NULL, &saved) != 0) {
        fail("reading registers");
    }
    regs = saved;
    for (int i = 1; i < argc && i <= ARGUMENTS; i++) {
        value[i - 1] = argument(pid, argv[i],
            (saved.rsp - RED_ZONE - (uint64_t) i * TEXT_MAX) & ~15ULL);
    }
    errno = 0;
    code = ptrace(PTRACE_PEEKTEXT, pid, saved.rip, NULL);
    if (errno != 0 || ptrace(PTRACE_POKETEXT, pid, saved.rip,
            (code & ~0xffffffL) | 0xcc050fL) != 0) {
        fail("writing the call");
    }
    regs.rax = strtoull(argv[0], NULL, 0);
    regs.orig_rax = (uint64_t) -1;   /* no call to be restarted */
    regs.rdi = value[0];
    regs.rsi = value[1];
    regs.rdx = value[2];
    regs.r10 = value[3];
    regs.r8 = value[4];
    regs.r9 = value[5];
    if (ptrace(PTRACE_SETREGS, pid, NULL, &regs) != 0
        || ptrace(PTRACE_CONT, pid, NULL, NULL) != 0
        || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)
        || ptrace(PTRACE_GETREGS, pid, NULL, &regs) != 0) {
        fail("making the call");
    }
    ptrace(PTRACE_POKETEXT, pid, saved.rip, code);
    ptrace(PTRACE_SETREGS, pid, NULL, &saved);
    return (long long) regs.rax;
}

int
main(int argc, char **argv)
{
    pid_t pid = argc >= 3 ? (pid_t) atol(argv[1]) : 0;
    long long value;
    int status;

    if (pid <= 0) {
        fprintf(stderr, "usage: syscall_in PID NUMBER [ARGUMENT ...]\n");
        return 1;
    }
    if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) != 0
        || waitpid(pid, &status, 0) != pid) {
        fail("attaching");
    }
    value = call(pid, argc - 2, argv + 2);
    ptrace(PTRACE_DETACH, pid, NULL, NULL);
    if (value < 0 && value > -4096) {
        printf("%s\n", strerrorname_np((int) -value));
    } else {
        printf("%lld\n", value);
    }
    return 0;
}

#else

int
main(void)
{
    return SKIP;
}

#endif
