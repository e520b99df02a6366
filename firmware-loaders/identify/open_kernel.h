// Tells a kernel file's format by its content and takes off what is around the kernel: a FIT
// bundle, or whole-file compression (vmlinux.gz).
//
// Missing: unified kernel images (a PE/COFF program with the kernel in a section) count as PE/COFF.
#pragma once

#include "firmware-loaders/fit/fit_bundle.h"
#include "firmware-loaders/source/image_bytes.h"
#include "vmm/base/bytes.h"

#include <optional>
#include <string>

namespace coldstart {

enum class KernelFormat {
    unknown,
    bzimage,
    elf,
    fit,
    compressed, ///< see detect_compression()
    pe_coff,    ///< a program for UEFI or Windows
    arm64_image,
    uimage, ///< U-Boot's old wrapper
    cpio,   ///< probably an initrd
    text,
};

KernelFormat detect_format(ByteView head);

/// "bzImage", "a text file", ...
std::string format_name(KernelFormat format);

/// How much of a file detect_format() wants to see.
inline constexpr std::uint64_t format_head_bytes = 0x210;

struct OpenedKernel {
    ImageBytes bytes;    ///< a bzImage or an ELF file
    KernelFormat format; ///< one of the two
    std::optional<ImageBytes> bundled_ramdisk;
    std::string wrapping; ///< "FIT configuration conf-1, ", "gzip file, " or nothing
};

/// Throws Error, saying what the file is and what to do, when there is no kernel for x86 in it.
/// `want_ramdisk`: whether a bundled RAM disk would be used, and has to be sound.
OpenedKernel open_kernel(const ImageBytes& file, bool want_ramdisk);

} // namespace coldstart
