// The host's ends of networks: frames on a stream, on a TAP, and how passt is started. A shell
// script stands in for passt, so that nothing here needs a network.
#include "tests/fakes/fakes.h"
#include "tests/fakes/virtio_temp_file.h"
#include "virtio/backend/passt.h"
#include "virtio/backend/stream_net.h"
#include "virtio/backend/tap.h"
#include "vmm/base/bytes.h"
#include "vmm/base/error.h"

#include <array>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

using namespace coldstart;
using namespace coldstart::fakes;

namespace {

struct Client final : NetClient {
    void frames_wait() noexcept override {
        ++told;
        backend->want_frames(false); // it would be told again and again
    }
    void room_again() noexcept override {
        ++room;
        backend->flush();
    }
    NetBackend* backend = nullptr;
    unsigned told = 0, room = 0;
};

std::array<UniqueFd, 2> socket_pair(int type) {
    std::array<int, 2> fds{};
    REQUIRE(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds.data()) == 0);
    return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

std::string on_stream(const std::string& frame) {
    const auto size = static_cast<std::uint32_t>(frame.size());
    return std::string{static_cast<char>(size >> 24), static_cast<char>(size >> 16),
                       static_cast<char>(size >> 8), static_cast<char>(size)} +
           frame;
}

struct StreamBench {
    explicit StreamBench(std::array<UniqueFd, 2> pair = socket_pair(SOCK_STREAM))
        : peer(std::move(pair[1])), backend(std::move(pair[0]), reactor) {
        client.backend = &backend;
        backend.connect(client);
        backend.want_frames(true);
    }
    ~StreamBench() { backend.disconnect(); }

