#include "devices/pic8259/pic8259.h"

#include <array>

namespace coldstart {

using namespace pic8259;

namespace {

constexpr std::array region_shapes = {RegionShape{"master", BusKind::pio, chip_ports},
                                      RegionShape{"slave", BusKind::pio, chip_ports},
                                      RegionShape{"edge-level", BusKind::pio, 2}};

} // namespace

std::span<const RegionShape> Pic8259::regions() const noexcept {
    return region_shapes;
}

std::uint64_t Pic8259::read(unsigned region, std::uint64_t offset, unsigned width) noexcept {
    if (width != 1)
        return all_ones(width);
    const std::lock_guard guard(lock_);
    if (region == region_elcr)
        return offset == 0 ? master_.elcr() : slave_.elcr();
    const std::uint8_t value = (region == region_master ? master_ : slave_).read(offset);
    sync(); // a poll acknowledges
    return value;
}

void Pic8259::write(unsigned region, std::uint64_t offset, unsigned width,
                    std::uint64_t value) noexcept {
    if (width != 1)
        return;
    const std::lock_guard guard(lock_);
    const auto byte = static_cast<std::uint8_t>(value);
    if (region == region_elcr)
        (offset == 0 ? master_ : slave_).set_elcr(byte);
    else
        (region == region_master ? master_ : slave_).write(offset, byte);
    sync();
}

void Pic8259::set_input(unsigned pin, bool asserted) noexcept {
    if (pin >= input_count || pin == cascade_input)
        return;
    const std::lock_guard guard(lock_);
    (pin < chip_inputs ? master_ : slave_).set_input(pin % chip_inputs, asserted);
    sync();
}

std::uint8_t Pic8259::acknowledge() noexcept {
    const std::lock_guard guard(lock_);
    const unsigned input = master_.acknowledge();
    std::uint8_t vector = master_.vector(input);
    // Input 7 may be the spurious one, input 2 is asserted only by a chip with a request.
    if (input == cascade_input)
        vector = slave_.vector(slave_.acknowledge());
    sync();
    return vector;
}

void Pic8259::sync() noexcept {
    master_.set_input(cascade_input, slave_.request().has_value());
    const bool intr = master_.request().has_value();
    if (intr == intr_)
        return;
    intr_ = intr;
    processors_.set_intr(intr);
}

void Pic8259::reset() {
    const std::lock_guard guard(lock_);
    master_.reset();
    slave_.reset();
    sync();
}

void Pic8259::save(StateWriter& writer) const {
    const std::lock_guard guard(lock_);
    writer.begin("pic8259", 1);
    master_.save(writer);
    slave_.save(writer);
}

void Pic8259::restore(StateReader& reader) {
    Chip master(true), slave(false);
    reader.begin("pic8259", 1);
    master.restore(reader);
    slave.restore(reader);
    const std::lock_guard guard(lock_);
    master_ = master;
    slave_ = slave;
    sync();
}

} // namespace coldstart
