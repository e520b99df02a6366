// FISes from the drive, as the guest finds them in the port's receive area.
// Source: Serial ATA 3.0, section 10.3; AHCI 1.3.1, section 4.2.1.
#include "devices/ahci/ahci_port.h"
#include "devices/ahci/ata_spec.h"

#include <algorithm>

namespace coldstart {
namespace {

using namespace ahci;

void put_registers(std::span<std::byte> fis, const AtaResult& result) noexcept {
    fis[2] = std::byte{result.status};
    fis[3] = std::byte{result.error};
    for (unsigned i = 0; i < 3; ++i) {
        fis[4 + i] = static_cast<std::byte>(result.lba >> (8 * i));
        fis[8 + i] = static_cast<std::byte>(result.lba >> (24 + 8 * i));
    }
    fis[7] = std::byte{result.device};
    store_le(fis, 12, result.count);
}

std::byte flags(bool to_guest, bool interrupt) noexcept {
    return static_cast<std::byte>((to_guest ? fis_to_host : 0) | (interrupt ? fis_interrupt : 0));
}

} // namespace

void AhciPort::post(std::uint64_t offset, ByteView fis) noexcept {
    if ((state_.command & cmd_receive) == 0 || !owner_.may_use_memory())
        return;
    if (!memory_.write(Gpa(state_.received_fis) + offset, fis)) {
        state_.interrupt_status |= is_host_bus;
        state_.halted = true;
    }
}

void AhciPort::post_register_fis(const AtaResult& result, bool interrupt) noexcept {
    std::array<std::byte, 20> fis{};
    fis[0] = std::byte{fis_device_to_host};
    fis[1] = flags(false, interrupt);
    put_registers(fis, result);
    post(received_register, fis);
    if (interrupt)
        state_.interrupt_status |= is_register_fis;
}

void AhciPort::post_pio_setup(const AtaResult& result, std::uint64_t bytes, bool to_guest,
                              bool interrupt) noexcept {
    std::array<std::byte, 20> fis{};
    fis[0] = std::byte{fis_pio_setup};
    fis[1] = flags(to_guest, interrupt);
    put_registers(fis, result);
    // The status before the data, and the one after it.
    fis[2] = std::byte{ata::status_good | ata::status_data};
    fis[15] = std::byte{result.status};
    store_le(std::span<std::byte>(fis), 16,
             static_cast<std::uint16_t>(std::min<std::uint64_t>(bytes, 0xfffe)));
    post(received_pio_setup, fis);
    if (interrupt)
        state_.interrupt_status |= is_pio_setup;
}

void AhciPort::post_dma_setup(unsigned tag, std::uint64_t bytes, bool to_guest) noexcept {
    std::array<std::byte, 28> fis{};
    fis[0] = std::byte{fis_dma_setup};
    fis[1] = flags(to_guest, false);
    fis[4] = static_cast<std::byte>(tag);
    store_le(std::span<std::byte>(fis), 20, static_cast<std::uint32_t>(bytes));
    post(received_dma_setup, fis);
}

void AhciPort::post_device_bits(const AtaResult& result, std::uint32_t finished) noexcept {
    std::array<std::byte, 8> fis{};
    fis[0] = std::byte{fis_device_bits};
    fis[1] = flags(false, true);
    fis[2] = static_cast<std::byte>(result.status & 0x77);
    fis[3] = std::byte{result.error};
    store_le(std::span<std::byte>(fis), 4, finished);
    post(received_device_bits, fis);
}

void AhciPort::set_task_file(const AtaResult& result) noexcept {
    state_.task_file = std::uint32_t{result.error} << 8 | result.status;
}

} // namespace coldstart
