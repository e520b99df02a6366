#include "api/http/http_stream.h"

#include "api/http/http_message.h"

#include <utility>

namespace coldstart {

HttpStream::HttpStream(std::size_t queue_bytes, std::function<void()> wake)
    : queue_bytes_(queue_bytes), wake_(std::move(wake)) {}

bool HttpStream::push(std::string bytes) {
    bool wake = false;
    bool taken = true;
    {
        const std::lock_guard guard(mutex_);
        if (!open_)
            return false;
        // An empty chunk would end a chunked answer.
        if (bytes.empty())
            return true;
        if (bytes.size() > queue_bytes_ - queue_.size()) {
            taken = open_ = false;
            if (std::exchange(mid_line_, false))
                queue_ += '\n';
            queue_ += fault_body("This client reads too slowly; the stream ends here.") + '\n';
        } else {
            queue_ += bytes;
            mid_line_ = bytes.back() != '\n';
        }
        // The end is always told: a connection that is busy with a write wants to know of it.
        wake = !std::exchange(woken_, true) || !open_;
    }
    if (wake)
        wake_();
    return taken;
}

bool HttpStream::push_line(std::string_view line) {
    std::string bytes;
    bytes.reserve(line.size() + 1);
    bytes += line;
    bytes += '\n';
    return push(std::move(bytes));
}

void HttpStream::close() {
    {
        const std::lock_guard guard(mutex_);
        if (!std::exchange(open_, false))
            return;
        woken_ = true;
    }
    wake_();
}

bool HttpStream::is_open() const {
    const std::lock_guard guard(mutex_);
    return open_;
}

std::string HttpStream::take(bool& ended) {
    const std::lock_guard guard(mutex_);
    woken_ = false;
    ended = !open_;
    return std::exchange(queue_, {});
}

void HttpStream::detach() {
    {
        const std::lock_guard guard(mutex_);
        open_ = false;
        queue_.clear();
    }
    if (const auto callback = std::exchange(on_closed_, nullptr))
        callback();
}

} // namespace coldstart
