#include "devices/cmos/calendar.h"

#include "devices/cmos/spec.h"

#include <algorithm>
#include <chrono>

namespace coldstart::cmos {
namespace {

constexpr std::int64_t seconds_per_day = 86'400;

std::int64_t floor_div(std::int64_t value, std::int64_t by) noexcept {
    return value / by - (value % by < 0 ? 1 : 0);
}

std::int64_t floor_mod(std::int64_t value, std::int64_t by) noexcept {
    return value - floor_div(value, by) * by;
}

std::uint8_t encode(std::int64_t value, Format format) noexcept {
    return static_cast<std::uint8_t>(format.binary ? value : value / 10 * 16 + value % 10);
}

/// Bad BCD digits count for what they are worth: 0x1f is 25.
int decode(unsigned byte, Format format) noexcept {
    return static_cast<int>(format.binary ? byte : (byte >> 4u) * 10 + (byte & 0xfu));
}

std::uint8_t encode_hours(std::int64_t hours, Format format) noexcept {
    if (format.hours_24)
        return encode(hours, format);
    const std::uint8_t dial = encode((hours + 11) % 12 + 1, format); // 0 h is 12 AM
    return static_cast<std::uint8_t>(hours >= 12 ? dial | hours_pm : dial);
}

int decode_hours(unsigned byte, Format format) noexcept {
    if (format.hours_24)
        return decode(byte, format);
    const int dial = decode(byte & ~hours_pm, format);
    if (dial < 1 || dial > 12)
        return 24; // out of range, whatever the caller makes of it
    return dial % 12 + ((byte & hours_pm) != 0 ? 12 : 0);
}

/// -1: any value. Out of 0..limit-1: never.
int alarm_value(unsigned byte, bool hours, Format format) noexcept {
    if ((byte & alarm_dont_care) == alarm_dont_care)
        return -1;
    return hours ? decode_hours(byte, format) : decode(byte, format);
}

bool bad_bcd(unsigned byte, Format format) noexcept {
    return !format.binary && (byte & 0xfu) > 9;
}

bool alarm_possible(const AlarmBytes& alarm, int seconds, int minutes, int hours,
                    Format format) noexcept {
    const auto possible = [&](unsigned byte, int value, int limit) {
        return value < 0 || (value < limit && !bad_bcd(byte, format));
    };
    return possible(alarm.seconds, seconds, 60) && possible(alarm.minutes, minutes, 60) &&
           possible(alarm.hours, hours, 24);
}

} // namespace

Format format_of(std::uint8_t register_b) noexcept {
    return {.binary = (register_b & b_binary) != 0, .hours_24 = (register_b & b_24_hours) != 0};
}

TimeBytes encode_time(std::int64_t epoch_seconds, Format format) noexcept {
    using namespace std::chrono;
    const std::int64_t days_since_1970 = floor_div(epoch_seconds, seconds_per_day);
    const std::int64_t of_day = floor_mod(epoch_seconds, seconds_per_day);
    // The Gregorian calendar repeats every 400 years of 146097 days, and the registers hold four
    // digits of the year (25 such rounds): reduced first, any count is in the range of <chrono>.
    constexpr std::int64_t cycle_days = std::int64_t{25} * 146'097;
    const sys_days date{days{static_cast<int>(floor_mod(days_since_1970, cycle_days))}};
    const year_month_day ymd{date};
    const int year_number = static_cast<int>(ymd.year()) % 10'000;
    return {.seconds = encode(of_day % 60, format),
            .minutes = encode(of_day / 60 % 60, format),
            .hours = encode_hours(of_day / 3600, format),
            .weekday = encode(weekday{date}.c_encoding() + 1, format),
            .day = encode(unsigned{ymd.day()}, format),
            .month = encode(unsigned{ymd.month()}, format),
            .year = encode(year_number % 100, format),
            .century = encode(year_number / 100, format)};
}

std::int64_t decode_time(const TimeBytes& bytes, Format format) noexcept {
    using namespace std::chrono;
    const int year_number = std::clamp(decode(bytes.century, format), 0, 99) * 100 +
                            std::clamp(decode(bytes.year, format), 0, 99);
    const auto month_number = static_cast<unsigned>(std::clamp(decode(bytes.month, format), 1, 12));
    const int day_number = std::clamp(decode(bytes.day, format), 1, 31);
    const sys_days first = sys_days{year{year_number} / month{month_number} / 1};
    const std::int64_t day_count = first.time_since_epoch().count() + day_number - 1;
    return day_count * seconds_per_day +
           std::clamp(decode_hours(bytes.hours, format), 0, 23) * std::int64_t{3600} +
           std::clamp(decode(bytes.minutes, format), 0, 59) * std::int64_t{60} +
           std::clamp(decode(bytes.seconds, format), 0, 59);
}

AlarmBytes convert_alarm(const AlarmBytes& bytes, Format from, Format to) noexcept {
    const auto convert = [&](unsigned byte, bool hours, int limit) {
        const int value = alarm_value(byte, hours, from);
        if (value < 0 || value >= limit || bad_bcd(byte, from))
            return static_cast<std::uint8_t>(byte); // "any", or nonsense: kept as it is
        return hours ? encode_hours(value, to) : encode(value, to);
    };
    return {.seconds = convert(bytes.seconds, false, 60),
            .minutes = convert(bytes.minutes, false, 60),
            .hours = convert(bytes.hours, true, 24)};
}

std::optional<std::int64_t> seconds_to_alarm(const AlarmBytes& alarm, Format format,
                                             std::int64_t epoch_seconds) noexcept {
    const int seconds = alarm_value(alarm.seconds, false, format);
    const int minutes = alarm_value(alarm.minutes, false, format);
    const int hours = alarm_value(alarm.hours, true, format);
    if (!alarm_possible(alarm, seconds, minutes, hours, format))
        return std::nullopt;

    // Skip to the start of the next hour, minute or second that may match: at most 24 + 60 + 60
    // steps in either of the two days a match can lie in.
    const std::int64_t start = floor_mod(epoch_seconds, seconds_per_day);
    std::int64_t time = start + 1;
    for (;;) {
        if (hours >= 0 && time / 3600 % 24 != hours)
            time = (time / 3600 + 1) * 3600;
        else if (minutes >= 0 && time / 60 % 60 != minutes)
            time = (time / 60 + 1) * 60;
        else if (seconds >= 0 && time % 60 != seconds)
            ++time;
        else
            return time - start;
    }
}

} // namespace coldstart::cmos
