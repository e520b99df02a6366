// The split queue as a driver sees it: chains, notifications, and drivers that mean harm.
#include "tests/fakes/fakes.h"
#include "tests/fakes/virtio_driver.h"
#include "tests/fakes/virtio_echo.h"
#include "virtio/transport/mmio/virtio_mmio_device.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"

#include <array>
#include <catch2/catch.hpp>
#include <string>

using namespace coldstart;
using namespace coldstart::fakes;

namespace {

constexpr std::uint64_t indirect = virtio_feature::indirect_desc;
constexpr std::uint64_t event_idx = virtio_feature::event_idx;
constexpr std::uint64_t ram_bytes = 2 * MiB;

struct EchoMachine {
    GuestMemory memory = GuestMemory::on_heap(ram_bytes);
    FakeIrqLine line;
    FakeReactor reactor;
    VirtioEcho* echo = new VirtioEcho;
    VirtioMmioDevice mmio{std::unique_ptr<VirtioDevice>(echo), memory, line, reactor};
    VirtioDriver driver{mmio, memory};

    VirtioDriver::Queue& queue() { return driver.queue(0); }
    void run() { reactor.run_until_idle(); }
    void kick() {
        queue().kick();
        run();
    }
    bool broken() { return (driver.status() & 0x40) != 0; }
};

} // namespace

TEST_CASE("segments are one run of bytes", "[virtio]") {
    char a[] = "abc", b[] = "defg";
    std::array<iovec, 3> segments{{{a, 3}, {a, 0}, {b, 4}}};
    std::array<std::byte, 8> out{};
    CHECK(copy_from_segments(segments, 2, out) == 5);
    CHECK(out[0] == std::byte{'c'});
    CHECK(out[4] == std::byte{'g'});
    CHECK(copy_from_segments(segments, 7, out) == 0);
    CHECK(copy_from_segments(segments, ~0ull, out) == 0);
    CHECK(copy_to_segments(segments, 1, std::as_bytes(std::span("XYZ", 3))) == 3);
    CHECK(std::string(a) + b == "aXYZefg");
    auto rest = drop_front(segments, 4);
    REQUIRE(rest.size() == 1);
    CHECK(rest[0].iov_base == b + 1);
    CHECK(rest[0].iov_len == 3);
    CHECK(keep_front(rest, 2)[0].iov_len == 2);
    CHECK(keep_front(rest, 0).empty());
    CHECK(drop_front(rest, 99).empty());
}

TEST_CASE("chains come through in any shape", "[virtio]") {
    EchoMachine m;
    m.driver.start(indirect, {16, 16});
    const Chain plain = m.queue().chain().out("hel").out("lo").in(2).in(8).add();
    const Chain table = m.queue().chain().out("indi").out("rect").in(8).indirect().add();
    m.kick();
    CHECK(m.queue().take_used() == UsedBuffer{plain.head, 5});
    CHECK(m.queue().take_used() == UsedBuffer{table.head, 8});
    CHECK(m.driver.text(plain.buffers[2], 2) + m.driver.text(plain.buffers[3], 3) == "hello");
    CHECK(m.driver.text(table.buffers[2], 8) == "indirect");
    CHECK(m.line.rising_edges == 1);

    SECTION("plain descriptors may lead to an indirect table") {
        const Gpa list = m.driver.alloc(16);
        const Gpa buffer = m.driver.alloc(8);
        m.memory.store(list, buffer.value);
        m.memory.store(list + 8, std::uint32_t{8});
        m.memory.store(list + 12, std::uint16_t{2});
        // 2.7.5.3.2: the write flag of the descriptor of the table itself means nothing.
        m.queue().chain().out("mixed").raw(list, 16, 4 | 2).add();
        m.kick();
        CHECK(m.queue().take_used()->length == 5);
        CHECK(m.driver.text(buffer, 5) == "mixed");
    }
    SECTION("a chain may only read or only write") {
        m.queue().chain().out("x").add();
        m.queue().chain().in(1).add();
        m.kick();
        CHECK(m.queue().take_used()->length == 0);
        CHECK(m.queue().take_used()->length == 0);
        CHECK_FALSE(m.broken());
    }
}

