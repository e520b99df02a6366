// Parallel NOR flash with the Intel command set and CFI: the code and the variable store of UEFI
// firmware.
// Source: JEDEC JESD68.01 and JEP137; Intel StrataFlash Memory (J3) data sheet.
//
// Array mode, in which a guest nearly always is, costs no exit: the machine shows the contents
// read-only, and hides them from the first command to the return to array mode. An 8-bit chip in
// blocks of 4 KiB: a wider write is one command (its low byte) or one datum, a wider read is one
// read a byte. Operations end at once, so that the status register always says ready; but after
// Clear Status it says zero until the next operation, as QEMU's does: OVMF tells flash from ROM
// and RAM by that. Programming clears bits and sets none.
//
// Every program and erase goes to the store before the guest sees it done; one that the store
// refuses (disk full) leaves the contents as they were and sets the error bits. Back in array mode
// the store is flushed, on the I/O thread.
//
// Protected, that is from the moment when firmware has locked SMRAM until the next reset, the flash
// takes commands only from processors in system management mode; others read the contents, and
// their writes are dropped.
//
// Over a store that is read-only every block is locked for good. reset() unlocks the others and
// keeps the contents.
//
// Missing: suspend and resume, lock-down, protection registers, configuration (0xb8).
// Threads: read, write and save on any thread; the store is flushed on the reactor's.
#pragma once

#include "devices/core/device.h"
#include "devices/core/region_placer.h"
#include "devices/flash/flash_store.h"
#include "devices/flash/query_table.h"
#include "devices/flash/spec.h"
#include "vmm/base/log.h"
#include "vmm/base/reactor.h"
#include "vmm/base/smm.h"

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

namespace coldstart {

class CfiFlash final : public Device {
  public:
    /// `placer`, `reactor` and `smm` (none: never protected) outlive the device. Throws Error when
    /// the store can't be read or is of a wrong size.
    CfiFlash(std::shared_ptr<FlashStore> store, RegionPlacer& placer, Reactor& reactor,
             const SystemManagement* smm = nullptr);
    ~CfiFlash() override;

    std::string_view type() const noexcept override { return "cfi-flash"; }
    std::span<const RegionShape> regions() const noexcept override { return {&shape_, 1}; }

    std::uint64_t read(unsigned region, std::uint64_t offset, unsigned width) noexcept override;
    void write(unsigned region, std::uint64_t offset, unsigned width,
               std::uint64_t value) noexcept override;
    std::uint64_t read_in_smm(unsigned region, std::uint64_t offset,
                              unsigned width) noexcept override;
    void write_in_smm(unsigned region, std::uint64_t offset, unsigned width,
                      std::uint64_t value) noexcept override;

    void pause() override;
    bool drained() override;
    void reset() override;
    void halt() override;
    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;

  private:
    /// What a read answers.
    enum class Mode : std::uint8_t { array, status, id, query };
    /// What the next write is.
    enum class Cycle : std::uint8_t {
        command,
        program_data,
        erase_confirm,
        lock_confirm,
        buffer_count,
        buffer_first,
        buffer_next,
        buffer_confirm,
    };
    struct Pages;
    struct Flusher;

    struct State {
        Mode mode = Mode::array;
        Cycle cycle = Cycle::command;
        std::uint8_t status = flash::status_ready;
        std::uint8_t buffer_left = 0;  ///< data cycles of a buffered program after the next one
        std::uint32_t buffer_base = 0; ///< where the buffer goes, a multiple of its size
        std::array<std::uint8_t, flash::buffer_bytes> buffer{}; ///< what is not written is all ones
        std::vector<std::uint8_t> locked{};                     ///< one a block: 0 or 1
    };

    bool is_protected() const noexcept { return smm_ != nullptr && smm_->is_locked(); }
    std::uint8_t read_byte(std::uint64_t offset, Mode mode) const noexcept;
    std::uint64_t read_as(Mode mode, std::uint64_t offset, unsigned width) const noexcept;
    void command(std::uint8_t code) noexcept;
    void cycle(std::uint64_t offset, unsigned width, std::uint64_t value) noexcept;
    void program_data(std::uint64_t offset, unsigned width, std::uint64_t value) noexcept;
    void buffer_data(std::uint64_t offset, unsigned width, std::uint64_t value) noexcept;
    void lock_block(std::uint64_t offset, std::uint8_t code) noexcept;
    void sequence_error() noexcept;
    void finish(std::uint8_t error_bits) noexcept;

    bool is_locked(std::uint64_t block) const noexcept;
    std::uint8_t program(std::uint64_t offset, ByteView bytes) noexcept;
    std::uint8_t program_in_block(std::uint64_t offset, ByteView bytes) noexcept;
    std::uint8_t erase(std::uint64_t offset) noexcept;
    bool store_block(std::uint64_t block, std::span<const std::byte> contents, std::size_t first,
                     std::size_t size) noexcept;
    void store_again() noexcept;
    void replace_contents(ByteView contents) noexcept;

    void sync() noexcept;
    void flush_later();

    std::span<std::byte> contents() const noexcept;
    std::span<std::byte> block_contents(std::uint64_t block) const noexcept;
    State read_state(StateReader& reader) const;

    std::shared_ptr<FlashStore> store_;
    RegionPlacer& placer_;
    Reactor& reactor_;
    const SystemManagement* const smm_;
    std::unique_ptr<Pages> pages_;
    RegionShape shape_;
    const std::array<std::uint8_t, flash::query_bytes> query_;
    std::shared_ptr<Flusher> flusher_;
    LogLimiter log_limiter_{4};

    mutable std::mutex lock_; // guards what follows and the contents
    State state_;
    bool shown_ = true;
    bool unflushed_ = false;
    std::vector<bool> stale_; ///< blocks the store may hold otherwise: a write of them failed
};

} // namespace coldstart
