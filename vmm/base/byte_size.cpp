#include "vmm/base/byte_size.h"

#include "vmm/base/text.h"

namespace coldstart {

std::optional<std::uint64_t> parse_byte_size(std::string_view text) noexcept {
    const std::size_t digits = text.find_first_not_of("0123456789");
    const auto number = parse_decimal(text.substr(0, digits));
    if (!number)
        return std::nullopt;
    if (digits == std::string_view::npos)
        return number;

    std::string_view unit = text.substr(digits);
    std::uint64_t factor = 1;
    switch (unit.front() | 0x20) {
    case 'k':
        factor = KiB;
        break;
    case 'm':
        factor = MiB;
        break;
    case 'g':
        factor = GiB;
        break;
    case 't':
        factor = TiB;
        break;
    case 'b':
        return unit.size() == 1 ? number : std::nullopt;
    default:
        return std::nullopt;
    }
    unit.remove_prefix(1);
    if (!unit.empty() && unit != "B" && unit != "iB")
        return std::nullopt;
    std::uint64_t size_bytes = 0;
    if (__builtin_mul_overflow(*number, factor, &size_bytes))
        return std::nullopt;
    return size_bytes;
}

std::string format_byte_size(std::uint64_t size_bytes) {
    struct Unit {
        std::uint64_t factor;
        const char* name;
    };
    static constexpr Unit units[] = {{TiB, "T"}, {GiB, "G"}, {MiB, "M"}, {KiB, "K"}};
    for (const Unit& unit : units) {
        if (size_bytes >= unit.factor && size_bytes % unit.factor == 0)
            return cat(size_bytes / unit.factor, unit.name);
    }
    return cat(size_bytes);
}

} // namespace coldstart
