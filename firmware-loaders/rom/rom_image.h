// A firmware image: the bytes that end at 4 GiB, where the CPU begins. Whatever is in them runs;
// only the size is checked, and that there is something at the reset vector.
// Source: Intel SDM vol. 3 section 10.1.4 (first instruction executed).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace coldstart {

/// Host memory of whole pages, page-aligned, given back at the end.
class RomImage {
  public:
    static constexpr std::uint64_t max_bytes = 16ull * 1024 * 1024;

    /// Reads a file whose size is a multiple of 4 KiB up to max_bytes. `flag` is what the user
    /// said it with. Throws Error naming the file and what is wrong.
    RomImage(const std::string& path, const std::string& flag);

    std::span<std::byte> bytes() const noexcept { return {memory_.get(), size_}; }

  private:
    struct Free {
        void operator()(std::byte* memory) const noexcept;
    };
    std::size_t size_ = 0;
    std::unique_ptr<std::byte, Free> memory_;
};

} // namespace coldstart
