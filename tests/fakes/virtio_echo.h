// A virtio device for tests of queues and transports: writes back what it reads.
#pragma once

#include "virtio/core/config_space.h"
#include "virtio/core/split_queue.h"
#include "virtio/core/virtio_device.h"

#include <array>
#include <optional>
#include <vector>

namespace coldstart::fakes {

class VirtioEcho final : public VirtioDevice {
  public:
    std::string_view type() const noexcept override { return "virtio-echo"; }
    std::uint32_t device_id() const noexcept override { return 63; }
    std::uint64_t features() const noexcept override {
        return virtio_feature::indirect_desc | virtio_feature::event_idx | 0x5;
    }
    std::span<const std::uint16_t> queue_sizes() const noexcept override { return sizes; }
    void read_config(std::uint64_t offset, std::span<std::byte> out) noexcept override {
        read_config_bytes(config, offset, out);
    }
    void write_config(std::uint64_t offset, ByteView in) noexcept override {
        for (std::size_t i = 0; i < in.size() && range_inside(offset, i + 1, config.size()); ++i)
            config[offset + i] = in[i];
    }
    bool activate(const VirtioActivation& activation) noexcept override {
        ++activations;
        if (refuse_activation)
            return false;
        active.emplace(activation);
        return true;
    }
    void deactivate() noexcept override {
        ++deactivations;
        active.reset();
    }
    void process_queue(unsigned index) noexcept override {
        ++processed;
        SplitQueue& queue = active->queues[index];
        do {
            queue.disable_notifications();
            DescriptorChain chain;
            SplitQueue::Pop pop{};
            while ((pop = queue.pop(segments, chain)) == SplitQueue::Pop::chain)
                queue.push_used(chain.head, echo(chain));
            if (pop == SplitQueue::Pop::broken) {
                last_error = queue.error();
                active->notifier.needs_reset(queue.error());
                return;
            }
        } while (queue.enable_notifications());
        if (queue.publish())
            active->notifier.queue_used(index);
    }
    void save(StateWriter& writer) const override { writer.begin("virtio-echo", 1); }
    void restore(StateReader& reader) override { reader.begin("virtio-echo", 1); }

    std::vector<std::uint16_t> sizes{256, 64};
    std::array<std::byte, 8> config{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4},
                                    std::byte{5}, std::byte{6}, std::byte{7}, std::byte{8}};
    std::optional<VirtioActivation> active;
    bool refuse_activation = false;
    unsigned activations = 0, deactivations = 0, processed = 0;
    std::string_view last_error;

  private:
    static std::uint32_t echo(const DescriptorChain& chain) {
        std::array<std::byte, 4096> bytes{};
        const std::size_t size = copy_from_segments(chain.readable, 0, bytes);
        return static_cast<std::uint32_t>(
            copy_to_segments(chain.writable, 0, std::span(bytes).first(size)));
    }

    std::array<iovec, 64> segments{};
};

} // namespace coldstart::fakes
