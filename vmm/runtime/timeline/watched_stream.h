// A console whose lines go into a timeline as they are written; otherwise the stream behind it.
// Threads: as ByteStream; write allocates nothing. Destruction: no vCPU runs any more.
#pragma once

#include "vmm/base/byte_stream.h"
#include "vmm/runtime/timeline/line_cutter.h"
#include "vmm/runtime/timeline/recorder.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace coldstart {

class WatchedStream final : public ByteStream {
  public:
    /// `name`: what the first byte is told of. `lines`: console_line or debug_line. Stream and
    /// recorder outlive it.
    WatchedStream(ByteStream& inner, std::string name, Milestone lines, TimelineRecorder& recorder);
    /// A line that was begun, a prompt, is a line.
    ~WatchedStream() override;

    std::size_t write(ByteView bytes) noexcept override;
    void input_wanted() noexcept override { inner_.input_wanted(); }
    void set_sink(ByteSink* sink) noexcept override { inner_.set_sink(sink); }

    /// Records the line that was begun, if any.
    void end_line() noexcept;

  private:
    ByteStream& inner_;
    const std::string name_;
    const Milestone lines_;
    TimelineRecorder& recorder_;

    std::mutex mutex_; ///< a leaf; guards what follows
    LineCutter cutter_;
    bool spoken_ = false;
    /// Of the newest character of text: what ends a line may come much later.
    std::uint64_t text_ns_ = 0;
};

/// The streams of a machine, its consoles and the debug console among them watched.
class WatchedStreams {
  public:
    using ByName = std::map<std::string, ByteStream*, std::less<>>;

    /// Watches nothing when `recorder` does not want what the guest says.
    WatchedStreams(ByName streams, TimelineRecorder& recorder);

    const ByName& by_name() const noexcept { return streams_; }
    /// Records what was begun on each, such as a prompt.
    void end_lines() noexcept;

  private:
    ByName streams_;
    std::vector<std::unique_ptr<WatchedStream>> watched_;
};

} // namespace coldstart
