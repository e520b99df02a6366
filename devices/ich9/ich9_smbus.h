// The SMBus host controller of an ICH9, PCI function 00:1f.3, on a bus without devices: every
// transaction ends at once with DEV_ERR, as when no slave answers, so that probes are quick.
// Source: ICH9 data sheet, chapter 19; INTA as QEMU's.
//
// Interrupts: INTx while DEV_ERR or FAILED is set and HST_CNT.INTREN is. KILL ends nothing, as
// nothing lasts, and sets FAILED as the data sheet says.
// Missing: slaves, the slave side of the controller, SMI, the memory BAR, alerts.
// Threads: any.
#pragma once

#include "devices/core/pci/pci_function.h"
#include "devices/ich9/smbus_spec.h"

#include <array>
#include <cstdint>
#include <mutex>

namespace coldstart {

class Ich9Smbus final : public PciFunction {
  public:
    Ich9Smbus(RegionPlacer& placer, IrqLine& intx);

    std::string_view type() const noexcept override { return "ich9-smbus"; }

    std::uint64_t read(unsigned region, std::uint64_t offset, unsigned width) noexcept override;
    void write(unsigned region, std::uint64_t offset, unsigned width,
               std::uint64_t value) noexcept override;

    void reset() override;
    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;

  private:
    struct State {
        std::array<std::uint8_t, ich9::smbus_ports> ports{};
        std::array<std::uint8_t, ich9::block_bytes> block{};
        std::uint8_t block_index = 0;
        bool is_enabled = false; ///< HOSTC.HST_EN, as the configuration hook last saw it
    };

    void config_written(unsigned offset, unsigned width) noexcept override;

    // Under the lock.
    std::uint8_t read_byte(std::size_t port) noexcept;
    void write_byte(std::size_t port, std::uint8_t value) noexcept;
    void write_control(std::uint8_t value) noexcept;
    std::uint8_t& block_data() noexcept;
    void sync() noexcept;

    mutable std::mutex lock_; // inside configuration space's; guards what follows
    State state_;
};

} // namespace coldstart
