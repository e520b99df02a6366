// The places a guest's console can be: this terminal, a file, a Unix socket, a pseudo-terminal.
// Missing: output sent while nobody is connected to a socket or pseudo-terminal is not kept.
// Threads: as on ChannelStream; the open functions belong to the set-up and throw Error.
#pragma once

#include "vmm/base/byte_stream.h"
#include "vmm/base/reactor.h"
#include "vmm/runtime/streams/channel_stream.h"

#include <memory>
#include <string>

namespace coldstart {

/// Takes everything and says nothing: --serial none.
class NullStream final : public ByteStream {
  public:
    std::size_t write(ByteView bytes) noexcept override { return bytes.size(); }
    void input_wanted() noexcept override {}
    void set_sink(ByteSink*) noexcept override {}
};

/// An input and an output descriptor, which stay the caller's; -1: none. The end of the input is
/// not the end of the stream. `filter` is for a terminal: see ChannelStream.
std::unique_ptr<ByteStream> open_fd_stream(Reactor& reactor, const std::string& name, int input_fd,
                                           int output_fd, InputFilter filter = {});

/// Output into a new or emptied file.
std::unique_ptr<ByteStream> open_file_stream(Reactor& reactor, const std::string& path);

/// Output behind what is in the file, which is made when it is not there. A FIFO needs no reader: it
/// is opened for reading too, and what it has no room for is lost.
std::unique_ptr<ByteStream> open_kept_file_stream(Reactor& reactor, const std::string& path);

/// A listening Unix socket, mode 0600, removed at the end. One client at a time; the next waits. A
/// socket left behind by a dead process is replaced, any other file is not.
std::unique_ptr<ByteStream> open_socket_stream(Reactor& reactor, const std::string& path);

/// A new pseudo-terminal, whose path it puts in `path`; programs may come and go.
std::unique_ptr<ByteStream> open_pty_stream(Reactor& reactor, std::string& path);

/// A write to a pipe whose reader left, or beyond a file size limit, is to fail, not to kill the
/// process: for the start of it.
void ignore_write_signals() noexcept;

} // namespace coldstart
