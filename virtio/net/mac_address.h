// An Ethernet address.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace coldstart {

struct MacAddress {
    std::array<std::uint8_t, 6> bytes{};

    bool operator==(const MacAddress&) const noexcept = default;
    bool is_group() const noexcept { return (bytes[0] & 1) != 0; }

    /// "52:54:00:12:34:56", or nothing. An address of one card: no group, not all zeros.
    static std::optional<MacAddress> parse(std::string_view text) noexcept;
    /// Locally administered, and the same for the same name everywhere and always.
    static MacAddress derived_from(std::string_view name) noexcept;
};

} // namespace coldstart
