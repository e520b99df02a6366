// Zeroed anonymous pages of our own, given back at the end; a page costs nothing until touched.
#pragma once

#include "vmm/base/error.h"

#include <cerrno>
#include <cstddef>
#include <utility>

#include <sys/mman.h>

namespace coldstart {

class Pages {
  public:
    Pages() noexcept = default;
    /// Throws Error when there is no memory.
    explicit Pages(std::size_t size_bytes) : size_bytes_(size_bytes) {
        void* const mapping =
            ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (mapping == MAP_FAILED)
            throw system_error("buffers of a disk image", errno);
        data_ = static_cast<std::byte*>(mapping);
    }
    Pages(Pages&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_bytes_(other.size_bytes_) {}
    Pages& operator=(Pages&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_bytes_, other.size_bytes_);
        return *this;
    }
    Pages(const Pages&) = delete;
    Pages& operator=(const Pages&) = delete;
    ~Pages() {
        if (data_ != nullptr)
            ::munmap(data_, size_bytes_);
    }

    std::byte* data() const noexcept { return data_; }

  private:
    std::byte* data_ = nullptr;
    std::size_t size_bytes_ = 0;
};

} // namespace coldstart
