#include "virtio/transport/pci/virtio_pci_device.h"

#include "virtio/transport/pci/spec.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace coldstart {
namespace {

using namespace virtio_pci;

/// The class code tells firmware and people what it is; drivers go by the device id.
constexpr std::uint32_t class_of(std::uint32_t device_id) noexcept {
    switch (device_id) {
    case 1:
        return 0x020000; // Ethernet controller
    case 2:
    case 8:
        return 0x010000; // SCSI storage, as firmware expects of virtio disks
    case 3:
    case 19:
        return 0x078000; // other communication device
    case 26:
        return 0x018000; // other storage
    default:
        return 0x00ff00;
    }
}

PciIdentity identity_of(const VirtioDevice& device) noexcept {
    const std::uint32_t id = device.device_id();
    return {.vendor_id = vendor,
            .device_id = static_cast<std::uint16_t>(first_device + id),
            .revision = revision,
            .class_code = class_of(id),
            .subsystem_vendor_id = vendor,
            .subsystem_id = subsystem,
            .interrupt_pin = 1};
}

unsigned vectors_for(const VirtioDevice& device) noexcept {
    const std::size_t queues = device.queue_sizes().size();
    return static_cast<unsigned>(std::min<std::size_t>(queues + 1, MsixTable::max_vectors));
}

} // namespace

VirtioPciDevice::VirtioPciDevice(std::unique_ptr<VirtioDevice> device, const VirtioPciHost& host,
                                 ByteView option_rom)
    : PciFunction(identity_of(*device), host.placer, host.intx),
      rom_(option_rom, vendor, identity().device_id), msix_(host.msis, vectors_for(*device)),
      config_vector_(no_vector), queue_vectors_(device->queue_sizes().size()),
      core_(std::move(device), host.memory, *this, host.reactor) {
    add_bars();
    add_capabilities();
    for (unsigned index = 0; index < core_.state().queue_count(); ++index)
        doorbells_.push_back({structures_region_, notify_at + std::uint64_t{notify_factor} * index,
                              2, index, core_.kick_fd(index)});
    const std::lock_guard guard(core_.lock());
    reset_registers();
    follow_bus_master();
}

VirtioPciDevice::~VirtioPciDevice() {
    core_.halt();
}

void VirtioPciDevice::add_bars() {
    // The pending bits have the second half, as a driver's mapping of the table is then its own.
    const std::uint64_t size =
        std::bit_ceil(std::max<std::uint64_t>(structure_bytes, 2 * msix_.table_bytes()));
    pending_at_ = size / 2;
    msix_region_ = add_bar(msix_bar, BarKind::memory32,
                           {.name = "msix", .bus = BusKind::mmio, .size_bytes = size});
    structures_region_ =
        add_bar(structures_bar, BarKind::memory64,
                {.name = "registers", .bus = BusKind::mmio, .size_bytes = structures_bytes});
    if (!rom_.empty())
        add_bar(rom_bar, BarKind::rom,
                {.name = "rom",
                 .bus = BusKind::mmio,
                 .size_bytes = rom_.size_bytes(),
                 .memory = rom_.memory(),
                 .memory_access = MemoryAccess::read_only});
}

unsigned VirtioPciDevice::add_structure(Structure structure, std::uint64_t at, unsigned cap_bytes) {
    const unsigned offset = add_capability(capability_id, cap_bytes);
    define(offset + cap::length, 1, cap_bytes);
    define(offset + cap::structure, 1, static_cast<std::uint32_t>(structure));
    define(offset + cap::bar, 1, structures_bar);
    define(offset + cap::offset, 4, static_cast<std::uint32_t>(at));
    define(offset + cap::size, 4, static_cast<std::uint32_t>(structure_bytes));
    return offset;
}

