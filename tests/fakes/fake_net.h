// The host's end of a network that a test holds in its hands.
#pragma once

#include "virtio/backend/net_backend.h"
#include "virtio/core/descriptor_chain.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <deque>
#include <limits>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace coldstart::fakes {

/// What the test sees of the network; it outlives the backend.
class FakeNet {
  public:
    /// A frame, header first, for the card.
    void arrive(std::string frame) {
        {
            const std::lock_guard guard(mutex_);
            incoming_.push_back(std::move(frame));
        }
        tell();
    }
    void set_link(bool up) {
        link_up = up;
        tell();
    }
    /// How many more frames send() takes; without limit at first.
    void set_room(std::size_t frames) {
        {
            const std::lock_guard guard(mutex_);
            room_ = frames;
        }
        if (NetClient* const target = client; target != nullptr && frames != 0)
            target->room_again();
    }
    std::vector<std::string> take_sent() {
        const std::lock_guard guard(mutex_);
        return std::exchange(sent_, {});
    }
    std::size_t waiting() const {
        const std::lock_guard guard(mutex_);
        return incoming_.size();
    }

    std::atomic<NetClient*> client = nullptr;
    std::atomic<bool> wanted = false, link_up = true;
    NetOffloads offloads, guest_offloads;

  private:
    friend class FakeNetBackend;
    void tell() {
        if (NetClient* const target = client; target != nullptr && wanted)
            target->frames_wait();
    }

    mutable std::mutex mutex_;
    std::deque<std::string> incoming_;
    std::vector<std::string> sent_;
    std::size_t room_ = std::numeric_limits<std::size_t>::max();
};

class FakeNetBackend final : public NetBackend {
  public:
    explicit FakeNetBackend(FakeNet& net) : net_(net) {}

    void connect(NetClient& client) override { net_.client = &client; }
    void disconnect() noexcept override { net_.client = nullptr; }
    NetOffloads offloads() const noexcept override { return net_.offloads; }
    void set_guest_offloads(NetOffloads offloads) noexcept override {
        net_.guest_offloads = offloads;
    }
    bool link_up() const noexcept override { return net_.link_up; }
    void want_frames(bool wanted) noexcept override { net_.wanted = wanted; }
    std::size_t receive(std::span<std::byte> frame) noexcept override {
        const std::lock_guard guard(net_.mutex_);
        if (net_.incoming_.empty())
            return 0;
        const std::string next = std::move(net_.incoming_.front());
        net_.incoming_.pop_front();
        std::memcpy(frame.data(), next.data(), std::min(frame.size(), next.size()));
        return next.size();
    }
    Sent send(std::span<iovec> frame) noexcept override {
        const std::lock_guard guard(net_.mutex_);
        if (net_.room_ == 0)
            return Sent::full;
        --net_.room_;
        std::string bytes(max_frame_bytes, '\0');
        bytes.resize(copy_from_segments(frame, 0, std::as_writable_bytes(std::span(bytes))));
        net_.sent_.push_back(std::move(bytes));
        return Sent::taken;
    }

  private:
    FakeNet& net_;
};

} // namespace coldstart::fakes
