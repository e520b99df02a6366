#include "vmm/machine/fw_cfg_items_kernel.h"

#include "devices/fw_cfg/spec.h"
#include "firmware-loaders/bzimage/bzimage.h"
#include "firmware-loaders/option_rom/option_rom.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/log.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace coldstart {
namespace {

// Where the option ROM puts the parts: setup and its heap in one segment, the command line behind.
constexpr Gpa setup_address{0x10000};
constexpr Gpa command_line_address{0x20000};
constexpr Gpa payload_address{0x100000};
constexpr std::uint64_t command_line_room = 0x10000;
/// Setup code may use the rest of its segment for heap and stack; every Linux is content with half.
constexpr std::uint64_t setup_bytes_max = 0x8000;

/// SeaBIOS keeps ACPI tables, queues of drivers and the like at the end of low RAM. Its option ROM
/// looks how much that really is.
constexpr std::uint64_t firmware_room = 2 * MiB;

// The setup header's fields that a boot loader writes.
constexpr std::size_t type_of_loader_at = 0x210;   // 1 byte
constexpr std::size_t loadflags_at = 0x211;        // 1 byte
constexpr std::size_t ramdisk_image_at = 0x218;    // 4 bytes
constexpr std::size_t ramdisk_size_at = 0x21c;     // 4 bytes
constexpr std::size_t heap_end_ptr_at = 0x224;     // 2 bytes, counted from 0x200
constexpr std::size_t command_line_ptr_at = 0x228; // 4 bytes
constexpr std::uint8_t loader_of_a_monitor = 0xb0; // QEMU's; what option ROMs of this kind use
constexpr std::byte can_use_heap{0x80};
constexpr std::uint64_t heap_end = command_line_address - setup_address - 0x200;

class ImageContent final : public FwCfgContent {
  public:
    explicit ImageContent(ImageBytes image) : image_(std::move(image)) {}
    std::uint64_t size_bytes() const noexcept override { return image_.size_bytes(); }
    bool read(std::uint64_t offset, std::span<std::byte> out) const noexcept override {
        try {
            image_.read(offset, out);
            return true;
        } catch (const std::exception& error) {
            if (complaints_.allow())
                log_error(error.what());
            return false;
        }
    }

  private:
    ImageBytes image_;
    mutable LogLimiter complaints_;
};

BzImage checked_kernel(const KernelForFirmware& request) {
    const ImageBytes& kernel = request.kernel;
    if (!is_bzimage(kernel.head(bzimage_head_bytes)))
        throw Error(cat(kernel.name(), ": not a bzImage, the only kernel firmware can start"),
                    "give --kernel a bzImage, or boot it without firmware");
    BzImage header = parse_bzimage(kernel);
    if (header.setup_bytes > setup_bytes_max)
        throw Error(cat(kernel.name(), ": its setup part of ", header.setup_bytes,
                        " bytes leaves no room for its heap"),
                    "copy or build the kernel again");
    const std::string& text = request.command_line;
    // A header that names no limit is older than the field: 255 characters then.
    const std::uint64_t limit = std::min<std::uint64_t>(
        header.command_line_bytes == 0 ? 255 : header.command_line_bytes, command_line_room - 1);
    if (text.size() > limit)
        throw UsageError(cat("the command line has ", text.size(), " characters, ", kernel.name(),
                             " takes ", limit),
                         "shorten --cmdline");
    if (text.find('\0') != std::string::npos)
        throw UsageError("the command line contains a zero byte", "correct --cmdline");
    return header;
}

/// Up to where the kernel works before it knows of an initrd: its payload as loaded, and the place
/// it unpacks itself to.
Gpa kernel_end(const BzImage& header, std::uint64_t payload_bytes) {
    const Gpa loaded = payload_address + payload_bytes;
    const Gpa unpacked = Gpa(std::min(header.preferred_address, 4 * GiB)) + header.init_bytes;
    return std::max(loaded, unpacked);
}

Gpa place_initrd(const KernelForFirmware& request, const BzImage& header, Gpa lowest) {
    const ImageBytes& initrd = *request.initrd;
    const std::uint64_t ram_end =
        request.low_ram_end.value - std::min(firmware_room, request.low_ram_end.value);
    const std::uint64_t end =
        header.initrd_address_max == 0
            ? ram_end
            : std::min<std::uint64_t>(ram_end, std::uint64_t{header.initrd_address_max} + 1);
    const std::uint64_t size = initrd.size_bytes();
    const std::uint64_t base = size <= end ? (end - size) & ~(page_size_bytes - 1) : 0;
    if (size > end || base < lowest.value)
        throw Error(cat(initrd.name(), ": ", size, " bytes do not fit between the kernel's end at ",
                        hex(lowest.value), " and ", hex(end)),
                    cat("give the guest more memory with --memory, or use a smaller initrd"));
    return Gpa(base);
}

void add_number(FwCfgItems& items, std::uint16_t key, std::uint64_t value) {
    items.add_number(key, static_cast<std::uint32_t>(value));
}

} // namespace

