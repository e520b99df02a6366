// Devices on a real I/O thread, with a driver on another: what ThreadSanitizer should see.
#include "tests/fakes/fakes.h"
#include "tests/fakes/virtio_driver.h"
#include "tests/fakes/virtio_temp_file.h"
#include "virtio/backend/raw_disk.h"
#include "virtio/blk/virtio_blk.h"
#include "virtio/rng/virtio_rng.h"
#include "virtio/transport/mmio/virtio_mmio_device.h"
#include "vmm/base/byte_size.h"
#include "vmm/runtime/io_loop/machine_clock.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <map>
#include <thread>

#include <sys/epoll.h>
#include <sys/eventfd.h>

using namespace coldstart;
using namespace coldstart::fakes;

namespace {

/// A reactor with a thread: callbacks run under one mutex, which a watch's destructor takes.
class ThreadReactor final : public Reactor {
  public:
    ThreadReactor() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), stop_(::eventfd(0, EFD_CLOEXEC)) {
        add(stop_.get(), 0, EPOLLIN);
        thread_ = std::thread([this] { loop(); });
    }
    ~ThreadReactor() override {
        ::eventfd_write(stop_.get(), 1);
        thread_.join();
    }
    std::unique_ptr<Watch> watch(int fd, std::uint32_t events,
                                 std::function<void(std::uint32_t)> on_ready) override {
        const std::lock_guard guard(mutex_);
        const std::uint64_t id = ++last_id_;
        callbacks_[id] = std::move(on_ready);
        add(fd, id, events);
        return std::make_unique<ThreadWatch>(*this, id, fd);
    }
    void post(std::function<void()>) override { std::abort(); }

  private:
    struct ThreadWatch final : Watch {
        ThreadWatch(ThreadReactor& owner, std::uint64_t number, int watched)
            : reactor(owner), id(number), fd(watched) {}
        ~ThreadWatch() override {
            const std::lock_guard guard(reactor.mutex_);
            ::epoll_ctl(reactor.epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
            reactor.callbacks_.erase(id);
        }
        void set_events(std::uint32_t) noexcept override { std::abort(); }
        ThreadReactor& reactor;
        std::uint64_t id;
        int fd;
    };

    void add(int fd, std::uint64_t id, std::uint32_t events) {
        epoll_event event{};
        event.events = events;
        event.data.u64 = id;
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
    }
    void loop() {
        for (;;) {
            epoll_event event{};
            if (::epoll_wait(epoll_.get(), &event, 1, -1) <= 0)
                continue;
            if (event.data.u64 == 0)
                return;
            const std::lock_guard guard(mutex_);
            const auto found = callbacks_.find(event.data.u64);
            if (found != callbacks_.end())
                found->second(event.events);
        }
    }

    UniqueFd epoll_, stop_;
    std::mutex mutex_;
    std::map<std::uint64_t, std::function<void(std::uint32_t)>> callbacks_;
    std::uint64_t last_id_ = 0;
    std::thread thread_;
};

/// Polls the used ring as a driver without interrupts would.
bool wait_used(VirtioDriver::Queue& queue, std::uint16_t index) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (queue.used_index() != index) {
        if (std::chrono::steady_clock::now() > limit)
            return false;
        std::this_thread::yield();
    }
    return true;
}

std::string request(std::uint32_t type, std::uint64_t sector) {
    const virtio_blk::RequestHeader fields{type, 0, sector};
    return {reinterpret_cast<const char*>(&fields), sizeof fields};
}

} // namespace

