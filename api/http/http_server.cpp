#include "api/http/http_server.h"

#include "api/http/answer_text.h"
#include "api/http/connection.h"
#include "api/http/farewell.h"
#include "vmm/base/error.h"
#include "vmm/base/log.h"
#include "vmm/base/text.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <csignal>
#include <set>
#include <thread>

#include <pthread.h>
#include <sys/socket.h>

namespace coldstart {
namespace {

namespace asio = boost::asio;
using asio::local::stream_protocol;
using ErrorCode = boost::system::error_code;
using std::chrono::milliseconds;

/// How long accept() rests when the host has no descriptor or memory left.
constexpr milliseconds accept_rest{100};
/// What stop() leaves to answers that are on their way.
constexpr milliseconds stop_grace{300};
/// Clients that may be told at once why they are not served; further ones just see a close.
constexpr std::size_t max_farewells = 64;

} // namespace

class HttpServer::Core final : public Connection::Host {
  public:
    Core(HttpServerOptions options, UniqueFd listening_socket, HttpHandler& handler);
    ~Core() override { mailbox_->close(); }

    void start();
    void stop() noexcept;

    const HttpServerOptions& options() const override { return options_; }
    HttpHandler& handler() override { return handler_; }
    std::shared_ptr<Mailbox> mailbox() override { return mailbox_; }
    void ended(Connection& connection) override;
    void linger(Connection::Socket socket) override { say_goodbye(std::move(socket), {}); }

  private:
    void run() noexcept;
    void wait_for_client();
    void accept_clients();
    void rest(int error_number);
    void admit(UniqueFd client);
    bool make_room();
    void say_goodbye(stream_protocol::socket socket, std::string text);
    void begin_stop();
    void stop_if_empty();

    const HttpServerOptions options_;
    HttpHandler& handler_;
    asio::io_context context_{1};
    std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>(context_);
    stream_protocol::acceptor acceptor_{context_};
    asio::steady_timer accept_timer_{context_};
    asio::steady_timer stop_timer_{context_};
    std::set<std::shared_ptr<Connection>> connections_;
    std::set<std::shared_ptr<Farewell>> farewells_;
    LogLimiter accept_log_;
    bool stopping_ = false;
    std::thread thread_;
};

HttpServer::Core::Core(HttpServerOptions options, UniqueFd listening_socket, HttpHandler& handler)
    : options_(options), handler_(handler) {
    ErrorCode error;
    acceptor_.assign(stream_protocol(), listening_socket.get(), error);
    if (error)
        throw Error(cat("the API socket can't be watched: ", error.message()));
    listening_socket.release();
    acceptor_.native_non_blocking(true, error);
    if (error)
        throw Error(cat("the API socket can't be made non-blocking: ", error.message()));
}

void HttpServer::Core::start() {
    wait_for_client();
    // Signals are for the threads that wait for them.
    sigset_t all, before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
        thread_ = std::thread([this] {
            ::pthread_setname_np(::pthread_self(), "api");
            run();
        });
    } catch (const std::exception&) {
        ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
        throw;
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void HttpServer::Core::stop() noexcept {
    if (!thread_.joinable())
        return;
    mailbox_->post([this] { begin_stop(); });
    thread_.join();
    mailbox_->close();
}

void HttpServer::Core::run() noexcept {
    for (;;) {
        try {
            context_.run();
            break;
        } catch (const std::exception& error) {
            log_error(cat("API server: ", error.what()));
        }
    }
    for (const auto& connection : std::set(connections_))
        connection->close();
    for (const auto& farewell : std::set(farewells_))
        farewell->close();
}

void HttpServer::Core::wait_for_client() {
    acceptor_.async_wait(stream_protocol::acceptor::wait_read, [this](const ErrorCode& error) {
        if (!error)
            accept_clients();
    });
}

/// Takes clients by accept4, as Asio's own accept would leak them into child processes.
void HttpServer::Core::accept_clients() {
    constexpr unsigned at_once = 64;
    for (unsigned i = 0; i < at_once; ++i) {
        UniqueFd client(
            ::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (client) {
            try {
                admit(std::move(client));
            } catch (const std::exception& error) {
                log_error(cat("API socket: a client is turned away: ", error.what()));
            }
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        if (errno != EAGAIN)
            return rest(errno);
        break;
    }
    wait_for_client();
}

void HttpServer::Core::rest(int error_number) {
    if (accept_log_.allow())
        log_warn(system_error("API socket: accept", error_number).what());
    make_room();
    accept_timer_.expires_after(accept_rest);
    accept_timer_.async_wait([this](const ErrorCode& error) {
        if (!error && !stopping_)
            accept_clients();
    });
}

void HttpServer::Core::admit(UniqueFd client) {
    stream_protocol::socket socket(context_);
    socket.assign(stream_protocol(), client.get());
    client.release();
    if (connections_.size() >= options_.max_connections && !make_room()) {
        const auto answer = fault_answer(503, "Too many open connections.");
        return say_goodbye(std::move(socket), answer_text(answer, false));
    }
    const auto connection = std::make_shared<Connection>(*this, std::move(socket));
    connections_.insert(connection);
    connection->start();
}

/// Closes the connection that has been idle longest, if it has been for long enough.
bool HttpServer::Core::make_room() {
    const auto limit = Connection::Clock::now() - options_.idle_before_eviction;
    std::shared_ptr<Connection> idlest;
    for (const auto& connection : connections_) {
        if (connection->idle_since() <= limit && connection->idle() &&
            (!idlest || connection->idle_since() < idlest->idle_since()))
            idlest = connection;
    }
    if (idlest)
        idlest->close();
    return idlest != nullptr;
}

void HttpServer::Core::ended(Connection& connection) {
    connections_.erase(connection.shared_from_this());
    stop_if_empty();
}

void HttpServer::Core::say_goodbye(stream_protocol::socket socket, std::string text) {
    ErrorCode ignored;
    if (stopping_ || farewells_.size() >= max_farewells) {
        socket.native_non_blocking(true, ignored);
        socket.write_some(asio::buffer(text), ignored);
        return;
    }
    const auto farewell =
        std::make_shared<Farewell>(std::move(socket), std::move(text), [this](Farewell& ended) {
            farewells_.erase(ended.shared_from_this());
            stop_if_empty();
        });
    farewells_.insert(farewell);
    farewell->start(options_.linger_timeout);
}

void HttpServer::Core::begin_stop() {
    stopping_ = true;
    ErrorCode ignored;
    acceptor_.close(ignored);
    accept_timer_.cancel();
    stop_timer_.expires_after(stop_grace);
    stop_timer_.async_wait([this](const ErrorCode&) { context_.stop(); });
    for (const auto& connection : std::set(connections_))
        connection->wind_up();
    for (const auto& farewell : std::set(farewells_))
        farewell->wind_up();
    stop_if_empty();
}

void HttpServer::Core::stop_if_empty() {
    if (stopping_ && connections_.empty() && farewells_.empty())
        context_.stop();
}

HttpServer::HttpServer(HttpServerOptions options, UniqueFd listening_socket, HttpHandler& handler)
    : core_(std::make_unique<Core>(options, std::move(listening_socket), handler)) {}

HttpServer::~HttpServer() {
    stop();
}

void HttpServer::start() {
    core_->start();
}

void HttpServer::stop() noexcept {
    core_->stop();
}

} // namespace coldstart
