// The common part of every console stream: an input and an output descriptor that come (attach)
// and go (detach), a bounded queue for a slow reader, and a filter between a terminal and the
// guest.
//
// What comes after a silence is written at once. In a burst, which a serial port gives byte by
// byte, output is gathered until its line ends, `gathered_bytes` are together or `gather_ns` are
// over, so that neither the vCPU nor the reader pays for every byte. What the descriptor does not
// take is queued; when the queue is full, write() takes less and the sink hears output_ready()
// later. While no output is attached it is dropped, and the guest goes on.
//
// Input is read only as fast as the sink takes it, except with a filter: a person must be able to
// leave a guest that does not listen, so then input is always read, and typing beyond the buffer
// is dropped.
//
// Threads: write and input_wanted any, also while the device holds its own lock; set_sink any, but
// without that lock: after it returned the old sink is not called. Construction, destruction,
// attach and detach: the I/O thread, or while it does not run. Needs of the reactor: set_events may
// be called on any thread, and 0 silences hang-ups as well.
#pragma once

#include "vmm/base/byte_stream.h"
#include "vmm/base/reactor.h"
#include "vmm/runtime/streams/byte_ring.h"
#include "vmm/runtime/streams/host_fd.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace coldstart {

/// What was typed -> what the guest gets, never more bytes than came in. I/O thread.
using InputFilter = std::function<std::vector<std::byte>(ByteView typed)>;

class ChannelStream : public ByteStream {
  public:
    static constexpr std::size_t output_queue_bytes = 64ul * 1024;
    static constexpr std::size_t typed_ahead_bytes = 4ul * 1024;
    static constexpr std::uint64_t gather_ns = 1'000'000;
    static constexpr std::size_t gathered_bytes = 512;
    /// How long the end waits for a reader that takes nothing of what is queued.
    static constexpr int drain_patience_ms = 5000;

    ~ChannelStream() override;
    ChannelStream(const ChannelStream&) = delete;
    ChannelStream& operator=(const ChannelStream&) = delete;

    std::size_t write(ByteView bytes) noexcept final;
    void input_wanted() noexcept final;
    void set_sink(ByteSink* sink) noexcept final;

  protected:
    /// `name` begins log lines: "serial stdio".
    ChannelStream(Reactor& reactor, std::string name, InputFilter filter = {});

    /// Either may be absent; the two have different descriptors. Throws Error.
    void attach(std::optional<HostFd> input, std::optional<HostFd> output);
    void detach() noexcept;

    /// The other side is gone: end of input, or a broken output. I/O thread; may detach.
    virtual void on_input_end() noexcept;

    Reactor& reactor() noexcept { return reactor_; }
    const std::string& name() const noexcept { return name_; }

  private:
    void drain_output() noexcept;
    void on_input_ready() noexcept;
    void on_output_ready() noexcept;
    void read_for_sink() noexcept;
    void read_for_filter() noexcept;
    void offer_typed_ahead() noexcept;
    std::optional<std::size_t> read_input(std::span<std::byte> out) noexcept;
    std::size_t input_room() noexcept;
    void pass_input(ByteView bytes) noexcept;
    void watch_input(bool on) noexcept;
    std::size_t write_now(ByteView bytes) noexcept;
    void write_queue() noexcept;
    void start_timer() noexcept;
    void on_gathered() noexcept;
    void output_failed(int error_number) noexcept;

    Reactor& reactor_;
    const std::string name_;

    // Held while the sink is called; recursive, since a sink may disconnect itself.
    std::recursive_mutex sink_mutex_;
    ByteSink* sink_ = nullptr;

    // Input, I/O thread only.
    const InputFilter filter_;
    std::optional<HostFd> input_;
    UniqueFd input_stand_in_; ///< always readable, for an input that can't be polled
    ByteRing typed_ahead_;
    UniqueFd room_event_; ///< always readable: watched to get onto the I/O thread

    std::mutex mutex_; ///< guards what follows; never held while the sink or the filter is called
    std::unique_ptr<Watch> input_watch_, output_watch_, room_watch_, gather_watch_;
    UniqueFd gather_timer_; ///< runs now and then while a burst lasts
    bool timer_runs_ = false;
    bool gathering_ = false;       ///< what the queue holds was not offered to the descriptor yet
    std::uint64_t written_ns_ = 0; ///< when something was offered to it last
    std::optional<HostFd> output_;
    ByteRing queue_;
    bool sink_waits_ = false; ///< for output_ready()
    bool failure_logged_ = false;
};

} // namespace coldstart
