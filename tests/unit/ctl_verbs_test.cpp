// The verbs end to end, against a server that notes what it was asked.
#include "tests/unit/ctl_bench.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>

using namespace coldstart;
using namespace coldstart::fakes;
using namespace std::chrono_literals;
using Catch::Contains;
using Catch::StartsWith;

namespace {

HttpAnswer ok(std::string body, std::string type = "application/json") {
    return {200, std::move(type), std::move(body)};
}

std::string file_text(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

} // namespace

TEST_CASE("ctl: actions are requests, and silent", "[ctl]") {
    const struct {
        std::string_view verb;
        std::string line, body;
    } cases[] = {
        {"start", "PUT /actions", R"({"action_type":"InstanceStart"})"},
        {"stop", "PUT /actions", R"({"action_type":"Stop"})"},
        {"power-button", "PUT /actions", R"({"action_type":"PowerButton"})"},
        {"reset", "PUT /actions", R"({"action_type":"Reset"})"},
        {"ctrl-alt-del", "PUT /actions", R"({"action_type":"SendCtrlAltDel"})"},
        {"pause", "PATCH /vm", R"({"state":"Paused"})"},
        {"resume", "PATCH /vm", R"({"state":"Resumed"})"},
    };
    CtlBench bench;
    bench.answers({});
    std::size_t index = 0;
    for (const auto& expected : cases) {
        CAPTURE(expected.verb);
        CHECK(bench.run({expected.verb}) == 0);
        CHECK(bench.output().empty());
        const HttpRequest request = bench.asked(index++);
        CHECK(cat(request.method, ' ', request.target) == expected.line);
        CHECK(request.body == expected.body);
    }
}

TEST_CASE("ctl: a refusal is one line and status 1", "[ctl]") {
    CtlBench bench;
    bench.answers({{"PUT /actions", fault_answer(400, "no kernel\nhere")},
                   {"GET /mmds", {503, "text/plain", "busy"}}});
    CHECK(bench.run({"start"}) == 1);
    CHECK(bench.fault == "no kernel\\x0ahere");
    CHECK(bench.output().empty());
    CHECK(bench.run({"mmds"}) == 1);
    CHECK_THAT(bench.fault, Contains("503") && Contains("busy"));
}

TEST_CASE("ctl: no socket is status 1 and says what to do", "[ctl]") {
    CtlCommand command;
    command.verb = "info";
    command.socket_path = "/nonexistent/socket";
    CHECK_THROWS_WITH(run_ctl(command), Contains("/nonexistent/socket") && Contains("; "));
}

TEST_CASE("ctl: the socket's path may come from the environment", "[ctl]") {
    CtlBench bench;
    bench.answers({{"GET /version", ok(R"({"firecracker_version":"1.16.0"})")}});
    CtlCommand command;
    command.verb = "version";
    Captured out;
    REQUIRE(::setenv(ctl_socket_variable, bench.server.path().c_str(), 1) == 0);
    CHECK(run_ctl(command, {-1, out.fd(), -1}) == 0);
    ::unsetenv(ctl_socket_variable);
    CHECK(out.text() == "Firecracker API 1.16.0\n");
}

TEST_CASE("ctl: info, config and drive show the configuration", "[ctl]") {
    CtlBench bench;
    bench.answers({{"GET /", ok(R"({"id":"a","state":"Paused"})")},
                   {"GET /vm/config", ok(R"({"drives":[{"drive_id":"r","path_on_host":"/r"}]})")}});
    CHECK(bench.run({"info"}) == 0);
    CHECK(bench.output() == "id     a\nstate  Paused\ndrive  r  /r  read-write\n");
    CHECK(bench.run({"--json", "info"}) == 0);
    CHECK(bench.output() ==
          "{\"id\":\"a\",\"state\":\"Paused\",\"config\":{\"drives\":[{\"drive_id\":\"r\","
          "\"path_on_host\":\"/r\"}]}}\n");
    CHECK(bench.run({"config", "--json"}) == 0);
    CHECK(bench.output() == "{\"drives\":[{\"drive_id\":\"r\",\"path_on_host\":\"/r\"}]}\n");
    CHECK(bench.run({"config"}) == 0);
    CHECK_THAT(bench.output(), StartsWith("{\n  \"drives\": [\n"));
    CHECK(bench.run({"drive", "r"}) == 0);
    CHECK(bench.output() == "id    r\nfile  /r\nuse   read-write\n");
    CHECK(bench.run({"drive", "q"}) == 1);
    CHECK_THAT(bench.fault, Contains("no such drive") && Contains("it has: r"));
}

TEST_CASE("ctl: an answer that is no JSON is said to be none", "[ctl]") {
    CtlBench bench;
    bench.answers({{"GET /", ok("<html>", "text/html")}});
    CHECK(bench.run({"info"}) == 1);
    CHECK_THAT(bench.fault, StartsWith("GET /: the answer is no JSON"));
}

TEST_CASE("ctl: a drive gets another file, by its whole path", "[ctl]") {
    CtlBench bench;
    bench.answers({});
    CHECK(bench.run({"drive", "data", "--path", "/srv/b"}) == 0);
    CHECK(bench.asked(0).target == "/drives/data");
    CHECK(bench.asked(0).body == R"({"drive_id":"data","path_on_host":"/srv/b"})");
    CHECK(bench.run({"drive", "data", "--path", "b"}) == 0);
    CHECK_THAT(bench.asked(1).body, Contains(R"("path_on_host":"/)") && Contains("/b\""));
    CHECK(bench.run({"drive", "a/b", "--path", "/srv/b"}) == 2);
    CHECK(bench.server.handler.count() == 2);
}

