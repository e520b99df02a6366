#include "virtio/core/descriptor_chain.h"

#include <algorithm>
#include <cstring>

namespace coldstart {
namespace {

/// Calls `use(pointer, size, done)` for every piece of [offset, offset + limit) of the segments.
template <typename Use>
std::size_t walk(std::span<const iovec> segments, std::uint64_t offset, std::size_t limit,
                 Use use) noexcept {
    std::size_t done = 0;
    for (const iovec& segment : segments) {
        if (done == limit)
            break;
        if (offset >= segment.iov_len) {
            offset -= segment.iov_len;
            continue;
        }
        const std::size_t size = std::min<std::size_t>(segment.iov_len - offset, limit - done);
        use(static_cast<std::byte*>(segment.iov_base) + offset, size, done);
        done += size;
        offset = 0;
    }
    return done;
}

} // namespace

std::size_t copy_from_segments(std::span<const iovec> segments, std::uint64_t offset,
                               std::span<std::byte> out) noexcept {
    return walk(segments, offset, out.size(),
                [out](const std::byte* piece, std::size_t size, std::size_t done) {
                    std::memcpy(out.data() + done, piece, size);
                });
}

std::size_t copy_to_segments(std::span<const iovec> segments, std::uint64_t offset,
                             ByteView in) noexcept {
    return walk(segments, offset, in.size(),
                [in](std::byte* piece, std::size_t size, std::size_t done) {
                    std::memcpy(piece, in.data() + done, size);
                });
}

std::span<iovec> drop_front(std::span<iovec> segments, std::uint64_t bytes) noexcept {
    while (!segments.empty() && bytes >= segments.front().iov_len) {
        bytes -= segments.front().iov_len;
        segments = segments.subspan(1);
    }
    if (!segments.empty()) {
        iovec& first = segments.front();
        first.iov_base = static_cast<std::byte*>(first.iov_base) + bytes;
        first.iov_len -= bytes;
    }
    return segments;
}

std::span<iovec> keep_front(std::span<iovec> segments, std::uint64_t bytes) noexcept {
    std::size_t kept = 0;
    while (kept < segments.size() && bytes != 0) {
        iovec& segment = segments[kept++];
        segment.iov_len = std::min<std::uint64_t>(segment.iov_len, bytes);
        bytes -= segment.iov_len;
    }
    return segments.first(kept);
}

} // namespace coldstart
