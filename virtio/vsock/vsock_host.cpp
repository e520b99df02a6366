// VsockHost: its sockets, its clock, and the entries it keeps.
#include "virtio/vsock/vsock_host.h"

#include "vmm/base/error.h"

#include <cerrno>
#include <exception>
#include <utility>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

namespace coldstart {
namespace {

constexpr unsigned events_a_turn = 64;
constexpr unsigned clients_a_turn = 32;
constexpr std::uint64_t out_of_descriptors_ns = 100'000'000;
/// Ports the host gives away itself, far from those that programs choose.
constexpr std::uint32_t first_host_port = 1u << 30;
constexpr std::uint32_t last_host_port = (1u << 31) - 1;

/// In `set`; no events: out of it.
bool watch_in(int set, int fd, std::uint32_t events, void* who) noexcept {
    epoll_event event{};
    event.events = events;
    event.data.ptr = who;
    return ::epoll_ctl(set, events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_ADD, fd, &event) == 0;
}

} // namespace

VsockHost::VsockHost(std::shared_ptr<VsockListener> listener, Reactor& reactor, Clock& clock)
    : listener_(std::move(listener)), reactor_(reactor), clock_(clock),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)), last_host_port_(last_host_port) {
    if (!epoll_ || !watch_in(epoll_.get(), listener_->fd(), EPOLLIN, nullptr))
        throw system_error("vsock: the set of its sockets", errno, "raise the limit (ulimit -n)");
    table_.reserve(max_connections);
}

void VsockHost::start(VsockHostClient& client) {
    client_ = &client;
    timer_ = clock_.make_timer([this] { client_->vsock_host_stirs(); });
    watch_ =
        reactor_.watch(epoll_.get(), 0, [this](std::uint32_t) { client_->vsock_host_stirs(); });
}

void VsockHost::stop() noexcept {
    watch_.reset();
    timer_.reset();
}

void VsockHost::run(bool running) noexcept {
    if (watch_ == nullptr || running == running_)
        return;
    running_ = running;
    watch_->set_events(running ? POLLIN : 0);
    arm_timer();
}

void VsockHost::work() noexcept {
    for (unsigned left = events_a_turn; left != 0; --left) {
        // One at a time: what is done about one may end another.
        epoll_event event{};
        if (::epoll_wait(epoll_.get(), &event, 1, 0) != 1)
            break;
        if (event.data.ptr == nullptr)
            accept_clients();
        else
            hear(*static_cast<Entry*>(event.data.ptr), event.events);
    }
    if (next_deadline_ns_ != 0 && clock_.now_ns() >= next_deadline_ns_)
        expire();
}

void VsockHost::close_all() noexcept {
    for (List* list : {&clients_, &ready_, &resting_, &lingering_}) {
        while (!list->empty())
            remove(list->front());
    }
    refusal_begin_ = refusal_count_ = 0;
    next_deadline_ns_ = listen_again_ns_;
    arm_timer();
}