TEST_CASE("indices wrap at 65536", "[virtio]") {
    EchoMachine m;
    const bool with_event_idx = GENERATE(false, true);
    m.driver.start(with_event_idx ? event_idx : 0, {4, 4});
    const Gpa mark = m.driver.heap_mark();
    unsigned wrong = 0;
    for (unsigned i = 0; i < 66000; ++i) {
        m.driver.rewind(mark);
        m.queue().set_used_event(static_cast<std::uint16_t>(i));
        m.queue().chain().out("ab").in(4).add();
        wrong += m.queue().kick_if_wanted(with_event_idx) ? 0 : 1;
        m.run();
        const auto used = m.queue().take_used();
        wrong += used && used->length == 2 ? 0 : 1;
    }
    CHECK(wrong == 0);
    CHECK(m.line.rising_edges == 66000);
    CHECK(m.queue().used_index() == static_cast<std::uint16_t>(66000));
}

TEST_CASE("without EVENT_IDX the flags suppress interrupts", "[virtio]") {
    EchoMachine m;
    m.driver.start(0, {8, 8});
    m.queue().suppress_interrupts(true);
    m.queue().chain().out("a").add();
    m.kick();
    CHECK(m.queue().used_index() == 1);
    CHECK(m.line.rising_edges == 0);
    CHECK(m.driver.read(0x60) == 0);
    m.queue().suppress_interrupts(false);
    m.queue().chain().out("a").add();
    m.kick();
    CHECK(m.line.rising_edges == 1);
    CHECK(m.queue().used_flags() == 0); // notifications are wanted again after the batch
}

TEST_CASE("EVENT_IDX decides about interrupts and kicks", "[virtio]") {
    EchoMachine m;
    m.driver.start(event_idx, {16, 16});
    CHECK(m.queue().avail_event() == 0);

    m.queue().set_used_event(2); // interrupt when used index moves past 2
    m.queue().chain().out("a").add();
    m.queue().chain().out("b").add();
    m.kick();
    CHECK(m.queue().used_index() == 2);
    CHECK(m.line.rising_edges == 0);
    m.queue().chain().out("c").add();
    m.kick();
    CHECK(m.line.rising_edges == 1);
    CHECK(m.queue().avail_event() == 3);

    // The flag has no meaning with EVENT_IDX.
    m.queue().suppress_interrupts(true);
    m.queue().set_used_event(3);
    m.queue().chain().out("d").add();
    m.kick();
    CHECK(m.line.rising_edges == 2);

    // One batch that moves past the event in its middle counts.
    m.queue().set_used_event(5);
    for (int i = 0; i < 4; ++i)
        m.queue().chain().out("e").add();
    m.kick();
    CHECK(m.line.rising_edges == 3);
    // A driver that fell behind is not interrupted again until it moves its event.
    m.queue().chain().out("f").add();
    m.kick();
    CHECK(m.line.rising_edges == 3);
}

TEST_CASE("vring_need_event is arithmetic modulo 2^16", "[virtio]") {
    CHECK(virtq::need_event(0, 1, 0));
    CHECK_FALSE(virtq::need_event(1, 1, 0));
    CHECK(virtq::need_event(0xffff, 0, 0xffff));
    CHECK(virtq::need_event(0xffff, 3, 0xfffe));
    CHECK_FALSE(virtq::need_event(0xfffd, 3, 0xfffe));
    CHECK_FALSE(virtq::need_event(3, 3, 0xfffe));
}

