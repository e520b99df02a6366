// PVH, Xen's x86/HVM direct boot ABI (docs/misc/pvh.pandoc; xen/include/public/arch-x86/hvm/
// start_info.h): a 32-bit entry named by an ELF note, with EBX pointing to hvm_start_info of
// version 1. Linux offers it (CONFIG_PVH), so do FreeBSD and several unikernels.
//
// Missing: module command lines; the start info's flags stay 0 (no Xen, no dom0).
#pragma once

#include "firmware-loaders/boot_plan.h"
#include "firmware-loaders/elf/elf_image.h"
#include "firmware-loaders/source/image_bytes.h"

#include <optional>

namespace coldstart {

/// Throws Error when the image has no PVH note. The initrd becomes the first module.
BootPlan load_pvh(const LoadRequest& request, const ImageBytes& image, const ElfImage& elf,
                  const std::optional<ImageBytes>& initrd);

} // namespace coldstart
