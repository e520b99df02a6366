#include "devices/readiness_port/readiness_port.h"

#include "vmm/base/error.h"

namespace coldstart {
namespace {

constexpr std::array region_shapes = {RegionShape{"line", BusKind::pio, ReadinessPort::ports}};

} // namespace

std::span<const RegionShape> ReadinessPort::regions() const noexcept {
    return region_shapes;
}

void ReadinessPort::write(unsigned, std::uint64_t, unsigned width, std::uint64_t value) noexcept {
    if (width != 1)
        return;
    const auto byte = static_cast<std::uint8_t>(value);
    State ended;
    {
        const std::lock_guard guard(mutex_);
        if (byte != '\n') {
            if (state_.size < max_line_bytes)
                state_.line[state_.size++] = byte;
            return;
        }
        ended = state_;
        state_.size = 0;
    }
    sink_.guest_ready({reinterpret_cast<const char*>(ended.line.data()), ended.size});
}

void ReadinessPort::reset() {
    const std::lock_guard guard(mutex_);
    state_ = {};
}

void ReadinessPort::save(StateWriter& writer) const {
    const std::lock_guard guard(mutex_);
    const auto& [size, line] = state_;
    writer.begin("readiness-port", 1);
    writer.fields(size, line);
}

void ReadinessPort::restore(StateReader& reader) {
    State loaded;
    auto& [size, line] = loaded;
    reader.begin("readiness-port", 1);
    reader.fields(size, line);
    if (size > max_line_bytes)
        throw Error("saved state: the readiness port holds more than a line",
                    "the file is damaged");
    const std::lock_guard guard(mutex_);
    state_ = loaded;
}

} // namespace coldstart
