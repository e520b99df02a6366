#include "vmm/base/guest_memory.h"

#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <cstring>

namespace coldstart {

GuestMemory::GuestMemory(std::vector<MemoryRegion> regions)
    : regions_(std::move(regions)), file_ranges_(std::make_shared<std::vector<ByteView>>()) {
    std::sort(regions_.begin(), regions_.end(),
              [](const MemoryRegion& a, const MemoryRegion& b) { return a.base < b.base; });
    Gpa previous_end{0};
    for (const MemoryRegion& region : regions_) {
        if (region.size_bytes == 0 || region.end() < region.base || region.base < previous_end)
            throw Error(cat("guest memory region at ", hex(region.base.value), " of ",
                            region.size_bytes, " bytes is empty, wraps or overlaps another"));
        previous_end = region.end();
    }
}

GuestMemory GuestMemory::on_heap(std::uint64_t size_bytes) {
    std::shared_ptr<std::byte> block(new std::byte[size_bytes](),
                                     std::default_delete<std::byte[]>());
    return GuestMemory({MemoryRegion{Gpa(0), size_bytes, std::move(block)}});
}

std::uint64_t GuestMemory::size_bytes() const noexcept {
    std::uint64_t total = 0;
    for (const MemoryRegion& region : regions_)
        total += region.size_bytes;
    return total;
}

std::span<std::byte> GuestMemory::range(Gpa gpa, std::uint64_t size_bytes) const noexcept {
    for (const MemoryRegion& region : regions_) {
        if (gpa < region.base)
            break;
        const std::uint64_t offset = gpa - region.base;
        if (offset < region.size_bytes) {
            if (!range_inside(offset, size_bytes, region.size_bytes) ||
                is_withheld(gpa, size_bytes))
                break;
            return {region.host.get() + offset, static_cast<std::size_t>(size_bytes)};
        }
    }
    return {};
}

void GuestMemory::withhold(std::size_t which, Gpa gpa, std::uint64_t size_bytes) const noexcept {
    const std::uint64_t pages = size_bytes / page_size_bytes;
    (*withheld_)[which].store(gpa.value / page_size_bytes << 32 | pages, std::memory_order_release);
}

/// The range lies inside RAM, so that its end does not wrap.
bool GuestMemory::is_withheld(Gpa gpa, std::uint64_t size_bytes) const noexcept {
    for (const std::atomic<std::uint64_t>& packed : *withheld_) {
        const std::uint64_t range = packed.load(std::memory_order_acquire);
        const std::uint64_t withheld_bytes = (range & 0xffffffff) * page_size_bytes;
        const std::uint64_t base = (range >> 32) * page_size_bytes;
        if (withheld_bytes != 0 && gpa.value < base + withheld_bytes &&
            base < gpa.value + size_bytes)
            return true;
    }
    return false;
}

bool GuestMemory::contains(Gpa gpa, std::uint64_t size_bytes) const noexcept {
    return size_bytes != 0 && !range(gpa, size_bytes).empty();
}

bool GuestMemory::read(Gpa gpa, std::span<std::byte> out) const noexcept {
    const auto source = range(gpa, out.size());
    if (source.size() != out.size())
        return false;
    if (!out.empty())
        std::memcpy(out.data(), source.data(), out.size());
    return true;
}

bool GuestMemory::write(Gpa gpa, ByteView bytes) const noexcept {
    const auto target = range(gpa, bytes.size());
    if (target.size() != bytes.size())
        return false;
    if (!bytes.empty())
        std::memcpy(target.data(), bytes.data(), bytes.size());
    return true;
}

bool GuestMemory::fill(Gpa gpa, std::uint64_t size_bytes, std::byte value) const noexcept {
    const auto target = range(gpa, size_bytes);
    if (target.size() != size_bytes)
        return false;
    std::fill(target.begin(), target.end(), value);
    return true;
}

} // namespace coldstart
