#include "vmm/cli/front.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/cli/completion.h"
#include "vmm/cli/help.h"
#include "vmm/cli/inspect.h"

#include <cerrno>
#include <exception>
#include <new>
#include <string>

#include <unistd.h>

namespace coldstart {
namespace {

/// Writes all of `text`; stdout and stderr have no use for iostream's start-up cost here.
void write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(fd, text.data(), text.size());
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            throw system_error("standard output", errno);
        text.remove_prefix(static_cast<std::size_t>(written));
    }
}

int print(std::string_view text) {
    write_all(STDOUT_FILENO, text);
    return exit_status::powered_off;
}

void complain(std::string_view message) noexcept {
    try {
        write_all(STDERR_FILENO, cat("coldstart: error: ", message, '\n'));
    } catch (...) {
        // Nowhere is left to say it; the exit status still does.
        return;
    }
}

struct Dispatch {
    const CommandHandlers& handlers;

    int operator()(const RunCommand& command) const { return handlers.run(command); }
    int operator()(const ServeCommand& command) const { return handlers.serve(command); }
    int operator()(const DoctorCommand& command) const { return handlers.doctor(command); }
    int operator()(const InspectCommand& command) const {
        return print(command.json ? inspect_json(command.path) : inspect_text(command.path));
    }
    int operator()(const HelpCommand& command) const {
        if (command.asked)
            return print(help_text(command.topic));
        write_all(STDERR_FILENO, help_text(command.topic));
        return exit_status::bad_usage;
    }
    int operator()(const VersionCommand&) const { return print(version_text()); }
    int operator()(const CompletionCommand& command) const {
        return print(completion_script(command.shell));
    }
    int operator()(const CtlCommand& command) const { return run_ctl(command); }
    int operator()(const BenchCommand& command) const { return handlers.bench(command); }
};

} // namespace

int front_main(std::span<const std::string_view> arguments, const CommandHandlers& handlers) {
    try {
        if (!arguments.empty() && arguments.front() == "firecracker")
            return handlers.firecracker(arguments.subspan(1));
        return std::visit(Dispatch{handlers}, parse_command_line(arguments));
    } catch (const Error& error) {
        complain(error.what());
        return error.kind() == ErrorKind::usage ? exit_status::bad_usage : exit_status::host_failed;
    } catch (const std::bad_alloc&) {
        complain("out of memory; free some, or give the guest less with --memory");
    } catch (const std::exception& error) {
        complain(cat("unexpected: ", error.what(), "; please report this"));
    }
    return exit_status::host_failed;
}

} // namespace coldstart
