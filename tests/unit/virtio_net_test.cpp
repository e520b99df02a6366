// The network card: headers, buffers of every shape, offloads, the control queue.
#include "tests/fakes/fake_net.h"
#include "tests/fakes/fakes.h"
#include "tests/fakes/virtio_driver.h"
#include "virtio/net/virtio_net.h"
#include "virtio/transport/mmio/virtio_mmio_device.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"

#include <catch2/catch.hpp>

using namespace coldstart;
using namespace coldstart::fakes;

namespace {

constexpr std::uint64_t f_csum = 1, f_guest_csum = 2, f_mac = 1 << 5, f_guest_tso4 = 1 << 7,
                        f_mrg_rxbuf = 1 << 15, f_status = 1 << 16, f_ctrl_vq = 1 << 17,
                        f_ctrl_rx = 1 << 18, f_ctrl_rx_extra = 1 << 20, f_ctrl_mac = 1 << 23;
constexpr MacAddress own{{0x52, 0x54, 0, 1, 2, 3}};
const std::string own_text("\x52\x54\0\1\2\3", 6);
const std::string broadcast(6, '\xff');
const std::string no_header(12, '\0');

/// A frame with its header, to `destination`.
std::string frame_to(const std::string& destination, std::size_t size = 60) {
    std::string frame = no_header + destination + own_text + "\x08";
    for (std::size_t i = frame.size(); i < size + 12; ++i)
        frame += static_cast<char>('a' + i % 23);
    return frame;
}

struct Card {
    explicit Card(NetOffloads offloads = {}) {
        net.offloads = offloads;
        card = new VirtioNet(std::make_unique<FakeNetBackend>(net), {.mac = own});
        mmio.emplace(std::unique_ptr<VirtioDevice>(card), memory, line, reactor);
        driver.emplace(*mmio, memory);
    }
    void start(std::uint64_t features) {
        driver->start(features, {8, 8, 8});
        reactor.run_until_idle();
    }
    VirtioDriver::Queue& rx() { return driver->queue(0); }
    VirtioDriver::Queue& tx() { return driver->queue(1); }
    void kick(unsigned queue) {
        driver->queue(queue).kick();
        reactor.run_until_idle();
    }
    void arrive(const std::string& frame) {
        net.arrive(frame);
        reactor.run_until_idle();
    }
    /// The bytes of a used chain of one buffer.
    std::string taken(const Chain& chain) {
        const auto used = rx().take_used();
        REQUIRE(used);
        CHECK(used->id == chain.head);
        return driver->text(chain.buffers[0], used->length);
    }
    /// The answer of a control command; 0xff when there is none.
    unsigned command(const std::string& bytes) {
        const Chain chain = driver->queue(2).chain().out(bytes).in(1).add();
        driver->memory().store(chain.buffers[1], std::uint8_t{0xff});
        kick(2);
        CHECK(driver->queue(2).take_used() == UsedBuffer{chain.head, 1});
        return *driver->memory().load<std::uint8_t>(chain.buffers[1]);
    }
    bool receives(const std::string& destination) {
        const Chain chain = rx().chain().in(2000).add();
        kick(0);
        arrive(frame_to(destination));
        const bool got = rx().take_used().has_value();
        if (!got) { // use the buffer up
            arrive(frame_to(own_text));
            rx().take_used();
        }
        return got;
    }
    bool needs_reset() { return (driver->status() & 64) != 0; }

    FakeNet net;
    GuestMemory memory = GuestMemory::on_heap(4 * MiB);
    FakeIrqLine line;
    FakeReactor reactor;
    VirtioNet* card = nullptr;
    std::optional<VirtioMmioDevice> mmio;
    std::optional<VirtioDriver> driver;
};

constexpr NetOffloads all_offloads{.checksum = true, .tso4 = true, .tso6 = true, .ecn = true};

} // namespace

