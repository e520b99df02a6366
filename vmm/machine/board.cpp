#include "vmm/machine/board.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/machine/layout.h"

#include <array>
#include <set>
#include <utility>

namespace coldstart {

namespace {

/// Interrupts for virtio slots, in the order they are given away. A virtio-mmio line is an edge,
/// and an edge can't be shared, so this list is the number of slots. KVM's IOAPIC ends at 23.
/// Not here: 0 and 2 (the PIT, by ISA number and by pin), 1 (a PS/2 keyboard: kernels ask for it
/// by number), 3 (COM2) and 4 (COM1), 8 (CMOS clock), 9 (SCI), 13 (x87 errors).
/// Those from 16 on come first: nothing ever looks for a legacy device there.
constexpr std::array<std::uint32_t, 16> virtio_gsis = {16, 17, 18, 19, 20, 21, 22, 23,
                                                       5,  10, 11, 6,  7,  14, 15, 12};

std::vector<BoardDevice> fixed_devices(const VmConfig& config) {
    std::vector<BoardDevice> devices;
    const auto kind = config.serial.kind;
    const bool console_replaces_com1 = config.virtio_console && kind == SerialConfig::Kind::stdio;
    if (kind != SerialConfig::Kind::none && !console_replaces_com1)
        devices.push_back(
            {.id = "com1", .type = "uart16550", .regions = {0x3f8}, .gsis = {4}, .stream = "com1"});
    devices.push_back({.id = "i8042", .type = "i8042-reset", .regions = {0x60, 0x64}});
    devices.push_back({.id = "cmos", .type = "cmos", .regions = {0x70}, .gsis = {8}});
    devices.push_back(
        {.id = "pm", .type = "acpi-pm", .regions = {0x600, 0x604, 0x608, 0xcf9}, .gsis = {9}});
    devices.push_back({.id = "post", .type = "post-port", .regions = {0x80}});
    devices.push_back({.id = "pvpanic", .type = "pvpanic", .regions = {0x505}});
    if (!config.debugcon_path.empty()) {
        // QEMU's port and Bochs's: what is written to either goes to the same file.
        devices.push_back(
            {.id = "debugcon", .type = "debugcon", .regions = {0x402}, .stream = "debugcon"});
        devices.push_back(
            {.id = "debugcon-e9", .type = "debugcon", .regions = {0xe9}, .stream = "debugcon"});
    }
    return devices;
}

/// What stands in the virtio slots; placed by add_virtio().
std::vector<BoardDevice> virtio_devices(const VmConfig& config) {
    std::vector<BoardDevice> devices;
    for (std::size_t i = 0; i < config.disks.size(); ++i) {
        const std::string& id = config.disks[i].id;
        devices.push_back({.id = id.empty() ? cat("disk", i) : id,
                           .type = "virtio-mmio",
                           .function = "virtio-blk",
                           .unit = i});
    }
    for (std::size_t i = 0; i < config.nets.size(); ++i) {
        const std::string& id = config.nets[i].id;
        devices.push_back({.id = id.empty() ? cat("net", i) : id,
                           .type = "virtio-mmio",
                           .function = "virtio-net",
                           .unit = i});
    }
    if (config.virtio_console)
        devices.push_back({.id = "console",
                           .type = "virtio-mmio",
                           .function = "virtio-console",
                           .stream = "console"});
    if (config.rng)
        devices.push_back({.id = "rng", .type = "virtio-mmio", .function = "virtio-rng"});
    return devices;
}

void add_virtio(std::vector<BoardDevice>& board, std::vector<BoardDevice> virtio) {
    if (virtio.size() > virtio_gsis.size())
        throw UsageError(cat(virtio.size(), " virtio devices: board micro has ", virtio_gsis.size(),
                             " slots, one an interrupt"),
                         "give fewer disks or networks");
    for (std::size_t slot = 0; slot < virtio.size(); ++slot) {
        BoardDevice& device = virtio[slot];
        device.regions = {(layout::virtio_mmio + slot * layout::virtio_mmio_slot_bytes).value};
        device.gsis = {virtio_gsis[slot]};
        board.push_back(std::move(device));
    }
}

} // namespace

std::vector<BoardDevice> micro_board(const VmConfig& config) {
    std::vector<BoardDevice> board = fixed_devices(config);
    add_virtio(board, virtio_devices(config));
    check_board_ids(board);
    return board;
}

void check_board_ids(const std::vector<BoardDevice>& board) {
    std::set<std::string_view> ids;
    for (const BoardDevice& device : board) {
        if (!ids.insert(device.id).second)
            throw UsageError(cat("device id \"", printable(device.id), "\" is there twice"),
                             "choose another id=");
    }
}

std::size_t micro_virtio_slots() noexcept {
    return virtio_gsis.size();
}

} // namespace coldstart
