#include "firmware-loaders/placement/guest_copy.h"

#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <sys/stat.h>

namespace coldstart {
namespace {

/// The pages that guest memory is made of where the host has such.
constexpr std::uint64_t large_page_bytes = 2 * MiB;

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

/// Zeroes. Whole large pages are given back instead of written, which costs nothing while nobody
/// has touched them; of smaller ones that would leave a large page in pieces.
void clear(const GuestMemory& memory, Gpa start, std::uint64_t size_bytes) {
    const std::uint64_t first = align_up(start.value, large_page_bytes);
    const std::uint64_t end = align_down(start.value + size_bytes, large_page_bytes);
    const std::uint64_t whole = first < end ? end - first : 0;
    if (whole == 0 || memory.release(Gpa(first), whole) != whole) {
        memory.fill(start, size_bytes, std::byte{0});
        return;
    }
    memory.fill(start, first - start.value, std::byte{0});
    memory.fill(Gpa(end), start.value + size_bytes - end, std::byte{0});
}

/// Reads the piece; large pages for which the file has a hole are cleared.
void copy(const GuestMemory& memory, const ImageBytes& image, const GuestPart& part, Piece piece) {
    const std::uint64_t end = piece.before + piece.size_bytes;
    std::uint64_t unread = piece.before;
    const auto read_up_to = [&](std::uint64_t stop) {
        image.read(part.offset + unread, memory.range(part.target + unread, stop - unread));
    };
    std::uint64_t at = align_up(part.target.value + unread, large_page_bytes) - part.target.value;
    for (; at < end && end - at >= large_page_bytes; at += large_page_bytes) {
        if (!image.is_hole(part.offset + at, large_page_bytes))
            continue;
        read_up_to(at);
        unread = at + large_page_bytes;
        clear(memory, part.target + at, large_page_bytes);
    }
    read_up_to(end);
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
    copy(memory, image, part, {0, mapped.before});
    copy(memory, image, part, {behind, part.file_bytes - behind});
    clear(memory, part.target + part.file_bytes, part.memory_bytes - part.file_bytes);
}

} // namespace coldstart
