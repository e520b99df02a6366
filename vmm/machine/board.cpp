#include "vmm/machine/board.h"

#include "api/command/guest_command_line.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/machine/common_devices.h"
#include "vmm/machine/layout.h"

#include <array>
#include <utility>

namespace coldstart {

namespace {

/// Interrupts for virtio slots, in the order they are given away. A virtio-mmio line is an edge,
/// and an edge can't be shared, so this list is the number of slots. KVM's IOAPIC ends at 23.
/// Not here: 0 and 2 (the PIT, by ISA number and by pin), 1 (a PS/2 keyboard: kernels ask for it
/// by number), 3 (COM2) and 4 (COM1), 8 (CMOS clock), 9 (power management), 13 (x87 errors).
/// Those from 16 on come first: nothing ever looks for a legacy device there. A guest without an
/// IOAPIC has the second half alone, and gets it first.
constexpr std::array<std::uint32_t, 16> virtio_gsis = {16, 17, 18, 19, 20, 21, 22, 23,
                                                       5,  10, 11, 6,  7,  14, 15, 12};
constexpr std::size_t first_isa_gsi = 8; ///< index into virtio_gsis

/// First, so that they outlive every line that leads to them.
std::vector<BoardDevice> interrupt_controllers() {
    return {{.id = "ioapic", .type = "ioapic", .regions = {layout::io_apic.value}},
            {.id = "pic", .type = "pic8259", .regions = {0x20, 0xa0, 0x4d0}},
            {.id = "pit", .type = "pit8254", .regions = {0x40, 0x61}, .gsis = {0}}};
}

std::vector<BoardDevice> fixed_devices(const VmConfig& config) {
    std::vector<BoardDevice> devices;
    if (config.irqchip == IrqchipKind::split)
        append(devices, interrupt_controllers());
    append(devices, com1_devices(config));
    if (config.keyboard)
        devices.push_back({.id = "i8042", .type = "i8042", .regions = {0x60, 0x64}, .gsis = {1}});
    else
        devices.push_back({.id = "i8042", .type = "i8042-reset", .regions = {0x60, 0x64}});
    devices.push_back({.id = "cmos", .type = "cmos", .regions = {0x70}, .gsis = {8}});
    if (has_fixed_acpi(config))
        devices.push_back(
            {.id = "pm", .type = "acpi-pm", .regions = {0x600, 0x604, 0x608, 0xcf9}, .gsis = {9}});
    else
        devices.push_back(
            {.id = "pm", .type = "acpi-ged", .regions = {0x600, 0x601, 0xcf9, 0x604}, .gsis = {9}});
    devices.push_back({.id = "post", .type = "post-port", .regions = {0x80}});
    devices.push_back(
        {.id = "ready", .type = "readiness-port", .regions = {layout::readiness_port}});
    devices.push_back({.id = "pvpanic", .type = "pvpanic", .regions = {0x505}});
    append(devices, debugcon_devices(config));
    return devices;
}

void add_virtio(std::vector<BoardDevice>& board, std::vector<BoardDevice> virtio,
                std::size_t first_gsi) {
    if (virtio.size() > virtio_gsis.size())
        throw UsageError(cat(virtio.size(), " virtio devices: board micro has ", virtio_gsis.size(),
                             " slots, one an interrupt"),
                         "give fewer disks or networks");
    for (std::size_t slot = 0; slot < virtio.size(); ++slot) {
        BoardDevice& device = virtio[slot];
        device.regions = {(layout::virtio_mmio + slot * layout::virtio_mmio_slot_bytes).value};
        device.gsis = {virtio_gsis[(first_gsi + slot) % virtio_gsis.size()]};
        board.push_back(std::move(device));
    }
}

} // namespace

bool has_fixed_acpi(const VmConfig& config) {
    return config.acpi == AcpiHardware::fixed ||
           (config.acpi == AcpiHardware::automatic && does_without_ioapic(config));
}

std::vector<BoardDevice> micro_board(const VmConfig& config) {
    std::vector<BoardDevice> board = fixed_devices(config);
    add_virtio(board, virtio_devices(config, "virtio-mmio"),
               does_without_ioapic(config) ? first_isa_gsi : 0);
    check_board_ids(board);
    return board;
}

std::size_t micro_virtio_slots() noexcept {
    return virtio_gsis.size();
}

} // namespace coldstart
