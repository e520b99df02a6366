// The configuration space of Q35Mch: PCI function 00:00.0.
// Threads: as PciFunction's.
#pragma once

#include "devices/core/pci/pci_function.h"
#include "devices/q35/shadow_memory.h"
#include "devices/q35/smram.h"
#include "devices/q35/spec.h"
#include "vmm/base/log.h"
#include "vmm/base/smm.h"

#include <atomic>
#include <cstdint>
#include <optional>

namespace coldstart {

/// What the window of PCIEXBAR looks like.
struct EcamWindow {
    std::uint64_t base = 0;
    std::uint64_t size_bytes = 0;
    bool operator==(const EcamWindow&) const noexcept = default;
};

/// Nothing when it is off or its length reserved.
std::optional<EcamWindow> ecam_window_of(std::uint64_t pciexbar) noexcept;

class MchFunction final : public PciFunction {
  public:
    /// `bridge` has the region ECAM appears in. All of them outlive this.
    MchFunction(Device& bridge, RegionPlacer& placer, ShadowMemory& shadow, Smram& smram,
                SystemManagement* smm);

    std::string_view type() const noexcept override { return "q35-mch"; }
    std::uint64_t read(unsigned, std::uint64_t, unsigned width) noexcept override {
        return all_ones(width); // it has no BAR
    }
    void write(unsigned, std::uint64_t, unsigned, std::uint64_t) noexcept override {}

    void reset() override;
    void save(StateWriter& writer) const override { save_config(writer); }
    void restore(StateReader& reader) override;

    /// How much of the ECAM region answers; 0 while it is nowhere.
    std::uint64_t ecam_bytes() const noexcept {
        return ecam_bytes_.load(std::memory_order_acquire);
    }

  private:
    void config_written(unsigned offset, unsigned width) noexcept override;
    void lock_smram() noexcept;
    void apply_smram() noexcept;
    void place_ecam(std::uint64_t pciexbar) noexcept;
    void apply_all() noexcept;

    Device& bridge_;
    RegionPlacer& ecam_placer_;
    ShadowMemory& shadow_;
    Smram& smram_memory_;
    SystemManagement* const smm_; ///< none: the machine has no such mode
    LogLimiter complaints_{1};
    std::atomic<std::uint64_t> ecam_bytes_{0};

    // Guarded by the lock of configuration space.
    std::optional<EcamWindow> ecam_;
    std::uint8_t smram_ = 0, esmramc_ = 0; // as they were before the write at hand
};

} // namespace coldstart
