// Asynchronous file operations for disk images: io_uring where the host permits it, plain system
// calls where it does not.
//
// An engine serves one open file. It does what it is told and reports the kernel's answer; short
// transfers, retries and alignment are the image's business.
// Threads: one caller at a time (the image's owner holds a lock); event_fd() is for any reactor.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include <sys/uio.h>

namespace coldstart {

struct IoCommand {
    enum class Kind : std::uint8_t { nothing, readv, writev, fdatasync, fallocate };
    Kind kind = Kind::nothing;
    std::uint32_t tag = 0;
    const iovec* segments = nullptr; ///< valid until the completion, at most 1024
    std::uint32_t segment_count = 0;
    std::uint64_t offset_bytes = 0;
    std::uint64_t size_bytes = 0; ///< of fallocate
    int fallocate_mode = 0;
    bool durable = false; ///< writev with RWF_DSYNC
};

struct IoCompletion {
    std::uint32_t tag = 0;
    std::int64_t result = 0; ///< as the system call's, errors as -errno
};

class IoEngine {
  public:
    virtual ~IoEngine() = default;
    virtual std::string_view name() const noexcept = 0;
    /// At most the engine's depth may be under way.
    virtual void start(const IoCommand& command) noexcept = 0;
    /// Gives what was started to the kernel; without it nothing need happen.
    virtual void commit() noexcept = 0;
    /// The next completion, if there is one; never waits.
    virtual std::optional<IoCompletion> next() noexcept = 0;
    /// Waits until next() has something, now and then for less; only while something is under way.
    virtual void wait() noexcept = 0;
    /// Readable when there may be completions; the reader empties it.
    virtual int event_fd() const noexcept = 0;
};

/// Returns nothing, and leaves the reason in `error_number`, where the kernel has no io_uring or
/// does not let us use it.
std::unique_ptr<IoEngine> make_uring_engine(int fd, std::uint32_t depth, int& error_number);
/// Does each operation when it is started, on the caller's thread.
std::unique_ptr<IoEngine> make_sync_engine(int fd, std::uint32_t depth);

} // namespace coldstart
