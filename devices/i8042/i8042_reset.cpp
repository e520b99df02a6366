#include "devices/i8042/i8042_reset.h"

#include "devices/i8042/spec.h"

#include <array>

namespace coldstart {

using namespace i8042;

namespace {

constexpr std::array region_shapes = {RegionShape{"data", BusKind::pio, 1},
                                      RegionShape{"command", BusKind::pio, 1}};

} // namespace

std::span<const RegionShape> I8042Reset::regions() const noexcept {
    return region_shapes;
}

std::uint64_t I8042Reset::read(unsigned region, std::uint64_t, unsigned width) noexcept {
    if (width != 1)
        return all_ones(width);
    return region == region_command ? status_idle : 0;
}

void I8042Reset::write(unsigned region, std::uint64_t, unsigned width,
                       std::uint64_t value) noexcept {
    if (width != 1)
        return;
    bool reset_line_low = false;
    if (region == region_command) {
        output_port_next_ = value == cmd_write_output_port;
        reset_line_low =
            (value & cmd_pulse_mask) == cmd_pulse && (value & output_port_not_reset) == 0;
    } else if (output_port_next_.exchange(false)) {
        reset_line_low = (value & output_port_not_reset) == 0;
    }
    if (reset_line_low)
        power_.reset();
}

void I8042Reset::save(StateWriter& writer) const {
    writer.begin("i8042-reset", 1);
    writer.put(output_port_next_.load());
}

void I8042Reset::restore(StateReader& reader) {
    reader.begin("i8042-reset", 1);
    bool output_port_next = false;
    reader.get(output_port_next);
    output_port_next_ = output_port_next;
}

} // namespace coldstart
