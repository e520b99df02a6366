// The host's side of the virtio socket device: what programs may say, limits, fairness, and the
// device's life from reset to restore.
#include "tests/fakes/fake_machine_host.h"
#include "tests/fakes/vsock_bench.h"
#include "vmm/base/error.h"
#include "vmm/machine/board.h"
#include "vmm/machine/pc_board.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>

#include <sys/resource.h>
#include <sys/stat.h>

using namespace coldstart;
using namespace coldstart::fakes;
using namespace coldstart::virtio_vsock;
using Catch::Contains;

namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;

bool exists(const std::string& path) {
    return ::access(path.c_str(), F_OK) == 0;
}

} // namespace

TEST_CASE("the first line is CONNECT and a port, or the connection is closed", "[vsock]") {
    const auto parse = [](std::string_view line) -> std::optional<std::uint32_t> {
        std::uint32_t port = 0;
        return parse_vsock_command(line, port) ? std::optional(port) : std::nullopt;
    };
    CHECK(parse("CONNECT 0") == 0);
    CHECK(parse("CONNECT 4294967295") == 0xffff'ffff);
    CHECK(parse(" connect\t52 \r") == 52);
    for (const char* line :
         {"", " ", "CONNECT", "CONNECT ", "CONNECTS 5", "CONNEC 5", "5", "CONNECT -5", "CONNECT +5",
          "CONNECT 4294967296", "CONNECT 5x", "CONNECT 0x5", "CONNECT 5 6", "GET / HTTP/1.1"})
        CHECK_FALSE(parse(line));

    VsockBench bench;
    const std::string said =
        GENERATE("GET / HTTP/1.1\r\n", "CONNECT x\n", "\n", "CONNECT 1 2\n",
                 "CONNECT                        1\n", "01234567890123456789012345678901");
    HostProgram program(bench.path);
    program.write(said);
    CHECK_FALSE(bench.guest.next());
    CHECK(program.ended());
}

TEST_CASE("the first line may come in pieces", "[vsock]") {
    VsockBench bench;
    HostProgram program(bench.path);
    for (const char letter : std::string("CONNECT 1024")) {
        program.write({&letter, 1});
        CHECK_FALSE(bench.guest.next());
    }
    program.write("\n");
    CHECK(bench.guest.expect(op_request).packet.dst_port == 1024);
}

TEST_CASE("a host program may say all and leave before the guest answers", "[vsock]") {
    VsockBench bench;
    HostProgram program(bench.path);
    program.write("CONNECT 52\neverything");
    program.close();
    const VsockPacket request = bench.guest.expect(op_request).packet;
    bench.guest.answer(request, op_response);
    CHECK(bench.guest.expect(op_rw).data == "everything");
    CHECK(bench.guest.expect(op_shutdown).packet.flags == shutdown_both);
}

TEST_CASE("programs that say nothing disturb nobody", "[vsock]") {
    VsockBench bench;
    std::vector<HostProgram> silent;
    for (std::size_t i = 0; i < VsockHost::max_clients + 10; ++i) {
        silent.emplace_back(bench.path);
        bench.guest.run();
    }
    for (std::size_t i = 0; i < silent.size(); ++i)
        CHECK(silent[i].ended() == (i < 10)); // the oldest made room
    auto [program, request] = bench.connect(52);
    silent.back().write("CONN");
    bench.clock.advance(VsockHost::greeting_ns - second_ns);
    bench.guest.run();
    CHECK_FALSE(silent.back().ended());
    bench.clock.advance(2 * second_ns);
    for (HostProgram& one : silent)
        CHECK(one.ended());
    program.write("here");
    CHECK(bench.guest.expect(op_rw).data == "here");
}

TEST_CASE("there is a last connection", "[vsock]") {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 4096);
    ::setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < 2500) {
        WARN("skipped: too few descriptors (ulimit -Hn)");
        return;
    }
    VsockBench bench;
    HostServer server(bench.path + "_77");
    for (std::uint32_t port = 0; port < VsockHost::max_connections; ++port) {
        bench.guest.send(op_request, port, 77);
        bench.guest.expect(op_response);
    }
    CHECK(bench.connections() == VsockHost::max_connections);
    bench.guest.send(op_request, 5000, 77);
    bench.guest.expect(op_rst);
    HostProgram refused(bench.path);
    refused.write("CONNECT 52\n");
    CHECK_FALSE(bench.guest.next());
    CHECK(refused.ended());
    bench.guest.send(op_rst, 0, 77);
    bench.guest.send(op_request, 5000, 77);
    bench.guest.expect(op_response);
}

