#include "vmm/runtime/timeline/watched_stream.h"

#include "vmm/base/monotonic.h"

#include <utility>

namespace coldstart {

WatchedStream::WatchedStream(ByteStream& inner, std::string name, Milestone lines,
                             TimelineRecorder& recorder)
    : inner_(inner), name_(std::move(name)), lines_(lines), recorder_(recorder) {}

WatchedStream::~WatchedStream() {
    end_line();
}

std::size_t WatchedStream::write(ByteView bytes) noexcept {
    const std::size_t taken = inner_.write(bytes);
    if (taken == 0)
        return taken;
    const std::lock_guard guard(mutex_);
    const std::uint64_t now_ns = monotonic_ns();
    if (!spoken_ && lines_ == Milestone::console_line)
        recorder_.record(Milestone::console_byte, now_ns, name_);
    spoken_ = true;
    for (const std::byte byte : bytes.first(taken)) {
        const std::size_t begun_bytes = cutter_.begun_bytes();
        if (cutter_.feed(static_cast<char>(byte)))
            recorder_.record(lines_, text_ns_, cutter_.line());
        else if (cutter_.begun_bytes() > begun_bytes)
            text_ns_ = now_ns;
    }
    return taken;
}

void WatchedStream::end_line() noexcept {
    const std::lock_guard guard(mutex_);
    if (cutter_.end_line())
        recorder_.record(lines_, text_ns_, cutter_.line());
}

WatchedStreams::WatchedStreams(ByName streams, TimelineRecorder& recorder)
    : streams_(std::move(streams)) {
    if (!recorder.wants_everything())
        return;
    constexpr std::pair<std::string_view, Milestone> watched[] = {
        {"com1", Milestone::console_line},
        {"console", Milestone::console_line},
        {"debugcon", Milestone::debug_line},
    };
    for (const auto& [name, lines] : watched) {
        const auto found = streams_.find(name);
        if (found == streams_.end())
            continue;
        watched_.push_back(
            std::make_unique<WatchedStream>(*found->second, std::string(name), lines, recorder));
        found->second = watched_.back().get();
    }
}

void WatchedStreams::end_lines() noexcept {
    for (const auto& stream : watched_)
        stream->end_line();
}

} // namespace coldstart
