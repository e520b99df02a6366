// A traditional memory balloon: the host sets a target, the guest's driver hands over pages until
// it holds that many, and their memory goes back to the host at once.
// Source: virtio 1.2, section 5.5, with STATS_VQ, DEFLATE_ON_OOM, FREE_PAGE_HINT, PAGE_REPORTING.
//
// MUST_TELL_HOST is not offered: a page that was given back returns, empty, when the guest touches
// it, so nobody needs to be told before. PAGE_POISON neither: a Linux that fills free pages then
// does without reporting, as the specification wants it.
//
// Queue numbers: the specification numbers the optional queues 2, 3 and 4; Linux, QEMU and
// Firecracker count only those that exist. Both work here: the queues that a driver has set up
// serve the features it accepted, in the specification's order.
//
// Free page hinting: Linux may take a hinted page back before the host has read the hint, and then
// loses what is in it. That is in the protocol, which was made for migration.
//
// Page numbers and ranges are the guest's word: what is no RAM is left out, and a buffer counts for
// its first 16384 page numbers (a driver sends up to 1024).
//
// A reset of the device or machine keeps the target and the interval of the statistics.
// Missing: VIRTIO_BALLOON_F_MUST_TELL_HOST, VIRTIO_BALLOON_F_PAGE_POISON.
//
// Threads: as VirtioDevice; the host's side from any thread, without the device lock, which it
// takes. The timer fires on the I/O thread.
#pragma once

#include "virtio/balloon/balloon_statistics.h"
#include "virtio/balloon/spec.h"
#include "virtio/core/counter.h"
#include "virtio/core/split_queue.h"
#include "virtio/core/virtio_device.h"
#include "vmm/base/clock.h"
#include "vmm/base/log.h"

#include <array>
#include <memory>
#include <optional>

namespace coldstart {

struct VirtioBalloonOptions {
    std::uint32_t amount_mib = 0; ///< the first target
    bool deflate_on_oom = false;  ///< the guest may use the balloon rather than kill a process
    std::uint32_t statistics_interval_s = 0; ///< 0: no statistics
    bool free_page_hinting = false;
    bool free_page_reporting = false;
};

class VirtioBalloon final : public VirtioDevice {
  public:
    struct Size {
        std::uint32_t target_pages = 0; ///< of 4 KiB
        std::uint32_t actual_pages = 0; ///< the driver's word
        std::uint32_t target_mib() const noexcept { return target_pages / balloon::pages_a_mib; }
        std::uint32_t actual_mib() const noexcept { return actual_pages / balloon::pages_a_mib; }
    };
    struct HintingStatus {
        std::uint32_t host_command = balloon::hint_stop;
        std::optional<std::uint32_t> guest_command; ///< none: the driver has said nothing yet
    };

    /// Throws Error when the target is more than `memory`. Memory and clock outlive the device.
    VirtioBalloon(const VirtioBalloonOptions& options, const GuestMemory& memory, Clock& clock);

    // The host's side.

    /// Throws Error when it is more than the guest's memory.
    void set_target(std::uint32_t amount_mib);
    Size size();
    bool deflates_on_oom() const noexcept { return options_.deflate_on_oom; }

    bool statistics_enabled() const noexcept { return options_.statistics_interval_s != 0; }
    std::uint32_t statistics_interval_s();
    /// Asks for statistics now and then every so many seconds. Throws Error when that would switch
    /// them on or off: the driver has learnt at its start whether there are any.
    void set_statistics_interval(std::uint32_t interval_s);
    /// Asks the driver for new statistics; they come soon, if it answers at all.
    void request_statistics();
    /// The newest of each that the driver has told. Throws Error when there are none by choice.
    BalloonStatistics statistics();

