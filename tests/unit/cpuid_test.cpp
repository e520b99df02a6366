#include "vmm/kvm/cpuid.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

using namespace coldstart;

namespace {

CpuidTable intel_host() {
    return {
        {0, 0, false, 0x1f, 0x756e6547, 0x6c65746e, 0x49656e69}, // GenuineIntel
        {1, 0, false, 0x806f8, 0xff040800, 1u << 5 | 1u << 15, 1u << 21 | 1u << 28},
        {4, 0, true, 0xfc004121, 0, 0, 0},
        {4, 3, true, 0xfc3fc163, 0, 0, 0},
        {0xa, 0, false, 0x08300805, 0, 0xf, 0x8604},
        {0xb, 0, true, 1, 2, 0x100, 77},
        {0x40000000, 0, false, 0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d},
        {0x80000001, 0, false, 0, 0, 1u << 2, 0},
    };
}

const CpuidEntry* leaf(const CpuidTable& table, std::uint32_t function, std::uint32_t index = 0) {
    const auto it = std::find_if(table.begin(), table.end(), [&](const CpuidEntry& entry) {
        return entry.function == function && entry.index == index;
    });
    return it == table.end() ? nullptr : &*it;
}

} // namespace

TEST_CASE("CPUID gives each vCPU its place in one package", "[cpuid]") {
    const CpuidTable table =
        make_cpuid(intel_host(), {.apic_id = 3, .cpu_count = 6, .tsc_khz = 2'300'000});
    REQUIRE(leaf(table, 1));
    CHECK(leaf(table, 1)->ebx >> 24 == 3);
    CHECK((leaf(table, 1)->ebx >> 16 & 0xff) == 8); // the next power of two
    CHECK((leaf(table, 1)->edx & 1u << 28) != 0);
    REQUIRE(leaf(table, 0xb, 1));
    CHECK(leaf(table, 0xb, 0)->eax == 0); // one thread a core
    CHECK(leaf(table, 0xb, 1)->eax == 3);
    CHECK(leaf(table, 0xb, 1)->ebx == 6);
    CHECK(leaf(table, 0xb, 1)->edx == 3);
    REQUIRE(leaf(table, 0x1f, 1));
    CHECK(leaf(table, 0x1f, 2)->ebx == 0);
    CHECK(leaf(table, 4, 0)->eax >> 26 == 7);
    CHECK((leaf(table, 4, 0)->eax >> 14 & 0xfff) == 0); // L1 is a core's own
    CHECK((leaf(table, 4, 3)->eax >> 14 & 0xfff) == 7); // L3 is shared by all
}

TEST_CASE("CPUID tells two threads a core where that is wanted", "[cpuid]") {
    const CpuidTable table = make_cpuid(intel_host(), {.apic_id = 5, .cpu_count = 6, .smt = true});
    CHECK((leaf(table, 1)->ebx >> 16 & 0xff) == 8); // logical CPUs of the package, as without
    CHECK((leaf(table, 1)->edx & 1u << 28) != 0);
    for (const std::uint32_t function : {0xbu, 0x1fu}) {
        CHECK(leaf(table, function, 0)->eax == 1); // the core's number is behind one bit
        CHECK(leaf(table, function, 0)->ebx == 2);
        CHECK(leaf(table, function, 1)->eax == 3);
        CHECK(leaf(table, function, 1)->ebx == 6);
        CHECK(leaf(table, function, 1)->edx == 5);
    }
    CHECK(leaf(table, 4, 0)->eax >> 26 == 3);           // room for four cores
    CHECK((leaf(table, 4, 0)->eax >> 14 & 0xfff) == 1); // L1 is of both threads
    CHECK((leaf(table, 4, 3)->eax >> 14 & 0xfff) == 7);

    const CpuidTable single = make_cpuid(intel_host(), {.smt = true});
    CHECK(leaf(single, 0xb, 0)->ebx == 1);
    CHECK((leaf(single, 4, 0)->eax >> 14 & 0xfff) == 0);
}

TEST_CASE("AMD's leaves tell two threads a core too", "[cpuid]") {
    CpuidTable host = intel_host();
    host[0] = {0, 0, false, 0x10, 0x68747541, 0x444d4163, 0x69746e65};
    host.push_back({0x80000008, 0, false, 0, 0, 0, 0});
    host.push_back({0x8000001e, 0, false, 0, 0, 0, 0});
    const CpuidTable with = make_cpuid(host, {.apic_id = 5, .cpu_count = 6, .smt = true});
    CHECK(leaf(with, 0x8000001e)->ebx == (1u << 8 | 2u)); // the third core
    CHECK(leaf(with, 0x8000001e)->eax == 5);
    CHECK((leaf(with, 0x80000008)->ecx & 0xff) == 5); // threads of the package less one
    CHECK(leaf(with, 0x80000008)->ecx >> 12 == 3);
    const CpuidTable without = make_cpuid(host, {.apic_id = 5, .cpu_count = 6});
    CHECK(leaf(without, 0x8000001e)->ebx == 5);
}

TEST_CASE("CPUID of a single vCPU says so", "[cpuid]") {
    const CpuidTable table = make_cpuid(intel_host(), {.tsc_khz = 2'300'000});
    CHECK((leaf(table, 1)->edx & 1u << 28) == 0);
    CHECK((leaf(table, 1)->ebx >> 16 & 0xff) == 1);
    CHECK(leaf(table, 0xb, 1)->eax == 0);
}

