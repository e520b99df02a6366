// A machine from its configuration to its end: memory, KVM, devices, tables, kernel, vCPUs, and
// what happens when the guest powers off, resets or breaks.
//
// A reset makes a new KVM virtual machine around the same memory and the same, reset, devices:
// no vCPU, interrupt controller or MSR state can survive it by being forgotten.
//
// Threads: the control thread, which made it, for all but press_power_button(), pause_or_resume()
// and stop(), which any thread may call. While run() runs, others come onto the control thread by
// ControlKind::call.
#pragma once

#include "api/command/vm_config.h"
#include "devices/core/pci/pci_bus.h"
#include "devices/post_port/post_port.h"
#include "devices/vga/screen.h"
#include "vmm/base/byte_stream.h"
#include "vmm/base/guest_memory.h"
#include "vmm/base/metadata_source.h"
#include "vmm/base/milestone.h"
#include "vmm/base/power.h"
#include "vmm/kvm/vm.h"
#include "vmm/machine/machine.h"
#include "vmm/runtime/boot/guest_boot.h"
#include "vmm/runtime/control_queue.h"
#include "vmm/runtime/events/machine_event.h"
#include "vmm/runtime/host_cpu.h"
#include "vmm/runtime/io_loop/io_loop.h"
#include "vmm/runtime/io_loop/machine_clock.h"
#include "vmm/runtime/kvm_memory.h"
#include "vmm/runtime/kvm_wiring.h"
#include "vmm/runtime/torn_files.h"
#include "vmm/runtime/vcpu_pool.h"

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coldstart {

enum class EndReason {
    powered_off,
    rebooted,     ///< under OnReboot::exit
    guest_exited, ///< by isa-debug-exit; `status` is what it wants
    crashed,      ///< `description` has the dump
    timed_out,
    stopped, ///< by the host; `signal` is the one behind it, or 0
};

struct RunEnd {
    EndReason reason = EndReason::powered_off;
    std::string description;
    int signal = 0;
    int status = 0;
    bool triple_fault = false; ///< of a crash: that was it
};

/// The host's side of the machine's devices; everything outlives the machine.
struct HostSide {
    std::map<std::string, ByteStream*, std::less<>> streams; ///< by BoardDevice::stream: "com1"
    PostCodeSink& post_codes;
    ReadinessSink* readiness = nullptr;           ///< who hears of the guest's lines; none: nobody
    MachineObserver* observer = nullptr;          ///< who hears of what happens; none: nobody
    MilestoneSink* milestones = &no_milestones(); ///< who hears of the steps on the way
    /// Of those, too, that take arrangements: the guest's PCI scans and firmware's boot_sector and
    /// kernel_entry.
    PciConfigObserver* pci_config = nullptr;
    bool watch_boot = false;
    NetBackendMaker make_net = {};                      ///< as DeviceHost's
    std::shared_ptr<VsockListener> vsock_listener = {}; ///< as DeviceHost's
    MetadataSource* metadata = nullptr;                 ///< for VmConfig::mmds
    /// Whose thread takes a part of the start off the control thread; none: it is done in turn.
    Reactor* beside = nullptr;
};

class VirtualMachine {
  public:
    /// Makes everything that can fail before the guest runs. Throws Error. `io_loop` is not
    /// started yet; what is on the host's side, the loop and the queue outlive the machine.
    VirtualMachine(VmConfig config, const HostSide& host, IoLoop& io_loop, ControlQueue& queue);
    ~VirtualMachine();
    VirtualMachine(const VirtualMachine&) = delete;
    VirtualMachine& operator=(const VirtualMachine&) = delete;

    /// Lets the vCPUs run. Throws Error when a device can't start.
    void start();
    /// After start(): until the guest ends. `deadline`: when --timeout runs out.
    RunEnd run(std::optional<ControlQueue::TimePoint> deadline);

    /// Asks the guest to power off, and stops it when it has not done so in grace_period.
    /// `signal` is what RunEnd tells if it comes to that.
    void press_power_button(int signal);
    /// Stops the guest where it is, its clocks too, or lets it go on.
    void pause_or_resume();
    /// Ends the run at once.
    void stop(int signal);

    // Within a call of the control queue.
    bool paused() const noexcept { return paused_at_ns_.has_value(); }
    /// The guest stands still, nothing is in flight. Nothing happens if it does already.
    void pause();
    void resume();
    /// The guest may power off, or take its time.
    void push_power_button();
    Machine& machine() noexcept { return *machine_; }
    const Machine& machine() const noexcept { return *machine_; }
    ExitCounts exit_counts() const noexcept { return vcpus_->exit_counts(); }
    const VmConfig& config() const noexcept { return config_; }

    /// The display's, or nullptr. It is there as long as the machine.
    const Screen* screen() const noexcept;

    static constexpr std::chrono::seconds grace_period{10};
    /// Each within a second of the one before.
    static constexpr unsigned most_triple_faults_in_a_row = 10;

  private:
    class Power;
    class Smm;

    void make_vm();
    /// On a vCPU's thread.
    void vcpu_stopped(VcpuStop stop);
    /// With a split irqchip: lines, controllers and vCPUs come together.
    void join_controllers();
    /// Into the pool, parked.
    void make_vcpus();
    /// The machine from power-on state again: after a reset.
    void restart();
    /// The devices finish what is in flight; the vCPUs stand still.
    void quiesce_devices();
    /// What an event means for the run: its end, or nothing.
    std::optional<RunEnd> act_on(const ControlEvent& event);
    /// The guest wants to start again: the end of the run, or a restart.
    /// From power-on state again; a paused machine runs afterwards.
    void reset();
    std::optional<RunEnd> reset_by_guest(std::string_view how);
    /// A vCPU's failure, and what it comes from if that can be told.
    std::string explain_failure(const std::string& description) const;
    void begin_grace(int signal);
    void tell(EventKind kind, std::string text = {}) noexcept;
    void end() noexcept;
    /// Counts a triple fault; true when the guest does nothing but fault.
    bool triple_faults_loop();

    Kvm kvm_;
    HostCpuReading host_cpu_; ///< begun early, since it takes long
    VmConfig config_;
    IoLoop& io_loop_;
    std::unique_ptr<GuestBoot> boot_;
    GuestMemory memory_;
    TornFileGuard torn_files_;
    KvmMemory kvm_memory_;
    MachineClock clock_;
    ControlQueue& queue_;
    MachineObserver* observer_;
    MilestoneSink& milestones_;
    const bool watch_boot_;
    KvmWiring wiring_;
    std::unique_ptr<Power> power_;
    std::unique_ptr<Smm> smm_; ///< none: the guest has no system management mode
    std::unique_ptr<Vm> vm_;
    std::unique_ptr<Machine> machine_;
    std::unique_ptr<VcpuPool> vcpus_;
    EntryState entry_;
    std::chrono::steady_clock::time_point last_triple_fault_{};
    unsigned triple_faults_in_a_row_ = 0;
    std::optional<ControlQueue::TimePoint> grace_end_; ///< of a power button pressed
    int grace_signal_ = 0;
    std::optional<std::uint64_t> paused_at_ns_; ///< of the guest's kvmclock; nothing while it runs
};

} // namespace coldstart
