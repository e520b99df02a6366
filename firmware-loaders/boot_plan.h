// What every loader takes and gives: a source file becomes bytes in guest memory and a BootPlan.
// Loaders know neither KVM nor devices; each refuses damaged input by throwing Error with a line
// that names the file, what is wrong and what to do.
#pragma once

#include "vmm/base/entry_state.h"
#include "vmm/base/guest_memory.h"
#include "vmm/base/memory_map.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace coldstart {

enum class BootProtocol {
    automatic, ///< the quickest the image offers
    linux64,   ///< Linux's x86 64-bit boot protocol
    pvh,       ///< Xen's x86/HVM direct boot ABI
};

class KernelCache;

/// How kernel and initrd come from their files into guest memory.
enum class LoadMethod {
    automatic, ///< the quickest way
    copy,
    map, ///< whole pages privately from the host's page cache, the rest copied
};

/// What the machine hands to a loader.
struct LoadRequest {
    const GuestMemory& memory;
    const MemoryMap& map; ///< as the guest is told; loaders place things in `ram` entries only
    Gpa rsdp;             ///< where the ACPI root pointer is, or will be
    std::string kernel_path;
    std::optional<std::string> initrd_path;
    std::string command_line; ///< without the terminating zero
    BootProtocol protocol = BootProtocol::automatic;
    LoadMethod method = LoadMethod::automatic;
    KernelCache* cache = nullptr; ///< of kernels unpacked from a bzImage; may be null
};

/// Where a part of the boot went, for --log-level debug, the timeline and inspect.
struct LoadedPart {
    std::string name; ///< "kernel", "initrd", "boot_params"
    Gpa base;
    std::uint64_t size_bytes = 0;
};

struct BootPlan {
    EntryState entry;
    BootProtocol protocol = BootProtocol::linux64;
    std::string description; ///< "bzImage 6.1.0, LZ4 payload unpacked on the host, 64-bit entry"
    std::vector<LoadedPart> parts;
};

/// Recognises the kernel by its content, loads everything and says how to enter it.
BootPlan load_kernel(const LoadRequest& request);

} // namespace coldstart
