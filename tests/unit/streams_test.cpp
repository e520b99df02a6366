#include "tests/fakes/fakes.h"
#include "vmm/base/error.h"
#include "vmm/runtime/streams/byte_ring.h"
#include "vmm/runtime/streams/channel_stream.h"
#include "vmm/runtime/streams/streams.h"

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

using namespace coldstart;

namespace {

ByteView view(const std::string& text) {
    return std::as_bytes(std::span(text));
}

struct FakeSink final : ByteSink {
    std::size_t input_room() noexcept override { return room; }
    void input(ByteView bytes) noexcept override {
        overrun = overrun || bytes.size() > room;
        room -= bytes.size();
        got.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    void output_ready() noexcept override { ++ready; }

    std::size_t room = 1 << 20;
    std::string got;
    unsigned ready = 0;
    bool overrun = false;
};

struct Pipe {
    Pipe() {
        int ends[2];
        REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
        out.reset(ends[0]);
        in.reset(ends[1]);
    }
    UniqueFd out, in; ///< what comes out, what goes in
};

std::string drain(int fd) {
    std::string text;
    char buffer[4096];
    pollfd request{fd, POLLIN, 0};
    while (::poll(&request, 1, 0) > 0 && (request.revents & POLLIN) != 0) {
        const ssize_t count = ::read(fd, buffer, sizeof buffer);
        if (count <= 0)
            break;
        text.append(buffer, static_cast<std::size_t>(count));
    }
    return text;
}

struct Folder {
    Folder() {
        char pattern[] = "/tmp/coldstart-streams-XXXXXX";
        path = ::mkdtemp(pattern);
    }
    ~Folder() {
        for (const char* name : {"/s", "/f"})
            ::unlink((path + name).c_str());
        ::rmdir(path.c_str());
    }
    std::string path;
};

UniqueFd connect_to(const std::string& path) {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        fd.reset();
    return fd;
}

} // namespace

TEST_CASE("the ring keeps order across its end", "[streams]") {
    ByteRing ring(4);
    CHECK(ring.push(view("abc")) == 3);
    ring.pop(2);
    CHECK(ring.push(view("defg")) == 3);
    CHECK(ring.room() == 0);
    std::string all;
    while (!ring.empty()) {
        const ByteView front = ring.front();
        all.append(reinterpret_cast<const char*>(front.data()), front.size());
        ring.pop(front.size());
    }
    CHECK(all == "cdef");
}

TEST_CASE("bytes go both ways and the shared pipe ends stay blocking", "[streams]") {
    fakes::FakeReactor reactor;
    Pipe input, output;
    FakeSink sink;
    {
        const auto stream = open_fd_stream(reactor, "test", input.out.get(), output.in.get());
        stream->set_sink(&sink);
        CHECK(stream->write(view("hello")) == 5);
        CHECK(drain(output.out.get()) == "hello");
        REQUIRE(::write(input.in.get(), "typed", 5) == 5);
        reactor.run_until_idle();
        CHECK(sink.got == "typed");
        CHECK((::fcntl(input.out.get(), F_GETFL) & O_NONBLOCK) == 0);
        CHECK((::fcntl(output.in.get(), F_GETFL) & O_NONBLOCK) == 0);
    }
    CHECK(::write(output.in.get(), "x", 1) == 1); // the caller's descriptor is still open
}

TEST_CASE("input waits for room in the device", "[streams]") {
    fakes::FakeReactor reactor;
    Pipe input;
    FakeSink sink;
    sink.room = 3;
    const auto stream = open_fd_stream(reactor, "test", input.out.get(), -1);
    stream->set_sink(&sink);
    REQUIRE(::write(input.in.get(), "abcdefgh", 8) == 8);
    reactor.run_until_idle();
    CHECK(sink.got == "abc");
    CHECK(reactor.run_until_idle() == 0); // no spinning meanwhile
    sink.room = 100;
    stream->input_wanted();
    reactor.run_until_idle();
    CHECK(sink.got == "abcdefgh");
    CHECK_FALSE(sink.overrun);
    stream->set_sink(nullptr);
    REQUIRE(::write(input.in.get(), "late", 4) == 4);
    CHECK(reactor.run_until_idle() == 0);
    stream->set_sink(&sink);
    reactor.run_until_idle();
    CHECK(sink.got == "abcdefghlate");
}

TEST_CASE("the end of the input leaves the output open and spins nothing", "[streams]") {
    fakes::FakeReactor reactor;
    Pipe input, output;
    FakeSink sink;
    const auto stream = open_fd_stream(reactor, "test", input.out.get(), output.in.get());
    stream->set_sink(&sink);
    REQUIRE(::write(input.in.get(), "last", 4) == 4);
    input.in.reset();
    reactor.run_until_idle();
    CHECK(sink.got == "last");
    CHECK(reactor.run_until_idle() == 0);
    CHECK(stream->write(view("still")) == 5);
    CHECK(drain(output.out.get()) == "still");
    stream->input_wanted();
    CHECK(reactor.run_until_idle() == 0);
}

TEST_CASE("a reader that stopped gets a bounded queue, then short writes", "[streams]") {
    fakes::FakeReactor reactor;
    Pipe output;
    FakeSink sink;
    const auto stream = open_fd_stream(reactor, "test", -1, output.in.get());
    stream->set_sink(&sink);
    std::string sent;
    const std::string block(1000, 'x');
    std::size_t taken = block.size();
    for (int i = 0; i < 10000 && taken == block.size(); ++i) {
        const std::string piece = std::to_string(i) + block.substr(std::to_string(i).size());
        taken = stream->write(view(piece));
        sent += piece.substr(0, taken);
    }
    REQUIRE(taken < block.size());
    CHECK(sent.size() < 1 << 20);
    CHECK(stream->write(view("y")) == 0);
    CHECK(reactor.run_until_idle() == 0);
    CHECK(sink.ready == 0);

    std::string received;
    for (int i = 0; i < 1000; ++i) {
        received += drain(output.out.get());
        if (reactor.run_until_idle() == 0)
            break;
    }
    received += drain(output.out.get());
    CHECK(sink.ready == 1);
    CHECK(received == sent);
    CHECK(stream->write(view("y")) == 1);
}

TEST_CASE("a burst of bytes comes out in lines, its rest a moment later", "[streams]") {
    fakes::FakeReactor reactor;
    Pipe output;
    FakeSink sink;
    const auto stream = open_fd_stream(reactor, "test", -1, output.in.get());
    stream->set_sink(&sink);
    const auto say = [&](const std::string& text) {
        for (const char byte : text)
            CHECK(stream->write(view(std::string(1, byte))) == 1);
    };
    constexpr int patience_ms = 1000;

    say("a"); // after a silence: at once
    CHECK(drain(output.out.get()) == "a");
    say(std::string(ChannelStream::gathered_bytes, 'b')); // no end of a line, but enough
    say("line\n");
    const std::string lines = drain(output.out.get());
    CHECK(lines == std::string(ChannelStream::gathered_bytes, 'b') + "line\n");
    say("rest");
    CHECK(reactor.run_until_idle(patience_ms) > 0);
    CHECK(drain(output.out.get()) == "rest");

    const std::string block(2 * ChannelStream::gathered_bytes, 'c');
    say("d");
    CHECK(stream->write(view(block)) == block.size());
    say("end");
    stream->set_sink(nullptr); // the device's last word
    CHECK(drain(output.out.get()) == "d" + block + "end");
}

TEST_CASE("a reader that left costs the output, not the guest", "[streams]") {
    const auto before = std::signal(SIGPIPE, SIG_DFL);
    ignore_write_signals();
    fakes::FakeReactor reactor;
    Pipe output;
    FakeSink sink;
    const auto stream = open_fd_stream(reactor, "test", -1, output.in.get());
    stream->set_sink(&sink);
    output.out.reset();
    CHECK(stream->write(view("gone")) == 4);
    CHECK(stream->write(view("gone")) == 4);
    CHECK(reactor.run_until_idle() == 0);
    std::signal(SIGPIPE, before);
}

TEST_CASE("files are written, read and can be full", "[streams]") {
    fakes::FakeReactor reactor;
    const Folder folder;
    FakeSink sink;
    const std::string path = folder.path + "/f";
    std::ofstream(path) << "old and much longer";
    {
        const auto stream = open_file_stream(reactor, path);
        stream->set_sink(&sink);
        CHECK(stream->write(view("new")) == 3);
    }
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    CHECK(text.str() == "new");

    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    const auto reader = open_fd_stream(reactor, "test", file.get(), -1);
    sink.room = 2;
    reader->set_sink(&sink);
    reactor.run_until_idle();
    CHECK(sink.got == "ne");
    CHECK(reactor.run_until_idle() == 0);
    sink.room = 9;
    reader->input_wanted();
    reactor.run_until_idle();
    CHECK(sink.got == "new");
    CHECK(reactor.run_until_idle() == 0);

    const auto full = open_file_stream(reactor, "/dev/full");
    CHECK(full->write(view("lost")) == 4);
    CHECK(full->write(view("lost")) == 4);
    CHECK_THROWS_AS(open_file_stream(reactor, folder.path + "/none/f"), Error);
    CHECK_THROWS_AS(open_fd_stream(reactor, "test", 1000, -1), Error);
}

TEST_CASE("a filter sees what is typed even when the guest takes nothing", "[streams]") {
    fakes::FakeReactor reactor;
    Pipe input;
    FakeSink sink;
    sink.room = 0;
    std::string seen;
    const auto stream = open_fd_stream(reactor, "test", input.out.get(), -1, [&](ByteView typed) {
        seen.append(reinterpret_cast<const char*>(typed.data()), typed.size());
        return std::vector<std::byte>(typed.begin() + 1, typed.end());
    });
    stream->set_sink(&sink);
    REQUIRE(::write(input.in.get(), "xab", 3) == 3);
    reactor.run_until_idle();
    CHECK(seen == "xab");
    CHECK(sink.got.empty());
    const std::string flood(3 * ChannelStream::typed_ahead_bytes, 'f');
    REQUIRE(::write(input.in.get(), flood.data(), flood.size()) ==
            static_cast<ssize_t>(flood.size()));
    reactor.run_until_idle();
    CHECK(seen.size() == 3 + flood.size());
    sink.room = 1;
    stream->input_wanted();
    reactor.run_until_idle();
    CHECK(sink.got == "a");
    sink.room = 1 << 20;
    stream->input_wanted();
    reactor.run_until_idle();
    CHECK(sink.got.size() == ChannelStream::typed_ahead_bytes);
    CHECK(reactor.run_until_idle() == 0);
}

TEST_CASE("a socket serves one client after the other", "[streams]") {
    fakes::FakeReactor reactor;
    const Folder folder;
    const std::string path = folder.path + "/s";
    FakeSink sink;
    {
        const auto stream = open_socket_stream(reactor, path);
        stream->set_sink(&sink);
        struct stat status {};
        REQUIRE(::stat(path.c_str(), &status) == 0);
        CHECK((status.st_mode & 0777) == 0600);
        CHECK(stream->write(view("nobody hears")) == 12);

        UniqueFd first = connect_to(path);
        REQUIRE(first);
        reactor.run_until_idle();
        CHECK(stream->write(view("hi")) == 2);
        CHECK(drain(first.get()) == "hi");
        REQUIRE(::send(first.get(), "ls", 2, 0) == 2);
        reactor.run_until_idle();
        CHECK(sink.got == "ls");

        const UniqueFd second = connect_to(path);
        REQUIRE(second);
        CHECK(reactor.run_until_idle() == 0); // waits its turn
        first.reset();
        reactor.run_until_idle();
        CHECK(stream->write(view("next")) == 4);
        CHECK(drain(second.get()) == "next");
    }
    CHECK(::access(path.c_str(), F_OK) != 0);
}

TEST_CASE("a full client stalls output until it leaves", "[streams]") {
    fakes::FakeReactor reactor;
    const Folder folder;
    FakeSink sink;
    const auto stream = open_socket_stream(reactor, folder.path + "/s");
    stream->set_sink(&sink);
    UniqueFd client = connect_to(folder.path + "/s");
    reactor.run_until_idle();
    const std::string block(4096, 'x');
    std::size_t taken = block.size();
    for (int i = 0; i < 4096 && taken == block.size(); ++i)
        taken = stream->write(view(block));
    REQUIRE(taken < block.size());
    client.reset();
    reactor.run_until_idle();
    CHECK(sink.ready == 1);
    CHECK(stream->write(view(block)) == block.size());
}

TEST_CASE("only a stale socket is replaced", "[streams]") {
    fakes::FakeReactor reactor;
    const Folder folder;
    const std::string path = folder.path + "/s";
    {
        const auto stream = open_socket_stream(reactor, path);
        CHECK_THROWS_WITH(open_socket_stream(reactor, path),
                          Catch::Contains("another process listens"));
        CHECK(::access(path.c_str(), F_OK) == 0);
    }
    {
        UniqueFd dead(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        REQUIRE(::bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
                0);
    }
    CHECK_NOTHROW(open_socket_stream(reactor, path));
    std::ofstream(path) << "precious";
    CHECK_THROWS_WITH(open_socket_stream(reactor, path), Catch::Contains("is no socket"));
    CHECK(::access(path.c_str(), F_OK) == 0);
    CHECK_THROWS_AS(open_socket_stream(reactor, std::string(200, 'x')), Error);
}

TEST_CASE("a pseudo-terminal outlives the programs on it", "[streams]") {
    fakes::FakeReactor reactor;
    FakeSink sink;
    std::string path;
    const auto stream = open_pty_stream(reactor, path);
    stream->set_sink(&sink);
    CHECK(stream->write(view("nobody hears")) == 12);
    for (int round = 0; round < 2; ++round) {
        INFO("round " << round);
        UniqueFd program(::open(path.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
        REQUIRE(program);
        termios mode{};
        REQUIRE(::tcgetattr(program.get(), &mode) == 0);
        CHECK((mode.c_lflag & ECHO) == 0);
        REQUIRE(reactor.run_until_idle(2000) > 0);
        CHECK(stream->write(view("login: ")) == 7);
        pollfd request{program.get(), POLLIN, 0};
        ::poll(&request, 1, 2000);
        CHECK(drain(program.get()) == "login: ");
        REQUIRE(::write(program.get(), "root", 4) == 4);
        reactor.run_until_idle(2000);
        CHECK(sink.got == "root");
        sink.got.clear();
        program.reset();
        reactor.run_until_idle(2000);
        CHECK(stream->write(view("dropped")) == 7);
    }
}