TEST_CASE("ctl: the balloon is shown and set", "[ctl]") {
    CtlBench bench;
    bench.answers({{"GET /balloon", ok(R"({"amount_mib":8})")},
                   {"GET /balloon/statistics", fault_answer(400, "not started")}});
    CHECK(bench.run({"balloon"}) == 0);
    CHECK(bench.output() == "configured  8 MiB\n");
    CHECK(bench.run({"balloon", "64"}) == 0);
    CHECK(bench.asked(2).method == "PATCH");
    CHECK(bench.asked(2).body == R"({"amount_mib":64})");
    for (const char* size : {"64M", "x", "4294967296", "1.5"}) {
        CHECK(bench.run({"balloon", size}) == 2);
        CHECK_THAT(bench.fault, Contains("not a size in MiB"));
    }
    CHECK(bench.server.handler.count() == 3);
}

TEST_CASE("ctl: metadata come from a file, from stdin, and back", "[ctl]") {
    CtlBench bench;
    bench.answers({{"GET /mmds", ok(R"({"a":{"b":1}})")}});
    const SocketFolder folder;
    std::ofstream(folder.path("m.json")) << R"({"from":"file"})";
    const std::string file = folder.path("m.json"), missing = folder.path("none");
    CHECK(bench.run({"mmds", file}) == 0);
    CHECK(bench.asked(0).body == R"({"from":"file"})");
    Pipe pipe;
    pipe.write(R"({"from":"stdin"})");
    pipe.in.reset();
    bench.in = pipe.out.get();
    CHECK(bench.run({"mmds", "-"}) == 0);
    CHECK(bench.asked(1).body == R"({"from":"stdin"})");
    CHECK(bench.run({"mmds"}) == 0);
    CHECK(bench.output() == "{\n  \"a\": {\n    \"b\": 1\n  }\n}\n");
    CHECK(bench.run({"mmds", missing}) == 1);
    CHECK_THAT(bench.fault, Contains("none") && Contains("No such file"));
}

