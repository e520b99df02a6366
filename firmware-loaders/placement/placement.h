// Which parts of guest RAM a load has taken: each part is claimed before it is written, must lie
// inside one `ram` entry of the memory map and one region of guest memory, and must not overlap
// another. Copying a Placement is how a loader tries something and takes it back.
// Threads: one, while the machine is set up.
#pragma once

#include "firmware-loaders/boot_plan.h"
#include "firmware-loaders/placement/layout.h"
#include "vmm/base/gpa.h"
#include "vmm/base/guest_memory.h"
#include "vmm/base/memory_map.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace coldstart {

class Placement {
  public:
    /// Both must outlive it.
    Placement(const GuestMemory& memory, const MemoryMap& map) noexcept
        : memory_(&memory), map_(&map) {}

    const GuestMemory& memory() const noexcept { return *memory_; }
    const MemoryMap& map() const noexcept { return *map_; }

    /// Takes the range; throws Error naming `name`, the range and what is in its way.
    void claim(const std::string& name, Gpa base, std::uint64_t size_bytes);
    void claim(const std::string& name, layout::Range range) {
        claim(name, range.base, range.size_bytes);
    }

    bool is_free(Gpa base, std::uint64_t size_bytes) const noexcept;

    /// The highest free range that ends at or below `end`; nothing when there is none.
    std::optional<Gpa> highest(std::uint64_t size_bytes, std::uint64_t alignment,
                               Gpa end) const noexcept;

    /// The lowest free range at or above `start`; nothing when there is none.
    std::optional<Gpa> lowest(std::uint64_t size_bytes, std::uint64_t alignment,
                              Gpa start) const noexcept;

    const std::vector<LoadedPart>& parts() const noexcept { return parts_; }

  private:
    bool is_ram(Gpa base, std::uint64_t size_bytes) const noexcept;
    const LoadedPart* overlapping(Gpa base, std::uint64_t size_bytes) const noexcept;

    const GuestMemory* memory_;
    const MemoryMap* map_;
    std::vector<LoadedPart> parts_;
};

} // namespace coldstart
