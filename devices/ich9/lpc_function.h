// The configuration space of Ich9Lpc: PCI function 00:1f.0. It places the windows of PMBASE and
// RCBA, and tells its owner how interrupts are routed.
// Threads: as PciFunction's.
#pragma once

#include "devices/core/pci/pci_address.h"
#include "devices/core/pci/pci_function.h"
#include "devices/ich9/spec.h"

#include <array>
#include <cstdint>
#include <functional>
#include <optional>

namespace coldstart {

/// What of the configuration works outside it.
struct LpcWiring {
    std::array<std::uint8_t, pirq_count> pirq_rout{};
    std::uint8_t acpi_cntl = 0;
    bool smi_locked = false;
};

class LpcFunction final : public PciFunction {
  public:
    /// `bridge` has the regions; `on_change` is called under the configuration lock, or with the
    /// vCPUs at rest. Both outlive this.
    LpcFunction(Device& bridge, RegionPlacer& placer,
                std::function<void(const LpcWiring&)> on_change);

    std::string_view type() const noexcept override { return "ich9-lpc"; }
    std::uint64_t read(unsigned, std::uint64_t, unsigned width) noexcept override {
        return all_ones(width); // it has no BAR
    }
    void write(unsigned, std::uint64_t, unsigned, std::uint64_t) noexcept override {}

    void reset() override;
    void save(StateWriter& writer) const override { save_config(writer); }
    void restore(StateReader& reader) override;

  private:
    struct Window {
        unsigned region = 0;
        std::optional<std::uint64_t> base = {};
    };

    void define_registers();
    void config_written(unsigned offset, unsigned width) noexcept override;
    void keep_locks() noexcept;
    void remember_locks() noexcept;
    void place(Window& window, std::optional<std::uint64_t> wanted) noexcept;
    void apply() noexcept;

    Device& bridge_;
    RegionPlacer& window_placer_;
    const std::function<void(const LpcWiring&)> on_change_;

    // Guarded by the lock of configuration space.
    Window pm_{.region = ich9::region_pm};
    Window rcba_{.region = ich9::region_rcba};
    bool smi_locked_ = false, bios_locked_ = false;
};

} // namespace coldstart
