// VirtioPciDevice: the common configuration structure (virtio 1.2, 4.1.4.3) and the window to it
// in configuration space (4.1.4.9).
#include "virtio/transport/pci/spec.h"
#include "virtio/transport/pci/virtio_pci_device.h"

#include <bit>

namespace coldstart {

using namespace virtio_pci;

std::uint64_t VirtioPciDevice::read_common(std::uint64_t offset, unsigned width) noexcept {
    if (offset >= common::end)
        return 0;
    const bool both_halves = width == 8 && offset >= common::queue_desc && offset % 8 == 0;
    // iPXE of 2019 (what Debian 12 has) reads the 32 bits of device_feature with a 16-bit load, and
    // refuses the device unless that gives their low half.
    const bool low_half = width == 2 && common::field_bytes(offset) == 4;
    if (!both_halves && !low_half && width != common::field_bytes(offset))
        return all_ones(width);
    if (offset == common::device_status) // what a notification or a poll reads needs no lock
        return core_.state().status();
    const std::lock_guard guard(core_.lock());
    std::uint64_t value = read_field(offset);
    if (both_halves)
        value |= std::uint64_t{read_field(offset + 4)} << 32;
    return value & all_ones(width);
}

void VirtioPciDevice::write_common(std::uint64_t offset, unsigned width,
                                   std::uint64_t value) noexcept {
    if (offset >= common::end)
        return;
    const bool both_halves = width == 8 && offset >= common::queue_desc && offset % 8 == 0;
    if (!both_halves && width != common::field_bytes(offset))
        return;
    const std::lock_guard guard(core_.lock());
    write_field(offset, static_cast<std::uint32_t>(value));
    if (both_halves)
        write_field(offset + 4, static_cast<std::uint32_t>(value >> 32));
}

std::uint32_t VirtioPciDevice::read_field(std::uint64_t offset) noexcept {
    const VirtioState& state = core_.state();
    switch (offset) {
    case common::device_feature_select:
        return registers_.device_feature_select;
    case common::device_feature:
        return state.device_features(registers_.device_feature_select);
    case common::driver_feature_select:
        return registers_.driver_feature_select;
    case common::driver_feature:
        return state.driver_features(registers_.driver_feature_select);
    case common::config_msix_vector:
        return config_vector_.load(std::memory_order_acquire);
    case common::num_queues:
        return state.queue_count();
    case common::device_status:
        return state.status();
    case common::config_generation:
        return state.config_generation() & 0xff;
    case common::queue_select:
        return registers_.queue_select;
    default:
        break;
    }
    const SplitQueue* queue = state.queue(registers_.queue_select);
    if (queue != nullptr)
        return read_queue_field(*queue, offset);
    // A queue that is not there: of size 0, 4.1.4.3.1.
    return offset == common::queue_msix_vector ? no_vector : 0;
}

std::uint32_t VirtioPciDevice::read_queue_field(const SplitQueue& queue,
                                                std::uint64_t offset) const noexcept {
    switch (offset) {
    case common::queue_size:
        return queue.size();
    case common::queue_msix_vector:
        return queue_vectors_[registers_.queue_select].load(std::memory_order_acquire);
    case common::queue_enable:
        return queue.ready() ? 1 : 0;
    case common::queue_notify_off:
        return registers_.queue_select; // times notify_factor
    case common::queue_desc:
        return static_cast<std::uint32_t>(queue.descriptor_table().value);
    case common::queue_desc + 4:
        return static_cast<std::uint32_t>(queue.descriptor_table().value >> 32);
    case common::queue_driver:
        return static_cast<std::uint32_t>(queue.avail_ring().value);
    case common::queue_driver + 4:
        return static_cast<std::uint32_t>(queue.avail_ring().value >> 32);
    case common::queue_device:
        return static_cast<std::uint32_t>(queue.used_ring().value);
    case common::queue_device + 4:
        return static_cast<std::uint32_t>(queue.used_ring().value >> 32);
    default:
        return 0;
    }
}

void VirtioPciDevice::write_field(std::uint64_t offset, std::uint32_t value) noexcept {
    // A vector that is not there reads back as none: so the driver learns that it can't have it.
    const auto vector = static_cast<std::uint16_t>(value < msix_.vectors() ? value : no_vector);
    switch (offset) {
    case common::device_feature_select:
        registers_.device_feature_select = value;
        break;
    case common::driver_feature_select:
        registers_.driver_feature_select = value;
        break;
    case common::driver_feature:
        core_.state().set_driver_features(registers_.driver_feature_select, value);
        break;
    case common::config_msix_vector:
        config_vector_.store(vector, std::memory_order_release);
        break;
    case common::device_status:
        core_.state().write_status(static_cast<std::uint8_t>(value));
        if (value == 0)
            reset_registers();
        break;
    case common::queue_select:
        registers_.queue_select = static_cast<std::uint16_t>(value);
        break;
    case common::queue_msix_vector:
        if (registers_.queue_select < queue_vectors_.size())
            queue_vectors_[registers_.queue_select].store(vector, std::memory_order_release);
        break;
    case common::queue_enable:
        if (value == 1) // a driver never takes a queue back but by a reset: 4.1.4.3.2
            core_.state().set_queue_ready(registers_.queue_select, true);
        break;
    default:
        write_queue_field(offset, value);
        break;
    }
}

void VirtioPciDevice::write_queue_field(std::uint64_t offset, std::uint32_t value) noexcept {
    SplitQueue* queue = core_.state().configurable_queue(registers_.queue_select);
    if (queue == nullptr)
        return;
    switch (offset) {
    case common::queue_size:
        if (std::has_single_bit(value) && value <= queue->max_size())
            queue->set_size(static_cast<std::uint16_t>(value));
        break;
    case common::queue_desc:
        queue->set_descriptor_table(with_low(queue->descriptor_table(), value));
        break;
    case common::queue_desc + 4:
        queue->set_descriptor_table(with_high(queue->descriptor_table(), value));
        break;
    case common::queue_driver:
        queue->set_avail_ring(with_low(queue->avail_ring(), value));
        break;
    case common::queue_driver + 4:
        queue->set_avail_ring(with_high(queue->avail_ring(), value));
        break;
    case common::queue_device:
        queue->set_used_ring(with_low(queue->used_ring(), value));
        break;
    case common::queue_device + 4:
        queue->set_used_ring(with_high(queue->used_ring(), value));
        break;
    default:
        break; // read-only or not there
    }
}

/// What the window in configuration space looks at.
struct VirtioPciDevice::WindowTarget {
    bool valid = false;
    unsigned region = 0;
    std::uint64_t offset = 0;
    unsigned width = 0;
};

VirtioPciDevice::WindowTarget VirtioPciDevice::window_target() const noexcept {
    const std::uint32_t bar = config_value(window_cap_ + cap::bar, 1);
    WindowTarget target;
    target.offset = config_value(window_cap_ + cap::offset, 4);
    target.width = config_value(window_cap_ + cap::size, 4);
    target.region = bar == msix_bar ? msix_region_ : structures_region_;
    target.valid = (bar == msix_bar || bar == structures_bar) &&
                   (target.width == 1 || target.width == 2 || target.width == 4) &&
                   target.offset % target.width == 0 &&
                   range_inside(target.offset, target.width, regions()[target.region].size_bytes);
    return target;
}

void VirtioPciDevice::config_about_to_be_read(unsigned offset, unsigned width) noexcept {
    const unsigned data = window_cap_ + cap::access_data;
    if (offset + width <= data || offset >= data + 4)
        return;
    const WindowTarget target = window_target();
    if (target.valid)
        set_config_value(
            data, target.width,
            static_cast<std::uint32_t>(read(target.region, target.offset, target.width)));
}

void VirtioPciDevice::config_written(unsigned offset, unsigned width) noexcept {
    const auto touched = [&](unsigned first, unsigned bytes) {
        return offset < first + bytes && first < offset + width;
    };
    if (touched(command_register, 2)) {
        const std::lock_guard guard(core_.lock());
        follow_bus_master();
    }
    if (touched(msix_cap_ + 2, 2)) {
        msix_.set_control(static_cast<std::uint16_t>(config_value(msix_cap_ + 2, 2)));
        change_isr(0, 0); // INTx is silent while MSI-X is enabled
    }
    const unsigned data = window_cap_ + cap::access_data;
    if (touched(data, 4)) {
        const WindowTarget target = window_target();
        if (target.valid)
            write(target.region, target.offset, target.width, config_value(data, target.width));
    }
}

} // namespace coldstart
