#include "virtio/transport/mmio/virtio_mmio_device.h"

#include "virtio/transport/mmio/spec.h"

namespace coldstart {
namespace {

namespace reg = virtio_mmio;

constexpr std::array<RegionShape, 1> region_shapes{{{"registers", BusKind::mmio, 0x1000}}};
constexpr std::array<LineShape, 1> line_shapes{{{"interrupt", true}}};

} // namespace

VirtioMmioDevice::VirtioMmioDevice(std::unique_ptr<VirtioDevice> device, const GuestMemory& memory,
                                   IrqLine& line, Reactor& reactor)
    : line_(line), core_(std::move(device), memory, *this, reactor) {
    for (unsigned index = 0; index < core_.state().queue_count(); ++index)
        doorbells_.push_back({0, reg::queue_notify, 4, index, core_.kick_fd(index)});
}

VirtioMmioDevice::~VirtioMmioDevice() {
    core_.halt();
}

std::span<const RegionShape> VirtioMmioDevice::regions() const noexcept {
    return region_shapes;
}

std::span<const LineShape> VirtioMmioDevice::lines() const noexcept {
    return line_shapes;
}

AcpiDescription VirtioMmioDevice::acpi() const {
    AcpiDescription description;
    description.name = "VIRT";
    description.hid = "LNRO0005";
    description.uid = 0;
    description.cache_coherent = true;
    return description;
}

void VirtioMmioDevice::queue_interrupt(unsigned) noexcept {
    interrupt_status_.fetch_or(reg::interrupt_queue, std::memory_order_acq_rel);
    line_.pulse();
}

void VirtioMmioDevice::config_interrupt() noexcept {
    interrupt_status_.fetch_or(reg::interrupt_config, std::memory_order_acq_rel);
    line_.pulse();
}

std::uint64_t VirtioMmioDevice::read(unsigned, std::uint64_t offset, unsigned width) noexcept {
    if (offset >= reg::config) {
        std::array<std::byte, 8> bytes{};
        const std::lock_guard guard(core_.lock());
        core_.device().read_config(offset - reg::config, std::span(bytes).first(width));
        return load_le<std::uint64_t>(bytes);
    }
    if (width != 4 || offset % 4 != 0)
        return all_ones(width);
    return read_register(offset);
}

std::uint32_t VirtioMmioDevice::read_register(std::uint64_t offset) noexcept {
    // What an interrupt handler and a notification read needs no lock.
    switch (offset) {
    case reg::magic_value:
        return reg::magic;
    case reg::version:
        return 2;
    case reg::device_id:
        return core_.device().device_id();
    case reg::vendor_id:
        return reg::vendor;
    case reg::interrupt_status:
        return interrupt_status_.load(std::memory_order_acquire);
    case reg::status:
        return core_.state().status();
    case reg::config_generation:
        return core_.state().config_generation();
    case reg::shm_len_low: // 4.2.2.1: a length of all ones says there is no such region
    case reg::shm_len_high:
    case reg::shm_base_low:
    case reg::shm_base_high:
        return 0xffffffff;
    default:
        break;
    }
    const std::lock_guard guard(core_.lock());
    const SplitQueue* queue = core_.state().queue(registers_.queue_sel);
    switch (offset) {
    case reg::device_features:
        return core_.state().device_features(registers_.device_features_sel);
    case reg::queue_num_max:
        return queue != nullptr ? queue->max_size() : 0;
    case reg::queue_ready:
        return queue != nullptr && queue->ready() ? 1 : 0;
    default:
        return 0; // write-only or not there
    }
}

void VirtioMmioDevice::write(unsigned, std::uint64_t offset, unsigned width,
                             std::uint64_t value) noexcept {
    if (offset >= reg::config) {
        std::array<std::byte, 8> bytes{};
        store_le(std::span<std::byte>(bytes), 0, value);
        const std::lock_guard guard(core_.lock());
        core_.device().write_config(offset - reg::config, std::span(bytes).first(width));
        return;
    }
    if (width == 4 && offset % 4 == 0)
        write_register(offset, static_cast<std::uint32_t>(value));
}

void VirtioMmioDevice::write_register(std::uint64_t offset, std::uint32_t value) noexcept {
    if (offset == reg::queue_notify) {
        core_.wake(value);
        return;
    }
    if (offset == reg::interrupt_ack) {
        interrupt_status_.fetch_and(~value, std::memory_order_acq_rel);
        return;
    }
    const std::lock_guard guard(core_.lock());
    switch (offset) {
    case reg::device_features_sel:
        registers_.device_features_sel = value;
        break;
    case reg::driver_features_sel:
        registers_.driver_features_sel = value;
        break;
    case reg::driver_features:
        core_.state().set_driver_features(registers_.driver_features_sel, value);
        break;
    case reg::queue_sel:
        registers_.queue_sel = value;
        break;
    case reg::queue_ready:
        core_.state().set_queue_ready(registers_.queue_sel, (value & 1) != 0);
        break;
    case reg::status:
        core_.state().write_status(static_cast<std::uint8_t>(value));
        if (value == 0)
            reset_registers();
        break;
    default:
        write_queue_register(offset, value);
        break;
    }
}

void VirtioMmioDevice::write_queue_register(std::uint64_t offset, std::uint32_t value) noexcept {
    SplitQueue* queue = core_.state().configurable_queue(registers_.queue_sel);
    if (queue == nullptr)
        return;
    switch (offset) {
    case reg::queue_num:
        // What does not fit 16 bits becomes a size that enabling refuses.
        queue->set_size(value <= virtq::max_size ? static_cast<std::uint16_t>(value) : 0);
        break;
    case reg::queue_desc_low:
        queue->set_descriptor_table(with_low(queue->descriptor_table(), value));
        break;
    case reg::queue_desc_high:
        queue->set_descriptor_table(with_high(queue->descriptor_table(), value));
        break;
    case reg::queue_driver_low:
        queue->set_avail_ring(with_low(queue->avail_ring(), value));
        break;
    case reg::queue_driver_high:
        queue->set_avail_ring(with_high(queue->avail_ring(), value));
        break;
    case reg::queue_device_low:
        queue->set_used_ring(with_low(queue->used_ring(), value));
        break;
    case reg::queue_device_high:
        queue->set_used_ring(with_high(queue->used_ring(), value));
        break;
    default:
        break; // read-only or not there
    }
}

void VirtioMmioDevice::reset_registers() noexcept {
    registers_ = Registers{};
    interrupt_status_.store(0, std::memory_order_release);
}

void VirtioMmioDevice::reset() {
    const std::lock_guard guard(core_.lock());
    core_.state().reset();
    reset_registers();
}

void VirtioMmioDevice::save(StateWriter& writer) const {
    const std::lock_guard guard(core_.lock());
    save_locked(writer);
}

void VirtioMmioDevice::save_locked(StateWriter& writer) const {
    writer.begin("virtio-mmio", 1);
    const auto& [device_sel, driver_sel, queue_sel] = registers_;
    writer.fields(device_sel, driver_sel, queue_sel,
                  interrupt_status_.load(std::memory_order_acquire));
    core_.state().save(writer);
}

void VirtioMmioDevice::restore(StateReader& reader) {
    const std::lock_guard guard(core_.lock());
    restore_or_undo(
        reader, [this](StateWriter& writer) { save_locked(writer); },
        [this](StateReader& source) { restore_locked(source); });
}

void VirtioMmioDevice::restore_locked(StateReader& reader) {
    reader.begin("virtio-mmio", 1);
    auto& [device_sel, driver_sel, queue_sel] = registers_;
    std::uint32_t pending = 0;
    reader.fields(device_sel, driver_sel, queue_sel, pending);
    interrupt_status_.store(pending, std::memory_order_release);
    core_.state().restore(reader);
}

} // namespace coldstart
