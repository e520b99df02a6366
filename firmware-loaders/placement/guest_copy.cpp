#include "firmware-loaders/placement/guest_copy.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <cstring>

namespace coldstart {

void copy_to_guest(const GuestMemory& memory, Gpa target, const ImageBytes& image,
                   std::uint64_t offset, std::uint64_t file_bytes, std::uint64_t memory_bytes) {
    const auto range = memory.range(target, memory_bytes);
    if (range.size() != memory_bytes || file_bytes > memory_bytes)
        throw Error(cat(image.name(), ": ", memory_bytes, " bytes at ", hex(target.value),
                        " do not lie in guest RAM"));
    image.read(offset, range.first(static_cast<std::size_t>(file_bytes)));
    const auto rest = range.subspan(static_cast<std::size_t>(file_bytes));
    if (!rest.empty())
        std::memset(rest.data(), 0, rest.size());
}

} // namespace coldstart
