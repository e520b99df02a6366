// One machine under the control of requests: configured, started, watched and ended by clients of
// the control socket, by a configuration file, or by the flags of `run`; all are the same here.
//
// Every request is carried out on the control thread, in the order of arrival, so that none sees
// another half done; the guest runs on meanwhile. A start that fails leaves the configuration as
// it was, and the next may succeed.
//
// Threads: the constructor, run() and the destructor on one thread, the control thread; the rest
// any.
#pragma once

#include "api/command/answer.h"
#include "api/json/metadata_store.h"
#include "devices/i8042/key_code.h"
#include "vmm/runtime/control/configuration.h"
#include "vmm/runtime/control/consoles.h"
#include "vmm/runtime/control/machine_log.h"
#include "vmm/runtime/control/metrics.h"
#include "vmm/runtime/control/post_code_log.h"
#include "vmm/runtime/control_queue.h"
#include "vmm/runtime/events/event_hub.h"
#include "vmm/runtime/timeline/recorder.h"
#include "vmm/runtime/virtual_machine.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace coldstart {

struct ControllerOptions {
    /// CLOCK_MONOTONIC when the process began.
    std::uint64_t start_ns = 0;
    TimelineRecorder::Extent timeline = TimelineRecorder::Extent::milestones;
    std::size_t metadata_limit_bytes = MetadataStore::default_limit_bytes;
    bool read_stdin = true;
    InputFilter terminal_keys = {}; ///< as ConsoleOptions::filter
    /// Called on the control thread when the guest is about to run for the first time.
    std::function<void(const VmConfig&)> on_start = {};
    /// Called on the control thread when it runs; `screen` is there until take_down(), and nullptr
    /// without a display.
    std::function<void(const Screen* screen)> on_running = {};
};

class MachineController final : public RequestHandler {
  public:
    /// Throws Error when a file that `initial` names for the host's side can't be had.
    /// `reactor` outlives it: its thread tells readers of events.
    MachineController(VmConfig initial, Reactor& reactor, ControllerOptions options);
    ~MachineController() override;

    void handle(Request request, std::function<void(Answer)> done) override;
    std::unique_ptr<Subscription> follow_events(Listener listener) override;
    std::unique_ptr<Subscription> follow_console(Listener listener) override;

    /// Carries out one request before run(); throws Error when it is refused.
    void configure(const Request& request);
    /// The control socket can be connected to: for the metrics. Before run().
    void api_listens();
    MetadataStore& metadata() noexcept { return metadata_; }

    enum class Begin { at_once, when_asked };
    /// Waits for the start, or starts, and stays until the machine has ended. With at_once a start
    /// that fails throws Error. `deadline`: when --timeout runs out.
    RunEnd run(Begin begin, std::optional<ControlQueue::TimePoint> deadline);
    /// What the end means for the process: in the last event.
    void tell_exit(int status, const std::string& reason);
    /// Lets go of the machine that has ended, and of its screen. Nobody makes requests any more.
    void take_down() noexcept;

    /// What happened when; after run() too, and after a start that failed.
    const TimelineRecorder& timeline() const noexcept { return timeline_; }
    /// What the machine is, or would be.
    const VmConfig& config() const noexcept { return configuration_.config(); }

    /// The display's, or nullptr; after run() too, until take_down().
    const Screen* screen() const noexcept;

    // The host's wishes, for signals and keys.
    void press_power_button(int signal);
    void pause_or_resume();
    void stop(int signal);
    /// On the machine's PS/2 keyboard, if it has one; each of `strokes` as a whole.
    void press_keys(std::vector<std::vector<KeyEvent>> strokes);

  private:
    struct Running;
    struct Visitor;

    Answer carry_out(const Request& request) noexcept;
    Answer answer(Resource resource);
    Answer act(Action action);
    void make_machine();
    std::unique_ptr<NetBackend> make_network(const NetConfig& net, Reactor& reactor);
    VmState state() const noexcept;
    /// The machine that runs; throws Error before the start.
    VirtualMachine& running();

    const ControllerOptions options_;
    PostCodeLog post_codes_;
    Reactor& reactor_;
    TimelineRecorder timeline_;
    EventHub events_;
    MetadataStore metadata_;
    Metrics metrics_;
    MachineLog log_;
    ControlQueue queue_;
    Configuration configuration_;
    bool started_ = false; ///< running_ is there and runs

    std::mutex console_mutex_; ///< guards whether running_ has a console
    std::unique_ptr<Running> running_;
};

} // namespace coldstart
