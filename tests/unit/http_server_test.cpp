// The server over real sockets: what a client sees on the wire.
#include "tests/fakes/http_peer.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include <sys/resource.h>

using namespace coldstart;
using namespace coldstart::fakes;
using namespace std::chrono_literals;
using Catch::Contains;
using namespace std::string_literals;

namespace {

std::string put(std::string_view target, std::string_view body) {
    return cat("PUT ", target, " HTTP/1.1\r\nContent-Length: ", body.size(), "\r\n\r\n", body);
}

/// The one answer to `bytes`, after which the server closes, in peace.
std::string refused(const std::string& bytes, HttpServerOptions options = {}) {
    TestServer server(options);
    RawClient client = server.client();
    client.send(bytes);
    std::string text = client.rest();
    CHECK_FALSE(client.timed_out());
    CHECK_FALSE(client.was_reset());
    CHECK(server.handler.count() == 0);
    CHECK_THAT(text, Catch::StartsWith("HTTP/1.1 400 Bad Request\r\n"));
    CHECK_THAT(text, Contains("\r\nConnection: close\r\n") &&
                         Contains("\r\nContent-Type: application/json\r\n") &&
                         Contains("\r\n\r\n{\"fault_message\":\""));
    return text;
}

/// The answer to `bytes`, after which the connection goes on.
std::string answered(TestServer& server, const std::string& bytes) {
    RawClient client = server.client();
    client.send(bytes);
    std::string text = client.answer();
    client.send("GET /again HTTP/1.1\r\n\r\n");
    CHECK_THAT(client.answer(), Contains("GET /again "));
    return text;
}

} // namespace

TEST_CASE("an answer with a body has Firecracker's header fields") {
    TestServer server;
    CHECK(answered(server, "GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n") ==
          "HTTP/1.1 200 OK\r\nServer: Firecracker API\r\nConnection: keep-alive\r\n"
          "Content-Type: application/json\r\nContent-Length: 13\r\n\r\nGET /version ");
}

TEST_CASE("a 204 has neither Content-Type nor Content-Length, whatever the handler says") {
    TestServer server;
    server.handler.script = [](const HttpRequest&) {
        HttpAnswer answer;
        answer.body = "not to be sent";
        answer.deprecated = true;
        return answer;
    };
    RawClient client = server.client();
    client.send(put("/actions", "{}"));
    CHECK(client.answer() == "HTTP/1.1 204 No Content\r\nServer: Firecracker API\r\n"
                             "Connection: keep-alive\r\nDeprecation: true\r\n\r\n");
}

TEST_CASE("an empty answer that is no 204 says so") {
    TestServer server;
    server.handler.script = [](const HttpRequest&) {
        HttpAnswer answer;
        answer.status = 200;
        return answer;
    };
    RawClient client = server.client();
    client.send("GET / HTTP/1.1\r\n\r\n");
    CHECK(client.answer() == "HTTP/1.1 200 OK\r\nServer: Firecracker API\r\n"
                             "Connection: keep-alive\r\nContent-Length: 0\r\n\r\n");
}

TEST_CASE("method, target, body and Accept reach the handler") {
    TestServer server;
    CHECK_THAT(answered(server,
                        "PATCH http://localhost:80/vm?x=1 HTTP/1.1\r\naccept:  text/html \r\n"
                        "content-length: 4\r\n\r\n\0\r\n\x01"s),
               Contains("200 OK"));
    const HttpRequest request = server.handler.request(0);
    CHECK(request.method == "PATCH");
    CHECK(request.target == "/vm?x=1");
    CHECK(request.body == std::string("\0\r\n\x01", 4));
    CHECK(request.has_body);
    CHECK(request.accept == "text/html");
    CHECK_FALSE(server.handler.request(1).has_body);
}

TEST_CASE("each of the four methods is served, and no other") {
    TestServer server;
    CHECK_THAT(answered(server, "GET /a HTTP/1.1\r\n\r\n"), Contains("GET /a "));
    CHECK_THAT(answered(server, "DELETE /a HTTP/1.1\r\n\r\n"), Contains("DELETE /a "));
    CHECK_THAT(answered(server, put("/a", "x")), Contains("PUT /a x"));
    for (const char* method : {"POST", "OPTIONS", "get", "TRACE", "BREW"}) {
        const std::string text =
            answered(server, cat(method, " /a HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"));
        CHECK_THAT(text, Contains("400 Bad Request") && Contains("Invalid HTTP Method"));
    }
    CHECK_THAT(refused("HEAD / HTTP/1.1\r\n\r\n"), Contains("Invalid HTTP Method"));
}

