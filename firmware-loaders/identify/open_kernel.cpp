#include "firmware-loaders/identify/open_kernel.h"

#include "firmware-loaders/bzimage/bzimage.h"
#include "firmware-loaders/decompress/decompress.h"
#include "firmware-loaders/elf/elf_image.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <string_view>

namespace coldstart {
namespace {

using namespace std::string_view_literals;

bool starts_with(ByteView head, std::size_t at, std::string_view magic) noexcept {
    const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
    return text.size() >= at && text.substr(at).starts_with(magic);
}

bool is_text(ByteView head) noexcept {
    return !head.empty() && std::all_of(head.begin(), head.end(), [](std::byte byte) {
        const auto c = std::to_integer<unsigned char>(byte);
        return c >= 0x20 || c == '\n' || c == '\r' || c == '\t';
    });
}

std::string remedy_for(KernelFormat format) {
    switch (format) {
    case KernelFormat::pe_coff:
        return "it is for UEFI firmware; give --kernel the bzImage it is made of";
    case KernelFormat::uimage:
        return "give --kernel what mkimage was given, or make a FIT bundle of it";
    case KernelFormat::cpio:
        return "give it to --initrd, and --kernel a bzImage or vmlinux";
    default:
        return "give --kernel a bzImage, an ELF vmlinux or PVH kernel, or a FIT bundle";
    }
}

OpenedKernel open_bundle(const ImageBytes& file, bool want_ramdisk) {
    const LoadedFit fit = parse_fit(file);
    const FitConfiguration& configuration = default_configuration(fit);
    OpenedKernel inner = open_kernel(fit_image_data(fit, configuration.kernel, "kernel"), false);
    if (want_ramdisk && !configuration.ramdisk.empty())
        inner.bundled_ramdisk = fit_image_data(fit, configuration.ramdisk, "ramdisk");
    inner.wrapping = cat("FIT configuration ", configuration.name, ", ", inner.wrapping);
    return inner;
}

} // namespace

KernelFormat detect_format(ByteView head) {
    if (is_elf(head))
        return KernelFormat::elf;
    // Before PE/COFF: a bzImage with an EFI stub is both.
    if (is_bzimage(head))
        return KernelFormat::bzimage;
    if (is_fit(head))
        return KernelFormat::fit;
    if (starts_with(head, 0x38, "ARM\x64"))
        return KernelFormat::arm64_image;
    if (starts_with(head, 0, "MZ"))
        return KernelFormat::pe_coff;
    if (starts_with(head, 0, "\x27\x05\x19\x56"))
        return KernelFormat::uimage;
    if (starts_with(head, 0, "070701") || starts_with(head, 0, "070702"))
        return KernelFormat::cpio;
    if (detect_compression(head) != Compression::none)
        return KernelFormat::compressed;
    return is_text(head) ? KernelFormat::text : KernelFormat::unknown;
}

std::string format_name(KernelFormat format) {
    switch (format) {
    case KernelFormat::bzimage:
        return "bzImage";
    case KernelFormat::elf:
        return "ELF";
    case KernelFormat::fit:
        return "FIT bundle";
    case KernelFormat::compressed:
        return "a compressed file";
    case KernelFormat::pe_coff:
        return "a PE/COFF program (a UEFI application?)";
    case KernelFormat::arm64_image:
        return "a kernel for ARM64";
    case KernelFormat::uimage:
        return "a legacy U-Boot image (uImage)";
    case KernelFormat::cpio:
        return "a cpio archive (an initrd?)";
    case KernelFormat::text:
        return "a text file";
    case KernelFormat::unknown:
        break;
    }
    return "nothing known here";
}

OpenedKernel open_kernel(const ImageBytes& file, bool want_ramdisk) {
    const auto head = file.head(format_head_bytes);
    const KernelFormat format = detect_format(head);
    switch (format) {
    case KernelFormat::bzimage:
    case KernelFormat::elf:
        return {file, format, std::nullopt, ""};
    case KernelFormat::fit:
        return open_bundle(file, want_ramdisk);
    case KernelFormat::compressed: {
        const Compression compression = detect_compression(head);
        const ImageBytes unpacked = unpack_file(file, compression);
        if (unpacked.size_bytes() == 0)
            throw Error(cat(file.name(), ": unpacks to nothing"), remedy_for(format));
        const KernelFormat inner = detect_format(unpacked.head(format_head_bytes));
        // One layer only: layers upon layers are how decompression bombs are built.
        if (inner != KernelFormat::bzimage && inner != KernelFormat::elf)
            throw Error(cat(file.name(), ": ", compression_name(compression),
                            " data, inside of which is ", format_name(inner)),
                        remedy_for(inner));
        return {unpacked, inner, std::nullopt, cat(compression_name(compression), " file, ")};
    }
    default:
        throw Error(cat(file.name(), ": is ", format_name(format), ", not a kernel"),
                    remedy_for(format));
    }
}

} // namespace coldstart
