#include "vmm/kvm/cpuid.h"

#include <algorithm>
#include <bit>

#include <cpuid.h>

namespace coldstart {
namespace {

// Leaf 1 (Intel SDM vol. 2A table 3-10, 3-11).
constexpr std::uint32_t ecx1_vmx = 1u << 5;
constexpr std::uint32_t ecx1_pdcm = 1u << 15;
constexpr std::uint32_t ecx1_x2apic = 1u << 21;
constexpr std::uint32_t ecx1_tsc_deadline = 1u << 24;
constexpr std::uint32_t ecx1_hypervisor = 1u << 31;
constexpr std::uint32_t edx1_htt = 1u << 28;
constexpr std::uint32_t edx1_debug_store = 1u << 21;
// Leaf 0x80000001, ECX (AMD APM vol. 3 E.4.2).
constexpr std::uint32_t ecx81_cmp_legacy = 1u << 1;
constexpr std::uint32_t ecx81_svm = 1u << 2;
constexpr std::uint32_t ecx81_perf_counters = 7u << 23; // core, NB, and bit 25 (reserved)
constexpr std::uint32_t ecx81_perf_llc = 1u << 28;

constexpr std::uint32_t first_name_leaf = 0x80000002, last_name_leaf = 0x80000004;

constexpr std::uint32_t hypervisor_base = 0x40000000;
constexpr std::uint32_t hypervisor_frequencies = 0x40000010;

constexpr std::uint32_t level_smt = 1, level_core = 2;

std::uint32_t bits_for(std::uint32_t count) noexcept {
    return static_cast<std::uint32_t>(std::bit_width(count - 1));
}

/// A single vCPU has no sibling.
std::uint32_t threads_a_core(const CpuidFacts& facts) noexcept {
    return facts.smt && facts.cpu_count > 1 ? 2 : 1;
}
std::uint32_t cores(const CpuidFacts& facts) noexcept {
    const std::uint32_t threads = threads_a_core(facts);
    return (facts.cpu_count + threads - 1) / threads;
}

CpuidEntry* find(CpuidTable& table, std::uint32_t function) noexcept {
    const auto it = std::find_if(table.begin(), table.end(), [function](const CpuidEntry& entry) {
        return entry.function == function;
    });
    return it == table.end() ? nullptr : &*it;
}

void erase_leaf(CpuidTable& table, std::uint32_t function) {
    std::erase_if(table, [function](const CpuidEntry& e) { return e.function == function; });
}

bool is_amd_like(CpuidTable& table) noexcept {
    const CpuidEntry* vendor = find(table, 0);
    // "Auth"enticAMD and "Hygo"nGenuine.
    return vendor != nullptr && (vendor->ebx == 0x68747541 || vendor->ebx == 0x6f677948);
}

void fix_features(CpuidEntry& leaf, const CpuidFacts& facts) noexcept {
    leaf.ecx &= ~(ecx1_vmx | ecx1_pdcm | ecx1_tsc_deadline);
    leaf.ecx |= ecx1_x2apic | ecx1_hypervisor;
    if (facts.tsc_deadline)
        leaf.ecx |= ecx1_tsc_deadline;
    leaf.edx &= ~(edx1_htt | edx1_debug_store);
    if (facts.cpu_count > 1)
        leaf.edx |= edx1_htt;
    const std::uint32_t logical = std::min(1u << bits_for(facts.cpu_count), 255u);
    leaf.ebx = (leaf.ebx & 0xffff) | logical << 16 | (facts.apic_id & 0xff) << 24;
}

/// Intel's leaf 4 and AMD's 0x8000001D share the layout of EAX[25:14].
void fix_cache(CpuidEntry& leaf, const CpuidFacts& facts) noexcept {
    const std::uint32_t type = leaf.eax & 0x1f;
    if (type == 0)
        return;
    const std::uint32_t level = leaf.eax >> 5 & 7;
    const std::uint32_t sharing =
        level >= 3 ? (1u << bits_for(facts.cpu_count)) - 1 : threads_a_core(facts) - 1;
    leaf.eax = (leaf.eax & 0x3fff) | std::min(sharing, 0xfffu) << 14;
    if (leaf.function == 4)
        leaf.eax |= std::min((1u << bits_for(cores(facts))) - 1, 0x3fu) << 26;
}

void add_extended_topology(CpuidTable& table, std::uint32_t function, const CpuidFacts& facts) {
    erase_leaf(table, function);
    const std::uint32_t threads = threads_a_core(facts);
    table.push_back(
        {function, 0, true, bits_for(threads), threads, level_smt << 8 | 0, facts.apic_id});
    table.push_back({function, 1, true, bits_for(facts.cpu_count), facts.cpu_count,
                     level_core << 8 | 1, facts.apic_id});
    table.push_back({function, 2, true, 0, 0, 2, facts.apic_id});
}

void fix_amd_topology(CpuidEntry& leaf, const CpuidFacts& facts) noexcept {
    switch (leaf.function) {
    case 0x80000001:
        leaf.ecx &= ~(ecx81_svm | ecx81_cmp_legacy | ecx81_perf_counters | ecx81_perf_llc);
        if (facts.cpu_count > 1)
            leaf.ecx |= ecx81_cmp_legacy;
        break;
    case 0x80000008:
        leaf.ecx = (facts.cpu_count - 1) | bits_for(facts.cpu_count) << 12;
        break;
    case 0x8000001e:
        leaf.eax = facts.apic_id;
        // The core's number, and in EBX[15:8] the threads of a core less one.
        leaf.ebx = (facts.apic_id / threads_a_core(facts) & 0xff) | (threads_a_core(facts) - 1)
                                                                        << 8;
        leaf.ecx = 0; // node 0 of 1
        leaf.edx = 0;
        break;
    default:
        break;
    }
}

/// Firmware and systems show the name, and some choose work-arounds by it.
void add_name(CpuidTable& table, const CpuName& name) {
    for (const CpuidEntry& entry : table) {
        const bool is_name = entry.function >= first_name_leaf && entry.function <= last_name_leaf;
        if (is_name && (entry.eax | entry.ebx | entry.ecx | entry.edx) != 0)
            return;
    }
    CpuidEntry* const extended = find(table, 0x80000000);
    if (name == CpuName{} || extended == nullptr)
        return;
    extended->eax = std::max(extended->eax, last_name_leaf);
    for (std::uint32_t leaf = first_name_leaf; leaf <= last_name_leaf; ++leaf) {
        erase_leaf(table, leaf);
        const std::size_t at = (leaf - first_name_leaf) * 4;
        table.push_back({leaf, 0, false, name[at], name[at + 1], name[at + 2], name[at + 3]});
    }
}

void add_frequencies(CpuidTable& table, const CpuidFacts& facts, bool amd) {
    erase_leaf(table, 0x15);
    erase_leaf(table, 0x16);
    erase_leaf(table, hypervisor_frequencies);
    if (facts.tsc_khz == 0)
        return;
    CpuidEntry* basic = find(table, 0);
    if (!amd && basic != nullptr) {
        // Linux computes crystal_khz * EBX / EAX in 32 bits and takes the crystal for the APIC
        // timer's clock, so the crystal must be KVM's APIC timer input and EBX must stay small.
        const std::uint32_t crystal_khz = facts.apic_timer_hz / 1000;
        const Ratio ratio = nearest_ratio(facts.tsc_khz, crystal_khz, ~0u / crystal_khz);
        basic->eax = std::max(basic->eax, 0x15u);
        table.push_back(
            {0x15, 0, false, ratio.denominator, ratio.numerator, facts.apic_timer_hz, 0});
    }
    CpuidEntry* hypervisor = find(table, hypervisor_base);
    if (hypervisor != nullptr) {
        hypervisor->eax = std::max(hypervisor->eax, hypervisor_frequencies);
        table.push_back(
            {hypervisor_frequencies, 0, false, facts.tsc_khz, facts.apic_timer_hz / 1000, 0, 0});
    }
}

} // namespace

Ratio nearest_ratio(std::uint64_t value, std::uint64_t unit, std::uint32_t most) noexcept {
    // Convergents of the continued fraction of value / unit.
    std::uint64_t n0 = 0, n1 = 1, d0 = 1, d1 = 0;
    while (unit != 0) {
        const std::uint64_t quotient = value / unit;
        const std::uint64_t n2 = quotient * n1 + n0;
        const std::uint64_t d2 = quotient * d1 + d0;
        if (n2 > most || d2 > ~0u)
            break;
        n0 = n1;
        n1 = n2;
        d0 = d1;
        d1 = d2;
        const std::uint64_t rest = value % unit;
        value = unit;
        unit = rest;
    }
    if (d1 == 0)
        return {most, 1};
    return {static_cast<std::uint32_t>(n1), static_cast<std::uint32_t>(d1)};
}

CpuidTable make_cpuid(const CpuidTable& supported, const CpuidFacts& facts) {
    CpuidTable table = supported;
    const bool amd = is_amd_like(table);
    const CpuidEntry* basic = find(table, 0);
    const std::uint32_t max_basic = basic == nullptr ? 0 : basic->eax;

    for (CpuidEntry& leaf : table) {
        if (leaf.function == 1)
            fix_features(leaf, facts);
        else if (leaf.function == 4 || leaf.function == 0x8000001d)
            fix_cache(leaf, facts);
        else if (leaf.function >= 0x80000000 && amd)
            fix_amd_topology(leaf, facts);
    }
    // No PMU: a leaf 0xA of zeros says version 0.
    erase_leaf(table, 0xa);
    if (max_basic >= 0xb)
        add_extended_topology(table, 0xb, facts);
    erase_leaf(table, 0x1f);
    if (max_basic >= 0x1f)
        add_extended_topology(table, 0x1f, facts);
    // SVM's own leaf and performance monitoring v2 go with their feature bits.
    erase_leaf(table, 0x8000000a);
    erase_leaf(table, 0x80000022);
    add_frequencies(table, facts, amd);
    add_name(table, facts.name);
    return table;
}

CpuName host_cpu_name() noexcept {
    CpuName name{};
    const auto max_leaf = static_cast<std::uint32_t>(__get_cpuid_max(0x80000000, nullptr));
    if (max_leaf < last_name_leaf)
        return name;
    for (std::uint32_t leaf = first_name_leaf; leaf <= last_name_leaf; ++leaf) {
        std::uint32_t* const at = name.data() + (leaf - first_name_leaf) * 4;
        __cpuid(leaf, at[0], at[1], at[2], at[3]);
    }
    return name;
}

} // namespace coldstart
