#include "vmm/cli/run.h"

#include "api/json/metadata_store.h"
#include "vmm/base/error.h"
#include "vmm/base/log.h"
#include "vmm/base/text.h"
#include "vmm/base/unique_fd.h"
#include "vmm/cli/escape_filter.h"
#include "vmm/cli/front.h"
#include "vmm/cli/terminal.h"
#include "vmm/runtime/control/post_code_log.h"
#include "vmm/runtime/screen/png.h"
#include "vmm/runtime/streams/streams.h"
#include "vmm/runtime/virtual_machine.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <optional>

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>

namespace coldstart {
namespace {

/// Where diagnostics go while the machine runs.
class LogTarget {
  public:
    LogTarget(LogLevel level, const std::string& path) {
        set_log_level(level);
        if (path.empty())
            return;
        file_.reset(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
        if (!file_)
            throw system_error("--log " + path, errno, "give a path that can be written");
        set_log_target(file_.get());
    }
    ~LogTarget() { set_log_target(STDERR_FILENO); }
    LogTarget(const LogTarget&) = delete;
    LogTarget& operator=(const LogTarget&) = delete;

  private:
    UniqueFd file_;
};

/// TERM, INT and HUP as events of the I/O loop: the first presses the power button, the next stops
/// the machine. QUIT stops it at once.
class SignalWatch {
  public:
    SignalWatch(IoLoop& loop) {
        sigset_t signals;
        sigemptyset(&signals);
        for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT})
            sigaddset(&signals, number);
        // Threads made from here on inherit the mask.
        ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
        fd_.reset(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
        if (!fd_)
            throw system_error("signalfd", errno);
        watch_ = loop.watch(fd_.get(), POLLIN, [this](std::uint32_t) { take(); });
    }

    /// Signals before this wait.
    void deliver_to(VirtualMachine& machine) { machine_ = &machine; }

  private:
    void take() {
        signalfd_siginfo info{};
        while (machine_ != nullptr && ::read(fd_.get(), &info, sizeof info) == sizeof info) {
            const int number = static_cast<int>(info.ssi_signo);
            if (asked_ || number == SIGQUIT)
                machine_->stop(number);
            else
                machine_->press_power_button(number);
            asked_ = true;
        }
    }

    UniqueFd fd_;
    std::unique_ptr<Watch> watch_;
    VirtualMachine* machine_ = nullptr;
    bool asked_ = false;
};

/// The streams behind the machine's consoles.
class Consoles {
  public:
    Consoles(IoLoop& loop, const VmConfig& config) {
        const bool com1_on_terminal =
            config.serial.kind == SerialConfig::Kind::stdio && !config.virtio_console;
        if (com1_on_terminal || config.virtio_console)
            terminal_ = open_terminal(loop);
        com1_ = com1_on_terminal ? nullptr : open_serial(loop, config.serial);
        if (!config.debugcon_path.empty())
            debugcon_ = open_file_stream(loop, config.debugcon_path);
    }

    std::map<std::string, ByteStream*, std::less<>> by_name() {
        std::map<std::string, ByteStream*, std::less<>> streams;
        streams["com1"] = com1_ ? com1_.get() : terminal_.get();
        if (com1_ && terminal_)
            streams["console"] = terminal_.get();
        streams["com2"] = &nobody_;
        if (debugcon_)
            streams["debugcon"] = debugcon_.get();
        return streams;
    }

    bool use_terminal() const noexcept { return terminal_ != nullptr; }
    void deliver_quit_to(VirtualMachine& machine) { machine_ = &machine; }

  private:
    std::unique_ptr<ByteStream> open_terminal(IoLoop& loop) {
        InputFilter filter;
        if (::isatty(STDIN_FILENO) != 0)
            filter = [this](ByteView typed) { return take_keys(typed); };
        return open_fd_stream(loop, "the terminal", STDIN_FILENO, STDOUT_FILENO, std::move(filter));
    }

