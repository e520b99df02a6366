#include "vmm/runtime/guest_ram.h"

#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"

#include <cerrno>

#include <sys/mman.h>

namespace coldstart {

GuestMemory map_guest_ram(std::span<const Range> ranges) {
    std::vector<MemoryRegion> regions;
    for (const Range& range : ranges) {
        const auto size_bytes = static_cast<std::size_t>(range.size_bytes);
        void* host = ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (host == MAP_FAILED)
            throw system_error("guest memory of " + format_byte_size(range.size_bytes), errno,
                               "give the guest less (--memory), or raise the limit (ulimit -v)");
        regions.push_back({range.base, range.size_bytes,
                           std::shared_ptr<std::byte>(static_cast<std::byte*>(host),
                                                      [size_bytes](std::byte* mapping) {
                                                          ::munmap(mapping, size_bytes);
                                                      })});
    }
    return GuestMemory(std::move(regions));
}

} // namespace coldstart
