// A window of a file, read by copy: what the recognisers of this room look through. A read that
// leaves the window, or finds the file cut short meanwhile, gives nothing.
#pragma once

#include "vmm/base/bytes.h"
#include "vmm/base/unique_fd.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coldstart {

class MediaFile {
  public:
    /// A regular file or a block device; throws Error for anything else.
    static MediaFile open(const std::string& path);

    std::uint64_t size_bytes() const noexcept { return size_bytes_; }

    /// [start, start + size) of this window, cut to what exists.
    MediaFile window(std::uint64_t start_bytes, std::uint64_t size_bytes) const noexcept;

    /// Exactly `out.size()` bytes, or false.
    bool read(std::uint64_t offset, std::span<std::byte> out) const noexcept;

    /// Up to `max_bytes` from `offset`.
    std::vector<std::byte> read_some(std::uint64_t offset, std::size_t max_bytes) const;

    template <std::size_t Size>
    std::optional<std::array<std::byte, Size>> block(std::uint64_t offset) const noexcept {
        std::array<std::byte, Size> bytes;
        if (!read(offset, bytes))
            return std::nullopt;
        return bytes;
    }

    template <std::integral T>
    std::optional<T> load(std::uint64_t offset) const noexcept {
        const auto bytes = block<sizeof(T)>(offset);
        if (!bytes)
            return std::nullopt;
        return load_le<T>(*bytes);
    }

    template <std::integral T>
    std::optional<T> load_big_endian(std::uint64_t offset) const noexcept {
        auto bytes = block<sizeof(T)>(offset);
        if (!bytes)
            return std::nullopt;
        std::reverse(bytes->begin(), bytes->end());
        return load_le<T>(*bytes);
    }

    bool has(std::uint64_t offset, std::string_view magic) const noexcept;

    /// `max_chars` bytes up to the first zero, shown printable, without trailing spaces.
    std::string text(std::uint64_t offset, std::size_t max_chars) const;

    /// 16 bytes as a UUID in the order they stand.
    std::string uuid(std::uint64_t offset) const;

  private:
    std::shared_ptr<const UniqueFd> fd_;
    std::uint64_t start_bytes_ = 0, size_bytes_ = 0;
};

/// The characters of `bytes` up to the first zero, printable and without trailing spaces.
std::string text_field(ByteView bytes);

/// "00112233-4455-6677-8899-aabbccddeeff"; `first_fields_swapped` for the mixed order of GPT.
std::string uuid_text(ByteView sixteen_bytes, bool first_fields_swapped = false);

} // namespace coldstart
