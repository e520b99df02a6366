#include "vmm/machine/pc_board.h"

#include "devices/cmos/pc_contents.h"
#include "devices/vga/vga_legacy.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/machine/common_devices.h"
#include "vmm/machine/layout.h"

#include <algorithm>
#include <utility>

namespace coldstart {
namespace {

constexpr std::uint8_t first_virtio_slot = 2;
constexpr std::uint8_t last_virtio_slot = 30; // 31 is the chipset's own

void add_legacy_devices(std::vector<BoardDevice>& board, const VmConfig& config,
                        const PcFacts& facts) {
    append(board, com1_devices(config));
    board.push_back({.id = "i8042", .type = "i8042", .regions = {0x60, 0x64}, .gsis = {1, 12}});
    board.push_back(
        {.id = "cmos",
         .type = "cmos",
         .regions = {0x70, 0x72},
         .gsis = {8},
         .function = "extended",
         .nvram = cmos::pc_contents({.memory_below_4g_bytes = facts.memory_below_4g_bytes,
                                     .memory_above_4g_bytes = facts.memory_above_4g_bytes,
                                     .cpus = config.cpus})});
    board.push_back({.id = "hpet",
                     .type = "hpet",
                     .regions = {layout::hpet.value},
                     .gsis = {16, 17, 18, 19, 20, 21, 22, 23}});
    board.push_back({.id = "post", .type = "post-port", .regions = {0x80}});
    board.push_back({.id = "ready", .type = "readiness-port", .regions = {layout::readiness_port}});
    // A port to plug into, although nothing is plugged in: kernels name ports by their places.
    board.push_back(
        {.id = "com2", .type = "uart16550", .regions = {0x2f8}, .gsis = {3}, .stream = "com2"});
    if (config.debug_exit)
        board.push_back({.id = "debug-exit", .type = "isa-debug-exit", .regions = {0xf4}});
    board.push_back({.id = "pvpanic", .type = "pvpanic", .regions = {0x505}});
    append(board, debugcon_devices(config));
}

void add_firmware(std::vector<BoardDevice>& board, const PcFacts& facts) {
    const std::uint64_t code = layout::hole_end.value - facts.firmware_bytes;
    board.push_back({.id = "rom", .type = "rom", .regions = {code}});
    if (facts.nvram_bytes != 0)
        board.push_back({.id = "nvram",
                         .type = "cfi-flash",
                         .regions = {code - facts.nvram_bytes},
                         .function = "vars"});
    board.push_back({.id = "fw-cfg", .type = "fw-cfg", .regions = {0x510, 0x514}});
}

void add_chipset(std::vector<BoardDevice>& board) {
    board.push_back(
        {.id = "mch", .type = "q35-mch", .regions = {0xcf8, unplaced, layout::option_roms.value}});
    board.push_back({.id = "pm",
                     .type = "ich9-lpc",
                     .regions = {unplaced, unplaced, 0xb2, 0x92},
                     .gsis = {16, 17, 18, 19, 20, 21, 22, 23, 5, 9, 10, 11}});
    board.push_back({.id = "smbus", .type = "ich9-smbus", .pci = PciAddress{31, 3}});
}

void add_chosen_functions(std::vector<BoardDevice>& board, const VmConfig& config) {
    if (config.vga == VgaKind::std_vga) {
        board.push_back({.id = "vga", .type = "std-vga", .pci = PciAddress{1, 0}});
        board.push_back({.id = "vga-legacy",
                         .type = "vga-legacy",
                         .regions = {VgaLegacy::bases.begin(), VgaLegacy::bases.end()}});
    }
    const bool has_sata_disk =
        std::any_of(config.disks.begin(), config.disks.end(),
                    [](const DiskConfig& disk) { return disk.bus == DiskBus::sata; });
    if (has_sata_disk || !config.cdrom_path.empty())
        board.push_back({.id = "ahci", .type = "ahci", .pci = ahci_address});
}

void add_virtio(std::vector<BoardDevice>& board, std::vector<BoardDevice> virtio) {
    constexpr std::size_t slots = last_virtio_slot - first_virtio_slot + 1;
    if (virtio.size() > slots)
        throw UsageError(cat(virtio.size(), " virtio devices: board pc has ", slots, " slots"),
                         "give fewer disks or networks");
    std::uint8_t slot = first_virtio_slot;
    for (BoardDevice& device : virtio) {
        device.pci = PciAddress{slot++, 0};
        board.push_back(std::move(device));
    }
}

} // namespace

std::vector<BoardDevice> pc_board(const VmConfig& config, const PcFacts& facts) {
    std::vector<BoardDevice> board;
    add_firmware(board, facts);
    add_chipset(board);
    add_legacy_devices(board, config, facts);
    add_chosen_functions(board, config);
    add_virtio(board, virtio_devices(config, "virtio-pci"));
    check_board_ids(board);
    return board;
}

std::optional<PciAddress> pci_address_of(const std::vector<BoardDevice>& board,
                                         std::string_view id) {
    for (const BoardDevice& device : board) {
        if (device.id == id)
            return device.pci;
    }
    return std::nullopt;
}

} // namespace coldstart
