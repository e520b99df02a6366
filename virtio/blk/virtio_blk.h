// A virtio block device in front of a disk image.
// Source: virtio 1.2, section 5.2.
//
// Requests may be cut into descriptors in any way. One that is wrong in itself (outside the disk,
// no whole sectors, a write to a read-only disk) completes with an error status; one without room
// for a status byte breaks the device. As many requests are in flight as the image takes; further
// chains stay in the queue. A driver that did not negotiate FLUSH gets every write durable.
// Each batch of kicks costs one system call to the host and at most one interrupt.
// A rate limit counts the data bytes of reads and writes, and every request as an operation; what
// is over it stays in the queue. It and the image can be changed while the guest runs.
// Missing: CONFIG_WCE, SECURE_ERASE, LIFETIME, zoned devices, SIZE_MAX, more than one range in a
// discard or write-zeroes request (the configuration space says so).
//
// Threads: as VirtioDevice; replace_image and set_rate_limit belong to the control thread.
#pragma once

#include "virtio/blk/spec.h"
#include "virtio/core/counter.h"
#include "virtio/core/split_queue.h"
#include "virtio/core/throttle.h"
#include "virtio/core/virtio_device.h"
#include "vmm/base/disk_image.h"
#include "vmm/base/log.h"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace coldstart {

struct VirtioBlkOptions {
    std::string serial;       ///< what GET_ID answers, cut to 20 bytes
    std::uint16_t queues = 1; ///< 1..64; more than one is offered as VIRTIO_BLK_F_MQ
    Clock* clock = nullptr;   ///< outlives the device; for a rate limit, now or later
    RateLimitOptions limit = {};
};

class VirtioBlk final : public VirtioDevice, private DiskClient {
  public:
    /// Throws UsageError for an impossible number of queues. An image of no bytes will do, for a
    /// drive whose disk comes later: reads and writes of it fail.
    VirtioBlk(std::unique_ptr<DiskImage> image, const VirtioBlkOptions& options);
    ~VirtioBlk() override;

    std::string_view type() const noexcept override { return "virtio-blk"; }
    std::uint32_t device_id() const noexcept override { return 2; }
    std::uint64_t features() const noexcept override;
    std::span<const std::uint16_t> queue_sizes() const noexcept override { return queue_sizes_; }

    void read_config(std::uint64_t offset, std::span<std::byte> out) noexcept override;
    void write_config(std::uint64_t, ByteView) noexcept override {}

    bool activate(const VirtioActivation& activation) noexcept override;
    void deactivate() noexcept override;
    void process_queue(unsigned index) noexcept override;
    void pause() noexcept override { paused_ = true; }
    bool drained() noexcept override { return image_->in_flight() == 0; }
    void resume() noexcept override { paused_ = false; }

    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;
    Counters counters() const override;

    /// Serves another image from now on and tells the driver its size. Requests in flight finish
    /// on the old one first, for which this waits. What was offered stays: a read-only device
    /// writes to no image. Throws nothing but std::bad_alloc, and then nothing has changed.
    void replace_image(std::unique_ptr<DiskImage> image);
    /// The one in use; it stays until the control thread replaces it.
    const DiskImage& image() const noexcept { return *image_; }

    /// Throws Error, and then nothing has changed.
    void set_rate_limit(const RateLimitUpdate& update);
    RateLimitOptions rate_limit();
    /// How often the limit made requests wait. Any thread.
    std::uint64_t held_count() const noexcept { return throttle_.held_count(); }

  private:
    static constexpr std::uint32_t max_range_sectors = 4 * 1024 * 1024; ///< 2 GiB

    /// A request in flight; its index is the image's tag.
    struct Pending {
        unsigned queue = 0;
        std::uint16_t head = 0;
        std::uint32_t written_bytes = 0; ///< the used length when it succeeds
        std::byte* status = nullptr;
        DiskOperation operation = DiskOperation::read;
        std::uint64_t moved_bytes = 0; ///< of a read or write
    };

    /// One request, taken apart.
    struct Request {
        unsigned queue = 0;
        std::uint16_t head = 0;
        std::byte* status = nullptr;
        virtio_blk::RequestHeader header;
        std::span<iovec> from_driver, to_driver; ///< the data, without header and status
        std::uint64_t from_driver_bytes = 0, to_driver_bytes = 0;
    };

    struct QueueProgress {
        bool stalled = false; ///< chains were left because the image was full
        bool dirty = false;   ///< used buffers to be published
    };

    struct Counts {
        Counter queue_events, reads, read_bytes, writes, write_bytes, flushes;
        Counter failed, invalid, limit_events, image_full, image_updates;
    };

    // DiskClient.
    void disk_ready() noexcept override;
    void disk_completed(std::uint32_t tag, int error) noexcept override;

    void build_config() noexcept;
    void serve(unsigned index) noexcept;
    void limit_passed() noexcept;
    void settle() noexcept;
    void publish() noexcept;
    void fail(std::string_view reason) noexcept;

    // requests.cpp
    bool take_apart(unsigned queue, const DescriptorChain& chain, Request& request) noexcept;
    bool admit(const Request& request) noexcept;
    void execute(const Request& request) noexcept;
    void transfer(const Request& request, DiskOperation operation) noexcept;
    void change_range(const Request& request, DiskOperation operation) noexcept;
    void get_id(const Request& request) noexcept;
    void start(const Request& request, DiskRequest& disk, std::uint64_t data_bytes) noexcept;
    void count(const Pending& done) noexcept;
    void answer(const Request& request, virtio_blk::Status status,
                std::size_t data_bytes = 0) noexcept;
    bool inside(std::uint64_t sector, std::uint64_t sectors) const noexcept;

    std::unique_ptr<DiskImage> image_;
    const bool read_only_; ///< as offered
    std::uint64_t capacity_sectors_;
    std::array<std::byte, virtio_blk::id_bytes> serial_{};
    std::vector<std::uint16_t> queue_sizes_;
    std::array<std::byte, virtio_blk::config::size_bytes> config_{};

    std::optional<VirtioActivation> active_;
    bool paused_ = false;
    bool failed_ = false; ///< until the driver resets
    std::vector<QueueProgress> progress_;
    std::vector<Pending> pending_;
    std::vector<std::uint32_t> free_; ///< indices into pending_
    std::array<iovec, DiskImage::max_segments> segments_{};
    LogLimiter complaints_;
    Counts counts_;
    unsigned limited_queue_ = 0; ///< the one that waits for the limit
    Throttle throttle_;          ///< last: its timer ends before anything the callback uses
};

} // namespace coldstart
