#include "firmware-loaders/placement/guest_copy.h"

#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <cstring>

#include <sys/stat.h>

namespace coldstart {
namespace {

/// A piece of the part: so many bytes are before it, so many it has.
struct Piece {
    std::uint64_t before = 0;
    std::uint64_t size_bytes = 0;
};

Piece whole_pages(const GuestPart& part) noexcept {
    const std::uint64_t before = align_up(part.target.value, page_size_bytes) - part.target.value;
    if (before >= part.file_bytes)
        return {};
    return {before, align_down(part.file_bytes - before, page_size_bytes)};
}

/// Maps what can be mapped; empty when nothing was.
Piece map_pages(const GuestMemory& memory, const ImageBytes& image, const GuestPart& part) {
    const auto file = image.file_place();
    const Piece pages = whole_pages(part);
    if (!file || pages.size_bytes == 0)
        return {};
    const std::uint64_t offset = file->offset + part.offset + pages.before;
    if (!memory.map_file(part.target + pages.before, file->fd, offset, pages.size_bytes))
        return {};
    struct stat status {};
    if (::fstat(file->fd, &status) != 0 ||
        !range_inside(offset, pages.size_bytes, static_cast<std::uint64_t>(status.st_size)))
        throw Error(cat(image.name(), ": the file became shorter while it was loaded"),
                    "do not write to it while a machine starts");
    return pages;
}

} // namespace

void load_part(const GuestMemory& memory, const ImageBytes& image, const GuestPart& part,
               LoadMethod method) {
    const auto range = memory.range(part.target, part.memory_bytes);
    if (range.size() != part.memory_bytes || part.file_bytes > part.memory_bytes)
        throw Error(cat(image.name(), ": ", part.memory_bytes, " bytes at ", hex(part.target.value),
                        " do not lie in guest RAM"));
    const Piece mapped = method == LoadMethod::map ? map_pages(memory, image, part) : Piece{};
    const std::uint64_t behind = mapped.before + mapped.size_bytes;
    image.read(part.offset, range.first(static_cast<std::size_t>(mapped.before)));
    image.read(part.offset + behind,
               range.subspan(static_cast<std::size_t>(behind),
                             static_cast<std::size_t>(part.file_bytes - behind)));
    const auto rest = range.subspan(static_cast<std::size_t>(part.file_bytes));
    if (!rest.empty())
        std::memset(rest.data(), 0, rest.size());
}

} // namespace coldstart
