#include "firmware-loaders/rom/rom_image.h"

#include "firmware-loaders/source/image_bytes.h"
#include "vmm/base/byte_size.h"
#include "vmm/base/error.h"
#include "vmm/base/text.h"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace coldstart {
namespace {

constexpr std::size_t reset_vector_bytes = 16;

void check_size(const std::string& path, std::uint64_t size_bytes) {
    constexpr auto remedy = "give a whole firmware image, such as SeaBIOS's bios-256k.bin or "
                            "OVMF_CODE_4M.fd";
    if (size_bytes % page_size_bytes != 0)
        throw Error(cat(path, ": ", size_bytes,
                        " bytes, and a firmware image is a multiple of 4 KiB: cut off, or another "
                        "kind of file"),
                    remedy);
    if (size_bytes > RomImage::max_bytes)
        throw Error(cat(path, ": ", format_byte_size(size_bytes),
                        ", and a firmware image has at most ",
                        format_byte_size(RomImage::max_bytes)),
                    remedy);
}

} // namespace

void RomImage::Free::operator()(std::byte* memory) const noexcept {
    std::free(memory);
}

RomImage::RomImage(const std::string& path, const std::string& flag) {
    const ImageBytes file = ImageBytes::open(path, "firmware", flag);
    check_size(path, file.size_bytes());
    size_ = static_cast<std::size_t>(file.size_bytes());
    memory_.reset(static_cast<std::byte*>(std::aligned_alloc(page_size_bytes, size_)));
    if (!memory_)
        throw std::bad_alloc();
    file.read(0, bytes());
    const auto vector = bytes().last(reset_vector_bytes);
    const auto blank = [&vector](std::byte value) {
        return std::all_of(vector.begin(), vector.end(),
                           [value](std::byte b) { return b == value; });
    };
    if (blank(std::byte{0}) || blank(std::byte{0xff}))
        throw Error(cat(path, ": nothing stands at its reset vector, the last 16 bytes"),
                    "give the code image; a UEFI variable store goes to --nvram");
}

} // namespace coldstart
