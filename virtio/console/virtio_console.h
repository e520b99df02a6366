// A virtio console: one port, a byte stream behind it.
// Source: virtio 1.2, section 5.3.
//
// Nothing is buffered here. Input is taken from the stream only when the guest has given a receive
// buffer; output the stream does not take stays in the transmit queue until it does, and how much
// of the first chain is gone is remembered, also in the saved state.
// Missing: VIRTIO_CONSOLE_F_MULTIPORT, VIRTIO_CONSOLE_F_EMERG_WRITE.
//
// Threads: as VirtioDevice; the ByteSink calls come on the I/O thread. The stream is called with
// the device lock held, so it must not call its sink from inside write() or input_wanted().
#pragma once

#include "virtio/core/queue_turn.h"
#include "virtio/core/split_queue.h"
#include "virtio/core/virtio_device.h"
#include "vmm/base/byte_stream.h"

#include <array>
#include <optional>

namespace coldstart {

struct VirtioConsoleOptions {
    std::uint16_t columns = 80;
    std::uint16_t rows = 25;
};

class VirtioConsole final : public VirtioDevice, private ByteSink {
  public:
    static constexpr unsigned receive_queue = 0;
    static constexpr unsigned transmit_queue = 1;

    /// `stream` outlives the console.
    explicit VirtioConsole(ByteStream& stream, VirtioConsoleOptions options = {});
    ~VirtioConsole() override;

    /// The terminal behind changed its size: tells the driver. Any thread, without the lock.
    void resize(std::uint16_t columns, std::uint16_t rows) noexcept;

    std::string_view type() const noexcept override { return "virtio-console"; }
    std::uint32_t device_id() const noexcept override { return 3; }
    std::uint64_t features() const noexcept override;
    std::span<const std::uint16_t> queue_sizes() const noexcept override;

    void read_config(std::uint64_t offset, std::span<std::byte> out) noexcept override;
    void write_config(std::uint64_t, ByteView) noexcept override {}

    bool activate(const VirtioActivation& activation) noexcept override;
    void deactivate() noexcept override;
    void process_queue(unsigned index) noexcept override;
    void pause() noexcept override { paused_ = true; }
    void resume() noexcept override { paused_ = false; }

    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;

  private:
    // ByteSink.
    std::size_t input_room() noexcept override;
    void input(ByteView bytes) noexcept override;
    void output_ready() noexcept override;

    bool working() const noexcept { return active_ && !paused_ && !failed_; }
    bool queue_working(unsigned index) const noexcept {
        return working() && active_->queues[index].ready();
    }
    bool pop(SplitQueue& queue, DescriptorChain& chain) noexcept;
    void fail(std::string_view reason) noexcept;
    void transmit() noexcept;
    Served transmit_chain(SplitQueue& queue, const DescriptorChain& chain) noexcept;
    void publish(unsigned index) noexcept;

    ByteStream& stream_;
    VirtioConsoleOptions options_;
    std::optional<VirtioActivation> active_;
    bool paused_ = false;
    bool failed_ = false;           ///< until the driver resets
    std::uint64_t transmitted_ = 0; ///< bytes of the first chain the stream has taken
    std::array<iovec, 128> segments_{};
};

} // namespace coldstart
