// A raw disk image: a regular file or a block device whose byte n is the disk's byte n.
//
// Requests go to the kernel by io_uring, or by plain system calls where that is not permitted (one
// log line says so). A transfer the kernel cuts short is continued; one that ends at the end of
// the file (somebody cut the file while we run) fails with EIO, for zeros would be a lie.
// With DiskCacheMode::none the file is open with O_DIRECT; buffers that are not aligned for it go
// through a few bounce buffers, piece by piece. A request that is no multiple of the device's
// block then fails with EINVAL: geometry() tells the driver the block.
// A discard the file system can't do succeeds without effect: it is a hint. Zeroes that it can't
// do are written.
// A disk that grew while it was in use is seen whole when it is opened anew: see `replaces`.
#pragma once

#include "virtio/backend/image_file.h"
#include "virtio/backend/io_engine.h"
#include "virtio/backend/pages.h"
#include "vmm/base/disk_image.h"
#include "vmm/base/milestone.h"
#include "vmm/base/reactor.h"

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coldstart {

class RawDisk;

enum class DiskCacheMode {
    writeback, ///< through the host's page cache; a flush is an fdatasync
    none,      ///< O_DIRECT; a flush is an fdatasync
    unsafe,    ///< through the page cache; flushes do nothing
};

struct RawDiskOptions {
    std::string path;
    bool read_only = false;
    DiskCacheMode cache = DiskCacheMode::writeback;
    bool synchronous = false; ///< never io_uring
    bool lenient = false;     ///< as ImageFileOptions
    /// The disk that this one is to replace, as read-only as this one: both may be open on one
    /// file for a while. For the construction only.
    const RawDisk* replaces = nullptr;
    /// Who hears of the first read, as of `name`; outlives the disk.
    MilestoneSink* milestones = &no_milestones();
    std::string name = {};
};

class RawDisk final : public DiskImage {
  public:
    /// Throws Error when the file can't serve as an image. `reactor` outlives the disk.
    RawDisk(const RawDiskOptions& options, Reactor& reactor);
    ~RawDisk() override;

    std::string_view engine_name() const noexcept { return engine_->name(); }

    std::uint64_t size_bytes() const noexcept override { return file_.size_bytes; }
    bool read_only() const noexcept override { return read_only_; }
    DiskGeometry geometry() const noexcept override { return file_.geometry; }
    std::uint32_t max_in_flight() const noexcept override { return depth; }
    void set_client(DiskClient& client) noexcept override;
    void disconnect() noexcept override;
    void submit(const DiskRequest& request) noexcept override;
    void commit() noexcept override { engine_->commit(); }
    void reap() noexcept override;
    void drain() noexcept override;
    std::uint32_t in_flight() const noexcept override { return in_flight_; }

  private:
    static constexpr std::uint32_t depth = 128;
    static constexpr std::uint32_t none = ~0u;
    static constexpr std::size_t bounce_bytes = 256ul * 1024;
    static constexpr unsigned bounce_count = 4;

    /// What the command under way for a request does.
    enum class Stage : std::uint8_t {
        transfer, ///< straight between the guest's buffers and the file
        bounce,   ///< the same through a bounce buffer, or waiting for one
        sync,
        discard,
        zero_by_punching,
        zero_by_range,
        zero_by_writing,
        fail, ///< reports `error`
    };

    struct Slot {
        DiskOperation operation = DiskOperation::read;
        Stage stage = Stage::transfer;
        bool durable = false;
        std::uint64_t offset_bytes = 0;
        std::uint64_t left_bytes = 0;
        std::span<iovec> segments; ///< in segments_, what is left of them
        std::uint32_t bounce = none;
        std::uint32_t next_waiting = none;
        unsigned retries = 0;
        int error = 0;
    };

    std::span<iovec> segment_space(std::uint32_t tag) noexcept;
    Stage first_stage(const DiskRequest& request, Slot& slot) noexcept;
    bool aligned(std::span<const iovec> segments) const noexcept;

    void proceed(std::uint32_t tag) noexcept;
    void proceed_bounce(std::uint32_t tag, IoCommand& command) noexcept;
    void prepare_zeroes(std::uint32_t tag, IoCommand& command) noexcept;
    void completed(std::uint32_t tag, std::int64_t result) noexcept;
    void transferred(std::uint32_t tag, std::uint64_t bytes) noexcept;
    void failed(std::uint32_t tag, int error) noexcept;
    void finish(std::uint32_t tag, int error) noexcept;

    bool take_bounce(std::uint32_t tag) noexcept;
    void give_bounce_back(Slot& slot) noexcept;

    ImageFile file_;
    bool read_only_;
    DiskCacheMode cache_;
    std::unique_ptr<IoEngine> engine_;
    MilestoneSink* first_read_; ///< nullptr once it was told
    const std::string name_;

    std::array<Slot, depth> slots_{};
    std::unique_ptr<iovec[]> segments_; ///< max_segments for each slot
    std::uint32_t in_flight_ = 0;

    Pages zeroes_; ///< pages nobody writes to
    Pages bounces_;
    std::array<iovec, bounce_count> bounce_segments_{};
    std::array<bool, bounce_count> bounce_taken_{};
    std::uint32_t first_waiting_ = none; ///< requests that wait for a bounce buffer, in order
    std::uint32_t last_waiting_ = none;

    std::atomic<DiskClient*> client_ = nullptr;
    std::unique_ptr<Watch> watch_; ///< last: ends before anything its callback uses
};

} // namespace coldstart
