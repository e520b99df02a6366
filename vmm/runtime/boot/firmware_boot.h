// Firmware run from the reset vector on board pc: nothing is placed in RAM; what the firmware
// wants to know it asks for (fw_cfg, CMOS), and what it boots it finds itself.
#pragma once

#include "firmware-loaders/rom/rom_image.h"
#include "vmm/runtime/boot/guest_boot.h"

namespace coldstart {

class FirmwareBoot final : public GuestBoot {
  public:
    explicit FirmwareBoot(const VmConfig& config);

    const AddressLayout& layout() const noexcept override { return layout_; }
    std::vector<BoardDevice> board() const override;
    void equip(MachineHost& host) override;
    EntryState prepare(Machine& machine, const GuestMemory& memory) override;
    bool wants_firmware_defaults() const noexcept override { return false; }
    bool reset_follows_panic(const GuestMemory&) const noexcept override { return false; }
    bool triple_fault_resets() const noexcept override { return true; }

  private:
    const VmConfig& config_;
    AddressLayout layout_;
    RomImage firmware_;
};

} // namespace coldstart