TEST_CASE("ctl: any request", "[ctl]") {
    CtlBench bench;
    bench.answers({{"GET /new", ok(R"({"x":[1,2]})")}, {"GET /raw", ok("a\nb", "text/plain")}});
    const SocketFolder folder;
    std::ofstream(folder.path("b.json")) << "[3]";
    const std::string at_file = "@" + folder.path("b.json");
    CHECK(bench.run({"get", "new"}) == 0);
    CHECK(bench.output() == "{\n  \"x\": [\n    1,\n    2\n  ]\n}\n");
    CHECK(bench.run({"get", "/new", "--json"}) == 0);
    CHECK(bench.output() == "{\"x\":[1,2]}\n");
    CHECK(bench.run({"get", "/raw"}) == 0);
    CHECK(bench.output() == "a\nb");
    CHECK(bench.run({"put", "/entropy", "{}"}) == 0);
    CHECK(bench.output().empty());
    CHECK(bench.asked(3).body == "{}");
    CHECK(bench.run({"patch", "/mmds", at_file}) == 0);
    CHECK(bench.asked(4).method == "PATCH");
    CHECK(bench.asked(4).body == "[3]");
    bench.server.handler.body_optional = true;
    CHECK(bench.run({"patch", "/balloon/hinting/start"}) == 0);
    CHECK_FALSE(bench.asked(5).has_body);
    CHECK(bench.run({"delete", "drives/data"}) == 0);
    CHECK(bench.asked(6).method == "DELETE");
    CHECK(bench.asked(6).target == "/drives/data");
    CHECK(bench.run({"delete", "drives/data", "{}"}) == 2);
    CHECK(bench.run({"get", "/a b"}) == 2);
    CHECK(bench.run({"get", "/a\r\nX: y"}) == 2);
    CHECK(bench.server.handler.count() == 7);
}

TEST_CASE("ctl: the screen as text and as a picture, whole or not at all", "[ctl]") {
    CtlBench bench;
    const std::string png("\x89PNG\r\n\0x", 8);
    bench.server.handler.script = [&](const HttpRequest& request) {
        return request.accept == "text/plain" ? ok("line\n", "text/plain") : ok(png, "image/png");
    };
    CHECK(bench.run({"screen", "--text"}) == 0);
    CHECK(bench.output() == "line\n");
    CHECK(bench.run({"screen"}) == 0);
    CHECK(bench.output() == png);
    const SocketFolder folder;
    const std::string file = folder.path("s.png"), nowhere = folder.path("no/s.png");
    CHECK(bench.run({"screen", file}) == 0);
    CHECK(file_text(file) == png);
    CHECK(bench.output().empty());
    CHECK(bench.run({"screen", nowhere}) == 1);
    bench.answers({{"GET /screen", fault_answer(400, "no display")}});
    CHECK(bench.run({"screen", file}) == 1);
    CHECK(file_text(file) == png);
}

TEST_CASE("ctl: timeline and metrics are for people or for programs", "[ctl]") {
    CtlBench bench;
    bench.answers({{"GET /timeline", ok(R"([{"seq":0,"time_us":5,"event":"created"}])")},
                   {"GET /metrics", ok("coldstart_up 1\n", "text/plain")}});
    CHECK(bench.run({"timeline"}) == 0);
    CHECK(bench.output() == "    0.000005 s  +5 us  created\n");
    CHECK(bench.run({"timeline", "--json"}) == 0);
    CHECK(bench.output() == "[{\"seq\":0,\"time_us\":5,\"event\":\"created\"}]\n");
    CHECK(bench.run({"metrics"}) == 0);
    CHECK(bench.output() == "up  1\n");
    CHECK(bench.run({"metrics", "--json"}) == 0);
    CHECK(bench.output() == "{\"coldstart_up\":1}\n");
}

