// The server among many clients: limits, slow ones, answers that come later, and the end.
#include "tests/fakes/http_peer.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <ctime>
#include <stdexcept>
#include <thread>

#include <sys/resource.h>

using namespace coldstart;
using namespace coldstart::fakes;
using namespace std::chrono_literals;
using Catch::Contains;
using Clock = std::chrono::steady_clock;

namespace {

std::string get(std::string_view target) {
    return cat("GET ", target, " HTTP/1.1\r\n\r\n");
}

HttpAnswer text_answer(std::string text) {
    HttpAnswer answer;
    answer.status = 200;
    answer.body = std::move(text);
    return answer;
}

/// Whether a new client is served, now or soon.
bool gets_in(const TestServer& server) {
    for (int i = 0; i < 1000; ++i) {
        RawClient client = server.client();
        client.send(get("/"));
        if (client.status() == 200)
            return true;
        std::this_thread::sleep_for(1ms);
    }
    return false;
}

} // namespace

TEST_CASE("pipelined requests are handled and answered one after the other") {
    TestServer server;
    server.handler.keep = true;
    RawClient client = server.client();
    std::string all;
    for (int i = 0; i < 5; ++i)
        all += cat("PUT /", i, " HTTP/1.1\r\nContent-Length: 1\r\n\r\n", i);
    client.send(all + get("/last") + "broken\r\n");
    for (std::size_t i = 0; i < 6; ++i) {
        const auto done = server.handler.take_done();
        CHECK(server.handler.count() == i + 1);
        std::thread([&] { done(text_answer(cat("answer ", i))); }).join();
        CHECK_THAT(client.answer(), Contains(cat("\r\n\r\nanswer ", i)));
    }
    CHECK(client.status() == 400);
    CHECK(client.rest().empty());
}

TEST_CASE("thousands of pipelined requests are answered in order") {
    TestServer server;
    RawClient client = server.client();
    constexpr int count = 3000;
    std::thread sender([&] {
        for (int i = 0; i < count; ++i)
            client.send(get(cat("/", i)));
    });
    int in_order = 0;
    while (in_order < count && client.answer().ends_with(cat("GET /", in_order, ' ')))
        ++in_order;
    sender.join();
    CHECK(in_order == count);
}

TEST_CASE("a request that waits for its answer delays no other connection") {
    TestServer server;
    server.handler.keep = true;
    RawClient waiting = server.client();
    waiting.send(get("/wait"));
    const auto done = server.handler.take_done();
    RawClient other = server.client();
    for (int i = 0; i < 3; ++i) {
        other.send(get("/other"));
        server.handler.take_done()(text_answer("other"));
        CHECK(other.status() == 200);
    }
    done(text_answer("at last"));
    CHECK_THAT(waiting.answer(), Contains("at last"));
}

TEST_CASE("an answer for a client that has gone is dropped") {
    TestServer server;
    server.handler.keep = true;
    {
        RawClient client = server.client();
        client.send(get("/") + get("/"));
        server.handler.request(0);
    }
    server.handler.take_done()(text_answer(std::string(1000000, 'x')));
    RawClient client = server.client();
    client.send(get("/"));
    server.handler.take_done()(text_answer("still here"));
    CHECK_THAT(client.answer(), Contains("still here"));
}

TEST_CASE("a client that leaves while its request is handled gives its place back") {
    HttpServerOptions options;
    options.max_connections = 1;
    TestServer server(options);
    server.handler.keep = true;
    RawClient client = server.client();
    client.send(get("/"));
    const auto done = server.handler.take_done();
    server.handler.keep = false;
    client.close();
    CHECK(gets_in(server));
}

TEST_CASE("done counts once, and a request nobody answers gets 500") {
    TestServer server;
    server.handler.keep = true;
    RawClient client = server.client();
    client.send(get("/twice") + get("/dropped"));
    {
        const auto done = server.handler.take_done();
        done(text_answer("first"));
        done(text_answer("second"));
    }
    CHECK_THAT(client.answer(), Contains("first"));
    server.handler.take_done();
    CHECK_THAT(client.answer(),
               Contains("500 Internal Server Error") && Contains("dropped without an answer"));
    server.handler.keep = false;
    server.handler.script = [](const HttpRequest&) -> HttpAnswer {
        throw std::runtime_error("it \"broke\"");
    };
    client.send(get("/throws"));
    CHECK_THAT(client.answer(),
               Contains("500") && Contains("{\"fault_message\":\"it \\\"broke\\\"\"}"));
}

