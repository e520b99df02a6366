// Firmware images and expansion ROMs.
#include "firmware-loaders/media/recognisers.h"
#include "firmware-loaders/uefi/uefi_smm.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/text.h"

#include <algorithm>

namespace coldstart {
namespace {

constexpr std::uint64_t max_firmware_bytes = 64 * MiB;
constexpr std::uint64_t reset_vector_from_end = 16;

/// After reset a CPU runs what stands 16 bytes below 4 GiB: there a real firmware jumps, at most
/// after a few harmless instructions (NOP, CLI, CLD, WBINVD).
bool jumps_at_reset(const MediaFile& file) {
    const auto code = file.block<reset_vector_from_end>(file.size_bytes() - reset_vector_from_end);
    if (!code)
        return false;
    // OVMF first looks whether protected mode is on already: MOV EAX,CR0; TEST AL,1; JZ.
    constexpr std::uint8_t ovmf[] = {0x0f, 0x20, 0xc0, 0xa8, 0x01, 0x74};
    if (std::memcmp(code->data(), ovmf, sizeof ovmf) == 0)
        return true;
    std::size_t at = 0;
    while (at + 3 < code->size()) {
        const auto opcode = std::to_integer<unsigned>((*code)[at]);
        const auto next = std::to_integer<unsigned>((*code)[at + 1]);
        if (opcode == 0xe9 || opcode == 0xea || opcode == 0xeb) // JMP near, far, short
            return true;
        if (opcode == 0x0f && next == 0x09)
            at += 2;
        else if (opcode == 0x90 || opcode == 0xfa || opcode == 0xfc)
            ++at;
        else
            return false;
    }
    return false;
}

struct Volumes {
    unsigned count = 0;
    bool variables = false;
};

/// UEFI PI 1.7 volume 3 section 3.2.1: EFI_FIRMWARE_VOLUME_HEADER, "_FVH" at +40, length at +32.
Volumes count_firmware_volumes(ByteView image) {
    constexpr std::uint8_t variable_store_guid[16] = {0x8d, 0x2b, 0xf1, 0xff, 0x96, 0x76,
                                                      0x8b, 0x4c, 0xa9, 0x85, 0x27, 0x47,
                                                      0x07, 0x5b, 0x4f, 0x50};
    Volumes volumes;
    std::size_t at = 0;
    while (range_inside(at, 56, image.size())) {
        const auto length = load_le<std::uint64_t>(image, at + 32);
        const bool here = std::memcmp(image.data() + at + 40, "_FVH", 4) == 0 && length >= 56 &&
                          range_inside(at, length, image.size());
        if (!here) {
            at += page_size_bytes;
            continue;
        }
        ++volumes.count;
        volumes.variables =
            volumes.variables || std::memcmp(image.data() + at + 16, variable_store_guid, 16) == 0;
        at += static_cast<std::size_t>(align_up(length, page_size_bytes));
    }
    return volumes;
}

bool is_seabios(ByteView image) noexcept {
    const std::string_view text(reinterpret_cast<const char*>(image.data()), image.size());
    return text.find("SeaBIOS (version ") != std::string_view::npos;
}

} // namespace

bool recognise_option_rom(const MediaFile& file, MediaInfo& info) {
    const auto blocks = file.load<std::uint8_t>(2);
    if (!file.has(0, "\x55\xaa") || !blocks || *blocks == 0)
        return false;
    const std::uint64_t rom_bytes = *blocks * std::uint64_t{512};
    info.kind = MediaKind::option_rom;
    info.description = cat("option ROM of ", format_byte_size(rom_bytes));
    if (rom_bytes > file.size_bytes()) {
        info.notes.push_back("cut short: its header claims more than the file holds");
        return true;
    }
    unsigned sum = 0;
    for (const std::byte byte : file.read_some(0, static_cast<std::size_t>(rom_bytes)))
        sum += std::to_integer<unsigned>(byte);
    if ((sum & 0xff) != 0)
        info.notes.push_back("checksum is not zero: a BIOS would skip it");
    const std::uint64_t pcir = file.load<std::uint16_t>(0x18).value_or(0);
    if (file.has(pcir, "PCIR"))
        info.notes.push_back(
            cat("for PCI device ", hex(file.load<std::uint16_t>(pcir + 4).value_or(0), 4).substr(2),
                ':', hex(file.load<std::uint16_t>(pcir + 6).value_or(0), 4).substr(2)));
    return true;
}

bool recognise_firmware(const MediaFile& file, MediaInfo& info) {
    if (file.size_bytes() % page_size_bytes != 0 || file.size_bytes() > max_firmware_bytes)
        return false;
    const bool bootable = jumps_at_reset(file);
    const auto image = file.read_some(0, static_cast<std::size_t>(file.size_bytes()));
    const Volumes volumes = count_firmware_volumes(image);
    if (!bootable && !volumes.variables)
        return false;
    if (volumes.count != 0)
        info.notes.push_back(cat("UEFI firmware volumes: ", volumes.count));
    if (!bootable) {
        info.kind = MediaKind::variable_store;
        info.description = "UEFI variable store";
        return true;
    }
    info.kind = MediaKind::firmware;
    if (volumes.count != 0 && is_uefi_with_smm(image))
        info.notes.push_back("built to run in system management mode (SMM), which the host's KVM "
                             "has to have");
    if (is_seabios(image))
        info.description = "SeaBIOS firmware";
    else if (volumes.count != 0)
        info.description =
            volumes.variables ? "UEFI firmware with its variable store" : "UEFI firmware";
    else
        info.description = "firmware image";
    return true;
}

} // namespace coldstart
