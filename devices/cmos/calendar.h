// The time registers of an MC146818 as numbers: BCD or binary, 12 or 24 hours, and the calendar
// between them and a count of seconds.
// Source: Motorola MC146818A data sheet, "Time, calendar and alarm locations".
//
// Ignored bits: daylight saving (DSE); a written day of the week lasts until the next update,
// which computes it from the date.
#pragma once

#include <cstdint>
#include <optional>

namespace coldstart::cmos {

/// How registers encode numbers, from register B.
struct Format {
    bool binary = false;
    bool hours_24 = true;

    bool operator==(const Format&) const noexcept = default;
};

Format format_of(std::uint8_t register_b) noexcept;

/// The bytes as they stand in the registers.
struct TimeBytes {
    std::uint8_t seconds, minutes, hours, weekday, day, month, year, century;
};

/// Seconds since 1970-01-01 of the guest's calendar to registers, and back. Values out of range
/// are bounded; a day beyond its month (31 February) runs over into the next.
TimeBytes encode_time(std::int64_t epoch_seconds, Format format) noexcept;
std::int64_t decode_time(const TimeBytes& bytes, Format format) noexcept;

struct AlarmBytes {
    std::uint8_t seconds, minutes, hours;
};

AlarmBytes convert_alarm(const AlarmBytes& bytes, Format from, Format to) noexcept;

/// Seconds from `epoch_seconds` to the next match, 1..86400; nothing when the alarm holds values
/// no clock shows.
std::optional<std::int64_t> seconds_to_alarm(const AlarmBytes& alarm, Format format,
                                             std::int64_t epoch_seconds) noexcept;

} // namespace coldstart::cmos
