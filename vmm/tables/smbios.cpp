#include "vmm/tables/smbios.h"

#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/tables/sdt.h"
#include "vmm/tables/smbios_structure.h"

#include <algorithm>
#include <limits>

namespace coldstart {
namespace {

constexpr std::string_view manufacturer = "coldstart";
constexpr std::string_view product = "pc";

// Handles: any numbers that differ; the first of each type here, the others count up.
constexpr std::uint16_t handle_system = 0x0100;
constexpr std::uint16_t handle_chassis = 0x0300;
constexpr std::uint16_t handle_cpu = 0x0400;
constexpr std::uint16_t handle_memory_array = 0x1000;
constexpr std::uint16_t handle_memory_device = 0x1100;
constexpr std::uint16_t handle_memory_map = 0x1300;
constexpr std::uint16_t handle_boot = 0x2000;
constexpr std::uint16_t handle_end = 0x7f00;

constexpr std::uint16_t no_handle = 0xfffe; // "no error information"
constexpr std::uint16_t no_cache = 0xffff;
constexpr std::uint8_t state_safe = 3;
constexpr std::uint8_t other = 1;

constexpr std::uint64_t memory_device_bytes_max = 16 * GiB; // one DIMM of this machine

/// Collects structures and what the entry point says of them.
class Tables {
  public:
    void add(const SmbiosStructure& structure) {
        const auto bytes = structure.finish();
        bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
        largest_ = std::max(largest_, bytes.size());
        ++count_;
    }

