// Firmware run from the reset vector on board pc: nothing is placed in RAM; what the firmware
// wants to know it asks for (fw_cfg), and what it boots it finds itself or is handed by fw_cfg.
//
// ACPI tables are built when the firmware reads them: only then PCIEXBAR and PMBASE are set.
// The image is mapped read-only below 4 GiB, its last 128 KiB below 1 MiB as well; a variable
// store stands right below the image, and the two together fill a power of two, as UEFI images
// are built.
#pragma once

#include "devices/fw_cfg/fw_cfg_items.h"
#include "firmware-loaders/rom/rom_image.h"
#include "vmm/machine/fw_cfg_milestones.h"
#include "vmm/machine/pc_board.h"
#include "vmm/runtime/boot/guest_boot.h"
#include "vmm/tables/acpi_tables.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace coldstart {

class FirmwareBoot final : public GuestBoot {
  public:
    /// Throws Error when a file is not what the firmware needs.
    FirmwareBoot(const VmConfig& config, const Kvm& kvm);

    const AddressLayout& layout() const noexcept override { return layout_; }
    std::vector<BoardDevice> board() const override { return board_; }
    void equip(MachineHost& host) override;
    EntryState prepare(Machine& machine, const GuestMemory& memory) override;
    bool wants_firmware_defaults() const noexcept override { return false; }
    bool reset_follows_panic(const GuestMemory& memory) const noexcept override;
    bool triple_fault_resets() const noexcept override { return true; }
    bool has_smm() const noexcept override { return has_smm_; }

  private:
    PcFacts facts_of_board() const;
    void fill_items(const Kvm& kvm);
    void hand_over_kernel();
    void offer_smi_features();
    AcpiBlobs build_tables() const;
    PciAcpiFacts pci_facts() const;

    const VmConfig& config_;
    RomImage firmware_;
    const bool has_smm_;
    AddressLayout layout_;
    std::vector<BoardDevice> board_;
    std::vector<std::uint32_t> apic_ids_;
    std::uint64_t physical_end_ = 0;              ///< of what the guest's CPUs can address
    std::optional<FwCfgMilestones> fw_cfg_reads_; ///< from equip() on
    FwCfgItems items_;
    bool panics_are_marked_ = false;
    Machine* machine_ = nullptr; ///< from the first prepare() on
};

} // namespace coldstart
