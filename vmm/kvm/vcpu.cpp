#include "vmm/kvm/vcpu.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/kvm/kvm_abi.h"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <utility>
#include <vector>

#include <sys/ioctl.h>
#include <sys/mman.h>

namespace coldstart {
namespace {

// MSR numbers: Intel SDM vol. 4.
constexpr std::uint32_t msr_misc_enable = 0x1a0;
constexpr std::uint64_t misc_enable_fast_strings = 1;
constexpr std::uint32_t msr_mtrr_def_type = 0x2ff;
constexpr std::uint64_t mtrr_enabled_write_back = 1u << 11 | 6;

// Local APIC: Intel SDM vol. 3 section 11.5.1.
constexpr std::size_t lapic_lvt_lint0 = 0x350;
constexpr std::size_t lapic_lvt_lint1 = 0x360;
constexpr std::uint32_t lvt_mode_extint = 7u << 8;
constexpr std::uint32_t lvt_mode_nmi = 4u << 8;

int create_vcpu(const Vm& vm, std::uint32_t index) {
    const int fd = ::ioctl(vm.fd(), KVM_CREATE_VCPU, static_cast<unsigned long>(index));
    if (fd >= 0)
        return fd;
    if (errno == EINVAL || errno == EEXIST)
        throw Error(cat("vCPU ", index, ": KVM refuses it"),
                    cat("this host's KVM allows ", vm.kvm().max_vcpus(), " vCPUs (--cpus)"));
    throw system_error(cat("vCPU ", index, ": KVM_CREATE_VCPU"), errno);
}

kvm_segment flat_segment(std::uint16_t selector, std::uint8_t type, bool is_code64) {
    kvm_segment segment{};
    segment.base = 0;
    segment.limit = 0xffffffff;
    segment.selector = selector;
    segment.type = type;
    segment.present = 1;
    segment.db = is_code64 ? 0 : 1;
    segment.s = 1;
    segment.l = is_code64 ? 1 : 0;
    segment.g = 1;
    return segment;
}

} // namespace

Vcpu::Vcpu(const Vm& vm, std::uint32_t index)
    : index_(index), fd_(create_vcpu(vm, index)), area_bytes_(vm.kvm().vcpu_area_bytes()) {
    void* area = ::mmap(nullptr, area_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd(), 0);
    if (area == MAP_FAILED)
        throw system_error(cat("vCPU ", index, ": mapping its run area"), errno);
    area_ = static_cast<kvm_run*>(area);
}

Vcpu::~Vcpu() {
    if (area_ != nullptr)
        ::munmap(area_, area_bytes_);
}

std::uint32_t Vcpu::tsc_khz() const noexcept {
    const int khz = ::ioctl(fd(), KVM_GET_TSC_KHZ, 0);
    return khz > 0 ? static_cast<std::uint32_t>(khz) : 0;
}

void Vcpu::set_cpuid(const CpuidTable& table) {
    std::vector<std::byte> buffer(sizeof(kvm_cpuid2) + table.size() * sizeof(kvm_cpuid_entry2));
    auto* header = reinterpret_cast<kvm_cpuid2*>(buffer.data());
    for (const CpuidEntry& leaf : table) {
        kvm_cpuid_entry2& entry = header->entries[header->nent++];
        entry.function = leaf.function;
        entry.index = leaf.index;
        entry.flags = leaf.index_matters ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0;
        entry.eax = leaf.eax;
        entry.ebx = leaf.ebx;
        entry.ecx = leaf.ecx;
        entry.edx = leaf.edx;
    }
    if (::ioctl(fd(), KVM_SET_CPUID2, header) < 0)
        throw system_error(cat("vCPU ", index_, ": KVM_SET_CPUID2"), errno);
}

void Vcpu::set_firmware_msrs() {
    // In one call, since each loads the vCPU. MISC_ENABLE is Intel's alone, its absence no loss: KVM
    // stops at the first MSR that it does not know, so it comes last.
    constexpr kvm_msr_entry entries[] = {{msr_mtrr_def_type, 0, mtrr_enabled_write_back},
                                         {msr_misc_enable, 0, misc_enable_fast_strings}};
    alignas(kvm_msrs) std::byte buffer[sizeof(kvm_msrs) + sizeof entries]{};
    auto* msrs = reinterpret_cast<kvm_msrs*>(buffer);
    msrs->nmsrs = std::size(entries);
    std::memcpy(msrs->entries, entries, sizeof entries);
    if (::ioctl(fd(), KVM_SET_MSRS, msrs) < 0)
        throw system_error(cat("vCPU ", index_, ": KVM_SET_MSRS"), errno);
}

void Vcpu::set_firmware_lapic() {
    kvm_lapic_state lapic{};
    if (::ioctl(fd(), KVM_GET_LAPIC, &lapic) < 0)
        throw system_error(cat("vCPU ", index_, ": KVM_GET_LAPIC"), errno);
    std::memcpy(lapic.regs + lapic_lvt_lint0, &lvt_mode_extint, sizeof lvt_mode_extint);
    std::memcpy(lapic.regs + lapic_lvt_lint1, &lvt_mode_nmi, sizeof lvt_mode_nmi);
    if (::ioctl(fd(), KVM_SET_LAPIC, &lapic) < 0)
        throw system_error(cat("vCPU ", index_, ": KVM_SET_LAPIC"), errno);
}

void Vcpu::set_entry_state(const EntryState& entry) {
    if (entry.mode == EntryMode::reset)
        return;
    constexpr std::uint8_t code_execute_read = 0xb, data_read_write = 0x3, busy_tss = 0xb;
    constexpr std::uint64_t cr0_pe = 1, cr0_et = 1 << 4, cr0_pg = 1ull << 31;
    constexpr std::uint64_t cr4_pae = 1 << 5;
    constexpr std::uint64_t efer_lme = 1 << 8, efer_lma = 1 << 10;
    const bool is_long = entry.mode == EntryMode::long64;

    kvm_sregs sregs{};
    if (::ioctl(fd(), KVM_GET_SREGS, &sregs) < 0)
        throw system_error(cat("vCPU ", index_, ": KVM_GET_SREGS"), errno);
    sregs.cs = flat_segment(entry.code_selector, code_execute_read, is_long);
    sregs.ds = flat_segment(entry.data_selector, data_read_write, false);
    sregs.es = sregs.fs = sregs.gs = sregs.ss = sregs.ds;
    sregs.tr = kvm_segment{};
    sregs.tr.selector = entry.task_selector;
    sregs.tr.limit = 0x67;
    sregs.tr.type = busy_tss;
    sregs.tr.present = 1;
    sregs.gdt.base = entry.gdt_base.value;
    sregs.gdt.limit = entry.gdt_limit;
    sregs.idt.base = 0;
    sregs.idt.limit = 0;
    sregs.cr0 = cr0_pe | cr0_et;
    if (is_long) {
        sregs.cr0 |= cr0_pg;
        sregs.cr3 = entry.page_table_root.value;
        sregs.cr4 = cr4_pae;
        sregs.efer = efer_lme | efer_lma;
    }
    if (::ioctl(fd(), KVM_SET_SREGS, &sregs) < 0)
        throw system_error(cat("vCPU ", index_, ": KVM_SET_SREGS"), errno);

    kvm_regs regs{};
    regs.rip = entry.rip;
    regs.rsp = entry.rsp;
    regs.rbx = entry.rbx;
    regs.rsi = entry.rsi;
    regs.rflags = 2; // the bit that is always one
    if (::ioctl(fd(), KVM_SET_REGS, &regs) < 0)
        throw system_error(cat("vCPU ", index_, ": KVM_SET_REGS"), errno);
}

void Vcpu::watch_boot(std::shared_ptr<MsrWatch> msrs, MilestoneSink& milestones) {
    watch_ = std::make_unique<BootWatch>(fd(), index_ == 0, std::move(msrs), milestones);
}

ExitKind Vcpu::run() noexcept {
    do {
        if (::ioctl(fd(), KVM_RUN, 0) < 0) {
            run_errno_ = errno;
            // EAGAIN: an application processor that waits for its start-up message was woken.
            return run_errno_ == EINTR || run_errno_ == EAGAIN ? ExitKind::interrupted
                                                               : ExitKind::failure;
        }
    } while (watch_ != nullptr && watch_->took(*area_));
    run_errno_ = 0;
    return decode_exit();
}

ExitKind Vcpu::decode_exit() noexcept {
    switch (area_->exit_reason) {
    case KVM_EXIT_IO:
        access_ = {area_->io.port,
                   reinterpret_cast<std::byte*>(area_) + area_->io.data_offset,
                   area_->io.size,
                   area_->io.count,
                   area_->io.direction == KVM_EXIT_IO_OUT,
                   (area_->flags & KVM_RUN_X86_SMM) != 0};
        return ExitKind::io;
    case KVM_EXIT_MMIO:
        access_ = {area_->mmio.phys_addr,     reinterpret_cast<std::byte*>(area_->mmio.data),
                   area_->mmio.len,           1,
                   area_->mmio.is_write != 0, (area_->flags & KVM_RUN_X86_SMM) != 0};
        return ExitKind::mmio;
    case KVM_EXIT_IRQ_WINDOW_OPEN:
        return ExitKind::interrupt_window;
    case KVM_EXIT_IOAPIC_EOI:
        return ExitKind::end_of_interrupt;
    case KVM_EXIT_INTR:
        return ExitKind::interrupted;
    case KVM_EXIT_SHUTDOWN:
        return ExitKind::shutdown;
    case KVM_EXIT_SYSTEM_EVENT:
        if (area_->system_event.type == KVM_SYSTEM_EVENT_RESET)
            return ExitKind::reset_event;
        if (area_->system_event.type == KVM_SYSTEM_EVENT_SHUTDOWN)
            return ExitKind::poweroff_event;
        return ExitKind::failure;
    default:
        return ExitKind::failure;
    }
}

std::uint8_t Vcpu::ended_vector() const noexcept {
    return area_->eoi.vector;
}

bool Vcpu::takes_interrupt() const noexcept {
    return area_->ready_for_interrupt_injection != 0 && area_->if_flag != 0;
}

bool Vcpu::inject(std::uint8_t vector) noexcept {
    kvm_interrupt request{};
    request.irq = vector;
    return ::ioctl(fd(), KVM_INTERRUPT, &request) == 0;
}

void Vcpu::ask_for_interrupt_window(bool wanted) noexcept {
    area_->request_interrupt_window = wanted ? 1 : 0;
}

void Vcpu::request_exit() noexcept {
    __atomic_store_n(&area_->immediate_exit, std::uint8_t{1}, __ATOMIC_RELEASE);
}

void Vcpu::clear_exit_request() noexcept {
    __atomic_store_n(&area_->immediate_exit, std::uint8_t{0}, __ATOMIC_RELEASE);
}

void Vcpu::raise_smi() noexcept {
    ::ioctl(fd(), KVM_SMI, 0);
}

void Vcpu::tell_paused() noexcept {
    ::ioctl(fd(), KVM_KVMCLOCK_CTRL, 0);
}

bool Vcpu::emulation_failed() const noexcept {
    return run_errno_ == 0 && area_->exit_reason == KVM_EXIT_INTERNAL_ERROR &&
           area_->internal.suberror == KVM_INTERNAL_ERROR_EMULATION;
}

} // namespace coldstart
