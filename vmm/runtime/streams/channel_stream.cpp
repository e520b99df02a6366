#include "vmm/runtime/streams/channel_stream.h"

#include "vmm/base/error.h"
#include "vmm/base/log.h"
#include "vmm/base/monotonic.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace coldstart {
namespace {

UniqueFd always_readable(const std::string& name) {
    UniqueFd event(::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!event)
        throw system_error(name + ": eventfd", errno);
    return event;
}

UniqueFd one_shot_timer(const std::string& name) {
    UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    if (!timer)
        throw system_error(name + ": timerfd_create", errno);
    return timer;
}

bool ends_a_line(ByteView bytes) noexcept {
    return std::ranges::find(bytes, std::byte{'\n'}) != bytes.end();
}

} // namespace

ChannelStream::ChannelStream(Reactor& reactor, std::string name, InputFilter filter)
    : reactor_(reactor), name_(std::move(name)), filter_(std::move(filter)),
      typed_ahead_(typed_ahead_bytes), queue_(output_queue_bytes) {}

ChannelStream::~ChannelStream() {
    drain_output();
    detach();
}

/// What is still queued when the machine ends: a reader that goes on reading gets all of it.
void ChannelStream::drain_output() noexcept {
    const std::lock_guard guard(mutex_);
    while (output_ && !queue_.empty()) {
        pollfd wanted{output_->get(), POLLOUT, 0};
        if (output_->pollable() && ::poll(&wanted, 1, drain_patience_ms) <= 0)
            return;
        const std::size_t done = write_now(queue_.front());
        if (!output_ || done == 0)
            return;
        queue_.pop(done);
    }
}

void ChannelStream::attach(std::optional<HostFd> input, std::optional<HostFd> output) {
    std::unique_ptr<Watch> input_watch, output_watch, room_watch, gather_watch;
    UniqueFd gather_timer;
    if (input) {
        if (!input->pollable())
            input_stand_in_ = always_readable(name_);
        const int fd = input->pollable() ? input->get() : input_stand_in_.get();
        input_watch = reactor_.watch(fd, 0, [this](std::uint32_t) { on_input_ready(); });
    }
    if (input && filter_) {
        room_event_ = always_readable(name_);
        room_watch =
            reactor_.watch(room_event_.get(), 0, [this](std::uint32_t) { offer_typed_ahead(); });
    }
    if (output && output->pollable())
        output_watch =
            reactor_.watch(output->get(), 0, [this](std::uint32_t) { on_output_ready(); });
    if (output) {
        gather_timer = one_shot_timer(name_);
        gather_watch =
            reactor_.watch(gather_timer.get(), POLLIN, [this](std::uint32_t) { on_gathered(); });
    }
    input_ = std::move(input);
    {
        const std::lock_guard guard(mutex_);
        output_ = std::move(output);
        input_watch_ = std::move(input_watch);
        output_watch_ = std::move(output_watch);
        room_watch_ = std::move(room_watch);
        gather_watch_ = std::move(gather_watch);
        gather_timer_ = std::move(gather_timer);
        timer_runs_ = gathering_ = false;
        written_ns_ = 0;
        queue_.clear();
    }
    typed_ahead_.clear();
    const std::lock_guard guard(sink_mutex_);
    watch_input(sink_ != nullptr || filter_);
}

void ChannelStream::detach() noexcept {
    // A watch's end may wait for its callback, which takes the lock: so outside of it.
    std::unique_ptr<Watch> input_watch, output_watch, room_watch, gather_watch;
    UniqueFd gather_timer;
    std::optional<HostFd> output;
    bool sink_waited = false;
    {
        const std::lock_guard guard(mutex_);
        input_watch = std::move(input_watch_);
        output_watch = std::move(output_watch_);
        room_watch = std::move(room_watch_);
        gather_watch = std::move(gather_watch_);
        gather_timer = std::move(gather_timer_);
        output = std::exchange(output_, std::nullopt);
        queue_.clear();
        sink_waited = std::exchange(sink_waits_, false);
    }
    input_watch.reset();
    output_watch.reset();
    room_watch.reset();
    gather_watch.reset();
    input_.reset();
    // Output is dropped from now on, which is as good as room.
    const std::lock_guard guard(sink_mutex_);
    if (sink_waited && sink_ != nullptr)
        sink_->output_ready();
}

