#include "vmm/runtime/virtual_machine.h"

#include "devices/ioapic/ioapic.h"
#include "devices/pic8259/pic8259.h"
#include "devices/vga/std_vga.h"
#include "vmm/base/error.h"
#include "vmm/kvm/ring0_probe.h"
#include "vmm/runtime/guest_ram.h"

#include <thread>

namespace coldstart {
namespace {

/// By which way a guest is entered, as a timeline has it.
std::string_view boot_name(const EntryState& entry) noexcept {
    switch (entry.mode) {
    case EntryMode::protected32:
        return "pvh";
    case EntryMode::long64:
        return "linux";
    case EntryMode::reset:
        break;
    }
    return "firmware";
}

} // namespace

/// The devices' wishes: noted, and no vCPU goes on until the control thread has acted on them.
class VirtualMachine::Power final : public PowerControl {
  public:
    explicit Power(VirtualMachine& machine) : machine_(machine) {}

    void power_off() noexcept override { note(ControlKind::guest_powered_off); }
    void reset() noexcept override { note(ControlKind::guest_reset); }
    void guest_panicked() noexcept override { note(ControlKind::guest_panicked); }
    void exit_with(std::uint8_t status) noexcept override {
        note(ControlKind::guest_exited, status);
    }

  private:
    void note(ControlKind kind, int number = 0) noexcept {
        if (machine_.vcpus_)
            machine_.vcpus_->request_park();
        machine_.queue_.post({kind, number, {}});
    }

    VirtualMachine& machine_;
};

class VirtualMachine::Smm final : public SystemManagement {
  public:
    explicit Smm(VirtualMachine& machine) : machine_(machine) {}

    void raise_smi(SmiTarget target) noexcept override {
        if (machine_.vcpus_)
            machine_.vcpus_->raise_smi(target);
    }

