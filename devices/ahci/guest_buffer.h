// The guest's memory behind a command: its list of physical regions, walked from front to back.
// Source: AHCI 1.3.1, section 4.2.3.3.
//
// The list stays in guest memory and may change while it is walked: each entry is copied, checked
// and bounded when it is used. A list holds up to 65535 entries of up to 4 MiB.
#pragma once

#include "vmm/base/bytes.h"
#include "vmm/base/guest_memory.h"

#include <cstddef>
#include <cstdint>
#include <span>

#include <sys/uio.h>

namespace coldstart {

class GuestBuffer {
  public:
    GuestBuffer() = default;
    GuestBuffer(const GuestMemory& memory, Gpa list, std::uint32_t entries) noexcept
        : memory_(&memory), list_(list), entries_(entries) {}

    /// Whether `bytes` more bytes have room. An entry outside RAM ends the search: faulted().
    bool has_room(std::uint64_t bytes) noexcept;

    /// The next pieces of memory: up to `limit_bytes` in all and a multiple of `granule_bytes`.
    /// Moves on past them. Returns the bytes and, in `count`, the pieces; 0 when there is nothing
    /// left, or when an address is outside RAM: faulted().
    std::uint64_t take(std::span<iovec> pieces, std::size_t& count, std::uint64_t limit_bytes,
                       std::uint64_t granule_bytes) noexcept;

    /// Copies as much as there is room for and moves on; how many bytes that were.
    std::size_t copy_out(ByteView data) noexcept;
    std::size_t copy_in(std::span<std::byte> data) noexcept;

    bool faulted() const noexcept { return faulted_; }
    /// An entry that asks for an interrupt has been used up.
    bool wants_interrupt() const noexcept { return wants_interrupt_; }

  private:
    /// Entry `index`, as it is now; false: outside RAM.
    struct Entry {
        Gpa address;
        std::uint64_t size_bytes = 0;
        bool interrupt = false;
    };
    bool entry(std::uint32_t index, Entry& out) noexcept;
    void advance(std::uint64_t bytes) noexcept;

    const GuestMemory* memory_ = nullptr;
    Gpa list_;
    std::uint32_t entries_ = 0;
    std::uint32_t index_ = 0;  ///< the entry in use
    std::uint64_t offset_ = 0; ///< bytes of it that are used up
    bool faulted_ = false;
    bool wants_interrupt_ = false;
};

} // namespace coldstart