void VirtioPciDevice::add_capabilities() {
    add_structure(Structure::common, common_at, cap::bytes);
    add_structure(Structure::isr, isr_at, cap::bytes);
    add_structure(Structure::device, device_at, cap::bytes);
    const unsigned notify = add_structure(Structure::notify, notify_at, cap::bytes_with_tail);
    define(notify + cap::notify_factor, 4, notify_factor);

    window_cap_ = add_structure(Structure::pci_access, 0, cap::bytes_with_tail);
    define(window_cap_ + cap::bar, 1, 0, 0xff);
    define(window_cap_ + cap::offset, 4, 0, 0xffffffff);
    define(window_cap_ + cap::size, 4, 0, 0xffffffff);
    define(window_cap_ + cap::access_data, 4, 0, 0xffffffff);

    msix_cap_ = add_capability(MsixTable::capability_id, MsixTable::capability_bytes);
    define(msix_cap_ + 2, 2, msix_.vectors() - 1, 0xc000);
    define(msix_cap_ + 4, 4, msix_bar);
    define(msix_cap_ + 8, 4, static_cast<std::uint32_t>(pending_at_) | msix_bar);
}

// Accesses to BARs.

std::uint64_t VirtioPciDevice::read(unsigned region, std::uint64_t offset,
                                    unsigned width) noexcept {
    if (region == structures_region_)
        return read_structures(offset, width) & all_ones(width);
    if (region == msix_region_) {
        if (offset >= pending_at_)
            return msix_.read_pending(offset - pending_at_, width) & all_ones(width);
        return msix_.read_table(offset, width) & all_ones(width);
    }
    std::uint64_t value = all_ones(width);
    if (range_inside(offset, width, rom_.size_bytes()))
        std::memcpy(&value, rom_.memory() + offset, width);
    return value;
}

void VirtioPciDevice::write(unsigned region, std::uint64_t offset, unsigned width,
                            std::uint64_t value) noexcept {
    if (region == structures_region_)
        write_structures(offset, width, value);
    else if (region == msix_region_ && offset < pending_at_)
        msix_.write_table(offset, width, value);
}

std::uint64_t VirtioPciDevice::read_structures(std::uint64_t offset, unsigned width) noexcept {
    if (offset >= notify_at)
        return 0;
    if (offset >= device_at)
        return read_device_config(offset - device_at, width);
    if (offset >= isr_at)
        return offset == isr_at ? take_isr() : 0;
    return read_common(offset, width);
}

void VirtioPciDevice::write_structures(std::uint64_t offset, unsigned width,
                                       std::uint64_t value) noexcept {
    if (offset >= notify_at) {
        // The address says which queue; the number written there says it again.
        const std::uint64_t at = offset - notify_at;
        if ((width == 2 || width == 4) && at % notify_factor == 0)
            core_.wake(static_cast<std::uint32_t>(at / notify_factor));
    } else if (offset >= device_at) {
        write_device_config(offset - device_at, width, value);
    } else if (offset < isr_at) {
        write_common(offset, width, value);
    }
}

std::uint64_t VirtioPciDevice::read_device_config(std::uint64_t offset, unsigned width) noexcept {
    std::array<std::byte, 8> bytes{};
    const std::lock_guard guard(core_.lock());
    core_.device().read_config(offset, std::span(bytes).first(width));
    return load_le<std::uint64_t>(bytes);
}

void VirtioPciDevice::write_device_config(std::uint64_t offset, unsigned width,
                                          std::uint64_t value) noexcept {
    std::array<std::byte, 8> bytes{};
    store_le(std::span<std::byte>(bytes), 0, value);
    const std::lock_guard guard(core_.lock());
    core_.device().write_config(offset, std::span(bytes).first(width));
}

// Interrupts.

std::uint8_t VirtioPciDevice::take_isr() noexcept {
    const std::lock_guard guard(interrupt_mutex_);
    const std::uint8_t taken = isr_;
    isr_ = 0;
    set_intx(false);
    return taken;
}

