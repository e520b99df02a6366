// A small AHCI driver for tests: command lists, tables and receive areas in guest memory, and the
// registers as a guest writes them. One port at a time, the layout below for each.
#pragma once

#include "devices/ahci/ata_spec.h"
#include "devices/ahci/spec.h"
#include "devices/core/pci/pci_function.h"
#include "tests/fakes/fakes.h"
#include "vmm/base/guest_memory.h"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace coldstart::fakes {

class AhciDriver {
  public:
    static constexpr std::uint64_t list_at = 0x1000;    ///< 1 KiB
    static constexpr std::uint64_t receive_at = 0x1400; ///< 256 bytes
    static constexpr std::uint64_t tables_at = 0x2000;  ///< 256 bytes a slot
    static constexpr std::uint64_t data_at = 0x8000;
    static constexpr std::uint64_t table_bytes = 0x100;

    struct Piece {
        std::uint64_t address = data_at;
        std::uint32_t bytes = 512;
        bool interrupt = false;
    };

    AhciDriver(PciFunction& function, const GuestMemory& guest_memory, unsigned port_number = 0)
        : device(function), memory(guest_memory), port(port_number) {}

    std::uint32_t host(unsigned offset) {
        return static_cast<std::uint32_t>(device.read(region, offset, 4));
    }
    void set_host(unsigned offset, std::uint32_t value) { device.write(region, offset, 4, value); }
    std::uint32_t reg(unsigned offset) { return host(at(offset)); }
    void set(unsigned offset, std::uint32_t value) { set_host(at(offset), value); }

    /// The bus master bit, the port's areas, receiving, interrupts, and the engine started.
    void bring_up() {
        device.config_write(4, 2, 0x6);
        set_host(ahci::reg_ghc, ahci::ghc_interrupts);
        stop();
        set(ahci::port_clb, list_at);
        set(ahci::port_clbu, 0);
        set(ahci::port_fb, receive_at);
        set(ahci::port_fbu, 0);
        set(ahci::port_serr, ~0u);
        set(ahci::port_is, ~0u);
        set(ahci::port_ie, ~0u);
        set(ahci::port_cmd, ahci::cmd_receive);
        set(ahci::port_cmd, ahci::cmd_receive | ahci::cmd_start);
    }
    void stop() {
        set(ahci::port_sctl, 0);
        set(ahci::port_cmd, 0);
    }

    /// Writes slot `slot`'s header and table; nothing is issued.
    void prepare(unsigned slot, std::span<const std::uint8_t> fis, const std::vector<Piece>& pieces,
                 std::span<const std::uint8_t> packet = {}) {
        const std::uint64_t table = tables_at + slot * table_bytes;
        ahci::CommandHeader header;
        header.flags = 5 | static_cast<std::uint32_t>(pieces.size()) << 16 |
                       (packet.empty() ? 0 : ahci::header_atapi);
        header.table = table;
        memory.store(Gpa(list_at + slot * sizeof header), header);
        memory.fill(Gpa(table), table_bytes, std::byte{0});
        memory.write(Gpa(table), std::as_bytes(fis));
        memory.write(Gpa(table + ahci::table_packet), std::as_bytes(packet));
        for (std::size_t i = 0; i < pieces.size(); ++i) {
            ahci::Prd prd;
            prd.address = pieces[i].address;
            prd.count = (pieces[i].bytes - 1) | (pieces[i].interrupt ? ahci::prd_interrupt : 0);
            memory.store(Gpa(table + ahci::table_prds + i * sizeof prd), prd);
        }
    }

    static std::array<std::uint8_t, 20> fis(std::uint8_t command, std::uint64_t lba = 0,
                                            std::uint16_t count = 0, std::uint16_t features = 0) {
        std::array<std::uint8_t, 20> out{};
        out[0] = ahci::fis_host_to_device;
        out[1] = ahci::fis_command;
        out[2] = command;
        out[3] = static_cast<std::uint8_t>(features);
        out[11] = static_cast<std::uint8_t>(features >> 8);
        for (unsigned i = 0; i < 3; ++i) {
            out[4 + i] = static_cast<std::uint8_t>(lba >> (8 * i));
            out[8 + i] = static_cast<std::uint8_t>(lba >> (24 + 8 * i));
        }
        out[7] = ata::device_lba;
        out[12] = static_cast<std::uint8_t>(count);
        out[13] = static_cast<std::uint8_t>(count >> 8);
        return out;
    }
    static std::array<std::uint8_t, 20> queued_fis(bool write, unsigned tag, std::uint64_t lba,
                                                   std::uint16_t sectors) {
        return fis(write ? ata::write_queued : ata::read_queued, lba,
                   static_cast<std::uint16_t>(tag << 3), sectors);
    }

    void issue(unsigned slot) { set(ahci::port_ci, 1u << slot); }

    /// Prepares and issues in slot 0, lets the I/O thread work until the port has answered, and
    /// returns its task file.
    std::uint32_t run(FakeReactor& reactor, std::span<const std::uint8_t> fis,
                      const std::vector<Piece>& pieces = {},
                      std::span<const std::uint8_t> packet = {}) {
        set(ahci::port_is, ~0u);
        prepare(0, fis, pieces, packet);
        issue(0);
        settle(reactor);
        return reg(ahci::port_tfd);
    }
    std::uint32_t run_packet(FakeReactor& reactor, const std::vector<std::uint8_t>& packet,
                             const std::vector<Piece>& pieces = {}, bool dma = true) {
        std::array<std::uint8_t, 16> padded{};
        std::copy(packet.begin(), packet.end(), padded.begin());
        return run(reactor, fis(ata::packet, 0, 0, dma ? 1 : 0), pieces, padded);
    }
    void settle(FakeReactor& reactor) {
        reactor.run_until_idle();
        for (unsigned i = 0; i < 200 && !device.drained(); ++i)
            reactor.run_until_idle(10);
    }
    /// As drivers do after an error: stop, clear, start.
    void recover(FakeReactor& reactor) {
        set(ahci::port_cmd, ahci::cmd_receive);
        settle(reactor);
        set(ahci::port_is, ~0u);
        set(ahci::port_serr, ~0u);
        set(ahci::port_cmd, ahci::cmd_receive | ahci::cmd_start);
    }

    std::uint32_t transferred(unsigned slot = 0) {
        return *memory.load<std::uint32_t>(
            Gpa(list_at + slot * sizeof(ahci::CommandHeader) + ahci::header_transferred));
    }
    std::uint8_t received(std::uint64_t offset) {
        return *memory.load<std::uint8_t>(Gpa(receive_at + offset));
    }
    std::string data(std::size_t size, std::uint64_t address = data_at) {
        std::string text(size, '?');
        memory.read(Gpa(address), std::as_writable_bytes(std::span(text)));
        return text;
    }
    void put(const std::string& text, std::uint64_t address = data_at) {
        memory.write(Gpa(address), std::as_bytes(std::span(text)));
    }

    PciFunction& device;
    const GuestMemory& memory;
    unsigned port;
    unsigned region = 1; ///< BAR 5

  private:
    unsigned at(unsigned offset) const {
        return ahci::first_port + port * ahci::port_bytes + offset;
    }
};

} // namespace coldstart::fakes
