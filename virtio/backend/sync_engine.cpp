#include "virtio/backend/io_engine.h"
#include "vmm/base/error.h"
#include "vmm/base/unique_fd.h"

#include <cerrno>
#include <vector>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace coldstart {
namespace {

class SyncEngine final : public IoEngine {
  public:
    SyncEngine(int fd, std::uint32_t depth)
        : fd_(fd), event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), done_(depth) {
        if (!event_)
            throw system_error("eventfd of a disk image", errno);
    }

    std::string_view name() const noexcept override { return "synchronous"; }

    void start(const IoCommand& command) noexcept override {
        std::int64_t result = -1;
        do {
            result = execute(command);
        } while (result < 0 && errno == EINTR);
        const std::size_t slot = (first_ + count_) % done_.size();
        done_[slot] = {command.tag, result < 0 ? -errno : result};
        ++count_;
    }

    void commit() noexcept override {
        if (count_ == 0)
            return;
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(event_.get(), &one, sizeof one);
    }

    std::optional<IoCompletion> next() noexcept override {
        if (count_ == 0)
            return std::nullopt;
        const IoCompletion completion = done_[first_];
        first_ = (first_ + 1) % done_.size();
        --count_;
        return completion;
    }

    void wait() noexcept override {}
    int event_fd() const noexcept override { return event_.get(); }

  private:
    std::int64_t execute(const IoCommand& command) const noexcept {
        const auto offset = static_cast<off_t>(command.offset_bytes);
        const auto count = static_cast<int>(command.segment_count);
        switch (command.kind) {
        case IoCommand::Kind::readv:
            return ::preadv(fd_, command.segments, count, offset);
        case IoCommand::Kind::writev:
            return ::pwritev2(fd_, command.segments, count, offset,
                              command.durable ? RWF_DSYNC : 0);
        case IoCommand::Kind::fdatasync:
            return ::fdatasync(fd_);
        case IoCommand::Kind::fallocate:
            return ::fallocate(fd_, command.fallocate_mode, offset,
                               static_cast<off_t>(command.size_bytes));
        case IoCommand::Kind::nothing:
            break;
        }
        return 0;
    }

    int fd_;
    UniqueFd event_;
    std::vector<IoCompletion> done_; // a ring of `count_` completions from `first_` on
    std::size_t first_ = 0;
    std::size_t count_ = 0;
};

} // namespace

std::unique_ptr<IoEngine> make_sync_engine(int fd, std::uint32_t depth) {
    return std::make_unique<SyncEngine>(fd, depth);
}

} // namespace coldstart
