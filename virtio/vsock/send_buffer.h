// The bytes of a guest that its host program has not taken yet: a ring of fixed size.
#pragma once

#include "virtio/core/descriptor_chain.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <span>

#include <sys/uio.h>

namespace coldstart {

class SendBuffer {
  public:
    /// Untouched memory costs nothing, so it is taken at once. Throws std::bad_alloc.
    explicit SendBuffer(std::size_t capacity) : bytes_(new std::byte[capacity]), size_(capacity) {}

    bool empty() const noexcept { return used_ == 0; }
    std::size_t used() const noexcept { return used_; }
    std::size_t room() const noexcept { return size_ - used_; }
    void clear() noexcept { used_ = 0; }

    /// Copies what lies behind the first `skip` bytes of `segments`, and at most room().
    void append(std::span<const iovec> segments, std::size_t skip) noexcept {
        while (room() != 0) {
            const std::size_t end = (begin_ + used_) % size_;
            const std::size_t piece = std::min(room(), size_ - end);
            const std::size_t copied =
                copy_from_segments(segments, skip, {bytes_.get() + end, piece});
            used_ += copied;
            skip += copied;
            if (copied != piece)
                return;
        }
    }

    /// The bytes there are, in order; the second piece may be empty.
    std::array<iovec, 2> pieces() noexcept {
        const std::size_t first = std::min(used_, size_ - begin_);
        return {iovec{bytes_.get() + begin_, first}, iovec{bytes_.get(), used_ - first}};
    }
    void drop(std::size_t count) noexcept {
        begin_ = (begin_ + count) % size_;
        used_ -= count;
    }

  private:
    std::unique_ptr<std::byte[]> bytes_;
    std::size_t size_;
    std::size_t begin_ = 0;
    std::size_t used_ = 0;
};

} // namespace coldstart
