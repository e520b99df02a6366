// What the metadata service answers to requests: statuses, tokens, headers.
#include "tests/fakes/fakes.h"
#include "tests/unit/mmds_guest.h"
#include "virtio/backend/mmds/http.h"
#include "virtio/backend/mmds/service.h"
#include "virtio/backend/mmds/tokens.h"

#include <catch2/catch.hpp>
#include <set>

using namespace coldstart;
using namespace coldstart::fakes;

namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;

struct Bench {
    explicit Bench(bool needs_token = false, bool text_only = false)
        : service(metadata, {needs_token, text_only}) {}

    /// `head` without its last, empty line.
    std::string ask(const std::string& head) {
        MmdsService::Reply reply = service.answer(head + "\r\n\r\n", now_ns);
        keep_alive = reply.keep_alive;
        return reply.bytes;
    }
    std::string body(const std::string& head) {
        const std::string answer = ask(head);
        return answer.substr(answer.find("\r\n\r\n") + 4);
    }
    unsigned status(const std::string& head) {
        return static_cast<unsigned>(std::stoul(ask(head).substr(9, 3)));
    }
    std::string token(const std::string& ttl) {
        return body("PUT /latest/api/token HTTP/1.1\r\nX-metadata-token-ttl-seconds: " + ttl);
    }

    FakeMetadata metadata;
    MmdsService service;
    std::uint64_t now_ns = 5 * second_ns;
    bool keep_alive = false;
};

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("an answer has its status, its type, its length and who it is from", "[mmds]") {
    Bench bench;
    CHECK(bench.ask("GET /name HTTP/1.1") ==
          "HTTP/1.1 200 OK\r\nServer: Firecracker API\r\nConnection: keep-alive\r\n"
          "Content-Type: text/plain\r\nContent-Length: 9\r\n\r\nguest one");
    CHECK(bench.keep_alive);
    CHECK(bench.ask("GET http://169.254.169.254/name HTTP/1.0\r\nAccept: application/json") ==
          "HTTP/1.0 200 OK\r\nServer: Firecracker API\r\nConnection: close\r\n"
          "Content-Type: application/json\r\nContent-Length: 11\r\n\r\n\"guest one\"");
    CHECK_FALSE(bench.keep_alive);
}

TEST_CASE("the guest says whether the connection stays", "[mmds]") {
    Bench bench;
    bench.ask("GET /name HTTP/1.0\r\nConnection: Keep-Alive");
    CHECK(bench.keep_alive);
    bench.ask("GET /name HTTP/1.1\r\nconnection: foo, Close");
    CHECK_FALSE(bench.keep_alive);
}

TEST_CASE("requests that are none are refused", "[mmds]") {
    Bench bench;
    CHECK(bench.status("nonsense") == 400);
    CHECK_FALSE(bench.keep_alive);
    CHECK(bench.status("GET /name") == 400);
    CHECK(bench.status("GET  HTTP/1.1") == 400);
    CHECK(bench.status("GET /name HTTP/1.1\r\nno colon") == 400);
    CHECK(bench.status("GET /name HTTP/1.1\r\n: no name") == 400);
    CHECK(bench.body("GET name HTTP/1.1") == "Invalid URI.");
    CHECK(bench.status("GET http://169.254.169.254 HTTP/1.1") == 400);
    CHECK(bench.status("GET /name HTTP/2.0") == 501);
    CHECK(bench.status("FETCH /name HTTP/1.1") == 501);
    CHECK(bench.body("GET /name HTTP/1.1\r\nContent-Length: 9") == "Invalid request.");
    CHECK_FALSE(bench.keep_alive);
    CHECK(bench.status("GET /name HTTP/1.1\r\nContent-Length: x") == 400);
    CHECK(bench.status("GET /name HTTP/1.1\r\nContent-Length: 0") == 200);
    CHECK(bench.status("PUT /latest/api/token HTTP/1.1\r\nTransfer-Encoding: chunked") == 400);
}

