#include "vmm/machine/find_virtio.h"

#include "virtio/transport/mmio/virtio_mmio_device.h"
#include "virtio/transport/pci/virtio_pci_device.h"

namespace coldstart {

VirtioDevice* find_virtio(const Machine& machine, std::string_view id) noexcept {
    Device* const device = machine.find(id);
    if (auto* const mmio = dynamic_cast<VirtioMmioDevice*>(device))
        return &mmio->device();
    if (auto* const pci = dynamic_cast<VirtioPciDevice*>(device))
        return &pci->device();
    return nullptr;
}

} // namespace coldstart