    std::vector<std::byte> bytes_;
    std::size_t largest_ = 0;
    std::size_t count_ = 0;
};

std::uint16_t handle(std::uint16_t first, std::size_t index) {
    return static_cast<std::uint16_t>(first + index);
}

/// Section 7.2.1: the first three fields of a UUID are little-endian since 2.6.
Uuid wire_uuid(Uuid uuid) {
    std::ranges::reverse(uuid.begin(), uuid.begin() + 4);
    std::ranges::reverse(uuid.begin() + 4, uuid.begin() + 6);
    std::ranges::reverse(uuid.begin() + 6, uuid.begin() + 8);
    return uuid;
}

SmbiosStructure system_information(const SmbiosFacts& facts) {
    constexpr std::uint8_t wake_up_power_switch = 6;
    return SmbiosStructure(1, handle_system)
        .text(manufacturer)
        .text(product)
        .text("") // version
        .text(facts.serial)
        .bytes(wire_uuid(facts.uuid))
        .byte(wake_up_power_switch)
        .text("")  // SKU
        .text(""); // family
}

SmbiosStructure chassis(const SmbiosFacts& facts) {
    constexpr std::uint8_t security_unknown = 2;
    return SmbiosStructure(3, handle_chassis)
        .text(manufacturer)
        .byte(other)
        .text("") // version
        .text(facts.serial)
        .text("")         // asset tag
        .byte(state_safe) // at boot
        .byte(state_safe) // power supply
        .byte(state_safe) // thermal
        .byte(security_unknown)
        .dword(0)  // OEM
        .byte(0)   // height
        .byte(0)   // power cords
        .byte(0)   // contained elements
        .byte(0)   // bytes of each
        .text(""); // SKU
}

SmbiosStructure processor(const SmbiosFacts& facts, std::uint32_t socket) {
    constexpr std::uint8_t type_central = 3, enabled_and_populated = 0x41;
    constexpr std::uint16_t characteristics_unknown = 0x0002, family2_other = 1;
    const auto counted = [](std::uint32_t count) {
        return static_cast<std::uint8_t>(std::min<std::uint32_t>(count, 0xff));
    };
    const std::uint8_t cores = counted(facts.cores_per_socket);
    const std::uint8_t threads = counted(facts.cores_per_socket * facts.threads_per_core);
    return SmbiosStructure(4, handle(handle_cpu, socket))
        .text(cat("CPU ", socket))
        .byte(type_central)
        .byte(other) // family
        .text(manufacturer)
        .dword(facts.cpuid_1_eax)
        .dword(facts.cpuid_1_edx)
        .text("") // version
        .byte(0)  // voltage
        .word(0)  // external clock: unknown
        .word(facts.cpu_mhz)
        .word(facts.cpu_mhz)
        .byte(enabled_and_populated)
        .byte(other) // socket kind
        .word(no_cache)
        .word(no_cache)
        .word(no_cache)
        .text("") // serial
        .text("") // asset tag
        .text("") // part
        .byte(cores)
        .byte(cores)
        .byte(threads)
        .word(characteristics_unknown)
        .word(family2_other);
}

SmbiosStructure memory_array(std::uint64_t memory_bytes, std::size_t devices) {
    constexpr std::uint8_t use_system_memory = 3, correction_multi_bit = 6;
    constexpr std::uint32_t see_extended = 0x80000000; // from 2 TiB on
    const std::uint64_t kib = (memory_bytes + KiB - 1) / KiB;
    const bool extended = kib >= see_extended;
    return SmbiosStructure(16, handle_memory_array)
        .byte(other) // location
        .byte(use_system_memory)
        .byte(correction_multi_bit)
        .dword(extended ? see_extended : static_cast<std::uint32_t>(kib))
        .word(no_handle)
        .word(static_cast<std::uint16_t>(devices))
        .qword(extended ? memory_bytes : 0);
}

SmbiosStructure memory_device(std::size_t index, std::uint64_t size_bytes) {
    constexpr std::uint8_t form_dimm = 9, type_ram = 7;
    constexpr std::uint16_t width_unknown = 0xffff, detail_other = 2;
    const auto mib = static_cast<std::uint16_t>((size_bytes + MiB - 1) / MiB); // 16 GiB at most
    return SmbiosStructure(17, handle(handle_memory_device, index))
        .word(handle_memory_array)
        .word(no_handle)
        .word(width_unknown)
        .word(width_unknown)
        .word(mib)
        .byte(form_dimm)
        .byte(0) // in no set
        .text(cat("DIMM ", index))
        .text("") // bank
        .byte(type_ram)
        .word(detail_other)
        .word(0) // speed: unknown
        .text(manufacturer)
        .text("") // serial
        .text("") // asset tag
        .text("") // part
        .byte(0)  // rank: unknown
        .dword(0) // extended size: not needed
        .word(0)  // configured speed
        .word(0)  // voltages: lowest, highest, configured
        .word(0)
        .word(0);
}

SmbiosStructure mapped_memory(std::size_t index, const MemoryMapEntry& range) {
    constexpr std::uint32_t see_extended = 0xffffffff; // from 4 TiB on
    const std::uint64_t last = range.end().value - 1;
    const bool extended = last / KiB >= see_extended;
    return SmbiosStructure(19, handle(handle_memory_map, index))
        .dword(extended ? see_extended : static_cast<std::uint32_t>(range.base.value / KiB))
        .dword(extended ? see_extended : static_cast<std::uint32_t>(last / KiB))
        .word(handle_memory_array)
        .byte(1) // devices a row
        .qword(extended ? range.base.value : 0)
        .qword(extended ? last : 0);
}

SmbiosStructure boot_information() {
    constexpr std::array<std::byte, 6> reserved{};
    return SmbiosStructure(32, handle_boot).bytes(reserved).byte(0); // no errors
}

void add_memory(Tables& tables, const SmbiosFacts& facts) {
    const std::uint64_t devices = std::max<std::uint64_t>(
        1, (facts.memory_bytes + memory_device_bytes_max - 1) / memory_device_bytes_max);
    tables.add(memory_array(facts.memory_bytes, devices));
    std::uint64_t left = facts.memory_bytes;
    for (std::size_t i = 0; i < devices; ++i) {
        const std::uint64_t size = std::min(left, memory_device_bytes_max);
        tables.add(memory_device(i, size));
        left -= size;
    }
    std::size_t index = 0;
    for (const MemoryMapEntry& entry : facts.map) {
        if (entry.kind == MemoryKind::ram && entry.size_bytes != 0)
            tables.add(mapped_memory(index++, entry));
    }
}

std::vector<std::byte> entry_point(const Tables& tables) {
    constexpr std::uint8_t length = 0x1f, major = 2, minor = 8, bcd = 0x28;
    std::vector<std::byte> out;
    const auto text = [&](std::string_view chars) {
        const auto bytes = std::as_bytes(std::span(chars));
        out.insert(out.end(), bytes.begin(), bytes.end());
    };
    text("_SM_");
    append_le(out, std::uint8_t{0}); // checksum
    append_le(out, length);
    append_le(out, major);
    append_le(out, minor);
    append_le(out, static_cast<std::uint16_t>(tables.largest_));
    out.resize(out.size() + 6); // revision 0, formatted area
    text("_DMI_");
    append_le(out, std::uint8_t{0}); // checksum of the rest
    append_le(out, static_cast<std::uint16_t>(tables.bytes_.size()));
    append_le(out, std::uint32_t{0}); // where firmware puts the tables
    append_le(out, static_cast<std::uint16_t>(tables.count_));
    append_le(out, bcd);
    constexpr std::size_t intermediate = 0x10;
    out[intermediate + 5] =
        static_cast<std::byte>(checksum_of(ByteView(out).subspan(intermediate)));
    out[4] = static_cast<std::byte>(checksum_of(out));
    return out;
}

std::uint64_t fnv1a(std::string_view text, std::uint64_t hash) noexcept {
    for (const char c : text)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return hash;
}

} // namespace

Uuid uuid_of_machine(std::string_view id) noexcept {
    // Two runs of FNV-1a from different starts; no secret depends on it.
    const std::uint64_t halves[2] = {
        fnv1a(id, fnv1a("coldstart machine, high", 0xcbf29ce484222325)),
        fnv1a(id, fnv1a("coldstart machine, low", 0xcbf29ce484222325))};
    Uuid uuid;
    std::ranges::copy(std::as_bytes(std::span(halves)), uuid.begin());
    uuid[6] = (uuid[6] & std::byte{0x0f}) | std::byte{0x80}; // version 8: made in an own way
    uuid[8] = (uuid[8] & std::byte{0x3f}) | std::byte{0x80}; // variant of RFC 9562
    return uuid;
}

SmbiosTables build_smbios(const SmbiosFacts& facts) {
    Tables tables;
    tables.add(system_information(facts));
    tables.add(chassis(facts));
    for (std::uint32_t socket = 0; socket < facts.sockets; ++socket)
        tables.add(processor(facts, socket));
    add_memory(tables, facts);
    tables.add(boot_information());
    tables.add(SmbiosStructure(127, handle_end));
    // Firmware puts its type 0 in front; leave it some room.
    constexpr std::size_t room = std::numeric_limits<std::uint16_t>::max() - 1024;
    if (tables.bytes_.size() > room)
        throw Error(cat("SMBIOS tables of ", tables.bytes_.size(), " bytes: more than fit"),
                    "use fewer CPU sockets");
    return {.anchor = entry_point(tables), .tables = std::move(tables.bytes_)};
}

} // namespace coldstart