TEST_CASE("CPUID withholds nested virtualisation and the PMU", "[cpuid]") {
    const CpuidTable table = make_cpuid(intel_host(), {.tsc_deadline = true});
    CHECK((leaf(table, 1)->ecx & 1u << 5) == 0);
    CHECK((leaf(table, 1)->ecx & 1u << 21) != 0); // x2APIC
    CHECK((leaf(table, 1)->ecx & 1u << 24) != 0); // TSC deadline
    CHECK((leaf(table, 1)->ecx & 1u << 31) != 0); // hypervisor
    CHECK(leaf(table, 0xa) == nullptr);
    CHECK((make_cpuid(intel_host(), {})[1].ecx & 1u << 24) == 0);
}

TEST_CASE("CPUID's frequency leaves agree with the TSC and Linux's arithmetic", "[cpuid]") {
    for (const std::uint32_t khz : {1'000'000u, 2'299'998u, 3'700'123u, 5'812'345u, 999'999u}) {
        const CpuidTable table = make_cpuid(intel_host(), {.tsc_khz = khz});
        const CpuidEntry* frequency = leaf(table, 0x15);
        REQUIRE(frequency);
        REQUIRE(frequency->eax != 0);
        const std::uint32_t crystal_khz = frequency->ecx / 1000;
        const std::uint64_t product = std::uint64_t{crystal_khz} * frequency->ebx;
        CHECK(product <= ~0u); // what Linux multiplies in 32 bits
        const double khz_told = static_cast<double>(product) / frequency->eax;
        CHECK(std::abs(khz_told / khz - 1) < 2e-6);
        CHECK(leaf(table, 0)->eax >= 0x15);
        REQUIRE(leaf(table, 0x40000010));
        CHECK(leaf(table, 0x40000010)->eax == khz);
        CHECK(leaf(table, 0x40000010)->ebx == 1'000'000);
        CHECK(leaf(table, 0x40000000)->eax == 0x40000010);
    }
    CHECK(leaf(make_cpuid(intel_host(), {}), 0x15) == nullptr);
}

TEST_CASE("CPUID on AMD: core count, extended APIC id, no SVM", "[cpuid]") {
    const CpuidTable host = {
        {0, 0, false, 0xd, 0x68747541, 0x444d4163, 0x69746e65},
        {1, 0, false, 0x800f12, 0, 0, 0},
        {0x80000001, 0, false, 0, 0, 1u << 2 | 1u << 23, 0},
        {0x80000008, 0, false, 0x3028, 0, 0, 0},
        {0x8000000a, 0, false, 1, 16, 0, 0},
        {0x8000001d, 3, true, 0x163, 0, 0, 0},
        {0x8000001e, 0, false, 9, 0x100, 0x300, 0},
    };
    const CpuidTable table = make_cpuid(host, {.apic_id = 2, .cpu_count = 4, .tsc_khz = 1'000'000});
    CHECK(leaf(table, 0x80000001)->ecx == 1u << 1); // CmpLegacy alone is left
    CHECK((leaf(table, 0x80000008)->ecx & 0xff) == 3);
    CHECK((leaf(table, 0x80000008)->ecx >> 12) == 2);
    CHECK(leaf(table, 0x8000000a) == nullptr);
    CHECK((leaf(table, 0x8000001d, 3)->eax >> 14 & 0xfff) == 3);
    CHECK(leaf(table, 0x8000001e)->eax == 2);
    CHECK(leaf(table, 0x8000001e)->ebx == 2);
    CHECK(leaf(table, 0xb, 1)->ebx == 4);
    CHECK(leaf(table, 0x15) == nullptr); // Intel's
}

TEST_CASE("CPUID names the host's processor where KVM names none", "[cpuid]") {
    CpuName name{};
    for (std::uint32_t i = 0; i < name.size(); ++i)
        name[i] = 0x61616161 + i;
    CpuidTable host = intel_host();
    CHECK(leaf(make_cpuid(host, {.name = name}), 0x80000002) == nullptr); // no such leaves at all
    host.push_back({0x80000000, 0, false, 0x80000001, 0, 0, 0});
    CHECK(leaf(make_cpuid(host, {}), 0x80000002) == nullptr);
    host.push_back({0x80000003, 0, false, 0, 0, 0, 0});
    const CpuidTable named = make_cpuid(host, {.name = name});
    CHECK(leaf(named, 0x80000000)->eax == 0x80000004);
    REQUIRE(leaf(named, 0x80000004));
    CHECK(leaf(named, 0x80000002)->eax == name[0]);
    CHECK(leaf(named, 0x80000003)->ecx == name[6]);
    CHECK(leaf(named, 0x80000004)->edx == name[11]);
    CHECK(std::count_if(named.begin(), named.end(),
                        [](const CpuidEntry& e) { return e.function == 0x80000003; }) == 1);

    host.push_back({0x80000002, 0, false, 0x004d564b, 0, 0, 0}); // KVM's own is kept
    CHECK(leaf(make_cpuid(host, {.name = name}), 0x80000002)->eax == 0x004d564b);
}