TEST_CASE("a queue is refused where it can't be", "[virtio]") {
    EchoMachine m;
    REQUIRE(m.driver.negotiate(event_idx));
    auto try_queue = [&m](std::uint32_t size, std::uint64_t desc, std::uint64_t avail,
                          std::uint64_t used) {
        m.driver.write(0x30, 0);
        m.driver.write(0x38, size);
        m.driver.write_address(0x80, Gpa(desc));
        m.driver.write_address(0x90, Gpa(avail));
        m.driver.write_address(0xa0, Gpa(used));
        m.driver.write(0x44, 1);
        const bool ready = m.driver.read(0x44) == 1;
        CHECK(m.broken() == !ready);
        return ready;
    };
    SECTION("good") {
        CHECK(try_queue(256, 0x1000, 0x2000, 0x3000));
    }
    SECTION("at the very end of RAM") {
        CHECK(try_queue(8, 0, ram_bytes - 22, 0x1000));
    }
    SECTION("no power of two") {
        CHECK_FALSE(try_queue(255, 0x1000, 0x2000, 0x3000));
    }
    SECTION("size 0") {
        CHECK_FALSE(try_queue(0, 0x1000, 0x2000, 0x3000));
    }
    SECTION("too large") {
        CHECK_FALSE(try_queue(512, 0x1000, 0x8000, 0x10000));
    }
    SECTION("size beyond 16 bits") {
        CHECK_FALSE(try_queue(0x10100, 0x1000, 0x2000, 0x3000));
    }
    SECTION("table misaligned") {
        CHECK_FALSE(try_queue(8, 0x1008, 0x2000, 0x3000));
    }
    SECTION("avail misaligned") {
        CHECK_FALSE(try_queue(8, 0x1000, 0x2001, 0x3000));
    }
    SECTION("used misaligned") {
        CHECK_FALSE(try_queue(8, 0x1000, 0x2000, 0x3002));
    }
    SECTION("table outside") {
        CHECK_FALSE(try_queue(8, ram_bytes - 112, 0x2000, 0x3000));
    }
    SECTION("used_event outside") {
        CHECK_FALSE(try_queue(8, 0, ram_bytes - 20, 0x3000));
    }
    SECTION("used outside") {
        CHECK_FALSE(try_queue(8, 0, 0x2000, ram_bytes - 68));
    }
    SECTION("wrapping") {
        CHECK_FALSE(try_queue(8, ~0ull - 15, 0x2000, 0x3000));
    }
}

