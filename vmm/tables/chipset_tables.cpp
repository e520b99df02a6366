#include "vmm/tables/tables.h"

namespace coldstart {

std::vector<std::byte> build_mcfg(const EcamFacts& ecam, std::uint8_t last_bus) {
    std::vector<std::byte> table = sdt_begin("MCFG", 1);
    append_le(table, std::uint64_t{0}); // reserved
    append_le(table, ecam.base);
    append_le(table, std::uint16_t{0}); // segment
    append_le(table, std::uint8_t{0});  // first bus
    append_le(table, last_bus);
    append_le(table, std::uint32_t{0}); // reserved
    sdt_finish(table);
    return table;
}

std::vector<std::byte> build_hpet(const HpetFacts& hpet) {
    constexpr std::uint8_t system_memory = 0;
    constexpr std::uint8_t register_bits = 64;
    std::vector<std::byte> table = sdt_begin("HPET", 1);
    append_le(table, hpet.block_id);
    append_le(table, system_memory);
    append_le(table, register_bits);
    append_le(table, std::uint8_t{0}); // bit offset
    append_le(table, std::uint8_t{0}); // access size: unspecified
    append_le(table, std::uint64_t{hpet.base});
    append_le(table, std::uint8_t{0}); // number
    append_le(table, hpet.minimum_ticks);
    append_le(table, std::uint8_t{0}); // no page protection
    sdt_finish(table);
    return table;
}

std::vector<std::byte> build_waet() {
    constexpr std::uint32_t pm_timer_good = 1u << 1; // bit 0, RTC good, is not promised
    std::vector<std::byte> table = sdt_begin("WAET", 1);
    append_le(table, pm_timer_good);
    sdt_finish(table);
    return table;
}

} // namespace coldstart