TEST_CASE("virtio-net offers what its backend can", "[virtio][net]") {
    Card plain, rich(all_offloads);
    CHECK(plain.driver->read(0x08) == 1);
    const std::uint64_t always =
        f_mac | f_mrg_rxbuf | f_status | f_ctrl_vq | f_ctrl_rx | f_ctrl_rx_extra | f_ctrl_mac;
    CHECK((plain.driver->offered() & 0xffffff) == always);
    CHECK((rich.driver->offered() & 0xffffff) == (always | 0x3b83));
    CHECK(plain.driver->queue_max_size(2) == 64);
    CHECK(plain.driver->queue_max_size(3) == 0);
    for (unsigned i = 0; i < 6; ++i)
        CHECK(plain.driver->config<std::uint8_t>(i) == own.bytes[i]);
    CHECK(plain.driver->config<std::uint16_t>(6) == 1);

    rich.start(f_csum | f_guest_csum | f_guest_tso4);
    CHECK(rich.net.guest_offloads == NetOffloads{.checksum = true, .tso4 = true});
    rich.driver->reset();
    CHECK(rich.net.guest_offloads == NetOffloads{});
}

TEST_CASE("frames go out as they are, header first", "[virtio][net]") {
    Card card;
    card.start(0);
    const std::string frame = frame_to(broadcast);
    SECTION("in one buffer") {
        card.tx().chain().out(frame).add();
    }
    SECTION("the header apart, as firmware does") {
        card.tx().chain().out(frame.substr(0, 12)).out(frame.substr(12)).add();
    }
    SECTION("cut anywhere") {
        card.tx()
            .chain()
            .out(frame.substr(0, 5))
            .out(frame.substr(5, 20))
            .out(frame.substr(25))
            .add();
    }
    card.kick(1);
    CHECK(card.net.take_sent() == std::vector<std::string>{frame});
    CHECK(card.tx().take_used());
    CHECK(card.line.rising_edges == 1);
}

TEST_CASE("a full host keeps frames in the queue, in order", "[virtio][net]") {
    Card card;
    card.start(0);
    card.net.set_room(1);
    for (std::size_t size = 60; size < 64; ++size)
        card.tx().chain().out(frame_to(broadcast, size)).add();
    card.kick(1);
    CHECK(card.net.take_sent() == std::vector<std::string>{frame_to(broadcast, 60)});
    CHECK(card.tx().used_index() == 1);
    card.kick(1);
    CHECK(card.tx().used_index() == 1);
    card.net.set_room(2);
    CHECK(card.tx().used_index() == 3);
    card.net.set_room(9);
    CHECK(card.net.take_sent() == std::vector<std::string>{frame_to(broadcast, 61),
                                                           frame_to(broadcast, 62),
                                                           frame_to(broadcast, 63)});
}

TEST_CASE("what is no frame is not sent", "[virtio][net]") {
    Card card;
    card.start(0);
    SECTION("a runt and a giant are lost, as on any network") {
        card.tx().chain().out(no_header + "short").add();
        card.tx().chain().out(std::string(NetBackend::max_frame_bytes + 1, 'x')).add();
        card.tx().chain().out(frame_to(broadcast)).add();
        card.kick(1);
        CHECK(card.net.take_sent().size() == 1);
        CHECK(card.tx().used_index() == 3);
        CHECK_FALSE(card.needs_reset());
    }
    SECTION("less than a header breaks the rules") {
        card.tx().chain().out("12345678901").add();
        card.kick(1);
        CHECK(card.needs_reset());
    }
    SECTION("a buffer outside RAM, too") {
        card.tx().chain().raw(Gpa(1ull << 40), 100, 0).add();
        card.kick(1);
        CHECK(card.needs_reset());
    }
    CHECK((card.net.take_sent().empty() || !card.needs_reset()));
}

