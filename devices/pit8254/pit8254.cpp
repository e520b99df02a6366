#include "devices/pit8254/pit8254.h"

#include "vmm/base/error.h"

#include <algorithm>

namespace coldstart {

using namespace pit8254;

namespace {

constexpr std::array region_shapes = {RegionShape{"timer", BusKind::pio, 4},
                                      RegionShape{"control", BusKind::pio, 1}};
constexpr std::array line_shapes = {LineShape{"counter 0", true}};

constexpr std::uint64_t second_ns = 1'000'000'000;

/// Clocks in `time_ns`, and the first nanosecond of a clock; split so as not to overflow.
std::uint64_t clocks_in(std::uint64_t time_ns) noexcept {
    return time_ns / second_ns * input_hz + time_ns % second_ns * input_hz / second_ns;
}

std::uint64_t ns_of_clock(std::uint64_t clock) noexcept {
    return clock / input_hz * second_ns + (clock % input_hz * second_ns + input_hz - 1) / input_hz;
}

} // namespace

Pit8254::Pit8254(IrqLine& irq, Clock& clock) : irq_(irq), clock_(clock) {
    power_on();
    timer_ = clock.make_timer([this] { on_timer(); });
}

void Pit8254::power_on() noexcept {
    counters_ = {};
    control_ = 0;
    counters_[2].set_gate(false, 0);
}

std::span<const RegionShape> Pit8254::regions() const noexcept {
    return region_shapes;
}

std::span<const LineShape> Pit8254::lines() const noexcept {
    return line_shapes;
}

std::uint64_t Pit8254::now_clocks() const noexcept {
    return clocks_in(clock_.now_ns());
}

std::uint64_t Pit8254::read(unsigned region, std::uint64_t offset, unsigned width) noexcept {
    if (width != 1)
        return all_ones(width);
    const std::lock_guard guard(lock_);
    if (region == region_control)
        return read_control();
    return offset < counters ? counters_[offset].read(now_clocks()) : all_ones(1);
}

std::uint8_t Pit8254::read_control() const noexcept {
    unsigned value = control_;
    if (clock_.now_ns() / refresh_ns % 2 != 0)
        value |= control_refresh;
    if (counters_[2].output(now_clocks()))
        value |= control_output_2;
    return static_cast<std::uint8_t>(value);
}

void Pit8254::write(unsigned region, std::uint64_t offset, unsigned width,
                    std::uint64_t value) noexcept {
    if (width != 1)
        return;
    const std::lock_guard guard(lock_);
    const auto byte = static_cast<std::uint8_t>(value);
    const std::uint64_t now = now_clocks();
    if (region == region_control) {
        control_ = byte & control_writable;
        counters_[2].set_gate((byte & control_gate_2) != 0, now);
    } else if (offset == port_control_word) {
        write_control_word(byte, now);
    } else {
        counters_[offset].write(byte, now);
        if (offset == 0)
            sync(); // and only then: an edge may be due that the timer has not sent yet
    }
}

void Pit8254::write_control_word(std::uint8_t value, std::uint64_t now) noexcept {
    const unsigned chosen = value >> control_counter_shift;
    if (chosen < counters) {
        if ((value >> control_access_shift & 3) == static_cast<unsigned>(Access::latch)) {
            counters_[chosen].latch_count(now);
            return;
        }
        counters_[chosen].write_control(value);
        if (chosen == 0)
            sync();
        return;
    }
    for (unsigned i = 0; i < counters; ++i) {
        if ((value >> read_back_counters_shift >> i & 1) == 0)
            continue;
        if ((value & read_back_no_status) == 0)
            counters_[i].latch_status(now);
        if ((value & read_back_no_count) == 0)
            counters_[i].latch_count(now);
    }
}

void Pit8254::on_timer() noexcept {
    const std::lock_guard guard(lock_);
    const std::uint64_t now_ns = clock_.now_ns();
    // It may have been set anew while it fired.
    if (next_edge_ == 0 || next_edge_ > clocks_in(now_ns))
        return;
    irq_.pulse();
    sync(now_ns + min_interrupt_interval_ns);
}

void Pit8254::sync(std::uint64_t earliest_ns) noexcept {
    const auto next = counters_[0].next_rise(now_clocks());
    next_edge_ = next.value_or(0);
    if (next)
        timer_->arm(std::max(ns_of_clock(*next), earliest_ns));
    else
        timer_->cancel();
}

void Pit8254::reset() {
    const std::lock_guard guard(lock_);
    power_on();
    sync();
}

void Pit8254::save(StateWriter& writer) const {
    const std::lock_guard guard(lock_);
    writer.begin("pit8254", 1);
    for (const Counter& counter : counters_)
        counter.save(writer, now_clocks());
    writer.put(control_);
}

void Pit8254::restore(StateReader& reader) {
    reader.begin("pit8254", 1);
    const std::lock_guard guard(lock_);
    const std::uint64_t now = now_clocks();
    std::array<Counter, counters> loaded;
    for (Counter& counter : loaded)
        counter.restore(reader, now);
    std::uint8_t control = 0;
    reader.get(control);
    if ((control & ~control_writable) != 0)
        throw Error("saved state: pit8254 registers hold impossible values", "the file is damaged");
    counters_ = loaded;
    control_ = control;
    sync();
}

} // namespace coldstart
