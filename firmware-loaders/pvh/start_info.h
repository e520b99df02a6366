// The start-of-day structures of PVH, as they lie in guest memory, little-endian
// (xen/include/public/arch-x86/hvm/start_info.h). An address of 0 means "not there".
#pragma once

#include <cstdint>

namespace coldstart::pvh {

inline constexpr std::uint32_t start_magic = 0x336ec578; ///< "xEn3" with bit 7 of the E set
inline constexpr std::uint32_t start_version = 1;        ///< the first with a memory map

struct StartInfo {
    std::uint32_t magic = start_magic;
    std::uint32_t version = start_version;
    std::uint32_t flags = 0;
    std::uint32_t module_count = 0;
    std::uint64_t module_list = 0;
    std::uint64_t command_line = 0;
    std::uint64_t rsdp = 0;
    std::uint64_t memory_map = 0;
    std::uint32_t memory_map_entries = 0;
    std::uint32_t reserved = 0;
};
static_assert(sizeof(StartInfo) == 56);

struct Module {
    std::uint64_t base = 0;
    std::uint64_t size_bytes = 0;
    std::uint64_t command_line = 0;
    std::uint64_t reserved = 0;
};
static_assert(sizeof(Module) == 32);

struct MemoryMapEntry {
    std::uint64_t base = 0;
    std::uint64_t size_bytes = 0;
    std::uint32_t type = 0; ///< the numbers of E820
    std::uint32_t reserved = 0;
};
static_assert(sizeof(MemoryMapEntry) == 24);

} // namespace coldstart::pvh
