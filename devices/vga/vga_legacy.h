// The places where every PC expects its VGA: ports 0x3b4..0x3df, the Bochs ports 0x1ce..0x1d0, and
// the window at 0xa0000. A second door to the core of a StdVga, or an adapter of its own (an "ISA
// VGA") where there is none.
// Sources: IBM VGA technical reference; QEMU, docs/specs/standard-vga.rst.
//
// Words and doublewords on the VGA's ports go byte by byte, low byte first: `out dx, ax` writes
// index and data. Bochs ports take words only; data is at 0x1cf and, aligned, at 0x1d0.
// Missing: the monochrome printer port at 0x3bc, Hercules' 0x3b8 and 0x3bf, CGA's 0x3d8 and 0x3d9.
// Threads: as Device.
#pragma once

#include "devices/core/device.h"
#include "devices/vga/vga_core.h"

#include <array>
#include <memory>

namespace coldstart {

class StdVga;

class VgaLegacy final : public Device {
  public:
    /// Where a board puts the regions, in their order.
    static constexpr std::array<std::uint64_t, 7> bases = {0x3b4, 0x3ba, 0x3c0,  0x3d4,
                                                           0x3da, 0x1ce, 0xa0000};

    /// Shares the core of `function`, which resets, saves and restores it. nullptr: a core of its
    /// own; throws Error when there is no memory for it.
    explicit VgaLegacy(const StdVga* function);

    std::string_view type() const noexcept override { return "vga-legacy"; }
    std::span<const RegionShape> regions() const noexcept override;
    AcpiDescription acpi() const override;

    std::uint64_t read(unsigned region, std::uint64_t offset, unsigned width) noexcept override;
    void write(unsigned region, std::uint64_t offset, unsigned width,
               std::uint64_t value) noexcept override;
    void reset() override;
    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;

    const Screen& screen() const noexcept { return *core_; }

  private:
    const std::shared_ptr<vga::VgaCore> core_;
    const bool owns_core_;
};

} // namespace coldstart
