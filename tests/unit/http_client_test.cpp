// The client against the server, and against things that are no server.
#include "api/http/http_client.h"
#include "tests/fakes/http_peer.h"
#include "vmm/base/error.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

using namespace coldstart;
using namespace coldstart::fakes;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

/// What a peer that sends `text` to whoever connects, and closes, makes the client say.
std::string complaint_about(const std::string& text) {
    SocketFolder folder;
    const UniqueFd listener = listen_unix(folder.path("peer"));
    std::thread peer([&] {
        pollfd ready{};
        ready.fd = listener.get();
        ready.events = POLLIN;
        ::poll(&ready, 1, RawClient::patience_ms);
        const UniqueFd client(::accept(listener.get(), nullptr, nullptr));
        char request[4096];
        CHECK(::recv(client.get(), request, sizeof(request), 0) > 0);
        CHECK(::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
              static_cast<ssize_t>(text.size()));
    });
    std::string complaint;
    try {
        HttpClient(folder.path("peer"), 10s).request("GET", "/");
    } catch (const Error& error) {
        complaint = error.what();
    }
    peer.join();
    return complaint;
}

} // namespace

TEST_CASE("the client gets answers with and without a body, and errors as answers") {
    TestServer server;
    const HttpClient client(server.path());
    const HttpAnswer echoed = client.request("PUT", "/drives/a", "{\"x\":1}");
    CHECK(echoed.status == 200);
    CHECK(echoed.body == "PUT /drives/a {\"x\":1}");
    CHECK(echoed.content_type == "application/json");
    CHECK_FALSE(echoed.deprecated);
    server.handler.script = [](const HttpRequest&) {
        HttpAnswer answer;
        answer.deprecated = true;
        return answer;
    };
    const HttpAnswer none = client.request("DELETE", "/drives/a");
    CHECK(none.status == 204);
    CHECK(none.body.empty());
    CHECK(none.deprecated);
    const HttpAnswer refused = client.request("PUT", "/mmds", std::string(3000000, 'x'));
    CHECK(refused.status == 400);
    CHECK_THAT(refused.body, Contains("is larger than the limit of 51200"));
}

TEST_CASE("the client reads an answer of megabytes") {
    TestServer server;
    server.handler.script = [](const HttpRequest&) {
        HttpAnswer answer;
        answer.status = 200;
        answer.body = std::string(5000000, 'y');
        return answer;
    };
    CHECK(HttpClient(server.path()).request("GET", "/").body == std::string(5000000, 'y'));
}

TEST_CASE("the client says why it got no answer, and what to do") {
    SocketFolder folder;
    CHECK_THROWS_WITH(HttpClient(folder.path("none")).request("GET", "/"),
                      Contains("does not exist") && Contains("; start the machine"));
    listen_unix(folder.path("stale")).reset();
    CHECK_THROWS_WITH(HttpClient(folder.path("stale")).request("GET", "/"),
                      Contains("nobody listens") && Contains("; start the machine again"));
    const UniqueFd deaf = listen_unix(folder.path("deaf"));
    CHECK_THROWS_WITH(HttpClient(folder.path("deaf"), 50ms).request("GET", "/"),
                      Contains("no answer within 50 ms") && Contains("; the machine may be busy"));
    CHECK_THAT(complaint_about("HTTP/1.1 200 OK\r\nContent-Le"), Contains("ended before"));
    CHECK_THAT(complaint_about("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n1234"),
               Contains("ended before"));
    CHECK_THAT(complaint_about("SSH-2.0-OpenSSH_9.2\r\n"), Contains("is not HTTP"));
    CHECK(complaint_about("HTTP/1.1 200 OK\r\n\r\nup to the end").empty());
}

TEST_CASE("the client's timeout covers an answer that trickles in") {
    TestServer server;
    server.handler.keep = true;
    const auto begin = std::chrono::steady_clock::now();
    CHECK_THROWS_WITH(HttpClient(server.path(), 80ms).request("GET", "/"),
                      Contains("no answer within 80 ms"));
    CHECK(std::chrono::steady_clock::now() - begin < 5s);
}

TEST_CASE("the client follows a stream line by line until somebody ends it") {
    TestServer server;
    const HttpClient client(server.path(), 5s);
    std::thread producer([&] {
        const auto stream = server.handler.stream();
        stream->push("one\ntw");
        stream->push("o\n\nthree\nunfinished");
        stream->close();
    });
    std::vector<std::string> lines;
    const HttpAnswer answer = client.stream("/events", [&](std::string_view line) {
        lines.emplace_back(line);
        return true;
    });
    producer.join();
    CHECK(answer.status == 200);
    CHECK(lines == std::vector<std::string>{"one", "two", "", "three"});

    std::thread second([&] {
        const auto stream = server.handler.stream(1);
        while (stream->push_line("again")) {
        }
    });
    int count = 0;
    client.stream("/events", [&](std::string_view) { return ++count < 3; });
    second.join();
    CHECK(count == 3);
}

TEST_CASE("a stream that is refused is an answer, and no line") {
    TestServer server;
    server.handler.script = [](const HttpRequest&) { return fault_answer(400, "no such thing"); };
    const HttpAnswer answer =
        HttpClient(server.path()).stream("/none", [](std::string_view) -> bool {
            FAIL("there is no line");
            return false;
        });
    CHECK(answer.status == 400);
    CHECK(answer.body == "{\"fault_message\":\"no such thing\"}");
}

TEST_CASE("a fault message is valid JSON whatever is in it") {
    using namespace std::string_literals;
    CHECK(fault_body("a\"b\\c/d\n\r\t\x01\x1f") ==
          "{\"fault_message\":\"a\\\"b\\\\c/d\\n\\r\\t\\u0001\\u001f\"}");
    CHECK(fault_body("\0"s) == "{\"fault_message\":\"\\u0000\"}");
    CHECK(fault_body("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80") ==
          "{\"fault_message\":\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"}");
    const std::string bad = "\xef\xbf\xbd";
    for (const auto* text : {"\xff", "\x80", "\xc0", "\xc3", "\xf5"})
        CHECK(fault_body(text) == "{\"fault_message\":\"" + bad + "\"}");
    CHECK(fault_body("\xc0\xaf") == "{\"fault_message\":\"" + bad + bad + "\"}");
    CHECK(fault_body("\xed\xa0\x80") == "{\"fault_message\":\"" + bad + bad + bad + "\"}");
}