    void peer_writes(const std::string& bytes) const {
        REQUIRE(::send(peer.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
                static_cast<ssize_t>(bytes.size()));
    }
    std::string peer_reads(std::size_t size = 1 << 20) const {
        std::string bytes(size, '\0');
        const auto got = ::recv(peer.get(), bytes.data(), size, MSG_DONTWAIT);
        bytes.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
        return bytes;
    }
    std::string receive() {
        std::string frame(NetBackend::max_frame_bytes, '?');
        frame.resize(backend.receive(std::as_writable_bytes(std::span(frame))));
        return frame;
    }
    NetBackend::Sent send(std::string frame) {
        std::string header(12, 'h');
        std::array<iovec, 2> parts{iovec{header.data(), header.size()},
                                   iovec{frame.data(), frame.size()}};
        return backend.send(parts);
    }

    UniqueFd peer;
    FakeReactor reactor;
    Client client;
    StreamNetBackend backend;
};

const std::string no_header(12, '\0');

/// An executable that does what `script` says; "$2" is the number of its socket.
std::string program(const TempFile& file, const std::string& script) {
    file.write(0, "#!/bin/sh\n" + script + "\n");
    REQUIRE(::chmod(file.path().c_str(), 0700) == 0);
    const std::string path = file.path() + ".sh"; // a copy nobody has open for writing
    REQUIRE(std::system(("cp " + file.path() + " " + path).c_str()) == 0);
    return path;
}

} // namespace

TEST_CASE("frames on a stream have their length before them", "[net]") {
    StreamBench bench;
    CHECK(bench.receive().empty());
    CHECK(bench.backend.peer_has_read());
    CHECK(bench.send("frame one") == NetBackend::Sent::taken);
    CHECK_FALSE(bench.backend.peer_has_read());
    CHECK(bench.peer_reads() == on_stream("frame one"));
    CHECK(bench.backend.peer_has_read());

    const std::string two = on_stream("first") + on_stream("second");
    bench.peer_writes(two.substr(0, 3));
    CHECK(bench.receive().empty());
    bench.peer_writes(two.substr(3, 10));
    bench.reactor.run_until_idle();
    CHECK(bench.client.told == 1);
    CHECK(bench.receive() == no_header + "first");
    CHECK(bench.receive().empty());
    bench.peer_writes(two.substr(13));
    CHECK(bench.receive() == no_header + "second");
    CHECK(bench.backend.link_up());
}

TEST_CASE("the largest frames pass a stream", "[net]") {
    StreamBench bench;
    const std::string large(65550, 'x');
    CHECK(bench.send(large) == NetBackend::Sent::taken);
    CHECK(bench.peer_reads() == on_stream(large));
    for (unsigned i = 0; i < 20; ++i) {
        bench.peer_writes(on_stream(large));
        CHECK(bench.receive() == no_header + large);
    }
}

TEST_CASE("a stream that is full loses nothing", "[net]") {
    StreamBench bench;
    std::string sent, got;
    for (unsigned i = 0;; ++i) {
        const std::string frame(40000, static_cast<char>('a' + i % 26));
        if (bench.send(frame) == NetBackend::Sent::full)
            break;
        sent += on_stream(frame);
        REQUIRE(i < 1000);
    }
    CHECK(bench.client.room == 0);
    for (std::string part = bench.peer_reads(); !part.empty(); part = bench.peer_reads())
        got += part;
    bench.reactor.run_until_idle();
    CHECK(bench.client.room == 1);
    for (std::string part = bench.peer_reads(); !part.empty(); part = bench.peer_reads())
        got += part;
    CHECK((got == sent));
}

TEST_CASE("a stream whose peer is gone or mad is a link that is down", "[net]") {
    StreamBench bench;
    SECTION("gone") {
        bench.peer.reset();
        CHECK(bench.receive().empty());
    }
    SECTION("gone, found out while sending") {
        bench.peer.reset();
        CHECK(bench.send("frame") == NetBackend::Sent::taken);
    }
    SECTION("a frame of 4 GiB") {
        bench.peer_writes("\xff\xff\xff\xffmuch");
        CHECK(bench.receive().empty());
    }
    SECTION("a frame of nothing") {
        bench.peer_writes(std::string(4, '\0'));
        CHECK(bench.receive().empty());
    }
    CHECK_FALSE(bench.backend.link_up());
    CHECK(bench.send("frame") == NetBackend::Sent::taken);
    bench.backend.want_frames(true);
    CHECK(bench.reactor.run_until_idle() == 0); // it is not watched any more
}

TEST_CASE("a TAP gives and takes frames with their headers", "[net]") {
    auto pair = socket_pair(SOCK_DGRAM | SOCK_NONBLOCK);
    FakeReactor reactor;
    Client client;
    TapBackend tap(std::move(pair[0]), {.checksum = true}, reactor);
    CHECK(tap.offloads().checksum);
    client.backend = &tap;
    tap.connect(client);
    std::string header(12, 'h'), body(60, 'b'), got(200, '\0');
    std::array<iovec, 2> parts{iovec{header.data(), 12}, iovec{body.data(), 60}};
    CHECK(tap.send(parts) == NetBackend::Sent::taken);
    got.resize(static_cast<std::size_t>(::recv(pair[1].get(), got.data(), got.size(), 0)));
    CHECK(got == header + body);

    CHECK(tap.receive(std::as_writable_bytes(std::span(got))) == 0);
    CHECK(tap.link_up());
    REQUIRE(::send(pair[1].get(), got.data(), got.size(), 0) == 72);
    CHECK(reactor.run_until_idle() == 0); // nobody asked for frames
    tap.want_frames(true);
    std::string frame(NetBackend::max_frame_bytes, '?');
    CHECK(tap.receive(std::as_writable_bytes(std::span(frame))) == 72);
    CHECK(frame.substr(0, 72) == header + body);

    unsigned taken = 0;
    while (tap.send(parts) == NetBackend::Sent::taken)
        REQUIRE(++taken < 100000);
    CHECK(client.room == 0);
    for (char byte = 0; ::recv(pair[1].get(), &byte, 1, 0) > 0;) {
    }
    reactor.run_until_idle();
    CHECK(client.room == 1);
    tap.disconnect();
}

TEST_CASE("a TAP that can't be had is an Error that says why", "[net]") {
    FakeReactor reactor;
    CHECK_THROWS_WITH(TapBackend("csnosuchtap0", reactor),
                      Catch::Contains("csnosuchtap0") && Catch::Contains("ip tuntap add"));
    CHECK_THROWS_AS(TapBackend("", reactor), UsageError);
    CHECK_THROWS_AS(TapBackend("a-name-much-too-long", reactor), UsageError);
    CHECK_THROWS_AS(TapBackend("tap%d", reactor), UsageError);
    CHECK_THROWS_AS(TapBackend("lo", reactor), Error); // an interface, but no TAP
}

TEST_CASE("passt gets a socket and its forwards", "[net]") {
    const TempFile file(0);
    PasstOptions options;
    options.program = program(file, R"(test "$1" = --fd || exit 1
echo "$@" >&2
eval "exec 9<&$2"
(cat <&9 >&9) >/dev/null 2>&1 &
exit 0)");
    options.forwards = {{false, 38471, 80}, {false, 38472, 22}, {true, 38473, 53}};
    UniqueFd socket = start_passt(options);
    const std::string text = on_stream("echoed");
    REQUIRE(::send(socket.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    std::string got(text.size(), '\0');
    CHECK(::recv(socket.get(), got.data(), got.size(), MSG_WAITALL) ==
          static_cast<ssize_t>(text.size()));
    CHECK(got == text);
    ::unlink(options.program.c_str());
}

TEST_CASE("what keeps passt from starting is an Error that says so", "[net]") {
    const TempFile file(0);
    PasstOptions options;
    SECTION("it is not installed") {
        options.program = "coldstart-no-such-passt";
        CHECK_THROWS_WITH(start_passt(options), Catch::Contains("apt install passt"));
    }
    SECTION("it complains") {
        options.program = program(file, "echo first >&2; echo \"$@\" >&2; "
                                        "echo Failed to send 3 bytes to syslog >&2; exit 1");
        options.forwards = {{false, 38471, 80}, {false, 38472, 22}, {true, 38473, 53}};
        CHECK_THROWS_WITH(start_passt(options),
                          Catch::Contains("--fd 3 -t 38471:80,38472:22 -u 38473:53"));
        ::unlink(options.program.c_str());
    }
    SECTION("the host has no way out") {
        options.program = program(file, "echo External interface not usable >&2; exit 1");
        CHECK_THROWS_WITH(start_passt(options), Catch::Contains("a default route"));
        ::unlink(options.program.c_str());
    }
    SECTION("it says nothing") {
        options.program = "false";
        CHECK_THROWS_WITH(start_passt(options), Catch::Contains("no reason"));
    }
    SECTION("a port is taken") {
        const UniqueFd taken(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        socklen_t size = sizeof address;
        REQUIRE(::bind(taken.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
        REQUIRE(::listen(taken.get(), 1) == 0);
        REQUIRE(::getsockname(taken.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
        const std::uint16_t port = ntohs(address.sin_port);
        options.program = "true";
        options.forwards = {{false, port, 80}};
        CHECK_THROWS_WITH(start_passt(options), Catch::Contains(std::to_string(port)));
    }
}
