#include "firmware-loaders/initrd/initrd.h"

#include "firmware-loaders/placement/guest_copy.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>

namespace coldstart {
namespace {

/// A size that is surely enough, as people write sizes.
std::string enough_memory(std::uint64_t memory_bytes, std::uint64_t initrd_bytes) {
    return format_byte_size(align_up(memory_bytes + initrd_bytes, 64 * MiB));
}

} // namespace

InitrdRange claim_initrd(const ImageBytes& image, Placement& placement, std::uint64_t address_max) {
    const std::uint64_t size = image.size_bytes();
    const std::uint64_t last = std::min<std::uint64_t>(address_max, 4 * GiB - 1);
    const auto base = placement.highest(size, page_size_bytes, Gpa(last + 1));
    if (!base) {
        const std::uint64_t memory = placement.memory().size_bytes();
        const std::string problem = cat(image.name(), ": its ", size,
                                        " bytes fit nowhere beside the kernel in guest RAM of ",
                                        format_byte_size(memory), " below ", hex(last));
        const bool more_helps = memory < last && size < last / 2;
        throw Error(problem, more_helps ? cat("give the guest more with --memory, ",
                                              enough_memory(memory, size), " is enough")
                                        : std::string("use a smaller initrd"));
    }
    placement.claim("initrd", *base, size);
    return {*base, size};
}

InitrdRange load_initrd(const LoadRequest& request, const ImageBytes& image, Placement& placement,
                        std::uint64_t address_max) {
    const InitrdRange range = claim_initrd(image, placement, address_max);
    load_part(request.memory, image, {range.base, 0, range.size_bytes, range.size_bytes},
              request.method);
    return range;
}

} // namespace coldstart
