// load_kernel(): which loader takes what, and what becomes of a bzImage that can't be unpacked on
// the host. The loaders themselves are in the folders beside this file.
#include "firmware-loaders/boot_plan.h"
#include "firmware-loaders/bzimage/bzimage.h"
#include "firmware-loaders/elf/elf_image.h"
#include "firmware-loaders/identify/kernel_info.h"
#include "firmware-loaders/identify/open_kernel.h"
#include "firmware-loaders/kernel_cache/kernel_cache.h"
#include "firmware-loaders/linux/load_linux.h"
#include "firmware-loaders/pvh/load_pvh.h"
#include "firmware-loaders/source/image_bytes.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <cassert>

namespace coldstart {
namespace {

/// What a bzImage holds, if it can be had on the host; otherwise why it can't.
struct Extraction {
    std::optional<ImageBytes> vmlinux;
    ElfImage elf;
    std::string how;
    std::string problem;
};

Extraction extract(const ImageBytes& image, const BzImage& header, KernelCache* cache) {
    Extraction result;
    try {
        const auto unpack = [&](const ImageBytes& payload) {
            return unpack_linux_payload(payload, header.payload_compression);
        };
        const auto check = [&](const ImageBytes& vmlinux) { result.elf = parse_elf(vmlinux); };
        const ImageBytes payload = bzimage_payload(image, header);
        bool was_kept = false;
        if (cache != nullptr) {
            KernelCache::Kernel kernel = cache->unpacked(image, payload, unpack, check);
            was_kept = kernel.was_kept;
            result.vmlinux = std::move(kernel.bytes);
        } else {
            ImageBytes vmlinux = unpack(payload);
            check(vmlinux);
            result.vmlinux = std::move(vmlinux);
        }
        result.how = cat(compression_name(header.payload_compression), " payload ",
                         was_kept ? "kept unpacked" : "unpacked on the host");
    } catch (const Error& error) {
        result.problem = error.what();
    }
    return result;
}

std::string first_word(const std::string& text) {
    return text.substr(0, text.find(' '));
}

BootPlan load_bzimage_pvh(const LoadRequest& request, const ImageBytes& image,
                          const Extraction& inside, const std::optional<ImageBytes>& initrd) {
    if (!inside.vmlinux)
        throw Error(
            cat(image.name(), ": PVH needs the kernel unpacked on the host, and: ", inside.problem),
            "or use --boot linux");
    return load_pvh(request, *inside.vmlinux, inside.elf, initrd);
}

/// `automatic` is Linux's 64-bit entry whenever the image has one: startup_64 of the unpacked
/// kernel does less than the PVH entry, which first switches modes, builds page tables and turns
/// the start info into boot_params.
BootPlan load_bzimage(const LoadRequest& request, const ImageBytes& image,
                      const std::optional<ImageBytes>& initrd) {
    const BzImage header = parse_bzimage(image);
    const std::string title = cat("bzImage ", first_word(header.version));
    const Extraction inside = extract(image, header, request.cache);
    const bool only_pvh = inside.vmlinux && !inside.elf.is_64 && inside.elf.pvh_entry.has_value();

    BootPlan plan;
    if (request.protocol == BootProtocol::pvh ||
        (request.protocol == BootProtocol::automatic && only_pvh)) {
        plan = load_bzimage_pvh(request, image, inside, initrd);
        plan.description = cat(title, ", ", inside.how, ", PVH entry");
    } else if (inside.vmlinux && inside.elf.is_64 && inside.elf.maps(inside.elf.entry) &&
               (vmlinux_fits(request, *inside.vmlinux, inside.elf) || !header.has_64_bit_entry())) {
        plan = load_vmlinux(request, *inside.vmlinux, inside.elf, &header, initrd);
        plan.description = cat(title, ", ", inside.how, ", 64-bit entry");
    } else {
        plan = load_self_unpacking(request, image, header, initrd);
        plan.description = cat(title, ", unpacks itself in the guest (",
                               inside.vmlinux ? "no room at its linked address" : inside.problem,
                               "), 64-bit entry");
    }
    return plan;
}

BootPlan load_elf_kernel(const LoadRequest& request, const ImageBytes& image,
                         const std::optional<ImageBytes>& initrd) {
    const ElfImage elf = parse_elf(image);
    BootProtocol protocol = request.protocol;
    if (protocol == BootProtocol::automatic) {
        const auto offered = offered_protocols(nullptr, &elf);
        if (offered.empty())
            throw Error(cat(image.name(), ": an ELF file with neither a 64-bit entry inside its "
                                          "segments nor a PVH note"),
                        "give --kernel a Linux vmlinux or a PVH kernel");
        protocol = offered.front();
    }
    const std::string title = elf.is_linux ? "ELF vmlinux" : elf.is_64 ? "ELF64" : "ELF32";
    BootPlan plan;
    if (protocol == BootProtocol::pvh) {
        plan = load_pvh(request, image, elf, initrd);
        plan.description = cat(title, ", PVH entry");
    } else {
        plan = load_vmlinux(request, image, elf, nullptr, initrd);
        plan.description = cat(title, ", 64-bit entry");
    }
    return plan;
}

} // namespace

BootPlan load_kernel(const LoadRequest& request) {
    // What an earlier load has mapped, before a reset of the machine, may lie elsewhere now.
    request.memory.unmap_files();
    const ImageBytes file = ImageBytes::open(request.kernel_path, "kernel", "--kernel");
    std::optional<ImageBytes> initrd;
    if (request.initrd_path)
        initrd = ImageBytes::open(*request.initrd_path, "initrd", "--initrd");
    const OpenedKernel kernel = open_kernel(file, !initrd);
    if (!initrd)
        initrd = kernel.bundled_ramdisk;
    BootPlan plan = kernel.format == KernelFormat::bzimage
                        ? load_bzimage(request, kernel.bytes, initrd)
                        : load_elf_kernel(request, kernel.bytes, initrd);
    plan.description = kernel.wrapping + plan.description;
    return plan;
}

} // namespace coldstart
