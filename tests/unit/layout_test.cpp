#include "vmm/base/error.h"
#include "vmm/machine/layout.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace coldstart;

namespace {

std::uint64_t ram_in_map(const AddressLayout& made) {
    std::uint64_t total = 0;
    for (const MemoryMapEntry& entry : made.e820) {
        if (entry.kind == MemoryKind::ram)
            total += entry.size_bytes;
    }
    return total;
}

bool is_ram(const AddressLayout& made, Gpa address) {
    return std::any_of(made.e820.begin(), made.e820.end(), [&](const MemoryMapEntry& entry) {
        return entry.kind == MemoryKind::ram && address >= entry.base && address < entry.end();
    });
}

} // namespace

TEST_CASE("the layout holds its promises from 4 MiB to 512 GiB", "[layout]") {
    for (const std::uint64_t memory :
         {4 * MiB, 128 * MiB, 3 * GiB - 4 * KiB, 3 * GiB, 3 * GiB + 4 * KiB, 4 * GiB, 512 * GiB}) {
        CAPTURE(memory);
        const AddressLayout made = micro_layout(memory);

        std::uint64_t backed = 0;
        for (const Range& range : made.ram)
            backed += range.size_bytes;
        CHECK(backed == memory);
        CHECK(made.ram.size() == (memory > 3 * GiB ? 2u : 1u));
        CHECK(made.ram.front().base == Gpa(0));

        // Only what lies between 0x9FC00 and 1 MiB is backed, yet not told as RAM.
        CHECK(ram_in_map(made) == memory - (1 * MiB - 0x9fc00));
        for (std::size_t i = 0; i < made.e820.size(); ++i) {
            CHECK(made.e820[i].size_bytes != 0);
            if (i > 0)
                CHECK(made.e820[i - 1].end() <= made.e820[i].base);
        }
        // RAM of the map is backed from its first to its last byte.
        for (const MemoryMapEntry& entry : made.e820) {
            if (entry.kind != MemoryKind::ram)
                continue;
            CHECK(std::any_of(made.ram.begin(), made.ram.end(), [&](const Range& range) {
                return entry.base >= range.base && entry.end() <= range.end();
            }));
        }
        for (const Gpa taken : {layout::virtio_mmio, layout::io_apic, layout::local_apic,
                                layout::kvm_identity_map, layout::kvm_tss, made.rsdp, Gpa(0xa0000)})
            CHECK_FALSE(is_ram(made, taken));
    }
}

TEST_CASE("the map of a small and a large machine, word for word", "[layout]") {
    const MemoryMap small = {
        {Gpa(0), 0x9fc00, MemoryKind::ram},
        {Gpa(0x9fc00), 0x400, MemoryKind::reserved},
        {Gpa(0xe0000), 0x20000, MemoryKind::reserved},
        {Gpa(0x100000), 0x0ff00000, MemoryKind::ram},
        {Gpa(0xfeffc000), 0x4000, MemoryKind::reserved},
    };
    CHECK(micro_layout(256 * MiB).e820 == small);

    MemoryMap large = small;
    large[3].size_bytes = 0xbff00000;
    large.push_back({Gpa(0x100000000), 0x40000000, MemoryKind::ram});
    const AddressLayout made = micro_layout(4 * GiB);
    CHECK(made.e820 == large);
    CHECK(made.ram == std::vector<Range>{{Gpa(0), 3 * GiB}, {Gpa(4 * GiB), 1 * GiB}});
    CHECK(made.rsdp == Gpa(0xe0000));
    CHECK(made.acpi_tables == Range{Gpa(0xe0000), 0x20000});
}

TEST_CASE("a memory size the layout can't serve is the user's error", "[layout]") {
    for (const std::uint64_t memory :
         {0 * MiB, 4 * MiB - 4 * KiB, 512 * GiB + 4 * KiB, 64 * MiB + 1, ~std::uint64_t{0}})
        CHECK_THROWS_AS(micro_layout(memory), UsageError);
}