TEST_CASE("a disk serves a driver on another thread and loses no kick", "[virtio][threads]") {
    const bool event_idx = GENERATE(false, true);
    const TempFile file(MiB);
    const GuestMemory memory = GuestMemory::on_heap(4 * MiB);
    FakeIrqLine line;
    ThreadReactor reactor;
    VirtioMmioDevice mmio(
        std::make_unique<VirtioBlk>(std::make_unique<RawDisk>(RawDiskOptions{file.path()}, reactor),
                                    VirtioBlkOptions{}),
        memory, line, reactor);
    VirtioDriver driver(mmio, memory);
    driver.start(virtio_blk::feature_flush | (event_idx ? virtio_feature::event_idx : 0), {64});
    auto& queue = driver.queue(0);
    const Gpa mark = driver.heap_mark();
    std::uint16_t done = 0;
    unsigned wrong = 0;
    for (unsigned round = 0; round < 150; ++round) {
        driver.rewind(mark);
        std::vector<Chain> chains;
        const unsigned batch = 1 + round % 12;
        for (unsigned i = 0; i < batch; ++i) {
            const std::string data(512, static_cast<char>('a' + (round + i) % 26));
            chains.push_back(
                queue.chain().out(request(virtio_blk::type_out, i)).out(data).in(1).add());
            queue.kick_if_wanted(event_idx);
        }
        done = static_cast<std::uint16_t>(done + batch);
        REQUIRE(wait_used(queue, done));
        while (queue.take_used()) {
        }
        for (const Chain& chain : chains)
            wrong += driver.text(chain.buffers[2], 1) != std::string(1, '\0');
        driver.read(0x60);
        driver.write(0x64, 1);
    }
    CHECK(wrong == 0);
    CHECK(file.read(0, 1) == std::string(1, 'a' + 149 % 26));
    CHECK((driver.status() & 0x40) == 0);
}

TEST_CASE("a driver may reset its disk at any moment", "[virtio][threads]") {
    const TempFile file(MiB);
    const GuestMemory memory = GuestMemory::on_heap(4 * MiB);
    FakeIrqLine line;
    ThreadReactor reactor;
    VirtioMmioDevice mmio(std::make_unique<VirtioBlk>(
                              std::make_unique<RawDisk>(
                                  RawDiskOptions{file.path(), false,
                                                 file.takes_direct_io() ? DiskCacheMode::none
                                                                        : DiskCacheMode::writeback},
                                  reactor),
                              VirtioBlkOptions{}),
                          memory, line, reactor);
    VirtioDriver driver(mmio, memory);
    for (unsigned round = 0; round < 100; ++round) {
        driver.start(virtio_blk::feature_flush, {64});
        for (unsigned i = 0; i < 8; ++i)
            driver.queue(0).chain().out(request(virtio_blk::type_in, i * 8)).in(4096).in(1).add();
        driver.queue(0).kick();
        if (round % 2 == 0)
            std::this_thread::sleep_for(std::chrono::microseconds(round * 4));
        driver.reset();
        CHECK(driver.status() == 0);
        // From here on the memory is the driver's again.
        memory.fill(Gpa(0x1000), MiB, std::byte{0});
    }
    driver.start(0, {64});
    driver.queue(0).chain().out(request(virtio_blk::type_in, 0)).in(512).in(1).add();
    driver.queue(0).kick();
    CHECK(wait_used(driver.queue(0), 1));
}

TEST_CASE("a disk goes away while its last completion is under way", "[virtio][threads]") {
    const TempFile file(MiB);
    ThreadReactor reactor;
    for (unsigned round = 0; round < 60; ++round) {
        const GuestMemory memory = GuestMemory::on_heap(MiB);
        FakeIrqLine line;
        VirtioMmioDevice mmio(std::make_unique<VirtioBlk>(
                                  std::make_unique<RawDisk>(RawDiskOptions{file.path()}, reactor),
                                  VirtioBlkOptions{}),
                              memory, line, reactor);
        VirtioDriver driver(mmio, memory);
        driver.start(0, {64});
        driver.queue(0).chain().out(request(virtio_blk::type_in, 0)).in(512).in(1).add();
        driver.queue(0).kick();
        CHECK(wait_used(driver.queue(0), 1));
    }
}

TEST_CASE("pause, resume and destruction while a driver kicks", "[virtio][threads]") {
    const GuestMemory memory = GuestMemory::on_heap(MiB);
    FakeIrqLine line;
    ThreadReactor reactor;
    VirtioMmioDevice mmio(std::make_unique<VirtioRng>(), memory, line, reactor);
    VirtioDriver driver(mmio, memory);
    driver.start(virtio_feature::event_idx, {64});
    std::thread vcpu([&] {
        for (unsigned i = 0; i < 64; ++i) {
            driver.queue(0).chain().in(64).add();
            driver.queue(0).kick();
        }
    });
    for (int i = 0; i < 20; ++i) {
        mmio.pause();
        while (!mmio.drained())
            std::this_thread::yield();
        mmio.resume();
    }
    vcpu.join();
    CHECK(wait_used(driver.queue(0), 64));
}