TEST_CASE("frames come in, a buffer each", "[virtio][net]") {
    Card card;
    card.start(0);
    CHECK_FALSE(card.net.wanted);
    const Chain first = card.rx().chain().in(1526).add();
    card.kick(0);
    CHECK(card.net.wanted);
    std::string expected = frame_to(own_text);
    card.arrive(expected);
    expected[10] = 1; // num_buffers
    CHECK(card.taken(first) == expected);

    SECTION("one that does not fit is dropped, the buffer stays") {
        const Chain chain = card.rx().chain().in(12).in(60).add();
        card.kick(0);
        card.arrive(frame_to(own_text, 61));
        CHECK(card.rx().used_index() == 1);
        card.arrive(frame_to(own_text, 60));
        CHECK(card.rx().take_used() == UsedBuffer{chain.head, 72});
        CHECK(card.driver->text(chain.buffers[1], 60) == frame_to(own_text, 60).substr(12));
    }
    SECTION("without buffers they stay with the host") {
        CHECK_FALSE([&] {
            card.arrive(frame_to(own_text));
            return card.net.wanted.load();
        }());
        card.net.arrive(frame_to(own_text, 80));
        CHECK(card.net.waiting() == 2);
        card.rx().chain().in(1526).add();
        card.rx().chain().in(1526).add();
        card.kick(0);
        CHECK(card.net.waiting() == 0);
        CHECK(card.rx().used_index() == 3);
    }
    SECTION("a num_buffers cut in two is filled all the same") {
        const Chain chain = card.rx().chain().in(11).in(1).in(100).add();
        card.kick(0);
        card.arrive(frame_to(own_text));
        CHECK(card.rx().take_used() == UsedBuffer{chain.head, 72});
        CHECK(*card.memory.load<std::uint8_t>(chain.buffers[0] + 10) == 1);
        CHECK(*card.memory.load<std::uint8_t>(chain.buffers[1]) == 0);
    }
}

TEST_CASE("mergeable buffers take a frame together", "[virtio][net]") {
    Card card;
    card.start(f_mrg_rxbuf);
    const std::string frame = frame_to(own_text, 300);
    const Chain chains[] = {card.rx().chain().in(100).add(), card.rx().chain().in(100).add()};
    card.kick(0);
    card.arrive(frame);
    CHECK(card.rx().used_index() == 0); // it waits for more room
    CHECK_FALSE(card.net.wanted);
    card.arrive(frame_to(own_text, 60));
    const Chain third = card.rx().chain().in(100).add();
    const Chain fourth = card.rx().chain().in(100).add();
    const Chain fifth = card.rx().chain().in(100).add();
    card.kick(0);
    std::string got;
    for (const Chain& chain : {chains[0], chains[1], third, fourth}) {
        const auto used = card.rx().take_used();
        REQUIRE(used);
        CHECK(used->id == chain.head);
        got += card.driver->text(chain.buffers[0], used->length);
    }
    std::string expected = frame;
    expected[10] = 4;
    CHECK(got == expected);
    CHECK(card.rx().take_used() == UsedBuffer{fifth.head, 72}); // the next frame
}

TEST_CASE("a frame larger than all buffers together is dropped", "[virtio][net]") {
    Card card;
    card.start(f_mrg_rxbuf);
    for (unsigned i = 0; i < 8; ++i)
        card.rx().chain().in(20).add();
    card.kick(0);
    card.arrive(frame_to(own_text, 8 * 20 - 11));
    CHECK(card.rx().used_index() == 0);
    card.arrive(frame_to(own_text, 8 * 20 - 12));
    CHECK(card.rx().used_index() == 8);
    CHECK_FALSE(card.needs_reset());
}

TEST_CASE("receive buffers that break the rules break the card", "[virtio][net]") {
    Card card;
    const bool mergeable = GENERATE(false, true);
    card.start(mergeable ? f_mrg_rxbuf : 0);
    SECTION("readable") {
        card.rx().chain().out(std::string(2000, 'x')).add();
    }
    SECTION("without room for a header") {
        card.rx().chain().in(11).add();
        card.rx().chain().in(2000).add();
    }
    SECTION("outside RAM") {
        card.rx().chain().raw(Gpa(1ull << 40), 2000, 2).add();
    }
    SECTION("a wild index") {
        card.rx().set_avail_index(100);
    }
    card.kick(0);
    card.arrive(frame_to(own_text));
    CHECK(card.needs_reset());
    CHECK_FALSE(card.net.wanted);
    card.driver->reset();
    card.start(0);
    const Chain chain = card.rx().chain().in(2000).add();
    card.kick(0);
    card.arrive(frame_to(own_text));
    CHECK(card.taken(chain).size() == 72);
}

