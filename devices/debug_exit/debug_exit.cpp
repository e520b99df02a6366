#include "devices/debug_exit/debug_exit.h"

#include <array>

namespace coldstart {
namespace {

constexpr std::array region_shapes = {RegionShape{"code", BusKind::pio, 4}};

} // namespace

std::span<const RegionShape> DebugExit::regions() const noexcept {
    return region_shapes;
}

std::uint64_t DebugExit::read(unsigned, std::uint64_t, unsigned width) noexcept {
    return width <= 4 ? 0 : all_ones(width);
}

void DebugExit::write(unsigned, std::uint64_t offset, unsigned width,
                      std::uint64_t value) noexcept {
    if (offset == 0 && width <= 4)
        power_.exit_with(static_cast<std::uint8_t>(value << 1 | 1));
}

void DebugExit::save(StateWriter& writer) const {
    writer.begin("isa-debug-exit", 1);
}

void DebugExit::restore(StateReader& reader) {
    reader.begin("isa-debug-exit", 1);
}

} // namespace coldstart
