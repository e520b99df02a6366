#include "devices/pit8254/counter.h"

#include "vmm/base/error.h"

namespace coldstart::pit8254 {

namespace {

constexpr std::uint32_t binary_range = 0x10000, bcd_range = 10'000;
/// Saved clocks beyond this (some 500 years) are damage; within it nothing overflows.
constexpr std::uint64_t most_elapsed = std::uint64_t{1} << 54;

std::uint32_t from_bcd(std::uint16_t digits) noexcept {
    std::uint32_t value = 0;
    for (unsigned shift = 16; shift != 0; shift -= 4)
        value = value * 10 + (digits >> (shift - 4) & 0xfu);
    return value;
}

std::uint16_t to_bcd(std::uint32_t value) noexcept {
    unsigned digits = 0;
    for (unsigned shift = 0; shift != 16; shift += 4, value /= 10)
        digits |= value % 10 << shift;
    return static_cast<std::uint16_t>(digits);
}

} // namespace

std::uint64_t Counter::elapsed(std::uint64_t now) const noexcept {
    return state_.running ? now - start_ : state_.elapsed;
}

std::uint16_t Counter::count(std::uint64_t now) const noexcept {
    if (!state_.loaded)
        return 0;
    const std::uint32_t range = state_.bcd ? bcd_range : binary_range;
    const std::uint64_t passed = elapsed(now);
    std::uint64_t left = 0;
    if (state_.mode == 3) // two clocks at a time, twice through a period
        left = state_.period - 2 * passed % state_.period;
    else if (state_.mode == 2)
        left = state_.period - passed % state_.period;
    else // it goes on through zero
        left = state_.period + range - passed % range;
    const auto value = static_cast<std::uint32_t>(left % range);
    return state_.bcd ? to_bcd(value) : static_cast<std::uint16_t>(value);
}

bool Counter::output(std::uint64_t now) const noexcept {
    if (!state_.loaded)
        return state_.mode != 0;
    const std::uint64_t passed = elapsed(now);
    switch (state_.mode) {
    case 0:
        return passed >= state_.period;
    case 1: // low from the trigger on
        return !state_.running || passed >= state_.period;
    case 2: // low in the last clock of a period
        return !state_.running || passed % state_.period != state_.period - 1 || state_.period == 1;
    case 3:
        return !state_.running || passed % state_.period < (state_.period + 1) / 2;
    default: // low for one clock
        return !state_.running || passed != state_.period;
    }
}

std::optional<std::uint64_t> Counter::next_rise(std::uint64_t now) const noexcept {
    if (!state_.loaded || !state_.running)
        return std::nullopt;
    const std::uint64_t passed = elapsed(now);
    if (repeats())
        return start_ + (passed / state_.period + 1) * state_.period;
    const std::uint64_t rise = state_.mode >= 4 ? state_.period + 1u : state_.period;
    return passed < rise ? std::optional(start_ + rise) : std::nullopt;
}

void Counter::write_control(std::uint8_t control) noexcept {
    State fresh;
    fresh.gate = state_.gate;
    fresh.access = static_cast<Access>(control >> control_access_shift & 3);
    fresh.bcd = (control & control_bcd) != 0;
    const std::uint8_t mode = control >> control_mode_shift & 7;
    fresh.mode = mode > 5 ? static_cast<std::uint8_t>(mode - 4) : mode;
    state_ = fresh;
}

void Counter::load(std::uint16_t written, std::uint64_t now) noexcept {
    // Digits beyond nine count for what they are worth, within the range.
    const std::uint32_t value = state_.bcd ? from_bcd(written) % bcd_range : written;
    state_.period = value != 0 ? value : state_.bcd ? bcd_range : binary_range;
    state_.loaded = true;
    state_.running = state_.gate && !waits_for_trigger();
    state_.elapsed = 0;
    start_ = now;
}

void Counter::write(std::uint8_t value, std::uint64_t now) noexcept {
    if (state_.access == Access::low) {
        load(value, now);
    } else if (state_.access == Access::high) {
        load(static_cast<std::uint16_t>(value << 8), now);
    } else if (!state_.low_written) {
        state_.low_byte = value;
        state_.low_written = true;
    } else {
        state_.low_written = false;
        load(static_cast<std::uint16_t>(value << 8 | state_.low_byte), now);
    }
}

std::uint8_t Counter::read(std::uint64_t now) noexcept {
    if (state_.status_latched) {
        state_.status_latched = false;
        return state_.latched_status;
    }
    const std::uint16_t value = state_.count_latched ? state_.latched_count : count(now);
    bool high = state_.access == Access::high;
    if (state_.access == Access::low_then_high) {
        high = state_.low_read;
        state_.low_read = !state_.low_read;
    }
    if (!state_.low_read)
        state_.count_latched = false; // read as a whole
    return static_cast<std::uint8_t>(high ? value >> 8 : value);
}

void Counter::latch_count(std::uint64_t now) noexcept {
    if (state_.count_latched)
        return; // the first one stays until it is read
    state_.latched_count = count(now);
    state_.count_latched = true;
}

void Counter::latch_status(std::uint64_t now) noexcept {
    if (state_.status_latched)
        return;
    const unsigned null_count = state_.loaded ? 0 : 1;
    state_.latched_status = static_cast<std::uint8_t>(
        unsigned{output(now)} << status_output_shift | null_count << status_null_count_shift |
        static_cast<unsigned>(state_.access) << control_access_shift |
        unsigned{state_.mode} << control_mode_shift | (state_.bcd ? control_bcd : 0u));
    state_.status_latched = true;
}

void Counter::set_gate(bool open, std::uint64_t now) noexcept {
    if (open == state_.gate)
        return;
    state_.gate = open;
    if (!state_.loaded)
        return;
    if (open) {
        if (repeats() || waits_for_trigger())
            state_.elapsed = 0; // a rising gate starts these again
        start_ = now - state_.elapsed;
        state_.running = true;
    } else if (!waits_for_trigger()) {
        state_.elapsed = elapsed(now);
        state_.running = false;
    }
}

void Counter::save(StateWriter& writer, std::uint64_t now) const {
    State saved = state_;
    saved.elapsed = elapsed(now);
    const auto& [mode, access, bcd, gate, loaded, running, period, elapsed, low_written, low_read,
                 low_byte, count_latched, status_latched, latched_count, latched_status] = saved;
    writer.fields(mode, access, bcd, gate, loaded, running, period, elapsed, low_written, low_read,
                  low_byte, count_latched, status_latched, latched_count, latched_status);
}

bool Counter::is_possible(const State& state) noexcept {
    const std::uint32_t range = state.bcd ? bcd_range : binary_range;
    const bool has_period = state.period != 0 && state.period <= range;
    return state.mode <= 5 && state.access > Access::latch &&
           state.access <= Access::low_then_high &&
           (state.loaded ? has_period : state.period == 0 && !state.running) &&
           state.elapsed < most_elapsed;
}

void Counter::restore(StateReader& reader, std::uint64_t now) {
    State loaded_state;
    auto& [mode, access, bcd, gate, loaded, running, period, elapsed, low_written, low_read,
           low_byte, count_latched, status_latched, latched_count, latched_status] = loaded_state;
    reader.fields(mode, access, bcd, gate, loaded, running, period, elapsed, low_written, low_read,
                  low_byte, count_latched, status_latched, latched_count, latched_status);
    if (!is_possible(loaded_state))
        throw Error("saved state: pit8254 registers hold impossible values", "the file is damaged");
    state_ = loaded_state;
    start_ = now - state_.elapsed; // may wrap below zero: only differences count
}

} // namespace coldstart::pit8254
