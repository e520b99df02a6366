// Everything there is to know about a kernel file without booting it: what `coldstart inspect`
// shows. Plain facts; nothing is printed and no guest memory is needed.
#pragma once

#include "firmware-loaders/boot_plan.h"
#include "firmware-loaders/bzimage/bzimage.h"
#include "firmware-loaders/decompress/decompress.h"
#include "firmware-loaders/elf/elf_image.h"
#include "firmware-loaders/fit/fit_bundle.h"
#include "firmware-loaders/identify/open_kernel.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace coldstart {

struct KernelInfo {
    std::string path;
    std::uint64_t size_bytes = 0;
    KernelFormat format = KernelFormat::unknown; ///< of the file itself
    Compression compression = Compression::none; ///< of a file that is compressed as a whole

    std::optional<FitBundle> fit;              ///< what follows is then about its default kernel
    std::vector<std::string> wrong_fit_images; ///< those whose data does not match their hashes

    std::optional<BzImage> bzimage;
    std::optional<ElfImage> elf;      ///< an ELF kernel, or the one inside the bzImage
    std::uint64_t unpacked_bytes = 0; ///< size of the unpacked payload or file; 0: not packed
    std::string payload_problem;      ///< why the bzImage's payload can't be unpacked here

    std::string version;                 ///< "6.1.0-13-cloud-amd64 (...)"; may be empty
    std::vector<BootProtocol> protocols; ///< that can enter it, the quickest first
    std::string problem;                 ///< why it can't be booted; empty when it can
};

/// Throws Error only when the file can't be read at all.
KernelInfo identify_kernel(const std::string& path);

/// The quickest first: Linux by its 64-bit entry (no 32-bit code, no page tables to build by the
/// guest) before PVH; a kernel that is not Linux by PVH if it offers that. `header` may be null.
std::vector<BootProtocol> offered_protocols(const BzImage* header, const ElfImage* elf);

} // namespace coldstart
