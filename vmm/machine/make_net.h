// Network cards from what the configuration says: the backend, the address, the option ROM.
// Threads: the control thread, before a vCPU runs.
#pragma once

#include "vmm/machine/catalogue.h"

#include <cstddef>
#include <memory>
#include <vector>

namespace coldstart {

class NetBackend;
class VirtioDevice;

/// Throws UsageError when the configuration has a metadata service without a source, without an
/// interface, on one that is not there, or at an address that is not link-local.
void check_mmds(const VmConfig& config, const MetadataSource* source);

/// A TAP or passt, as the configuration says. Throws Error when it can't be had.
std::unique_ptr<NetBackend> make_host_backend(const NetConfig& net, Reactor& reactor);

/// Throws Error when the backend can't be had, UsageError when the MAC address is none.
std::unique_ptr<VirtioDevice> make_virtio_net(const BoardDevice& entry, const DeviceHost& host);

/// The image of the card's ROM file, or of the usual one when the configuration names none and it
/// is there; empty when the card has no ROM. Throws Error when the file named can't be read.
std::vector<std::byte> read_net_rom(const NetConfig& net);

} // namespace coldstart
