#include "firmware-loaders/identify/kernel_info.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <string_view>

namespace coldstart {
namespace {

/// Linux's banner: init/version.c, "Linux version 6.1.0 (...) ...".
std::string find_banner(const ImageBytes& vmlinux) {
    const ImageBytes bytes = vmlinux.in_host_memory();
    const std::string_view text(reinterpret_cast<const char*>(bytes.view().data()),
                                bytes.view().size());
    constexpr std::string_view start = "Linux version ";
    for (std::size_t at = text.find(start); at != std::string_view::npos;
         at = text.find(start, at + 1)) {
        const std::string_view rest = text.substr(at + start.size(), 256);
        // Format strings ("Linux version %s") and messages contain the words, too.
        if (!rest.empty() && rest.front() >= '0' && rest.front() <= '9')
            return printable(rest.substr(0, std::min(rest.find('\0'), rest.find('\n'))), 256);
    }
    return "";
}

/// Every image of a bundle is checked, not only those that would boot.
void check_fit_images(const LoadedFit& fit, KernelInfo& info) {
    for (const FitImage& image : fit.bundle.images) {
        try {
            fit_image_data(fit, image.name, image.type == "kernel" ? "kernel" : image.type);
        } catch (const Error&) {
            info.wrong_fit_images.push_back(image.name);
        }
    }
}

void describe_bzimage(const ImageBytes& bytes, KernelInfo& info) {
    info.bzimage = parse_bzimage(bytes);
    info.version = info.bzimage->version;
    try {
        const ImageBytes vmlinux = extract_vmlinux(bytes, *info.bzimage);
        info.unpacked_bytes = vmlinux.size_bytes();
        info.elf = parse_elf(vmlinux);
    } catch (const Error& error) {
        info.payload_problem = error.what();
    }
}

void describe(const ImageBytes& file, KernelInfo& info) {
    const auto head = file.head(format_head_bytes);
    info.format = detect_format(head);
    if (info.format == KernelFormat::compressed)
        info.compression = detect_compression(head);
    if (info.format == KernelFormat::fit) {
        const LoadedFit fit = parse_fit(file);
        info.fit = fit.bundle;
        check_fit_images(fit, info);
    }
    const OpenedKernel kernel = open_kernel(file, true);
    if (info.compression != Compression::none)
        info.unpacked_bytes = kernel.bytes.size_bytes();
    if (kernel.format == KernelFormat::bzimage) {
        describe_bzimage(kernel.bytes, info);
    } else {
        info.elf = parse_elf(kernel.bytes);
        if (info.elf->is_linux)
            info.version = find_banner(kernel.bytes);
    }
    info.protocols =
        offered_protocols(info.bzimage ? &*info.bzimage : nullptr, info.elf ? &*info.elf : nullptr);
    if (info.protocols.empty())
        info.problem = cat(file.name(), ": offers neither Linux's 64-bit entry nor PVH; use an "
                                        "x86-64 kernel, Linux 3.8 or later");
}

} // namespace

KernelInfo identify_kernel(const std::string& path) {
    const ImageBytes file = ImageBytes::open(path, "kernel", "--kernel");
    KernelInfo info;
    info.path = path;
    info.size_bytes = file.size_bytes();
    try {
        describe(file, info);
    } catch (const Error& error) {
        info.problem = error.what();
    }
    return info;
}

std::vector<BootProtocol> offered_protocols(const BzImage* header, const ElfImage* elf) {
    std::vector<BootProtocol> protocols;
    const bool elf_entry = elf != nullptr && elf->is_64 && elf->maps(elf->entry);
    const bool header_entry = header != nullptr && header->has_64_bit_entry();
    if (elf_entry || header_entry)
        protocols.push_back(BootProtocol::linux64);
    if (elf != nullptr && elf->pvh_entry) {
        // Some PVH kernel that is not Linux knows nothing of boot_params.
        const bool pvh_first = header == nullptr && !elf->is_linux;
        if (pvh_first)
            protocols.clear();
        protocols.push_back(BootProtocol::pvh);
    }
    return protocols;
}

} // namespace coldstart
