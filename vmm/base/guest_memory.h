// Guest RAM as the monitor sees it: a few regions of host memory at guest-physical addresses.
//
// Everything a guest names (a descriptor, a table, a buffer) goes through here, and every access
// is checked: an address outside RAM, a length that wraps or a range that leaves RAM yields false
// or an empty result, never a fault. Guest memory changes under our hands: callers copy a value
// once and check the copy.
//
// Ranges may be withheld from all of this for a while: RAM that only processors in system
// management mode see, and no device may reach by DMA.
//
// Missing: MMIO, ROM and dirty tracking; those are the bus's and KVM's.
// Threads: after construction any thread may read, write and withhold; the guest reads and writes
// at the same time. An access on its way may still reach what is being withheld.
#pragma once

#include "vmm/base/bytes.h"
#include "vmm/base/gpa.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

namespace coldstart {

/// What becomes of a page of RAM that the guest gives back.
enum class PageRelease {
    zero,    ///< heap memory: the page stays and is filled with zeroes
    discard, ///< private mappings: the host gets the page, the guest a fresh one at its next touch
    discard_2m, ///< the same of huge pages of 2 MiB, given back whole or not at all
};

/// One contiguous piece of guest RAM. `host` keeps the backing alive (a mapping or a heap block).
struct MemoryRegion {
    Gpa base;
    std::uint64_t size_bytes = 0;
    std::shared_ptr<std::byte> host;
    PageRelease on_release = PageRelease::zero;

    Gpa end() const noexcept { return base + size_bytes; }
};

class GuestMemory {
  public:
    /// Regions in any order; throws Error when two overlap, one is empty or one wraps.
    explicit GuestMemory(std::vector<MemoryRegion> regions);

    /// Zeroed heap memory from address 0: for unit tests, and for trying a loader without KVM.
    static GuestMemory on_heap(std::uint64_t size_bytes);

    const std::vector<MemoryRegion>& regions() const noexcept { return regions_; }
    std::uint64_t size_bytes() const noexcept;

    /// The host address of [gpa, gpa + size), or an empty span when that is not inside one region.
    /// An empty range yields an empty span.
    std::span<std::byte> range(Gpa gpa, std::uint64_t size_bytes) const noexcept;

    bool contains(Gpa gpa, std::uint64_t size_bytes) const noexcept;

    /// From now on nothing that touches these whole pages below 16 TiB is read, written or
    /// released here; `which` says in whose place they come. Size 0: nothing any more. The host
    /// addresses that range() gave before stay good.
    static constexpr std::size_t withheld_ranges = 2;
    void withhold(std::size_t which, Gpa gpa, std::uint64_t size_bytes) const noexcept;

    /// Copy out of or into RAM; false, with nothing promised of `out`, when the range leaves RAM.
    bool read(Gpa gpa, std::span<std::byte> out) const noexcept;
    bool write(Gpa gpa, ByteView bytes) const noexcept;
    bool fill(Gpa gpa, std::uint64_t size_bytes, std::byte value) const noexcept;

    /// Gives the whole pages inside [gpa, gpa + size) back to the host, their contents lost, and
    /// leaves out what is no RAM; a region's part that touches withheld pages stays as a whole.
    /// How many bytes were given back.
    std::uint64_t release(Gpa gpa, std::uint64_t size_bytes) const noexcept;
    /// The same of host memory as range() yields it; memory that is not the guest's is left alone.
    std::uint64_t release(ByteView host) const noexcept;

    /// Puts whole pages of a file into the place of [gpa, gpa + size), privately: a page is the
    /// file's, in the host's page cache, until the guest writes to it. `file_offset` is aligned to
    /// pages as well. False, and nothing has changed, where memory is not made of private pages or
    /// the host refuses. While the machine stands still.
    /// What others write to the file shows in pages the guest has not written to, and accesses
    /// behind the end of a file cut short are SIGBUS, or EFAULT in a system call.
    bool map_file(Gpa gpa, int fd, std::uint64_t file_offset, std::uint64_t size_bytes) const;
    /// What map_file() has put there is RAM again, zeroed. While the machine stands still. Throws
    /// Error when the host refuses.
    void unmap_files() const;
    /// Host memory that map_file() has put there; released parts of it still count.
    const std::vector<ByteView>& file_ranges() const noexcept { return *file_ranges_; }

    template <typename T>
    requires std::is_trivially_copyable_v<T> std::optional<T> load(Gpa gpa)
    const noexcept {
        T value;
        if (!read(gpa, std::as_writable_bytes(std::span(&value, 1))))
            return std::nullopt;
        return value;
    }

    template <typename T>
    requires std::is_trivially_copyable_v<T>
    bool store(Gpa gpa, const T& value) const noexcept {
        return write(gpa, std::as_bytes(std::span(&value, 1)));
    }

  private:
    /// First page in the upper half, how many in the lower: changed in one piece.
    using Withheld = std::array<std::atomic<std::uint64_t>, withheld_ranges>;

    bool is_withheld(Gpa gpa, std::uint64_t size_bytes) const noexcept;

    std::vector<MemoryRegion> regions_; // sorted by base, disjoint
    std::shared_ptr<Withheld> withheld_ = std::make_shared<Withheld>();
    /// Shared, as the memory itself is, by all copies; never null.
    std::shared_ptr<std::vector<ByteView>> file_ranges_;
};

} // namespace coldstart
