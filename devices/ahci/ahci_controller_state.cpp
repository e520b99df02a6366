// The saved state of the AHCI controller.
#include "devices/ahci/ahci_controller.h"
#include "vmm/base/error.h"

namespace coldstart {

using namespace ahci;

void AhciController::save(StateWriter& writer) const {
    {
        const std::lock_guard guard(lock_);
        const auto& [host_control, interrupt_status, handoff, index] = state_;
        writer.begin("ahci", 1);
        writer.fields(host_control, interrupt_status, handoff, index);
        for (const std::unique_ptr<AhciPort>& port : ports_)
            port->save(writer);
    }
    save_config(writer);
}

void AhciController::restore(StateReader& reader) {
    State loaded;
    auto& [host_control, interrupt_status, handoff, index] = loaded;
    reader.begin("ahci", 1);
    reader.fields(host_control, interrupt_status, handoff, index);
    if ((host_control & ~ghc_interrupts) != ghc_ahci || (interrupt_status & ~ports_value) != 0 ||
        (handoff & ~(bohc_writable | bohc_os_changed)) != 0 || (index & ~index_mask) != 0)
        throw Error("saved state: the SATA controller's registers hold impossible values",
                    "the file is damaged");
    for (const std::unique_ptr<AhciPort>& port : ports_)
        port->restore(reader);
    restore_config(reader); // the last that may throw: nothing of this device has changed before
    MsiMessage message;
    message.address = locked_config_value(msi_at + msi_address, 4) |
                      std::uint64_t{locked_config_value(msi_at + msi_address_high, 4)} << 32;
    message.data = locked_config_value(msi_at + msi_data, 2);
    const std::uint32_t control = locked_config_value(msi_at + msi_control, 2);
    {
        const std::lock_guard guard(lock_);
        for (const std::unique_ptr<AhciPort>& port : ports_)
            port->commit_restore();
        resetting_ = false;
        state_ = loaded;
        load_msi(control, message);
        sync();
    }
    kick();
}

} // namespace coldstart