std::shared_ptr<const FwCfgContent> fw_cfg_image(ImageBytes image) {
    return std::make_shared<ImageContent>(std::move(image));
}

void add_kernel_items(FwCfgItems& items, const KernelForFirmware& request) {
    const BzImage header = checked_kernel(request);
    const ImageBytes& kernel = request.kernel;
    // All that follows setup, not the protected-mode part alone: a signature stands at the end.
    const std::uint64_t payload_bytes = kernel.size_bytes() - header.setup_bytes;
    const Gpa end = kernel_end(header, payload_bytes);
    if (end > request.low_ram_end)
        throw Error(cat(kernel.name(), ": needs RAM up to ", hex(end.value),
                        ", the guest's ends at ", hex(request.low_ram_end.value)),
                    "give the guest more memory with --memory");

    std::vector<std::byte> setup = kernel.copy(0, header.setup_bytes);
    store_le(setup, type_of_loader_at, loader_of_a_monitor);
    setup[loadflags_at] |= can_use_heap;
    store_le(setup, heap_end_ptr_at, static_cast<std::uint16_t>(heap_end));
    store_le(setup, command_line_ptr_at, static_cast<std::uint32_t>(command_line_address.value));
    if (request.initrd) {
        const Gpa base = place_initrd(request, header, end);
        const std::uint64_t size = request.initrd->size_bytes();
        store_le(setup, ramdisk_image_at, static_cast<std::uint32_t>(base.value));
        store_le(setup, ramdisk_size_at, static_cast<std::uint32_t>(size));
        add_number(items, fw_cfg::key_initrd_address, base.value);
        add_number(items, fw_cfg::key_initrd_size, size);
        items.add(fw_cfg::key_initrd_data, fw_cfg_image(*request.initrd));
    }

    add_number(items, fw_cfg::key_setup_address, setup_address.value);
    add_number(items, fw_cfg::key_setup_size, setup.size());
    items.add(fw_cfg::key_setup_data, std::move(setup));
    add_number(items, fw_cfg::key_kernel_address, payload_address.value);
    add_number(items, fw_cfg::key_kernel_size, payload_bytes);
    items.add(fw_cfg::key_kernel_data,
              fw_cfg_image(kernel.slice(header.setup_bytes, payload_bytes, "the kernel")));

    const std::string& text = request.command_line;
    const auto bytes = std::as_bytes(std::span(text.c_str(), text.size() + 1));
    add_number(items, fw_cfg::key_command_line_address, command_line_address.value);
    add_number(items, fw_cfg::key_command_line_size, bytes.size());
    items.add(fw_cfg::key_command_line_data, std::vector<std::byte>(bytes.begin(), bytes.end()));
    items.add_file(std::string(linux_boot_rom_file), linux_boot_rom());
}

} // namespace coldstart
