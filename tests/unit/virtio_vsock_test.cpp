// The virtio socket device as virtio 1.2, section 5.10, has it, and guests that break its rules.
#include "tests/fakes/vsock_bench.h"

#include <catch2/catch.hpp>

using namespace coldstart;
using namespace coldstart::fakes;
using namespace coldstart::virtio_vsock;

namespace {

constexpr std::uint32_t guest_port = 1234;
constexpr std::uint32_t host_port = 77;
constexpr std::uint64_t second_ns = 1'000'000'000;

std::string noise(std::size_t size, unsigned seed) {
    std::string text(size, '\0');
    std::uint32_t state = seed * 2654435761u + 1;
    for (char& letter : text) {
        state = state * 1664525u + 1013904223u;
        letter = static_cast<char>(state >> 24);
    }
    return text;
}

bool wants_reset(VsockBench& bench) {
    return (bench.guest.driver.status() & 0x40) != 0;
}

} // namespace

TEST_CASE("virtio-vsock says who the guest is", "[vsock]") {
    VsockBench bench;
    CHECK(bench.guest.driver.read(0x08) == 19);
    CHECK(bench.guest.driver.config<std::uint32_t>(0) == VsockGuest::cid);
    CHECK(bench.guest.driver.config<std::uint32_t>(4) == 0);
    CHECK((bench.guest.driver.offered() & 1) == 1);
    CHECK_THROWS_WITH(VirtioVsock(2, std::make_shared<VsockListener>(bench.path + "2"),
                                  bench.reactor, bench.clock),
                      Catch::Contains("2 is no CID"));
}

TEST_CASE("a host program reaches a port of the guest", "[vsock]") {
    VsockBench bench;
    HostProgram program(bench.path);
    program.write("CONNECT 52\nearly");
    const VsockPacket request = bench.guest.expect(op_request).packet;
    CHECK(request.src_cid == 2);
    CHECK(request.dst_cid == VsockGuest::cid);
    CHECK(request.dst_port == 52);
    CHECK(request.src_port >= 1u << 30);
    CHECK(request.type == 1);
    CHECK(request.len == 0);
    CHECK(request.buf_alloc == VsockConnection::buffer_bytes);
    CHECK(program.read().empty());
    CHECK_FALSE(bench.guest.next()); // what it said early waits for the answer

    bench.guest.answer(request, op_response);
    CHECK(program.read() == "OK " + std::to_string(request.src_port) + "\n");
    CHECK(bench.guest.expect(op_rw).data == "early");
    program.write("hello");
    CHECK(bench.guest.expect(op_rw).data == "hello");
    bench.guest.answer(request, op_rw, "world");
    CHECK(program.read() == "world");

    auto [second, other] = bench.connect(52);
    CHECK(other.src_port != request.src_port);
    second.write("2");
    CHECK(bench.guest.expect(op_rw).packet.src_port == other.src_port);
}

TEST_CASE("a guest that does not listen closes the host program's connection", "[vsock]") {
    VsockBench bench;
    HostProgram program(bench.path);
    program.write("CONNECT 52\n");
    bench.guest.answer(bench.guest.expect(op_request).packet, op_rst);
    CHECK(program.ended());
    CHECK(bench.connections() == 0);
    CHECK_FALSE(bench.guest.next());
}

TEST_CASE("a guest that does not answer closes it in time", "[vsock]") {
    VsockBench bench;
    HostProgram program(bench.path);
    program.write("CONNECT 52\n");
    const VsockPacket request = bench.guest.expect(op_request).packet;
    bench.clock.advance(VsockHost::answer_ns - second_ns);
    CHECK_FALSE(program.ended());
    bench.clock.advance(2 * second_ns);
    CHECK(program.ended());
    CHECK(bench.guest.expect(op_rst).packet.src_port == request.src_port);
    CHECK(bench.connections() == 0);
}

TEST_CASE("the guest reaches a host program, or hears that nobody listens", "[vsock]") {
    VsockBench bench;
    bench.guest.send(op_request, guest_port, host_port);
    const VsockPacket refusal = bench.guest.expect(op_rst).packet;
    CHECK(refusal.src_cid == 2);
    CHECK(refusal.src_port == host_port);
    CHECK(refusal.dst_port == guest_port);
    CHECK(refusal.type == 1);
    CHECK(bench.connections() == 0);

    HostServer server(bench.path + "_77");
    HostProgram program = bench.connect_out(server, guest_port, host_port);
    bench.guest.send(op_rw, guest_port, host_port, "question");
    CHECK(program.read() == "question");
    program.write("answer");
    CHECK(bench.guest.expect(op_rw).data == "answer");
}

