// Steps of a machine on its way up that are worth a mark in a timeline. docs/timeline.md says what
// each of them means and how exact it is.
// Threads: MilestoneSink::reached any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace coldstart {

/// `text` and `number` are what MilestoneSink::reached() is given besides.
enum class Milestone : std::uint8_t {
    // The monitor's own.
    process_start,
    configured,    ///< flags are parsed, files checked
    memory_ready,  ///< guest memory is mapped
    kvm_ready,     ///< the virtual machine, its memory slots and interrupt controllers are there
    devices_ready, ///< the board's devices are made
    loaded,        ///< what the guest begins with is in its place; `text`: linux, pvh, firmware
    vcpus_ready,
    first_run, ///< right before the first KVM_RUN of vCPU 0, and again after each reset

    // Seen from outside while the guest runs.
    fw_cfg,          ///< the first read of an item since power-on; `text`: its name
    pci_scan_begin,  ///< the first access of a burst to PCI configuration space
    pci_scan_end,    ///< its last one; `number`: accesses in all
    boot_sector,     ///< the boot processor is about to execute at 0x7c00
    kernel_entry,    ///< a 64-bit kernel sets up its first processor
    first_disk_read, ///< `text`: the disk
    driver_ok,       ///< a virtio driver is ready; `text`: the device
    driver_reset,    ///< a virtio driver gave a device up; `text`: the device

    // The guest's words.
    post_code,    ///< `number` is at port 0x80
    debug_line,   ///< `text` came to the debug console
    console_byte, ///< the first one; `text`: of which console
    console_line, ///< `text`
    ready,        ///< `text` came to the readiness port

    // What becomes of it.
    reset, ///< `text`: what asked for it
    power_button,
    paused,
    resumed,
    panic, ///< `text`: how it is known

    // Worked out of the others afterwards; nobody tells them.
    efi_handover, ///< an operating system took the machine over from UEFI
    init,         ///< the first sign of the guest's user space; `text`: which
};

inline constexpr std::size_t milestone_kinds = static_cast<std::size_t>(Milestone::init) + 1;

class MilestoneSink {
  public:
    virtual ~MilestoneSink() = default;
    /// Happens now. Must be quick, must not allocate, block or call back: vCPU threads call it,
    /// and callers may hold locks of their own.
    virtual void reached(Milestone what, std::string_view text = {},
                         std::uint32_t number = 0) noexcept = 0;
};

/// Where nobody wants to hear of them.
inline MilestoneSink& no_milestones() noexcept {
    class Nobody final : public MilestoneSink {
      public:
        void reached(Milestone, std::string_view, std::uint32_t) noexcept override {}
    };
    static Nobody nobody;
    return nobody;
}

} // namespace coldstart