    static std::unique_ptr<ByteStream> open_serial(IoLoop& loop, const SerialConfig& serial) {
        switch (serial.kind) {
        case SerialConfig::Kind::file:
            return open_file_stream(loop, serial.path);
        case SerialConfig::Kind::socket:
            return open_socket_stream(loop, serial.path);
        case SerialConfig::Kind::pty: {
            std::string path;
            auto stream = open_pty_stream(loop, path);
            std::fprintf(stderr, "coldstart: the serial console is at %s\n", path.c_str());
            return stream;
        }
        case SerialConfig::Kind::stdio:
        case SerialConfig::Kind::none:
            break;
        }
        return std::make_unique<NullStream>();
    }

    std::vector<std::byte> take_keys(ByteView typed) {
        EscapeFilter::Result result = keys_.feed(typed);
        for (const EscapeAction action : result.actions) {
            if (action == EscapeAction::help)
                std::fputs(escape_help().data(), stderr);
            else if (machine_ != nullptr && action == EscapeAction::pause)
                machine_->pause_or_resume();
            else if (machine_ != nullptr)
                machine_->stop(0);
        }
        return std::move(result.for_guest);
    }

    EscapeFilter keys_;
    VirtualMachine* machine_ = nullptr;
    std::unique_ptr<ByteStream> terminal_;
    std::unique_ptr<ByteStream> com1_;
    std::unique_ptr<ByteStream> debugcon_;
    NullStream nobody_;
};

/// Empty in a graphics mode.
void write_screen_text(const std::string& path, const std::optional<TextScreen>& text) {
    std::ofstream file(path, std::ios::trunc);
    if (text) {
        for (const std::string& line : text->lines())
            file << line << '\n';
    }
    file.flush();
    if (!file)
        throw system_error("--screen-text " + path, errno, "give a path that can be written");
}

std::optional<ControlQueue::TimePoint> deadline_of(const VmConfig& config,
                                                   ControlQueue::TimePoint start) {
    if (!config.timeout_s)
        return std::nullopt;
    return start + std::chrono::duration_cast<ControlQueue::TimePoint::duration>(
                       std::chrono::duration<double>(*config.timeout_s));
}

/// The last picture, as the flags ask for it; what can't be written is said and is no failure of
/// the run.
void save_screen(const Screen& screen, const VmConfig& config) {
    try {
        if (!config.screenshot_path.empty())
            write_png(config.screenshot_path, screen.image());
        if (!config.screen_text_path.empty())
            write_screen_text(config.screen_text_path, screen.text());
    } catch (const Error& error) {
        log_error(error.what());
    }
}

int report(const RunEnd& end, const VmConfig& config) {
    switch (end.reason) {
    case EndReason::powered_off:
        return exit_status::powered_off;
    case EndReason::rebooted:
        return exit_status::guest_rebooted;
    case EndReason::guest_exited:
        return end.status;
    case EndReason::crashed:
        std::fprintf(stderr, "coldstart: error: the guest crashed: %s\n", end.description.c_str());
        return exit_status::guest_crashed;
    case EndReason::timed_out:
        std::fprintf(stderr, "coldstart: error: --timeout: the guest still ran after %g s\n",
                     *config.timeout_s);
        return exit_status::timed_out;
    case EndReason::stopped:
        return end.signal == 0 ? exit_status::powered_off : exit_status::signal_base + end.signal;
    }
    return exit_status::host_failed;
}

} // namespace

int run_command(const RunCommand& command) {
    const auto start = std::chrono::steady_clock::now();
    const VmConfig& config = command.config;
    const LogTarget log(command.log_level, command.log_path);
    set_log_name(config.id);
    ignore_write_signals();

    IoLoop loop;
    SignalWatch signals(loop);
    Consoles consoles(loop, config);
    PostCodeLog post_codes(config.post_codes_path);
    MetadataStore metadata;
    if (!command.metadata_path.empty())
        put_metadata_file(metadata, command.metadata_path);
    RunEnd end;
    {
        VirtualMachine machine(config, HostSide{consoles.by_name(), post_codes, &metadata}, loop);
        signals.deliver_to(machine);
        consoles.deliver_quit_to(machine);
        std::optional<RawTerminal> raw;
        if (consoles.use_terminal())
            raw.emplace(STDIN_FILENO);
        end = machine.run(deadline_of(config, start));
        if (const Screen* screen = machine.screen())
            save_screen(*screen, config);
    }
    return report(end, config);
}

} // namespace coldstart
