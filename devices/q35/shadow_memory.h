// The 256 KiB from 0xc0000 to 0xfffff, which the PAM registers turn between ROM and RAM.
// Source: Intel 3 Series Express Chipset data sheet, sections 5.1.17 to 5.1.23 (PAM0 to PAM6).
//
// Reads come from RAM or ROM, writes go to RAM or nowhere, each by segment. What is read is shown
// to the guest directly, neighbours of one kind in one piece; where writes do not go where reads
// come from, or nothing is shown, accesses reach read() and write().
// Below the ROM's bytes reads of ROM are all ones.
//
// Threads: any. A leaf but for the mapper, which is one, too.
#pragma once

#include "devices/q35/spec.h"
#include "vmm/base/memory_mapper.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>

namespace coldstart {

class ShadowMemory {
  public:
    static constexpr Gpa base{0xc0000};
    static constexpr std::uint64_t size_bytes = 0x40000;
    using Pam = std::array<std::uint8_t, q35::pam_count>;

    /// `ram`: what stands at `base`, size_bytes of it, or none, and then reads of RAM are all
    /// ones. `rom`: what ends at 0xfffff, whole pages, at most size_bytes; may be empty. Throws
    /// Error on other sizes. All three outlive this. Begins with ROM everywhere.
    ShadowMemory(MemoryMapper& mapper, std::span<std::byte> ram, std::span<std::byte> rom);
    ShadowMemory(const ShadowMemory&) = delete;
    ShadowMemory& operator=(const ShadowMemory&) = delete;
    ~ShadowMemory();

    /// Shows what these register values mean; what stays as it is is not touched.
    void apply(const Pam& pam) noexcept;

    // Accesses that were not served directly; the caller knows them inside. Any alignment.
    std::uint64_t read(std::uint64_t offset, unsigned width) noexcept;
    void write(std::uint64_t offset, unsigned width, std::uint64_t value) noexcept;

  private:
    static constexpr std::uint64_t segment_bytes = 0x4000;
    static constexpr std::size_t segments = size_bytes / segment_bytes;

    enum class View : std::uint8_t { nothing, ram, ram_read_only, rom };

    struct Run {
        std::uint64_t offset = 0, size = 0;
        View view = View::nothing;
        bool is_shown = false;
        bool same_place(const Run& other) const noexcept {
            return offset == other.offset && size == other.size && view == other.view;
        }
    };
    /// A run a segment, and one more where the ROM begins inside one.
    struct Plan {
        std::array<Run, segments + 1> runs;
        std::size_t count = 0;
        void add(std::uint64_t offset, std::uint64_t size, View view) noexcept;
        Run* find(const Run& wanted) noexcept;
    };

    std::uint64_t rom_offset() const noexcept { return size_bytes - rom_.size(); }
    Plan plan() const noexcept;
    bool show(const Run& run) noexcept;
    void replace_plan(Plan next) noexcept;

    MemoryMapper& mapper_;
    const std::span<std::byte> ram_, rom_;

    std::mutex lock_;                                 // guards what follows
    std::array<std::uint8_t, segments> attributes_{}; // pam_reads_ram, pam_writes_ram
    Plan current_;
};

} // namespace coldstart
