#include "vmm/runtime/streams/limited_stream.h"

#include <algorithm>
#include <utility>

namespace coldstart {

LimitedStream::LimitedStream(std::unique_ptr<ByteStream> stream, const TokenBucketOptions& limit,
                             const Clock& clock)
    : stream_(std::move(stream)), clock_(clock), bucket_(limit, clock.now_ns()) {}

std::size_t LimitedStream::write(ByteView bytes) noexcept {
    const std::lock_guard guard(mutex_);
    bucket_.refill(clock_.now_ns());
    const std::size_t allowed = std::min<std::uint64_t>(bytes.size(), bucket_.available());
    const std::size_t taken =
        allowed != 0 ? std::min(stream_->write(bytes.first(allowed)), allowed) : 0;
    bucket_.take(taken);
    if (taken < allowed)
        return taken;
    dropped_bytes_.fetch_add(bytes.size() - allowed, std::memory_order_relaxed);
    return bytes.size();
}

} // namespace coldstart
