#include "devices/cmos/cmos.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <limits>

namespace coldstart {

using namespace cmos;

namespace {

constexpr std::array region_shapes = {RegionShape{"registers", BusKind::pio, 2},
                                      RegionShape{"extended", BusKind::pio, 2}};
constexpr std::array line_shapes = {LineShape{"interrupt"}};

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::uint64_t no_event = std::numeric_limits<std::uint64_t>::max();

/// Saved times beyond this (some 30,000 years off) are damage; within it nothing overflows.
constexpr std::int64_t max_base_second = 1'000'000'000'000;

bool is_clock_register(std::size_t index) noexcept {
    return index <= reg_d || index == reg_century;
}

/// 0..second_ns - 1, before 1970 too.
std::int64_t into_second(std::int64_t time_ns) noexcept {
    const std::int64_t rest = time_ns % second_ns;
    return rest < 0 ? rest + second_ns : rest;
}

/// How many crystal cycles a periodic interrupt takes, as a power of two; 0: none.
unsigned period_shift(std::uint8_t register_a) noexcept {
    const unsigned rate = register_a & a_rate;
    if (rate == 0)
        return 0;
    return rate <= 2 ? rate + 6 : rate - 1; // rates 1 and 2 repeat 8 and 9 (32768 Hz crystal)
}

/// Crystal cycles in `time_ns`, and the first nanosecond of a cycle; split so as not to overflow.
std::uint64_t cycles_in(std::uint64_t time_ns) noexcept {
    return time_ns / 1'000'000'000 * crystal_hz +
           time_ns % 1'000'000'000 * crystal_hz / 1'000'000'000;
}

std::uint64_t ns_of_cycle(std::uint64_t cycle) noexcept {
    return cycle / crystal_hz * 1'000'000'000 +
           (cycle % crystal_hz * 1'000'000'000 + crystal_hz - 1) / crystal_hz;
}

} // namespace

Cmos::Cmos(IrqLine& irq, Clock& clock, const CmosOptions& options)
    : irq_(irq), clock_(clock), has_extended_bank_(options.extended_bank) {
    state_.ram[reg_a] = a_power_on;
    state_.ram[reg_b] = b_power_on;
    state_.base_second = current_second();
    set_time(encode_time(state_.base_second, format()));
    for (const auto& [index, value] : options.nvram)
        preset(index, value);
    periodic_seen_ = periodic_ticks();
    timer_ = clock.make_timer([this] {
        const std::lock_guard guard(lock_);
        catch_up();
        sync();
    });
}

void Cmos::preset(std::uint8_t index, std::uint8_t value) {
    if (is_clock_register(index) || (index >= ram_bytes && !has_extended_bank_))
        throw Error(cat("cmos: register ", hex(index, 2), " can't be preset"));
    (index < ram_bytes ? state_.ram : state_.extended)[index % ram_bytes] = value;
}

std::span<const RegionShape> Cmos::regions() const noexcept {
    return std::span(region_shapes).first(has_extended_bank_ ? 2 : 1);
}

std::span<const LineShape> Cmos::lines() const noexcept {
    return line_shapes;
}

AcpiDescription Cmos::acpi() const {
    AcpiDescription description;
    description.name = "RTC0";
    description.hid = "PNP0B00";
    description.legacy = {LegacyFeature::cmos_rtc};
    return description;
}

std::uint64_t Cmos::read(unsigned region, std::uint64_t offset, unsigned width) noexcept {
    if (width != 1 || offset != port_data)
        return all_ones(width);
    const std::lock_guard guard(lock_);
    if (region == region_extended)
        return state_.extended[state_.extended_index & index_mask];
    return read_register();
}

void Cmos::write(unsigned region, std::uint64_t offset, unsigned width,
                 std::uint64_t value) noexcept {
    if (width != 1)
        return;
    const std::lock_guard guard(lock_);
    const auto byte = static_cast<std::uint8_t>(value);
    if (offset == port_index)
        (region == region_extended ? state_.extended_index : state_.index) = byte;
    else if (region == region_extended)
        state_.extended[state_.extended_index & index_mask] = byte;
    else
        write_register(byte);
}

std::uint8_t Cmos::read_register() noexcept {
    const std::size_t index = state_.index & index_mask;
    if (!is_clock_register(index))
        return state_.ram[index];
    catch_up();
    std::uint8_t value = state_.ram[index];
    if (index == reg_a && time_runs() && ns_to_next_second() <= update_warning_ns)
        value = static_cast<std::uint8_t>(value | a_update_in_progress);
    if (index == reg_d)
        value = d_valid_ram_and_time;
    if (index == reg_c) {
        if ((value & state_.ram[reg_b] & c_flags) != 0)
            value = static_cast<std::uint8_t>(value | c_interrupt);
        state_.ram[reg_c] = 0;
    }
    sync();
    return value;
}

void Cmos::write_register(std::uint8_t value) noexcept {
    const std::size_t index = state_.index & index_mask;
    if (!is_clock_register(index)) {
        state_.ram[index] = value;
        return;
    }
    catch_up();
    if (index == reg_a)
        write_a(value);
    else if (index == reg_b)
        write_b(value);
    else if (index != reg_c && index != reg_d)
        state_.ram[index] = value;
    sync();
}

void Cmos::write_a(std::uint8_t value) noexcept {
    const bool ran = time_runs();
    const bool was_reset = (state_.ram[reg_a] & a_divider_reset) == a_divider_reset;
    const bool is_reset = (value & a_divider_reset) == a_divider_reset;
    state_.ram[reg_a] = static_cast<std::uint8_t>(value & ~a_update_in_progress);
    if (was_reset && !is_reset)
        state_.phase_ns = static_cast<std::uint32_t>(into_second(clock_.wall_ns() + second_ns / 2));
    if (!ran && time_runs())
        state_.base_second = current_second();
    periodic_seen_ = periodic_ticks(); // counted at the new rate from here on
}

void Cmos::write_b(std::uint8_t value) noexcept {
    const bool ran = time_runs();
    const Format before = format();
    if ((value & b_set) != 0)
        value = static_cast<std::uint8_t>(value & ~b_update_ended);
    state_.ram[reg_b] = value;
    if (!ran && time_runs())
        state_.base_second = current_second();
    // The data sheet has software write all time bytes after a change of format; converting them
    // spares firmware that forgets to.
    if (const Format after = format(); after != before) {
        set_time(encode_time(decode_time(time(), before), after));
        const AlarmBytes converted = convert_alarm(alarm(), before, after);
        state_.ram[reg_alarm_seconds] = converted.seconds;
        state_.ram[reg_alarm_minutes] = converted.minutes;
        state_.ram[reg_alarm_hours] = converted.hours;
    }
}

bool Cmos::time_runs() const noexcept {
    return (state_.ram[reg_b] & b_set) == 0 &&
           (state_.ram[reg_a] & a_divider_reset) != a_divider_reset;
}

std::int64_t Cmos::current_second() const noexcept {
    const std::int64_t shifted = clock_.wall_ns() - std::int64_t{state_.phase_ns};
    return (shifted - into_second(shifted)) / second_ns;
}

std::int64_t Cmos::ns_to_next_second() const noexcept {
    return second_ns - into_second(clock_.wall_ns() - std::int64_t{state_.phase_ns});
}

std::uint64_t Cmos::periodic_ticks() const noexcept {
    const unsigned shift = period_shift(state_.ram[reg_a]);
    if (shift == 0 || (state_.ram[reg_a] & a_divider_reset) == a_divider_reset)
        return 0;
    return cycles_in(clock_.now_ns()) >> shift;
}

TimeBytes Cmos::time() const noexcept {
    const auto& ram = state_.ram;
    return {.seconds = ram[reg_seconds],
            .minutes = ram[reg_minutes],
            .hours = ram[reg_hours],
            .weekday = ram[reg_weekday],
            .day = ram[reg_day],
            .month = ram[reg_month],
            .year = ram[reg_year],
            .century = ram[reg_century]};
}

void Cmos::set_time(const TimeBytes& bytes) noexcept {
    auto& ram = state_.ram;
    ram[reg_seconds] = bytes.seconds;
    ram[reg_minutes] = bytes.minutes;
    ram[reg_hours] = bytes.hours;
    ram[reg_weekday] = bytes.weekday;
    ram[reg_day] = bytes.day;
    ram[reg_month] = bytes.month;
    ram[reg_year] = bytes.year;
    ram[reg_century] = bytes.century;
}

AlarmBytes Cmos::alarm() const noexcept {
    return {.seconds = state_.ram[reg_alarm_seconds],
            .minutes = state_.ram[reg_alarm_minutes],
            .hours = state_.ram[reg_alarm_hours]};
}

// Does what the chip did by itself since the last time anyone looked.
void Cmos::catch_up() noexcept {
    const std::uint64_t ticks = periodic_ticks();
    if (ticks != periodic_seen_)
        state_.ram[reg_c] = static_cast<std::uint8_t>(state_.ram[reg_c] | c_periodic);
    periodic_seen_ = ticks;
    if (time_runs())
        advance_time();
}

void Cmos::advance_time() noexcept {
    const std::int64_t now = current_second();
    const std::int64_t elapsed = now - state_.base_second;
    if (elapsed == 0)
        return; // registers written within this second stand as written, sensible or not
    const std::int64_t before = decode_time(time(), format());
    unsigned flags = state_.ram[reg_c] | c_update_ended;
    // A host clock set back is followed, but passes no alarm.
    const auto to_alarm = seconds_to_alarm(alarm(), format(), before);
    if (to_alarm && *to_alarm <= elapsed)
        flags |= c_alarm;
    set_time(encode_time(before + elapsed, format()));
    state_.base_second = now;
    state_.ram[reg_c] = static_cast<std::uint8_t>(flags);
}

// Clock::now_ns of the next interrupt that is enabled and not pending already.
std::uint64_t Cmos::next_event_ns() const noexcept {
    const unsigned wanted = state_.ram[reg_b] & ~unsigned{state_.ram[reg_c]};
    const std::uint64_t now = clock_.now_ns();
    std::uint64_t next = no_event;
    const unsigned shift = period_shift(state_.ram[reg_a]);
    if ((wanted & b_periodic) != 0 && shift != 0 &&
        (state_.ram[reg_a] & a_divider_reset) != a_divider_reset)
        next = ns_of_cycle((periodic_seen_ + 1) << shift);
    if (!time_runs())
        return next;
    const auto to_second = static_cast<std::uint64_t>(ns_to_next_second());
    if ((wanted & b_update_ended) != 0)
        next = std::min(next, now + to_second);
    if ((wanted & b_alarm) != 0) {
        const auto to_alarm = seconds_to_alarm(alarm(), format(), decode_time(time(), format()));
        if (to_alarm)
            next = std::min(next, now + to_second +
                                      static_cast<std::uint64_t>((*to_alarm - 1) * second_ns));
    }
    return next;
}

void Cmos::sync() noexcept {
    irq_.set_level((state_.ram[reg_c] & state_.ram[reg_b] & c_flags) != 0);
    const std::uint64_t next = next_event_ns();
    if (next == no_event)
        timer_->cancel();
    else
        timer_->arm(next);
}

void Cmos::resume() {
    const std::lock_guard guard(lock_);
    catch_up();
    sync();
}

void Cmos::reset() {
    const std::lock_guard guard(lock_);
    catch_up();
    const bool ran = time_runs();
    const std::int64_t time_now = decode_time(time(), format());
    state_.index = 0;
    state_.extended_index = 0;
    state_.ram[reg_a] = a_power_on;
    state_.ram[reg_b] = b_power_on;
    state_.ram[reg_c] = 0;
    state_.ram[reg_alarm_seconds] = 0;
    state_.ram[reg_alarm_minutes] = 0;
    state_.ram[reg_alarm_hours] = 0;
    if (!ran)
        state_.base_second = current_second();
    set_time(encode_time(time_now, format()));
    periodic_seen_ = periodic_ticks();
    sync();
}

void Cmos::save(StateWriter& writer) const {
    const std::lock_guard guard(lock_);
    const auto& [index, ram, base_second, phase_ns, extended_index, extended] = state_;
    writer.begin("cmos", 2);
    writer.fields(index, ram, base_second, phase_ns, extended_index, extended);
}

void Cmos::restore(StateReader& reader) {
    State loaded;
    auto& [index, ram, base_second, phase_ns, extended_index, extended] = loaded;
    const std::uint16_t version = reader.begin("cmos", 2);
    reader.fields(index, ram, base_second, phase_ns);
    if (version >= 2) // version 1 had no second bank
        reader.fields(extended_index, extended);
    if (base_second > max_base_second || base_second < -max_base_second ||
        phase_ns >= std::uint32_t{second_ns} || (ram[reg_a] & a_update_in_progress) != 0 ||
        (ram[reg_c] & ~c_flags) != 0)
        throw Error("saved state: cmos registers hold impossible values", "the file is damaged");
    const std::lock_guard guard(lock_);
    state_ = loaded;
    periodic_seen_ = periodic_ticks();
    sync();
}

} // namespace coldstart
