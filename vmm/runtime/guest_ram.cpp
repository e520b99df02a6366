#include "vmm/runtime/guest_ram.h"

#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/fresh_pages.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <fstream>

#include <linux/mman.h>
#include <sys/mman.h>

namespace coldstart {
namespace {

constexpr std::uintptr_t large_page_bytes = 2 * MiB;

/// Memory at a host address that lies in its 2 MiB page where the guest's address does: only then
/// can KVM map a large page of the host as one of the guest, 512 page faults less.
void* map_like(Gpa base, std::size_t size_bytes, LowMemory low) {
    const std::size_t reserved = size_bytes + large_page_bytes;
    void* const mapped =
        ::mmap(nullptr, reserved, PROT_READ | PROT_WRITE, fresh_pages_flags, -1, 0);
    if (mapped == MAP_FAILED)
        return mapped;
    const auto start = reinterpret_cast<std::uintptr_t>(mapped);
    const std::uintptr_t before = (base.value - start) % large_page_bytes;
    std::byte* const memory = static_cast<std::byte*>(mapped) + before;
    if (before != 0)
        ::munmap(mapped, before);
    if (before != large_page_bytes)
        ::munmap(memory + size_bytes, large_page_bytes - before);
    const bool some_small = base.value == 0 && low == LowMemory::small_pages;
    const std::size_t small = some_small ? std::min(size_bytes, large_page_bytes) : 0;
    // A host without large pages serves small ones; one that gives them unasked is told not to.
    if (small != 0)
        ::madvise(memory, small, MADV_NOHUGEPAGE);
    ::madvise(memory + small, size_bytes - small, MADV_HUGEPAGE);
    return memory;
}

std::size_t whole_pages(std::uint64_t size_bytes) {
    return static_cast<std::size_t>((size_bytes + large_page_bytes - 1) / large_page_bytes *
                                    large_page_bytes);
}

std::uint64_t pool_figure(const char* name) {
    std::ifstream file(cat("/sys/kernel/mm/hugepages/hugepages-2048kB/", name));
    std::uint64_t value = 0;
    file >> value;
    return value;
}

/// Says how many pages there would have to be.
Error huge_pages_missing(std::span<const Range> ranges) {
    std::uint64_t needed = 0;
    for (const Range& range : ranges)
        needed += whole_pages(range.size_bytes) / large_page_bytes;
    const std::uint64_t free = pool_figure("free_hugepages"),
                        spoken = pool_figure("resv_hugepages");
    const std::uint64_t usable = free > spoken ? free - spoken : 0;
    return Error(
        cat("guest memory: ", needed, " huge pages of 2 MiB are needed, and ", usable, " are free"),
        cat("sysctl vm.nr_hugepages=", pool_figure("nr_hugepages") - usable + needed,
            ", or start without huge pages"));
}

/// Reserved at once, so that the guest's first touch of a page can't fail.
GuestMemory map_huge_pages(std::span<const Range> ranges) {
    std::vector<MemoryRegion> regions;
    for (const Range& range : ranges) {
        const std::size_t mapped_bytes = whole_pages(range.size_bytes);
        void* const host = ::mmap(nullptr, mapped_bytes, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB, -1, 0);
        if (host == MAP_FAILED)
            throw huge_pages_missing(ranges);
        regions.push_back({range.base, range.size_bytes,
                           std::shared_ptr<std::byte>(static_cast<std::byte*>(host),
                                                      [mapped_bytes](std::byte* mapping) {
                                                          ::munmap(mapping, mapped_bytes);
                                                      }),
                           PageRelease::discard_2m});
    }
    return GuestMemory(std::move(regions));
}

} // namespace

GuestMemory map_guest_ram(std::span<const Range> ranges, HugePages pages, LowMemory low) {
    if (pages == HugePages::hugetlbfs_2m)
        return map_huge_pages(ranges);
    std::vector<MemoryRegion> regions;
    for (const Range& range : ranges) {
        const auto size_bytes = static_cast<std::size_t>(range.size_bytes);
        void* const host = map_like(range.base, size_bytes, low);
        if (host == MAP_FAILED)
            throw system_error("guest memory of " + format_byte_size(range.size_bytes), errno,
                               "give the guest less (--memory), or raise the limit (ulimit -v)");
        regions.push_back({range.base, range.size_bytes,
                           std::shared_ptr<std::byte>(
                               static_cast<std::byte*>(host),
                               [size_bytes](std::byte* mapping) { ::munmap(mapping, size_bytes); }),
                           PageRelease::discard});
    }
    return GuestMemory(std::move(regions));
}

} // namespace coldstart
