#include "vmm/tables/sdt.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace coldstart {

namespace {

constexpr std::size_t length_offset = 4;
constexpr std::size_t checksum_offset = 9;
constexpr std::string_view oem_table_id = "COLDSTRT";
constexpr std::string_view creator_id = "CLDS";

void append_text(std::vector<std::byte>& bytes, std::string_view text) {
    const auto view = std::as_bytes(std::span(text));
    bytes.insert(bytes.end(), view.begin(), view.end());
}

/// The port of region `index`, which the FADT says is `size_bytes` long.
std::uint16_t fixed_port(const PlacedDevice& placed, unsigned index, std::uint64_t size_bytes) {
    const auto shapes = placed.device->regions();
    if (index >= shapes.size() || index >= placed.bases.size() ||
        shapes[index].bus != BusKind::pio || shapes[index].size_bytes != size_bytes)
        throw Error(cat(placed.id, ": ACPI fixed hardware: region ", index, " is not ", size_bytes,
                        " I/O ports"));
    return static_cast<std::uint16_t>(placed.bases[index]);
}

FixedHardware resolve(const PlacedDevice& placed, const AcpiFixedHardware& described) {
    FixedHardware found;
    found.pm1_event = fixed_port(placed, described.pm1_event_region, 4);
    found.pm1_control = fixed_port(placed, described.pm1_control_region, 2);
    if (described.pm_timer_region)
        found.pm_timer = fixed_port(placed, *described.pm_timer_region, 4);
    found.pm_timer_32_bits = described.pm_timer_32_bits;
    if (described.reset_region)
        found.reset = fixed_port(placed, *described.reset_region, 1);
    found.reset_value = described.reset_value;
    const auto lines = placed.device->lines();
    if (described.sci_line >= lines.size() || described.sci_line >= placed.gsis.size())
        throw Error(
            cat(placed.id, ": ACPI fixed hardware: no line ", described.sci_line, " for the SCI"));
    found.sci_gsi = placed.gsis[described.sci_line];
    found.sci_edge = lines[described.sci_line].edge_triggered;
    found.s5_sleep_type = described.s5_sleep_type;
    return found;
}

} // namespace

std::uint8_t checksum_of(ByteView bytes) noexcept {
    const unsigned sum =
        std::accumulate(bytes.begin(), bytes.end(), 0u, [](unsigned total, std::byte byte) {
            return total + std::to_integer<unsigned>(byte);
        });
    return static_cast<std::uint8_t>(0u - sum);
}

std::vector<std::byte> sdt_begin(std::string_view signature, std::uint8_t revision) {
    std::vector<std::byte> table;
    append_text(table, signature);
    append_le<std::uint32_t>(table, 0); // length
    append_le(table, revision);
    append_le<std::uint8_t>(table, 0); // checksum
    append_text(table, acpi_oem_id);
    append_text(table, oem_table_id);
    append_le<std::uint32_t>(table, 1); // OEM revision
    append_text(table, creator_id);
    append_le<std::uint32_t>(table, 1); // creator revision
    return table;
}

void sdt_finish(std::vector<std::byte>& table) {
    store_le(table, length_offset, static_cast<std::uint32_t>(table.size()));
    table[checksum_offset] = std::byte{0};
    table[checksum_offset] = std::byte{checksum_of(table)};
}

std::array<std::byte, 12> io_address(std::uint16_t address, unsigned width_bytes,
                                     unsigned access_bytes) {
    constexpr std::uint8_t system_io = 1;
    std::array<std::byte, 12> gas{};
    store_le(gas, 0, system_io);
    store_le(gas, 1, static_cast<std::uint8_t>(width_bytes * 8));
    store_le(gas, 2, std::uint8_t{0}); // bit offset
    // Access size: 1 byte, 2 word, 3 doubleword.
    store_le(gas, 3, static_cast<std::uint8_t>(std::bit_width(access_bytes)));
    store_le(gas, 4, std::uint64_t{address});
    return gas;
}

std::optional<FixedHardware> find_fixed_hardware(std::span<const PlacedDevice> devices) {
    std::optional<FixedHardware> found;
    for (const PlacedDevice& placed : devices) {
        const auto described = placed.device->acpi().fixed_hardware;
        if (!described)
            continue;
        if (found)
            throw Error(cat(placed.id, ": a second device with ACPI fixed hardware"),
                        "a board has one power management device");
        found = resolve(placed, *described);
    }
    return found;
}

} // namespace coldstart
