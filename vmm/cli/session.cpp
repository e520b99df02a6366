#include "vmm/cli/session.h"

#include "api/http/api_handler.h"
#include "api/http/http_server.h"
#include "api/http/unix_socket.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/log.h"
#include "vmm/base/monotonic.h"
#include "vmm/base/text.h"
#include "vmm/base/unique_fd.h"
#include "vmm/cli/display/terminal_display.h"
#include "vmm/cli/escape_filter.h"
#include "vmm/cli/event_file.h"
#include "vmm/cli/front.h"
#include "vmm/cli/terminal.h"
#include "vmm/runtime/control/machine_controller.h"
#include "vmm/runtime/screen/png.h"
#include "vmm/runtime/timeline/timeline_file.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <utility>

#include <poll.h>
#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace coldstart {
namespace {

/// TERM, INT and HUP as events of the host's loop: the first presses the power button or stops the
/// machine, the next stops it. QUIT stops it at once.
class SignalWatch {
  public:
    explicit SignalWatch(bool press_button) : press_button_(press_button) {
        sigset_t signals;
        sigemptyset(&signals);
        for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT})
            sigaddset(&signals, number);
        // Threads made from here on inherit the mask.
        ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
        fd_.reset(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
        if (!fd_)
            throw system_error("signalfd", errno);
    }

    void deliver(IoLoop& loop, MachineController& machine) {
        watch_ = loop.watch(fd_.get(), POLLIN, [this, &machine](std::uint32_t) { take(machine); });
    }
    void end() noexcept { watch_.reset(); }

  private:
    void take(MachineController& machine) {
        signalfd_siginfo info{};
        while (::read(fd_.get(), &info, sizeof info) == sizeof info) {
            const int number = static_cast<int>(info.ssi_signo);
            if (press_button_ && !asked_ && number != SIGQUIT)
                machine.press_power_button(number);
            else
                machine.stop(number);
            asked_ = true;
        }
    }

    const bool press_button_;
    UniqueFd fd_;
    std::unique_ptr<Watch> watch_;
    bool asked_ = false;
};

/// The keys of a terminal that are not for the guest.
class Keys {
  public:
    InputFilter filter() {
        return [this](ByteView typed) {
            EscapeFilter::Result result = escape_.feed(typed);
            for (const EscapeAction action : result.actions) {
                if (action == EscapeAction::help)
                    std::fputs(escape_help().data(), stderr);
                else
                    act(action);
            }
            return std::move(result.for_guest);
        };
    }
    /// The same keys, where the terminal is the guest's display.
    DisplayKeys of_display() {
        return {[this](std::vector<KeyStroke> strokes) {
                    if (machine_ != nullptr)
                        machine_->press_keys(std::move(strokes));
                },
                [this](EscapeAction action) { act(action); }};
    }
    /// Before a machine runs.
    void deliver_to(MachineController& machine) { machine_ = &machine; }

  private:
    void act(EscapeAction action) {
        if (machine_ == nullptr)
            return;
        if (action == EscapeAction::pause)
            machine_->pause_or_resume();
        else if (action == EscapeAction::ctrl_alt_delete)
            machine_->press_keys({{{KeyCode::left_ctrl, true},
                                   {KeyCode::left_alt, true},
                                   {KeyCode::del, true},
                                   {KeyCode::del, false},
                                   {KeyCode::left_alt, false},
                                   {KeyCode::left_ctrl, false}}});
        else if (action == EscapeAction::quit)
            machine_->stop(0);
    }

    EscapeFilter escape_;
    MachineController* machine_ = nullptr;
};

/// Ends a display before the machine that it shows.
class DisplayEnd {
  public:
    explicit DisplayEnd(TerminalDisplay* display) noexcept : display_(display) {}
    ~DisplayEnd() {
        if (display_ != nullptr)
            display_->end();
    }
    DisplayEnd(const DisplayEnd&) = delete;
    DisplayEnd& operator=(const DisplayEnd&) = delete;

  private:
    TerminalDisplay* const display_;
};

/// The control socket, open as long as this is there.
class ApiServer {
  public:
    ApiServer(const ApiOptions& options, RequestHandler& machine) : handler_(machine) {
        UniqueFd socket = listening_socket(options);
        HttpServerOptions http;
        http.max_body_bytes = options.max_body_bytes;
        server_ = std::make_unique<HttpServer>(http, std::move(socket), handler_);
        server_->start();
        if (options.ready_fd)
            tell_ready(UniqueFd(*options.ready_fd));
    }

  private:
    UniqueFd listening_socket(const ApiOptions& options) {
        if (options.socket_fd)
            return listening_fd_passed(*options.socket_fd);
        if (options.socket_by_systemd) {
            if (UniqueFd passed = listening_fd_passed())
                return passed;
        }
        if (options.socket_path.empty())
            throw UsageError("the control socket: none is passed in (LISTEN_FDS), and none named",
                             "add --api-sock PATH");
        UniqueFd made = listen_unix(options.socket_path);
        path_ = SocketPath(options.socket_path);
        return made;
    }

