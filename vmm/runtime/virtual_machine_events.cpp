// VirtualMachine's second half: what happens to a machine that runs, and what follows from it.
#include "devices/core/acpi/power_button.h"
#include "vmm/base/log.h"
#include "vmm/base/text.h"
#include "vmm/runtime/virtual_machine.h"

namespace coldstart {

RunEnd VirtualMachine::run(std::optional<ControlQueue::TimePoint> deadline) {
    for (;;) {
        const bool grace_first = grace_end_ && (!deadline || *grace_end_ < *deadline);
        const auto event = queue_.wait_until(grace_first ? grace_end_ : deadline);
        if (!event)
            return grace_first ? RunEnd{EndReason::stopped, {}, grace_signal_}
                               : RunEnd{EndReason::timed_out, {}, 0};
        if (auto end = act_on(*event))
            return *std::move(end);
    }
}

std::string VirtualMachine::explain_failure(const std::string& description) const {
    if (!torn_files_.is_torn(memory_))
        return description;
    return cat("the file of its kernel or initrd was cut short while it ran; replace such files by "
               "renaming others, or use --load copy: ",
               description);
}

std::optional<RunEnd> VirtualMachine::act_on(const ControlEvent& event) {
    switch (event.kind) {
    case ControlKind::guest_powered_off:
        return RunEnd{EndReason::powered_off, {}, 0};
    case ControlKind::guest_exited:
        return RunEnd{EndReason::guest_exited, {}, 0, event.number};
    case ControlKind::guest_reset:
        if (boot_->reset_follows_panic(memory_)) {
            tell(EventKind::panic, "a reset that follows a panic");
            return RunEnd{EndReason::crashed, "its kernel panicked; the console has its last words",
                          0};
        }
        return reset_by_guest("the guest");
    case ControlKind::triple_fault:
        if (!boot_->triple_fault_resets() || triple_faults_loop())
            return RunEnd{EndReason::crashed, event.text, 0, 0, true};
        return reset_by_guest("a triple fault");
    case ControlKind::guest_panicked:
        tell(EventKind::panic, "the guest says so (pvpanic)");
        return RunEnd{EndReason::crashed, "the guest reports a panic (pvpanic)", 0};
    case ControlKind::vcpu_failed:
        return RunEnd{EndReason::crashed, explain_failure(event.text), 0};
    case ControlKind::reset_button:
        reset();
        break;
    case ControlKind::power_button:
        begin_grace(event.number);
        break;
    case ControlKind::pause_or_resume:
        if (paused())
            resume();
        else
            pause();
        break;
    case ControlKind::stop:
        return RunEnd{EndReason::stopped, {}, event.number};
    case ControlKind::call:
        event.call();
        break;
    }
    return std::nullopt;
}

std::optional<RunEnd> VirtualMachine::reset_by_guest(std::string_view how) {
    if (config_.on_reboot == OnReboot::exit)
        return RunEnd{EndReason::rebooted, {}, 0};
    log_info(cat("reset by ", how));
    tell(EventKind::reset, cat("by ", how));
    restart();
    return std::nullopt;
}

void VirtualMachine::begin_grace(int signal) {
    push_power_button();
    grace_end_ = std::chrono::steady_clock::now() + grace_period;
    grace_signal_ = signal;
}

void VirtualMachine::push_power_button() {
    resume(); // a guest that stands still hears no button
    if (auto* pm = dynamic_cast<PowerButton*>(machine_->find("pm")))
        pm->press_power_button();
    tell(EventKind::power_button);
}

void VirtualMachine::vcpu_stopped(VcpuStop stop) {
    switch (stop.kind) {
    case ExitKind::poweroff_event:
        queue_.post({ControlKind::guest_powered_off, 0, {}});
        break;
    case ExitKind::reset_event:
        queue_.post({ControlKind::guest_reset, 0, {}});
        break;
    case ExitKind::shutdown:
        queue_.post({ControlKind::triple_fault, 0, std::move(stop.description)});
        break;
    default:
        queue_.post({ControlKind::vcpu_failed, 0, std::move(stop.description)});
        break;
    }
}

bool VirtualMachine::triple_faults_loop() {
    // On a PC a triple fault is one of the ways to reset, and a guest that does nothing else has
    // crashed.
    const auto now = std::chrono::steady_clock::now();
    const bool soon = now - last_triple_fault_ < std::chrono::seconds(1);
    triple_faults_in_a_row_ = soon ? triple_faults_in_a_row_ + 1 : 1;
    last_triple_fault_ = now;
    return triple_faults_in_a_row_ >= most_triple_faults_in_a_row;
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

} // namespace coldstart
