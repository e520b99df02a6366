#include "vmm/cli/escape_filter.h"
#include "vmm/cli/terminal.h"

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

using namespace coldstart;

namespace {

struct Fed {
    std::string bytes;
    std::vector<EscapeAction> actions;
};

Fed feed(EscapeFilter& filter, const std::string& typed) {
    const auto result = filter.feed(std::as_bytes(std::span(typed)));
    Fed fed{{}, result.actions};
    for (const std::byte byte : result.for_guest)
        fed.bytes += std::to_integer<char>(byte);
    return fed;
}

/// A pseudo-terminal; the slave is what a shell would hand to coldstart.
struct Pty {
    Pty() : master(::posix_openpt(O_RDWR | O_NOCTTY)) {
        REQUIRE(master >= 0);
        REQUIRE(::grantpt(master) == 0);
        REQUIRE(::unlockpt(master) == 0);
        slave = ::open(::ptsname(master), O_RDWR | O_NOCTTY);
        REQUIRE(slave >= 0);
    }
    ~Pty() {
        ::close(slave);
        ::close(master);
    }
    bool raw() const {
        termios mode{};
        REQUIRE(::tcgetattr(slave, &mode) == 0);
        return (mode.c_lflag & (ICANON | ECHO | ISIG)) == 0;
    }
    int master, slave = -1;
};

/// The test framework and sanitizers catch signals; a child of ours starts as a program does.
void default_signals() {
    for (int signal_number = 1; signal_number < 32; ++signal_number)
        std::signal(signal_number, SIG_DFL);
}

/// Runs `leave` in a child that holds the terminal raw; its wait status.
template <typename Leave>
int child_status(const Pty& pty, Leave leave) {
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        default_signals();
        const RawTerminal terminal(pty.slave);
        if (::write(ready[1], "r", 1) != 1)
            ::_exit(99);
        leave();
        ::_exit(98);
    }
    char byte = 0;
    REQUIRE(::read(ready[0], &byte, 1) == 1);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    ::close(ready[0]);
    ::close(ready[1]);
    return status;
}

} // namespace

TEST_CASE("Ctrl-A and a key are coldstart's, all else is the guest's", "[cli]") {
    EscapeFilter filter;
    CHECK(feed(filter, "ls\n").bytes == "ls\n");
    const Fed quit = feed(filter, "a\x01xb");
    CHECK(quit.bytes == "ab");
    CHECK(quit.actions == std::vector{EscapeAction::quit});
    CHECK(feed(filter, "\x01h\x01?").actions ==
          std::vector{EscapeAction::help, EscapeAction::help});
    CHECK(feed(filter, "\x01\x01").bytes == "\x01");
    CHECK(feed(filter, "\x01q.").bytes == ".");
    CHECK(feed(filter, std::string("\0\x03\x1b[A\xff", 6)).bytes ==
          std::string("\0\x03\x1b[A\xff", 6));
}

TEST_CASE("an escape may be cut between its two bytes", "[cli]") {
    EscapeFilter filter;
    CHECK(feed(filter, "\x01").bytes.empty());
    CHECK(feed(filter, "").bytes.empty());
    const Fed rest = feed(filter, "xx");
    CHECK(rest.actions == std::vector{EscapeAction::quit});
    CHECK(rest.bytes == "x");
}

TEST_CASE("the terminal is raw while held and restored by the destructor", "[cli]") {
    const Pty pty;
    CHECK_FALSE(pty.raw());
    {
        const RawTerminal terminal(pty.slave);
        CHECK(terminal.active());
        CHECK(pty.raw());
    }
    CHECK_FALSE(pty.raw());
    try {
        const RawTerminal terminal(pty.slave);
        throw 1;
    } catch (int) {
        CHECK_FALSE(pty.raw());
    }
}

TEST_CASE("what is no terminal is left alone", "[cli]") {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    CHECK_FALSE(RawTerminal(ends[0]).active());
    CHECK_FALSE(RawTerminal(-1).active());
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST_CASE("signals and exit restore the terminal and end the process as they would", "[cli]") {
    const Pty pty;
    for (const int signal_number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGABRT, SIGSEGV}) {
        INFO("signal " << signal_number);
        const int status = child_status(pty, [&] { ::raise(signal_number); });
        CHECK_FALSE(pty.raw());
        CHECK(WIFSIGNALED(status));
        CHECK(WTERMSIG(status) == signal_number);
    }
    const int status = child_status(pty, [] { std::exit(7); });
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 7);
    CHECK_FALSE(pty.raw());
}

TEST_CASE("stopped it gives the terminal back, continued it takes it again", "[cli]") {
    const Pty pty;
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        default_signals();
        ::setpgid(0, 0);
        const RawTerminal terminal(pty.slave);
        if (::write(ready[1], "r", 1) == 1)
            for (;;)
                ::pause();
        ::_exit(99);
    }
    char byte = 0;
    REQUIRE(::read(ready[0], &byte, 1) == 1);
    CHECK(pty.raw());
    // SIGSTOP's cousin is ignored in an orphaned process group, so that stop isn't waited for long.
    ::kill(child, SIGTSTP);
    int status = 0;
    pid_t waited = 0;
    for (int tries = 0; tries < 200 && waited == 0; ++tries) {
        waited = ::waitpid(child, &status, WUNTRACED | WNOHANG);
        ::usleep(5000);
    }
    if (waited == child && WIFSTOPPED(status)) {
        CHECK_FALSE(pty.raw());
        ::kill(child, SIGCONT);
        for (int tries = 0; tries < 200 && !pty.raw(); ++tries)
            ::usleep(5000);
        CHECK(pty.raw());
    } else {
        WARN("skipped: this process group is orphaned, which can't be stopped");
    }
    ::kill(child, SIGTERM);
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK_FALSE(pty.raw());
    ::close(ready[0]);
    ::close(ready[1]);
}
