#include "virtio/net/mac_address.h"

#include <charconv>

namespace coldstart {

std::optional<MacAddress> MacAddress::parse(std::string_view text) noexcept {
    constexpr std::size_t text_length = 17;
    if (text.size() != text_length)
        return std::nullopt;
    MacAddress address;
    for (std::size_t i = 0; i < address.bytes.size(); ++i) {
        const char* first = text.data() + 3 * i;
        const auto [end, error] = std::from_chars(first, first + 2, address.bytes[i], 16);
        if (error != std::errc() || end != first + 2 || (i != 5 && first[2] != ':'))
            return std::nullopt;
    }
    if (address.is_group() || address == MacAddress{})
        return std::nullopt;
    return address;
}

MacAddress MacAddress::derived_from(std::string_view name) noexcept {
    // FNV-1a, whose constants never change as std::hash may.
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char letter : name)
        hash = (hash ^ static_cast<std::uint8_t>(letter)) * 0x100000001b3;
    MacAddress address;
    for (std::size_t i = 0; i < address.bytes.size(); ++i)
        address.bytes[i] = static_cast<std::uint8_t>(hash >> (8 * i));
    address.bytes[0] = static_cast<std::uint8_t>((address.bytes[0] & 0xfc) | 2);
    return address;
}

} // namespace coldstart
