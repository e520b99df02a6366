#include "vmm/runtime/virtual_machine.h"

#include "api/command/guest_command_line.h"
#include "devices/acpi_pm/acpi_pm.h"
#include "firmware-loaders/identify/kernel_info.h"
#include "vmm/base/error.h"
#include "vmm/base/log.h"
#include "vmm/base/text.h"
#include "vmm/kvm/ring0_probe.h"
#include "vmm/machine/board.h"
#include "vmm/runtime/guest_ram.h"
#include "vmm/tables/acpi_tables.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <thread>

namespace coldstart {
namespace {

/// IBM PC BIOS data area: how the next reset is meant.
constexpr Gpa bios_reset_flag{0x472};
constexpr std::uint16_t bios_reset_flag_warm = 0x1234;

BootProtocol protocol_of(BootMode mode) noexcept {
    switch (mode) {
    case BootMode::linux64:
        return BootProtocol::linux64;
    case BootMode::pvh:
        return BootProtocol::pvh;
    case BootMode::automatic:
    case BootMode::firmware:
        break;
    }
    return BootProtocol::automatic;
}

} // namespace

/// The devices' wishes: noted, and no vCPU goes on until the control thread has acted on them.
class VirtualMachine::Power final : public PowerControl {
  public:
    explicit Power(VirtualMachine& machine) : machine_(machine) {}

    void power_off() noexcept override { note(ControlKind::guest_powered_off); }
    void reset() noexcept override { note(ControlKind::guest_reset); }
    void guest_panicked() noexcept override { note(ControlKind::guest_panicked); }

  private:
    void note(ControlKind kind) noexcept {
        if (machine_.vcpus_)
            machine_.vcpus_->request_park();
        machine_.queue_.post({kind, 0, {}});
    }

