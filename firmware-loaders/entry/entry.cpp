#include "firmware-loaders/entry/entry.h"

#include "firmware-loaders/placement/layout.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/bytes.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <vector>

namespace coldstart {
namespace {

// Intel SDM vol. 3, 3.4.5: flat segments of 4 GiB with granularity 4 KiB, present, ring 0,
// accessed. Code differs in L (64-bit) and D (32-bit).
constexpr std::uint64_t code64_descriptor = 0x00af9b000000ffff;
constexpr std::uint64_t code32_descriptor = 0x00cf9b000000ffff;
constexpr std::uint64_t data_descriptor = 0x00cf93000000ffff;
// SDM vol. 3, 7.2.2: a busy 32- or 64-bit TSS at 0 with limit 0x67; in 64-bit mode the descriptor
// takes two slots, the second being the upper half of its base.
constexpr std::uint64_t task_descriptor = 0x00008b0000000067;

constexpr std::uint16_t code_selector = 0x10;
constexpr std::uint16_t data_selector = 0x18;
constexpr std::uint16_t task_selector = 0x20;

// SDM vol. 3, 4.5: present and writable; PS makes a directory entry a 2 MiB page.
constexpr std::uint64_t table_entry = 0x003;
constexpr std::uint64_t large_page_entry = 0x083;
constexpr std::uint64_t large_page_bytes = 2 * MiB;
constexpr std::uint64_t entries_per_table = 512;
constexpr std::uint64_t mapped_gib = 4;

template <typename T>
void must_store(const GuestMemory& memory, Gpa at, const T& value) {
    [[maybe_unused]] const bool stored = memory.store(at, value);
    assert(stored && "claimed before");
}

void write_gdt(const GuestMemory& memory, std::uint64_t code, EntryState& entry) {
    const std::array<std::uint64_t, 6> table{0, 0, code, data_descriptor, task_descriptor, 0};
    must_store(memory, layout::gdt.base, table);
    entry.gdt_base = layout::gdt.base;
    entry.gdt_limit = sizeof table - 1;
    entry.code_selector = code_selector;
    entry.data_selector = data_selector;
    entry.task_selector = task_selector;
    entry.rsp = (layout::boot_stack.base + layout::boot_stack.size_bytes).value;
}

Gpa write_identity_map(const GuestMemory& memory) {
    using Table = std::array<std::uint64_t, entries_per_table>;
    const Gpa pml4 = layout::page_tables.base;
    const Gpa pdpt = pml4 + page_size_bytes;
    const Gpa directories = pdpt + page_size_bytes;
    Table table{};
    table[0] = pdpt.value | table_entry;
    must_store(memory, pml4, table);
    table[0] = 0;
    for (std::uint64_t gib = 0; gib < mapped_gib; ++gib)
        table[gib] = (directories + gib * page_size_bytes).value | table_entry;
    must_store(memory, pdpt, table);
    for (std::uint64_t gib = 0; gib < mapped_gib; ++gib) {
        for (std::uint64_t i = 0; i < entries_per_table; ++i)
            table[i] = (gib * GiB + i * large_page_bytes) | large_page_entry;
        must_store(memory, directories + gib * page_size_bytes, table);
    }
    return pml4;
}

} // namespace

void claim_long64(Placement& placement) {
    placement.claim("gdt", layout::gdt);
    placement.claim("boot stack", layout::boot_stack);
    placement.claim("page tables", layout::page_tables);
}

EntryState enter_long64(const GuestMemory& memory, std::uint64_t rip, Gpa rsi) {
    EntryState entry;
    entry.mode = EntryMode::long64;
    entry.rip = rip;
    entry.rsi = rsi.value;
    write_gdt(memory, code64_descriptor, entry);
    entry.page_table_root = write_identity_map(memory);
    return entry;
}

void claim_protected32(Placement& placement) {
    placement.claim("gdt", layout::gdt);
    placement.claim("boot stack", layout::boot_stack);
}

EntryState enter_protected32(const GuestMemory& memory, std::uint32_t rip, Gpa rbx) {
    EntryState entry;
    entry.mode = EntryMode::protected32;
    entry.rip = rip;
    entry.rbx = rbx.value;
    write_gdt(memory, code32_descriptor, entry);
    return entry;
}

void check_command_line(const std::string& text, std::uint64_t limit_bytes) {
    const std::uint64_t limit = std::min(limit_bytes, layout::command_line.size_bytes - 1);
    if (text.size() > limit)
        throw UsageError(
            cat("the command line has ", text.size(), " bytes, this kernel takes ", limit),
            "shorten --cmdline");
    if (text.find('\0') != std::string::npos)
        throw UsageError("the command line contains a zero byte", "remove it from --cmdline");
}

void claim_command_line(Placement& placement, const std::string& text) {
    placement.claim("command line", layout::command_line.base, text.size() + 1);
}

void write_command_line(const GuestMemory& memory, const std::string& text) {
    // c_str() ends in the zero that the guest reads up to.
    const ByteView bytes = std::as_bytes(std::span(text.c_str(), text.size() + 1));
    [[maybe_unused]] const bool written = memory.write(layout::command_line.base, bytes);
    assert(written && "claimed before");
}

} // namespace coldstart
