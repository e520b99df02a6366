#include "vmm/kvm/vm.h"

#include "vmm/base/error.h"
#include "vmm/base/text.h"
#include "vmm/kvm/kvm_abi.h"

#include <cerrno>

#include <sys/ioctl.h>

namespace coldstart {
namespace {

int create_vm(const Kvm& kvm) {
    for (;;) {
        const int fd = ::ioctl(kvm.fd(), KVM_CREATE_VM, 0);
        if (fd >= 0)
            return fd;
        // A signal during the set-up of the VM's MMU notifier.
        if (errno != EINTR)
            throw system_error(kvm.device_path() + ": KVM_CREATE_VM", errno,
                               errno == ENOMEM ? "free some memory on the host"
                                               : "'coldstart doctor' tells more");
    }
}

} // namespace

Vm::Vm(const Kvm& kvm) : kvm_(kvm), fd_(create_vm(kvm)) {}

void Vm::set_memory_slot(std::uint32_t slot, Gpa gpa, std::uint64_t size_bytes, void* host,
                         SlotAccess access, AddressSpace space) {
    constexpr unsigned address_space_shift = 16;
    kvm_userspace_memory_region region{};
    region.slot = slot | std::uint32_t{static_cast<std::uint8_t>(space)} << address_space_shift;
    region.flags = access == SlotAccess::read_only ? KVM_MEM_READONLY : 0;
    region.guest_phys_addr = gpa.value;
    region.memory_size = size_bytes;
    region.userspace_addr = reinterpret_cast<std::uint64_t>(host);
    if (::ioctl(fd(), KVM_SET_USER_MEMORY_REGION, &region) < 0)
        throw system_error(cat("guest memory at ", hex(gpa.value), ", ", size_bytes,
                               " bytes: KVM_SET_USER_MEMORY_REGION"),
                           errno);
}

void Vm::set_kvm_pages(Gpa identity_map, Gpa tss) {
    std::uint64_t identity = identity_map.value;
    if (::ioctl(fd(), KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0)
        throw system_error("KVM_SET_IDENTITY_MAP_ADDR", errno);
    if (::ioctl(fd(), KVM_SET_TSS_ADDR, static_cast<unsigned long>(tss.value)) < 0)
        throw system_error("KVM_SET_TSS_ADDR", errno);
}

void Vm::create_split_irqchip(Gpa identity_map, Gpa tss) {
    set_kvm_pages(identity_map, tss);
    kvm_enable_cap request{};
    request.cap = KVM_CAP_SPLIT_IRQCHIP;
    request.args[0] = ioapic_pins; // the first GSIs are those whose ends the monitor hears of
    if (::ioctl(fd(), KVM_ENABLE_CAP, &request) < 0)
        throw system_error("KVM_CAP_SPLIT_IRQCHIP", errno, "give --irqchip kernel");
    has_pins_ = false;
}

void Vm::create_irqchip(Gpa identity_map, Gpa tss) {
    set_kvm_pages(identity_map, tss);
    if (::ioctl(fd(), KVM_CREATE_IRQCHIP, 0) < 0)
        throw system_error("KVM_CREATE_IRQCHIP", errno);
    kvm_pit_config pit{};
    // The in-kernel speaker port 0x61: without it a guest's PIT calibration finds no gate.
    pit.flags = KVM_PIT_SPEAKER_DUMMY;
    if (::ioctl(fd(), KVM_CREATE_PIT2, &pit) < 0)
        throw system_error("KVM_CREATE_PIT2", errno);
}

void Vm::set_routes(std::span<const MsiRoute> msi) {
    constexpr std::uint32_t pic_pins = 16;
    std::vector<std::byte> buffer(sizeof(kvm_irq_routing) + (pic_pins + ioapic_pins + msi.size()) *
                                                                sizeof(kvm_irq_routing_entry));
    auto* routing = reinterpret_cast<kvm_irq_routing*>(buffer.data());
    auto add = [routing](std::uint32_t gsi, std::uint32_t type) -> kvm_irq_routing_entry& {
        kvm_irq_routing_entry& entry = routing->entries[routing->nr++];
        entry.gsi = gsi;
        entry.type = type;
        return entry;
    };
    auto add_pin = [&add](std::uint32_t gsi, std::uint32_t chip, std::uint32_t pin) {
        kvm_irq_routing_entry& entry = add(gsi, KVM_IRQ_ROUTING_IRQCHIP);
        entry.u.irqchip.irqchip = chip;
        entry.u.irqchip.pin = pin;
    };
    for (std::uint32_t gsi = 0; has_pins_ && gsi < pic_pins; ++gsi) {
        if (gsi != 2) // the cascade
            add_pin(gsi, gsi < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE, gsi % 8);
    }
    for (std::uint32_t gsi = 0; has_pins_ && gsi < ioapic_pins; ++gsi) {
        if (gsi != 2)
            add_pin(gsi, KVM_IRQCHIP_IOAPIC, gsi == 0 ? 2 : gsi);
    }
    for (const MsiRoute& route : msi) {
        kvm_irq_routing_entry& entry = add(route.gsi, KVM_IRQ_ROUTING_MSI);
        entry.u.msi.address_lo = static_cast<std::uint32_t>(route.message.address);
        entry.u.msi.address_hi = static_cast<std::uint32_t>(route.message.address >> 32);
        entry.u.msi.data = route.message.data;
    }
    if (::ioctl(fd(), KVM_SET_GSI_ROUTING, routing) < 0)
        throw system_error("KVM_SET_GSI_ROUTING", errno);
}

void Vm::add_irqfd(int event_fd, std::uint32_t gsi) {
    kvm_irqfd request{};
    request.fd = static_cast<std::uint32_t>(event_fd);
    request.gsi = gsi;
    if (::ioctl(fd(), KVM_IRQFD, &request) < 0)
        throw system_error(cat("interrupt ", gsi, ": KVM_IRQFD"), errno);
}

void Vm::remove_irqfd(int event_fd, std::uint32_t gsi) noexcept {
    kvm_irqfd request{};
    request.fd = static_cast<std::uint32_t>(event_fd);
    request.gsi = gsi;
    request.flags = KVM_IRQFD_FLAG_DEASSIGN;
    ::ioctl(fd(), KVM_IRQFD, &request);
}

void Vm::ioeventfd(bool pio, std::uint64_t address, unsigned width_bytes, std::uint64_t value,
                   int event_fd, bool assign) {
    kvm_ioeventfd request{};
    request.datamatch = value;
    request.addr = address;
    request.len = width_bytes;
    request.fd = event_fd;
    request.flags = KVM_IOEVENTFD_FLAG_DATAMATCH;
    if (pio)
        request.flags |= KVM_IOEVENTFD_FLAG_PIO;
    if (!assign)
        request.flags |= KVM_IOEVENTFD_FLAG_DEASSIGN;
    if (::ioctl(fd(), KVM_IOEVENTFD, &request) < 0)
        throw system_error(cat("doorbell at ", hex(address), ": KVM_IOEVENTFD"), errno);
}

void Vm::add_ioeventfd(bool pio, std::uint64_t address, unsigned width_bytes, std::uint64_t value,
                       int event_fd) {
    ioeventfd(pio, address, width_bytes, value, event_fd, true);
}

void Vm::remove_ioeventfd(bool pio, std::uint64_t address, unsigned width_bytes,
                          std::uint64_t value, int event_fd) noexcept {
    try {
        ioeventfd(pio, address, width_bytes, value, event_fd, false);
    } catch (const Error&) {
        // It was not registered (any more): the wish is fulfilled.
    }
}

std::uint64_t Vm::clock_ns() const {
    kvm_clock_data data{};
    if (::ioctl(fd(), KVM_GET_CLOCK, &data) < 0)
        throw system_error("KVM_GET_CLOCK", errno);
    return data.clock;
}

void Vm::set_clock_ns(std::uint64_t nanoseconds) {
    kvm_clock_data data{};
    data.clock = nanoseconds;
    if (::ioctl(fd(), KVM_SET_CLOCK, &data) < 0)
        throw system_error("KVM_SET_CLOCK", errno);
}

void Vm::set_irq_line(std::uint32_t gsi, bool level) noexcept {
    kvm_irq_level request{};
    request.irq = gsi;
    request.level = level ? 1 : 0;
    ::ioctl(fd(), KVM_IRQ_LINE, &request);
}

void Vm::signal_msi(const MsiMessage& message) noexcept {
    kvm_msi request{};
    request.address_lo = static_cast<std::uint32_t>(message.address);
    request.address_hi = static_cast<std::uint32_t>(message.address >> 32);
    request.data = message.data;
    // An error would say that no processor listens at this address: as on a bus, nothing follows.
    ::ioctl(fd(), KVM_SIGNAL_MSI, &request);
}

} // namespace coldstart
