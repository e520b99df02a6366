// The one place where bytes of an image reach guest memory.
#pragma once

#include "firmware-loaders/source/image_bytes.h"
#include "vmm/base/gpa.h"
#include "vmm/base/guest_memory.h"

#include <cstdint>

namespace coldstart {

/// [offset, offset + file_bytes) of `image` at `target`, and zeroes up to `memory_bytes` behind it:
/// guest memory is zero when it is fresh, but not after a reset. A file is read straight into
/// guest memory. The caller has claimed the target range; throws Error when the image ends early.
void copy_to_guest(const GuestMemory& memory, Gpa target, const ImageBytes& image,
                   std::uint64_t offset, std::uint64_t file_bytes, std::uint64_t memory_bytes);

} // namespace coldstart
