#include "devices/pvpanic/pvpanic.h"

#include "devices/pvpanic/spec.h"

#include <array>

namespace coldstart {
namespace {

constexpr std::array region_shapes = {RegionShape{"events", BusKind::pio, 1}};

} // namespace

std::span<const RegionShape> PvPanic::regions() const noexcept {
    return region_shapes;
}

AcpiDescription PvPanic::acpi() const {
    AcpiDescription description;
    description.name = "PEVT";
    description.hid = "QEMU0001";
    return description;
}

std::uint64_t PvPanic::read(unsigned, std::uint64_t, unsigned width) noexcept {
    return width == 1 ? pvpanic::events : all_ones(width);
}

void PvPanic::write(unsigned, std::uint64_t, unsigned width, std::uint64_t value) noexcept {
    if (width == 1 && (value & pvpanic::event_panicked) != 0)
        power_.guest_panicked();
}

void PvPanic::save(StateWriter& writer) const {
    writer.begin("pvpanic", 1);
}

void PvPanic::restore(StateReader& reader) {
    reader.begin("pvpanic", 1);
}

} // namespace coldstart
