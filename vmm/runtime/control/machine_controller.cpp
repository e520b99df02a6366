#include "vmm/runtime/control/machine_controller.h"

#include "devices/i8042/i8042.h"
#include "virtio/backend/tap.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/machine/make_net.h"
#include "vmm/runtime/control/running_requests.h"
#include "vmm/runtime/timeline/pci_scan.h"
#include "vmm/runtime/timeline/watched_stream.h"

#include <chrono>
#include <exception>
#include <new>
#include <utility>

namespace coldstart {

/// The host's side of one machine and the machine; a start that fails takes all of it down.
struct MachineController::Running {
    Running(const VmConfig& config, const ControllerOptions& options, bool keep_serial_file,
            TimelineRecorder& timeline)
        : consoles(loop, config, {options.read_stdin, options.terminal_keys, keep_serial_file}),
          streams(consoles.by_name(), timeline), pci_scans(timeline) {}

    IoLoop loop;
    Consoles consoles;
    WatchedStreams streams;
    PciScanWatch pci_scans;
    std::unique_ptr<VirtualMachine> machine; ///< last: it uses what stands above
};

MachineController::MachineController(VmConfig initial, Reactor& reactor, ControllerOptions options)
    : options_(std::move(options)), post_codes_(initial.post_codes_path), reactor_(reactor),
      timeline_(options_.start_ns, options_.timeline),
      events_(reactor, options_.start_ns, &post_codes_, &timeline_),
      metadata_(options_.metadata_limit_bytes), configuration_(std::move(initial)) {}

MachineController::~MachineController() {
    take_down();
}

void MachineController::take_down() noexcept {
    const std::lock_guard guard(console_mutex_);
    started_ = false;
    running_.reset();
}

VmState MachineController::state() const noexcept {
    if (!started_)
        return VmState::not_started;
    return running_->machine->paused() ? VmState::paused : VmState::running;
}

VirtualMachine& MachineController::running() {
    if (!started_)
        throw Error("The requested operation is not supported before starting the microVM.");
    return *running_->machine;
}

/// What each request does, once it is its turn.
struct MachineController::Visitor {
    MachineController& controller;

    /// Requests that set up a machine: only before it starts.
    template <typename Put>
    Answer operator()(const Put& put) const {
        configurable().apply(put);
        return NoContent{};
    }

    Answer operator()(const Get& get) const { return controller.answer(get.resource); }
    Answer operator()(const NotBuilt& request) const {
        throw Error(cat(request.what, ": not built in this release"));
    }
    Answer operator()(const PutAction& put) const { return controller.act(put.action); }

    Answer operator()(const PutMmds& put) const {
        controller.metadata_.put(put.json);
        return NoContent{};
    }
    Answer operator()(const PatchMmds& patch) const {
        controller.metadata_.patch(patch.json);
        return NoContent{};
    }
    Answer operator()(const PutLogger& put) const {
        configurable();
        controller.log_.configure(put.logger);
        return NoContent{};
    }
    Answer operator()(const PutMetrics& put) const {
        configurable();
        controller.metrics_.open(put, controller.configuration_.config().id);
        return NoContent{};
    }

    Answer operator()(const PatchVm& patch) const {
        VirtualMachine& machine = controller.running();
        const auto begin = std::chrono::steady_clock::now();
        if (patch.paused)
            machine.pause();
        else
            machine.resume();
        const auto taken = std::chrono::duration_cast<std::chrono::microseconds>(
            std::chrono::steady_clock::now() - begin);
        controller.metrics_.took(patch.paused ? Metrics::Step::pause : Metrics::Step::resume,
                                 static_cast<std::uint64_t>(taken.count()));
        return NoContent{};
    }
    Answer operator()(const PutConsole& put) const {
        controller.running();
        ConsoleHub* const hub = controller.running_->consoles.hub();
        if (hub == nullptr)
            throw Error("console: the machine has no serial console");
        if (!hub->type(put.text))
            throw Error("console: the guest has not read what was typed before; try again later");
        return NoContent{};
    }

