// Files in the place of guest RAM: GuestMemory::map_file() and the way back.
#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/fresh_pages.h"
#include "vmm/base/guest_memory.h"

#include <algorithm>
#include <cerrno>

#include <sys/mman.h>

namespace coldstart {
namespace {

bool whole_pages(std::uint64_t value) noexcept {
    return value % page_size_bytes == 0;
}

} // namespace

bool GuestMemory::map_file(Gpa gpa, int fd, std::uint64_t file_offset,
                           std::uint64_t size_bytes) const {
    const std::span<std::byte> target = range(gpa, size_bytes);
    if (target.empty() || !whole_pages(gpa.value) || !whole_pages(size_bytes) ||
        !whole_pages(file_offset))
        return false;
    const bool private_pages =
        std::any_of(regions_.begin(), regions_.end(), [&](const MemoryRegion& region) {
            return gpa >= region.base && gpa < region.end() &&
                   region.on_release == PageRelease::discard;
        });
    if (!private_pages)
        return false;
    file_ranges_->reserve(file_ranges_->size() + 1);
    if (::mmap(target.data(), target.size(), PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd,
               static_cast<off_t>(file_offset)) == MAP_FAILED)
        return false;
    file_ranges_->push_back(target);
    return true;
}

void GuestMemory::unmap_files() const {
    while (!file_ranges_->empty()) {
        const ByteView range = file_ranges_->back();
        if (!map_fresh_pages(const_cast<std::byte*>(range.data()), range.size()))
            throw system_error("guest memory: taking back a file's pages", errno);
        file_ranges_->pop_back();
    }
}

} // namespace coldstart