TEST_CASE("images change under a driver at work", "[virtio][threads]") {
    const TempFile files[] = {TempFile(MiB), TempFile(64 * KiB), TempFile(0)};
    const GuestMemory memory = GuestMemory::on_heap(4 * MiB);
    FakeIrqLine line;
    ThreadReactor reactor;
    auto device = std::make_unique<VirtioBlk>(
        std::make_unique<RawDisk>(RawDiskOptions{files[0].path()}, reactor), VirtioBlkOptions{});
    VirtioBlk& blk = *device;
    VirtioMmioDevice mmio(std::move(device), memory, line, reactor);
    VirtioDriver driver(mmio, memory);
    driver.start(virtio_blk::feature_flush | virtio_feature::event_idx, {64});
    auto& queue = driver.queue(0);
    std::atomic<bool> done = false;
    unsigned replaced = 0;
    std::thread control([&] {
        for (; !done || replaced < 30; ++replaced) {
            RawDiskOptions options{files[replaced % 4 % 3].path()}; // now and then the same again
            options.replaces = dynamic_cast<const RawDisk*>(&blk.image());
            blk.replace_image(std::make_unique<RawDisk>(options, reactor));
        }
    });
    const Gpa mark = driver.heap_mark();
    std::uint16_t used = 0;
    unsigned wrong = 0;
    bool alive = true;
    for (unsigned round = 0; round < 200 && alive; ++round) {
        driver.rewind(mark);
        std::vector<Chain> chains;
        for (unsigned i = 0; i < 8; ++i) {
            const std::uint32_t type = i % 2 == 0 ? virtio_blk::type_in : virtio_blk::type_out;
            auto chain = queue.chain().out(request(type, i * 8));
            if (i % 2 == 0)
                chain.in(4096);
            else
                chain.out(std::string(4096, 'd'));
            chains.push_back(chain.in(1).place());
            memory.store(chains.back().buffers[2], std::uint8_t{0xff});
            queue.make_available(chains.back().head);
            queue.kick_if_wanted(true);
        }
        used = static_cast<std::uint16_t>(used + chains.size());
        alive = wait_used(queue, used);
        while (queue.take_used()) {
        }
        // Done, or beyond the end of an image of no bytes.
        for (const Chain& chain : chains)
            wrong += *memory.load<std::uint8_t>(chain.buffers[2]) > 1;
        driver.config<std::uint64_t>(0);
        driver.write(0x64, driver.read(0x60));
    }
    done = true;
    control.join();
    CHECK(alive);
    CHECK(wrong == 0);
    CHECK(driver.status() == 15);
    CHECK(replaced >= 30);
}

TEST_CASE("limits change under a driver at work", "[virtio][threads]") {
    const GuestMemory memory = GuestMemory::on_heap(MiB);
    FakeIrqLine line;
    ThreadReactor reactor;
    MachineClock clock(reactor);
    auto device = std::make_unique<VirtioRng>(VirtioRngOptions{&clock, {}});
    VirtioRng& rng = *device;
    VirtioMmioDevice mmio(std::move(device), memory, line, reactor);
    VirtioDriver driver(mmio, memory);
    driver.start(virtio_feature::event_idx, {64});
    auto& queue = driver.queue(0);
    std::atomic<bool> done = false;
    std::thread control([&] {
        for (std::uint64_t round = 0; !done; ++round) {
            rng.set_rate_limit({.bytes = TokenBucketOptions{64 + round % 300, round % 3, 0}});
            if (round % 5 == 0) {
                mmio.pause();
                mmio.resume();
            }
            std::this_thread::yield();
        }
    });
    const Gpa mark = driver.heap_mark();
    bool alive = true;
    for (std::uint16_t used = 0; used < 1600 && alive;) {
        driver.rewind(mark);
        for (unsigned i = 0; i < 8; ++i) {
            queue.chain().in(64).add();
            queue.kick_if_wanted(true);
        }
        used = static_cast<std::uint16_t>(used + 8);
        alive = wait_used(queue, used);
        while (queue.take_used()) {
        }
    }
    done = true;
    control.join();
    CHECK(alive);
}
