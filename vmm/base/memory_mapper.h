// Host memory that a guest sees directly, without an exit: ROM, frame buffers, shadow RAM. The
// hypervisor's memory slots, seen by devices and boards without KVM.
//
// What is shown nowhere, and writes to what is shown read-only, reach the bus as any access does.
#pragma once

#include "vmm/base/gpa.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace coldstart {

enum class MemoryAccess : std::uint8_t { read_write, read_only };

class MemoryMapper {
  public:
    virtual ~MemoryMapper() = default;

    /// Shows `memory`, which stays where it is until hide(), at `gpa`; both in whole pages. False,
    /// and nothing changes, when a page is taken or the host refuses. Any thread, while the guest
    /// runs; a leaf, as IrqLine is. It stays shown over a machine reset.
    virtual bool show(Gpa gpa, std::span<std::byte> memory, MemoryAccess access) noexcept = 0;

    /// As show(), read-write, but to processors in system management mode alone; for all others
    /// there is nothing. False also where the host can't run that mode.
    virtual bool show_in_smm(Gpa gpa, std::span<std::byte> memory) noexcept = 0;

    /// Hides what one of these put at exactly `gpa`; nothing when there is none.
    virtual void hide(Gpa gpa) noexcept = 0;
};

} // namespace coldstart
