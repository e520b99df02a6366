#include "devices/core/acpi/pm1_block.h"

#include <limits>
#include <utility>

namespace coldstart {

using namespace acpi_pm;

namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;

/// A saved timer older than this (146 years) is damage; below it no sum overflows.
constexpr std::uint64_t max_timer_age_ns = std::numeric_limits<std::uint64_t>::max() / 4;

std::uint64_t ticks_in(std::uint64_t time_ns) noexcept {
    return time_ns / second_ns * timer_hz + time_ns % second_ns * timer_hz / second_ns;
}

std::uint64_t ns_of_tick(std::uint64_t tick) noexcept {
    return tick / timer_hz * second_ns + (tick % timer_hz * second_ns + timer_hz - 1) / timer_hz;
}

} // namespace

Pm1Block::Pm1Block(Clock& clock, const Pm1Options& options, std::function<void()> on_overflow)
    : clock_(clock), options_(options), overflow_timer_(clock.make_timer(std::move(on_overflow))) {
    state_.control = power_on_control();
    start_timer(0);
}

std::uint32_t Pm1Block::event() noexcept {
    catch_up();
    return state_.status | std::uint32_t{state_.enable} << 16u;
}

std::uint32_t Pm1Block::timer() const noexcept {
    const std::uint64_t ticks = ticks_in(timer_age_ns());
    return static_cast<std::uint32_t>(options_.timer_32_bits ? ticks : ticks & 0xffffff);
}

void Pm1Block::write_event(std::uint64_t mask, std::uint64_t value) noexcept {
    catch_up(); // an overflow up to now is what the guest clears
    state_.status = static_cast<std::uint16_t>(state_.status & ~value);
    const std::uint64_t enable_mask = mask >> 16u & pm1_enable_mask;
    state_.enable =
        static_cast<std::uint16_t>((state_.enable & ~enable_mask) | (value >> 16u & enable_mask));
}

bool Pm1Block::write_control(std::uint64_t mask, std::uint64_t value) noexcept {
    const std::uint64_t kept_mask = mask & cnt_kept;
    state_.control =
        static_cast<std::uint16_t>((state_.control & ~kept_mask) | (value & kept_mask));
    if (options_.sci_always_enabled)
        state_.control = static_cast<std::uint16_t>(state_.control | cnt_sci_enabled);
    if ((value & mask & cnt_sleep_enable) == 0)
        return false;
    if ((state_.control & cnt_sleep_type) >> cnt_sleep_type_shift == options_.s5_sleep_type)
        return true;
    state_.status = static_cast<std::uint16_t>(state_.status | pm1_wake);
    return false;
}

void Pm1Block::press_power_button() noexcept {
    state_.status = static_cast<std::uint16_t>(state_.status | pm1_power_button);
}

void Pm1Block::set_sci_enabled(bool enabled) noexcept {
    const unsigned others = state_.control & ~cnt_sci_enabled;
    const bool set = enabled || options_.sci_always_enabled;
    state_.control = static_cast<std::uint16_t>(others | (set ? cnt_sci_enabled : 0));
}

bool Pm1Block::sci_enabled() const noexcept {
    return (state_.control & cnt_sci_enabled) != 0;
}

// TMR_STS is set whenever the counter's highest bit changes, twice a round.
std::uint64_t Pm1Block::half_periods() const noexcept {
    return ticks_in(timer_age_ns()) >> (timer_bits() - 1);
}

std::uint16_t Pm1Block::power_on_control() const noexcept {
    return options_.sci_always_enabled ? cnt_sci_enabled : 0;
}

void Pm1Block::start_timer(std::uint64_t age_ns) noexcept {
    timer_start_ns_ = clock_.now_ns() - age_ns;
    half_periods_seen_ = half_periods();
}

void Pm1Block::catch_up() noexcept {
    const std::uint64_t now = half_periods();
    if (now != half_periods_seen_)
        state_.status = static_cast<std::uint16_t>(state_.status | pm1_timer);
    half_periods_seen_ = now;
}

bool Pm1Block::sync() noexcept {
    catch_up();
    if (sci_enabled() && (state_.enable & ~unsigned{state_.status} & pm1_timer) != 0)
        overflow_timer_->arm(timer_start_ns_ +
                             ns_of_tick((half_periods_seen_ + 1) << (timer_bits() - 1)));
    else
        overflow_timer_->cancel();
    return sci_enabled() && (state_.status & state_.enable & pm1_enable_mask) != 0;
}

void Pm1Block::reset() noexcept {
    state_ = State{};
    state_.control = power_on_control();
    start_timer(0);
}

Pm1Block::State Pm1Block::saved() const noexcept {
    State copy = state_;
    copy.timer_elapsed_ns = timer_age_ns();
    if (half_periods() != half_periods_seen_)
        copy.status = static_cast<std::uint16_t>(copy.status | pm1_timer);
    return copy;
}

bool Pm1Block::is_possible(const State& loaded) const noexcept {
    const auto& [status, enable, control, timer_elapsed_ns] = loaded;
    const bool sci_wrong = options_.sci_always_enabled && (control & cnt_sci_enabled) == 0;
    return (status & ~pm1_status_mask) == 0 && (enable & ~pm1_enable_mask) == 0 &&
           (control & ~cnt_kept) == 0 && !sci_wrong && timer_elapsed_ns <= max_timer_age_ns;
}

void Pm1Block::load(const State& loaded) noexcept {
    state_ = loaded;
    start_timer(loaded.timer_elapsed_ns);
}

} // namespace coldstart
