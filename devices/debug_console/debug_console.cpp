#include "devices/debug_console/debug_console.h"

#include <array>

namespace coldstart {
namespace {

constexpr std::array region_shapes = {RegionShape{"data", BusKind::pio, 1}};
constexpr std::uint64_t presence = 0xe9;

} // namespace

std::span<const RegionShape> DebugConsole::regions() const noexcept {
    return region_shapes;
}

std::uint64_t DebugConsole::read(unsigned, std::uint64_t, unsigned width) noexcept {
    return width == 1 ? presence : all_ones(width);
}

void DebugConsole::write(unsigned, std::uint64_t, unsigned width, std::uint64_t value) noexcept {
    if (width != 1)
        return;
    const std::byte byte{static_cast<std::uint8_t>(value)};
    stream_.write(ByteView(&byte, 1));
}

void DebugConsole::save(StateWriter& writer) const {
    writer.begin("debugcon", 1);
}

void DebugConsole::restore(StateReader& reader) {
    reader.begin("debugcon", 1);
}

} // namespace coldstart
