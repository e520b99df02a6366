// How a driver reaches a virtio device: the registers of virtio-mmio and virtio-pci, as a guest
// knows them. Source: virtio 1.2, sections 4.1 and 4.2; written apart from the device's code on
// purpose, so every number stands here again.
#pragma once

#include "devices/core/pci/pci_function.h"
#include "vmm/base/bytes.h"
#include "vmm/base/gpa.h"

#include <cstdint>
#include <optional>

namespace coldstart::fakes {

class DriverTransport {
  public:
    struct Rings {
        std::uint16_t size = 0;
        Gpa desc, avail, used;
    };

    virtual ~DriverTransport() = default;
    /// A 32-bit register: of virtio-mmio, or of virtio-pci's common configuration.
    virtual std::uint32_t read(std::uint64_t offset) = 0;
    virtual void write(std::uint64_t offset, std::uint32_t value) = 0;

    virtual std::uint32_t status() = 0;
    virtual void write_status(std::uint32_t value) = 0;
    virtual std::uint32_t offered(std::uint32_t word) = 0;
    virtual void accept(std::uint32_t word, std::uint32_t bits) = 0;
    /// The largest size of queue `index`, 0 when there is none.
    virtual std::uint32_t queue_max_size(unsigned index) = 0;
    virtual void enable_queue(unsigned index, const Rings& rings) = 0;
    virtual void kick(unsigned index) = 0;
    virtual std::uint64_t read_config(std::uint64_t offset, unsigned width) = 0;
    virtual void write_config(std::uint64_t offset, unsigned width, std::uint64_t value) = 0;
};

class MmioTransport final : public DriverTransport {
  public:
    explicit MmioTransport(Device& device) : device_(device) {}

    std::uint32_t read(std::uint64_t offset) override {
        return static_cast<std::uint32_t>(device_.read(0, offset, 4));
    }
    void write(std::uint64_t offset, std::uint32_t value) override {
        device_.write(0, offset, 4, value);
    }
    std::uint32_t status() override { return read(0x70); }
    void write_status(std::uint32_t value) override { write(0x70, value); }
    std::uint32_t offered(std::uint32_t word) override {
        write(0x14, word);
        return read(0x10);
    }
    void accept(std::uint32_t word, std::uint32_t bits) override {
        write(0x24, word);
        write(0x20, bits);
    }
    std::uint32_t queue_max_size(unsigned index) override {
        write(0x30, index);
        return read(0x34);
    }
    void enable_queue(unsigned index, const Rings& rings) override {
        write(0x30, index);
        write(0x38, rings.size);
        write_address(0x80, rings.desc);
        write_address(0x90, rings.avail);
        write_address(0xa0, rings.used);
        write(0x44, 1);
    }
    void kick(unsigned index) override { write(0x50, index); }
    std::uint64_t read_config(std::uint64_t offset, unsigned width) override {
        return device_.read(0, 0x100 + offset, width);
    }
    void write_config(std::uint64_t offset, unsigned width, std::uint64_t value) override {
        device_.write(0, 0x100 + offset, width, value);
    }

  private:
    void write_address(std::uint64_t offset, Gpa gpa) {
        write(offset, static_cast<std::uint32_t>(gpa.value));
        write(offset + 4, static_cast<std::uint32_t>(gpa.value >> 32));
    }

    Device& device_;
};

/// Finds the structures by the function's capabilities, as a driver must.
class PciTransport final : public DriverTransport {
  public:
    struct Place {
        unsigned bar = 0;
        std::uint64_t offset = 0, length = 0;
        unsigned capability = 0; ///< where in configuration space
    };

    static constexpr std::uint32_t memory_and_bus_master = 6;
    /// Where firmware would put them.
    static constexpr std::uint32_t msix_base = 0xfe000000;
    static constexpr std::uint64_t structures_base = 0x8'0000'0000;

    /// Walks the capabilities only; switch_on() makes the function work.
    explicit PciTransport(PciFunction& function) : function_(function) {
        unsigned at = function.config_read(0x34, 1);
        for (unsigned steps = 0; at != 0 && steps < 48; ++steps) {
            const unsigned id = function.config_read(at, 1);
            if (id == 0x11)
                msix_capability = at;
            else if (id == 9)
                note_structure(at);
            at = function.config_read(at + 1, 1);
        }
    }

    /// Every structure is there and inside its BAR: else a driver has nothing to work with.
    bool complete() const {
        for (const auto* place : {&common, &notify, &isr, &device}) {
            if (!*place || (*place)->bar != 4 ||
                !range_inside((*place)->offset, (*place)->length,
                              function_.regions()[1].size_bytes))
                return false;
        }
        return msix_capability != 0;
    }