std::size_t ChannelStream::write(ByteView bytes) noexcept {
    const std::lock_guard guard(mutex_);
    const bool is_long = bytes.size() > gathered_bytes;
    if (gathering_ && is_long)
        write_queue();
    if (!output_)
        return bytes.size();
    std::size_t taken = 0;
    if (queue_.empty() && !is_long && monotonic_ns() - written_ns_ < gather_ns)
        gathering_ = true;
    else if (queue_.empty())
        taken = write_now(bytes);
    if (!output_)
        return bytes.size();
    taken += queue_.push(bytes.subspan(taken));
    if (gathering_ && (ends_a_line(bytes) || queue_.size() >= gathered_bytes))
        write_queue();
    else if (gathering_)
        start_timer();
    else if (!queue_.empty() && output_watch_)
        output_watch_->set_events(POLLOUT);
    sink_waits_ = sink_waits_ || taken < bytes.size();
    return taken;
}

/// Under the lock.
void ChannelStream::start_timer() noexcept {
    if (std::exchange(timer_runs_, true))
        return;
    const itimerspec soon{{}, {0, gather_ns}};
    if (::timerfd_settime(gather_timer_.get(), 0, &soon, nullptr) == 0)
        return;
    timer_runs_ = false;
    write_queue();
}

void ChannelStream::on_gathered() noexcept {
    const std::lock_guard guard(mutex_);
    std::uint64_t expiries = 0;
    timer_runs_ = gather_timer_ && ::read(gather_timer_.get(), &expiries, sizeof expiries) < 0 &&
                  errno == EAGAIN; // armed again since
    if (gathering_)
        write_queue();
}

/// What is queued, as far as the descriptor takes it; the rest when it does. Under the lock.
void ChannelStream::write_queue() noexcept {
    gathering_ = false;
    while (output_ && !queue_.empty()) {
        const std::size_t offered = queue_.front().size();
        const std::size_t done = write_now(queue_.front());
        if (!output_)
            break;
        queue_.pop(done);
        if (done < offered)
            break;
    }
    if (output_watch_)
        output_watch_->set_events(output_ && !queue_.empty() ? POLLOUT : 0u);
}

/// As much as the descriptor takes now. What can never be written counts as written: a full disk
/// or a reader that left must not stop the guest. Under the lock.
std::size_t ChannelStream::write_now(ByteView bytes) noexcept {
    std::size_t done = 0;
    written_ns_ = monotonic_ns();
    while (done < bytes.size()) {
        const Transfer transfer = output_->write(bytes.subspan(done));
        if (transfer.status == Transfer::Status::would_block && output_->pollable())
            break;
        if (transfer.status == Transfer::Status::would_block)
            continue; // a signal; a regular file is never really busy
        if (transfer.status == Transfer::Status::ok) {
            done += transfer.count;
            continue;
        }
        output_failed(transfer.error_number);
        // Space may come back; a reader does not.
        if (transfer.error_number != ENOSPC && transfer.error_number != EDQUOT) {
            if (output_watch_)
                output_watch_->set_events(0);
            output_.reset();
            queue_.clear();
        }
        return bytes.size();
    }
    return done;
}

void ChannelStream::output_failed(int error_number) noexcept {
    if (std::exchange(failure_logged_, true))
        return;
    try {
        log_warn(cat(name_, ": output is lost: ", std::generic_category().message(error_number)));
    } catch (const std::bad_alloc&) {
        return; // the line is lost as well
    }
}

void ChannelStream::on_output_ready() noexcept {
    bool tell_sink = false;
    {
        const std::lock_guard guard(mutex_);
        write_queue();
        // Half the queue at once rather than a byte at a time.
        if (!output_ || queue_.room() >= queue_.size())
            tell_sink = std::exchange(sink_waits_, false);
    }
    const std::lock_guard guard(sink_mutex_);
    if (tell_sink && sink_ != nullptr)
        sink_->output_ready();
}

void ChannelStream::set_sink(ByteSink* sink) noexcept {
    const std::lock_guard guard(sink_mutex_);
    sink_ = sink;
    if (sink != nullptr) {
        input_wanted();
        return;
    }
    if (!filter_)
        watch_input(false);
    // The device says no more: what it said comes out before what others say of its end.
    const std::lock_guard output_guard(mutex_);
    if (gathering_)
        write_queue();
}

} // namespace coldstart
