// fw_cfg, the device by which a monitor tells firmware about the machine: items behind a selector
// and a data port, and the same by DMA. SeaBIOS and OVMF take memory size, boot order, ACPI and
// SMBIOS tables and kernels from it.
//
// Source: QEMU, docs/specs/fw_cfg.rst. What the items are is the board's affair (fw_cfg_items.h);
// the device adds signature, features and the directory of files, sorted by name.
//
// A transfer is done when the write that started it returns. Reads past an item's end and of items
// that are not there give zeros. A transfer that leaves RAM, a write to a read-only item or past
// an item's end has the error bit set; it may have moved nothing.
//
// reset() selects the signature and brings written items back to what they were at first.
//
// Missing: writing through the data port (QEMU dropped it, too), memory-mapped registers.
// Threads: read, write and save on any thread.
#pragma once

#include "devices/core/device.h"
#include "devices/fw_cfg/fw_cfg_items.h"
#include "vmm/base/clock.h"
#include "vmm/base/gpa.h"
#include "vmm/base/guest_memory.h"
#include "vmm/base/log.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace coldstart {

class FwCfg final : public Device {
  public:
    /// `items` outlive the device and do not change any more.
    FwCfg(const FwCfgItems& items, const GuestMemory& memory, const Clock& clock);

    std::string_view type() const noexcept override { return "fw-cfg"; }
    std::span<const RegionShape> regions() const noexcept override;
    AcpiDescription acpi() const override;

    std::uint64_t read(unsigned region, std::uint64_t offset, unsigned width) noexcept override;
    void write(unsigned region, std::uint64_t offset, unsigned width,
               std::uint64_t value) noexcept override;

    void reset() override;
    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;

  private:
    using Bytes = std::vector<std::byte>;

    struct Slot {
        std::uint16_t key = 0;
        const FwCfgItem* item = nullptr;
        Bytes own;         ///< of a writable item: what it holds now
        bool seen = false; ///< the observer knows
        std::uint32_t size() const noexcept { return item->size_bytes; }
        bool writable() const noexcept { return static_cast<bool>(item->written); }
    };
    struct State {
        std::uint16_t key = 0;
        std::uint32_t offset = 0; ///< at most the size of the selected item
        std::uint32_t dma_high = 0;
    };
    struct Descriptor {
        std::uint32_t control = 0;
        std::uint32_t length = 0;
        std::uint64_t address = 0;
    };

    void fill_writable(Slot& slot);
    Slot* find(std::uint16_t key) noexcept;
    const Slot* find(std::uint16_t key) const noexcept;

    void select(std::uint16_t key) noexcept;
    std::shared_ptr<const Bytes> generate(const FwCfgItem& item) noexcept;

    std::uint8_t read_data() noexcept;
    bool copy_out(Slot& slot, std::span<std::byte> out) noexcept;

    void start_dma(Gpa descriptor) noexcept;
    std::uint32_t transfer(const Descriptor& order) noexcept;
    bool dma_read(const Descriptor& order) noexcept;
    bool dma_write(const Descriptor& order) noexcept;
    void dma_skip(const Descriptor& order) noexcept;

    const GuestMemory& memory_;
    const Clock& clock_;
    FwCfgObserver* const observer_;
    std::vector<FwCfgItem> own_items_; ///< signature, features, directory

    mutable std::mutex lock_; // guards what follows; keys and items of the slots are constant
    std::vector<Slot> slots_; // sorted by key
    State state_;
    std::shared_ptr<const Bytes> generated_; ///< of the selected item, if it is a generated one

    LogLimiter complaints_;
};

} // namespace coldstart
