#include "devices/vga/vga_legacy.h"

#include "devices/vga/std_vga.h"
#include "vmm/base/error.h"

namespace coldstart {

using namespace vga;

namespace {

constexpr std::array region_shapes = {
    RegionShape{"mono crtc", BusKind::pio, 2},
    RegionShape{"mono status", BusKind::pio, 1},
    RegionShape{"registers", BusKind::pio, 16},
    RegionShape{"crtc", BusKind::pio, 2},
    RegionShape{"status", BusKind::pio, 1},
    RegionShape{"bochs", BusKind::pio, 4}, // a word at 0x1d0 reaches 0x1d1
    RegionShape{"window", BusKind::mmio, window_bytes},
};
static_assert(region_shapes.size() == VgaLegacy::bases.size());

constexpr unsigned region_bochs = 5;
constexpr unsigned region_window = 6;

/// Registers are known by their usual port, wherever the board has them.
unsigned port_of(unsigned region, std::uint64_t offset) noexcept {
    return static_cast<unsigned>(VgaLegacy::bases[region] + offset);
}

constexpr std::uint64_t bochs_index = 0;
constexpr std::uint64_t bochs_data = 1;
constexpr std::uint64_t bochs_data_aligned = 2;

} // namespace

VgaLegacy::VgaLegacy(const StdVga* function)
    : core_(function != nullptr ? function->core() : std::make_shared<VgaCore>()),
      owns_core_(function == nullptr) {}

std::span<const RegionShape> VgaLegacy::regions() const noexcept {
    return region_shapes;
}

AcpiDescription VgaLegacy::acpi() const {
    AcpiDescription description;
    description.legacy = {LegacyFeature::vga};
    return description;
}

std::uint64_t VgaLegacy::read(unsigned region, std::uint64_t offset, unsigned width) noexcept {
    if (region == region_window)
        return core_->read_window(offset, width);
    if (region != region_bochs)
        return width <= 4 ? core_->read_ports(port_of(region, offset), width) : all_ones(width);
    if (width == 2 && offset == bochs_index)
        return core_->dispi_index();
    if (width == 2 && (offset == bochs_data || offset == bochs_data_aligned))
        return core_->read_dispi_data();
    return all_ones(width);
}

void VgaLegacy::write(unsigned region, std::uint64_t offset, unsigned width,
                      std::uint64_t value) noexcept {
    if (region == region_window)
        core_->write_window(offset, width, value);
    else if (region != region_bochs && width <= 4)
        core_->write_ports(port_of(region, offset), width, value);
    else if (region == region_bochs && width == 2 && offset == bochs_index)
        core_->set_dispi_index(static_cast<std::uint16_t>(value));
    else if (region == region_bochs && width == 2 &&
             (offset == bochs_data || offset == bochs_data_aligned))
        core_->write_dispi_data(static_cast<std::uint16_t>(value));
}

void VgaLegacy::reset() {
    if (owns_core_)
        core_->reset();
}

void VgaLegacy::save(StateWriter& writer) const {
    writer.begin("vga-legacy", 1);
    writer.put(owns_core_);
    if (owns_core_)
        core_->save(writer);
}

void VgaLegacy::restore(StateReader& reader) {
    reader.begin("vga-legacy", 1);
    bool owned = false;
    reader.get(owned);
    if (owned != owns_core_)
        throw Error("saved state of a vga-legacy: made for another board");
    if (owns_core_)
        core_->restore(core_->read_saved(reader));
}

} // namespace coldstart
