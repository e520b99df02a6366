#include "tests/fakes/fakes.h"
#include "tests/fakes/virtio_driver.h"
#include "virtio/console/virtio_console.h"
#include "virtio/rng/virtio_rng.h"
#include "virtio/transport/mmio/virtio_mmio_device.h"
#include "vmm/base/byte_size.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace coldstart;
using namespace coldstart::fakes;

namespace {

class FakeStream final : public ByteStream {
  public:
    std::size_t write(ByteView bytes) noexcept override {
        const std::size_t taken = std::min(room, bytes.size());
        output.append(reinterpret_cast<const char*>(bytes.data()), taken);
        room -= taken;
        return taken;
    }
    void input_wanted() noexcept override { ++wanted; }
    void set_sink(ByteSink* new_sink) noexcept override { sink = new_sink; }

    /// What a stream does on its thread: offers as much as the sink takes.
    void type(std::string text) {
        input += text;
        pump();
    }
    void pump() {
        while (!input.empty()) {
            const std::size_t size = std::min(sink->input_room(), input.size());
            if (size == 0)
                return;
            sink->input(std::as_bytes(std::span(input)).first(size));
            input.erase(0, size);
        }
    }

    std::string output, input;
    std::size_t room = 1 << 20;
    unsigned wanted = 0;
    ByteSink* sink = nullptr;
};

struct Machine {
    GuestMemory memory = GuestMemory::on_heap(MiB);
    FakeIrqLine line;
    FakeReactor reactor;
};

struct ConsoleMachine : Machine {
    FakeStream stream;
    VirtioConsole* console = new VirtioConsole(stream, {132, 43});
    VirtioMmioDevice mmio{std::unique_ptr<VirtioDevice>(console), memory, line, reactor};
    VirtioDriver driver{mmio, memory};
};

} // namespace

TEST_CASE("virtio-rng fills buffers up to its bound", "[virtio]") {
    Machine machine;
    VirtioMmioDevice mmio(std::make_unique<VirtioRng>(), machine.memory, machine.line,
                          machine.reactor);
    VirtioDriver driver(mmio, machine.memory);
    CHECK(driver.read(0x08) == 4);
    driver.start(0, {8});

    const Chain small = driver.queue(0).chain().in(64).in(64).add();
    const Chain large = driver.queue(0).chain().in(0x18000).add();
    driver.queue(0).kick();
    machine.reactor.run_until_idle();
    CHECK(driver.queue(0).take_used() == UsedBuffer{small.head, 128});
    CHECK(driver.queue(0).take_used() == UsedBuffer{large.head, 0x10000});
    CHECK_FALSE(driver.queue(0).take_used());
    CHECK(machine.line.rising_edges == 1); // one interrupt for the batch
    CHECK(driver.text(small.buffers[0], 64) != std::string(64, '\0'));
    CHECK(driver.text(small.buffers[0], 64) != driver.text(small.buffers[1], 64));
    CHECK(driver.text(large.buffers[0] + 0x10000, 0x8000) == std::string(0x8000, '\0'));
}

TEST_CASE("virtio-rng takes turns and loses nothing", "[virtio]") {
    Machine machine;
    VirtioMmioDevice mmio(std::make_unique<VirtioRng>(), machine.memory, machine.line,
                          machine.reactor);
    VirtioDriver driver(mmio, machine.memory);
    const bool event_idx = GENERATE(false, true);
    driver.start(event_idx ? 1ull << 29 : 0, {64});
    for (int i = 0; i < 64; ++i)
        driver.queue(0).chain().in(16).add();
    driver.queue(0).kick(); // one kick for 64 buffers
    machine.reactor.run_until_idle();
    CHECK(driver.queue(0).used_index() == 64);
    CHECK((driver.status() & 0x40) == 0);
}

TEST_CASE("virtio-rng refuses a buffer it can't write", "[virtio]") {
    Machine machine;
    VirtioMmioDevice mmio(std::make_unique<VirtioRng>(), machine.memory, machine.line,
                          machine.reactor);
    VirtioDriver driver(mmio, machine.memory);
    driver.start(0, {8});
    driver.queue(0).chain().out("read me").add();
    driver.queue(0).kick();
    machine.reactor.run_until_idle();
    CHECK((driver.status() & 0x40) != 0);
    CHECK((driver.read(0x60) & 2) != 0);
}

