#include "vmm/runtime/control/console_hub.h"

#include "vmm/base/error.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace coldstart {

class ConsoleHub::Handle final : public Subscription {
  public:
    Handle(std::shared_ptr<Readers> readers, std::list<Reader>::iterator reader)
        : readers_(std::move(readers)), reader_(reader) {}
    ~Handle() override {
        const std::lock_guard guard(readers_->mutex);
        readers_->list.erase(reader_);
        --readers_->count;
    }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;

  private:
    std::shared_ptr<Readers> readers_;
    std::list<Reader>::iterator reader_;
};

ConsoleHub::ConsoleHub(Reactor& reactor, ByteStream& inner)
    : inner_(inner), wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!wake_fd_)
        throw system_error("eventfd", errno);
    watch_ = reactor.watch(wake_fd_.get(), POLLIN, [this](std::uint32_t) { turn(); });
}

ConsoleHub::~ConsoleHub() {
    inner_.set_sink(nullptr);
    watch_.reset();
    tell_readers(); // the guest's last words
}

std::size_t ConsoleHub::write(ByteView bytes) noexcept {
    const std::size_t taken = inner_.write(bytes);
    {
        const std::lock_guard guard(mutex_);
        const std::size_t skipped = taken > tail_bytes ? taken - tail_bytes : 0;
        for (std::size_t done = skipped; done < taken;) {
            const std::size_t at = (written_ + done) % tail_bytes;
            const std::size_t run = std::min(taken - done, tail_bytes - at);
            std::memcpy(tail_.get() + at, bytes.data() + done, run);
            done += run;
        }
        written_ += taken;
    }
    if (taken != 0 && readers_->count != 0)
        wake();
    return taken;
}

void ConsoleHub::input_wanted() noexcept {
    inner_.input_wanted();
    bool typed;
    {
        const std::lock_guard guard(mutex_);
        typed = !typed_.empty();
    }
    if (typed)
        wake();
}

void ConsoleHub::set_sink(ByteSink* sink) noexcept {
    {
        const std::lock_guard guard(sink_mutex_);
        sink_ = sink;
    }
    inner_.set_sink(sink != nullptr ? this : nullptr);
}

std::size_t ConsoleHub::input_room() noexcept {
    const std::lock_guard guard(sink_mutex_);
    return sink_ != nullptr ? sink_->input_room() : 0;
}

void ConsoleHub::input(ByteView bytes) noexcept {
    const std::lock_guard guard(sink_mutex_);
    if (sink_ != nullptr)
        sink_->input(bytes);
}

void ConsoleHub::output_ready() noexcept {
    const std::lock_guard guard(sink_mutex_);
    if (sink_ != nullptr)
        sink_->output_ready();
}

std::unique_ptr<Subscription> ConsoleHub::follow(Listener listener) {
    std::unique_ptr<Subscription> handle;
    {
        const std::lock_guard guard(readers_->mutex);
        readers_->list.push_back({std::move(listener), 0});
        ++readers_->count;
        handle = std::make_unique<Handle>(readers_, std::prev(readers_->list.end()));
    }
    wake();
    return handle;
}

bool ConsoleHub::type(std::string_view text) {
    {
        const std::lock_guard guard(mutex_);
        if (text.size() > typed_.room())
            return false;
        typed_.push(std::as_bytes(std::span(text)));
    }
    wake();
    return true;
}

void ConsoleHub::wake() noexcept {
    {
        const std::lock_guard guard(mutex_);
        if (std::exchange(woken_, true))
            return;
    }
    const std::uint64_t one = 1;
    // It can't fail: the counter is far from its end.
    [[maybe_unused]] const auto written = ::write(wake_fd_.get(), &one, sizeof one);
}

void ConsoleHub::turn() {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(wake_fd_.get(), &count, sizeof count);
    {
        const std::lock_guard guard(mutex_);
        woken_ = false;
    }
    offer_typed();
    tell_readers();
}

void ConsoleHub::offer_typed() {
    for (;;) {
        const std::size_t room = input_room();
        std::array<std::byte, 256> piece;
        std::size_t size = 0;
        {
            const std::lock_guard guard(mutex_);
            const ByteView front = typed_.front();
            size = std::min({front.size(), room, piece.size()});
            std::copy_n(front.begin(), size, piece.begin());
            typed_.pop(size);
        }
        if (size == 0)
            return; // input_wanted() brings us back
        input(ByteView(piece).first(size));
    }
}

void ConsoleHub::tell_readers() {
    const std::lock_guard guard(readers_->mutex);
    for (Reader& reader : readers_->list) {
        std::string news;
        {
            const std::lock_guard data_guard(mutex_);
            const std::uint64_t oldest = written_ > tail_bytes ? written_ - tail_bytes : 0;
            for (std::uint64_t at = std::max(reader.next, oldest); at < written_;) {
                const std::size_t offset = at % tail_bytes;
                const std::size_t run = std::min<std::uint64_t>(written_ - at, tail_bytes - offset);
                news.append(tail_.get() + offset, run);
                at += run;
            }
            reader.next = written_;
        }
        if (!news.empty() && reader.listener && !reader.listener(news))
            reader.listener = nullptr;
    }
}

} // namespace coldstart