TEST_CASE("only offloads the driver takes reach it", "[virtio][net]") {
    Card card(all_offloads);
    std::string checksum = frame_to(own_text), segments = frame_to(own_text),
                valid = frame_to(own_text), ecn = frame_to(own_text);
    checksum[0] = 1;
    valid[0] = 2;
    segments[1] = 1;
    ecn[1] = static_cast<char>(0x81);
    const auto count = [&card](const std::string& frame) {
        card.rx().chain().in(2000).add();
        card.kick(0);
        const unsigned before = card.rx().used_index();
        card.arrive(frame);
        return card.rx().used_index() - before;
    };
    SECTION("none") {
        card.start(0);
        const Chain chain = card.rx().chain().in(2000).add();
        card.kick(0);
        card.arrive(checksum);
        card.arrive(segments);
        CHECK(card.rx().used_index() == 0);
        card.arrive(valid);
        CHECK(card.taken(chain)[0] == 0);
    }
    SECTION("some") {
        card.start(f_guest_csum | f_guest_tso4);
        CHECK(count(checksum) == 1);
        CHECK(count(valid) == 1);
        CHECK(count(segments) == 1);
        CHECK(count(ecn) == 0);
        segments[1] = 4; // TCP over IPv6
        CHECK(count(segments) == 0);
        segments[1] = 3; // UDP
        CHECK(count(segments) == 0);
    }
}

TEST_CASE("the control queue sets what is received", "[virtio][net]") {
    Card card;
    card.start(f_ctrl_vq | f_ctrl_rx | f_ctrl_rx_extra | f_ctrl_mac);
    const std::string other("\x52\x54\0\1\2\4", 6), group("\1\0\x5e\0\0\1", 6);
    CHECK(card.receives(other)); // everything, until told otherwise
    REQUIRE(card.command(std::string("\0\0\0", 3)) == 0);
    CHECK_FALSE(card.receives(other));
    CHECK_FALSE(card.receives(group));
    CHECK(card.receives(broadcast));
    CHECK(card.receives(own_text));

    SECTION("modes") {
        CHECK(card.command(std::string("\0\1\1", 3)) == 0);
        CHECK(card.receives(group));
        CHECK(card.command(std::string("\0\2\1", 3)) == 0);
        CHECK(card.receives(other));
        CHECK(card.command(std::string("\0\3\1", 3)) == 0);
        CHECK_FALSE(card.receives(group));
        CHECK(card.command(std::string("\0\5\1", 3)) == 0);
        CHECK_FALSE(card.receives(broadcast));
    }
    SECTION("tables") {
        const std::string one("\1\0\0\0", 4), none("\0\0\0\0", 4);
        CHECK(card.command(std::string("\1\0", 2) + one + other + one + group) == 0);
        CHECK(card.receives(other));
        CHECK(card.receives(group));
        CHECK(card.command(std::string("\1\0", 2) + none + none) == 0);
        CHECK_FALSE(card.receives(other));
        const std::string hundred("\x64\0\0\0", 4);
        CHECK(card.command(std::string("\1\0", 2) + none + hundred + std::string(600, '\3')) == 0);
        CHECK(card.receives(group)); // too many to tell apart
    }
    SECTION("its own address") {
        CHECK(card.command(std::string("\1\1", 2) + other) == 0);
        CHECK(card.receives(other));
        CHECK(card.driver->config<std::uint8_t>(5) == 4);
        card.driver->reset();
        CHECK(card.driver->config<std::uint8_t>(5) == 3);
    }
    SECTION("and survives a move") {
        card.rx().chain().in(2000).add();
        card.mmio->pause();
        StateWriter writer;
        card.mmio->save(writer);
        Card target;
        target.memory.write(Gpa(0), card.memory.range(Gpa(0), card.memory.size_bytes()));
        StateReader reader(writer.bytes());
        target.mmio->restore(reader);
        target.reactor.run_until_idle();
        const auto used_index = [&] {
            return target.memory.load<std::uint16_t>(card.rx().used() + 2).value();
        };
        const std::uint16_t before = used_index();
        target.arrive(frame_to(other));
        CHECK(used_index() == before);
        target.arrive(frame_to(own_text));
        CHECK(used_index() == before + 1);
    }
    SECTION("nonsense is refused") {
        for (const std::string& bytes :
             {std::string("\0", 1), std::string("\0\0", 2), std::string("\0\6\1", 3),
              std::string("\0\0\0\0", 4), std::string("\1\1\1\1\1\1\1", 7),
              std::string("\1\0\xff\xff\xff\xff", 6), std::string("\1\0\0\0\0\0", 6),
              std::string("\1\0\0\0\0\0\0\0\0\0\0", 11), std::string("\7\0\0", 3),
              std::string(9000, '\0')})
            CHECK(card.command(bytes) == 1);
        CHECK_FALSE(card.needs_reset());
    }
    SECTION("no room for the answer") {
        card.driver->queue(2).chain().out("\0\0\1").add();
        card.kick(2);
        CHECK(card.needs_reset());
    }
}

