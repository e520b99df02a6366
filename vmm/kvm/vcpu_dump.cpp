// What is said of a vCPU that can't go on.
#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/kvm/kvm_abi.h"
#include "vmm/kvm/vcpu.h"

#include <cerrno>
#include <cstring>
#include <iomanip>
#include <sstream>

#include <sys/ioctl.h>

namespace coldstart {
namespace {

std::string suberror_name(std::uint32_t suberror) {
    switch (suberror) {
    case KVM_INTERNAL_ERROR_EMULATION:
        return "KVM could not emulate an instruction";
    case KVM_INTERNAL_ERROR_SIMUL_EX:
        return "two exceptions at once";
    case KVM_INTERNAL_ERROR_DELIVERY_EV:
        return "an exit during the delivery of an event";
    case KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON:
        return "an exit the CPU should not have made";
    default:
        return "unknown sub-error";
    }
}

std::string describe_cause(ExitKind kind, const kvm_run& area, int run_errno) {
    if (run_errno != 0)
        return system_error("KVM_RUN failed", run_errno).what();
    if (kind == ExitKind::shutdown)
        return "triple fault (KVM_EXIT_SHUTDOWN)";
    switch (area.exit_reason) {
    case KVM_EXIT_INTERNAL_ERROR:
        return cat("KVM_EXIT_INTERNAL_ERROR, sub-error ", area.internal.suberror, ": ",
                   suberror_name(area.internal.suberror));
    case KVM_EXIT_FAIL_ENTRY:
        return cat("KVM_EXIT_FAIL_ENTRY: the CPU refused the guest state, hardware reason ",
                   hex(area.fail_entry.hardware_entry_failure_reason));
    case KVM_EXIT_SYSTEM_EVENT:
        return cat("KVM_EXIT_SYSTEM_EVENT of type ", area.system_event.type);
    default:
        return cat("KVM exit reason ", area.exit_reason, ", which this monitor has not asked for");
    }
}

void put_register(std::ostringstream& out, const char* name, std::uint64_t value) {
    out << std::setfill(' ') << std::left << std::setw(5) << name << std::right << hex(value, 16)
        << "  ";
}

void put_segment(std::ostringstream& out, const char* name, const kvm_segment& s) {
    out << "  " << name << " " << hex(s.selector, 4) << " base " << hex(s.base, 16) << " limit "
        << hex(s.limit, 8) << " type " << hex(s.type) << " dpl " << unsigned{s.dpl} << " p "
        << unsigned{s.present} << " db " << unsigned{s.db} << " l " << unsigned{s.l} << " g "
        << unsigned{s.g} << "\n";
}

std::string hex_bytes(const std::byte* bytes, std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i)
        text.append(" ").append(hex(std::to_integer<unsigned>(bytes[i]), 2), 2, 2);
    return text;
}

} // namespace

std::string Vcpu::describe_registers() const {
    kvm_regs r{};
    kvm_sregs s{};
    if (::ioctl(fd(), KVM_GET_REGS, &r) < 0 || ::ioctl(fd(), KVM_GET_SREGS, &s) < 0)
        return "  (the registers could not be read)\n";
    const struct {
        const char* name;
        std::uint64_t value;
    } registers[] = {
        {"rax", r.rax}, {"rbx", r.rbx}, {"rcx", r.rcx},    {"rdx", r.rdx},   {"rsi", r.rsi},
        {"rdi", r.rdi}, {"rsp", r.rsp}, {"rbp", r.rbp},    {"r8", r.r8},     {"r9", r.r9},
        {"r10", r.r10}, {"r11", r.r11}, {"r12", r.r12},    {"r13", r.r13},   {"r14", r.r14},
        {"r15", r.r15}, {"rip", r.rip}, {"rfl", r.rflags}, {"cr0", s.cr0},   {"cr2", s.cr2},
        {"cr3", s.cr3}, {"cr4", s.cr4}, {"cr8", s.cr8},    {"efer", s.efer},
    };
    std::ostringstream out;
    unsigned column = 0;
    for (const auto& item : registers) {
        out << (column % 4 == 0 ? "  " : "");
        put_register(out, item.name, item.value);
        out << (++column % 4 == 0 ? "\n" : "");
    }
    put_segment(out, "cs", s.cs);
    put_segment(out, "ss", s.ss);
    put_segment(out, "ds", s.ds);
    put_segment(out, "es", s.es);
    put_segment(out, "fs", s.fs);
    put_segment(out, "gs", s.gs);
    put_segment(out, "tr", s.tr);
    out << "  gdt base " << hex(s.gdt.base, 16) << " limit " << hex(s.gdt.limit, 4) << "  idt base "
        << hex(s.idt.base, 16) << " limit " << hex(s.idt.limit, 4) << "\n";
    return out.str();
}

std::string Vcpu::describe_code(const GuestMemory& memory) const {
    kvm_regs r{};
    kvm_sregs s{};
    if (::ioctl(fd(), KVM_GET_REGS, &r) < 0 || ::ioctl(fd(), KVM_GET_SREGS, &s) < 0)
        return "";
    const std::uint64_t linear = s.cs.l ? r.rip : (s.cs.base + r.rip) & 0xffffffff;
    std::string text = "  code at " + hex(linear, 16) + ":";
    constexpr std::size_t most = 16;
    std::size_t shown = 0;
    for (; shown < most; ++shown) {
        kvm_translation translation{};
        translation.linear_address = linear + shown;
        if (::ioctl(fd(), KVM_TRANSLATE, &translation) < 0 || !translation.valid)
            break;
        const auto byte = memory.load<std::byte>(Gpa(translation.physical_address));
        if (!byte)
            break;
        text += hex_bytes(&*byte, 1);
    }
    if (shown == 0)
        text += " (not in guest memory)";
    if (emulation_failed() && area_->emulation_failure.ndata >= 3 &&
        (area_->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES) !=
            0) {
        const std::size_t size = std::min<std::size_t>(area_->emulation_failure.insn_size, 15);
        text += "\n  instruction:" +
                hex_bytes(reinterpret_cast<const std::byte*>(area_->emulation_failure.insn_bytes),
                          size);
    }
    return text + "\n";
}

std::string Vcpu::describe_failure(ExitKind kind, const GuestMemory& memory) const {
    return cat("vCPU ", index_, ": ", describe_cause(kind, *area_, run_errno_), "\n",
               describe_registers(), describe_code(memory));
}

} // namespace coldstart
