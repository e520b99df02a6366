// A first-in first-out buffer of bytes with a fixed capacity; never allocates after it is made.
// Threads: one at a time.
#pragma once

#include "vmm/base/bytes.h"

#include <algorithm>
#include <cstddef>
#include <memory>

namespace coldstart {

class ByteRing {
  public:
    /// Its memory is not written before it is used: a page nobody types into costs nothing.
    explicit ByteRing(std::size_t capacity_bytes)
        : bytes_(std::make_unique_for_overwrite<std::byte[]>(capacity_bytes)),
          capacity_(capacity_bytes) {}

    bool empty() const noexcept { return count_ == 0; }
    std::size_t size() const noexcept { return count_; }
    std::size_t room() const noexcept { return capacity_ - count_; }
    void clear() noexcept { first_ = count_ = 0; }

    /// Appends what fits; how many bytes that was.
    std::size_t push(ByteView bytes) noexcept {
        const std::size_t taken = std::min(bytes.size(), room());
        const std::size_t at = (first_ + count_) % capacity_;
        const std::size_t run = std::min(taken, capacity_ - at);
        std::copy_n(bytes.data(), run, bytes_.get() + at);
        std::copy_n(bytes.data() + run, taken - run, bytes_.get());
        count_ += taken;
        return taken;
    }

    /// The oldest bytes, as many as lie in one piece.
    ByteView front() const noexcept {
        return {bytes_.get() + first_, std::min(count_, capacity_ - first_)};
    }

    /// Drops the oldest `count` bytes, at most size().
    void pop(std::size_t count) noexcept {
        first_ = (first_ + count) % capacity_;
        count_ -= count;
    }

  private:
    std::unique_ptr<std::byte[]> bytes_;
    std::size_t capacity_;
    std::size_t first_ = 0, count_ = 0;
};

} // namespace coldstart
