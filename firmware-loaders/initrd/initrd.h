// The initial RAM disk: any bytes, placed as high as the kernel allows, so that they are out of
// the way of a kernel that unpacks itself (boot.rst, "Loading the rest of the kernel").
// The contents are the kernel's affair and are not looked at.
#pragma once

#include "firmware-loaders/placement/placement.h"
#include "firmware-loaders/source/image_bytes.h"
#include "vmm/base/gpa.h"

#include <cstdint>

namespace coldstart {

/// What Linux's own header states (arch/x86/boot/header.S, initrd_addr_max: "leave it at 2 GB to
/// avoid possible bugs"); for kernels that come without a header.
inline constexpr std::uint64_t default_initrd_address_max = 0x7fffffff;

struct InitrdRange {
    Gpa base;
    std::uint64_t size_bytes = 0;
};

/// Claims a page-aligned place below 4 GiB whose last byte is at most `address_max`; throws Error
/// when there is none.
InitrdRange claim_initrd(const ImageBytes& image, Placement& placement, std::uint64_t address_max);

/// claim_initrd(), and puts it there.
InitrdRange load_initrd(const LoadRequest& request, const ImageBytes& image, Placement& placement,
                        std::uint64_t address_max);

} // namespace coldstart
