// Linux by its 64-bit boot protocol (Documentation/arch/x86/boot.rst, "64-bit Boot Protocol").
//
// Two ways in. With the uncompressed kernel at hand, whether as a vmlinux or unpacked from a
// bzImage on the host, the processor enters startup_64 (arch/x86/kernel/head_64.S) at its linked
// physical address; this is the quicker way by far, and needs no relocation. Otherwise the guest
// enters the bzImage's own decompressor 0x200 bytes into the protected-mode part.
//
// What startup_64 expects, and gets: long mode, an identity map of the kernel, boot_params and the
// command line, RSI = boot_params, interrupts off, flat segments.
//
// Missing: KASLR happens in the bzImage's decompressor, so that a kernel unpacked on the host runs
// at its linked address; loading above 4 GiB.
#pragma once

#include "firmware-loaders/boot_plan.h"
#include "firmware-loaders/bzimage/bzimage.h"
#include "firmware-loaders/elf/elf_image.h"
#include "firmware-loaders/source/image_bytes.h"

#include <optional>

namespace coldstart {

/// A vmlinux; `header` is that of the bzImage it came from, null for a bare one.
BootPlan load_vmlinux(const LoadRequest& request, const ImageBytes& vmlinux, const ElfImage& elf,
                      const BzImage* header, const std::optional<ImageBytes>& initrd);

/// True when every segment of the kernel has its place in guest RAM, free of what load_vmlinux()
/// writes besides.
bool vmlinux_fits(const LoadRequest& request, const ImageBytes& vmlinux, const ElfImage& elf);

/// A bzImage that unpacks itself in the guest; throws Error when it has no 64-bit entry or there
/// is no room for it.
BootPlan load_self_unpacking(const LoadRequest& request, const ImageBytes& image,
                             const BzImage& header, const std::optional<ImageBytes>& initrd);

} // namespace coldstart
