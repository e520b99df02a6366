// The host bridge of a Q35 board: the memory controller hub's PCI function 00:00.0, the ways into
// configuration space (ports 0xcf8 to 0xcff, ECAM), the shadow memory from 0xc0000 to 0xfffff, and
// SMRAM.
// Source: Intel 3 Series Express Chipset data sheet, section 5.1; PCI Local Bus Specification 3.0,
// section 3.2.2.3.2 (ports); PCI Express Base 3.0, section 7.2.2 (ECAM); ICH9 data sheet 13.7.5
// (reset control at port 0xcf9, which lies between the others).
//
// A plain device on its board, which places "ports" at 0xcf8 and "shadow" at 0xc0000; "ecam"
// appears where the guest enables PCIEXBAR. The function puts itself on the PCI bus.
//
// SMRAM and ESMRAMC do what smram.h says, and D_LCK locks them as the data sheet says until the
// next reset. On a machine without system management mode they are kept and have no other effect:
// 0xa0000 is the VGA's whatever they say, and TSEG hides nothing. Of QEMU's extensions by which
// OVMF built with SMM asks for memory, 0x50 tells the size of the extended TSEG, always, and 0x9c
// (SMRAM at the default SMBASE) reads as zero: not there.
//
// PCIEXBAR: a length below 256 MiB leaves the rest of the window all ones. Bases at which
// something else stands leave it nowhere.
//
// Missing: MCHBAR, DMIBAR, EPBAR (read as disabled), the graphics functions, CAPID0, memory
// remapping (TOM, TOUUD, TOLUD are kept, without effect), 8- and 16-bit accesses to CONFIG_ADDRESS,
// stolen memory (GBSM, BGSM and TSEGMB are kept, without effect; smram.h says where TSEG stands).
// Threads: any; configuration space has its own lock, the shadow memory another.
#pragma once

#include "devices/core/pci/pci_bus.h"
#include "devices/core/region_placer.h"
#include "devices/q35/shadow_memory.h"
#include "devices/q35/smram.h"
#include "vmm/base/power.h"
#include "vmm/base/smm.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

namespace coldstart {

class MchFunction;

/// What a Q35Mch needs around it; all of it outlives the device.
struct Q35MchHost {
    PciBus& pci;
    RegionPlacer& placer;
    MemoryMapper& mapper;
    PowerControl& power;
    const GuestMemory& memory;
    std::span<std::byte> shadow_ram = {}; ///< ShadowMemory::size_bytes at ShadowMemory::base
    std::span<std::byte> low_rom = {};    ///< the firmware's last bytes, ending at 0xfffff
    SystemManagement* smm = nullptr;      ///< none: the machine has no such mode
};

class Q35Mch final : public Device {
  public:
    /// Throws Error when 00:00.0 is taken or the memory has sizes that can't be.
    explicit Q35Mch(const Q35MchHost& host);
    ~Q35Mch() override;

    std::string_view type() const noexcept override { return "q35-mch"; }
    std::span<const RegionShape> regions() const noexcept override;

    std::uint64_t read(unsigned region, std::uint64_t offset, unsigned width) noexcept override;
    void write(unsigned region, std::uint64_t offset, unsigned width,
               std::uint64_t value) noexcept override;

    void reset() override;
    void save(StateWriter& writer) const override;
    void restore(StateReader& reader) override;

  private:
    std::uint64_t read_port(std::uint64_t offset, unsigned width) noexcept;
    void write_port(std::uint64_t offset, unsigned width, std::uint64_t value) noexcept;
    std::uint64_t read_ecam(std::uint64_t offset, unsigned width) noexcept;
    void write_ecam(std::uint64_t offset, unsigned width, std::uint64_t value) noexcept;

    PciBus& pci_;
    PowerControl& power_;
    ShadowMemory shadow_;
    Smram smram_;
    std::atomic<std::uint32_t> config_address_{0};
    std::atomic<std::uint8_t> reset_control_{0};
    std::unique_ptr<MchFunction> function_;
};

} // namespace coldstart
