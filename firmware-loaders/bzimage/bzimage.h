// bzImage, the kernel file of Linux on x86: real-mode setup with the header of the boot protocol
// (Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header"), then the protected-mode part,
// which is a decompressor around the packed vmlinux.
//
// Protocol 2.06 (Linux 2.6.22) and later. Nothing here enters the real-mode or 32-bit code.
// Missing: zImage, the kernel_info block (only its offset is reported).
#pragma once

#include "firmware-loaders/decompress/decompress.h"
#include "firmware-loaders/source/image_bytes.h"
#include "vmm/base/bytes.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace coldstart {

/// The header's facts, checked against the file's size. Addresses are guest-physical.
struct BzImage {
    std::uint16_t protocol = 0; ///< 0x020f for 2.15
    std::string version;        ///< "6.1.0-13-cloud-amd64 (...) #1 SMP ..."; may be empty
    std::uint8_t load_flags = 0;
    std::uint16_t xload_flags = 0;        ///< 2.12
    std::uint32_t command_line_bytes = 0; ///< longest command line, without its zero
    std::uint32_t initrd_address_max = 0; ///< last byte an initrd may occupy
    std::uint32_t alignment = 0;          ///< kernel_alignment
    bool relocatable = false;
    std::uint64_t preferred_address = 0;  ///< 2.10; 1 MiB before
    std::uint32_t init_bytes = 0;         ///< 2.10: linear memory needed from the load address on
    std::uint32_t handover_offset = 0;    ///< 2.11: EFI handover entry; 0: none
    std::uint32_t kernel_info_offset = 0; ///< 2.15
    std::uint64_t setup_bytes = 0;        ///< real-mode part; the protected-mode part follows
    std::uint64_t protected_bytes = 0;    ///< up to the end of the file's kernel proper
    std::uint64_t payload_offset = 0;     ///< 2.08: from the start of the file; 0: none
    std::uint64_t payload_bytes = 0;
    Compression payload_compression = Compression::none;
    std::vector<std::byte> setup_header; ///< bytes 0x1f1.. of the file, for boot_params

    bool has_64_bit_entry() const noexcept; ///< XLF_KERNEL_64
};

bool is_bzimage(ByteView head) noexcept;

/// How much of a file is_bzimage() wants to see.
inline constexpr std::uint64_t bzimage_head_bytes = 0x206;

/// Throws Error for what is damaged, truncated, a zImage or older than 2.06.
BzImage parse_bzimage(const ImageBytes& image);

/// The packed vmlinux inside; throws Error when there is none, or none that can be unpacked here.
ImageBytes bzimage_payload(const ImageBytes& image, const BzImage& header);

/// The vmlinux inside, unpacked; throws Error when bzimage_payload() does and when it is damaged.
ImageBytes extract_vmlinux(const ImageBytes& image, const BzImage& header);

/// "2.15"
std::string protocol_text(std::uint16_t protocol);

} // namespace coldstart
