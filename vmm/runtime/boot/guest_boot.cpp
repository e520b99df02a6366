#include "vmm/runtime/boot/guest_boot.h"

#include "vmm/runtime/boot/direct_boot.h"
#include "vmm/runtime/boot/firmware_boot.h"

namespace coldstart {

std::unique_ptr<GuestBoot> make_guest_boot(const VmConfig& config, const Kvm& kvm) {
    if (config.firmware_path.empty())
        return std::make_unique<DirectBoot>(config, kvm);
    return std::make_unique<FirmwareBoot>(config, kvm);
}

} // namespace coldstart
