// The MSI-X capability of a PCI function: table, pending bits, and the messages themselves.
// Source: PCI Local Bus Specification 3.0, section 6.8.2.
//
// Every vector has an MsiLine (an irqfd); the guest's writes to the table set its message, so that
// sending costs one eventfd write, from any thread.
// Threads: notify from any; read, write from vCPUs. A leaf: the caller may hold its lock.
// Missing: the table in a BAR of its own kind (I/O), per-function steering.
#pragma once

#include "vmm/base/irq_router.h"
#include "vmm/base/state_io.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace coldstart {

class MsixTable {
  public:
    static constexpr unsigned capability_bytes = 12;
    static constexpr std::uint8_t capability_id = 0x11;
    static constexpr unsigned entry_bytes = 16;
    static constexpr unsigned max_vectors = 2048;

    /// Throws Error when the host can't give the lines.
    MsixTable(MsiRouter& router, unsigned vectors);

    unsigned vectors() const noexcept { return static_cast<unsigned>(entries_.size()); }
    std::uint64_t table_bytes() const noexcept { return std::uint64_t{vectors()} * entry_bytes; }
    std::uint64_t pending_bytes() const noexcept { return (vectors() + 63) / 64 * 8; }

    /// The capability's Message Control word as the guest last wrote it: bits 15 (enable) and 14
    /// (mask all). The rest of the word is constant: vectors() - 1.
    void set_control(std::uint16_t control) noexcept;
    bool enabled() const noexcept { return enabled_.load(std::memory_order_acquire); }

    /// Accesses of 4 or 8 bytes inside the table; others read all ones and write nothing.
    std::uint64_t read_table(std::uint64_t offset, unsigned width) noexcept;
    void write_table(std::uint64_t offset, unsigned width, std::uint64_t value) noexcept;
    /// The pending bit array; read-only. Widths 4 and 8.
    std::uint64_t read_pending(std::uint64_t offset, unsigned width) noexcept;

    /// Sends vector's message, or notes it as pending while it is masked. Nothing when MSI-X is
    /// disabled or there is no such vector.
    void notify(unsigned vector) noexcept;

    void reset() noexcept;
    void save(StateWriter& writer) const;
    void restore(StateReader& reader);

  private:
    struct Entry {
        MsiMessage message;
        std::uint32_t control = 1; ///< bit 0: masked
        bool pending = false;
        std::unique_ptr<MsiLine> line;
    };

    void write_word(std::uint64_t offset, std::uint32_t value) noexcept;
    std::uint32_t read_word(std::uint64_t offset) const noexcept;
    void send_if_possible(Entry& entry) noexcept;

    mutable std::mutex mutex_;
    std::vector<Entry> entries_;
    std::atomic<bool> enabled_{false};
    bool all_masked_ = false;
};

} // namespace coldstart
