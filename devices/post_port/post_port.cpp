#include "devices/post_port/post_port.h"

#include "vmm/base/error.h"

#include <array>

namespace coldstart {
namespace {

constexpr std::array region_shapes = {RegionShape{"code", BusKind::pio, 1}};

} // namespace

std::span<const RegionShape> PostPort::regions() const noexcept {
    return region_shapes;
}

std::uint64_t PostPort::read(unsigned, std::uint64_t, unsigned width) noexcept {
    if (width != 1)
        return all_ones(width);
    return shown_.load(std::memory_order_relaxed) & 0xffu;
}

void PostPort::write(unsigned, std::uint64_t, unsigned width, std::uint64_t value) noexcept {
    if (width != 1)
        return;
    const auto code = static_cast<std::uint8_t>(value);
    writes_.fetch_add(1, std::memory_order_relaxed);
    if (shown_.exchange(code, std::memory_order_relaxed) != code)
        sink_.post_code(code, clock_.now_ns());
}

void PostPort::reset() {
    shown_ = nothing_shown;
    writes_ = 0;
}

void PostPort::save(StateWriter& writer) const {
    writer.begin("post-port", 1);
    writer.fields(shown_.load(), writes_.load());
}

void PostPort::restore(StateReader& reader) {
    reader.begin("post-port", 1);
    std::uint16_t shown = 0;
    std::uint64_t writes = 0;
    reader.fields(shown, writes);
    if (shown > nothing_shown)
        throw Error("saved state: post-port shows no byte", "the file is damaged");
    shown_ = shown;
    writes_ = writes;
}

} // namespace coldstart
