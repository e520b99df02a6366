// Guest RAM, ROM and frame buffers as KVM memory slots. It remembers what is shown where, because
// a machine reset makes a new KVM virtual machine: bind() shows all of it there again.
//
// With system management mode there are two address spaces, and what is shown to all stands in
// both.
// Threads: show and hide from any; bind and unbind the control thread, with the vCPUs at rest.
#pragma once

#include "vmm/base/memory_mapper.h"
#include "vmm/kvm/vm.h"

#include <array>
#include <cstdint>
#include <mutex>

namespace coldstart {

class KvmMemory final : public MemoryMapper {
  public:
    /// RAM, 13 shadow segments, ROMs, frame buffers and the PCI BARs with memory behind them.
    static constexpr std::size_t max_slots = 128;

    bool show(Gpa gpa, std::span<std::byte> memory, MemoryAccess access) noexcept override;
    bool show_in_smm(Gpa gpa, std::span<std::byte> memory) noexcept override;
    void hide(Gpa gpa) noexcept override;

    /// Before anything is shown: the virtual machines to come have system management mode.
    void add_smm_space() noexcept { has_smm_ = true; }

    /// Shows everything on `vm`, which stays alive until unbind() or the next bind(). Throws Error.
    void bind(Vm& vm);
    /// From now on it only remembers.
    void unbind() noexcept;

  private:
    struct Slot {
        Gpa gpa;
        std::span<std::byte> memory; ///< empty: the slot is free
        MemoryAccess access = MemoryAccess::read_write;
        bool smm_only = false;
    };

    bool show_slot(const Slot& slot) noexcept;
    bool overlaps(Gpa gpa, std::uint64_t size_bytes) const noexcept;
    void set(std::uint32_t number, const Slot& slot, std::uint64_t size_bytes);
    void set_in(AddressSpace space, std::uint32_t number, const Slot& slot,
                std::uint64_t size_bytes);

    std::mutex mutex_;
    Vm* vm_ = nullptr;
    bool has_smm_ = false;
    std::array<Slot, max_slots> slots_;
};

} // namespace coldstart
