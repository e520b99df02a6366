// The display adapter QEMU calls "std": PCI function 1234:1111 with a frame buffer, its registers
// in memory, and an option ROM for firmware of PC BIOS kind.
// Source: QEMU, docs/specs/standard-vga.rst; drivers: Linux drivers/gpu/drm/tiny/bochs.c, OVMF's
// QemuVideoDxe, SeaVGABIOS.
//
//   BAR 0  16 MiB, prefetchable: the frame buffer, memory that the guest sees without an exit
//   BAR 2  4 KiB: 0 EDID, 0x400 ports 0x3c0..0x3df, 0x500 DISPI, 0x600 QEMU's extension
//   ROM    the VGA BIOS, where there is one
//
// The legacy ports and the window at 0xa0000 are VgaLegacy's, which shares the core: the board
// places it after this function. They answer whatever the command register says.
// Missing: interrupts, displays of other sizes than the EDID's.
// Threads: as Device.
#pragma once

#include "devices/core/pci/pci_bus.h"
#include "devices/core/pci/pci_function.h"
#include "devices/vga/page_memory.h"
#include "devices/vga/vga_core.h"

#include <memory>
#include <optional>

namespace coldstart {

class StdVga final : public PciFunction {
  public:
    /// `rom` is copied; empty: no ROM BAR. Throws Error when it is no option ROM.
    StdVga(RegionPlacer& placer, ByteView rom);

    std::string_view type() const noexcept override { return "std-vga"; }

    std::uint64_t read(unsigned region, std::uint64_t offset, unsigned width) noexcept override;
    void write(unsigned region, std::uint64_t offset, unsigned width,
               std::uint64_t value) noexcept override;
    void reset() override;
    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;

    const Screen& screen() const noexcept { return *core_; }
    const std::shared_ptr<vga::VgaCore>& core() const noexcept { return core_; }

    /// The one on `bus` with the lowest address, or nullptr.
    static StdVga* find(const PciBus& bus) noexcept;

  private:
    std::uint64_t read_registers(std::uint64_t offset, unsigned width) noexcept;
    void write_registers(std::uint64_t offset, unsigned width, std::uint64_t value) noexcept;

    const std::shared_ptr<vga::VgaCore> core_;
    std::optional<vga::PageMemory> rom_;
    unsigned frame_buffer_region_ = 0;
    unsigned register_region_ = 0;
};

} // namespace coldstart
