// A disk image as a block device sees it: requests go in, completions come back later.
//
// Threads: one owner, whose lock is held around every call. The image tells the owner on the I/O
// thread, without that lock, that there may be completions (DiskClient::disk_ready); the owner
// takes its lock and calls reap(). No call blocks except drain(), and none after construction
// throws or allocates.
//
//     image.submit(request); ... image.submit(request);
//     image.commit();        // the batch goes to the host in one system call
//     image.reap();          // what is done already
//     client.disk_ready() -> image.reap() -> client.disk_completed(tag, error) ...
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <sys/uio.h>

namespace coldstart {

enum class DiskOperation : std::uint8_t {
    read,
    write,
    flush,       ///< makes every write completed before it durable
    discard,     ///< the contents of the range are not needed any more; a hint
    write_zeroes ///< the range reads as zeros afterwards
};

struct DiskRequest {
    DiskOperation operation = DiskOperation::read;
    std::uint32_t tag = 0; ///< below max_in_flight(), unique among those in flight
    std::uint64_t offset_bytes = 0;
    std::uint64_t size_bytes = 0; ///< of discard and write_zeroes; else the segments say it
    /// Copied at submit(); the memory behind stays valid until the completion.
    std::span<const iovec> segments;
    bool durable = false; ///< a write or write_zeroes that completes when it is on the medium
    bool unmap = false;   ///< write_zeroes may give the space back
};

/// Called by reap() and drain(), with the owner's lock held, except disk_ready().
class DiskClient {
  public:
    virtual ~DiskClient() = default;
    /// I/O thread, without the owner's lock: call reap().
    virtual void disk_ready() noexcept = 0;
    /// `error` is 0 or an errno value; a request is done whole or has failed.
    virtual void disk_completed(std::uint32_t tag, int error) noexcept = 0;
};

/// What a driver should know to issue good requests. Powers of two.
struct DiskGeometry {
    std::uint32_t block_bytes = 512;          ///< the smallest request, and its alignment
    std::uint32_t physical_block_bytes = 512; ///< smaller writes cost a read first
    std::uint32_t optimal_io_bytes = 0;       ///< 0: unknown
};

class DiskImage {
  public:
    static constexpr std::size_t max_segments = 256;

    virtual ~DiskImage() = default;

    virtual std::uint64_t size_bytes() const noexcept = 0;
    virtual bool read_only() const noexcept = 0;
    virtual DiskGeometry geometry() const noexcept = 0;
    virtual std::uint32_t max_in_flight() const noexcept = 0;

    virtual void set_client(DiskClient& client) noexcept = 0;
    /// After it no callback runs: the owner calls it while everything its callbacks use is there.
    virtual void disconnect() noexcept = 0;

    /// Takes a request: inside the image, of whole blocks, at most max_in_flight() at once.
    virtual void submit(const DiskRequest& request) noexcept = 0;
    /// Hands everything submitted since the last commit to the host.
    virtual void commit() noexcept = 0;
    /// Reports what is done, by disk_completed().
    virtual void reap() noexcept = 0;
    /// Waits until nothing is in flight, reporting all of it.
    virtual void drain() noexcept = 0;
    virtual std::uint32_t in_flight() const noexcept = 0;
};

} // namespace coldstart
