// coldstart ctl console, with a pipe and with a terminal.
#include "tests/unit/ctl_bench.h"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

#include <termios.h>

using namespace coldstart;
using namespace coldstart::fakes;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

/// A machine whose console says what is typed, in brackets.
struct ConsoleBench : CtlBench {
    ConsoleBench() {
        server.handler.stream_target = "/console";
        server.handler.script = [this](const HttpRequest& request) { return answer(request); };
    }
    HttpAnswer answer(const HttpRequest& request) {
        if (request.target == "/")
            return {200, "application/json", cat("{\"state\":\"", state, "\"}")};
        if (request.target == "/vm") {
            state = request.body.find("Paused") != std::string::npos ? "Paused" : "Running";
            return {};
        }
        if (refusals_left > 0) {
            --refusals_left;
            return fault_answer(400, refusal);
        }
        std::string input = parse_json(request.body).at("input");
        typed += input;
        if (on_typed)
            on_typed();
        return {};
    }

    std::string state = "Running";
    std::atomic<int> refusals_left{0};
    std::string refusal = "console: the guest has not read what was typed before; try again later";
    std::string typed; ///< on the API thread while the verb runs
    std::function<void()> on_typed;
};

/// Both sides of a pseudo-terminal.
struct Terminal {
    Terminal() : master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
        REQUIRE(::grantpt(master.get()) == 0);
        REQUIRE(::unlockpt(master.get()) == 0);
        slave.reset(::open(::ptsname(master.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
        REQUIRE(slave);
    }
    void type(std::string_view keys) { write_fully(master.get(), keys, "terminal"); }
    bool is_raw() const {
        termios mode{};
        ::tcgetattr(slave.get(), &mode);
        return (mode.c_lflag & ICANON) == 0;
    }
    UniqueFd master, slave;
};

/// Calls `step` from another thread once the console is attached.
class Meanwhile {
  public:
    Meanwhile(ConsoleBench& bench, std::function<void(HttpStream&)> step)
        : thread_([&bench, step = std::move(step)] { step(*bench.server.handler.stream()); }) {}
    ~Meanwhile() { thread_.join(); }
    Meanwhile(const Meanwhile&) = delete;
    Meanwhile& operator=(const Meanwhile&) = delete;

  private:
    std::thread thread_;
};

} // namespace

TEST_CASE("ctl: a piped console types stdin, shows the answer and ends in silence", "[ctl]") {
    ConsoleBench bench;
    Pipe pipe;
    bench.in = pipe.out.get();
    pipe.write("echo hallo \xc3\xa4\n");
    pipe.in.reset();
    std::atomic<bool> arrived{false};
    bench.on_typed = [&] { arrived = true; };
    const Meanwhile echo(bench, [&](HttpStream& stream) {
        for (int i = 0; i < 1000 && !arrived; ++i)
            std::this_thread::sleep_for(10ms);
        stream.push("[" + bench.typed + "]");
    });
    CHECK(bench.run({"console", "--linger", "0.5"}) == 0);
    CHECK(bench.typed == "echo hallo \xc3\xa4\n");
    CHECK(bench.output() == "[echo hallo \xc3\xa4\n]");
    CHECK(bench.err->text().empty());
    CHECK(bench.server.handler.wait_streams_closed(1));
}

TEST_CASE("ctl: a guest that speaks is not silent", "[ctl]") {
    ConsoleBench bench;
    Pipe pipe;
    bench.in = pipe.out.get();
    pipe.in.reset();
    const Meanwhile slow(bench, [](HttpStream& stream) {
        for (int i = 0; i < 6; ++i) {
            stream.push("x");
            std::this_thread::sleep_for(100ms);
        }
    });
    CHECK(bench.run({"console", "--linger", "0.4"}) == 0);
    CHECK(bench.output() == "xxxxxx");
}

TEST_CASE("ctl: a piped console ends with the machine, stdin open or not", "[ctl]") {
    ConsoleBench bench;
    Pipe pipe;
    bench.in = pipe.out.get();
    const Meanwhile end(bench, [](HttpStream& stream) {
        stream.push("bye\n");
        stream.close();
    });
    CHECK(bench.run({"console"}) == 0);
    CHECK(bench.output() == "bye\n");
}

TEST_CASE("ctl: what the guest has no room for is typed later, in order", "[ctl]") {
    ConsoleBench bench;
    Pipe pipe;
    bench.in = pipe.out.get();
    std::string text;
    for (int i = 0; i < 2000; ++i)
        text += cat("line ", i, " \xe2\x82\xac\n");
    std::thread writer([&] {
        pipe.write(text);
        pipe.in.reset();
    });
    bench.refusals_left = 3;
    CHECK(bench.run({"console", "--linger", "0.1"}) == 0);
    writer.join();
    CHECK(bench.typed == text);
}

TEST_CASE("ctl: bytes that are no UTF-8 don't hold up the rest", "[ctl]") {
    ConsoleBench bench;
    Pipe pipe;
    bench.in = pipe.out.get();
    pipe.write("a\xff"
               "b\xc3");
    pipe.in.reset();
    CHECK(bench.run({"console", "--linger", "0.1"}) == 0);
    CHECK(bench.typed == "a\xef\xbf\xbd"
                         "b\xef\xbf\xbd");
}

TEST_CASE("ctl: input that is refused for good is status 1", "[ctl]") {
    ConsoleBench bench;
    Pipe pipe;
    bench.in = pipe.out.get();
    pipe.write("x");
    pipe.in.reset();
    bench.refusals_left = 1;
    bench.refusal = "console: no";
    CHECK(bench.run({"console", "--linger", "0.1"}) == 1);
    CHECK(bench.fault == "console: no");
}

TEST_CASE("ctl: no console, no attaching", "[ctl]") {
    ConsoleBench bench;
    bench.state = "Not started";
    CHECK(bench.run({"console"}) == 1);
    CHECK_THAT(bench.fault, Contains("not started") && Contains("coldstart ctl start"));
    bench.state = "Running";
    bench.server.handler.stream_target = "/none";
    bench.refusal = "console: the machine has no serial console to follow";
    bench.refusals_left = 1;
    CHECK(bench.run({"console"}) == 1);
    CHECK(bench.fault == bench.refusal);
}

TEST_CASE("ctl: a terminal is raw while attached, and Ctrl-A x detaches", "[ctl]") {
    ConsoleBench bench;
    Terminal terminal;
    bench.in = terminal.slave.get();
    bool was_raw = false;
    bench.on_typed = [&] {
        was_raw = terminal.is_raw();
        terminal.type("\x01x");
    };
    const Meanwhile typist(bench, [&](HttpStream&) { terminal.type("ls\r\x03\x01\x01"); });
    CHECK_FALSE(terminal.is_raw());
    CHECK(bench.run({"console"}) == 0);
    CHECK(was_raw);
    CHECK_FALSE(terminal.is_raw());
    CHECK(bench.typed == "ls\r\x03\x01");
    CHECK_THAT(bench.err->text(), Contains("Ctrl-A x detaches") && Contains("detached"));
    CHECK(bench.server.handler.wait_streams_closed(1));
}

TEST_CASE("ctl: keys for help and pause are not typed", "[ctl]") {
    ConsoleBench bench;
    Terminal terminal;
    bench.in = terminal.slave.get();
    const Meanwhile typist(bench, [&](HttpStream&) { terminal.type("\x01h\x01p\x01x"); });
    CHECK(bench.run({"console"}) == 0);
    CHECK(bench.state == "Paused");
    CHECK(bench.typed.empty());
    CHECK_THAT(bench.err->text(), Contains("the machine runs on"));
}

TEST_CASE("ctl: on a terminal a refused key is told, and the console goes on", "[ctl]") {
    ConsoleBench bench;
    Terminal terminal;
    bench.in = terminal.slave.get();
    bench.refusals_left = 1;
    bench.refusal = "console: no";
    bench.on_typed = [&] { terminal.type("\x01x"); };
    const Meanwhile typist(bench, [&](HttpStream&) {
        terminal.type("a");
        while (bench.refusals_left > 0)
            std::this_thread::sleep_for(1ms);
        std::this_thread::sleep_for(100ms);
        terminal.type("b");
    });
    CHECK(bench.run({"console"}) == 0);
    CHECK(bench.typed == "b");
    CHECK_THAT(bench.err->text(), Contains("console: no"));
}

TEST_CASE("ctl: a terminal that hangs up detaches", "[ctl]") {
    ConsoleBench bench;
    Terminal terminal;
    bench.in = terminal.slave.get();
    const Meanwhile typist(bench, [&](HttpStream&) { terminal.master.reset(); });
    CHECK(bench.run({"console"}) == 0);
}