  private:
    VirtualMachine& machine_;
};

namespace {

/// The configuration with what the host decides.
VmConfig decided(VmConfig config, const Kvm& kvm) {
    if (config.irqchip == IrqchipKind::split && !kvm.has_split_irqchip())
        throw Error(kvm.device_path() + ": this KVM has no split irqchip", "give --irqchip kernel");
    if (config.irqchip == IrqchipKind::automatic) {
        // A KVM that emulates ring 0 runs small guests, for which the in-kernel irqchip's end is
        // most of the time they take. Elsewhere there is nothing to gain, and Linux sets up a
        // split IOAPIC a millisecond slower (docs/performance.md).
        const bool split = config.board == BoardKind::micro && kvm.has_split_irqchip() &&
                           cpu_hides_virtualisation();
        config.irqchip = split ? IrqchipKind::split : IrqchipKind::kernel;
    }
    return config;
}

} // namespace

VirtualMachine::VirtualMachine(VmConfig config, const HostSide& host, IoLoop& io_loop,
                               ControlQueue& queue)
    : kvm_(), host_cpu_(kvm_, host.beside), config_(decided(std::move(config), kvm_)),
      io_loop_(io_loop), boot_(make_guest_boot(config_, kvm_)),
      memory_(map_guest_ram(boot_->layout().ram, config_.huge_pages,
                            boot_->leaves_low_memory_alone() ? LowMemory::small_pages
                                                             : LowMemory::as_all_else)),
      clock_(io_loop), queue_(queue), observer_(host.observer), milestones_(*host.milestones),
      watch_boot_(host.watch_boot), wiring_(config_.irqchip == IrqchipKind::split),
      power_(std::make_unique<Power>(*this)) {
    milestones_.reached(Milestone::memory_ready);
    if (boot_->has_smm()) {
        smm_ = std::make_unique<Smm>(*this);
        kvm_memory_.add_smm_space();
    }
    for (const Range& range : boot_->layout().shown)
        kvm_memory_.show(range.base, memory_.range(range.base, range.size_bytes),
                         MemoryAccess::read_write);
    make_vm();
    milestones_.reached(Milestone::kvm_ready);
    MachineHost machine_host{.config = config_,
                             .memory = memory_,
                             .clock = clock_,
                             .power = *power_,
                             .reactor = io_loop_,
                             .irqs = wiring_,
                             .doorbells = &wiring_,
                             .mapper = &kvm_memory_,
                             .processors = &wiring_,
                             .msis = &wiring_,
                             .post_codes = &host.post_codes,
                             .readiness = host.readiness,
                             .milestones = host.milestones,
                             .streams = host.streams,
                             .make_net = host.make_net,
                             .vsock_listener = host.vsock_listener,
                             .metadata = host.metadata,
                             .smm = smm_.get()};
    boot_->equip(machine_host);
    machine_ = std::make_unique<Machine>(boot_->board(), machine_host);
    machine_->pci().set_config_observer(host.pci_config);
    milestones_.reached(Milestone::devices_ready);
    vcpus_ = std::make_unique<VcpuPool>(machine_->bus(), wiring_, memory_, milestones_,
                                        [this](VcpuStop stop) { vcpu_stopped(std::move(stop)); });
    if (config_.irqchip == IrqchipKind::split)
        join_controllers();
    entry_ = boot_->prepare(*machine_, memory_);
    torn_files_.watch(memory_);
    milestones_.reached(Milestone::loaded, boot_name(entry_));
    make_vcpus();
    wiring_.bind(*vm_);
    milestones_.reached(Milestone::vcpus_ready);
    tell(EventKind::created);
}

VirtualMachine::~VirtualMachine() {
    end();
}

void VirtualMachine::join_controllers() {
    auto& ioapic = dynamic_cast<Ioapic&>(*machine_->find("ioapic"));
    auto& pic = dynamic_cast<Pic8259&>(*machine_->find("pic"));
    vcpus_->set_controllers(ioapic, pic);
    wiring_.set_controllers({ioapic, pic, [this](bool asserted) { vcpus_->set_intr(asserted); }});
}

void VirtualMachine::make_vm() {
    vm_ = std::make_unique<Vm>(kvm_);
    kvm_memory_.bind(*vm_);
    if (config_.irqchip == IrqchipKind::split) {
        vm_->create_split_irqchip(layout::kvm_identity_map, layout::kvm_tss);
        return;
    }
    vm_->create_irqchip(layout::kvm_identity_map, layout::kvm_tss);
    vm_->set_routes({});
}

void VirtualMachine::make_vcpus() {
    auto first = std::make_unique<Vcpu>(*vm_, 0);
    Vcpu& boot_processor = *first;
    const HostCpu& host_cpu = host_cpu_.result();
    const CpuidFacts facts{.cpu_count = config_.cpus,
                           .smt = config_.smt,
                           .tsc_khz = boot_processor.tsc_khz(),
                           .tsc_deadline = kvm_.has_tsc_deadline(),
                           .name = host_cpu.name};
    const auto msrs =
        watch_boot_ && entry_.mode == EntryMode::reset ? std::make_shared<MsrWatch>(*vm_) : nullptr;
    const auto set_up = [this, facts, msrs, &host_cpu](Vcpu& vcpu) {
        CpuidFacts own = facts;
        own.apic_id = vcpu.index();
        vcpu.set_cpuid(make_cpuid(host_cpu.supported, own));
        if (boot_->wants_firmware_defaults())
            vcpu.set_firmware_msrs();
        if (msrs)
            vcpu.watch_boot(msrs, milestones_);
    };
    vcpus_->add(std::move(first));
    for (std::uint32_t index = 1; index < config_.cpus; ++index)
        vcpus_->add(std::make_unique<Vcpu>(*vm_, index), set_up);
    set_up(boot_processor);
    if (boot_->wants_firmware_defaults())
        boot_processor.set_firmware_lapic();
    boot_processor.set_entry_state(entry_);
    vcpus_->wait_until_prepared();
}

void VirtualMachine::quiesce_devices() {
    machine_->pause();
    while (!machine_->drained())
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

void VirtualMachine::pause() {
    if (paused())
        return;
    vcpus_->park();
    paused_at_ns_ = vm_->clock_ns();
    quiesce_devices();
    clock_.pause();
    tell(EventKind::paused);
}

void VirtualMachine::resume() {
    if (!paused())
        return;
    clock_.resume();
    // The guest's time goes on where it stood, and its watchdog is told not to be surprised.
    vm_->set_clock_ns(*paused_at_ns_);
    paused_at_ns_.reset();
    vcpus_->tell_paused();
    machine_->resume();
    vcpus_->resume();
    tell(EventKind::resumed);
}

void VirtualMachine::reset() {
    tell(EventKind::reset, "by the host");
    restart();
}

void VirtualMachine::restart() {
    vcpus_->stop();
    // A reset asked for in the moment of a pause ends the pause.
    clock_.resume();
    paused_at_ns_.reset();
    quiesce_devices();
    wiring_.unbind();
    kvm_memory_.unbind();
    machine_->reset();
    queue_.forget_guest_events();
    // The old one goes after the new one is there: a host on which the last virtual machine ends
    // switches virtualisation off on every CPU, and on again for the next.
    const std::unique_ptr<Vm> previous = std::move(vm_);
    make_vm();
    entry_ = boot_->prepare(*machine_, memory_);
    torn_files_.watch(memory_);
    make_vcpus();
    wiring_.bind(*vm_);
    machine_->resume();
    vcpus_->resume();
}

void VirtualMachine::start() {
    io_loop_.start();
    machine_->start();
    tell(EventKind::started);
    vcpus_->resume();
}

void VirtualMachine::tell(EventKind kind, std::string text) noexcept {
    if (observer_ != nullptr)
        observer_->happened({kind, 0, std::move(text)});
}

const Screen* VirtualMachine::screen() const noexcept {
    const auto* const vga = dynamic_cast<const StdVga*>(machine_->find("vga"));
    return vga != nullptr ? &vga->screen() : nullptr;
}

void VirtualMachine::end() noexcept {
    if (vcpus_)
        vcpus_->stop();
    if (machine_)
        machine_->halt();
    // The loop ends while KVM takes the virtual machine down, which lasts longer.
    io_loop_.ask_to_stop();
    wiring_.unbind();
    kvm_memory_.unbind();
    vm_.reset();
    io_loop_.stop();
}

} // namespace coldstart
