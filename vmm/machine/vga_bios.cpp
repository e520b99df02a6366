#include "vmm/machine/vga_bios.h"

#include "firmware-loaders/source/image_bytes.h"
#include "vmm/base/error.h"
#include "vmm/base/log.h"
#include "vmm/base/text.h"

#include <unistd.h>

namespace coldstart {
namespace {

constexpr const char* usual_path = "/usr/share/seabios/vgabios-stdvga.bin";
constexpr std::uint64_t max_rom_bytes = 256 * KiB;

} // namespace

std::vector<std::byte> read_vga_bios(const VmConfig& config) {
    const bool is_given = !config.vga_bios_path.empty();
    if (!is_given && ::access(usual_path, F_OK) != 0) {
        log_warn(cat("no VGA BIOS at ", usual_path,
                     ": a BIOS will show nothing; install the package seabios"));
        return {};
    }
    const ImageBytes file =
        ImageBytes::open(is_given ? config.vga_bios_path : usual_path, "VGA BIOS", "vga_bios_path");
    if (file.size_bytes() > max_rom_bytes)
        throw Error(
            cat(file.name(), ": ", file.size_bytes(), " bytes are too many for an option ROM"),
            "give vgabios-stdvga.bin of the package seabios");
    return file.copy(0, file.size_bytes());
}

} // namespace coldstart