    /// Places the BARs and sets memory and bus master.
    void switch_on() {
        function_.config_write(0x14, 4, msix_base);
        function_.config_write(0x20, 4, static_cast<std::uint32_t>(structures_base));
        function_.config_write(0x24, 4, static_cast<std::uint32_t>(structures_base >> 32));
        function_.config_write(0x04, 2, memory_and_bus_master);
    }

    std::uint64_t read_structure(const std::optional<Place>& place, std::uint64_t offset,
                                 unsigned width) {
        return function_.read(region_of(place.value().bar), place->offset + offset, width);
    }
    void write_structure(const std::optional<Place>& place, std::uint64_t offset, unsigned width,
                         std::uint64_t value) {
        function_.write(region_of(place.value().bar), place->offset + offset, width, value);
    }
    std::uint32_t read16(std::uint64_t offset) {
        return static_cast<std::uint32_t>(read_structure(common, offset, 2));
    }
    void write16(std::uint64_t offset, std::uint32_t value) {
        write_structure(common, offset, 2, value);
    }
    std::uint8_t read_isr() { return static_cast<std::uint8_t>(read_structure(isr, 0, 1)); }

    /// Vector `vector` of the MSI-X table gets a message with this data, unmasked.
    void set_vector(unsigned vector, std::uint32_t data, bool masked = false) {
        function_.write(0, vector * 16, 4, 0xfee00000);
        function_.write(0, vector * 16 + 4, 4, 0);
        function_.write(0, vector * 16 + 8, 4, data);
        function_.write(0, vector * 16 + 12, 4, masked ? 1 : 0);
    }
    void enable_msix(bool on) { function_.config_write(msix_capability + 2, 2, on ? 0x8000 : 0); }
    unsigned vectors() { return (function_.config_read(msix_capability + 2, 2) & 0x7ff) + 1; }
    /// What reads back.
    std::uint32_t choose_queue_vector(unsigned queue, std::uint32_t vector) {
        write16(0x16, queue);
        write16(0x1a, vector);
        return read16(0x1a);
    }
    std::uint32_t choose_config_vector(std::uint32_t vector) {
        write16(0x10, vector);
        return read16(0x10);
    }

    std::uint32_t read(std::uint64_t offset) override {
        return static_cast<std::uint32_t>(read_structure(common, offset, 4));
    }
    void write(std::uint64_t offset, std::uint32_t value) override {
        write_structure(common, offset, 4, value);
    }
    std::uint32_t status() override {
        return static_cast<std::uint32_t>(read_structure(common, 0x14, 1));
    }
    void write_status(std::uint32_t value) override { write_structure(common, 0x14, 1, value); }
    std::uint32_t offered(std::uint32_t word) override {
        write(0x00, word);
        return read(0x04);
    }
    void accept(std::uint32_t word, std::uint32_t bits) override {
        write(0x08, word);
        write(0x0c, bits);
    }
    std::uint32_t queue_max_size(unsigned index) override {
        write16(0x16, index);
        return read16(0x18);
    }
    void enable_queue(unsigned index, const Rings& rings) override {
        write16(0x16, index);
        write16(0x18, rings.size);
        write_address(0x20, rings.desc);
        write_address(0x28, rings.avail);
        write_address(0x30, rings.used);
        write16(0x1c, 1);
    }
    void kick(unsigned index) override {
        write16(0x16, index);
        const std::uint64_t factor = function_.config_read(notify.value().capability + 16, 4);
        write_structure(notify, read16(0x1e) * factor, 2, index);
    }
    std::uint64_t read_config(std::uint64_t offset, unsigned width) override {
        return read_structure(device, offset, width);
    }
    void write_config(std::uint64_t offset, unsigned width, std::uint64_t value) override {
        write_structure(device, offset, width, value);
    }

    std::optional<Place> common, notify, isr, device, window;
    unsigned msix_capability = 0;

  private:
    void note_structure(unsigned at) {
        const Place place{.bar = function_.config_read(at + 4, 1),
                          .offset = function_.config_read(at + 8, 4),
                          .length = function_.config_read(at + 12, 4),
                          .capability = at};
        switch (function_.config_read(at + 3, 1)) {
        case 1:
            common = place;
            break;
        case 2:
            notify = place;
            break;
        case 3:
            isr = place;
            break;
        case 4:
            device = place;
            break;
        case 5:
            window = place;
            break;
        default:
            break; // a driver passes over what it does not know
        }
    }
    /// Regions count the BARs in use: 0 the one of MSI-X, 1 the one of the structures.
    static unsigned region_of(unsigned bar) { return bar == 4 ? 1 : 0; }
    void write_address(std::uint64_t offset, Gpa gpa) {
        write(offset, static_cast<std::uint32_t>(gpa.value));
        write(offset + 4, static_cast<std::uint32_t>(gpa.value >> 32));
    }

    PciFunction& function_;
};

} // namespace coldstart::fakes
