#include "vmm/cli/bench/spawn.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ; // NOLINT(readability-redundant-declaration)

namespace coldstart {
namespace {

struct Pipe {
    UniqueFd reader, writer;
};

/// Above what the child's own descriptors are called, so that no dup2 overwrites another's source.
UniqueFd moved_up(int fd) {
    const UniqueFd low(fd);
    UniqueFd high(::fcntl(fd, F_DUPFD_CLOEXEC, 10));
    if (!high)
        throw system_error("a pipe", errno, "allow more open files (ulimit -n)");
    return high;
}

Pipe make_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        throw system_error("a pipe", errno, "allow more open files (ulimit -n)");
    Pipe pipe;
    UniqueFd writer(ends[1]);
    pipe.reader = moved_up(ends[0]);
    pipe.writer = moved_up(writer.release());
    return pipe;
}

void do_not_block(const UniqueFd& fd) {
    ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

class SpawnActions {
  public:
    SpawnActions() {
        ::posix_spawn_file_actions_init(&files_);
        ::posix_spawnattr_init(&attributes_);
        sigset_t none, piped;
        sigemptyset(&none);
        sigemptyset(&piped);
        sigaddset(&piped, SIGPIPE);
        ::posix_spawnattr_setsigmask(&attributes_, &none);
        ::posix_spawnattr_setsigdefault(&attributes_, &piped);
        ::posix_spawnattr_setpgroup(&attributes_, 0);
        ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                     POSIX_SPAWN_SETPGROUP);
    }
    ~SpawnActions() {
        ::posix_spawn_file_actions_destroy(&files_);
        ::posix_spawnattr_destroy(&attributes_);
    }
    SpawnActions(const SpawnActions&) = delete;
    SpawnActions& operator=(const SpawnActions&) = delete;

    void give(const UniqueFd& fd, int as) {
        ::posix_spawn_file_actions_adddup2(&files_, fd.get(), as);
    }
    pid_t spawn(const Words& command) {
        std::vector<char*> words;
        for (const std::string& word : command)
            words.push_back(const_cast<char*>(word.c_str()));
        words.push_back(nullptr);
        pid_t pid = -1;
        const int error =
            ::posix_spawn(&pid, words[0], &files_, &attributes_, words.data(), environ);
        if (error != 0)
            throw system_error(command[0], error, "name a program that can be run");
        return pid;
    }

  private:
    posix_spawn_file_actions_t files_{};
    posix_spawnattr_t attributes_{};
};

} // namespace

ChildProcess::ChildProcess(const Words& command) {
    // Nobody writes to its stdin, and it does not end: some monitors stop when it does.
    Pipe in = make_pipe(), out = make_pipe(), err = make_pipe(), events = make_pipe();
    SpawnActions actions;
    actions.give(in.reader, STDIN_FILENO);
    actions.give(out.writer, STDOUT_FILENO);
    actions.give(err.writer, STDERR_FILENO);
    actions.give(events.writer, events_fd);
    pid_ = actions.spawn(command);
    in_ = std::move(in.writer);
    out_ = std::move(out.reader);
    err_ = std::move(err.reader);
    events_ = std::move(events.reader);
    for (const UniqueFd* fd : {&out_, &err_, &events_})
        do_not_block(*fd);
    pid_fd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    if (!pid_fd_) {
        const int error = errno;
        end();
        throw system_error("pidfd_open", error, "a benchmark needs Linux 5.3 or newer");
    }
}

ChildProcess::~ChildProcess() {
    end();
}

void ChildProcess::signal(int number) const noexcept {
    if (pid_ > 0)
        ::kill(pid_, number);
}

int ChildProcess::end() noexcept {
    if (pid_ <= 0)
        return status_;
    // While the child is not waited for, its number is nobody else's.
    ::kill(-pid_, SIGKILL);
    while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status_;
}

} // namespace coldstart
