// The expansion ROM of a PCI function: an image in whole pages, as its ROM BAR shows it.
// Source: PCI Firmware Specification 3.0, section 5.1 (header and data structure).
//
// One ROM file serves several ids of a device family (iPXE's for virtio-net), but firmware runs
// only what names the very function. So the ids in it are replaced, and what that does to the
// checksum of a BIOS image is made up for in byte 6, which loaders set aside for it.
#pragma once

#include "vmm/base/bytes.h"

#include <cstdint>
#include <cstdlib>
#include <memory>

namespace coldstart {

class OptionRom {
  public:
    static constexpr std::uint64_t max_bytes = 16ull * 1024 * 1024;

    OptionRom() noexcept = default; ///< no ROM
    /// Throws Error when `image` is no option ROM or too large. An empty one is no ROM.
    OptionRom(ByteView image, std::uint16_t vendor_id, std::uint16_t device_id);

    bool empty() const noexcept { return size_bytes_ == 0; }
    std::uint64_t size_bytes() const noexcept { return size_bytes_; } ///< a power of two
    std::byte* memory() const noexcept { return memory_.get(); }

  private:
    struct Free {
        void operator()(std::byte* bytes) const noexcept { std::free(bytes); }
    };

    std::unique_ptr<std::byte, Free> memory_;
    std::uint64_t size_bytes_ = 0;
};

} // namespace coldstart
