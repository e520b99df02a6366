// Host memory for unpacked images: uninitialised, growing in place where the host can, and never
// past a limit, so that a small file can't ask for all memory (a decompression bomb).
// Threads: one owner at a time.
#pragma once

#include "vmm/base/bytes.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include <stdlib.h>

namespace coldstart {

class HostBuffer {
  public:
    /// Holds up to `limit_bytes`; room for `expected_bytes` is set aside at once.
    HostBuffer(std::uint64_t expected_bytes, std::uint64_t limit_bytes);

    /// Free space of at least `wanted_bytes`, less only where the limit is near; throws Error when
    /// the limit is reached and nothing is left.
    std::span<std::byte> space(std::uint64_t wanted_bytes);

    /// The first `size_bytes` of the last space() hold data now.
    void commit(std::uint64_t size_bytes) noexcept { size_ += size_bytes; }

    std::uint64_t size_bytes() const noexcept { return size_; }
    ByteView view() const noexcept { return {bytes_.get(), static_cast<std::size_t>(size_)}; }
    std::span<std::byte> bytes() noexcept {
        return {bytes_.get(), static_cast<std::size_t>(size_)};
    }

  private:
    struct Free {
        void operator()(std::byte* bytes) const noexcept { ::free(bytes); }
    };

    void grow(std::uint64_t capacity);

    std::unique_ptr<std::byte, Free> bytes_;
    std::uint64_t size_ = 0;
    std::uint64_t capacity_ = 0;
    std::uint64_t limit_;
};

} // namespace coldstart
