#include "vmm/tables/sdt.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <tuple>
#include <utility>

namespace coldstart {

namespace {

constexpr std::size_t length_offset = 4;
constexpr std::string_view oem_table_id = "COLDSTRT";
constexpr std::string_view creator_id = "CLDS";

void append_text(std::vector<std::byte>& bytes, std::string_view text) {
    const auto view = std::as_bytes(std::span(text));
    bytes.insert(bytes.end(), view.begin(), view.end());
}

// Where ICH9's fixed hardware stands from PMBASE on (datasheet section 13.8.3).
constexpr unsigned pm_base_event = 0;
constexpr unsigned pm_base_control = 4;
constexpr unsigned pm_base_timer = 8;

/// Finds the ports of the one device with power management.
class FixedPorts {
  public:
    FixedPorts(const PlacedDevice& placed, std::optional<std::uint16_t> pm_base)
        : placed_(placed), pm_base_(pm_base) {}

    /// The port of region `index`, which the FADT says is `size_bytes` long.
    std::uint16_t at(unsigned index, std::uint64_t size_bytes) const {
        const auto shapes = placed_.device->regions();
        if (index >= shapes.size() || index >= placed_.bases.size() ||
            shapes[index].bus != BusKind::pio || shapes[index].size_bytes != size_bytes)
            throw Error(cat(placed_.id, ": ACPI power management: region ", index, " is not ",
                            size_bytes, " I/O ports"));
        if (placed_.bases[index] > 0xffff)
            throw Error(cat(placed_.id, ": ACPI power management: region ", index, " is nowhere"),
                        "place it, or give the tables the chipset's PMBASE");
        return static_cast<std::uint16_t>(placed_.bases[index]);
    }

    /// The same of a region that follows PMBASE where the board has not placed it.
    std::uint16_t at(unsigned index, std::uint64_t size_bytes, unsigned pm_base_offset) const {
        const bool moves = index < placed_.bases.size() && placed_.bases[index] == acpi_unplaced;
        if (moves && pm_base_)
            return static_cast<std::uint16_t>(*pm_base_ + pm_base_offset);
        return at(index, size_bytes);
    }

  private:
    const PlacedDevice& placed_;
    std::optional<std::uint16_t> pm_base_;
};

/// The GSI of line `index`, and whether it is an edge.
std::pair<std::uint32_t, bool> interrupt_of(const PlacedDevice& placed, unsigned index) {
    const auto lines = placed.device->lines();
    if (index >= lines.size() || index >= placed.gsis.size())
        throw Error(cat(placed.id, ": ACPI power management: no line ", index));
    return {placed.gsis[index], lines[index].edge_triggered};
}

FixedHardware resolve(const PlacedDevice& placed, const AcpiFixedHardware& described,
                      std::optional<std::uint16_t> pm_base) {
    const FixedPorts ports(placed, pm_base);
    FixedHardware found;
    found.pm1_event = ports.at(described.pm1_event_region, 4, pm_base_event);
    found.pm1_control = ports.at(described.pm1_control_region, 2, pm_base_control);
    if (described.pm_timer_region)
        found.pm_timer = ports.at(*described.pm_timer_region, 4, pm_base_timer);
    found.pm_timer_32_bits = described.pm_timer_32_bits;
    if (described.reset_region)
        found.reset = ports.at(*described.reset_region, 1);
    found.reset_value = described.reset_value;
    std::tie(found.sci_gsi, found.sci_edge) = interrupt_of(placed, described.sci_line);
    found.s5_sleep_type = described.s5_sleep_type;
    return found;
}

ReducedHardware resolve(const PlacedDevice& placed, const AcpiReducedHardware& described) {
    const FixedPorts ports(placed, std::nullopt);
    ReducedHardware found;
    found.sleep_control = ports.at(described.sleep_control_region, 1);
    found.sleep_status = ports.at(described.sleep_status_region, 1);
    found.reset = ports.at(described.reset_region, 1);
    found.reset_value = described.reset_value;
    std::tie(found.power_button_gsi, found.power_button_edge) =
        interrupt_of(placed, described.power_button_line);
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
    table[sdt_checksum] = std::byte{0};
    table[sdt_checksum] = std::byte{checksum_of(table)};
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

PowerManagement find_power_management(const AcpiInputs& inputs) {
    const auto pm_base = inputs.pci ? inputs.pci->pm_base : std::nullopt;
    PowerManagement found;
    for (const PlacedDevice& placed : inputs.devices) {
        const AcpiDescription described = placed.device->acpi();
        if (!described.fixed_hardware && !described.reduced_hardware)
            continue;
        if (found.fixed || found.reduced)
            throw Error(cat(placed.id, ": a second device with ACPI power management"),
                        "a board has one power management device");
        if (described.fixed_hardware)
            found.fixed = resolve(placed, *described.fixed_hardware, pm_base);
        else
            found.reduced = resolve(placed, *described.reduced_hardware);
    }
    if (found.fixed && inputs.pci && inputs.pci->reset) {
        found.fixed->reset = inputs.pci->reset->port;
        found.fixed->reset_value = inputs.pci->reset->value;
    }
    return found;
}

} // namespace coldstart
