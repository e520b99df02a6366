// Fresh, zeroed, private memory of the host in whole pages, in the place of whatever is there: what
// guest RAM is made of, unless it is huge pages of hugetlbfs.
// Threads: any; others that use the memory meanwhile see the old pages or the new ones.
#pragma once

#include <cstddef>

#include <sys/mman.h>

namespace coldstart {

/// All of it is alike, so that the host keeps neighbours as one mapping. NORESERVE: guests seldom
/// use all of their memory.
inline constexpr int fresh_pages_flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

/// [at, at + size), both aligned to pages; false with errno when the host refuses, and the old
/// pages are still there or gone.
inline bool map_fresh_pages(std::byte* at, std::size_t size_bytes) noexcept {
    if (::mmap(at, size_bytes, PROT_READ | PROT_WRITE, fresh_pages_flags | MAP_FIXED, -1, 0) ==
        MAP_FAILED)
        return false;
    ::madvise(at, size_bytes, MADV_HUGEPAGE); // a host without them serves small pages
    return true;
}

} // namespace coldstart
