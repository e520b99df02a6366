// A serial console that more than one can follow: what the guest writes goes to the stream it has
// (the terminal, a file) and is kept, the newest `tail_bytes` of it, for clients of the control
// socket, who may also type.
//
// Clients never hold up the guest: one that is further behind than the tail misses what fell out
// of it. What clients type waits for room in the guest's UART, up to `typed_bytes`.
//
// Threads: write and input_wanted any, as ByteStream says, a vCPU's among them: they allocate
// nothing. follow and type any. Construction and destruction: while the reactor's thread does not
// run, or on it.
#pragma once

#include "api/command/answer.h"
#include "vmm/base/byte_stream.h"
#include "vmm/base/reactor.h"
#include "vmm/base/unique_fd.h"
#include "vmm/runtime/streams/byte_ring.h"

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace coldstart {

class ConsoleHub final : public ByteStream, private ByteSink {
  public:
    static constexpr std::size_t tail_bytes = 64ul * 1024;
    static constexpr std::size_t typed_bytes = 16ul * 1024;

    /// `inner` outlives the hub.
    ConsoleHub(Reactor& reactor, ByteStream& inner);
    ~ConsoleHub() override;

    std::size_t write(ByteView bytes) noexcept override;
    void input_wanted() noexcept override;
    void set_sink(ByteSink* sink) noexcept override;

    /// From the oldest byte that is still known; `listener` is called on the reactor's thread. The
    /// hub's shared state outlives the subscription by itself.
    std::unique_ptr<Subscription> follow(Listener listener);
    /// False, and nothing is typed, when there is no room for all of it.
    bool type(std::string_view text);

  private:
    struct Reader {
        Listener listener; ///< empty once it has had enough
        std::uint64_t next = 0;
    };
    /// What subscriptions hold on to.
    struct Readers {
        std::mutex mutex; ///< held while a listener is called
        std::list<Reader> list;
        std::atomic<std::size_t> count{0}; ///< of the list: while it is 0, nobody is woken
    };
    class Handle;

    // ByteSink, for what comes from the inner stream.
    std::size_t input_room() noexcept override;
    void input(ByteView bytes) noexcept override;
    void output_ready() noexcept override;

    void turn();
    void tell_readers();
    void offer_typed();
    void wake() noexcept;

    ByteStream& inner_;
    UniqueFd wake_fd_;

    // As ChannelStream has it: held while the sink is called, which may disconnect itself.
    std::recursive_mutex sink_mutex_;
    ByteSink* sink_ = nullptr;

    std::mutex mutex_; ///< a leaf; guards what follows
    /// Not written before the guest writes: most consoles say little.
    const std::unique_ptr<char[]> tail_ = std::make_unique_for_overwrite<char[]>(tail_bytes);
    std::uint64_t written_ = 0; ///< bytes since power-on, the newest of them in tail_
    ByteRing typed_{typed_bytes};
    bool woken_ = false;

    std::shared_ptr<Readers> readers_ = std::make_shared<Readers>();
    std::unique_ptr<Watch> watch_; ///< last: ends before what its callback uses
};

} // namespace coldstart
