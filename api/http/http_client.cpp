#include "api/http/http_client.h"

#include "api/http/unix_socket.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <limits>
#include <optional>
#include <utility>

#include <poll.h>
#include <sys/socket.h>

namespace coldstart {
namespace {

namespace http = boost::beast::http;
using Clock = std::chrono::steady_clock;
using Parser = http::parser<false, http::string_body, std::allocator<char>>;

int ms_until(Clock::time_point time) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(time - Clock::now()).count();
    return static_cast<int>(std::clamp<long long>(left, 0, std::numeric_limits<int>::max()));
}

/// One connection: text out, an answer in.
class Exchange {
  public:
    Exchange(const std::string& path, std::chrono::milliseconds timeout)
        : path_(printable(path, 200)), timeout_(timeout), deadline_(Clock::now() + timeout),
          fd_(connect_unix(path, left_ms())) {
        parser_.body_limit(std::numeric_limits<std::uint64_t>::max());
        parser_.eager(true);
    }

    void send(std::string_view text);
    /// Reads until the head is complete.
    void read_head();
    /// Reads what there is of the body; false: it was complete before.
    bool read_more();
    /// Waits until there is something to read; false: the companion wants no more.
    bool wait_beside(StreamCompanion& companion);
    void no_deadline() { deadline_.reset(); }
    bool done() const { return parser_.is_done(); }
    unsigned status() const { return parser_.get().result_int(); }
    std::string& body() { return parser_.get().body(); }
    HttpAnswer answer() const;

  private:
    void wait(short events);
    int left_ms() const;
    [[noreturn]] void cut_short() const {
        throw Error("API socket " + path_ + ": the connection ended before the answer did",
                    "the machine may have stopped; look at its output");
    }

    std::string path_;
    std::chrono::milliseconds timeout_;
    std::optional<Clock::time_point> deadline_;
    UniqueFd fd_;
    Parser parser_;
    std::string pending_; // read and not yet parsed
};

int Exchange::left_ms() const {
    return deadline_ ? ms_until(*deadline_) : -1;
}

void Exchange::wait(short events) {
    pollfd ready{};
    ready.fd = fd_.get();
    ready.events = events;
    int count = 0;
    do
        count = ::poll(&ready, 1, left_ms());
    while (count < 0 && errno == EINTR);
    if (count < 0)
        throw system_error("API socket " + path_, errno);
    if (count == 0)
        throw Error(cat("API socket ", path_, ": no answer within ", timeout_.count(), " ms"),
                    "the machine may be busy; try again or wait longer");
}

bool Exchange::wait_beside(StreamCompanion& companion) {
    for (;;) {
        pollfd ready[2] = {{fd_.get(), POLLIN, 0}, {companion.fd(), POLLIN, 0}};
        const auto wake_at = companion.wake_at();
        const int count = ::poll(ready, 2, wake_at ? ms_until(*wake_at) : -1);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            throw system_error("API socket " + path_, errno);
        const bool readable = ready[1].revents != 0;
        const bool due = wake_at && Clock::now() >= *wake_at;
        if ((readable || due) && !companion.woken(readable))
            return false;
        if (ready[0].revents != 0)
            return true;
    }
}

void Exchange::send(std::string_view text) {
    while (!text.empty()) {
        const ssize_t sent = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
        if (sent >= 0) {
            text.remove_prefix(static_cast<std::size_t>(sent));
        } else if (errno == EAGAIN) {
            wait(POLLOUT);
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return; // the server does not want the rest; its answer says why
        } else if (errno != EINTR) {
            throw system_error("API socket " + path_, errno);
        }
    }
}

bool Exchange::read_more() {
    if (parser_.is_done())
        return false;
    std::array<char, 16384> bytes;
    wait(POLLIN);
    const ssize_t count = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    boost::beast::error_code error;
    if (count <= 0) {
        if (!parser_.is_header_done() || !parser_.need_eof())
            cut_short();
        parser_.put_eof(error);
        return true;
    }
    pending_.append(bytes.data(), static_cast<std::size_t>(count));
    while (!pending_.empty() && !parser_.is_done()) {
        const std::size_t taken = parser_.put(boost::asio::buffer(pending_), error);
        pending_.erase(0, taken);
        if (error == http::error::need_more)
            break;
        if (error)
            throw Error(cat("API socket ", path_, ": the answer is not HTTP: ", error.message()),
                        "check that the path is a control socket");
    }
    return true;
}

void Exchange::read_head() {
    while (!parser_.is_header_done())
        read_more();
}

HttpAnswer Exchange::answer() const {
    const auto& message = parser_.get();
    HttpAnswer answer;
    answer.status = message.result_int();
    answer.content_type = std::string(message[http::field::content_type]);
    answer.body = message.body();
    answer.deprecated = message["Deprecation"] == "true";
    return answer;
}

std::string request_text(std::string_view method, std::string_view target, std::string_view body,
                         std::string_view accept) {
    std::string text = cat(method, ' ', target, " HTTP/1.1\r\nHost: localhost\r\nAccept: ", accept,
                           "\r\nConnection: close\r\n");
    if (!body.empty())
        text += cat("Content-Type: application/json\r\nContent-Length: ", body.size(), "\r\n");
    text += "\r\n";
    return text.append(body);
}

} // namespace

HttpClient::HttpClient(std::string socket_path, std::chrono::milliseconds timeout)
    : path_(std::move(socket_path)), timeout_(timeout) {}

HttpAnswer HttpClient::request(std::string_view method, std::string_view target,
                               std::string_view body, std::string_view accept) const {
    Exchange exchange(path_, timeout_);
    exchange.send(request_text(method, target, body, accept));
    while (exchange.read_more()) {
    }
    return exchange.answer();
}

HttpAnswer HttpClient::stream_bytes(std::string_view target,
                                    const std::function<bool(std::string_view bytes)>& on_bytes,
                                    StreamCompanion* companion) const {
    Exchange exchange(path_, timeout_);
    exchange.send(request_text("GET", target, {}, "*/*"));
    exchange.read_head();
    if (exchange.status() != 200) {
        while (exchange.read_more()) {
        }
        return exchange.answer();
    }
    exchange.no_deadline();
    do {
        const std::string bytes = std::exchange(exchange.body(), {});
        if (!bytes.empty() && !on_bytes(bytes))
            break;
    } while (!exchange.done() && (companion == nullptr || exchange.wait_beside(*companion)) &&
             exchange.read_more());
    exchange.body().clear();
    return exchange.answer();
}

HttpAnswer HttpClient::stream(std::string_view target,
                              const std::function<bool(std::string_view line)>& on_line,
                              StreamCompanion* companion) const {
    std::string rest;
    const auto take_lines = [&](std::string_view bytes) {
        rest += bytes;
        std::size_t begin = 0;
        for (std::size_t end; (end = rest.find('\n', begin)) != std::string::npos;
             begin = end + 1) {
            if (!on_line(std::string_view(rest).substr(begin, end - begin)))
                return false;
        }
        rest.erase(0, begin);
        return true;
    };
    return stream_bytes(target, take_lines, companion);
}

} // namespace coldstart
