// A byte stream behind a console device: a terminal, a file, a socket, or nothing.
// Threads: the stream calls its sink on the I/O thread; write may be called from any thread.
#pragma once

#include "vmm/base/bytes.h"

#include <cstddef>
#include <span>

namespace coldstart {

/// What a stream tells the device behind which it stands; called on the I/O thread.
class ByteSink {
  public:
    virtual ~ByteSink() = default;
    /// How many bytes the device can take now; the stream offers at most that many and asks again
    /// when the device calls ByteStream::input_wanted().
    virtual std::size_t input_room() noexcept = 0;
    virtual void input(ByteView bytes) noexcept = 0;
    /// After a short write: there is room for output again.
    virtual void output_ready() noexcept = 0;
};

class ByteStream {
  public:
    virtual ~ByteStream() = default;
    /// Takes a prefix of `bytes` without blocking; how many were taken. After a short count the
    /// sink hears output_ready().
    virtual std::size_t write(ByteView bytes) noexcept = 0;
    /// The sink has room for input again.
    virtual void input_wanted() noexcept = 0;
    /// Connects the device (or nullptr, to disconnect).
    virtual void set_sink(ByteSink* sink) noexcept = 0;
};

} // namespace coldstart