void VirtioPciDevice::change_isr(std::uint8_t clear, std::uint8_t set) noexcept {
    const std::lock_guard guard(interrupt_mutex_);
    isr_ = static_cast<std::uint8_t>((isr_ & ~clear) | set);
    set_intx(isr_ != 0 && !msix_.enabled());
}

void VirtioPciDevice::send(std::uint16_t vector) noexcept {
    if (is_bus_master())
        msix_.notify(vector); // nothing when it is no_vector
}

void VirtioPciDevice::queue_interrupt(unsigned index) noexcept {
    if (msix_.enabled())
        send(queue_vectors_[index].load(std::memory_order_acquire));
    else
        change_isr(0, isr_queue);
}

void VirtioPciDevice::config_interrupt() noexcept {
    change_isr(0, isr_config); // also with MSI-X: 4.1.4.5.1
    if (msix_.enabled())
        send(config_vector_.load(std::memory_order_acquire));
}

// Lifecycle.

void VirtioPciDevice::follow_bus_master() noexcept {
    const bool may_run = is_bus_master() && !machine_paused_;
    if (may_run == running_)
        return;
    running_ = may_run;
    if (may_run)
        core_.state().resume();
    else
        core_.state().pause();
}

void VirtioPciDevice::pause() {
    const std::lock_guard guard(core_.lock());
    machine_paused_ = true;
    follow_bus_master();
}

void VirtioPciDevice::resume() {
    const std::lock_guard guard(core_.lock());
    machine_paused_ = false;
    follow_bus_master();
}

void VirtioPciDevice::reset() {
    reset_config();
    msix_.reset();
    const std::lock_guard guard(core_.lock());
    core_.state().reset();
    reset_registers();
    follow_bus_master();
}

void VirtioPciDevice::reset_registers() noexcept {
    registers_ = Registers{};
    config_vector_.store(no_vector, std::memory_order_release);
    for (std::atomic<std::uint16_t>& vector : queue_vectors_)
        vector.store(no_vector, std::memory_order_release);
    change_isr(isr_queue | isr_config, 0);
}

void VirtioPciDevice::save(StateWriter& writer) const {
    writer.begin("virtio-pci", 1);
    save_config(writer);
    msix_.save(writer);
    const std::lock_guard guard(core_.lock());
    const auto& [device_select, driver_select, queue_select] = registers_;
    writer.fields(device_select, driver_select, queue_select,
                  config_vector_.load(std::memory_order_acquire));
    for (const std::atomic<std::uint16_t>& vector : queue_vectors_)
        writer.put(vector.load(std::memory_order_acquire));
    {
        const std::lock_guard interrupt_guard(interrupt_mutex_);
        writer.put(isr_);
    }
    core_.state().save(writer);
}

void VirtioPciDevice::restore(StateReader& reader) {
    restore_or_undo(
        reader, [this](StateWriter& writer) { save(writer); },
        [this](StateReader& source) { restore_parts(source); });
}

void VirtioPciDevice::restore_parts(StateReader& reader) {
    reader.begin("virtio-pci", 1);
    restore_config(reader);
    msix_.restore(reader);
    const std::lock_guard guard(core_.lock());
    restore_registers(reader);
    core_.state().restore(reader);
    follow_bus_master();
}

void VirtioPciDevice::restore_registers(StateReader& reader) {
    auto& [device_select, driver_select, queue_select] = registers_;
    std::uint16_t vector = no_vector;
    std::uint8_t isr = 0;
    reader.fields(device_select, driver_select, queue_select, vector);
    config_vector_.store(vector, std::memory_order_release);
    for (std::atomic<std::uint16_t>& queue_vector : queue_vectors_) {
        reader.get(vector);
        queue_vector.store(vector, std::memory_order_release);
    }
    reader.get(isr);
    change_isr(0xff, isr & (isr_queue | isr_config));
}

} // namespace coldstart
