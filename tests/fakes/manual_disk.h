// A disk that a test turns by hand.
#pragma once

#include "vmm/base/byte_size.h"
#include "vmm/base/disk_image.h"

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace coldstart::fakes {

/// Completes requests when and how the test says.
class ManualDisk final : public DiskImage {
  public:
    explicit ManualDisk(std::uint64_t size_bytes = 64 * KiB, std::uint32_t depth = 4,
                        bool read_only = false)
        : size_bytes_(size_bytes), depth_(depth), read_only_(read_only) {}

    std::uint64_t size_bytes() const noexcept override { return size_bytes_; }
    bool read_only() const noexcept override { return read_only_; }
    DiskGeometry geometry() const noexcept override { return {512, 4096, 65536}; }
    std::uint32_t max_in_flight() const noexcept override { return depth_; }
    void set_client(DiskClient& owner) noexcept override { client = &owner; }
    void disconnect() noexcept override { client = nullptr; }
    void submit(const DiskRequest& request) noexcept override { waiting.push_back(request); }
    void commit() noexcept override { commits += waiting.empty() ? 0 : 1; }
    void reap() noexcept override {
        for (const auto& [tag, error] : std::exchange(done, {}))
            client->disk_completed(tag, error);
    }
    void drain() noexcept override {
        while (!waiting.empty())
            complete(0, 0);
        reap();
    }
    std::uint32_t in_flight() const noexcept override {
        return static_cast<std::uint32_t>(waiting.size() + done.size());
    }

    void complete(std::size_t which, int error) {
        done.emplace_back(waiting.at(which).tag, error);
        waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(which));
    }

    DiskClient* client = nullptr;
    std::vector<DiskRequest> waiting;
    std::vector<std::pair<std::uint32_t, int>> done;
    unsigned commits = 0;

  private:
    const std::uint64_t size_bytes_;
    const std::uint32_t depth_;
    const bool read_only_;
};

} // namespace coldstart::fakes
