#include "vmm/machine/fw_cfg_items.h"

#include "devices/fw_cfg/spec.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

namespace coldstart {
namespace {

/// Base, length, kind: 20 bytes an entry, as INT 15h E820 gives them.
std::vector<std::byte> e820_bytes(const MemoryMap& map) {
    std::vector<std::byte> bytes;
    for (const MemoryMapEntry& entry : map) {
        append_le(bytes, entry.base.value);
        append_le(bytes, entry.size_bytes);
        append_le(bytes, static_cast<std::uint32_t>(entry.kind));
    }
    return bytes;
}

/// A count and eight places for timer blocks, of which the first is used.
std::vector<std::byte> hpet_bytes(Gpa base) {
    constexpr std::uint32_t block_id = 0x8086a201; // as in the ACPI table: Intel, 3 timers
    constexpr std::uint16_t minimum_tick = 100;
    constexpr std::size_t entry_bytes = 15, entries = 8;
    std::vector<std::byte> bytes;
    append_le(bytes, std::uint8_t{1});
    append_le(bytes, block_id);
    append_le(bytes, base.value);
    append_le(bytes, minimum_tick);
    append_le(bytes, std::uint8_t{0}); // no page protection
    bytes.resize(1 + entries * entry_bytes);
    return bytes;
}

/// Lines, the last one ended by a zero, which OVMF insists on.
std::vector<std::byte> boot_order_bytes(const FirmwareFacts& facts) {
    std::string text;
    const auto add = [&](std::string_view line) {
        if (!text.empty())
            text += '\n';
        text += line;
    };
    for (const std::string& path : facts.boot_order) {
        if (path.empty() || path.front() != '/' ||
            !std::ranges::all_of(path, [](char c) { return c > ' ' && c <= '~'; }))
            throw Error(cat("boot order: \"", printable(path), "\" is no device path"));
        add(path);
    }
    if (!facts.boot_others)
        add("HALT"); // SeaBIOS: what is not in the list is not tried
    if (text.empty())
        return {};
    const auto bytes = std::as_bytes(std::span(text.c_str(), text.size() + 1));
    return {bytes.begin(), bytes.end()};
}

void add_boot_items(FwCfgItems& items, const FirmwareFacts& facts) {
    items.add_number(fw_cfg::key_nographic,
                     static_cast<std::uint16_t>(facts.serial_console ? 1 : 0));
    items.add_number(fw_cfg::key_boot_menu, static_cast<std::uint16_t>(facts.boot_menu_ms ? 1 : 0));
    if (facts.boot_menu_ms)
        items.add_number_file("etc/boot-menu-wait", *facts.boot_menu_ms);
    items.add_number_file("etc/boot-fail-wait", facts.boot_fail_wait_ms.value_or(0xffffffff));
    if (auto order = boot_order_bytes(facts); !order.empty())
        items.add_file("bootorder", std::move(order));
}

/// One byte for each ACPI sleep state: bit 7 says that it works, the rest is its SLP_TYP as QEMU's
/// tables have it. OVMF looks whether S3 works.
std::vector<std::byte> system_states() {
    constexpr std::array<std::uint8_t, 6> states = {0x80, 0, 0, 1, 2, 0x80};
    const auto bytes = std::as_bytes(std::span(states));
    return {bytes.begin(), bytes.end()};
}

} // namespace

void add_firmware_items(FwCfgItems& items, const FirmwareFacts& facts) {
    items.add(fw_cfg::key_uuid, {facts.smbios.uuid.begin(), facts.smbios.uuid.end()});
    items.add_number(fw_cfg::key_ram_size, facts.memory_bytes);
    items.add_number(fw_cfg::key_cpus, static_cast<std::uint16_t>(facts.cpus));
    items.add_number(fw_cfg::key_max_cpus, static_cast<std::uint16_t>(facts.apic_id_limit));
    items.add_number(fw_cfg::key_irq0_override, std::uint32_t{facts.pit_on_pin_2 ? 1u : 0u});
    if (facts.hpet)
        items.add(fw_cfg::key_hpet, hpet_bytes(*facts.hpet));
    items.add_file("etc/e820", e820_bytes(facts.map));
    items.add_file("etc/system-states", system_states());
    if (facts.reserved_memory_end)
        items.add_number_file("etc/reserved-memory-end", facts.reserved_memory_end->value);
    if (facts.feature_control)
        items.add_number_file("etc/msr_feature_control", *facts.feature_control);
    add_boot_items(items, facts);

    SmbiosTables smbios = build_smbios(facts.smbios);
    items.add_file("etc/smbios/smbios-anchor", std::move(smbios.anchor));
    items.add_file("etc/smbios/smbios-tables", std::move(smbios.tables));
    for (const GeneratedFile& file : facts.acpi)
        items.add_generated_file(file.name, file.size_bytes, file.generate);
}

} // namespace coldstart