/// Throws when there is no memory or no descriptor for it.
VsockHost::Entry& VsockHost::add(List& list, UniqueFd socket, Stage stage) {
    Entry& entry = list.emplace_back(std::move(socket), stage);
    entry.list = &list;
    entry.self = std::prev(list.end());
    if (!watch_in(epoll_.get(), entry.stream.fd(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                  &entry)) {
        const int error = errno;
        list.pop_back();
        throw system_error("vsock: watching a connection", error);
    }
    return entry;
}

void VsockHost::remove(Entry& entry) noexcept {
    if (entry.list != &clients_)
        counts_.removed.add();
    if (entry.stream.fd() >= 0)
        watch_in(epoll_.get(), entry.stream.fd(), 0, nullptr);
    const auto found = table_.find(entry.stream.ports().key());
    if (found != table_.end() && found->second == &entry)
        table_.erase(found);
    entry.list->erase(entry.self);
}

void VsockHost::move_to(Entry& entry, List& list) noexcept {
    list.splice(list.end(), *entry.list, entry.self);
    entry.list = &list;
}

/// After anything that may have given a stream something to say, or nothing more.
void VsockHost::settle(Entry& entry) noexcept {
    List& wanted = entry.stream.wants_guest() ? ready_ : resting_;
    if (entry.list != &wanted)
        move_to(entry, wanted);
    if (entry.stream.awaits_end() && entry.deadline_ns == 0)
        set_deadline(entry, close_ns);
}

void VsockHost::set_deadline(Entry& entry, std::uint64_t from_now_ns) noexcept {
    entry.deadline_ns = from_now_ns == 0 ? 0 : clock_.now_ns() + from_now_ns;
    if (entry.deadline_ns != 0)
        hurry(entry.deadline_ns);
}

/// Has the timer expire at `deadline_ns` or before.
void VsockHost::hurry(std::uint64_t deadline_ns) noexcept {
    if (next_deadline_ns_ != 0 && next_deadline_ns_ <= deadline_ns)
        return;
    next_deadline_ns_ = deadline_ns;
    arm_timer();
}

void VsockHost::arm_timer() noexcept {
    if (timer_ == nullptr)
        return;
    if (running_ && next_deadline_ns_ != 0)
        timer_->arm(next_deadline_ns_);
    else
        timer_->cancel();
}

void VsockHost::expire() noexcept {
    next_deadline_ns_ = 0;
    const std::uint64_t now_ns = clock_.now_ns();
    for (List* list : {&clients_, &lingering_, &ready_, &resting_})
        expire_in(*list, now_ns);
    if (listen_again_ns_ != 0 && listen_again_ns_ <= now_ns) {
        listen_again_ns_ = 0;
        watch_in(epoll_.get(), listener_->fd(), EPOLLIN, nullptr);
    } else if (listen_again_ns_ != 0) {
        hurry(listen_again_ns_);
    }
    arm_timer();
}

/// Ends what is due; of the rest the earliest deadline becomes the next.
void VsockHost::expire_in(List& list, std::uint64_t now_ns) noexcept {
    for (auto next = list.begin(); next != list.end();) {
        Entry& entry = *next++;
        if (entry.deadline_ns == 0)
            continue;
        if (entry.deadline_ns > now_ns) {
            hurry(entry.deadline_ns);
        } else if (entry.list == &clients_ || entry.list == &lingering_) {
            remove(entry);
        } else {
            break_off(entry, {});
        }
    }
}

void VsockHost::accept_clients() noexcept {
    for (unsigned left = clients_a_turn; left != 0; --left) {
        UniqueFd socket(::accept4(listener_->fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!socket) {
            if (errno == EINTR || errno == ECONNABORTED)
                continue;
            if (errno != EAGAIN)
                rest_listening();
            return;
        }
        // Whoever says nothing makes room for who may.
        if (clients_.size() == max_clients)
            remove(clients_.front());
        try {
            set_deadline(add(clients_, std::move(socket), Stage::greeting), greeting_ns);
        } catch (const std::exception&) {
            return; // it sees its connection closed
        }
    }
}

/// There are no descriptors or no memory, and the client waits: not to be asked all the time.
void VsockHost::rest_listening() noexcept {
    watch_in(epoll_.get(), listener_->fd(), 0, nullptr);
    listen_again_ns_ = clock_.now_ns() + out_of_descriptors_ns;
    hurry(listen_again_ns_);
}

void VsockHost::hear(Entry& entry, std::uint32_t events) noexcept {
    entry.stream.note_events(events);
    switch (entry.stream.stage()) {
    case Stage::greeting:
        greet(entry);
        break;
    case Stage::lingering:
        if (entry.stream.flush())
            set_deadline(entry, linger_ns);
        if (entry.stream.flushed())
            remove(entry);
        break;
    default:
        entry.stream.flush();
        settle(entry);
        break;
    }
}

void VsockHost::greet(Entry& entry) noexcept {
    std::uint32_t guest_port = 0;
    const auto command = entry.stream.read_command(guest_port);
    if (command == VsockConnection::Command::incomplete)
        return;
    if (command == VsockConnection::Command::malformed || connections() >= max_connections) {
        remove(entry);
        return;
    }
    try {
        const VsockPorts ports = free_ports(guest_port);
        table_.emplace(ports.key(), &entry);
        entry.stream.request(ports);
        counts_.added.add();
    } catch (const std::exception&) {
        remove(entry);
        return;
    }
    set_deadline(entry, answer_ns);
    settle(entry);
}

/// The next port that no connection to this one of the guest has.
VsockPorts VsockHost::free_ports(std::uint32_t guest_port) noexcept {
    VsockPorts ports{.guest = guest_port};
    do {
        last_host_port_ = last_host_port_ == last_host_port ? first_host_port : last_host_port_ + 1;
        ports.host = last_host_port_;
    } while (table_.contains(ports.key()));
    return ports;
}

} // namespace coldstart
