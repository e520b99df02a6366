// Both ends of a virtio socket device as tests play them: the guest's driver, which keeps to its
// credit unless it is told not to, and host programs on Unix sockets.
#pragma once

#include "tests/fakes/fakes.h"
#include "tests/fakes/virtio_driver.h"
#include "virtio/vsock/virtio_vsock.h"
#include "vmm/base/unique_fd.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <sys/un.h>

namespace coldstart::fakes {

inline sockaddr_un unix_address(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        throw std::runtime_error("the path of a test's socket is too long");
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

/// A connected socket of a host program; it never blocks.
class HostProgram {
  public:
    explicit HostProgram(UniqueFd socket) : socket_(std::move(socket)) {}
    explicit HostProgram(const std::string& path)
        : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
        const sockaddr_un address = unix_address(path);
        if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address))
            throw std::runtime_error("nobody listens at " + path);
    }

    int fd() const { return socket_.get(); }
    /// How many bytes were taken.
    std::size_t write(std::string_view text) {
        const auto sent = ::send(fd(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        return sent < 0 ? 0 : static_cast<std::size_t>(sent);
    }
    /// What is there, up to `limit`; notes the end of it.
    std::string read(std::size_t limit = 1 << 20) {
        std::string text(limit, '\0');
        const auto got = ::recv(fd(), text.data(), limit, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            ended_ = true;
        text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
        return text;
    }
    /// Whether nothing more will come, nor is there.
    bool ended() { return read(1).empty() && ended_; }
    void shut_write() { ::shutdown(fd(), SHUT_WR); }
    void close() { socket_.reset(); }

  private:
    UniqueFd socket_;
    bool ended_ = false;
};

/// A host program that waits at `path` for the guest.
class HostServer {
  public:
    explicit HostServer(std::string path)
        : path_(std::move(path)),
          socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
        const sockaddr_un address = unix_address(path_);
        if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ||
            ::listen(socket_.get(), 4096))
            throw std::runtime_error("can't listen at " + path_);
    }
    ~HostServer() { ::unlink(path_.c_str()); }
    std::optional<HostProgram> accept() {
        UniqueFd socket(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!socket)
            return std::nullopt;
        return HostProgram(std::move(socket));
    }

  private:
    std::string path_;
    UniqueFd socket_;
};

/// The guest's driver: three queues, receive buffers of 44 and `data_bytes` that go round.
class VsockGuest {
  public:
    static constexpr std::uint32_t cid = 3;
    static constexpr std::uint32_t data_bytes = 4096;
    static constexpr std::uint16_t queue_size = 64;

    struct Received {
        VsockPacket packet;
        std::string data;
    };

    VsockGuest(Device& device, const GuestMemory& memory, FakeReactor& reactor)
        : VsockGuest(device, memory, [&reactor] { reactor.run_until_idle(); }) {}
    /// `let_run`: has the device work off what there is, or leaves it to its thread.
    VsockGuest(Device& device, const GuestMemory& memory, std::function<void()> let_run)
        : driver(device, memory), run(std::move(let_run)) {}

    /// After power-on or VirtioDriver::reset(). Buffers take two descriptors each.
    void start(unsigned buffers = queue_size / 2) {
        driver.memory().fill(Gpa(0), driver.memory().size_bytes(), std::byte{0}); // old rings
        driver.start(1, {queue_size, queue_size, 8});
        send_at_ = driver.alloc(slot_bytes * queue_size);
        sent_ = 0;
        chains_.clear();
        post(buffers);
    }
    void post(unsigned buffers) {
        while (buffers-- != 0)
            chains_.push_back(driver.queue(0).chain().in(44).in(data_bytes).add());
        driver.queue(0).kick();
        run();
    }

    /// A packet to the host, as it stands.
    void send_raw(const VsockPacket& packet, std::string_view data = {}) {
        const Gpa at = send_at_ + slot_bytes * (sent_++ % queue_size);
        const auto bytes = packet.encode();
        driver.memory().write(at, bytes);
        driver.memory().write(at + bytes.size(), std::as_bytes(std::span(data)));
        driver.queue(1)
            .chain()
            .raw(at, static_cast<std::uint32_t>(bytes.size() + data.size()), 0)
            .add();
        driver.queue(1).kick();
        run();
        while (driver.queue(1).take_used())
            ;
    }
    /// Of the stream between `guest_port` and `host_port`.
    VsockPacket make(std::uint16_t op, std::uint32_t guest_port, std::uint32_t host_port) const {
        return {.src_cid = cid,
                .dst_cid = 2,
                .src_port = guest_port,
                .dst_port = host_port,
                .type = 1,
                .op = op,
                .buf_alloc = buf_alloc,
                .fwd_cnt = forwarded};
    }
    void send(std::uint16_t op, std::uint32_t guest_port, std::uint32_t host_port,
              std::string_view data = {}, std::uint32_t flags = 0) {
        VsockPacket packet = make(op, guest_port, host_port);
        packet.len = static_cast<std::uint32_t>(data.size());
        packet.flags = flags;
        send_raw(packet, data);
    }
    /// The answer to a packet of the host.
    void answer(const VsockPacket& to, std::uint16_t op, std::string_view data = {},
                std::uint32_t flags = 0) {
        send(op, to.dst_port, to.src_port, data, flags);
    }

    /// The next packet of the host; its buffer goes back to the device if `repost`.
    std::optional<Received> next(bool repost = true) {
        run();
        const auto used = driver.queue(0).take_used();
        if (!used)
            return std::nullopt;
        for (Chain& chain : chains_) {
            if (chain.head != used->id)
                continue;
            VsockPacket::Bytes bytes;
            driver.memory().read(chain.buffers[0], bytes);
            Received received{VsockPacket::decode(bytes),
                              driver.text(chain.buffers[1], used->length - bytes.size())};
            const Chain old = std::exchange(chain, chains_.back());
            chains_.pop_back();
            if (repost) {
                chains_.push_back(driver.queue(0)
                                      .chain()
                                      .raw(old.buffers[0], 44, 2)
                                      .raw(old.buffers[1], data_bytes, 2)
                                      .add());
                driver.queue(0).kick();
            }
            return received;
        }
        throw std::runtime_error("fake guest: a used buffer that is none");
    }
    /// The next packet has to be there and to be `op`.
    Received expect(std::uint16_t op) {
        auto received = next();
        if (!received || received->packet.op != op)
            throw std::runtime_error("fake guest: wanted operation " + std::to_string(op) +
                                     ", got " +
                                     (received ? std::to_string(received->packet.op) : "nothing"));
        return *received;
    }

    VirtioDriver driver;
    std::function<void()> run;
    std::uint32_t buf_alloc = 1 << 18;
    std::uint32_t forwarded = 0;

  private:
    static constexpr std::uint64_t slot_bytes = 72 * 1024;

    Gpa send_at_{0};
    unsigned sent_ = 0;
    std::vector<Chain> chains_;
};

} // namespace coldstart::fakes
