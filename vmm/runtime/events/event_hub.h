// What has happened so far, for whoever wants to read along: each event once, as a line of JSON,
// from the first on.
//
// {"seq":3,"time_us":18211,"event":"post_code","code":1}    time_us: since the process began
//
// The newest `history` events are kept for readers that come late. What a reader missed for that
// is counted for it, {"event":"lost","count":N}, and so are POST codes of a guest that writes them
// faster than they can be told.
//
// A recorder of milestones, if there is one, hears of all of it, and what it has besides is part of
// timeline(): steps that nobody follows one by one.
//
// Threads: happened, post_code, ready and follow any. post_code and ready are for vCPU threads:
// they allocate nothing, wait for nobody, and wake the reactor's thread only when it sleeps and
// somebody reads along, or when half the room for what waits is taken.
#pragma once

#include "api/command/answer.h"
#include "devices/post_port/post_port.h"
#include "devices/readiness_port/readiness_port.h"
#include "vmm/base/reactor.h"
#include "vmm/base/unique_fd.h"
#include "vmm/runtime/events/machine_event.h"
#include "vmm/runtime/timeline/recorder.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace coldstart {

class EventHub final : public MachineObserver, public PostCodeSink, public ReadinessSink {
  public:
    static constexpr std::size_t history = 4096;
    static constexpr std::size_t post_code_ring = 1024;
    static constexpr std::size_t ready_lines = 32; ///< that may wait to be told
    static constexpr std::size_t inbox_room = 128; ///< for what else waits; it may be exceeded

    /// `start_ns`: CLOCK_MONOTONIC when the process began. `next` hears of POST codes too; it may
    /// be absent, as `recorder` may. Listeners are called on the reactor's thread. Throws Error.
    EventHub(Reactor& reactor, std::uint64_t start_ns, PostCodeSink* next = nullptr,
             TimelineRecorder* recorder = nullptr);
    /// Tells readers what is still to be told, then lets go of them.
    ~EventHub() override;

    void happened(const MachineEvent& event) noexcept override;
    void post_code(std::uint8_t code, std::uint64_t time_ns) noexcept override;
    void guest_ready(std::string_view line) noexcept override;

    /// From the oldest event that is still known. The listener is not called any more once the
    /// subscription is gone. The hub outlives the subscription.
    std::unique_ptr<Subscription> follow(Listener listener);
    /// Tells readers now, on the caller's thread, what is not told yet.
    void flush() {
        if (followed_)
            turn();
    }
    /// All that is known, as one JSON array in the order of time. Milestones have no "seq".
    std::string timeline();

  private:
    struct Timed {
        std::uint64_t time_ns = 0;
        MachineEvent event;
    };
    struct Line {
        std::uint64_t time_us = 0;
        std::string text;
    };
    struct Reader {
        Listener listener; ///< empty once it has had enough
        std::uint64_t next_seq = 0;
    };
    class Handle;

    void turn();
    void take_news();
    std::vector<Timed> collect();
    void collect_post_codes(std::vector<Timed>& into);
    void append(const Timed& timed);
    void record(const MachineEvent& event, std::uint64_t time_ns) noexcept;
    std::uint64_t time_us(std::uint64_t time_ns) const noexcept {
        return time_ns > start_ns_ ? (time_ns - start_ns_) / 1000 : 0;
    }
    /// Since the start; 55 bits of them are 18 years. Coarser ones would put codes before what
    /// happened before them.
    static constexpr std::uint64_t tick_ns = 16;
    std::uint64_t ticks(std::uint64_t time_ns) const noexcept {
        return time_ns > start_ns_ ? (time_ns - start_ns_) / tick_ns : 0;
    }
    void tell(Reader& reader);
    void wake() noexcept;
    /// After something was put where `waiting` things wait now, of `room`.
    void wake_if_wanted(std::size_t waiting, std::size_t room) noexcept {
        if (followed_ || waiting >= room / 2)
            wake();
    }

    const std::uint64_t start_ns_;
    PostCodeSink* const next_;
    TimelineRecorder* const recorder_;
    UniqueFd wake_fd_;

    // Written by vCPU threads: times in ticks and codes, in one word; 0: nothing.
    std::array<std::atomic<std::uint64_t>, post_code_ring> codes_{};
    std::atomic<std::uint64_t> codes_written_{0};
    std::atomic<std::uint64_t> codes_read_{0}; ///< the reader's, who holds mutex_
    std::atomic<bool> awake_{false};
    std::atomic<bool> followed_{false}; ///< there has been a reader

    struct ReadyLine {
        std::uint64_t time_ns = 0;
        std::size_t size = 0;
        std::array<char, ReadinessPort::max_line_bytes> text{};
    };

    std::mutex inbox_mutex_; ///< a leaf
    std::vector<Timed> inbox_;
    std::array<ReadyLine, ready_lines> ready_{};
    std::size_t ready_count_ = 0; ///< of ready_; what comes when it is full is lost

    std::mutex mutex_; ///< guards what follows; held while a listener is called
    std::deque<Line> lines_;
    std::uint64_t first_seq_ = 0; ///< of lines_.front()
    std::list<Reader> readers_;

    std::unique_ptr<Watch> watch_; ///< last: its callback uses everything above
};

} // namespace coldstart
