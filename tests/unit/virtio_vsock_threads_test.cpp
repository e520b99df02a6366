// The socket device on a real I/O thread, with a driver, host programs and the machine's control on
// others: what ThreadSanitizer should see.
#include "tests/fakes/virtio_temp_file.h"
#include "tests/fakes/vsock_peers.h"
#include "virtio/transport/mmio/virtio_mmio_device.h"
#include "vmm/base/byte_size.h"
#include "vmm/runtime/io_loop/io_loop.h"
#include "vmm/runtime/io_loop/machine_clock.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

using namespace coldstart;
using namespace coldstart::fakes;
using namespace coldstart::virtio_vsock;

namespace {

using Steady = std::chrono::steady_clock;

struct ThreadedBench {
    ThreadedBench() { loop.start(); }
    ~ThreadedBench() { mmio.halt(); }

    /// An echo server as the guest has it, for so many packets or so long.
    void serve(unsigned packets, std::chrono::milliseconds most) {
        const auto end = Steady::now() + most;
        while (packets != 0 && Steady::now() < end) {
            const auto got = guest.next();
            if (!got) {
                std::this_thread::yield();
                continue;
            }
            --packets;
            if (got->packet.op == op_request)
                guest.answer(got->packet, op_response);
            else if (got->packet.op == op_rw)
                guest.answer(got->packet, op_rw, got->data);
            else if (got->packet.op == op_shutdown)
                guest.answer(got->packet, op_rst);
        }
    }

    TempFile file{0};
    std::string path = file.path() + ".v";
    GuestMemory memory = GuestMemory::on_heap(8 * MiB);
    FakeIrqLine line;
    IoLoop loop;
    MachineClock clock{loop};
    VirtioMmioDevice mmio{std::make_unique<VirtioVsock>(
                              VsockGuest::cid, std::make_shared<VsockListener>(path), loop, clock),
                          memory, line, loop};
    VsockGuest guest{mmio, memory, [] {}};
};

/// True when `text` comes back within some seconds.
bool says(HostProgram& program, const std::string& text, const std::atomic<bool>& stop) {
    const auto end = Steady::now() + std::chrono::seconds(20);
    std::string heard;
    while (!stop && Steady::now() < end && heard.find(text) == std::string::npos) {
        heard += program.read();
        std::this_thread::yield();
    }
    return heard.find(text) != std::string::npos;
}

} // namespace

TEST_CASE("a driver resets the device while host programs talk and the machine pauses",
          "[vsock][threads]") {
    ThreadedBench bench;
    std::atomic<bool> stop = false;
    std::atomic<unsigned> heard = 0;
    const auto host = [&] {
        while (!stop) {
            HostProgram program(bench.path);
            program.write("CONNECT 7\necho this");
            const auto end = Steady::now() + std::chrono::milliseconds(50);
            std::string text;
            while (!stop && Steady::now() < end && text.find("echo this") == std::string::npos) {
                text += program.read();
                std::this_thread::yield();
            }
            heard += text.find("echo this") != std::string::npos ? 1 : 0;
        }
    };
    const auto control = [&] {
        while (!stop) {
            bench.mmio.pause();
            bench.clock.pause();
            while (!bench.mmio.drained())
                std::this_thread::yield();
            StateWriter writer;
            bench.mmio.save(writer);
            bench.clock.resume();
            bench.mmio.resume();
            std::this_thread::sleep_for(std::chrono::milliseconds(3));
        }
    };
    std::thread first(host), second(host), controller(control);
    for (unsigned life = 0; life < 60; ++life) {
        bench.guest.driver.reset();
        bench.guest.start();
        bench.serve(30, std::chrono::milliseconds(20));
    }
    stop = true;
    first.join();
    second.join();
    controller.join();
    CHECK(heard != 0);
    CHECK((bench.guest.driver.status() & 0x40) == 0);

    bench.guest.driver.reset();
    bench.guest.start();
    stop = false;
    HostProgram last(bench.path);
    last.write("CONNECT 7\nstill there");
    std::thread guest([&] {
        while (!stop)
            bench.serve(1, std::chrono::milliseconds(20));
    });
    CHECK(says(last, "still there", stop));
    stop = true;
    guest.join();
}
