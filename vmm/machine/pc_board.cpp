#include "vmm/machine/pc_board.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/machine/layout.h"

#include <utility>

namespace coldstart {
namespace {

constexpr std::uint8_t first_virtio_slot = 2;
constexpr std::uint8_t last_virtio_slot = 30; // 31 is the chipset's own

void add_legacy_devices(std::vector<BoardDevice>& board, const VmConfig& config) {
    if (config.serial.kind != SerialConfig::Kind::none)
        board.push_back(
            {.id = "com1", .type = "uart16550", .regions = {0x3f8}, .gsis = {4}, .stream = "com1"});
    board.push_back({.id = "i8042", .type = "i8042-reset", .regions = {0x60, 0x64}});
    board.push_back({.id = "cmos", .type = "cmos", .regions = {0x70}, .gsis = {8}});
    board.push_back({.id = "post", .type = "post-port", .regions = {0x80}});
    board.push_back({.id = "pvpanic", .type = "pvpanic", .regions = {0x505}});
    if (!config.debugcon_path.empty()) {
        // QEMU's port and Bochs's: what is written to either goes to the same file.
        board.push_back(
            {.id = "debugcon", .type = "debugcon", .regions = {0x402}, .stream = "debugcon"});
        board.push_back(
            {.id = "debugcon-e9", .type = "debugcon", .regions = {0xe9}, .stream = "debugcon"});
    }
}

void add_firmware(std::vector<BoardDevice>& board, const PcFacts& facts) {
    const std::uint64_t code = layout::hole_end.value - facts.firmware_bytes;
    board.push_back({.id = "rom", .type = "rom", .regions = {code}});
}

} // namespace

std::vector<BoardDevice> pc_board(const VmConfig& config, const PcFacts& facts) {
    std::vector<BoardDevice> board;
    add_firmware(board, facts);
    add_legacy_devices(board, config);
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