TEST_CASE("commands that were not negotiated are refused", "[virtio][net]") {
    Card card;
    card.start(f_ctrl_vq | f_ctrl_rx);
    CHECK(card.command(std::string("\0\0\0", 3)) == 0);
    CHECK(card.command(std::string("\0\2\1", 3)) == 1);
    CHECK(card.command(std::string("\1\1", 2) + own_text) == 1);
}

TEST_CASE("the driver hears that the link is down", "[virtio][net]") {
    Card card;
    card.start(f_status);
    card.rx().chain().in(2000).add();
    card.kick(0);
    card.net.set_link(false);
    CHECK(card.driver->config<std::uint16_t>(6) == 0);
    CHECK(card.driver->read(0x60) == 2);
    CHECK(card.driver->read(0xfc) == 1);
}

TEST_CASE("a paused card takes nothing", "[virtio][net]") {
    Card card;
    card.start(0);
    card.rx().chain().in(2000).add();
    card.kick(0);
    card.mmio->pause();
    CHECK_FALSE(card.net.wanted);
    card.tx().chain().out(frame_to(broadcast)).add();
    card.kick(1);
    card.net.arrive(frame_to(own_text));
    CHECK(card.net.take_sent().empty());
    CHECK(card.net.waiting() == 1);
    card.mmio->resume();
    card.reactor.run_until_idle();
    CHECK(card.net.take_sent().size() == 1);
    CHECK(card.rx().used_index() == 1);
}

TEST_CASE("many frames do not hold the I/O thread", "[virtio][net]") {
    Card card;
    card.start(0);
    card.driver->reset();
    card.driver->start(0, {256, 8, 8});
    card.reactor.run_until_idle();
    for (unsigned i = 0; i < 200; ++i)
        card.rx().chain().in(100).add();
    for (unsigned i = 0; i < 200; ++i)
        card.net.arrive(frame_to(own_text));
    card.rx().kick();
    CHECK(card.reactor.run_until_idle() >= 4); // turns
    CHECK(card.rx().used_index() == 200);
}

TEST_CASE("addresses of cards", "[net]") {
    CHECK(MacAddress::parse("52:54:00:01:02:03") == own);
    CHECK(MacAddress::parse("Fe:DC:ba:98:76:54").has_value());
    for (const char* wrong :
         {"", "52:54:00:01:02", "52:54:00:01:02:03:04", "52-54-00-01-02-03", "52:54:00:01:02:0g",
          "5:254:00:01:02:03", "01:00:5e:00:00:01", "00:00:00:00:00:00", "-2:54:00:01:02:03"})
        CHECK_FALSE(MacAddress::parse(wrong));
    const MacAddress one = MacAddress::derived_from("a/net0/"),
                     two = MacAddress::derived_from("a/net1/");
    CHECK(one == MacAddress::derived_from("a/net0/"));
    CHECK_FALSE(one == two);
    CHECK((one.bytes[0] & 3) == 2);
}
