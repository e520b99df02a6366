// io_uring by liburing; kernels from 5.10 on.
//
// COOP_TASKRUN (5.19) spares the I/O thread an inter-processor interrupt for each completion; it
// sleeps in the kernel or is about to enter it anyway. SINGLE_ISSUER and DEFER_TASKRUN would ask
// for one submitting thread for ever, but a vCPU drains the ring when its driver resets the device.
// SQPOLL would burn a CPU.
#include "virtio/backend/io_engine.h"
#include "vmm/base/unique_fd.h"

#include <cerrno>

#include <liburing.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace coldstart {
namespace {

class UringEngine final : public IoEngine {
  public:
    UringEngine() = default;
    ~UringEngine() override {
        if (open_)
            ::io_uring_queue_exit(&ring_);
    }

    /// 0 or a negative errno value.
    int open(int fd, std::uint32_t depth) noexcept {
        event_.reset(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
        if (!event_)
            return -errno;
        int result = ::io_uring_queue_init(depth, &ring_, IORING_SETUP_COOP_TASKRUN);
        if (result == -EINVAL)
            result = ::io_uring_queue_init(depth, &ring_, 0);
        if (result < 0)
            return result;
        open_ = true;
        result = ::io_uring_register_files(&ring_, &fd, 1);
        if (result == 0)
            result = ::io_uring_register_eventfd(&ring_, event_.get());
        return result;
    }

    std::string_view name() const noexcept override { return "io_uring"; }

    void start(const IoCommand& command) noexcept override {
        io_uring_sqe* sqe = ::io_uring_get_sqe(&ring_);
        if (sqe == nullptr) {
            // Only while the kernel refuses entries for want of memory.
            commit();
            sqe = ::io_uring_get_sqe(&ring_);
        }
        while (sqe == nullptr) {
            ::io_uring_submit_and_wait(&ring_, 1);
            sqe = ::io_uring_get_sqe(&ring_);
        }
        prepare(*sqe, command);
        // Index 0 of the registered files; a no-operation has none.
        if (command.kind != IoCommand::Kind::nothing)
            sqe->flags = static_cast<std::uint8_t>(sqe->flags | IOSQE_FIXED_FILE);
        ::io_uring_sqe_set_data64(sqe, command.tag);
    }

    void commit() noexcept override {
        if (::io_uring_sq_ready(&ring_) == 0)
            return;
        int result = 0;
        do {
            result = ::io_uring_submit(&ring_);
        } while (result == -EINTR);
        if (::io_uring_sq_ready(&ring_) != 0) {
            // Out of memory or completions to be reaped first: come back by the event.
            const std::uint64_t one = 1;
            [[maybe_unused]] const auto written = ::write(event_.get(), &one, sizeof one);
        }
    }

    std::optional<IoCompletion> next() noexcept override {
        io_uring_cqe* cqe = nullptr;
        if (::io_uring_peek_cqe(&ring_, &cqe) != 0 || cqe == nullptr)
            return std::nullopt;
        const IoCompletion completion{static_cast<std::uint32_t>(::io_uring_cqe_get_data64(cqe)),
                                      cqe->res};
        ::io_uring_cqe_seen(&ring_, cqe);
        return completion;
    }

    void wait() noexcept override {
        // Submits as well what the kernel refused before; when it refuses again, or a signal comes,
        // this returns early and the caller looks and waits again.
        ::io_uring_submit_and_wait(&ring_, 1);
    }

    int event_fd() const noexcept override { return event_.get(); }

  private:
    static void prepare(io_uring_sqe& sqe, const IoCommand& command) noexcept {
        switch (command.kind) {
        case IoCommand::Kind::readv:
            ::io_uring_prep_readv(&sqe, 0, command.segments, command.segment_count,
                                  command.offset_bytes);
            return;
        case IoCommand::Kind::writev:
            ::io_uring_prep_writev(&sqe, 0, command.segments, command.segment_count,
                                   command.offset_bytes);
            sqe.rw_flags = command.durable ? RWF_DSYNC : 0;
            return;
        case IoCommand::Kind::fdatasync:
            ::io_uring_prep_fsync(&sqe, 0, IORING_FSYNC_DATASYNC);
            return;
        case IoCommand::Kind::fallocate:
            ::io_uring_prep_fallocate(&sqe, 0, command.fallocate_mode,
                                      static_cast<off_t>(command.offset_bytes),
                                      static_cast<off_t>(command.size_bytes));
            return;
        case IoCommand::Kind::nothing:
            ::io_uring_prep_nop(&sqe);
            return;
        }
    }

    io_uring ring_{};
    bool open_ = false;
    UniqueFd event_;
};

} // namespace

std::unique_ptr<IoEngine> make_uring_engine(int fd, std::uint32_t depth, int& error_number) {
    auto engine = std::make_unique<UringEngine>();
    error_number = -engine->open(fd, depth);
    if (error_number != 0)
        return nullptr;
    return engine;
}

} // namespace coldstart