TEST_CASE("a driver that breaks the rules gets DEVICE_NEEDS_RESET", "[virtio]") {
    EchoMachine m;
    m.driver.start(indirect, {16, 16});
    auto& queue = m.queue();
    const Gpa buffer = m.driver.alloc(64);
    auto table_of = [&](std::uint64_t address, std::uint32_t length, std::uint16_t flags,
                        std::uint16_t next) {
        const Gpa table = m.driver.alloc(16);
        m.memory.store(table, address);
        m.memory.store(table + 8, length);
        m.memory.store(table + 12, flags);
        m.memory.store(table + 14, next);
        return table;
    };

    SECTION("a loop") {
        queue.write_descriptor(0, buffer, 1, 1, 1);
        queue.write_descriptor(1, buffer, 1, 1, 0);
        queue.make_available(0);
    }
    SECTION("a descriptor that follows itself") {
        queue.write_descriptor(5, buffer, 1, 1 | 2, 5);
        queue.make_available(5);
    }
    SECTION("a loop in an indirect table") {
        queue.chain().raw(table_of(buffer.value, 1, 1, 0), 16, 4).add();
    }
    SECTION("head outside the table") {
        queue.make_available(16);
    }
    SECTION("next outside the table") {
        queue.write_descriptor(0, buffer, 1, 1, 0xffff);
        queue.make_available(0);
    }
    SECTION("readable after writable") {
        queue.chain().in(1).out("a").add();
    }
    SECTION("no bytes") {
        queue.chain().raw(buffer, 0, 0).add();
    }
    SECTION("a buffer outside RAM") {
        queue.chain().raw(Gpa(ram_bytes - 1), 2, 0).add();
    }
    SECTION("a buffer that wraps") {
        queue.chain().raw(Gpa(~0ull - 3), 8, 2).add();
    }
    SECTION("an indirect table outside RAM") {
        queue.chain().raw(Gpa(ram_bytes), 16, 4).add();
    }
    SECTION("an indirect table of no bytes") {
        queue.chain().raw(buffer, 0, 4).add();
    }
    SECTION("an indirect table of 24 bytes") {
        queue.chain().raw(buffer, 24, 4).add();
    }
    SECTION("an indirect table in an indirect table") {
        const Gpa inner = table_of(buffer.value, 1, 0, 0);
        queue.chain().raw(table_of(inner.value, 16, 4, 0), 16, 4).add();
    }
    SECTION("an indirect descriptor with a next") {
        queue.write_descriptor(0, table_of(buffer.value, 1, 0, 0), 16, 4 | 1, 1);
        queue.make_available(0);
    }
    SECTION("more segments than the device takes") {
        auto chain = queue.chain().indirect();
        for (int i = 0; i < 65; ++i)
            chain.raw(buffer, 1, 0);
        chain.add();
    }
    SECTION("an avail index out of the world") {
        queue.set_avail_index(17);
    }
    SECTION("an avail index that goes back") {
        queue.chain().out("a").add();
        m.kick();
        REQUIRE_FALSE(m.broken());
        queue.set_avail_index(0);
    }

    const unsigned edges = m.line.rising_edges;
    m.kick();
    CHECK(m.broken());
    CHECK_FALSE(m.echo->last_error.empty());
    CHECK((m.driver.read(0x60) & 2) != 0); // told by a configuration interrupt
    CHECK(m.line.rising_edges == edges + 1);

    const unsigned processed = m.echo->processed;
    m.kick();
    CHECK(m.echo->processed == processed); // the queues are ignored from then on

    m.driver.reset();
    CHECK(m.driver.status() == 0);
    m.driver.start(indirect, {16, 16});
    const Chain chain = m.queue().chain().out("fine").in(4).add();
    m.kick();
    CHECK(m.queue().take_used() == UsedBuffer{chain.head, 4});
}

TEST_CASE("indirect descriptors are refused unless negotiated", "[virtio]") {
    EchoMachine m;
    m.driver.start(0, {16, 16});
    m.queue().chain().out("a").indirect().add();
    m.kick();
    CHECK(m.broken());
}

TEST_CASE("a queue goes on where it was saved", "[virtio]") {
    EchoMachine m;
    m.driver.start(event_idx, {8, 8});
    for (int i = 0; i < 5; ++i) {
        m.queue().set_used_event(static_cast<std::uint16_t>(i));
        m.queue().chain().out("x").in(1).add();
        m.kick();
        m.queue().take_used();
    }
    m.mmio.pause();
    m.queue().chain().out("y").in(1).add();
    m.queue().kick();
    m.run();
    CHECK(m.queue().used_index() == 5);
    REQUIRE(m.mmio.drained());
    StateWriter writer;
    m.mmio.save(writer);

    auto* echo = new VirtioEcho;
    VirtioMmioDevice restored(std::unique_ptr<VirtioDevice>(echo), m.memory, m.line, m.reactor);
    StateReader reader(writer.bytes());
    restored.restore(reader);
    CHECK(reader.at_end());
    CHECK(restored.read(0, 0x70, 4) == m.driver.status());
    CHECK(echo->activations == 1);
    restored.start();
    m.run();
    CHECK(m.queue().used_index() == 6);

    // Every cut of the state is refused, and so is a device of another kind.
    const ByteView bytes(writer.bytes());
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        StateReader cut(bytes.first(size));
        CHECK_THROWS_AS(restored.restore(cut), Error);
    }
    auto* narrow = new VirtioEcho;
    narrow->sizes = {256};
    VirtioMmioDevice other(std::unique_ptr<VirtioDevice>(narrow), m.memory, m.line, m.reactor);
    StateReader again(bytes);
    CHECK_THROWS_AS(other.restore(again), Error);
}