TEST_CASE("bodies stand where they belong and nowhere else") {
    TestServer server;
    const auto get = answered(server, "GET /a HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}");
    CHECK_THAT(get, Contains("400") && Contains("\"GET request cannot have a body.\""));
    const auto remove = answered(server, "DELETE /a HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}");
    CHECK_THAT(remove, Contains("400") && Contains("\"DELETE request cannot have a body.\""));
    CHECK_THAT(answered(server, "PUT /a HTTP/1.1\r\n\r\n"), Contains("\"Empty PUT request.\""));
    CHECK_THAT(answered(server, put("/a", "")), Contains("\"Empty PUT request.\""));
    CHECK_THAT(answered(server, "PATCH /a HTTP/1.1\r\n\r\n"), Contains("\"Empty PATCH request.\""));
    CHECK_THAT(answered(server, "GET /a HTTP/1.1\r\nContent-Length: 0\r\n\r\n"),
               Contains("200 OK"));
    server.handler.body_optional = true;
    CHECK_THAT(answered(server, "PATCH /balloon/hinting/stop HTTP/1.1\r\n\r\n"),
               Contains("200 OK"));
}

TEST_CASE("lines may be 1024 bytes long and no longer") {
    TestServer server;
    const std::string start = "GET /";
    const std::string end = " HTTP/1.1";
    const std::string longest =
        start + std::string(1024 - start.size() - end.size(), 'a') + end + "\r\n\r\n";
    CHECK_THAT(answered(server, longest), Contains("200 OK"));
    CHECK_THAT(refused("GET /a" + longest.substr(5)), Contains("longer than 1024 bytes"));
    const std::string field = "X-Long: " + std::string(1016, 'b');
    CHECK_THAT(answered(server, "GET / HTTP/1.1\r\n" + field + "\r\n\r\n"), Contains("200 OK"));
    CHECK_THAT(refused("GET / HTTP/1.1\r\n" + field + "b\r\n\r\n"),
               Contains("longer than 1024 bytes"));
    // Before the line ends: nobody waits for its end.
    CHECK_THAT(refused("GET /" + std::string(1100, 'a')), Contains("longer than 1024 bytes"));
}

TEST_CASE("a body may be 51200 bytes long, and a longer one is refused before it is read") {
    TestServer server;
    const std::string body(51200, '7');
    CHECK_THAT(answered(server, put("/mmds", body)), Contains("200 OK") && Contains(body));
    const auto text = refused("PUT /mmds HTTP/1.1\r\nContent-Length: 51201\r\n\r\n");
    CHECK_THAT(text, Contains("\"Request payload with size 51201 is larger than the limit of 51200 "
                              "allowed by server.\""));
    HttpServerOptions small;
    small.max_body_bytes = 3;
    CHECK_THAT(refused(put("/mmds", "1234"), small), Contains("limit of 3 "));
}

TEST_CASE("a client that sends megabytes it should not still reads why") {
    TestServer server;
    RawClient client = server.client();
    client.send("PUT /mmds HTTP/1.1\r\nContent-Length: 4000000\r\n\r\n");
    CHECK(client.send(std::string(4000000, 'x')));
    CHECK_THAT(client.answer(), Contains("Request payload with size 4000000"));
    client.shut();
    CHECK(client.rest().empty());
    CHECK_FALSE(client.was_reset());
}

TEST_CASE("malformed requests get 400 and a close") {
    const std::string get = "GET / HTTP/1.1\r\n";
    const std::string put_head = "PUT / HTTP/1.1\r\n";
    const auto bytes = GENERATE_COPY(values<std::string>({
        "GET /\r\n",
        "GET\r\n",
        "nonsense\r\n",
        "GET / HTTP/1.1 \r\n\r\n",
        "GET  / HTTP/1.1\r\n\r\n",
        " GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/0.9\r\n\r\n",
        "GET / HTTP/1.2\r\n\r\n",
        "GET / HTTP/2.0\r\n\r\n",
        "GET / HTTP/11\r\n\r\n",
        "GET / http/1.1\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\n\n",
        "\n",
        "GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
        "GET / HTTP/1.1\rA: b\r\n\r\n",
        "GET / HTTP/1.1\r\r\n\r\n",
        "GET /\0 HTTP/1.1\r\n\r\n"s,
        "GET / HTTP/1.1\r\nA: b\0c\r\n\r\n"s,
        "\0"s,
        "\x16\x03\x01\x02"s,
        get + "no colon\r\n\r\n",
        get + ": no name\r\n\r\n",
        get + "A : b\r\n\r\n",
        get + "A(b): c\r\n\r\n",
        get + " A: b\r\n\r\n",
        get + "A: b\r\n c\r\n\r\n",
        get + "A: b\r\n\tc\r\n\r\n",
        get + "A: b\x7f\r\n\r\n",
        put_head + "Content-Length: \r\n\r\n",
        put_head + "Content-Length: two\r\n\r\n{}",
        put_head + "Content-Length: -2\r\n\r\n{}",
        put_head + "Content-Length: +2\r\n\r\n{}",
        put_head + "Content-Length: 0x2\r\n\r\n{}",
        put_head + "Content-Length: 2 2\r\n\r\n{}",
        put_head + "Content-Length: 2,2\r\n\r\n{}",
        put_head + "Content-Length: 2.0\r\n\r\n{}",
        put_head + "Content-Length: 99999999999999999999999\r\n\r\n{}",
        put_head + "Content-Length: 18446744073709551618\r\n\r\n{}",
        put_head + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        put_head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        put_head + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        put_head + "Transfer-Encoding: gzip\r\n\r\n",
        put_head + "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
        put_head + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    }));
    INFO(printable(bytes));
    refused(bytes);
}

