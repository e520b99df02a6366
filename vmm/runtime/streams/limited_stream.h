// A console's output within a rate limit: what is over it is dropped and counted, and the guest goes
// on, as one that must never wait for its console. Input passes as it comes.
// Semantics: `rate_limiter` of SerialDevice in Firecracker's API document.
//
// Output that fits the limit but not the stream behind stays the device's, and uses nothing up.
// Threads: as ByteStream; dropped_bytes any.
#pragma once

#include "devices/core/token_bucket.h"
#include "vmm/base/byte_stream.h"
#include "vmm/base/clock.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

namespace coldstart {

class LimitedStream final : public ByteStream {
  public:
    /// `clock` outlives it.
    LimitedStream(std::unique_ptr<ByteStream> stream, const TokenBucketOptions& limit,
                  const Clock& clock);

    std::size_t write(ByteView bytes) noexcept override;
    void input_wanted() noexcept override { stream_->input_wanted(); }
    void set_sink(ByteSink* sink) noexcept override { stream_->set_sink(sink); }

    std::uint64_t dropped_bytes() const noexcept {
        return dropped_bytes_.load(std::memory_order_relaxed);
    }

  private:
    const std::unique_ptr<ByteStream> stream_;
    const Clock& clock_;
    std::mutex mutex_; ///< guards the bucket; the stream's own locks come after it
    TokenBucket bucket_;
    std::atomic<std::uint64_t> dropped_bytes_ = 0;
};

} // namespace coldstart
