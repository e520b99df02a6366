#include "vmm/base/byte_size.h"
#include "vmm/base/fresh_pages.h"
#include "vmm/base/guest_memory.h"

#include <algorithm>
#include <functional>

#include <sys/mman.h>

namespace coldstart {
namespace {

/// Dropping a page that was mapped from a file would bring the file's bytes back: where one may be,
/// fresh pages take its place. A host that has no mapping left for that keeps the page, as zeroes.
void replace_file_pages(const std::vector<ByteView>& file_ranges, std::byte* host,
                        std::size_t size_bytes) noexcept {
    for (const ByteView& range : file_ranges) {
        const std::byte* const first = std::max<const std::byte*>(host, range.data());
        const std::byte* const last =
            std::min<const std::byte*>(host + size_bytes, range.data() + range.size());
        if (first >= last)
            continue;
        std::byte* const start = host + (first - host);
        const auto part_bytes = static_cast<std::size_t>(last - first);
        if (!map_fresh_pages(start, part_bytes))
            std::fill_n(start, part_bytes, std::byte{0});
    }
}

/// The whole pages of [first, end), which lies inside the region.
std::uint64_t release_inside(const MemoryRegion& region, const std::vector<ByteView>& file_ranges,
                             std::uint64_t first, std::uint64_t end) noexcept {
    // Some kernels round a part of a huge page up to all of it: only whole ones are named to them.
    const std::uint64_t page_bytes =
        region.on_release == PageRelease::discard_2m ? 2 * MiB : page_size_bytes;
    const std::uint64_t start = align_up(first, page_bytes);
    const std::uint64_t stop = align_down(end, page_bytes);
    if (start < first || start >= stop)
        return 0;
    std::byte* const host = region.host.get() + (start - region.base.value);
    const auto size_bytes = static_cast<std::size_t>(stop - start);
    if (region.on_release == PageRelease::zero)
        std::fill_n(host, size_bytes, std::byte{0});
    else if (::madvise(host, size_bytes, MADV_DONTNEED) != 0)
        return 0; // locked memory: it stays as it is
    replace_file_pages(file_ranges, host, size_bytes);
    return size_bytes;
}

} // namespace

std::uint64_t GuestMemory::release(Gpa gpa, std::uint64_t size_bytes) const noexcept {
    const std::uint64_t room = ~std::uint64_t{0} - gpa.value;
    const std::uint64_t end = gpa.value + std::min(size_bytes, room);
    std::uint64_t released = 0;
    for (const MemoryRegion& region : regions_) {
        const std::uint64_t first = std::max(gpa.value, region.base.value);
        const std::uint64_t last = std::min(end, region.end().value);
        if (first < last && !is_withheld(Gpa(first), last - first))
            released += release_inside(region, *file_ranges_, first, last);
    }
    return released;
}

std::uint64_t GuestMemory::release(ByteView host) const noexcept {
    const std::less<const std::byte*> before;
    for (const MemoryRegion& region : regions_) {
        const std::byte* const start = region.host.get();
        if (before(host.data(), start) || !before(host.data(), start + region.size_bytes))
            continue;
        const auto offset = static_cast<std::uint64_t>(host.data() - start);
        const std::uint64_t size_bytes =
            std::min<std::uint64_t>(host.size(), region.size_bytes - offset);
        return release(region.base + offset, size_bytes);
    }
    return 0;
}

} // namespace coldstart