TEST_CASE("only GET and PUT are allowed", "[mmds]") {
    Bench bench;
    for (const char* method : {"POST", "PATCH", "DELETE", "OPTIONS"}) {
        const std::string answer = bench.ask(std::string(method) + " /name HTTP/1.1");
        CHECK(answer.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"));
        CHECK(contains(answer, "\r\nAllow: GET, PUT\r\n"));
        CHECK(answer.ends_with("\r\n\r\nNot allowed HTTP method."));
    }
    const std::string answer = bench.ask("HEAD /name HTTP/1.1");
    CHECK(answer.starts_with("HTTP/1.1 405 "));
    CHECK(answer.ends_with("\r\n\r\n")); // no body behind the head
}

TEST_CASE("paths that lead nowhere or to what is no text", "[mmds]") {
    Bench bench;
    CHECK(bench.status("GET /nobody HTTP/1.1") == 404);
    CHECK(bench.body("GET //no//body HTTP/1.1") == "Resource not found: //no//body.");
    CHECK(bench.body("GET ///name HTTP/1.1") == "guest one");
    CHECK(bench.status("GET /list HTTP/1.1") == 501);
    CHECK(bench.body("GET /list HTTP/1.1") ==
          "Cannot retrieve value. The value has an unsupported type.");
    CHECK(bench.status("GET /list HTTP/1.1\r\naccept: application/json") == 200);
}

TEST_CASE("as Amazon's service it answers with text alone", "[mmds]") {
    Bench bench(false, true);
    const std::string answer = bench.ask("GET /name HTTP/1.1\r\nAccept: application/json");
    CHECK(contains(answer, "\r\nContent-Type: text/plain\r\n"));
    CHECK(answer.ends_with("\r\n\r\nguest one"));
    CHECK(bench.status("GET /list HTTP/1.1\r\nAccept: application/json") == 501);
}

TEST_CASE("the first type of Accept that is known decides", "[mmds]") {
    CHECK(accepts_json("application/json"));
    CHECK(accepts_json("text/html, Application/JSON;q=0.9"));
    CHECK_FALSE(accepts_json("text/plain, application/json"));
    CHECK_FALSE(accepts_json("*/*"));
    CHECK_FALSE(accepts_json(""));
    CHECK_FALSE(accepts_json("application/jsonx"));
}

TEST_CASE("version 2 needs a token", "[mmds]") {
    Bench bench(true);
    CHECK(bench.ask("GET /name HTTP/1.1").starts_with("HTTP/1.1 401 Unauthorized\r\n"));
    CHECK(contains(bench.body("GET /name HTTP/1.1"), "No MMDS token provided."));
    CHECK(bench.status("GET /name HTTP/1.1\r\nX-metadata-token: foo") == 401);
    CHECK(bench.body("GET /name HTTP/1.1\r\nX-metadata-token: foo") == "MMDS token not valid.");
    CHECK(bench.metadata.counters.rx_no_token == 2);
    CHECK(bench.metadata.counters.rx_invalid_token == 2);
    CHECK(bench.status("GET /nobody HTTP/1.1") == 401); // says nothing about what there is

    const std::string token = bench.token("60");
    CHECK(token.size() == MmdsTokens::token_chars);
    CHECK(bench.body("GET /name HTTP/1.1\r\nX-metadata-token: " + token) == "guest one");
    CHECK(bench.body("GET /name HTTP/1.1\r\nx-AWS-ec2-metadata-token:" + token) == "guest one");
    CHECK(bench.status("GET /name HTTP/1.1\r\nX-metadata-token: " + token + "0") == 401);
    CHECK(bench.status("GET /name HTTP/1.1\r\nX-metadata-token: " + std::string(48, '\0')) == 401);
    bench.now_ns += 59 * second_ns;
    CHECK(bench.status("GET /name HTTP/1.1\r\nX-metadata-token: " + token) == 200);
    bench.now_ns += second_ns;
    CHECK(bench.status("GET /name HTTP/1.1\r\nX-metadata-token: " + token) == 401);
}

TEST_CASE("version 1 takes tokens and does not need them", "[mmds]") {
    Bench bench;
    const std::string token = bench.token("1");
    CHECK(bench.status("GET /name HTTP/1.1\r\nX-metadata-token: " + token) == 200);
    CHECK(bench.metadata.counters.rx_invalid_token == 0);
    CHECK(bench.status("GET /name HTTP/1.1\r\nX-metadata-token: foo") == 200);
    CHECK(bench.status("GET /name HTTP/1.1") == 200);
    CHECK(bench.metadata.counters.rx_invalid_token == 1);
    CHECK(bench.metadata.counters.rx_no_token == 1);
}

TEST_CASE("a token is asked for in the right way or not given", "[mmds]") {
    Bench bench(true);
    const std::string put = "PUT /latest/api/token HTTP/1.1\r\n";
    CHECK(contains(bench.ask(put + "X-aws-ec2-metadata-token-ttl-seconds: 21600"),
                   "\r\nX-aws-ec2-metadata-token-ttl-seconds: 21600\r\n"));
    CHECK(bench.status("PUT //latest//api/token HTTP/1.1\r\nX-metadata-token-ttl-seconds: 1") ==
          200);
    CHECK(bench.status("PUT /latest/api/token HTTP/1.1") == 400);
    CHECK(contains(bench.body("PUT /latest/api/token HTTP/1.1"),
                   "Token time to live value not found."));
    CHECK(bench.body("PUT /token HTTP/1.1\r\nX-metadata-token-ttl-seconds: 60") ==
          "Resource not found: /token.");
    for (const char* ttl : {"0", "21601", "4294967295"}) {
        CHECK(bench.status(put + "X-metadata-token-ttl-seconds: " + ttl) == 400);
        CHECK(bench.token(ttl) ==
              "Invalid time to live value provided for token: " + std::string(ttl) +
                  ". Please provide a value between 1 and 21600.");
    }
    for (const char* ttl : {"", "-1", "60s", "4294967296", "99999999999999999999"})
        CHECK(bench.token(ttl) == "Invalid header. Reason: Invalid value. "
                                  "Key:X-metadata-token-ttl-seconds; Value:" +
                                      std::string(ttl));
    CHECK(bench.body(put + "x-Forwarded-for: 10.0.0.1\r\nX-metadata-token-ttl-seconds: 60") ==
          "Invalid header. Reason: Unsupported header name. Key: x-Forwarded-for");
    CHECK(bench.status(put + "X-Forwarded-For: foo\r\nX-metadata-token-ttl-seconds: 60") == 400);
}

TEST_CASE("no two tokens are the same, and the one nearest its end gives way", "[mmds]") {
    MmdsTokens tokens;
    const auto text = [](const MmdsTokens::Token& token) {
        return std::string(token.begin(), token.end());
    };
    const std::string first = text(tokens.make(100, 1).value());
    const std::string longest = text(tokens.make(21600, 1).value());
    std::set<std::string> seen = {first, longest};
    for (std::size_t i = 2; i < MmdsTokens::max_tokens; ++i)
        seen.insert(text(tokens.make(200, 1).value()));
    CHECK(seen.size() == MmdsTokens::max_tokens);
    CHECK(tokens.is_valid(first, 2));
    const std::string last = text(tokens.make(300, 1).value());
    CHECK_FALSE(tokens.is_valid(first, 2));
    CHECK(tokens.is_valid(longest, 2));
    CHECK(tokens.is_valid(last, 2));
    std::string changed = longest;
    changed.back() = changed.back() == '0' ? '1' : '0';
    CHECK_FALSE(tokens.is_valid(changed, 2));
}

TEST_CASE("the end of a head is found whichever way its lines end", "[mmds]") {
    CHECK(http_head_bytes("GET / HTTP/1.1\r\n\r\nmore") == 18);
    CHECK(http_head_bytes("GET / HTTP/1.1\n\nmore") == 16);
    CHECK(http_head_bytes("a\r\nb: c\n\r\n") == 10);
    CHECK(http_head_bytes("GET / HTTP/1.1\r\n\r") == 0);
    CHECK(http_head_bytes("GET / HTTP/1.1\r\nA: b\r\n") == 0);
    CHECK(http_head_bytes("") == 0);
}

TEST_CASE("a request over the wire needs its token too", "[mmds]") {
    MmdsGuest guest({.service = {.needs_token = true}});
    GuestConnection connection(guest);
    CHECK(contains(connection.ask("GET /name HTTP/1.1\r\n\r\n"), " 401 "));
    const std::string answer = connection.ask(
        "\r\nPUT /latest/api/token HTTP/1.1\r\nX-metadata-token-ttl-seconds: 5\r\n\r\n");
    const std::string token = answer.substr(answer.size() - MmdsTokens::token_chars);
    const std::string get = "GET /name HTTP/1.1\r\nX-metadata-token: " + token + "\r\n\r\n";
    CHECK(contains(connection.ask(get), " 200 "));
    guest.clock.advance(5 * second_ns);
    CHECK(contains(connection.ask(get), " 401 "));
    CHECK(contains(connection.ask("GET /x HTTP/1.1\r\nX: " + std::string(4096, 'x')), " 400 "));
    CHECK(connection.closed);
}
