// The regions of one address space, looked up on every exit: sorted, of fixed capacity, readable
// without a lock while another thread adds, removes or moves a region.
//
// Two copies stand behind a sequence counter (a "latch"): a writer sends readers to the one it
// does not touch, so a reader never waits, even for a writer that was preempted half-way; it
// looks again only when a change was published under it.
//
// Threads: find() from any; the changes from any, one at a time behind a mutex of their own.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace coldstart {

class Device;

class RegionTable {
  public:
    static constexpr std::size_t capacity = 256;

    struct Region {
        std::uint64_t base = 0;
        std::uint64_t last = 0; ///< inclusive: a region may end at 2^64
        Device* device = nullptr;
        std::uint32_t index = 0; ///< which of the device's regions
    };

    enum class Outcome { done, full, conflict, absent };

    RegionTable() = default;
    RegionTable(const RegionTable&) = delete;
    RegionTable& operator=(const RegionTable&) = delete;

    /// The region `address` lies in, copied to `found`.
    bool find(std::uint64_t address, Region& found) const noexcept;

    /// conflict: it overlaps one that is there, which is copied to `other`.
    Outcome add(const Region& region, Region& other) noexcept;
    /// By its exact base; absent when none has it.
    Outcome remove(std::uint64_t base) noexcept;
    /// As remove and add in one step, seen by readers as one; nothing changes but when done. To
    /// end beyond `last_allowed` is a conflict, too.
    Outcome move(std::uint64_t base, std::uint64_t new_base, std::uint64_t last_allowed) noexcept;

  private:
    struct Slot {
        std::atomic<std::uint64_t> base{0}, last{0};
        std::atomic<Device*> device{nullptr};
        std::atomic<std::uint32_t> index{0};
    };
    struct Copy {
        std::atomic<std::size_t> count{0};
        std::array<Slot, capacity> slots;
    };

    static bool search(const Copy& copy, std::uint64_t address, Region& found) noexcept;
    Region* overlapping(const Region& region, const Region* except) noexcept;
    Region* at_base(std::uint64_t base) noexcept;
    void insert(const Region& region) noexcept;
    void erase(Region* region) noexcept;
    void publish() noexcept;
    void fill(Copy& copy) const noexcept;

    std::atomic<std::uint64_t> sequence_{0}; // its lowest bit: which copy readers use
    std::array<Copy, 2> copies_;

    std::mutex writer_; // guards the two below, and publishing
    std::array<Region, capacity> regions_;
    std::size_t count_ = 0;
};

} // namespace coldstart
