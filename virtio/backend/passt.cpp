#include "virtio/backend/passt.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace coldstart {
namespace {

constexpr int passt_fd = 3; ///< the number passt finds its socket under
constexpr std::size_t max_complaint_bytes = 16ul * 1024;

/// passt goes on without a port it can't have; the user would look for the reason elsewhere.
void check_port_is_free(const PasstForward& forward) {
    const UniqueFd probe(
        ::socket(AF_INET, (forward.udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0));
    const int on = 1;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(forward.host_port);
    if (!probe)
        return; // no IPv4 here: passt knows what to do
    // As passt does: connections of an earlier run that linger do no harm.
    if (!forward.udp)
        ::setsockopt(probe.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
        return;
    const char* protocol = forward.udp ? "UDP" : "TCP";
    throw system_error(cat("port forwarding: ", protocol, " port ", forward.host_port), errno,
                       errno == EACCES ? "ports from 1024 on need no privilege"
                                       : "choose another host port");
}

std::string list_forwards(const PasstOptions& options, bool udp) {
    std::string list;
    for (const PasstForward& forward : options.forwards) {
        if (forward.udp == udp)
            list += cat(list.empty() ? "" : ",", forward.host_port, ":", forward.guest_port);
    }
    return list;
}

std::vector<std::string> arguments_for(const PasstOptions& options) {
    std::vector<std::string> arguments{options.program, "--fd", std::to_string(passt_fd)};
    for (const bool udp : {false, true}) {
        if (std::string list = list_forwards(options, udp); !list.empty()) {
            arguments.emplace_back(udp ? "-u" : "-t");
            arguments.push_back(std::move(list));
        }
    }
    return arguments;
}

struct FileActions {
    FileActions() { ::posix_spawn_file_actions_init(&actions); }
    FileActions(const FileActions&) = delete;
    FileActions& operator=(const FileActions&) = delete;
    ~FileActions() { ::posix_spawn_file_actions_destroy(&actions); }
    posix_spawn_file_actions_t actions;
};

struct Attributes {
    Attributes() {
        ::posix_spawnattr_init(&attributes);
        // Signals meant for this process (Ctrl-C, its masks) are not passt's.
        sigset_t none;
        ::sigemptyset(&none);
        ::posix_spawnattr_setsigmask(&attributes, &none);
        ::posix_spawnattr_setpgroup(&attributes, 0);
        ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    }
    Attributes(const Attributes&) = delete;
    Attributes& operator=(const Attributes&) = delete;
    ~Attributes() { ::posix_spawnattr_destroy(&attributes); }
    posix_spawnattr_t attributes;
};

/// A copy that is out of the way of the numbers 0 to 3, which the child fills.
UniqueFd high_copy(int fd) {
    return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 10));
}

pid_t spawn(const PasstOptions& options, int socket, int complaints) {
    const UniqueFd child_socket = high_copy(socket), child_complaints = high_copy(complaints);
    FileActions files;
    ::posix_spawn_file_actions_addopen(&files.actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&files.actions, child_complaints.get(), STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&files.actions, child_complaints.get(), STDERR_FILENO);
    ::posix_spawn_file_actions_adddup2(&files.actions, child_socket.get(), passt_fd);
    const Attributes attributes;
    std::vector<std::string> arguments = arguments_for(options);
    std::vector<char*> argv;
    for (std::string& argument : arguments)
        argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_t child = -1;
    const int error = ::posix_spawnp(&child, options.program.c_str(), &files.actions,
                                     &attributes.attributes, argv.data(), environ);
    if (error == ENOENT)
        throw Error("user-mode network: passt is not installed",
                    "install it (Debian: apt install passt) or use a TAP interface");
    if (error != 0)
        throw system_error(cat("user-mode network: ", options.program), error);
    return child;
}

/// Until passt has gone to the background or given up.
std::string read_all(int fd) {
    std::string text;
    std::array<char, 1024> chunk;
    for (;;) {
        const ssize_t got = ::read(fd, chunk.data(), chunk.size());
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return text;
        if (text.size() < max_complaint_bytes)
            text.append(chunk.data(), static_cast<std::size_t>(got));
    }
}

/// The last line that says something: passt complains of a missing syslog, too.
std::string last_complaint(const std::string& text) {
    std::string last;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        const std::string line = text.substr(at, end - at);
        if (!line.empty() && line.find("syslog") == std::string::npos)
            last = line;
        at = end + 1;
    }
    return last.empty() ? "it gave no reason" : printable(last, 200);
}

std::string_view remedy(const std::string& complaint) {
    return complaint.find("xternal interface") != std::string::npos
               ? "passt needs an interface with a default route on this host"
               : "run passt by hand to see more";
}

} // namespace

UniqueFd start_passt(const PasstOptions& options) {
    for (const PasstForward& forward : options.forwards)
        check_port_is_free(forward);
    std::array<int, 2> pair{}, pipe{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0)
        throw system_error("user-mode network: socketpair", errno);
    UniqueFd ours(pair[0]), theirs(pair[1]);
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0)
        throw system_error("user-mode network: pipe", errno);
    const UniqueFd complaints(pipe[0]);
    UniqueFd complain(pipe[1]);
    const pid_t child = spawn(options, theirs.get(), complain.get());
    theirs.reset();
    complain.reset();
    const std::string text = read_all(complaints.get());
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        throw Error(cat("user-mode network: passt did not start: ", last_complaint(text)),
                    std::string(remedy(text)));
    return ours;
}

} // namespace coldstart