TEST_CASE("virtio-console writes chains of any shape to its stream", "[virtio]") {
    ConsoleMachine m;
    CHECK(m.driver.config<std::uint16_t>(0) == 132);
    CHECK(m.driver.config<std::uint16_t>(2) == 43);
    CHECK(m.driver.config<std::uint32_t>(4) == 0);
    m.driver.start(1, {16, 16});
    m.driver.queue(1).chain().out("hello").out(", ").out("world\n").add();
    m.driver.queue(1).chain().out("more").add();
    m.driver.queue(1).kick();
    m.reactor.run_until_idle();
    CHECK(m.stream.output == "hello, world\nmore");
    CHECK(m.driver.queue(1).used_index() == 2);
    CHECK(m.line.rising_edges == 1);
}

TEST_CASE("virtio-console leaves output in the queue while the stream is full", "[virtio]") {
    ConsoleMachine m;
    m.driver.start(0, {16, 16});
    m.stream.room = 7;
    m.driver.queue(1).chain().out("hello").out(", ").out("world\n").add();
    m.driver.queue(1).chain().out("more").add();
    m.driver.queue(1).kick();
    m.reactor.run_until_idle();
    CHECK(m.stream.output == "hello, ");
    CHECK(m.driver.queue(1).used_index() == 0);

    SECTION("and goes on when there is room") {
        m.stream.room = 3;
        m.stream.sink->output_ready();
        CHECK(m.stream.output == "hello, wor");
        m.stream.room = 100;
        m.stream.sink->output_ready();
        CHECK(m.stream.output == "hello, world\nmore");
        CHECK(m.driver.queue(1).used_index() == 2);
    }
    SECTION("and remembers across a save how far it got") {
        m.mmio.pause();
        REQUIRE(m.mmio.drained());
        StateWriter writer;
        m.mmio.save(writer);

        FakeStream other;
        VirtioMmioDevice restored(std::make_unique<VirtioConsole>(other), m.memory, m.line,
                                  m.reactor);
        StateReader reader(writer.bytes());
        restored.restore(reader);
        CHECK(reader.at_end());
        restored.start();
        m.reactor.run_until_idle();
        CHECK(other.output == "world\nmore");
        CHECK(restored.read(0, 0x100, 2) == 132);
    }
    SECTION("and forgets it at a reset") {
        m.driver.reset();
        m.stream.room = 100;
        m.stream.sink->output_ready();
        CHECK(m.stream.output == "hello, ");
    }
}

TEST_CASE("virtio-console reads its stream only into buffers of the guest", "[virtio]") {
    ConsoleMachine m;
    m.stream.type("early");
    CHECK(m.stream.input == "early"); // no driver yet
    m.driver.start(1ull << 29, {16, 16});
    CHECK(m.stream.sink->input_room() == 0);
    const Chain first = m.driver.queue(0).chain().in(2).in(2).add();
    const Chain second = m.driver.queue(0).chain().in(16).add();
    CHECK(m.driver.queue(0).kick_if_wanted(true));
    m.reactor.run_until_idle();
    CHECK(m.stream.wanted == 1);
    m.stream.pump();
    CHECK(m.stream.input.empty());
    CHECK(m.driver.queue(0).take_used() == UsedBuffer{first.head, 4});
    CHECK(m.driver.queue(0).take_used() == UsedBuffer{second.head, 1});
    CHECK(m.driver.text(first.buffers[0], 2) + m.driver.text(first.buffers[1], 2) +
              m.driver.text(second.buffers[0], 1) ==
          "early");

    m.stream.type("x");
    CHECK(m.stream.input == "x");
    m.driver.queue(0).chain().in(16).add();
    CHECK(m.driver.queue(0).kick_if_wanted(true)); // asked for when the buffers ran out
    m.reactor.run_until_idle();
    m.stream.pump();
    CHECK(m.driver.queue(0).take_used()->length == 1);
}

TEST_CASE("virtio-console holds still while paused", "[virtio]") {
    ConsoleMachine m;
    m.driver.start(0, {16, 16});
    m.mmio.pause();
    m.driver.queue(0).chain().in(16).add();
    m.driver.queue(1).chain().out("later").add();
    m.driver.queue(1).kick();
    m.reactor.run_until_idle();
    CHECK(m.stream.output.empty());
    CHECK(m.stream.sink->input_room() == 0);
    m.mmio.resume();
    m.reactor.run_until_idle();
    CHECK(m.stream.output == "later");
    CHECK(m.stream.sink->input_room() == 16);
}

TEST_CASE("virtio-console tells of a new size", "[virtio]") {
    ConsoleMachine m;
    m.driver.start(1, {16, 16});
    const std::uint32_t generation = m.driver.read(0xfc);
    m.console->resize(100, 30);
    CHECK(m.driver.read(0xfc) != generation);
    CHECK(m.driver.read(0x60) == 2);
    CHECK(m.driver.config<std::uint32_t>(0) == (30u << 16 | 100u));
    m.driver.write(0x64, 2);
    CHECK(m.driver.read(0x60) == 0);
}
