// The input side of ChannelStream.
#include "vmm/base/log.h"
#include "vmm/base/text.h"
#include "vmm/runtime/streams/channel_stream.h"

#include <algorithm>
#include <array>
#include <new>
#include <system_error>

#include <poll.h>

namespace coldstart {
namespace {

constexpr std::size_t read_bytes = 4096;

} // namespace

void ChannelStream::on_input_end() noexcept {
    std::unique_ptr<Watch> watch;
    {
        const std::lock_guard guard(mutex_);
        watch = std::move(input_watch_);
    }
    watch.reset();
    input_.reset();
}

void ChannelStream::watch_input(bool on) noexcept {
    const std::lock_guard guard(mutex_);
    if (input_watch_)
        input_watch_->set_events(on ? POLLIN : 0u);
}

void ChannelStream::input_wanted() noexcept {
    const std::lock_guard guard(mutex_);
    if (room_watch_)
        room_watch_->set_events(POLLIN);
    else if (input_watch_)
        input_watch_->set_events(POLLIN);
}

std::size_t ChannelStream::input_room() noexcept {
    const std::lock_guard guard(sink_mutex_);
    return sink_ == nullptr ? 0 : sink_->input_room();
}

void ChannelStream::pass_input(ByteView bytes) noexcept {
    const std::lock_guard guard(sink_mutex_);
    if (sink_ != nullptr && !bytes.empty())
        sink_->input(bytes);
}

void ChannelStream::on_input_ready() noexcept {
    if (!input_)
        return;
    if (filter_)
        read_for_filter();
    else
        read_for_sink();
}

/// The bytes read; nothing when there are none now, or never again: then on_input_end was called.
std::optional<std::size_t> ChannelStream::read_input(std::span<std::byte> out) noexcept {
    const Transfer transfer = input_->read(out);
    switch (transfer.status) {
    case Transfer::Status::ok:
        return transfer.count;
    case Transfer::Status::would_block:
        return std::nullopt;
    case Transfer::Status::failed:
        try {
            log_warn(cat(name_, ": input is lost: ",
                         std::generic_category().message(transfer.error_number)));
        } catch (const std::bad_alloc&) {
            break; // the line is lost as well
        }
        break;
    case Transfer::Status::ended:
        break;
    }
    on_input_end();
    return std::nullopt;
}

void ChannelStream::read_for_sink() noexcept {
    std::size_t room = input_room();
    if (room == 0) {
        // Silence first, then look again: input_wanted() may have come between the two.
        watch_input(false);
        room = input_room();
        if (room == 0)
            return;
        watch_input(true);
    }
    std::array<std::byte, read_bytes> buffer;
    const auto count = read_input(std::span(buffer).first(std::min(room, buffer.size())));
    if (count)
        pass_input(ByteView(buffer).first(*count));
}

void ChannelStream::read_for_filter() noexcept {
    std::array<std::byte, read_bytes> buffer;
    const auto count = read_input(buffer);
    if (!count)
        return;
    try {
        const std::vector<std::byte> typed = filter_(ByteView(buffer).first(*count));
        typed_ahead_.push(typed); // a person types no 4 KiB ahead; what is pasted beyond is lost
    } catch (const std::bad_alloc&) {
        return; // typing is lost, the machine goes on
    }
    offer_typed_ahead();
}

void ChannelStream::offer_typed_ahead() noexcept {
    {
        // Silence first: an input_wanted() from here on makes this run again.
        const std::lock_guard guard(mutex_);
        if (room_watch_)
            room_watch_->set_events(0);
    }
    while (!typed_ahead_.empty()) {
        const std::size_t room = input_room();
        if (room == 0)
            return;
        const ByteView bytes = typed_ahead_.front();
        const std::size_t count = std::min(room, bytes.size());
        pass_input(bytes.first(count));
        typed_ahead_.pop(count);
    }
}

} // namespace coldstart
