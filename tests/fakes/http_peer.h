// Both ends of the HTTP server for tests: a client that sends raw bytes, and a handler that says what
// it was asked and answers as it is told, at once or later.
#pragma once

#include "api/http/http_server.h"
#include "api/http/unix_socket.h"
#include "vmm/base/text.h"

#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/socket.h>

namespace coldstart::fakes {

/// A folder for sockets that goes away with everything in it.
class SocketFolder {
  public:
    SocketFolder() {
        if (::mkdtemp(path_.data()) == nullptr)
            throw std::runtime_error("can't make a temporary folder");
    }
    ~SocketFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    SocketFolder(const SocketFolder&) = delete;
    SocketFolder& operator=(const SocketFolder&) = delete;
    std::string path(const std::string& name) const { return path_ + "/" + name; }

  private:
    std::string path_ = "/tmp/coldstart-http-XXXXXX";
};

/// Every wait is bounded, so that a server that says nothing fails a test instead of hanging it.
class RawClient {
  public:
    static constexpr int patience_ms = 10000;

    explicit RawClient(const std::string& path) : fd_(connect_unix(path, patience_ms)) {}

    /// False: the server has closed the connection.
    bool send(std::string_view text) {
        while (!text.empty()) {
            const ssize_t sent = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
            if (sent > 0)
                text.remove_prefix(static_cast<std::size_t>(sent));
            else if (errno != EAGAIN || !ready(POLLOUT, patience_ms))
                return false;
        }
        return true;
    }
    /// Sends what fits without waiting.
    std::size_t send_some(std::string_view text) {
        const ssize_t sent = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
        return sent > 0 ? static_cast<std::size_t>(sent) : 0;
    }
    void shut() { ::shutdown(fd_.get(), SHUT_WR); }
    void close() { fd_.reset(); }
    bool ready(short events, int timeout_ms) {
        pollfd state{};
        state.fd = fd_.get();
        state.events = events;
        return ::poll(&state, 1, timeout_ms) > 0;
    }

    /// One answer: its head and as much of a body as Content-Length says; empty at the end.
    std::string answer() {
        std::size_t end = std::string::npos;
        while ((end = unread_.find("\r\n\r\n")) == std::string::npos) {
            if (!more())
                return std::exchange(unread_, {});
        }
        end += 4;
        constexpr std::string_view field = "Content-Length: ";
        const std::size_t at = unread_.find(field);
        if (at < end)
            end += std::stoul(unread_.substr(at + field.size()));
        while (unread_.size() < end && more()) {
        }
        std::string text = unread_.substr(0, end);
        unread_.erase(0, end);
        return text;
    }
    /// The status of the next answer; 0 at the end.
    unsigned status() {
        const std::string text = answer();
        return text.size() < 12 ? 0 : static_cast<unsigned>(std::stoul(text.substr(9, 3)));
    }
    /// Everything up to the server's close.
    std::string rest() {
        while (more()) {
        }
        return std::exchange(unread_, {});
    }
    /// Reads until `text` has come, and all up to its end.
    std::string until(std::string_view text) {
        std::size_t at = std::string::npos;
        while ((at = unread_.find(text)) == std::string::npos && more()) {
        }
        if (at == std::string::npos)
            return std::exchange(unread_, {});
        std::string result = unread_.substr(0, at + text.size());
        unread_.erase(0, at + text.size());
        return result;
    }
    /// The connection ended with a reset, which may lose an answer.
    bool was_reset() const { return reset_; }
    bool timed_out() const { return timed_out_; }

  private:
    bool more() {
        if (!ready(POLLIN, patience_ms)) {
            timed_out_ = true;
            return false;
        }
        char bytes[65536];
        const ssize_t count = ::recv(fd_.get(), bytes, sizeof(bytes), 0);
        reset_ = reset_ || (count < 0 && errno == ECONNRESET);
        if (count <= 0)
            return false;
        unread_.append(bytes, static_cast<std::size_t>(count));
        return true;
    }

    UniqueFd fd_;
    std::string unread_;
    bool reset_ = false;
    bool timed_out_ = false;
};

/// Echoes method, target and body, unless told otherwise.
class ScriptedHandler : public HttpHandler {
  public:
    using Done = std::function<void(HttpAnswer)>;

    std::function<HttpAnswer(const HttpRequest&)> script = [](const HttpRequest& request) {
        HttpAnswer answer;
        answer.status = 200;
        answer.body = cat(request.method, ' ', request.target, ' ', request.body);
        return answer;
    };
    bool keep = false; ///< requests wait in `kept` for the test to answer
    bool body_optional = false;
    std::string stream_target = "/events";

    void handle(HttpRequest request, Done done) override {
        const std::lock_guard guard(mutex_);
        requests_.push_back(request);
        if (keep)
            kept_.push_back(std::move(done));
        else
            done(script(request));
        changed_.notify_all();
    }
    bool open_stream(const HttpRequest& request, std::shared_ptr<HttpStream> stream) override {
        const std::lock_guard guard(mutex_);
        if (request.target != stream_target)
            return false;
        stream->on_closed([this] {
            const std::lock_guard closed_guard(mutex_);
            ++streams_closed_;
            changed_.notify_all();
        });
        streams_.push_back(std::move(stream));
        changed_.notify_all();
        return true;
    }
    bool may_omit_body(const HttpRequest&) const override { return body_optional; }

    std::size_t count() {
        const std::lock_guard guard(mutex_);
        return requests_.size();
    }
    HttpRequest request(std::size_t index) {
        wait([&] { return requests_.size() > index; });
        const std::lock_guard guard(mutex_);
        return requests_.at(index);
    }
    /// Takes the `done` of the oldest request that was not answered yet.
    Done take_done() {
        wait([&] { return !kept_.empty(); });
        const std::lock_guard guard(mutex_);
        Done done = std::move(kept_.at(0));
        kept_.erase(kept_.begin());
        return done;
    }
    std::shared_ptr<HttpStream> stream(std::size_t index = 0) {
        wait([&] { return streams_.size() > index; });
        const std::lock_guard guard(mutex_);
        return streams_.at(index);
    }
    bool wait_streams_closed(std::size_t count) {
        return wait([&] { return streams_closed_ >= count; });
    }

  private:
    bool wait(const std::function<bool()>& condition) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::milliseconds(RawClient::patience_ms),
                                 condition);
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<HttpRequest> requests_;
    std::vector<Done> kept_;
    std::vector<std::shared_ptr<HttpStream>> streams_;
    std::size_t streams_closed_ = 0;
};

/// A server with a scripted handler that listens from the beginning.
class TestServer {
  public:
    explicit TestServer(HttpServerOptions options = {})
        : server_(options, listen_unix(path()), handler) {
        server_.start();
    }
    RawClient client() const { return RawClient(path()); }
    std::string path() const { return folder_.path("api.socket"); }
    HttpServer& server() { return server_; }

    ScriptedHandler handler;

  private:
    SocketFolder folder_;
    HttpServer server_;
};

} // namespace coldstart::fakes