    VirtualMachine& machine_;
};

VirtualMachine::VirtualMachine(VmConfig config, const HostSide& host, IoLoop& io_loop)
    : config_(std::move(config)), io_loop_(io_loop), layout_(micro_layout(config_.memory_bytes)),
      memory_(map_guest_ram(layout_.ram)), clock_(io_loop), power_(std::make_unique<Power>(*this)) {
    refuse_emulated_linux();
    make_vm();
    machine_ =
        std::make_unique<Machine>(micro_board(config_), MachineHost{.config = config_,
                                                                    .memory = memory_,
                                                                    .clock = clock_,
                                                                    .power = *power_,
                                                                    .reactor = io_loop_,
                                                                    .irqs = wiring_,
                                                                    .doorbells = &wiring_,
                                                                    .post_codes = &host.post_codes,
                                                                    .streams = host.streams});
    vcpus_ = std::make_unique<VcpuPool>(machine_->bus(), memory_, [this](VcpuStop stop) {
        switch (stop.kind) {
        case ExitKind::poweroff_event:
            queue_.post({ControlKind::guest_powered_off, 0, {}});
            break;
        case ExitKind::reset_event:
            queue_.post({ControlKind::guest_reset, 0, {}});
            break;
        default:
            queue_.post({ControlKind::vcpu_failed, 0, std::move(stop.description)});
            break;
        }
    });
    load_guest();
    vcpus_->start(make_vcpus());
    // Doorbells after the vCPUs: on some hosts the other order delays each vCPU by 20 ms.
    wiring_.bind(*vm_);
}

VirtualMachine::~VirtualMachine() {
    end();
}

bool VirtualMachine::reset_follows_panic() const noexcept {
    return panics_are_marked_ &&
           memory_.load<std::uint16_t>(bios_reset_flag) == bios_reset_flag_warm;
}

void VirtualMachine::refuse_emulated_linux() const {
    if (!cpu_hides_virtualisation() || std::getenv("COLDSTART_ALLOW_EMULATED_KVM") != nullptr)
        return;
    const std::vector<BootProtocol> protocols = identify_kernel(config_.kernel_path).protocols;
    const bool is_linux =
        std::find(protocols.begin(), protocols.end(), BootProtocol::linux64) != protocols.end();
    if (is_linux && probe_ring0(kvm_).emulated())
        throw Error(kvm_.device_path() +
                        ": this KVM emulates kernel code instruction by instruction and can't "
                        "run Linux",
                    "use a host with VT-x or AMD-V, or the lab (scripts/lab); 'coldstart doctor' "
                    "tells more");
}

void VirtualMachine::make_vm() {
    vm_ = std::make_unique<Vm>(kvm_);
    std::uint32_t slot = 0;
    for (const MemoryRegion& region : memory_.regions())
        vm_->set_memory_slot(slot++, region.base, region.size_bytes, region.host.get());
    vm_->create_irqchip(layout::kvm_identity_map, layout::kvm_tss);
    vm_->set_routes({});
}

void VirtualMachine::load_guest() {
    std::vector<std::uint32_t> apic_ids(config_.cpus);
    std::iota(apic_ids.begin(), apic_ids.end(), 0u);
    const AcpiTables tables = build_acpi({.devices = machine_->devices(),
                                          .apic_ids = apic_ids,
                                          .base = layout_.rsdp,
                                          .room_bytes = layout_.acpi_tables.size_bytes});
    if (!memory_.write(tables.rsdp, tables.bytes))
        throw Error("the ACPI tables do not fit below 1 MiB");
    const std::string command_line = guest_command_line(config_);
    panics_are_marked_ = panics_reset_warm(command_line);
    memory_.store(bios_reset_flag, std::uint16_t{0});
    plan_ = load_kernel({.memory = memory_,
                         .map = layout_.e820,
                         .rsdp = tables.rsdp,
                         .kernel_path = config_.kernel_path,
                         .initrd_path = config_.initrd_path,
                         .command_line = command_line,
                         .protocol = protocol_of(config_.boot)});
    log_info(plan_.description);
    for (const LoadedPart& part : plan_.parts)
        log_debug(cat(part.name, " at ", hex(part.base.value), ", ", part.size_bytes, " bytes"));
}

std::vector<std::unique_ptr<Vcpu>> VirtualMachine::make_vcpus() {
    const CpuidTable supported = kvm_.supported_cpuid();
    std::vector<std::unique_ptr<Vcpu>> vcpus;
    for (std::uint32_t index = 0; index < config_.cpus; ++index) {
        auto vcpu = std::make_unique<Vcpu>(*vm_, index);
        vcpu->set_cpuid(make_cpuid(supported, {.apic_id = index,
                                               .cpu_count = config_.cpus,
                                               .tsc_khz = vcpu->tsc_khz(),
                                               .tsc_deadline = kvm_.has_tsc_deadline()}));
        vcpu->set_firmware_msrs();
        if (index == 0) {
            vcpu->set_firmware_lapic();
            vcpu->set_entry_state(plan_.entry);
        }
        vcpus.push_back(std::move(vcpu));
    }
    return vcpus;
}

void VirtualMachine::quiesce_devices() {
    machine_->pause();
    while (!machine_->drained())
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

void VirtualMachine::pause() {
    vcpus_->park();
    paused_at_ns_ = vm_->clock_ns();
    quiesce_devices();
    clock_.pause();
}

void VirtualMachine::resume() {
    clock_.resume();
    // The guest's time goes on where it stood, and its watchdog is told not to be surprised.
    vm_->set_clock_ns(*paused_at_ns_);
    paused_at_ns_.reset();
    vcpus_->tell_paused();
    machine_->resume();
    vcpus_->resume();
}

void VirtualMachine::restart() {
    vcpus_->stop();
    // A reset asked for in the moment of a pause ends the pause.
    clock_.resume();
    paused_at_ns_.reset();
    quiesce_devices();
    wiring_.unbind();
    machine_->reset();
    queue_.forget_guest_events();
    // The old one goes after the new one is there: a host on which the last virtual machine ends
    // switches virtualisation off on every CPU, and on again for the next.
    const std::unique_ptr<Vm> previous = std::move(vm_);
    make_vm();
    load_guest();
    vcpus_->start(make_vcpus());
    wiring_.bind(*vm_);
    machine_->resume();
    vcpus_->resume();
}

RunEnd VirtualMachine::run(std::optional<ControlQueue::TimePoint> deadline) {
    io_loop_.start();
    machine_->start();
    vcpus_->resume();

    std::optional<ControlQueue::TimePoint> grace_end;
    int grace_signal = 0;
    for (;;) {
        const bool grace_first = grace_end && (!deadline || *grace_end < *deadline);
        const auto event = queue_.wait_until(grace_first ? grace_end : deadline);
        if (!event)
            return grace_first ? RunEnd{EndReason::stopped, {}, grace_signal}
                               : RunEnd{EndReason::timed_out, {}, 0};
        switch (event->kind) {
        case ControlKind::guest_powered_off:
            return {EndReason::powered_off, {}, 0};
        case ControlKind::guest_reset:
            if (reset_follows_panic())
                return {EndReason::crashed, "its kernel panicked; the console has its last words",
                        0};
            if (config_.on_reboot == OnReboot::exit)
                return {EndReason::rebooted, {}, 0};
            log_info("the guest resets");
            restart();
            break;
        case ControlKind::guest_panicked:
            return {EndReason::crashed, "the guest reports a panic (pvpanic)", 0};
        case ControlKind::vcpu_failed:
            return {EndReason::crashed, event->text, 0};
        case ControlKind::power_button:
            if (paused_at_ns_)
                resume(); // a guest that stands still hears no button
            if (auto* pm = dynamic_cast<AcpiPm*>(machine_->find("pm")))
                pm->press_power_button();
            grace_end = std::chrono::steady_clock::now() + grace_period;
            grace_signal = event->number;
            break;
        case ControlKind::pause_or_resume:
            if (paused_at_ns_)
                resume();
            else
                pause();
            break;
        case ControlKind::stop:
            return {EndReason::stopped, {}, event->number};
        }
    }
}

void VirtualMachine::press_power_button(int signal) {
    queue_.post({ControlKind::power_button, signal, {}});
}

void VirtualMachine::pause_or_resume() {
    queue_.post({ControlKind::pause_or_resume, 0, {}});
}

void VirtualMachine::stop(int signal) {
    queue_.post({ControlKind::stop, signal, {}});
}

void VirtualMachine::end() noexcept {
    if (vcpus_)
        vcpus_->stop();
    if (machine_)
        machine_->halt();
    io_loop_.stop();
    wiring_.unbind();
}

} // namespace coldstart