namespace {

constexpr std::string_view created = R"({"seq":0,"time_us":1,"event":"created"})";
constexpr std::string_view ready = R"({"seq":1,"time_us":2,"event":"ready","text":"up"})";
constexpr std::string_view exited =
    R"({"seq":2,"time_us":3,"event":"exited","status":3,"text":"panic"})";

/// Pushes lines into the first stream from another thread, and keeps it open.
class Narrator {
  public:
    Narrator(CtlBench& bench, std::vector<std::string_view> lines)
        : thread_([&bench, lines = std::move(lines)] {
              const auto stream = bench.server.handler.stream();
              for (const std::string_view line : lines)
                  stream->push_line(line);
          }) {}
    ~Narrator() { thread_.join(); }
    Narrator(const Narrator&) = delete;
    Narrator& operator=(const Narrator&) = delete;

  private:
    std::thread thread_;
};

} // namespace

TEST_CASE("ctl: events follow until the machine has exited", "[ctl]") {
    CtlBench bench;
    SECTION("for people") {
        const Narrator narrator(bench, {created, ready, exited});
        CHECK(bench.run({"events"}) == 0);
        CHECK(bench.output() == "    0.000001 s  created\n"
                                "    0.000002 s  ready         up\n"
                                "    0.000003 s  exited        status 3, panic\n");
    }
    SECTION("for programs") {
        const Narrator narrator(bench, {created, exited, ready});
        CHECK(bench.run({"events", "--json"}) == 0);
        CHECK(bench.output() == cat(created, '\n', exited, '\n'));
    }
    SECTION("or until nobody is there to tell") {
        const Narrator narrator(bench, {created});
        std::thread end([&] {
            bench.server.handler.stream();
            std::this_thread::sleep_for(50ms);
            bench.server.server().stop();
        });
        CHECK(bench.run({"events"}) == 0);
        end.join();
        CHECK(bench.output() == "    0.000001 s  created\n");
    }
    CHECK(bench.server.handler.wait_streams_closed(1));
}

TEST_CASE("ctl: wait ends with the event, the machine, or the time", "[ctl]") {
    CtlBench bench;
    SECTION("the event") {
        const Narrator narrator(bench, {created, ready});
        CHECK(bench.run({"wait", "ready"}) == 0);
        CHECK(bench.output().empty());
    }
    SECTION("the event, as JSON") {
        const Narrator narrator(bench, {created, ready});
        CHECK(bench.run({"wait", "ready", "--json", "--timeout", "60"}) == 0);
        CHECK(bench.output() == cat(ready, '\n'));
    }
    SECTION("the end is an event too") {
        const Narrator narrator(bench, {exited});
        CHECK(bench.run({"wait", "exited"}) == 0);
    }
    SECTION("the machine") {
        const Narrator narrator(bench, {created, exited});
        CHECK(bench.run({"wait", "ready"}) == 1);
        CHECK_THAT(bench.fault, Contains("ended without it") && Contains("status 3: panic"));
    }
    SECTION("the time") {
        const Narrator narrator(bench, {created});
        CHECK(bench.run({"wait", "ready", "--timeout", "0.1"}) == 124);
        CHECK_THAT(bench.err->text(), Contains("not come within 0.1 s"));
    }
    CHECK(bench.server.handler.wait_streams_closed(1));
}

TEST_CASE("ctl: a machine that does not even answer is not waited for any longer", "[ctl]") {
    CtlBench bench;
    bench.server.handler.stream_target = "/nothing";
    bench.server.handler.keep = true;
    CHECK(bench.run({"wait", "ready", "--timeout", "0.1"}) == 124);
}

TEST_CASE("ctl: what nobody will ever tell is not waited for", "[ctl]") {
    CtlBench bench;
    CHECK(bench.run({"wait", "redy"}) == 2);
    CHECK_THAT(bench.fault, Contains("unknown event") && Contains("ready, "));
    bench.server.handler.stream_target = "/nothing";
    bench.answers({{"GET /events", fault_answer(400, "no events here")}});
    CHECK(bench.run({"wait", "ready"}) == 1);
    CHECK(bench.fault == "no events here");
}
