#include "vmm/base/error.h"
#include "vmm/base/unique_fd.h"
#include "vmm/runtime/io_loop/io_loop.h"
#include "vmm/runtime/io_loop/machine_clock.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <future>
#include <thread>

#include <poll.h>
#include <sys/eventfd.h>

using namespace coldstart;

namespace {

void signal(int fd) {
    const std::uint64_t one = 1;
    REQUIRE(::write(fd, &one, sizeof one) == sizeof one);
}

void drain(int fd) {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(fd, &count, sizeof count);
}

bool comes_true(const std::atomic<int>& value, int wanted) {
    for (int i = 0; i < 2000 && value != wanted; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return value == wanted;
}

} // namespace

TEST_CASE("a loop that is asked to stop ends after what it is about", "[io_loop]") {
    IoLoop loop;
    loop.start();
    std::promise<void> begun, go_on;
    std::atomic<bool> ended = false;
    loop.post([&] {
        begun.set_value();
        go_on.get_future().wait();
        ended = true;
    });
    begun.get_future().wait();
    loop.ask_to_stop(); // which does not wait, or this would never end
    std::atomic<bool> too_late = false;
    loop.post([&] { too_late = true; });
    go_on.set_value();
    loop.stop();
    CHECK(ended);
    CHECK_FALSE(too_late);
}

TEST_CASE("the I/O loop calls back for a ready descriptor and runs posted tasks", "[io_loop]") {
    IoLoop loop;
    loop.start();
    const UniqueFd event(::eventfd(0, EFD_NONBLOCK));
    std::atomic<int> calls = 0;
    auto watch = loop.watch(event.get(), POLLIN, [&](std::uint32_t) {
        drain(event.get());
        ++calls;
    });
    signal(event.get());
    CHECK(comes_true(calls, 1));

    std::promise<std::thread::id> where;
    loop.post([&] { where.set_value(std::this_thread::get_id()); });
    CHECK(where.get_future().get() != std::this_thread::get_id());

    watch->set_events(0);
    signal(event.get());
    std::promise<void> turn;
    loop.post([&] { turn.set_value(); });
    turn.get_future().wait();
    CHECK(calls == 1);
    watch->set_events(POLLIN);
    CHECK(comes_true(calls, 2));
}

TEST_CASE("after a watch is destroyed its callback does not run", "[io_loop]") {
    IoLoop loop;
    loop.start();
    const UniqueFd event(::eventfd(0, EFD_NONBLOCK));
    for (int round = 0; round < 200; ++round) {
        std::atomic<bool> alive = true;
        std::atomic<int> late = 0;
        auto watch = loop.watch(event.get(), POLLIN, [&](std::uint32_t) {
            if (!alive)
                ++late;
        });
        signal(event.get());
        watch.reset();
        alive = false;
        CHECK(late == 0);
    }
}

TEST_CASE("a watch may end itself from its own callback", "[io_loop]") {
    IoLoop loop;
    loop.start();
    const UniqueFd event(::eventfd(0, EFD_NONBLOCK));
    std::atomic<int> calls = 0;
    std::unique_ptr<Watch> watch;
    std::promise<void> ready;
    loop.post([&] {
        watch = loop.watch(event.get(), POLLIN, [&](std::uint32_t) {
            watch.reset();
            ++calls;
        });
        ready.set_value();
    });
    ready.get_future().wait();
    signal(event.get());
    CHECK(comes_true(calls, 1));
    signal(event.get());
    std::promise<void> turn;
    loop.post([&] { turn.set_value(); });
    turn.get_future().wait();
    CHECK(calls == 1);
}

TEST_CASE("a hung-up descriptor watched for nothing is silent", "[io_loop]") {
    IoLoop loop;
    loop.start();
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const UniqueFd reading(ends[0]);
    UniqueFd writing(ends[1]);
    std::atomic<int> calls = 0;
    std::unique_ptr<Watch> watch;
    std::promise<void> made;
    loop.post([&] {
        watch = loop.watch(reading.get(), POLLIN, [&](std::uint32_t) {
            ++calls;
            watch->set_events(0);
        });
        made.set_value();
    });
    made.get_future().wait();
    writing.reset();
    CHECK(comes_true(calls, 1));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK(calls == 1);
    watch->set_events(POLLIN);
    CHECK(comes_true(calls, 2));
}

TEST_CASE("a regular file can't be watched", "[io_loop]") {
    IoLoop loop;
    FILE* file = std::tmpfile();
    REQUIRE(file != nullptr);
    CHECK_THROWS_AS(loop.watch(::fileno(file), POLLIN, [](std::uint32_t) {}), Error);
    std::fclose(file);
}

TEST_CASE("the machine's clock and timers stand still while it is paused", "[io_loop]") {
    IoLoop loop;
    loop.start();
    MachineClock clock(loop);
    std::atomic<int> fired = 0;
    const auto timer = clock.make_timer([&] { ++fired; });
    timer->arm(clock.now_ns() + 1'000'000);
    CHECK(comes_true(fired, 1));

    timer->arm(0); // long past
    CHECK(comes_true(fired, 2));

    clock.pause();
    const std::uint64_t paused_at = clock.now_ns();
    timer->arm(paused_at + 1'000'000);
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    CHECK(clock.now_ns() == paused_at);
    CHECK(fired == 2);
    clock.resume();
    CHECK(clock.now_ns() - paused_at < 25'000'000);
    CHECK(comes_true(fired, 3));

    timer->arm(clock.now_ns() + 20'000'000);
    timer->cancel();
    std::this_thread::sleep_for(std::chrono::milliseconds(40));
    CHECK(fired == 3);
}
