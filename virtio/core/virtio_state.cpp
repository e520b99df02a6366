#include "virtio/core/virtio_state.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"

namespace coldstart {

using namespace virtio_status;

VirtioState::VirtioState(VirtioDevice& device, const GuestMemory& memory, VirtioSignals& signals)
    : device_(device), memory_(memory), signals_(signals),
      offered_(device.features() | virtio_feature::version_1) {
    queues_.reserve(device.queue_sizes().size());
    for (const std::uint16_t size : device.queue_sizes())
        queues_.emplace_back(memory, size);
}

std::uint32_t VirtioState::device_features(std::uint32_t word) const noexcept {
    return word < 2 ? static_cast<std::uint32_t>(offered_ >> (32 * word)) : 0;
}

std::uint32_t VirtioState::driver_features(std::uint32_t word) const noexcept {
    return word < 2 ? static_cast<std::uint32_t>(accepted_ >> (32 * word)) : 0;
}

void VirtioState::set_driver_features(std::uint32_t word, std::uint32_t bits) noexcept {
    if (has(features_ok))
        return;
    if (word >= 2)
        return;
    const unsigned shift = 32 * word;
    accepted_ = (accepted_ & ~(std::uint64_t{0xffffffff} << shift)) | std::uint64_t{bits} << shift;
}

bool VirtioState::features_acceptable() const noexcept {
    return (accepted_ & ~offered_) == 0 && (accepted_ & virtio_feature::version_1) != 0;
}

void VirtioState::write_status(std::uint8_t value) noexcept {
    if (value == 0) {
        if (active_)
            milestones_->reached(Milestone::driver_reset, name_);
        reset();
        return;
    }
    const std::uint8_t old = status();
    auto added = static_cast<std::uint8_t>(value & ~old);
    if ((added & features_ok) != 0 && (!(value & driver) || !features_acceptable()))
        added &= static_cast<std::uint8_t>(~features_ok); // the driver reads it back: 3.1.1
    const bool features_agreed = ((old | added) & features_ok) != 0;
    if ((added & driver_ok) != 0 && !features_agreed)
        added &= static_cast<std::uint8_t>(~driver_ok);
    added &= acknowledge | driver | features_ok | driver_ok | failed;
    status_.fetch_or(added, std::memory_order_acq_rel);

    if ((added & failed) != 0) {
        deactivate();
    } else if ((added & driver_ok) != 0) {
        activate();
        if (active_)
            milestones_->reached(Milestone::driver_ok, name_);
    }
}

void VirtioState::activate() noexcept {
    if (has(virtio_status::needs_reset)) {
        // It came about before the driver could hear of it.
        signals_.config_interrupt();
        return;
    }
    active_ = device_.activate({memory_, accepted_, queues_, *this});
    if (!active_)
        needs_reset("the driver left out what the device can't work without");
}

void VirtioState::deactivate() noexcept {
    if (active_)
        device_.deactivate();
    active_ = false;
}

const SplitQueue* VirtioState::queue(std::uint32_t index) const noexcept {
    return index < queues_.size() ? &queues_[index] : nullptr;
}

SplitQueue* VirtioState::configurable_queue(std::uint32_t index) noexcept {
    if (index >= queues_.size() || queues_[index].ready() || has(driver_ok))
        return nullptr;
    return &queues_[index];
}

void VirtioState::set_queue_ready(std::uint32_t index, bool ready) noexcept {
    if (index >= queues_.size() || queues_[index].ready() == ready)
        return;
    if (ready) {
        if (!has(features_ok) || has(driver_ok))
            return;
        if (!queues_[index].enable(accepted_))
            needs_reset(queues_[index].error());
        return;
    }
    // Section 4.2.2.2: when the driver reads zero back, the device must be done with the queue.
    const bool was_active = active_;
    deactivate();
    queues_[index].disable();
    if (was_active)
        activate();
}

void VirtioState::process_queue(std::uint32_t index) noexcept {
    if (!active_ || paused_ || has(virtio_status::needs_reset) || index >= queues_.size() ||
        !queues_[index].ready())
        return;
    device_.process_queue(index);
}

void VirtioState::pause() noexcept {
    paused_ = true;
    device_.pause();
}

void VirtioState::resume() noexcept {
    paused_ = false;
    device_.resume();
    wake_all();
}

void VirtioState::wake_all() noexcept {
    if (!active_)
        return;
    for (unsigned index = 0; index < queue_count(); ++index)
        signals_.wake_queue(index);
}

void VirtioState::reset() noexcept {
    deactivate();
    for (SplitQueue& queue : queues_)
        queue.reset();
    accepted_ = 0;
    status_.store(0, std::memory_order_release);
}

void VirtioState::config_changed() noexcept {
    generation_.fetch_add(1, std::memory_order_acq_rel);
    if (has(driver_ok))
        signals_.config_interrupt();
}

void VirtioState::needs_reset(std::string_view reason) noexcept {
    const std::uint8_t old =
        status_.fetch_or(virtio_status::needs_reset, std::memory_order_acq_rel);
    if ((old & virtio_status::needs_reset) != 0)
        return;
    if (complaints_.allow())
        log_warn(cat(device_.type(), ": the guest's driver broke the protocol: ", reason,
                     "; the device waits to be reset"));
    if ((old & driver_ok) != 0)
        signals_.config_interrupt();
}

void VirtioState::save(StateWriter& writer) const {
    writer.begin("virtio", 1);
    writer.fields(device_.device_id(), accepted_, status(), config_generation(), queue_count());
    for (const SplitQueue& queue : queues_)
        queue.save(writer);
    device_.save(writer);
}

void VirtioState::restore(StateReader& reader) {
    deactivate();
    reader.begin("virtio", 1);
    std::uint32_t device_id = 0;
    std::uint8_t saved_status = 0;
    std::uint32_t generation = 0;
    unsigned queues = 0;
    reader.fields(device_id, accepted_, saved_status, generation, queues);
    // Until FEATURES_OK a driver may have written anything.
    const bool impossible = (saved_status & features_ok) != 0 && (accepted_ & ~offered_) != 0;
    if (device_id != device_.device_id() || queues != queue_count() || impossible)
        throw Error(cat("saved state: ", device_.type(),
                        ": other device, queues or features than it was saved with"),
                    "restore it with the same machine configuration");
    for (SplitQueue& queue : queues_)
        queue.restore(reader);
    device_.restore(reader);
    status_.store(saved_status, std::memory_order_release);
    generation_.store(generation, std::memory_order_release);
    // One that waits for a reset has told its driver so before the save.
    if (has(driver_ok) && !has(failed) && !has(virtio_status::needs_reset))
        activate();
}

} // namespace coldstart
