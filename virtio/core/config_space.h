// Reading a device's configuration structure at any offset and width: virtio 1.2, section 2.5.
#pragma once

#include "vmm/base/bytes.h"

#include <cstdint>
#include <span>

namespace coldstart {

/// Copies the part of `config` at `offset` to `out`; bytes beyond its end become zero.
inline void read_config_bytes(ByteView config, std::uint64_t offset,
                              std::span<std::byte> out) noexcept {
    for (std::byte& byte : out) {
        byte = offset < config.size() ? config[offset] : std::byte{0};
        ++offset;
    }
}

} // namespace coldstart