    static void tell_ready(const UniqueFd& fd) {
        constexpr std::string_view text = "READY=1\n";
        if (::write(fd.get(), text.data(), text.size()) < 0)
            throw system_error(cat("--ready-fd ", fd.get()), errno,
                               "pass a descriptor that is open for writing");
    }

    SocketPath path_;
    ApiHandler handler_;
    std::unique_ptr<HttpServer> server_;
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

std::optional<ControlQueue::TimePoint> deadline_of(const VmConfig& config,
                                                   ControlQueue::TimePoint start) {
    if (!config.timeout_s)
        return std::nullopt;
    return start + std::chrono::duration_cast<ControlQueue::TimePoint::duration>(
                       std::chrono::duration<double>(*config.timeout_s));
}

/// A thread's stack of 8 MiB, the usual size, is where a host with large pages everywhere
/// (transparent_hugepage=always) puts one of 2 MiB when its first byte is written.
void keep_stacks_small() noexcept {
    constexpr std::size_t stack_bytes = 1 * MiB;
    pthread_attr_t attributes;
    if (::pthread_attr_init(&attributes) != 0)
        return;
    if (::pthread_attr_setstacksize(&attributes, stack_bytes) == 0)
        ::pthread_setattr_default_np(&attributes);
    ::pthread_attr_destroy(&attributes);
}

} // namespace

std::string_view end_name(EndReason reason) noexcept {
    switch (reason) {
    case EndReason::powered_off:
        return "powered off";
    case EndReason::rebooted:
        return "rebooted";
    case EndReason::guest_exited:
        return "exited by the guest";
    case EndReason::crashed:
        return "crashed";
    case EndReason::timed_out:
        return "timed out";
    case EndReason::stopped:
        break;
    }
    return "stopped";
}

int run_session(SessionOptions options) {
    const ProcessStart start = process_start();
    const TimelineFiles timeline(options.config.timeline_paths, start);
    const auto deadline = deadline_of(options.config, std::chrono::steady_clock::now());
    set_log_name(options.config.id);
    ignore_write_signals();
    keep_stacks_small();

    SignalWatch signals(options.signals_press_button);
    Keys keys;
    std::optional<RawTerminal> raw;
    const bool read_stdin = options.read_stdin;
    std::unique_ptr<TerminalDisplay> display;
    if (options.display_on_terminal)
        display = std::make_unique<TerminalDisplay>(STDIN_FILENO, STDOUT_FILENO, keys.of_display());
    IoLoop host_loop;
    MachineController machine(
        options.config, host_loop,
        {.start_ns = start.time_ns,
         .timeline = timeline.wanted() ? TimelineRecorder::Extent::everything
                                       : TimelineRecorder::Extent::milestones,
         .metadata_limit_bytes = options.metadata_limit_bytes,
         .read_stdin = read_stdin,
         .terminal_keys = keys.filter(),
         .on_start =
             [&raw, read_stdin](const VmConfig& config) {
                 if (read_stdin && Consoles::use_terminal(config))
                     raw.emplace(STDIN_FILENO);
             },
         .on_running =
             [&](const Screen* screen) {
                 if (!display || screen == nullptr)
                     return;
                 raw.emplace(STDOUT_FILENO,
                             TerminalTexts{TerminalDisplay::enter, TerminalDisplay::leave});
                 display->begin(host_loop, *screen);
             }});
    std::optional<EventFile> events;
    if (!options.events_path.empty())
        events.emplace(options.events_path, machine);
    const DisplayEnd display_end(display.get());
    keys.deliver_to(machine);
    signals.deliver(host_loop, machine);
    host_loop.start();
    if (!options.metadata_path.empty())
        put_metadata_file(machine.metadata(), options.metadata_path);
    try {
        for (const Request& request : options.requests)
            machine.configure(request);
    } catch (const Error& error) {
        throw ConfigurationRefused(error);
    }

    std::optional<ApiServer> server;
    if (options.api.wanted()) {
        server.emplace(options.api, machine);
        machine.api_listens();
    }
    const auto write_timeline = [&](std::string reason, int status, std::uint64_t time_ns) {
        if (timeline.wanted())
            timeline.write(machine.config(), machine.timeline(),
                           {std::move(reason), status, time_ns});
    };
    RunEnd end;
    try {
        end = machine.run(options.start_at_once ? MachineController::Begin::at_once
                                                : MachineController::Begin::when_asked,
                          deadline);
    } catch (const Error& error) {
        write_timeline(error.what(), exit_status::host_failed, monotonic_ns());
        throw;
    }
    const std::uint64_t end_ns = monotonic_ns();
    if (const Screen* screen = machine.screen())
        save_screen(*screen, options.config);
    if (display)
        display->end();
    raw.reset();
    const int status = options.exit_status(end);
    const std::string reason(end_name(end.reason));
    machine.tell_exit(status, reason);
    write_timeline(reason, status, end_ns);
    signals.end();
    host_loop.ask_to_stop(); // it ends while the server and the machine are taken down
    server.reset();
    machine.take_down();
    host_loop.stop();
    return status;
}

} // namespace coldstart
