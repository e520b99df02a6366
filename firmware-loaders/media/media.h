// What a file that is no kernel holds: an initrd, a disk or file system image, a firmware ROM.
// For `coldstart inspect` and for messages such as "this is a qcow2 image"; the machine itself
// never trusts what is recognised here.
//
// Follows: cpio newc (Linux Documentation/driver-api/early-userspace/buffer-format.rst), the UEFI
// specification 2.10 section 5 (GPT), ECMA-119 and El Torito 1.0, the UEFI PI specification 1.7
// volume 3 (firmware volumes), the PCI firmware specification 3.0 section 5 (option ROMs), and the
// superblocks of the file systems named in filesystems.cpp.
// Missing: what is inside a compressed file or a file system, extended (EBR) partitions, the
// backup GPT.
//
// Every offset and length of the file is checked against its size; a damaged file gives a note.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace coldstart {

enum class MediaKind {
    empty,
    initrd,           ///< a cpio archive, perhaps followed by a compressed one
    compressed,       ///< a compressed stream: likely an initrd
    filesystem,       ///< a file system that fills the whole image
    partitioned_disk, ///< MBR or GPT
    optical_disc,     ///< ISO 9660
    foreign_disk,     ///< qcow2, VMDK and such
    firmware,         ///< runs from the reset vector
    variable_store,   ///< UEFI variables without code
    option_rom,       ///< an expansion ROM of a PCI or ISA device
    unknown,
};

/// The name JSON uses: "initrd", "partitioned-disk".
const char* media_kind_name(MediaKind kind) noexcept;

struct FilesystemInfo {
    std::string type; ///< "ext4", "vfat", as mount(8) calls it; "swap"
    std::string label, uuid;
    std::uint64_t size_bytes = 0; ///< as the superblock says; 0: it doesn't
};

struct PartitionInfo {
    unsigned number = 0;
    std::string type; ///< "EFI system", "Linux", or the type's number
    std::string name; ///< GPT only
    bool active = false;
    std::uint64_t start_bytes = 0, size_bytes = 0;
    std::optional<FilesystemInfo> filesystem;
};

struct MediaInfo {
    MediaKind kind = MediaKind::unknown;
    std::uint64_t size_bytes = 0; ///< of the file
    std::string description;      ///< "ext4 file system"
    std::optional<FilesystemInfo> filesystem;
    std::vector<PartitionInfo> partitions;
    bool boot_code = false;         ///< an MBR, boot sector or El Torito entry a BIOS would run
    std::vector<std::string> notes; ///< further facts, and what is damaged
};

/// Throws Error when the file can't be opened or read; never because of what it holds.
MediaInfo identify_media(const std::string& path);

} // namespace coldstart