TEST_CASE("bytes arrive whole and in order, whatever the credit of either side", "[vsock]") {
    VsockBench bench;
    HostServer server(bench.path + "_77");
    HostProgram program = bench.connect_out(server, guest_port, host_port);
    const std::string down = noise(3'000'001, 1), up = noise(3'000'001, 2);
    bench.guest.buf_alloc = GENERATE(1000u, 1u << 16, 1u << 20);
    std::string received, arrived;
    std::size_t written = 0, sent = 0;
    std::uint32_t peer_forwarded = 0;
    bench.guest.send(op_credit_update, guest_port, host_port);
    for (unsigned round = 0; received.size() < down.size() || arrived.size() < up.size(); ++round) {
        REQUIRE(round < 100'000);
        written += program.write(std::string_view(down).substr(written, 70'000));
        while (const auto got = bench.guest.next()) {
            peer_forwarded = got->packet.fwd_cnt;
            if (got->packet.op == op_rw)
                received += got->data;
            REQUIRE(received.size() - bench.guest.forwarded <= bench.guest.buf_alloc);
        }
        // The guest's program reads now, and tells.
        bench.guest.forwarded = static_cast<std::uint32_t>(received.size());
        const std::size_t credit = VsockConnection::buffer_bytes - (sent - peer_forwarded);
        const std::size_t size = std::min({up.size() - sent, credit, std::size_t{50'000}});
        if (size != 0) {
            bench.guest.send(op_rw, guest_port, host_port, std::string_view(up).substr(sent, size));
            sent += size;
        } else {
            bench.guest.send(op_credit_update, guest_port, host_port);
        }
        arrived += program.read(round % 7 == 0 ? 200'000 : 30'000);
        bench.guest.run();
    }
    CHECK(received == down);
    CHECK(arrived == up);
}

TEST_CASE("without credit the guest is asked once, and goes on when it has some", "[vsock]") {
    VsockBench bench;
    bench.guest.buf_alloc = 10;
    auto [program, request] = bench.connect(52);
    program.write("0123456789abcdef");
    CHECK(bench.guest.expect(op_rw).data == "0123456789");
    bench.guest.expect(op_credit_request);
    CHECK_FALSE(bench.guest.next());
    bench.guest.answer(request, op_credit_update);
    CHECK_FALSE(bench.guest.next()); // none yet, and it knows
    bench.guest.forwarded = 4;
    bench.guest.answer(request, op_credit_update);
    CHECK(bench.guest.expect(op_rw).data == "abcd");
    bench.guest.expect(op_credit_request);
    bench.guest.forwarded = 14;
    bench.guest.answer(request, op_credit_update);
    CHECK(bench.guest.expect(op_rw).data == "ef");
}

TEST_CASE("a guest may ask for its credit, and is told before it runs out", "[vsock]") {
    VsockBench bench;
    auto [program, request] = bench.connect(52);
    bench.guest.answer(request, op_rw, "12345");
    CHECK_FALSE(bench.guest.next());
    bench.guest.answer(request, op_credit_request);
    CHECK(bench.guest.expect(op_credit_update).packet.fwd_cnt == 5);
    CHECK_FALSE(bench.guest.next());
    bench.guest.answer(request, op_rw, std::string(VsockConnection::buffer_bytes / 2, 'x'));
    CHECK_FALSE(bench.guest.next());
    bench.guest.answer(request, op_rw, "6");
    const VsockPacket update = bench.guest.expect(op_credit_update).packet;
    CHECK(update.fwd_cnt == VsockConnection::buffer_bytes / 2 + 6);
    CHECK(update.buf_alloc == VsockConnection::buffer_bytes);
}

TEST_CASE("data beyond the credit resets its connection and no other", "[vsock]") {
    VsockBench bench;
    auto [program, request] = bench.connect(52);
    auto [other, other_request] = bench.connect(53);
    // What the socket does not take fills the buffer; the host program does not read.
    const std::string chunk(60'000, 'x');
    std::optional<VsockGuest::Received> got;
    unsigned sent = 0;
    for (; sent < 100 && !(got && got->packet.op == op_rst); ++sent) {
        bench.guest.answer(request, op_rw, chunk);
        while (const auto more = bench.guest.next())
            got = more;
    }
    REQUIRE(got);
    CHECK(got->packet.op == op_rst);
    CHECK(got->packet.src_port == request.src_port);
    CHECK(sent > 2); // it had some
    CHECK(bench.connections() == 1);
    CHECK_FALSE(wants_reset(bench));
    other.write("still here");
    CHECK(bench.guest.expect(op_rw).data == "still here");
    bench.guest.answer(request, op_rw, "more");
    bench.guest.expect(op_rst); // unknown by now
}

TEST_CASE("each direction ends by itself", "[vsock]") {
    VsockBench bench;
    auto [program, request] = bench.connect(52);
    SECTION("the host's first") {
        program.write("last words");
        program.shut_write();
        CHECK(bench.guest.expect(op_rw).data == "last words");
        CHECK(bench.guest.expect(op_shutdown).packet.flags == shutdown_send);
        bench.guest.answer(request, op_rw, "reply");
        CHECK(program.read() == "reply");
        bench.guest.answer(request, op_shutdown, {}, shutdown_both);
        bench.guest.expect(op_rst);
        CHECK(program.ended());
    }
    SECTION("the guest's first") {
        bench.guest.answer(request, op_rw, "last words");
        bench.guest.answer(request, op_shutdown, {}, shutdown_send);
        CHECK(program.read() == "last words");
        CHECK(program.ended());
        program.write("reply");
        CHECK(bench.guest.expect(op_rw).data == "reply");
        CHECK_FALSE(bench.guest.next());
        program.close();
        CHECK(bench.guest.expect(op_shutdown).packet.flags == shutdown_both);
        bench.guest.answer(request, op_rst);
    }
    SECTION("the guest reads no more") {
        bench.guest.answer(request, op_shutdown, {}, shutdown_receive);
        CHECK(program.write("lost") == 0); // as it hears itself
        bench.guest.answer(request, op_rw, "but says something");
        CHECK(program.read() == "but says something");
        bench.guest.answer(request, op_shutdown, {}, shutdown_send); // flags add up
        bench.guest.expect(op_rst);
        CHECK(program.ended());
    }
    SECTION("data after the end resets") {
        bench.guest.answer(request, op_shutdown, {}, shutdown_send);
        bench.guest.answer(request, op_rw, "more");
        bench.guest.expect(op_rst);
    }
    CHECK_FALSE(bench.guest.next());
    CHECK(bench.connections() == 0);
}

TEST_CASE("a host program that leaves is told of, and the guest has a time to agree", "[vsock]") {
    VsockBench bench;
    auto [program, request] = bench.connect(52);
    program.write("bye");
    program.close();
    CHECK(bench.guest.expect(op_rw).data == "bye");
    CHECK(bench.guest.expect(op_shutdown).packet.flags == shutdown_both);
    CHECK_FALSE(bench.guest.next());
    CHECK(bench.connections() == 1);
    SECTION("and agrees") {
        bench.guest.answer(request, op_rst);
        CHECK_FALSE(bench.guest.next());
    }
    SECTION("and sends more, which nobody has") {
        for (int i = 0; i < 5; ++i)
            bench.guest.answer(request, op_rw, std::string(60'000, 'x'));
        while (const auto got = bench.guest.next())
            CHECK(got->packet.op == op_credit_update);
        bench.guest.answer(request, op_shutdown, {}, shutdown_both);
        bench.guest.expect(op_rst);
    }
    SECTION("and does not") {
        bench.clock.advance(VsockHost::close_ns + second_ns);
        CHECK(bench.guest.expect(op_rst).packet.src_port == request.src_port);
    }
    CHECK(bench.connections() == 0);
}

TEST_CASE("what the guest sent before it closed arrives", "[vsock]") {
    VsockBench bench;
    auto [program, request] = bench.connect(52);
    const std::string text = noise(60'000, 3);
    std::string all;
    for (int i = 0; i < 4; ++i) { // more than a socket holds
        bench.guest.answer(request, op_rw, text);
        all += text;
        while (bench.guest.next())
            ;
    }
    const bool by_reset = GENERATE(false, true);
    if (by_reset) {
        bench.guest.answer(request, op_rst);
    } else {
        bench.guest.answer(request, op_shutdown, {}, shutdown_both);
        bench.guest.expect(op_rst);
    }
    CHECK(bench.connections() == 1); // no longer for the guest
    bench.guest.answer(request, op_credit_update);
    bench.guest.expect(op_rst);
    SECTION("to a host program that reads") {
        std::string arrived;
        while (!program.ended() && arrived.size() < all.size()) {
            bench.guest.run();
            arrived += program.read();
        }
        CHECK(arrived.size() + 1 >= all.size()); // ended() may have taken one
        bench.guest.run();
    }
    SECTION("or is given up in time") {
        bench.clock.advance(VsockHost::linger_ns + second_ns);
    }
    CHECK(bench.connections() == 0);
}

TEST_CASE("packets that make no sense are ignored or refused", "[vsock]") {
    VsockBench bench;
    auto [program, request] = bench.connect(52);
    VsockPacket packet = bench.guest.make(op_rw, 52, request.src_port);
    SECTION("from another CID") {
        packet.src_cid = 4;
        packet.op = op_rst;
        bench.guest.send_raw(packet);
        CHECK_FALSE(bench.guest.next());
        CHECK(bench.connections() == 1);
    }
    SECTION("to another CID") {
        packet.dst_cid = GENERATE(0ull, 1ull, 3ull, 0x1'0000'0002ull);
        bench.guest.send_raw(packet);
        CHECK(bench.guest.expect(op_rst).packet.src_cid == packet.dst_cid);
        CHECK(bench.connections() == 1);
    }
    SECTION("of another type") {
        packet.type = 2;
        bench.guest.send_raw(packet);
        CHECK(bench.guest.expect(op_rst).packet.type == 2);
        CHECK(bench.connections() == 1);
    }
    SECTION("of another operation") {
        packet.op = static_cast<std::uint16_t>(GENERATE(0, 8, 0xffff));
        bench.guest.send_raw(packet);
        CHECK(bench.guest.expect(op_rst).packet.src_port == request.src_port);
        CHECK(program.ended());
        CHECK(bench.connections() == 0);
    }
    SECTION("a second request, a second answer") {
        packet.op = GENERATE(op_request, op_response);
        bench.guest.send_raw(packet);
        bench.guest.expect(op_rst);
        CHECK(program.ended());
        CHECK(bench.connections() == 0);
    }
    SECTION("of no connection") {
        packet.op = GENERATE(op_response, op_shutdown, op_rw, op_credit_update, op_credit_request);
        packet.src_port = 9999;
        bench.guest.send_raw(packet);
        const VsockPacket refusal = bench.guest.expect(op_rst).packet;
        CHECK(refusal.dst_port == 9999);
        CHECK(refusal.src_port == request.src_port);
        CHECK(bench.connections() == 1);
    }
    SECTION("a reset of no connection") {
        packet.op = op_rst;
        packet.src_port = 9999;
        bench.guest.send_raw(packet);
        CHECK(bench.connections() == 1);
    }
    CHECK_FALSE(bench.guest.next());
    CHECK_FALSE(wants_reset(bench));
}

TEST_CASE("chains that can't hold what they say break the protocol", "[vsock]") {
    VsockBench bench;
    auto [program, request] = bench.connect(52);
    VsockPacket packet = bench.guest.make(op_rw, 52, request.src_port);
    SECTION("a packet longer than its descriptors") {
        packet.len = 5;
        bench.guest.send_raw(packet, "1234");
    }
    SECTION("a length that wraps") {
        packet.len = 0xffff'ffff;
        bench.guest.send_raw(packet, "1234");
    }
    SECTION("a packet shorter than its header") {
        bench.guest.driver.queue(1).chain().out(std::string(43, '\0')).add();
        bench.guest.driver.queue(1).kick();
        bench.guest.run();
    }
    CHECK(wants_reset(bench));
    CHECK(program.ended());
    CHECK(bench.connections() == 0);
}

TEST_CASE("a receive buffer without room breaks the protocol", "[vsock]") {
    VsockBench bench(0);
    bench.guest.driver.queue(0).chain().in(44).add();
    HostProgram program(bench.path);
    program.write("CONNECT 52\n");
    bench.guest.run();
    CHECK(wants_reset(bench));
}

TEST_CASE("bytes behind a packet's length are none of it", "[vsock]") {
    VsockBench bench;
    auto [program, request] = bench.connect(52);
    VsockPacket packet = bench.guest.make(op_rw, 52, request.src_port);
    packet.len = 3;
    bench.guest.send_raw(packet, "abcdef");
    CHECK(program.read() == "abc");
}

TEST_CASE("headers and data may lie in any descriptors", "[vsock]") {
    VsockBench bench(0);
    VirtioDriver::Queue& queue = bench.guest.driver.queue(0);
    const auto post = [&] { return queue.chain().in(10).in(40).in(3).in(100).add(); };
    HostProgram program(bench.path);
    program.write("CONNECT 52\nabcdefghijklmnop");
    const Chain first = post();
    queue.kick();
    bench.guest.run();
    REQUIRE(queue.take_used() == UsedBuffer{first.head, 44});
    const auto source = bench.guest.driver.text(first.buffers[1], 10);
    std::uint32_t port = 0; // of the header's bytes 16 to 19
    std::memcpy(&port, source.data() + 6, sizeof port);
    bench.guest.send(op_response, 52, port);
    const Chain second = post();
    queue.kick();
    bench.guest.run();
    REQUIRE(queue.take_used() == UsedBuffer{second.head, 60});
    CHECK(bench.guest.driver.text(second.buffers[1], 40).substr(34) == "abcdef");
    CHECK(bench.guest.driver.text(second.buffers[2], 3) == "ghi");
    CHECK(bench.guest.driver.text(second.buffers[3], 7) == "jklmnop");
}