    // Changes of a machine that runs, and of its configuration with it.
    Answer operator()(const PatchDrive& patch) const {
        change_drive(controller.running(), controller.running_->loop, controller.configuration_,
                     patch);
        return NoContent{};
    }
    Answer operator()(const PatchNetworkInterface& patch) const {
        change_network(controller.running(), controller.configuration_, patch);
        return NoContent{};
    }
    Answer operator()(const PatchBalloon& patch) const {
        balloon_of(controller.running()).set_target(patch.amount_mib);
        controller.configuration_.set_balloon_mib(patch.amount_mib);
        return NoContent{};
    }
    Answer operator()(const PatchBalloonStatistics& patch) const {
        balloon_of(controller.running()).set_statistics_interval(patch.interval_s);
        controller.configuration_.set_balloon_interval(patch.interval_s);
        return NoContent{};
    }
    Answer operator()(const StartBalloonHinting& start) const {
        balloon_of(controller.running()).start_hinting(start.acknowledge_on_stop);
        return NoContent{};
    }
    Answer operator()(const StopBalloonHinting&) const {
        balloon_of(controller.running()).stop_hinting();
        return NoContent{};
    }

  private:
    Configuration& configurable() const {
        if (controller.started_)
            throw Error("The requested operation is not supported after starting the microVM.");
        return controller.configuration_;
    }
};

Answer MachineController::answer(Resource resource) {
    const VmConfig& config = configuration_.config();
    switch (resource) {
    case Resource::instance:
        return InstanceInfo{config.id, state()};
    case Resource::version:
        return VersionInfo{};
    case Resource::vm_config:
        return VmConfigAnswer{config};
    case Resource::machine_config:
        return machine_config_of(config);
    case Resource::balloon:
        if (!config.balloon)
            throw Error("balloon: the machine has no balloon; PUT /balloon before the start");
        return *config.balloon;
    case Resource::balloon_statistics:
        return statistics_of(balloon_of(running()));
    case Resource::balloon_hinting:
        return hinting_of(balloon_of(running()));
    case Resource::mmds:
        return JsonText{metadata_.json()};
    case Resource::screen_text:
        return screen_text(running());
    case Resource::screen_png:
        return screen_png(running());
    case Resource::timeline:
        return JsonText{events_.timeline()};
    case Resource::memory_hotplug:
        break;
    case Resource::metrics:
        return Document{"text/plain; version=0.0.4",
                        metrics_.prometheus(started_ ? running_->machine.get() : nullptr)};
    }
    throw Error("memory hotplug: not built in this release");
}

Answer MachineController::act(Action action) {
    switch (action) {
    case Action::instance_start:
        if (started_)
            throw Error("The requested operation is not supported after starting the microVM: it "
                        "runs already");
        make_machine();
        break;
    case Action::flush_metrics:
        metrics_.write(&running());
        break;
    case Action::send_ctrl_alt_del:
        press_ctrl_alt_delete(running());
        break;
    case Action::power_button:
        running().push_power_button();
        break;
    case Action::reset:
        // Not within this request: a machine that can't start again has come to its end.
        running();
        queue_.post({ControlKind::reset_button});
        break;
    case Action::stop:
        running();
        queue_.post({ControlKind::stop, 0});
        break;
    }
    return NoContent{};
}

void MachineController::make_machine() {
    const VmConfig config = configuration_.settled();
    timeline_.reached(Milestone::configured);
    auto next =
        std::make_unique<Running>(config, options_, configuration_.keeps_serial_file(), timeline_);
    HostSide host{next->streams.by_name(), events_};
    host.milestones = &timeline_;
    host.watch_boot = timeline_.wants_everything();
    host.pci_config = host.watch_boot ? &next->pci_scans : nullptr;
    host.readiness = &events_;
    host.observer = &events_;
    host.beside = &reactor_;
    host.metadata = &metadata_;
    host.vsock_listener = configuration_.vsock_listener();
    host.make_net = [this](const NetConfig& net, Reactor& reactor) {
        return make_network(net, reactor);
    };
    next->machine = std::make_unique<VirtualMachine>(config, host, next->loop, queue_);
    if (options_.on_start)
        options_.on_start(config);
    next->machine->start();
    {
        const std::lock_guard guard(console_mutex_);
        running_ = std::move(next);
        started_ = true;
    }
    if (options_.on_running)
        options_.on_running(screen());
}

std::unique_ptr<NetBackend> MachineController::make_network(const NetConfig& net,
                                                            Reactor& reactor) {
    if (UniqueFd tap = configuration_.tap_of(net.id))
        return std::make_unique<TapBackend>(std::move(tap), reactor);
    return make_host_backend(net, reactor);
}

Answer MachineController::carry_out(const Request& request) noexcept {
    try {
        return std::visit(Visitor{*this}, request);
    } catch (const MetadataTooLarge& error) {
        return Refusal{error.what(), true};
    } catch (const std::bad_alloc&) {
        return Refusal{"out of memory; free some, or give the guest less"};
    } catch (const std::exception& error) {
        return Refusal{error.what()};
    }
}

void MachineController::api_listens() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    const auto now_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
    metrics_.took(Metrics::Step::process_startup,
                  (static_cast<std::uint64_t>(now_ns) - options_.start_ns) / 1000);
}