TEST_CASE("a line without its CR is refused as soon as it ends") {
    for (const char* bytes : {"\n", "GET / HTTP/1.1\n", "GET / HTTP/1.1\r\nA: b\n"})
        CHECK_THAT(refused(bytes), Contains("lines must end with CR LF"));
}

TEST_CASE("a target that is no path is refused, and the connection goes on") {
    TestServer server;
    for (const char* target :
         {"*", "a", "localhost:80", "https://localhost/", "http:///", "/\xc3\xa9", "/\xff"}) {
        INFO(printable(target));
        const auto text = answered(server, cat("GET ", target, " HTTP/1.1\r\n\r\n"));
        if (std::string_view(target) != "http:///")
            CHECK_THAT(text, Contains("400 Bad Request") && Contains("Invalid URI"));
    }
    CHECK_THAT(answered(server, "GET http://localhost HTTP/1.1\r\n\r\n"), Contains("GET / "));
}

TEST_CASE("fields that this API does not know are ignored, as is one empty line before a request") {
    TestServer server;
    CHECK_THAT(answered(server, "\r\nGET /a HTTP/1.1\r\nContent-Type: nonsense/\r\nAccept: */*\r\n"
                                "Accept-Encoding: gzip\r\nX:\r\nTransfer-Encoding: identity\r\n"
                                "Expect: the unexpected\r\n\r\n"),
               Contains("GET /a "));
}

TEST_CASE("the number of header fields and the size of all of them are bounded") {
    std::string fields;
    for (int i = 0; i < 100; ++i)
        fields += cat("F", i, ": v\r\n");
    TestServer server;
    CHECK_THAT(answered(server, "GET / HTTP/1.1\r\n" + fields + "\r\n"), Contains("200 OK"));
    CHECK_THAT(refused("GET / HTTP/1.1\r\n" + fields + "One: more\r\n"), Contains("100 headers"));
    HttpServerOptions options;
    options.max_header_bytes = 600;
    CHECK_THAT(refused("GET / HTTP/1.1\r\n" + fields, options),
               Contains("head is longer than 600"));
}

TEST_CASE(
    "HTTP/1.0 connections close unless asked to stay, HTTP/1.1 ones stay unless asked to close") {
    TestServer server;
    CHECK_THAT(answered(server, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
               Contains("\r\nConnection: keep-alive\r\n"));
    for (const char* bytes :
         {"GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nConnection: close\r\n\r\n"}) {
        RawClient client = server.client();
        client.send(bytes);
        CHECK_THAT(client.rest(), Contains("200 OK") && Contains("\r\nConnection: close\r\n"));
    }
}

TEST_CASE("Expect: 100-continue is answered before the body comes") {
    TestServer server;
    RawClient client = server.client();
    for (int i = 0; i < 3; ++i) {
        client.send("PUT /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
        CHECK(client.answer() ==
              "HTTP/1.1 100 Continue\r\nServer: Firecracker API\r\nConnection: keep-alive\r\n\r\n");
        CHECK(server.handler.count() == static_cast<std::size_t>(i));
        client.send("body");
        CHECK_THAT(client.answer(), Contains("PUT /a body"));
    }
    // Too large: the body is not asked for.
    client.send("PUT /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 51201\r\n\r\n");
    CHECK(client.status() == 400);
    // HTTP/1.0 has no 100.
    RawClient old = server.client();
    old.send("PUT /a HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx");
    CHECK(old.status() == 200);
}

TEST_CASE("a request may come byte by byte") {
    TestServer server;
    RawClient client = server.client();
    for (const char c : put("/slow", "{\"a\":1}"))
        REQUIRE(client.send(std::string(1, c)));
    CHECK_THAT(client.answer(), Contains("PUT /slow {\"a\":1}"));
}

TEST_CASE("a request that ends too early gets 400, a connection without one just ends") {
    for (const char* bytes : {"GET", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nA: b\r\n",
                              "PUT / HTTP/1.1\r\nContent-Length: 5\r\n\r\n1234"}) {
        TestServer server;
        RawClient client = server.client();
        client.send(bytes);
        client.shut();
        CHECK(client.status() == 400);
        CHECK(client.rest().empty());
    }
    TestServer server;
    RawClient client = server.client();
    client.shut();
    CHECK(client.rest().empty());
    CHECK_FALSE(client.timed_out());
}

TEST_CASE("a client that shuts its side after the request gets the answer") {
    TestServer server;
    RawClient client = server.client();
    client.send("GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n");
    client.shut();
    CHECK_THAT(client.rest(), Contains("GET /a ") && Contains("GET /b "));
}
