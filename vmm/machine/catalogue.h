// The device catalogue: which class stands behind a type name of a board. An explicit array; a new
// device adds its line to catalogue.cpp.
// Threads: the control thread, before a vCPU runs.
#pragma once

#include "api/command/vm_config.h"
#include "devices/core/device.h"
#include "vmm/base/milestone.h"
#include "vmm/machine/board.h"

#include <functional>
#include <memory>
#include <span>
#include <string_view>

namespace coldstart {

class ByteStream;
class Clock;
class FwCfgItems;
class GuestMemory;
class IrqLine;
class MemoryMapper;
class MetadataSource;
class MsiRouter;
class NetBackend;
class PciBus;
class PostCodeSink;
class PowerControl;
class ProcessorInterrupts;
class ReadinessSink;
class Reactor;
class RegionPlacer;
class SystemManagement;
class VsockListener;

/// Makes the host's end of a network; throws Error when it can't.
using NetBackendMaker = std::function<std::unique_ptr<NetBackend>(const NetConfig&, Reactor&)>;

/// What a device may be given. Everything outlives the device.
struct DeviceHost {
    const VmConfig& config;
    const GuestMemory& memory;
    Clock& clock;
    PowerControl& power;
    Reactor& reactor;
    std::span<IrqLine* const> lines; ///< one a GSI of the board's entry, connected after `make`
    RegionPlacer& placer;            ///< for regions that the guest moves
    MemoryMapper& mapper;
    MsiRouter& msis;
    PciBus& pci; ///< a function's own address comes with the board's entry
    ProcessorInterrupts* processors = nullptr; ///< for interrupt controllers; none: nobody listens
    PostCodeSink* post_codes = nullptr;
    ReadinessSink* readiness = nullptr;
    MilestoneSink* milestones = &no_milestones();
    std::span<std::byte> firmware = {}; ///< whole pages that end at 4 GiB; empty: none
    const FwCfgItems* fw_cfg = nullptr; ///< what firmware is told; none: nothing
    ByteStream* stream = nullptr;       ///< there whenever the board's entry names one
    std::span<std::byte> low_rom = {};  ///< firmware to be seen below 1 MiB, ending at 0xfffff
    NetBackendMaker make_net = {};      ///< empty: a TAP or passt, as the configuration says
    /// Bound earlier, when the device was configured; none: one is made, as the configuration says.
    std::shared_ptr<VsockListener> vsock_listener = {};
    MetadataSource* metadata = nullptr; ///< what a metadata service tells the guest
    SystemManagement* smm = nullptr;    ///< none: there is no system management mode
};

struct CatalogueEntry {
    std::string_view type;
    /// Throws Error when the device can't be made from what the configuration says.
    std::unique_ptr<Device> (*make)(const BoardDevice& placed, const DeviceHost& host);
    /// What BoardDevice::function may say of a transport or a device with variants; empty for one
    /// that needs none.
    std::span<const std::string_view> functions = {};
};

std::span<const CatalogueEntry> device_catalogue() noexcept;

} // namespace coldstart
