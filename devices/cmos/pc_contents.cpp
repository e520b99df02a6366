#include "devices/cmos/pc_contents.h"

#include <algorithm>

namespace coldstart::cmos {
namespace {

constexpr std::uint8_t equipment = 0x14;
constexpr std::uint8_t base_memory_kib = 0x15;
constexpr std::uint8_t extended_memory_kib = 0x17;
constexpr std::uint8_t checksum_high = 0x2e; // of registers 0x10 to 0x2d, high byte first
constexpr std::uint8_t checksum_low = 0x2f;
constexpr std::uint8_t extended_memory_kib_found = 0x30;
constexpr std::uint8_t memory_above_16m = 0x34; // in units of 64 KiB, as at 0x5b
constexpr std::uint8_t boot_third = 0x38;       // in the high half
constexpr std::uint8_t boot_first_second = 0x3d;
constexpr std::uint8_t memory_above_4g = 0x5b; // three bytes
constexpr std::uint8_t cpus_less_one = 0x5f;

constexpr std::uint8_t has_coprocessor = 0x02;
constexpr std::uint8_t no_floppy_signature_check = 0x01;

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t unit_bytes = 64 * kib;

class Contents {
  public:
    void add(std::uint8_t index, std::uint64_t value, unsigned bytes = 1) {
        value = std::min(value, (std::uint64_t{1} << (bytes * 8)) - 1);
        for (unsigned i = 0; i < bytes; ++i)
            pairs_.emplace_back(static_cast<std::uint8_t>(index + i),
                                static_cast<std::uint8_t>(value >> (i * 8)));
    }

    void add_checksum() {
        unsigned sum = 0;
        for (const auto& [index, value] : pairs_)
            sum += index >= 0x10 && index < checksum_high ? value : 0;
        add(checksum_high, sum >> 8 & 0xff);
        add(checksum_low, sum & 0xff);
    }

    std::vector<std::pair<std::uint8_t, std::uint8_t>> take() { return std::move(pairs_); }

  private:
    std::vector<std::pair<std::uint8_t, std::uint8_t>> pairs_;
};

std::uint64_t above(std::uint64_t bytes, std::uint64_t start) {
    return bytes > start ? bytes - start : 0;
}

} // namespace

std::vector<std::pair<std::uint8_t, std::uint8_t>> pc_contents(const PcFacts& facts) {
    const auto nibble = [&](unsigned place) {
        return static_cast<unsigned>(facts.boot_order[place]);
    };
    const std::uint64_t extended_kib = above(facts.memory_below_4g_bytes, 1024 * kib) / kib;
    Contents contents;
    contents.add(equipment, has_coprocessor);
    contents.add(base_memory_kib, std::min(facts.memory_below_4g_bytes / kib, std::uint64_t{640}),
                 2);
    contents.add(extended_memory_kib, extended_kib, 2);
    contents.add_checksum();
    contents.add(extended_memory_kib_found, extended_kib, 2);
    contents.add(memory_above_16m, above(facts.memory_below_4g_bytes, 16 * 1024 * kib) / unit_bytes,
                 2);
    contents.add(boot_third, nibble(2) << 4 | no_floppy_signature_check);
    contents.add(boot_first_second, nibble(1) << 4 | nibble(0));
    contents.add(memory_above_4g, facts.memory_above_4g_bytes / unit_bytes, 3);
    contents.add(cpus_less_one, facts.cpus - 1);
    return contents.take();
}

} // namespace coldstart::cmos
