#include "firmware-loaders/source/host_buffer.h"

#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>

namespace coldstart {

HostBuffer::HostBuffer(std::uint64_t expected_bytes, std::uint64_t limit_bytes)
    : limit_(limit_bytes) {
    grow(std::clamp<std::uint64_t>(expected_bytes, 1, std::max<std::uint64_t>(limit_, 1)));
}

std::span<std::byte> HostBuffer::space(std::uint64_t wanted_bytes) {
    if (size_ >= limit_)
        throw Error(cat("unpacks to more than ", format_byte_size(limit_)));
    const std::uint64_t wanted = std::min(wanted_bytes, limit_ - size_);
    if (capacity_ - size_ < wanted)
        grow(std::min(limit_, std::max(size_ + wanted, capacity_ * 2)));
    return {bytes_.get() + size_, static_cast<std::size_t>(capacity_ - size_)};
}

void HostBuffer::grow(std::uint64_t capacity) {
    // realloc moves large blocks by remapping pages, so growing copies nothing.
    void* grown = ::realloc(bytes_.get(), static_cast<std::size_t>(capacity));
    if (grown == nullptr)
        throw Error(cat("no host memory for ", capacity, " bytes of an unpacked image"),
                    "free some memory on the host");
    static_cast<void>(bytes_.release());
    bytes_.reset(static_cast<std::byte*>(grown));
    capacity_ = capacity;
}

} // namespace coldstart
