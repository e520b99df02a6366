/* Runs a program one instruction at a time and writes which of its code it went through: the addresses of
 * the 16-byte pieces, in hexadecimal, one a line. For programs linked at a fixed address (not PIE).
 *
 *   step-trace OUTPUT PROGRAM [ARGUMENT...]      exit status: the program's
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { base = 0x400000, span = 0x2000000, piece = 16 };

static unsigned char seen[span / piece];

static void note(pid_t thread) {
    const long ip = ptrace(PTRACE_PEEKUSER, thread, offsetof(struct user_regs_struct, rip), 0);
    if (ip >= base && ip < base + span)
        seen[(ip - base) / piece] = 1;
}

/* All threads, from exec to the end of the first one: its exit status. */
static int step_through(pid_t child) {
    int status;
    waitpid(child, &status, 0);
    ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL);
    ptrace(PTRACE_SINGLESTEP, child, 0, 0);
    for (;;) {
        const pid_t thread = waitpid(-1, &status, __WALL);
        if (thread < 0)
            return 1;
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (thread == child)
                return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
            continue;
        }
        const int signal = WSTOPSIG(status);
        if (signal == SIGTRAP)
            note(thread);
        /* A new thread begins with a SIGSTOP of the tracer's. */
        ptrace(PTRACE_SINGLESTEP, thread, 0, signal == SIGTRAP || signal == SIGSTOP ? 0 : signal);
    }
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "use: step-trace OUTPUT PROGRAM [ARGUMENT...]\n");
        return 2;
    }
    const pid_t child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        execv(argv[2], argv + 2);
        _exit(127);
    }
    const int status = step_through(child);
    FILE *output = fopen(argv[1], "w");
    if (output == NULL) {
        perror(argv[1]);
        return 1;
    }
    for (unsigned i = 0; i < sizeof seen; ++i) {
        if (seen[i])
            fprintf(output, "%x\n", base + i * piece);
    }
    return fclose(output) == 0 ? status : 1;
}
