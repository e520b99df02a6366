// What one descriptor chain is to a device: host memory it may read, then host memory it may write.
// Source: virtio 1.2, sections 2.6.4 (message framing) and 2.7.4.
//
// A device must not rely on how the driver cut its buffers into descriptors; the functions below
// treat segments as one run of bytes. None of them allocates or fails: each says how far it got.
//
// The memory belongs to the guest, which may change it at any time: copy once, then check.
#pragma once

#include "vmm/base/bytes.h"

#include <cstddef>
#include <cstdint>
#include <span>

#include <sys/uio.h>

namespace coldstart {

struct DescriptorChain {
    std::uint16_t head = 0; ///< names the chain in the used ring
    std::span<iovec> readable;
    std::span<iovec> writable;
    std::uint64_t readable_bytes = 0;
    std::uint64_t writable_bytes = 0;
};

/// Copies from `segments`, starting `offset` bytes into them; how many bytes were copied.
std::size_t copy_from_segments(std::span<const iovec> segments, std::uint64_t offset,
                               std::span<std::byte> out) noexcept;

/// Copies into `segments`, starting `offset` bytes into them; how many bytes were copied.
std::size_t copy_to_segments(std::span<const iovec> segments, std::uint64_t offset,
                             ByteView in) noexcept;

/// The segments without their first `bytes` bytes; changes the first one kept.
std::span<iovec> drop_front(std::span<iovec> segments, std::uint64_t bytes) noexcept;

/// The segments cut to their first `bytes` bytes; changes the last one kept.
std::span<iovec> keep_front(std::span<iovec> segments, std::uint64_t bytes) noexcept;

} // namespace coldstart
