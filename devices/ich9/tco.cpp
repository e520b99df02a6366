#include "devices/ich9/tco.h"

#include <utility>

namespace coldstart {

using namespace ich9;

namespace {

/// `old` with the bits of `value` that the access has and the register takes.
template <typename T>
T merged(T old, std::uint32_t mask, std::uint32_t value, std::uint32_t writable) noexcept {
    const std::uint32_t taken = mask & writable;
    return static_cast<T>((old & ~taken) | (value & taken));
}

} // namespace

TcoWatchdog::TcoWatchdog(Clock& clock, std::function<void()> on_expiry)
    : clock_(clock), timer_(clock.make_timer(std::move(on_expiry))) {}

std::uint64_t TcoWatchdog::left_ns() const noexcept {
    if (!state_.is_running)
        return state_.left_ns;
    const std::uint64_t now = clock_.now_ns();
    return deadline_ns_ > now ? deadline_ns_ - now : 0;
}

void TcoWatchdog::run(std::uint64_t left_ns) noexcept {
    state_.is_running = true;
    state_.left_ns = 0;
    deadline_ns_ = clock_.now_ns() + left_ns;
    timer_->arm(deadline_ns_);
}

void TcoWatchdog::stop() noexcept {
    state_.left_ns = left_ns();
    state_.is_running = false;
    timer_->cancel();
}

void TcoWatchdog::reload() noexcept {
    if (is_halted() || state_.initial_count < tco_count_min) {
        stop();
        state_.left_ns = round_ns();
        return;
    }
    run(round_ns());
}

std::uint32_t TcoWatchdog::read(unsigned offset) const noexcept {
    switch (offset) {
    case tco_rld_dat: {
        const auto count = static_cast<std::uint32_t>((left_ns() + tco_tick_ns - 1) / tco_tick_ns);
        return (count & tco_count_mask) | std::uint32_t{state_.data_in} << 16 |
               std::uint32_t{state_.data_out} << 24;
    }
    case tco_status:
        return state_.status1 | std::uint32_t{state_.status2} << 16;
    case tco_control:
        return state_.control1 | std::uint32_t{state_.control2} << 16;
    case tco_message:
        return state_.message1 | std::uint32_t{state_.message2} << 8 |
               std::uint32_t{state_.watchdog_control} << 16;
    case tco_timer:
        return state_.irq_generate | std::uint32_t{state_.initial_count} << 16;
    default:
        return 0;
    }
}

void TcoWatchdog::write(unsigned offset, std::uint32_t mask, std::uint32_t value) noexcept {
    switch (offset) {
    case tco_rld_dat:
        state_.data_in = merged(state_.data_in, mask >> 16, value >> 16, 0xff);
        state_.data_out = merged(state_.data_out, mask >> 24, value >> 24, 0xff);
        state_.status1 =
            static_cast<std::uint16_t>(state_.status1 | ((mask & 0xff0000) != 0 ? tco1_sw_smi : 0) |
                                       ((mask & 0xff000000) != 0 ? tco1_int : 0));
        if ((mask & 0xffff) != 0) {
            state_.timed_out_once = false;
            reload();
        }
        break;
    case tco_status:
        state_.status1 = static_cast<std::uint16_t>(state_.status1 & ~value);
        state_.status2 = static_cast<std::uint16_t>(state_.status2 & ~(value >> 16));
        break;
    case tco_control:
        state_.control2 = merged(state_.control2, mask >> 16, value >> 16, tco2_cnt_writable);
        if ((mask & 0xffff) != 0)
            write_control1(mask, value);
        break;
    case tco_message:
        state_.message1 = merged(state_.message1, mask, value, 0xff);
        state_.message2 = merged(state_.message2, mask >> 8, value >> 8, 0xff);
        state_.watchdog_control = merged(state_.watchdog_control, mask >> 16, value >> 16, 0xff);
        break;
    case tco_timer:
        state_.irq_generate = merged(state_.irq_generate, mask, value, tco_irq_gen_writable);
        state_.initial_count =
            merged(state_.initial_count, mask >> 16, value >> 16, tco_count_mask);
        break;
    default:
        break;
    }
}

void TcoWatchdog::write_control1(std::uint32_t mask, std::uint32_t value) noexcept {
    const unsigned lock = state_.control1 & tco1_cnt_lock;
    state_.control1 =
        static_cast<std::uint16_t>(merged(state_.control1, mask, value, tco1_cnt_writable) | lock);
    if (is_halted())
        stop();
    else if (!state_.is_running && state_.left_ns != 0)
        run(state_.left_ns);
    else if (!state_.is_running)
        reload();
}

bool TcoWatchdog::expire(bool may_reset) noexcept {
    if (!state_.is_running)
        return false;
    if (clock_.now_ns() < deadline_ns_) {
        timer_->arm(deadline_ns_);
        return false;
    }
    state_.status1 = static_cast<std::uint16_t>(state_.status1 | tco1_timeout);
    const bool is_second = std::exchange(state_.timed_out_once, !state_.timed_out_once);
    if (is_second)
        state_.status2 =
            static_cast<std::uint16_t>(state_.status2 | tco2_second_timeout | tco2_boot);
    const bool resets = is_second && may_reset;
    if (resets)
        stop();
    else
        reload();
    return resets;
}

void TcoWatchdog::reset() noexcept {
    timer_->cancel();
    state_ = State{};
}

TcoWatchdog::State TcoWatchdog::saved() const noexcept {
    State copy = state_;
    copy.left_ns = left_ns();
    return copy;
}

bool TcoWatchdog::is_possible(const State& loaded) noexcept {
    constexpr unsigned sts1 = tco1_sw_smi | tco1_int | tco1_timeout;
    constexpr unsigned sts2 = tco2_second_timeout | tco2_boot;
    return (loaded.status1 & ~sts1) == 0 && (loaded.status2 & ~sts2) == 0 &&
           (loaded.control1 & ~tco1_cnt_writable) == 0 &&
           (loaded.control2 & ~tco2_cnt_writable) == 0 && loaded.initial_count <= tco_count_mask &&
           (loaded.irq_generate & ~tco_irq_gen_writable) == 0 &&
           loaded.left_ns <= tco_count_mask * tco_tick_ns &&
           !(loaded.is_running && (loaded.control1 & tco1_cnt_halt) != 0);
}

void TcoWatchdog::load(const State& loaded) noexcept {
    timer_->cancel();
    state_ = loaded;
    if (state_.is_running)
        run(loaded.left_ns);
}

} // namespace coldstart
