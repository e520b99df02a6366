#include "vmm/runtime/control_queue.h"

#include <catch2/catch.hpp>
#include <thread>

using namespace coldstart;

TEST_CASE("the control queue hands on events in order and gives up at the deadline", "[control]") {
    ControlQueue queue;
    queue.post({ControlKind::guest_reset, 0, {}});
    queue.post({ControlKind::vcpu_failed, 0, "dump"});
    CHECK(queue.wait_until(std::nullopt)->kind == ControlKind::guest_reset);
    CHECK(queue.wait_until(std::nullopt)->text == "dump");
    CHECK_FALSE(queue.wait_until(std::chrono::steady_clock::now() + std::chrono::milliseconds(5)));

    std::thread other([&] { queue.post({ControlKind::stop, 15, {}}); });
    CHECK(queue.wait_until(std::nullopt)->number == 15);
    other.join();
}

TEST_CASE("a reset forgets what the guest wished for, not what the host wants", "[control]") {
    ControlQueue queue;
    queue.post({ControlKind::guest_reset, 0, {}});
    queue.post({ControlKind::power_button, 15, {}});
    queue.post({ControlKind::guest_powered_off, 0, {}});
    queue.post({ControlKind::stop, 2, {}});
    queue.forget_guest_events();
    CHECK(queue.wait_until(std::nullopt)->kind == ControlKind::power_button);
    CHECK(queue.wait_until(std::nullopt)->kind == ControlKind::stop);
}