TEST_CASE("done may come after the server has gone") {
    ScriptedHandler::Done done;
    {
        TestServer server;
        server.handler.keep = true;
        RawClient client = server.client();
        client.send(get("/"));
        done = server.handler.take_done();
    }
    done(text_answer("to nobody"));
}

TEST_CASE("hundreds of connections are served at once") {
    HttpServerOptions options;
    options.max_connections = 400;
    TestServer server(options);
    std::vector<RawClient> clients;
    for (int i = 0; i < 300; ++i)
        clients.push_back(server.client());
    for (int round = 0; round < 3; ++round) {
        for (auto& client : clients)
            client.send(get("/"));
        std::size_t served = 0;
        for (auto& client : clients)
            served += client.status() == 200;
        CHECK(served == clients.size());
    }
}

TEST_CASE("a connection too many gets 503 and a close, and its place when there is one") {
    HttpServerOptions options;
    options.max_connections = 3;
    options.idle_before_eviction = 1h;
    TestServer server(options);
    std::vector<RawClient> clients;
    for (int i = 0; i < 3; ++i) {
        clients.push_back(server.client());
        clients.back().send(get("/"));
        CHECK(clients.back().status() == 200);
    }
    for (int i = 0; i < 100; ++i) {
        RawClient refused = server.client();
        if (i % 2 == 0)
            refused.send(get("/"));
        const std::string text = refused.rest();
        CHECK_THAT(text, Catch::StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
        CHECK_THAT(text, Contains("{\"fault_message\":\"Too many open connections.\"}"));
        CHECK_FALSE(refused.was_reset());
    }
    clients.pop_back();
    CHECK(gets_in(server));
}

TEST_CASE("the connection idle longest makes room, one that is busy does not") {
    HttpServerOptions options;
    options.max_connections = 3;
    options.idle_before_eviction = 0ms;
    TestServer server(options);
    RawClient stream = server.client();
    stream.send(get("/events"));
    stream.until("\r\n\r\n");
    RawClient busy = server.client();
    busy.send("GET / HTT");
    RawClient idle = server.client();
    idle.send(get("/"));
    CHECK(idle.status() == 200);
    for (int i = 0; i < 20; ++i) {
        RawClient next = server.client();
        next.send(get("/"));
        CHECK(next.status() == 200);
        CHECK(idle.rest().empty());
        idle = std::move(next);
    }
    busy.send("P/1.1\r\n\r\n");
    CHECK(busy.status() == 200);
    server.handler.stream()->push_line("alive");
    CHECK_THAT(stream.until("alive\n"), Contains("alive"));
}

TEST_CASE("a request that is not complete in time gets 400") {
    HttpServerOptions options;
    options.request_timeout = 60ms;
    TestServer server(options);
    for (const char* part : {"G", "\r\nG", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nA: b\r\n\r",
                             "PUT / HTTP/1.1\r\nContent-Length: 5\r\n\r\n1234"}) {
        RawClient slow = server.client();
        const auto begin = Clock::now();
        slow.send(part);
        CHECK_THAT(slow.rest(), Contains("400 Bad Request") && Contains("within 60 ms"));
        CHECK(Clock::now() - begin >= 60ms);
        CHECK_FALSE(slow.was_reset());
    }
}

TEST_CASE("each request of a connection has its own time") {
    HttpServerOptions options;
    options.request_timeout = 400ms;
    TestServer server(options);
    RawClient client = server.client();
    for (int i = 0; i < 3; ++i) {
        client.send("GET / HTT");
        std::this_thread::sleep_for(5ms);
        client.send("P/1.1\r\n\r\n");
        REQUIRE(client.status() == 200);
    }
    client.send("GET / HTT");
    CHECK_THAT(client.rest(), Contains("within 400 ms"));
}

TEST_CASE("others do not wait for requests that are not complete") {
    HttpServerOptions options;
    options.request_timeout = 1h;
    TestServer server(options);
    std::vector<RawClient> slow;
    for (int i = 0; i < 20; ++i) {
        slow.push_back(server.client());
        slow.back().send("PUT / HTTP/1.1\r\nContent-Length: 5\r\n\r\n1234");
        RawClient other = server.client();
        other.send(get("/"));
        CHECK(other.status() == 200);
    }
    for (auto& client : slow) {
        client.send("5");
        CHECK(client.status() == 200);
    }
}

TEST_CASE("the time of a request runs from its first byte, however it dribbles in") {
    HttpServerOptions options;
    options.request_timeout = 100ms;
    TestServer server(options);
    RawClient slow = server.client();
    slow.send(get("/before") + "PUT / HTTP/1.1\r\n");
    CHECK(slow.status() == 200);
    const auto begin = Clock::now();
    while (!slow.ready(POLLIN, 10) && Clock::now() - begin < 5s)
        slow.send("A: b\r\n");
    CHECK(slow.status() == 400);
    CHECK(Clock::now() - begin < 3s);
}

TEST_CASE("a quiet connection between requests may stay") {
    HttpServerOptions options;
    options.request_timeout = 30ms;
    options.answer_timeout = 30ms;
    TestServer server(options);
    RawClient client = server.client();
    std::this_thread::sleep_for(100ms);
    client.send(get("/"));
    CHECK(client.status() == 200);
    std::this_thread::sleep_for(100ms);
    client.send(get("/"));
    CHECK(client.status() == 200);
}

TEST_CASE("a client that does not read its answer is dropped") {
    HttpServerOptions options;
    options.answer_timeout = 50ms;
    options.max_connections = 1;
    TestServer server(options);
    server.handler.script = [](const HttpRequest& request) {
        return text_answer(std::string(request.target == "/big" ? 8000000 : 1, 'x'));
    };
    RawClient client = server.client();
    client.send(get("/big"));
    CHECK(gets_in(server));
    CHECK(client.rest().size() < 8000000);
    CHECK_FALSE(client.timed_out());
}

TEST_CASE("a client that never reads can't make the server gather its requests") {
    HttpServerOptions options;
    options.answer_timeout = 200ms;
    TestServer server(options);
    server.handler.script = [](const HttpRequest&) { return text_answer(std::string(50000, 'x')); };
    RawClient client = server.client();
    std::size_t sent = 0;
    while (client.ready(POLLOUT, 100) && sent < 50000000) {
        const std::size_t count = client.send_some(get("/"));
        if (count == 0)
            break;
        sent += count;
    }
    CHECK(sent < 50000000);
    CHECK(server.handler.count() < 1000);
}

TEST_CASE("without a free descriptor the server waits quietly, and goes on later") {
    TestServer server;
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    UniqueFd lowest(::dup(2));
    rlimit tight = before;
    tight.rlim_cur = static_cast<rlim_t>(lowest.get()) + 1;
    lowest.reset();
    ::setrlimit(RLIMIT_NOFILE, &tight);
    std::optional<RawClient> client;
    client.emplace(server.path());
    client->send(get("/"));
    const std::clock_t cpu = std::clock();
    const bool early = client->ready(POLLIN, 350);
    const double cpu_seconds = double(std::clock() - cpu) / CLOCKS_PER_SEC;
    ::setrlimit(RLIMIT_NOFILE, &before);
    CHECK_FALSE(early);
    CHECK(cpu_seconds < 0.15);
    CHECK(client->status() == 200);
}

TEST_CASE("stop ends within a second whatever clients do, and answers that were given arrive") {
    HttpServerOptions options;
    options.request_timeout = options.answer_timeout = options.linger_timeout = 1h;
    TestServer server(options);
    server.handler.keep = true;
    RawClient idle = server.client();
    RawClient slow = server.client();
    slow.send("GET /");
    RawClient stream = server.client();
    stream.send(get("/events"));
    stream.until("\r\n\r\n");
    server.handler.stream()->push_line("last words");
    RawClient unread = server.client();
    unread.send(get("/big"));
    const auto big = server.handler.take_done();
    RawClient unanswered = server.client();
    unanswered.send(get("/"));
    const auto never = server.handler.take_done();
    RawClient answered = server.client();
    answered.send(get("/"));
    const auto done = server.handler.take_done();
    RawClient broken = server.client();
    broken.send("broken\r\n");
    CHECK(broken.status() == 400);

    big(text_answer(std::string(8000000, 'x')));
    done(text_answer("in time"));
    const auto begin = Clock::now();
    server.server().stop();
    // A third of a second, and what a busy machine adds; not the hours above.
    CHECK(Clock::now() - begin < 10s);
    never(text_answer("too late"));

    CHECK(idle.rest().empty());
    CHECK_FALSE(idle.timed_out());
    CHECK(slow.rest().empty());
    CHECK(stream.rest() == "b\r\nlast words\n\r\n0\r\n\r\n");
    CHECK_FALSE(server.handler.stream()->is_open());
    CHECK(unanswered.rest().empty());
    CHECK_THAT(answered.rest(), Contains("in time"));
    CHECK_FALSE(server.handler.stream()->push_line("to nobody"));
    server.server().stop();
}

TEST_CASE("a server that was never started can go") {
    SocketFolder folder;
    ScriptedHandler handler;
    const HttpServer server({}, listen_unix(folder.path("a")), handler);
}