    bool hinting_enabled() const noexcept { return options_.free_page_hinting; }
    bool reporting_enabled() const noexcept { return options_.free_page_reporting; }
    /// Starts a run: the driver hands its free pages over for as long as the run lasts. When it has
    /// no more, it is told to take them back, or, without `acknowledge_on_stop`, keeps them until
    /// stop_hinting(). Each throws Error without the feature, start and stop also without a driver.
    void start_hinting(bool acknowledge_on_stop = true);
    void stop_hinting();
    HintingStatus hinting_status();

    // VirtioDevice.
    std::string_view type() const noexcept override { return "virtio-balloon"; }
    std::uint32_t device_id() const noexcept override { return 5; }
    std::uint64_t features() const noexcept override;
    std::span<const std::uint16_t> queue_sizes() const noexcept override;

    void read_config(std::uint64_t offset, std::span<std::byte> out) noexcept override;
    void write_config(std::uint64_t offset, ByteView in) noexcept override;

    bool activate(const VirtioActivation& activation) noexcept override;
    void deactivate() noexcept override;
    void process_queue(unsigned index) noexcept override;
    void pause() noexcept override { paused_ = true; }
    void resume() noexcept override { paused_ = false; }

    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;
    Counters counters() const override;

  private:
    enum class Role : std::uint8_t { none, inflate, deflate, statistics, hinting, reporting };
    static constexpr unsigned max_queues = 5;
    static constexpr std::size_t block_pages = 1024;

    /// What the host has chosen; it outlives a driver.
    struct HostState {
        std::uint32_t target_pages = 0;
        std::uint32_t statistics_interval_s = 0;
    };
    /// What is between the host and one driver; gone with it.
    struct DriverState {
        std::uint32_t actual_pages = 0;
        std::uint32_t host_command = balloon::hint_stop;
        std::uint32_t last_run = balloon::hint_done;  ///< the newest the host has started
        std::uint32_t guest_run = balloon::hint_stop; ///< whose pages come now
        std::uint32_t guest_command = 0;
        bool guest_commanded = false;
        bool acknowledge_on_stop = false;
        bool statistics_held = false; ///< the driver's buffer waits here for the next request
        std::uint16_t statistics_head = 0;
    };

    std::uint32_t checked_pages(std::uint32_t amount_mib) const;
    void require_hinting(bool with_driver) const;
    void command_driver(std::uint32_t command) noexcept;
    void assign_roles() noexcept;
    bool accepted(std::uint64_t feature) const noexcept {
        return active_ && (active_->features & feature) != 0;
    }
    bool working() const noexcept { return active_ && !paused_ && !failed_; }
    void fail(std::string_view reason) noexcept;
    void serve(Role role, SplitQueue& queue, const DescriptorChain& chain) noexcept;

    // pages.cpp
    void inflate(const DescriptorChain& chain) noexcept;
    void release_block(std::size_t pages) noexcept;
    void take_hints(const DescriptorChain& chain) noexcept;
    void end_run_of_guest() noexcept;
    struct Releases {
        Counter ranges, bytes, fails;
    };
    void release_segments(std::span<const iovec> segments, Releases& counts) noexcept;

    // statistics.cpp
    void hold_statistics(SplitQueue& queue, const DescriptorChain& chain) noexcept;
    void give_statistics_back() noexcept;
    void arm_timer() noexcept;
    void timer_fired() noexcept;

    const VirtioBalloonOptions options_;
    const GuestMemory& memory_;
    Clock& clock_;

    HostState host_;
    DriverState driver_;
    BalloonStatistics statistics_;
    std::optional<VirtioActivation> active_;
    bool paused_ = false;
    bool failed_ = false; ///< until the driver resets
    std::array<Role, max_queues> roles_{};
    std::array<balloon::PageNumber, block_pages> block_{};
    std::array<iovec, 128> segments_{};
    LogLimiter complaints_{1};
    Counter inflate_count_, deflate_count_, statistics_count_;
    Releases reported_, hinted_;
    std::unique_ptr<Timer> timer_; ///< last: it calls back until it is gone
};

} // namespace coldstart