TEST_CASE("without descriptors left clients wait, and are asked again later", "[vsock]") {
    VsockBench bench;
    HostProgram program(bench.path);
    program.write("CONNECT 52\n");
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    const UniqueFd next(::dup(0)); // the lowest number that is free
    rlimit none = before;
    none.rlim_cur = static_cast<rlim_t>(next.get());
    ::setrlimit(RLIMIT_NOFILE, &none);
    bench.guest.run(); // comes to an end
    ::setrlimit(RLIMIT_NOFILE, &before);
    CHECK_FALSE(bench.guest.next());
    CHECK_FALSE(program.ended());
    bench.clock.advance(second_ns);
    CHECK(bench.guest.expect(op_request).packet.dst_port == 52);
}

TEST_CASE("a guest may use the ports of a connection that ends again", "[vsock]") {
    VsockBench bench(0);
    HostServer server(bench.path + "_77");
    bench.guest.send(op_request, 5, 77);
    HostProgram first = server.accept().value();
    bench.guest.send(op_response, 5, 77); // illegal: it is to be reset
    CHECK(first.ended());
    bench.guest.send(op_rw, 5, 77); // of one that ends: nothing
    bench.guest.send(op_request, 5, 77);
    HostProgram second = server.accept().value();
    bench.guest.post(4);
    bench.guest.expect(op_response); // and no reset, which would be of the second
    second.write("hello");
    CHECK(bench.guest.expect(op_rw).data == "hello");
    CHECK_FALSE(bench.guest.next());
}

