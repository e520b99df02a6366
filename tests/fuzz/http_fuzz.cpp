// Clients that send nearly HTTP. Each mutated byte stream goes through the request reader whole and
// in pieces, which must come to the same, and over a socket to a running server, which must answer in
// HTTP and close in time, and still serve the next client.
//
//     http_fuzz [iterations [seed]]
#include "api/http/request_reader.h"
#include "tests/fakes/http_peer.h"
#include "vmm/base/log.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>

using namespace coldstart;
using namespace coldstart::fakes;

namespace {

constexpr std::array<std::string_view, 8> seeds = {
    "GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n",
    "PUT /drives/a HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n"
    "{\"drive\":\"a\"}",
    "PATCH /vm HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
    "GET /events HTTP/1.1\r\n\r\n",
    "DELETE http://localhost/drives/a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "POST /a HTTP/1.1\r\nContent-Length: 51201\r\n\r\n",
    "GET /x HTTP/1.1\r\nConnection: close, TE\r\nTransfer-Encoding: identity\r\n\r\n",
};
constexpr std::array<std::string_view, 24> words = {"\r\n",
                                                    "\r",
                                                    "\n",
                                                    "\r\n\r\n",
                                                    " ",
                                                    "\t",
                                                    ":",
                                                    ",",
                                                    std::string_view("\0", 1),
                                                    "\xff",
                                                    "HTTP/1.0",
                                                    "HTTP/1.1",
                                                    "HTTP/2.0",
                                                    "GET ",
                                                    "HEAD ",
                                                    "CONNECT ",
                                                    "Content-Length: ",
                                                    "Connection: ",
                                                    "close",
                                                    "keep-alive",
                                                    "chunked",
                                                    "Expect: 100-continue",
                                                    "-1",
                                                    "18446744073709551616"};

class Mutator {
  public:
    explicit Mutator(std::mt19937_64& random) : random_(random) {}

    std::string stream() {
        std::string bytes;
        for (std::uint64_t i = 0, count = 1 + below(4); i < count; ++i)
            bytes += seeds[below(seeds.size())];
        for (std::uint64_t i = 0, count = below(6); i < count; ++i)
            mutate(bytes);
        return bytes;
    }
    std::uint64_t below(std::uint64_t limit) { return random_() % limit; }

  private:
    void mutate(std::string& bytes) {
        const std::size_t at = below(bytes.size() + 1);
        const std::size_t size = below(16);
        switch (below(8)) {
        case 0:
            bytes.erase(at, size);
            break;
        case 1:
            bytes.insert(at, bytes.substr(below(bytes.size() + 1), size * 4));
            break;
        case 2:
            bytes.insert(at, std::string(below(5) == 0 ? below(70000) : below(1100), 'a'));
            break;
        case 3:
            if (at < bytes.size())
                bytes[at] = static_cast<char>(random_());
            break;
        case 4:
            if (at < bytes.size())
                bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
            break;
        case 5:
            bytes.resize(at);
            break;
        default:
            bytes.insert(at, words[below(words.size())]);
            break;
        }
    }

    std::mt19937_64& random_;
};

/// What a reader makes of a stream that comes in pieces of up to `piece` bytes.
std::string verdict(std::string_view bytes, std::size_t piece) {
    RequestReader reader{HttpServerOptions{}};
    std::string said;
    for (;;) {
        switch (reader.next()) {
        case RequestReader::Step::need_more:
            if (bytes.empty())
                return said + (reader.partial() ? "partial" : "end");
            reader.append(bytes.substr(0, piece));
            bytes.remove_prefix(std::min(piece, bytes.size()));
            break;
        case RequestReader::Step::send_continue:
            said += "continue\n";
            break;
        case RequestReader::Step::request:
            said += cat(reader.request().method, ' ', reader.request().target, ' ',
                        reader.request().accept, ' ', reader.keep_alive(), '\n',
                        reader.request().body, '\n');
            break;
        case RequestReader::Step::malformed:
            return said + reader.fault();
        }
    }
}

/// Streams end at once, so that each client comes to an end.
class FuzzHandler : public ScriptedHandler {
  public:
    bool open_stream(const HttpRequest& request, std::shared_ptr<HttpStream> stream) override {
        if (request.target != "/events")
            return false;
        stream->push_line("event");
        stream->close();
        return true;
    }
    void handle(HttpRequest request, Done done) override { done(script(request)); }
};

[[noreturn]] void fail(const char* what, std::string_view bytes, std::string_view more = {}) {
    std::fprintf(stderr, "http_fuzz: %s\n%s\n%s\n", what, printable(bytes, 4000).c_str(),
                 printable(more, 4000).c_str());
    std::exit(1);
}

/// The status of the first answer; 0: the client did not wait for one.
unsigned talk(RawClient client, const std::string& bytes, Mutator& mutator) {
    const std::size_t piece = 1 + mutator.below(mutator.below(4) == 0 ? 40 : 100000);
    std::size_t at = 0;
    for (; at < bytes.size(); at += piece) {
        if (!client.send(std::string_view(bytes).substr(at, piece)))
            break;
    }
    if (mutator.below(8) == 0)
        return 0;
    client.shut();
    const std::string text = client.rest();
    if (client.timed_out())
        fail("no close in time", bytes, text);
    if (client.was_reset())
        fail("a reset may have lost the answer", bytes, text);
    if (!text.empty() && !text.starts_with("HTTP/1.1 "))
        fail("the answer is not HTTP", bytes, text);
    if (text.empty() && bytes.size() > 2)
        fail("no answer", bytes);
    return text.size() < 12 ? 0 : static_cast<unsigned>(std::atoi(text.c_str() + 9));
}

} // namespace

int main(int argc, char** argv) {
    const unsigned iterations = argc > 1 ? static_cast<unsigned>(std::atoi(argv[1])) : 4000;
    const std::uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
    set_log_level(LogLevel::off);
    std::mt19937_64 random(seed);
    Mutator mutator(random);

    SocketFolder folder;
    FuzzHandler handler;
    const std::string path = folder.path("socket");
    HttpServer server({}, listen_unix(path), handler);
    server.start();
    unsigned served = 0;
    unsigned refused = 0;
    for (unsigned i = 0; i < iterations; ++i) {
        const std::string bytes = mutator.stream();
        const std::string whole = verdict(bytes, bytes.size() + 1);
        for (const std::size_t piece : {std::size_t{1}, 1 + mutator.below(100)}) {
            if (const std::string said = verdict(bytes, piece); said != whole)
                fail("pieces are read differently", bytes, whole + "\n---\n" + said);
        }
        const unsigned status = talk(RawClient(path), bytes, mutator);
        served += status == 200;
        refused += status == 400;
        RawClient next(path);
        next.send("GET /still HTTP/1.1\r\n\r\n");
        if (i % 16 == 0 && next.status() != 200)
            fail("the server serves no more after", bytes);
    }
    server.stop();
    std::printf("http_fuzz: %u streams, seed %llu; of the first requests %u were served and %u "
                "refused\n",
                iterations, static_cast<unsigned long long>(seed), served, refused);
    return 0;
}
