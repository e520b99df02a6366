#include "firmware-loaders/bzimage/bzimage.h"

#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>

#include <asm/bootparam.h>

namespace coldstart {
namespace {

constexpr std::size_t header_start = 0x1f1;
constexpr std::size_t magic_at = 0x202;
constexpr std::uint32_t header_magic = 0x53726448; // "HdrS"
constexpr std::uint16_t boot_flag_magic = 0xaa55;
constexpr std::uint64_t sector_bytes = 512;
constexpr std::uint16_t oldest_protocol = 0x0206;
/// Where boot_params continues behind its copy of the header.
constexpr std::size_t header_end_max = 0x290;
constexpr std::uint64_t version_bytes_max = 256;

static_assert(header_start + offsetof(setup_header, header) == magic_at);
static_assert(offsetof(boot_params, hdr) == header_start);

[[noreturn]] void refuse(const ImageBytes& image, const std::string& problem,
                         const std::string& remedy = "copy or build the kernel again") {
    throw Error(cat(image.name(), ": ", problem), remedy);
}

std::string read_version(const ImageBytes& image, const setup_header& header,
                         std::uint64_t setup_bytes) {
    // Points into the setup part, counted from 0x200; 0 means there is none.
    const std::uint64_t at = std::uint64_t{header.kernel_version} + sector_bytes;
    if (header.kernel_version == 0 || at >= setup_bytes)
        return "";
    const auto bytes = image.copy(at, std::min(version_bytes_max, setup_bytes - at));
    const auto end = std::find(bytes.begin(), bytes.end(), std::byte{0});
    const std::string text(reinterpret_cast<const char*>(bytes.data()),
                           static_cast<std::size_t>(end - bytes.begin()));
    return printable(text, version_bytes_max);
}

void check_kind(const ImageBytes& image, const setup_header& header) {
    if (header.boot_flag != boot_flag_magic)
        refuse(image, "damaged bzImage: no boot sector signature");
    if (header.version < oldest_protocol)
        refuse(image,
               cat("a Linux kernel with boot protocol ", protocol_text(header.version),
                   "; 2.06 is the oldest supported"),
               "use Linux 2.6.22 or later");
    if ((header.loadflags & LOADED_HIGH) == 0)
        refuse(image, "a zImage, not a bzImage", "build the kernel with `make bzImage`");
}

void find_payload(const ImageBytes& image, const setup_header& header, BzImage& out) {
    if (header.version < 0x0208 || header.payload_length == 0)
        return;
    if (!range_inside(header.payload_offset, header.payload_length, out.protected_bytes))
        refuse(image, cat("damaged bzImage: its payload of ", header.payload_length,
                          " bytes goes past the kernel's end"));
    out.payload_offset = out.setup_bytes + header.payload_offset;
    out.payload_bytes = header.payload_length;
    const auto head =
        image.copy(out.payload_offset, std::min<std::uint64_t>(out.payload_bytes, 16));
    out.payload_compression = detect_compression(head);
}

/// The header as the file has it: fields beyond its end read as zero, as boot_params wants them.
setup_header read_header(const ImageBytes& image, std::vector<std::byte>& raw) {
    const auto head = image.head(header_end_max);
    if (!is_bzimage(head))
        refuse(image, "damaged bzImage: shorter than its header");
    // boot.rst: the header ends at 0x202 plus the byte at 0x201 (a short jump over it).
    const std::size_t end = std::min(
        {magic_at + std::to_integer<std::size_t>(head[0x201]), header_end_max, head.size()});
    if (end < header_start + offsetof(setup_header, hardware_subarch))
        refuse(image, "damaged bzImage: its header is too short");
    raw.assign(head.begin() + header_start, head.begin() + static_cast<std::ptrdiff_t>(end));
    setup_header header{};
    std::memcpy(&header, raw.data(), std::min(raw.size(), sizeof header));
    return header;
}

} // namespace

bool BzImage::has_64_bit_entry() const noexcept {
    return protocol >= 0x020c && (xload_flags & XLF_KERNEL_64) != 0;
}

bool is_bzimage(ByteView head) noexcept {
    return head.size() >= bzimage_head_bytes &&
           load_le<std::uint32_t>(head, magic_at) == header_magic;
}

std::string protocol_text(std::uint16_t protocol) {
    const unsigned minor = protocol & 0xffu;
    return cat(protocol >> 8, minor < 10 ? ".0" : ".", minor);
}

BzImage parse_bzimage(const ImageBytes& image) {
    BzImage out;
    const setup_header header = read_header(image, out.setup_header);
    check_kind(image, header);

    out.protocol = header.version;
    out.load_flags = header.loadflags;
    out.command_line_bytes = header.cmdline_size;
    out.initrd_address_max = header.initrd_addr_max;
    out.alignment = header.kernel_alignment;
    out.relocatable = header.relocatable_kernel != 0;
    out.xload_flags = header.version >= 0x020c ? header.xloadflags : std::uint16_t{0};
    out.preferred_address = header.version >= 0x020a ? header.pref_address : MiB;
    out.init_bytes = header.version >= 0x020a ? header.init_size : 0;
    out.handover_offset = header.version >= 0x020b ? header.handover_offset : 0;
    out.kernel_info_offset = header.version >= 0x020f ? header.kernel_info_offset : 0;

    // A setup_sects of 0 means 4, for historical reasons; the boot sector comes on top.
    const std::uint64_t setup_sectors = header.setup_sects == 0 ? 4 : header.setup_sects;
    out.setup_bytes = (setup_sectors + 1) * sector_bytes;
    out.protected_bytes = std::uint64_t{header.syssize} * 16;
    if (out.protected_bytes == 0)
        refuse(image, "damaged bzImage: no protected-mode part");
    if (!range_inside(out.setup_bytes, out.protected_bytes, image.size_bytes()))
        refuse(image, cat("truncated bzImage: its header announces ",
                          out.setup_bytes + out.protected_bytes, " bytes, the file has ",
                          image.size_bytes()));
    out.version = read_version(image, header, out.setup_bytes);
    find_payload(image, header, out);
    return out;
}

ImageBytes bzimage_payload(const ImageBytes& image, const BzImage& header) {
    if (header.payload_bytes == 0)
        refuse(image, "this bzImage has no payload that can be unpacked outside of it");
    if (header.payload_compression == Compression::none)
        refuse(image, "the payload of this bzImage is packed in an unknown way");
    return image.slice(header.payload_offset, header.payload_bytes, "the payload");
}

ImageBytes extract_vmlinux(const ImageBytes& image, const BzImage& header) {
    return unpack_linux_payload(bzimage_payload(image, header), header.payload_compression);
}

} // namespace coldstart