void MachineController::configure(const Request& request) {
    std::visit(Visitor{*this}, request);
}

void MachineController::handle(Request request, std::function<void(Answer)> done) {
    queue_.post(
        {ControlKind::call, 0, {}, [this, request = std::move(request), done = std::move(done)] {
             Answer answer = carry_out(request);
             metrics_.count(request, std::holds_alternative<Refusal>(answer));
             done(std::move(answer));
         }});
}

std::unique_ptr<Subscription> MachineController::follow_events(Listener listener) {
    return events_.follow(std::move(listener));
}

std::unique_ptr<Subscription> MachineController::follow_console(Listener listener) {
    const std::lock_guard guard(console_mutex_);
    ConsoleHub* const hub = running_ ? running_->consoles.hub() : nullptr;
    return hub != nullptr ? hub->follow(std::move(listener)) : nullptr;
}

RunEnd MachineController::run(Begin begin, std::optional<ControlQueue::TimePoint> deadline) {
    if (begin == Begin::at_once)
        make_machine();
    while (!started_) {
        const auto event = queue_.wait_until(deadline);
        if (!event)
            return {EndReason::timed_out, {}, 0};
        if (event->kind == ControlKind::call)
            event->call();
        else if (event->kind == ControlKind::stop || event->kind == ControlKind::power_button)
            return {EndReason::stopped, {}, event->number};
    }
    metrics_.watch(metadata_.counters, [this] { return running_->consoles.dropped_bytes(); });
    metrics_.begin(running_->loop, *running_->machine, [this] {
        queue_.post(
            {ControlKind::call, 0, {}, [this] { metrics_.write(running_->machine.get()); }});
    });
    RunEnd end = running_->machine->run(deadline);
    metrics_.end();
    metrics_.write(running_->machine.get());
    running_->streams.end_lines();
    running_->pci_scans.finish();
    return end;
}

void MachineController::tell_exit(int status, const std::string& reason) {
    events_.happened({EventKind::exited, status, reason});
    events_.flush();
}

const Screen* MachineController::screen() const noexcept {
    return running_ ? running_->machine->screen() : nullptr;
}

void MachineController::press_power_button(int signal) {
    queue_.post({ControlKind::power_button, signal});
}

void MachineController::pause_or_resume() {
    queue_.post({ControlKind::pause_or_resume});
}

void MachineController::stop(int signal) {
    queue_.post({ControlKind::stop, signal});
}

void MachineController::press_keys(std::vector<std::vector<KeyEvent>> strokes) {
    queue_.post({ControlKind::call, 0, {}, [this, strokes = std::move(strokes)] {
                     if (!started_)
                         return;
                     auto* const keyboard =
                         dynamic_cast<I8042*>(running_->machine->machine().find("i8042"));
                     for (const auto& stroke : strokes) {
                         if (keyboard != nullptr)
                             keyboard->press_all(stroke);
                     }
                 }});
}

} // namespace coldstart
