// Open-ended answers.
#include "tests/fakes/http_peer.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <set>
#include <thread>

using namespace coldstart;
using namespace coldstart::fakes;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

const std::string events = "GET /events HTTP/1.1\r\n\r\n";

/// What chunks hold, up to the last; fails if they are malformed.
std::string unchunked(std::string_view text) {
    std::string result;
    for (;;) {
        const std::size_t line = text.find("\r\n");
        REQUIRE(line != std::string_view::npos);
        const std::size_t size = std::stoul(std::string(text.substr(0, line)), nullptr, 16);
        text.remove_prefix(line + 2);
        REQUIRE(text.size() >= size + 2);
        REQUIRE(text.substr(size, 2) == "\r\n");
        if (size == 0) {
            CHECK(text.size() == 2);
            return result;
        }
        result += text.substr(0, size);
        text.remove_prefix(size + 2);
    }
}

} // namespace

TEST_CASE("a stream is chunked, shows lines as they come, and ends when its producer closes it") {
    TestServer server;
    RawClient client = server.client();
    client.send(events);
    CHECK(client.until("\r\n\r\n") ==
          "HTTP/1.1 200 OK\r\nServer: Firecracker API\r\nConnection: close\r\n"
          "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n");
    const auto stream = server.handler.stream();
    CHECK(stream->push_line("{\"n\":1}"));
    CHECK(client.until("1}\n\r\n") == "8\r\n{\"n\":1}\n\r\n");
    CHECK(stream->push("raw"));
    CHECK(client.until("raw\r\n") == "3\r\nraw\r\n");
    CHECK(stream->push(""));
    CHECK(stream->push_line(std::string(300, 'a')));
    stream->close();
    CHECK_FALSE(stream->push_line("too late"));
    CHECK(unchunked(client.rest()) == std::string(300, 'a') + "\n");
    client.close();
    CHECK(server.handler.wait_streams_closed(1));
    CHECK(server.handler.count() == 0);
}

TEST_CASE("a client of HTTP/1.0 gets a stream without chunks") {
    TestServer server;
    RawClient client = server.client();
    client.send("GET /events HTTP/1.0\r\n\r\n");
    CHECK_THAT(client.until("\r\n\r\n"), !Contains("Transfer-Encoding"));
    server.handler.stream()->push_line("one");
    server.handler.stream()->push_line("two");
    server.handler.stream()->close();
    CHECK(client.rest() == "one\ntwo\n");
}

TEST_CASE("only GET opens a stream, and a request after it is not looked at") {
    TestServer server;
    RawClient client = server.client();
    client.send("PUT /events HTTP/1.1\r\nContent-Length: 1\r\n\r\nx" + events +
                "GET /other HTTP/1.1\r\n\r\n");
    CHECK_THAT(client.answer(), Contains("PUT /events x"));
    client.until("\r\n\r\n");
    server.handler.stream()->close();
    CHECK(client.rest() == "0\r\n\r\n");
    CHECK(server.handler.count() == 1);
}

TEST_CASE("a client that goes away closes its stream without anything being sent") {
    TestServer server;
    RawClient client = server.client();
    client.send(events);
    const auto stream = server.handler.stream();
    client.close();
    CHECK(server.handler.wait_streams_closed(1));
    CHECK_FALSE(stream->is_open());
    CHECK_FALSE(stream->push_line("to nobody"));
}

TEST_CASE("a client that shuts its side goes on reading its stream") {
    TestServer server;
    RawClient client = server.client();
    client.send(events);
    client.shut();
    client.until("\r\n\r\n");
    CHECK(server.handler.stream()->push_line("still"));
    CHECK_THAT(client.until("still\n"), Contains("still"));
}

TEST_CASE("a client that reads too slowly gets what is queued, a last line and the end") {
    HttpServerOptions options;
    options.stream_queue_bytes = 100000;
    TestServer server(options);
    RawClient client = server.client();
    client.send(events);
    client.until("\r\n\r\n");
    const auto stream = server.handler.stream();
    std::string expected;
    std::size_t pushed = 0;
    for (std::string line; pushed < 100000000; pushed += line.size() + 1) {
        line = cat("event ", pushed, ' ', std::string(200, '.'));
        if (!stream->push_line(line))
            break;
        expected += line + '\n';
    }
    CHECK(pushed < 10000000);
    CHECK_FALSE(stream->is_open());
    CHECK(unchunked(client.rest()) ==
          expected + "{\"fault_message\":\"This client reads too slowly; the stream ends "
                     "here.\"}\n");
}

TEST_CASE("a client that does not read at all is dropped in time") {
    HttpServerOptions options;
    options.stream_queue_bytes = 5000000;
    options.answer_timeout = 50ms;
    TestServer server(options);
    RawClient client = server.client();
    client.send(events);
    client.until("\r\n\r\n");
    const auto stream = server.handler.stream();
    // More than the socket takes: once some of it has come, the server is in the middle of a write.
    CHECK(stream->push(std::string(5000000, 'x')));
    CHECK(client.ready(POLLIN, RawClient::patience_ms));
    SECTION("because its queue overflows") {
        CHECK(stream->push(std::string(5000000, 'y')));
        CHECK(stream->is_open());
        CHECK_FALSE(stream->push("z"));
    }
    SECTION("because the stream is over") {
        stream->close();
    }
    CHECK(server.handler.wait_streams_closed(1));
}

TEST_CASE("a push that exceeds the whole queue ends the stream with a line of its own") {
    HttpServerOptions options;
    options.stream_queue_bytes = 10;
    TestServer server(options);
    RawClient client = server.client();
    client.send(events);
    client.until("\r\n\r\n");
    const auto stream = server.handler.stream();
    CHECK(stream->push("no newline"));
    client.until("newline\r\n");
    CHECK_FALSE(stream->push("12345678901"));
    CHECK_THAT(unchunked(client.rest()), Catch::StartsWith("\n{\"fault_message\":"));
}

TEST_CASE("several threads may push to several streams") {
    TestServer server;
    std::vector<RawClient> clients;
    for (int i = 0; i < 3; ++i) {
        clients.push_back(server.client());
        clients.back().send(events);
        clients.back().until("\r\n\r\n");
    }
    std::vector<std::thread> producers;
    for (int producer = 0; producer < 4; ++producer) {
        producers.emplace_back([&server, producer] {
            for (int i = 0; i < 200; ++i) {
                for (std::size_t s = 0; s < 3; ++s)
                    server.handler.stream(s)->push_line(cat(producer, '/', i));
            }
        });
    }
    for (auto& thread : producers)
        thread.join();
    for (std::size_t s = 0; s < 3; ++s) {
        server.handler.stream(s)->close();
        const std::string text = unchunked(clients[s].rest());
        std::set<std::string> lines;
        for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos;
             at = end + 1)
            lines.insert(text.substr(at, end - at));
        CHECK(lines.size() == 800);
    }
}
