// Read-only memory: the firmware as the CPU finds it after reset. The guest reads it directly;
// what it writes is dropped.
// Missing: nothing. A part that can be programmed is devices/flash.
#pragma once

#include "devices/core/device.h"

#include <array>
#include <span>

namespace coldstart {

class Rom final : public Device {
  public:
    /// `bytes`: whole pages, and they outlive the device.
    explicit Rom(std::span<std::byte> bytes);

    std::string_view type() const noexcept override { return "rom"; }
    std::span<const RegionShape> regions() const noexcept override { return regions_; }
    std::uint64_t read(unsigned region, std::uint64_t offset, unsigned width) noexcept override;
    void write(unsigned, std::uint64_t, unsigned, std::uint64_t) noexcept override {}
    void reset() override {}
    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;

  private:
    std::span<std::byte> bytes_;
    std::array<RegionShape, 1> regions_;
};

} // namespace coldstart