TEST_CASE("streams to the guest take turns", "[vsock]") {
    constexpr unsigned buffers = 4;
    VsockBench bench(buffers);
    auto [loud, loud_request] = bench.connect(1);
    auto [quiet, quiet_request] = bench.connect(2);
    loud.write(std::string(150'000, 'x'));
    for (int i = 0; i < 5; ++i)
        CHECK(bench.guest.expect(op_rw).packet.src_port == loud_request.src_port);
    // What was given to the guest already is before it, one packet of the other stream may be.
    quiet.write("now");
    unsigned before = 0;
    for (; before < 20; ++before) {
        if (bench.guest.expect(op_rw).packet.src_port == quiet_request.src_port)
            break;
    }
    CHECK(before <= buffers + 1);
}

TEST_CASE("a program that does not read holds up no other", "[vsock]") {
    VsockBench bench;
    auto [deaf, deaf_request] = bench.connect(1);
    auto [program, request] = bench.connect(2);
    std::uint32_t sent = 0, forwarded = 0;
    // All the credit there is, until the host takes none of it any more.
    while (sent - forwarded < VsockConnection::buffer_bytes) {
        const auto size =
            std::min<std::uint32_t>(VsockConnection::buffer_bytes - (sent - forwarded), 32'768);
        bench.guest.answer(deaf_request, op_rw, std::string(size, 'x'));
        sent += size;
        while (const auto got = bench.guest.next())
            forwarded = got->packet.fwd_cnt;
    }
    bench.guest.answer(request, op_rw, "passes");
    CHECK(program.read() == "passes");
    // When it does read, everything is there, and the guest has credit again.
    std::size_t arrived = 0;
    while (arrived < sent) {
        const std::size_t size = deaf.read().size();
        REQUIRE(size != 0);
        arrived += size;
        bench.guest.run();
    }
    CHECK(arrived == sent);
    CHECK(bench.guest.expect(op_credit_update).packet.fwd_cnt > forwarded);
}

TEST_CASE("nothing is lost while the guest has no receive buffers", "[vsock]") {
    VsockBench bench(0);
    HostProgram program(bench.path);
    program.write("CONNECT 52\n");
    bench.guest.run();
    // More packets to refuse than answers are kept: the transmit queue stands still.
    for (std::uint32_t port = 0; port < VsockHost::max_refusals; ++port)
        bench.guest.send(op_rw, port, 1);
    const auto taken = bench.guest.driver.queue(1).used_index();
    CHECK(taken == VsockHost::max_refusals);
    for (std::uint32_t port = 0; port < 20; ++port)
        bench.guest.send(op_rw, 1000 + port, 1);
    CHECK(bench.guest.driver.queue(1).used_index() == taken);
    bench.guest.post(4);
    unsigned refused = 0, asked = 0;
    while (const auto got = bench.guest.next()) {
        refused += got->packet.op == op_rst ? 1 : 0;
        asked += got->packet.op == op_request ? 1 : 0;
    }
    CHECK(refused == VsockHost::max_refusals + 20);
    CHECK(asked == 1);
    CHECK(bench.guest.driver.queue(1).used_index() == taken + 20);
}

TEST_CASE("a reset closes every connection and keeps listening", "[vsock]") {
    VsockBench bench;
    HostServer server(bench.path + "_77");
    auto [program, request] = bench.connect(52);
    HostProgram out = bench.connect_out(server, 5, 77);
    HostProgram silent(bench.path);
    bench.guest.run();
    const bool of_machine = GENERATE(false, true);
    if (of_machine) {
        bench.mmio.pause();
        bench.mmio.reset();
        bench.mmio.resume();
    }
    bench.guest.driver.reset();
    CHECK(program.ended());
    CHECK(out.ended());
    CHECK(silent.ended());
    CHECK(bench.connections() == 0);
    HostProgram early(bench.path); // waits for the guest's next life
    early.write("CONNECT 53\n");
    bench.guest.run();
    CHECK_FALSE(early.ended());
    bench.guest.start();
    CHECK(bench.guest.expect(op_request).packet.dst_port == 53);
}

TEST_CASE("a paused device moves nothing, and loses nothing", "[vsock]") {
    VsockBench bench;
    auto [program, request] = bench.connect(52);
    bench.mmio.pause();
    REQUIRE(bench.mmio.drained());
    program.write("later");
    HostProgram other(bench.path);
    other.write("CONNECT 53\n");
    CHECK_FALSE(bench.guest.next());
    bench.clock.advance(1000 * second_ns);
    bench.mmio.resume();
    CHECK(bench.guest.expect(op_rw).data == "later");
    bench.guest.expect(op_request);
}

TEST_CASE("a restored device has no connections, and its driver hears so", "[vsock]") {
    VsockBench bench;
    auto [program, request] = bench.connect(52);
    bench.guest.driver.queue(2).chain().in(4).add();
    bench.mmio.pause();
    StateWriter writer;
    bench.mmio.save(writer);
    bench.mmio.resume();
    CHECK_FALSE(program.ended()); // a snapshot is not felt

    VsockBench target;
    target.mmio.halt();
    target.memory.write(Gpa(0), bench.memory.range(Gpa(0), bench.memory.size_bytes()));
    StateReader reader(writer.bytes());
    VirtioVsock* const vsock = new VirtioVsock(
        40, std::make_shared<VsockListener>(target.path + "r"), target.reactor, target.clock);
    VirtioMmioDevice mmio(std::unique_ptr<VirtioDevice>(vsock), target.memory, target.line,
                          target.reactor);
    mmio.restore(reader);
    CHECK(reader.at_end());
    mmio.start();
    target.reactor.run_until_idle();
    CHECK(mmio.read(0, 0x100, 4) == VsockGuest::cid); // the guest keeps its name
    CHECK((mmio.read(0, 0x70, 4) & 0x40) == 0);
    const Gpa used = bench.guest.driver.queue(2).used();
    CHECK(target.memory.load<std::uint16_t>(used + 2) == 1);
    CHECK(target.memory.load<std::uint32_t>(used + 8) == 4);
    mmio.halt();

    SECTION("the same device") {
        StateReader again(writer.bytes());
        bench.mmio.pause();
        bench.mmio.restore(again);
        CHECK(program.ended());
        CHECK(bench.connections() == 0);
        bench.mmio.resume();
        bench.guest.run();
        CHECK(bench.guest.driver.queue(2).used_index() == 1);
    }
}

TEST_CASE("a socket's path is bound at once and removed at the end", "[vsock]") {
    const TempFile file(0);
    const std::string path = file.path() + ".v";
    {
        const auto old_mask = ::umask(027);
        const VsockListener listener(path);
        ::umask(old_mask);
        struct stat made {};
        REQUIRE(::lstat(path.c_str(), &made) == 0);
        CHECK(S_ISSOCK(made.st_mode));
        CHECK((made.st_mode & 0777) == 0750);
        CHECK_THROWS_WITH(VsockListener(path),
                          Contains(path) && Contains("in use") && Contains("choose another path"));
        CHECK(exists(path)); // the refused one took nothing away
    }
    CHECK_FALSE(exists(path));
    {
        const VsockListener listener(path);
        ::unlink(path.c_str());
        std::ofstream(path) << "another's";
    }
    CHECK(exists(path));
    ::unlink(path.c_str());
    CHECK_THROWS_WITH(VsockListener(file.path()), Contains("in use"));
    CHECK_THROWS_WITH(VsockListener("/nonexistent/v"), Contains("make the folder"));
    CHECK_THROWS_WITH(VsockListener(std::string(200, 'x')), Contains("too long"));
    CHECK_THROWS_WITH(VsockListener(""), Contains("empty"));
}

TEST_CASE("a path without room for the port's number refuses the guest only", "[vsock]") {
    const TempFile file(0);
    std::string path = file.path();
    path.resize(sizeof(sockaddr_un::sun_path) - 3, 'x');
    const VsockListener listener(path);
    CHECK_FALSE(listener.connect_to(10));
    HostServer server(path + "_1");
    CHECK(listener.connect_to(1));
}

TEST_CASE("either board has a socket device where one is configured", "[vsock][machine]") {
    const TempFile file(0);
    FakeMachineHost fakes;
    const bool on_pc = GENERATE(false, true);
    fakes.config.board = on_pc ? BoardKind::pc : BoardKind::micro;
    const auto board = [&] {
        return on_pc ? pc_board(fakes.config, {}) : micro_board(fakes.config);
    };
    const auto has_vsock = [](const std::vector<BoardDevice>& devices) {
        return std::any_of(devices.begin(), devices.end(),
                           [](const BoardDevice& device) { return device.id == "vsock"; });
    };
    CHECK_FALSE(has_vsock(board()));
    fakes.config.vsock = VsockConfig{.guest_cid = 9, .uds_path = file.path() + ".v"};
    CHECK(has_vsock(board()));
}

TEST_CASE("a listener that is there already is used, else one is made", "[vsock][machine]") {
    const TempFile file(0);
    FakeMachineHost fakes;
    fakes.config.serial.kind = SerialConfig::Kind::none;
    fakes.config.vsock = VsockConfig{.guest_cid = 9, .uds_path = file.path() + ".v"};
    {
        const Machine machine(micro_board(fakes.config), fakes.host());
        CHECK(machine.find("vsock") != nullptr);
        CHECK(exists(fakes.config.vsock->uds_path));
    }
    CHECK_FALSE(exists(fakes.config.vsock->uds_path));
    MachineHost host = fakes.host();
    host.vsock_listener = std::make_shared<VsockListener>(fakes.config.vsock->uds_path);
    {
        const Machine machine(micro_board(fakes.config), host);
        CHECK(host.vsock_listener.use_count() == 2);
    }
    CHECK(exists(fakes.config.vsock->uds_path));
}
