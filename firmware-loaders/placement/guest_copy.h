// The one place where bytes of an image reach guest memory: copied, or as pages of the image's file
// mapped privately over guest RAM (GuestMemory::map_file).
#pragma once

#include "firmware-loaders/boot_plan.h"
#include "firmware-loaders/source/image_bytes.h"
#include "vmm/base/gpa.h"
#include "vmm/base/guest_memory.h"

#include <cstdint>

namespace coldstart {

/// Which bytes of an image go where.
struct GuestPart {
    Gpa target;
    std::uint64_t offset = 0;     ///< in the image
    std::uint64_t file_bytes = 0; ///< from there on
    /// At least as much; what goes beyond the file's bytes is zeroed: guest memory is zero when it
    /// is fresh, but not after a reset.
    std::uint64_t memory_bytes = 0;
};

/// Puts the part there; the caller has claimed the target. With LoadMethod::map the whole pages
/// inside are the file's, where file and target lie alike in their pages and the host can; the rest
/// is copied. Of 2 MiB of guest memory that a hole of the file stands for, or that lie behind the
/// file's bytes, none is touched. Throws Error when the image ends early.
void load_part(const GuestMemory& memory, const ImageBytes& image, const GuestPart& part,
               LoadMethod method);

} // namespace coldstart
