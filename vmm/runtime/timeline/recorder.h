// What happened when, as records of fixed size in memory that is there from the start.
//
// A record takes a slot by one atomic addition and is filled by whoever took it: nobody waits for
// anybody. There is no second round: what comes when the room is used up is counted and dropped,
// since a timeline is about the beginning. A guest that talks without end can't use up the room of
// other kinds: each talkative kind has a share.
// Pages of the memory are touched when records come to lie there, so room costs nothing by itself.
//
// Threads: reached and record any, vCPU threads among them; snapshot and dropped any, too, and
// leave out what is being written at that moment.
#pragma once

#include "vmm/base/milestone.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace coldstart {

struct TimelineEvent {
    Milestone what = Milestone::process_start;
    std::uint64_t time_ns = 0; ///< CLOCK_MONOTONIC
    std::uint32_t number = 0;
    std::string text;
};

/// As files and the control socket have it: "first_run".
std::string_view milestone_name(Milestone what) noexcept;
/// The name of the member that holds `text`: "device"; empty where there is none.
std::string_view milestone_text_member(Milestone what) noexcept;
/// The same for `number`.
std::string_view milestone_number_member(Milestone what) noexcept;

class TimelineRecorder final : public MilestoneSink {
  public:
    static constexpr std::size_t max_text_bytes = 232;
    static constexpr std::size_t full_records = 16384;
    static constexpr std::size_t few_records = 512;

    enum class Extent {
        milestones, ///< few events, for whoever asks the control socket
        everything, ///< what the guest says as well, for a timeline file
    };

    /// `start_ns`: CLOCK_MONOTONIC when the process began. Throws Error when there is no memory.
    TimelineRecorder(std::uint64_t start_ns, Extent extent);
    ~TimelineRecorder() override;
    TimelineRecorder(const TimelineRecorder&) = delete;
    TimelineRecorder& operator=(const TimelineRecorder&) = delete;

    std::uint64_t start_ns() const noexcept { return start_ns_; }
    bool wants_everything() const noexcept { return extent_ == Extent::everything; }

    void reached(Milestone what, std::string_view text = {},
                 std::uint32_t number = 0) noexcept override;
    /// The same for something that happened at `time_ns`. Text is cut to max_text_bytes.
    void record(Milestone what, std::uint64_t time_ns, std::string_view text = {},
                std::uint32_t number = 0) noexcept;

    /// In the order of time.
    std::vector<TimelineEvent> snapshot() const;
    std::uint64_t dropped() const noexcept { return dropped_.load(std::memory_order_relaxed); }

  private:
    struct Record {
        std::uint64_t time_ns;
        std::uint32_t number;
        Milestone what;
        std::uint8_t text_bytes;
        std::atomic<bool> whole; ///< written last; memory begins as zeros
        std::array<char, max_text_bytes> text;
    };
    static_assert(max_text_bytes <= 0xff && sizeof(Record) <= 256);

    bool within_share(Milestone what) noexcept;

    const std::uint64_t start_ns_;
    const Extent extent_;
    const std::size_t capacity_;
    Record* const records_;
    std::atomic<std::size_t> next_{0};
    std::atomic<std::uint64_t> dropped_{0};
    std::array<std::atomic<std::size_t>, milestone_kinds> counts_{};
};

} // namespace coldstart
