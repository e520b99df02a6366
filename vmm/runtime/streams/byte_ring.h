// A first-in first-out buffer of bytes with a fixed capacity; never allocates after it is made.
// Threads: one at a time.
#pragma once

#include "vmm/base/bytes.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace coldstart {

class ByteRing {
  public:
    explicit ByteRing(std::size_t capacity_bytes) : bytes_(capacity_bytes) {}

    bool empty() const noexcept { return count_ == 0; }
    std::size_t size() const noexcept { return count_; }
    std::size_t room() const noexcept { return bytes_.size() - count_; }
    void clear() noexcept { first_ = count_ = 0; }

    /// Appends what fits; how many bytes that was.
    std::size_t push(ByteView bytes) noexcept {
        const std::size_t taken = std::min(bytes.size(), room());
        const std::size_t at = (first_ + count_) % bytes_.size();
        const std::size_t run = std::min(taken, bytes_.size() - at);
        std::copy_n(bytes.begin(), run, bytes_.begin() + static_cast<std::ptrdiff_t>(at));
        std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(run), taken - run, bytes_.begin());
        count_ += taken;
        return taken;
    }

    /// The oldest bytes, as many as lie in one piece.
    ByteView front() const noexcept {
        return ByteView(bytes_).subspan(first_, std::min(count_, bytes_.size() - first_));
    }

    /// Drops the oldest `count` bytes, at most size().
    void pop(std::size_t count) noexcept {
        first_ = (first_ + count) % bytes_.size();
        count_ -= count;
    }

  private:
    std::vector<std::byte> bytes_;
    std::size_t first_ = 0, count_ = 0;
};

} // namespace coldstart
