// A host end of a console that keeps what was written and takes as much as the test allows.
#pragma once

#include "vmm/base/byte_stream.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>
#include <string>
#include <string_view>

namespace coldstart::fakes {

class FakeByteStream final : public ByteStream {
  public:
    std::size_t write(ByteView bytes) noexcept override {
        const std::lock_guard guard(mutex_);
        const std::size_t taken = std::min(bytes.size(), room_);
        room_ -= taken;
        written_.append(reinterpret_cast<const char*>(bytes.data()), taken);
        return taken;
    }
    void input_wanted() noexcept override { ++wanted; }
    void set_sink(ByteSink* new_sink) noexcept override { sink = new_sink; }

    /// How many more bytes write() takes; without limit at first.
    void set_room(std::size_t room) {
        const std::lock_guard guard(mutex_);
        room_ = room;
    }
    std::string written() const {
        const std::lock_guard guard(mutex_);
        return written_;
    }
    /// Offers `text` as the I/O thread does, no more than fits; how many bytes went in.
    std::size_t type(std::string_view text) {
        ByteSink* const target = sink;
        if (target == nullptr)
            return 0;
        const std::size_t count = std::min(text.size(), target->input_room());
        if (count != 0)
            target->input(std::as_bytes(std::span(text.data(), count)));
        return count;
    }

    std::atomic<ByteSink*> sink = nullptr;
    std::atomic<unsigned> wanted = 0;

  private:
    mutable std::mutex mutex_;
    std::size_t room_ = std::numeric_limits<std::size_t>::max();
    std::string written_;
};

} // namespace coldstart::fakes
