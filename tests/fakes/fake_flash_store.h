// A flash's contents in memory, with a disk that may be full.
#pragma once

#include "devices/flash/flash_store.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace coldstart::fakes {

class FakeFlashStore final : public FlashStore {
  public:
    explicit FakeFlashStore(std::size_t size_bytes, std::byte fill = std::byte{0xff})
        : bytes(size_bytes, fill) {}

    std::string_view name() const noexcept override { return "fake.fd"; }
    std::uint64_t size_bytes() const noexcept override { return bytes.size(); }
    bool read_only() const noexcept override { return is_read_only; }
    void load(std::span<std::byte> contents) override {
        std::copy(bytes.begin(), bytes.end(), contents.begin());
    }
    int write(std::uint64_t offset, ByteView written) noexcept override {
        writes.emplace_back(offset, written.size());
        const std::size_t taken = room ? std::min(*room, written.size()) : written.size();
        std::copy_n(written.begin(), taken, bytes.begin() + static_cast<std::ptrdiff_t>(offset));
        return taken < written.size() ? ENOSPC : 0;
    }
    int flush() noexcept override {
        ++flushes;
        return 0;
    }

    unsigned at(std::size_t offset) const { return std::to_integer<unsigned>(bytes[offset]); }

    std::vector<std::byte> bytes;
    std::vector<std::pair<std::uint64_t, std::size_t>> writes; ///< offset and size of each
    std::optional<std::size_t> room; ///< how much of a write is taken before the disk is full
    bool is_read_only = false;
    unsigned flushes = 0;
};

} // namespace coldstart::fakes
