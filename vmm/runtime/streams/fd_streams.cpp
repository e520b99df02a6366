#include "vmm/base/error.h"
#include "vmm/runtime/streams/streams.h"

#include <cerrno>
#include <csignal>

#include <fcntl.h>

namespace coldstart {
namespace {

class FdStream final : public ChannelStream {
  public:
    FdStream(Reactor& reactor, const std::string& name, InputFilter filter,
             std::optional<HostFd> input, std::optional<HostFd> output)
        : ChannelStream(reactor, name, std::move(filter)) {
        attach(std::move(input), std::move(output));
    }
};

/// Takes everything, and loses what the stream behind has no room for.
class LossyStream final : public ByteStream {
  public:
    explicit LossyStream(std::unique_ptr<ByteStream> stream) : stream_(std::move(stream)) {}

    std::size_t write(ByteView bytes) noexcept override {
        stream_->write(bytes);
        return bytes.size();
    }
    void input_wanted() noexcept override { stream_->input_wanted(); }
    void set_sink(ByteSink* sink) noexcept override { stream_->set_sink(sink); }

  private:
    const std::unique_ptr<ByteStream> stream_;
};

} // namespace

std::unique_ptr<ByteStream> open_fd_stream(Reactor& reactor, const std::string& name, int input_fd,
                                           int output_fd, InputFilter filter) {
    std::optional<HostFd> input, output;
    if (input_fd >= 0)
        input = HostFd::borrow(input_fd, Direction::input);
    if (output_fd >= 0)
        output = HostFd::borrow(output_fd, Direction::output);
    return std::make_unique<FdStream>(reactor, name, std::move(filter), std::move(input),
                                      std::move(output));
}

std::unique_ptr<ByteStream> open_file_stream(Reactor& reactor, const std::string& path) {
    // O_NONBLOCK for the sake of a FIFO or terminal; it means nothing for a regular file.
    UniqueFd fd(::open(path.c_str(),
                       O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0644));
    if (!fd)
        throw system_error(path, errno,
                           errno == ENXIO ? "start the reader of this FIFO first"
                                          : "check the folder and its permissions");
    return std::make_unique<FdStream>(reactor, path, InputFilter{}, std::nullopt,
                                      HostFd::own(std::move(fd)));
}

std::unique_ptr<ByteStream> open_kept_file_stream(Reactor& reactor, const std::string& path) {
    UniqueFd fd(::open(path.c_str(),
                       O_RDWR | O_CREAT | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0644));
    if (!fd)
        throw system_error(path, errno, "check the folder and its permissions");
    return std::make_unique<LossyStream>(std::make_unique<FdStream>(
        reactor, path, InputFilter{}, std::nullopt, HostFd::own(std::move(fd))));
}

void ignore_write_signals() noexcept {
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);
}

} // namespace coldstart
