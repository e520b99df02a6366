// Zeroed host memory in whole pages that a guest can be shown: video memory, an option ROM.
// Missing: huge pages.
#pragma once

#include "vmm/base/state_io.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace coldstart::vga {

/// A stretch of memory that is not zero, as saved state holds it.
struct Run {
    std::uint32_t offset = 0;
    std::vector<std::byte> bytes;
};

class PageMemory {
  public:
    /// `size_bytes` is rounded up to whole pages. Throws Error when the host has no memory.
    explicit PageMemory(std::size_t size_bytes);
    ~PageMemory();
    PageMemory(const PageMemory&) = delete;
    PageMemory& operator=(const PageMemory&) = delete;

    std::span<std::byte> bytes() const noexcept { return bytes_; }
    /// All zero again; the pages go back to the host.
    void clear() noexcept;

    /// What is not zero, in runs: an unused screen takes four bytes.
    void save(StateWriter& writer) const;
    /// Throws Error when a run lies outside; nothing is changed until set().
    std::vector<Run> read_runs(StateReader& reader) const;
    void set(const std::vector<Run>& runs) noexcept;

  private:
    std::span<std::byte> bytes_;
};

} // namespace coldstart::vga
