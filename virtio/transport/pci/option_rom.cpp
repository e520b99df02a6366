#include "virtio/transport/pci/option_rom.h"

#include "vmm/base/error.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <span>

namespace coldstart {
namespace {

constexpr std::uint64_t page_bytes = 4096;
constexpr std::uint64_t unit_bytes = 512;
constexpr std::uint16_t signature = 0xaa55;

// The ROM header.
constexpr std::size_t checksum_byte = 6;
constexpr std::size_t data_pointer = 0x18; // le16
constexpr std::size_t header_bytes = 0x1a;
// The PCI data structure.
constexpr std::uint32_t data_signature = 0x52494350; // "PCIR"
constexpr std::size_t data_vendor = 4;               // le16
constexpr std::size_t data_device = 6;               // le16
constexpr std::size_t data_image_units = 0x10;       // le16
constexpr std::size_t data_code_type = 0x14;         // u8
constexpr std::size_t data_indicator = 0x15;         // u8
constexpr std::size_t data_bytes = 0x18;
constexpr std::uint8_t code_bios = 0;
constexpr std::uint8_t last_image = 0x80;

std::uint8_t sum(ByteView bytes) noexcept {
    unsigned total = 0;
    for (const std::byte byte : bytes)
        total += std::to_integer<unsigned>(byte);
    return static_cast<std::uint8_t>(total);
}

/// Names one image of the ROM; the bytes to the next one, 0 when there is none.
std::uint64_t name_image(std::span<std::byte> image, std::uint16_t vendor, std::uint16_t device) {
    if (image.size() < header_bytes || load_le<std::uint16_t>(image) != signature)
        return 0;
    const std::size_t at = load_le<std::uint16_t>(image, data_pointer);
    if (!range_inside(at, data_bytes, image.size()) ||
        load_le<std::uint32_t>(image, at) != data_signature)
        return 0;
    const std::span<std::byte> data = image.subspan(at, data_bytes);
    const std::uint8_t before = sum(data);
    store_le(data, data_vendor, vendor);
    store_le(data, data_device, device);
    if (load_le<std::uint8_t>(data, data_code_type) == code_bios) {
        const int change = before - sum(data);
        store_le(image, checksum_byte,
                 static_cast<std::uint8_t>(load_le<std::uint8_t>(image, checksum_byte) + change));
    }
    const bool is_last = (load_le<std::uint8_t>(data, data_indicator) & last_image) != 0;
    return is_last ? 0 : load_le<std::uint16_t>(data, data_image_units) * unit_bytes;
}

} // namespace

OptionRom::OptionRom(ByteView image, std::uint16_t vendor_id, std::uint16_t device_id) {
    if (image.empty())
        return;
    if (image.size() > max_bytes)
        throw Error("option ROM: more than 16 MiB");
    if (image.size() < header_bytes || load_le<std::uint16_t>(image) != signature)
        throw Error("option ROM: it does not begin with 55 aa",
                    "give an expansion ROM image, such as those of the package ipxe-qemu");
    size_bytes_ = std::max(page_bytes, std::bit_ceil(std::uint64_t{image.size()}));
    memory_.reset(static_cast<std::byte*>(std::aligned_alloc(page_bytes, size_bytes_)));
    if (memory_ == nullptr)
        throw std::bad_alloc();
    const std::span<std::byte> bytes(memory_.get(), size_bytes_);
    std::memset(bytes.data(), 0xff, bytes.size());
    std::memcpy(bytes.data(), image.data(), image.size());
    std::span<std::byte> rest = bytes.first(image.size());
    for (;;) {
        const std::uint64_t step = name_image(rest, vendor_id, device_id);
        if (step == 0 || step >= rest.size())
            return;
        rest = rest.subspan(step);
    }
}

} // namespace coldstart
