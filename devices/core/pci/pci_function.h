// The part of a PCI function that all share: configuration space, BARs that the guest sizes and
// moves, capabilities, the command register, INTx.
// Source: PCI Local Bus Specification 3.0, sections 6.1, 6.2 and 6.7; PCI Express Base 3.0,
// section 7.2 for the extended space, whose bytes read as zero here.
//
// A function's Device::regions are its BARs, in the order of add_bar(). The board places none of
// them: they appear and move as the guest writes BARs and the command register, through
// RegionPlacer. A BAR that does not fit where the guest puts it is nowhere until it is moved.
//
// Writable bits: the command register's I/O, memory, bus master, parity, SERR and INTx disable;
// cache line size, latency timer, BARs, the ROM BAR, interrupt line; what a subclass adds.
// Missing: type 1 headers (bridges), power management states other than D0, cardbus pointers.
//
// Threads: config_read and config_write from any vCPU; a lock of their own guards configuration
// space. The subclass's hook runs under it; it may take the subclass's lock, and a subclass that
// holds its lock does not touch configuration space except by the calls that say so.
#pragma once

#include "devices/core/device.h"
#include "devices/core/region_placer.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

namespace coldstart {

struct PciIdentity {
    std::uint16_t vendor_id = 0;
    std::uint16_t device_id = 0;
    std::uint8_t revision = 0;
    std::uint32_t class_code = 0; ///< base class, subclass, programming interface: 0x010601
    std::uint16_t subsystem_vendor_id = 0;
    std::uint16_t subsystem_id = 0;
    std::uint8_t interrupt_pin = 0; ///< 0: none, 1: INTA
};

enum class BarKind : std::uint8_t {
    io,
    memory32,
    memory64, ///< takes two BARs; prefetchable, as every 64-bit one here
    memory32_prefetchable,
    rom, ///< the expansion ROM BAR; its RegionShape has memory, read-only
};

class PciFunction : public Device {
  public:
    static constexpr unsigned config_bytes = 4096;
    static constexpr unsigned rom_bar = 6;

    // Device.
    std::span<const RegionShape> regions() const noexcept final { return regions_; }
    std::span<const LineShape> lines() const noexcept override;

    const PciIdentity& identity() const noexcept { return identity_; }

    /// `width` is 1, 2 or 4; the access lies inside config_bytes and in one aligned doubleword.
    std::uint32_t config_read(unsigned offset, unsigned width) noexcept;
    void config_write(unsigned offset, unsigned width, std::uint32_t value) noexcept;

    /// The board sets the multi-function bit of function 0 when it has siblings. Before start.
    void set_multifunction() noexcept;

    /// Whether the function may write to memory and send messages: the command register's bus
    /// master bit. Any thread.
    bool is_bus_master() const noexcept;

  protected:
    /// `intx` is what Device::lines declares; unused without an interrupt pin. Both outlive this.
    PciFunction(const PciIdentity& identity, RegionPlacer& placer, IrqLine* intx);

    // For the subclass's constructor, in any order.
    /// `index` 0..5 or rom_bar; size_bytes of the shape a power of two, at least 4 (io) or 16
    /// (memory; 4096 where it has memory behind it; 2048 for the ROM). Returns the region's number.
    unsigned add_bar(unsigned index, BarKind kind, const RegionShape& shape);
    /// Room for a capability of `size_bytes` bytes with its two-byte header, at the next free
    /// doubleword from 0x40 on (or at `at`); returns its offset. Body bytes are zero, read-only.
    unsigned add_capability(std::uint8_t id, unsigned size_bytes, unsigned at = 0);
    /// The value at power-on and after a reset, and which bits the guest may write. Widths 1, 2, 4.
    void define(unsigned offset, unsigned width, std::uint32_t value, std::uint32_t writable = 0);
    /// Bits that a write of one clears (RW1C).
    void define_write_one_to_clear(unsigned offset, unsigned width, std::uint32_t bits);

    // At run time.
    /// The bytes as they stand. In a hook, or with nothing else going on. Bits that are neither
    /// writable nor write-one-to-clear are not restored from a saved state: do not change them.
    std::uint32_t config_value(unsigned offset, unsigned width) const noexcept;
    void set_config_value(unsigned offset, unsigned width, std::uint32_t value) noexcept;
    /// The same with the lock taken: not from a hook.
    std::uint32_t locked_config_value(unsigned offset, unsigned width) noexcept;
    void set_locked_config_value(unsigned offset, unsigned width, std::uint32_t value) noexcept;

    /// Called with the configuration lock held after a write has changed the space; [offset,
    /// offset + width) is what was written.
    virtual void config_written(unsigned offset, unsigned width) noexcept;
    /// Called with the lock held before bytes are read: refresh those that live elsewhere.
    virtual void config_about_to_be_read(unsigned offset, unsigned width) noexcept;

    /// Drives the pin, unless the guest has disabled INTx, and the status register's bit. A leaf:
    /// any thread, the subclass's lock held or not; not the configuration lock.
    void set_intx(bool asserted) noexcept;

    /// For the subclass's reset(): registers at their power-on values, BARs nowhere, INTx low.
    void reset_config() noexcept;
    void save_config(StateWriter& writer) const;
    /// Takes the bits that a write can change and leaves the others as they are at power-on; places
    /// the BARs where the saved registers say.
    void restore_config(StateReader& reader);

  private:
    struct Bar {
        BarKind kind = BarKind::memory32;
        unsigned offset = 0; ///< of its register
        unsigned region = 0;
        std::uint64_t placed_at = nowhere;
    };
    static constexpr std::uint64_t nowhere = ~std::uint64_t{0};

    std::uint64_t wanted_base(const Bar& bar) const noexcept;
    void place_bars() noexcept;
    void drive_intx_locked() noexcept;

    const PciIdentity identity_;
    RegionPlacer& placer_;
    IrqLine* const intx_;
    std::vector<RegionShape> regions_;
    std::vector<Bar> bars_;
    unsigned next_capability_ = 0x40;
    unsigned last_capability_link_ = 0x34;

    mutable std::mutex config_mutex_;
    std::array<std::uint8_t, config_bytes> values_{};
    std::array<std::uint8_t, config_bytes> initial_{};
    std::array<std::uint8_t, config_bytes> writable_{};
    std::array<std::uint8_t, config_bytes> write_one_to_clear_{};

    std::atomic<std::uint16_t> command_{0};
    mutable std::mutex intx_mutex_; // inside config_mutex_
    bool intx_asserted_ = false;
};

} // namespace coldstart
