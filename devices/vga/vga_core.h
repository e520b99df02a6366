// A VGA behind whatever leads to it: registers, DISPI, video memory, and the screen they make.
// StdVga (a PCI function) and VgaLegacy (ports and the window at 0xa0000) are its two doors.
//
// Threads: any may call anything at any time; a lock of its own, held for the time of a register
// access or of copying 64 KiB. Reads and writes allocate nothing.
// Missing: interrupts, a screen that changes by itself (blinking), 3D, cursors in hardware.
#pragma once

#include "devices/vga/dispi.h"
#include "devices/vga/page_memory.h"
#include "devices/vga/registers.h"
#include "devices/vga/scanout.h"
#include "devices/vga/screen.h"
#include "devices/vga/spec.h"
#include "devices/vga/window.h"
#include "vmm/base/state_io.h"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

namespace coldstart::vga {

class VgaCore final : public Screen {
  public:
    /// Throws Error when the host has no memory.
    VgaCore() : memory_(memory_bytes) {}

    /// What BAR 0 shows.
    std::span<std::byte> frame_buffer() const noexcept { return memory_.bytes(); }

    // Guest accesses of `width` bytes; the caller has bounded them. Ports go byte by byte, the low
    // one first, as on an 8-bit bus.
    std::uint64_t read_ports(unsigned port, unsigned width) noexcept;
    void write_ports(unsigned port, unsigned width, std::uint64_t value) noexcept;
    std::uint64_t read_window(std::size_t offset, unsigned width) noexcept;
    void write_window(std::size_t offset, unsigned width, std::uint64_t value) noexcept;
    std::uint64_t read_frame_buffer(std::size_t offset, unsigned width) noexcept;
    void write_frame_buffer(std::size_t offset, unsigned width, std::uint64_t value) noexcept;
    std::uint16_t read_dispi(unsigned index) noexcept;
    void write_dispi(unsigned index, std::uint16_t value) noexcept;
    /// The pair of ports: the index, and the register it names.
    std::uint16_t dispi_index() noexcept;
    void set_dispi_index(std::uint16_t index) noexcept;
    std::uint16_t read_dispi_data() noexcept;
    void write_dispi_data(std::uint16_t value) noexcept;
    bool big_endian() noexcept;
    void set_big_endian(bool big_endian) noexcept;

    void reset() noexcept;

    /// What a save holds, read but not yet in force.
    struct Saved {
        RegisterState registers;
        Dispi::State dispi;
        bool big_endian = false;
        std::vector<Run> memory;
    };
    void save(StateWriter& writer) const;
    Saved read_saved(StateReader& reader) const; ///< throws Error; changes nothing
    void restore(const Saved& saved) noexcept;

    // Screen.
    ScreenStatus status() const override;
    Image image() const override;
    std::optional<TextScreen> text() const override;

  private:
    Window window() noexcept;
    void write_dispi_locked(unsigned index, std::uint16_t value) noexcept;
    void changed() noexcept { generation_.fetch_add(1, std::memory_order_relaxed); }
    /// Everything but the memory.
    Capture capture_registers() const;
    Capture capture() const;

    mutable std::mutex lock_; // guards what follows
    Registers registers_;
    Dispi dispi_;
    bool big_endian_ = false;
    PageMemory memory_; // its bytes; where the guest is shown them it uses no lock

    std::atomic<std::uint64_t> generation_{0};
};

} // namespace coldstart::vga
