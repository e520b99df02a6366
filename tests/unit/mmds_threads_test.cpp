// The metadata service on a real I/O loop and clock: that it speaks up by itself, and that its
// owner's lock is all it needs.
#include "tests/unit/mmds_guest.h"
#include "vmm/runtime/io_loop/io_loop.h"
#include "vmm/runtime/io_loop/machine_clock.h"

#include <catch2/catch.hpp>
#include <condition_variable>
#include <mutex>

using namespace coldstart;
using namespace coldstart::fakes;

namespace {

/// Takes frames as a card does: on the I/O thread, under its lock.
class Card final : private NetClient {
  public:
    Card() {
        backend_.connect(*this);
        const std::lock_guard guard(mutex_);
        backend_.want_frames(true);
    }
    ~Card() override { backend_.disconnect(); }

    void send(const std::string& frame) {
        std::string bytes(12, '\0');
        bytes += frame;
        iovec part{bytes.data(), bytes.size()};
        const std::lock_guard guard(mutex_);
        backend_.send({&part, 1});
    }
    bool wait_for(std::size_t frames) {
        std::unique_lock guard(mutex_);
        return came_.wait_for(guard, std::chrono::seconds(20), [&] { return frames_ >= frames; });
    }
    void want(bool wanted) {
        const std::lock_guard guard(mutex_);
        backend_.want_frames(wanted);
    }
    std::size_t frames() {
        const std::lock_guard guard(mutex_);
        return frames_;
    }

  private:
    void frames_wait() noexcept override {
        const std::lock_guard guard(mutex_);
        while (backend_.receive(buffer_) != 0)
            ++frames_;
        backend_.want_frames(true);
        came_.notify_all();
    }
    void room_again() noexcept override {}

    struct Loop {
        Loop() { loop.start(); }
        ~Loop() { loop.stop(); }
        IoLoop loop;
    } loop_;
    MachineClock clock_{loop_.loop};
    FakeNet net_;
    FakeMetadata metadata_;
    MmdsBackend backend_{std::make_unique<FakeNetBackend>(net_), metadata_, clock_, {}};
    std::mutex mutex_;
    std::condition_variable came_;
    std::vector<std::byte> buffer_ = std::vector<std::byte>(NetBackend::max_frame_bytes);
    std::size_t frames_ = 0;
};

} // namespace

TEST_CASE("the metadata service is heard without a kick, at once and after a timeout", "[mmds]") {
    Card card;
    for (std::size_t i = 1; i <= 200; ++i) {
        card.send(MmdsGuest::arp_request(MmdsGuest::service));
        if (i % 50 == 0)
            CHECK(card.wait_for(i));
    }
    CHECK(card.frames() == 200);
    // The answer to a call comes again by the timer.
    card.send(MmdsGuest::ipv4(6, MmdsGuest::tcp({.flags = MmdsGuest::syn})));
    CHECK(card.wait_for(202));
}

TEST_CASE("what the metadata service has to say waits until frames are wanted", "[mmds]") {
    Card card;
    card.want(false);
    card.send(MmdsGuest::arp_request(MmdsGuest::service));
    CHECK(card.frames() == 0);
    card.want(true);
    CHECK(card.wait_for(1));
}
